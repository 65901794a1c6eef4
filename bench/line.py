"""One row of the table that `make bench` prints."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, ours and the floor's, and the ratio with its goal."""

    what: str
    ours: str
    floor: str
    ratio: str
    goal: str
