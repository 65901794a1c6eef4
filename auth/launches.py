"""SMART App Launch 2.2 §2.0.3, the EHR launch: professional software hands over which record is open.

The rule: a launch context is good once, for a few minutes, for the app it names and the professional who made it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from auth import tickets
from auth.sessions import Visitor
from phr.core.keys import SystemKeys

LIFETIME = timedelta(minutes=5)
PAGES = "carnet-pages"
"""Our own pages for professionals, as an app: no client, for whoever is signed in there sees with their own eyes."""
LONGEST = 1000
"""Characters of an `appContext`."""
_PURPOSE = "launch"


@dataclass(frozen=True, slots=True)
class Launch:
    """What is handed over. `app_context`: CDS Hooks 2.0, Link, what a card says to the app it leads to; else empty."""

    record: str
    app_context: str = ""


def hand_over(session: Session, keys: SystemKeys, app: str, professional: str, made: Launch, now: datetime) -> str:
    """A launch context: the opaque `launch` parameter to give to the client `app`.

    `professional` is the national id of whoever has the record open.
    """
    values = {"app": app, "professional": professional, "record": made.record, "app_context": made.app_context}
    return tickets.issue(session, keys, _PURPOSE, values, LIFETIME, now)


def take(session: Session, keys: SystemKeys, launch: str, app: str, visitor: Visitor, now: datetime) -> Launch | None:
    """What was handed over, once; None when unknown, used, expired, for another app, or made by somebody else."""
    values = tickets.take(session, keys, _PURPOSE, launch, now)
    if values is None or values["app"] != app or values["professional"] != _person(visitor):
        return None
    return Launch(str(values["record"]), str(values.get("app_context", "")))


def _person(visitor: Visitor) -> str | None:
    """Who is at the keyboard: an assistant hands over to themself, not to the professional they assist."""
    who = visitor.assistant or visitor.professional
    return None if who is None else who.id
