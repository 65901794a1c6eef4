"""For whom a citizen may connect an application."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RecordChoice:
    """One record a citizen may open. `label`: what the page calls its person; `own`: it is their own.

    `until`: when what is granted on it ends at the latest, as at its person's majority; None: nothing says so.
    """

    record: str
    label: str
    own: bool
    until: datetime | None = None
