"""For whom a citizen may connect an application."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordChoice:
    """One record a citizen may open. `label`: what the page calls its person; `own`: it is their own."""

    record: str
    label: str
    own: bool
