"""What a person agreed to besides scopes: which purposes of a service, for how long, as it declared them that day.

The rule: it is sealed with the grant; a service that declares its purposes otherwise is agreed to again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from auth.clients import Client

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When what lasts until it is withdrawn would end."""


class Duration(StrEnum):
    """For how long an application may come back without the person. Once: as long as one access token."""

    ONCE = "once"
    HOURS = "12-hours"
    MONTHS = "13-months"
    WITHDRAWN = "until-withdrawn"


_SPANS = {Duration.HOURS: timedelta(hours=12), Duration.MONTHS: timedelta(days=395)}


@dataclass(frozen=True, slots=True)
class Agreement:
    """`purposes`: the codes granted; none of software that declares none. `declared`: the digest of each purpose the
    service declared then (`auth.purposes`). `duration`: None, as long as software of its kind stays connected."""

    purposes: tuple[str, ...] = ()
    duration: Duration | None = None
    declared: Mapping[str, str] = field(default_factory=dict, hash=False)

    def kept(self) -> dict[str, Any]:
        """As JSON to seal."""
        return {"purposes": list(self.purposes), "duration": self.duration, "declared": dict(self.declared)}


def of(kept: Mapping[str, Any]) -> Agreement:
    """An agreement as it was sealed. A grant of a release before has none: it agreed to nothing declared."""
    duration = kept.get("duration")
    chosen = None if duration is None else Duration(duration)
    return Agreement(tuple(kept.get("purposes", ())), chosen, kept.get("declared", {}))


def durations(client: Client) -> tuple[Duration, ...]:
    """What a person may choose: a page in a browser keeps no secret for longer than twelve hours (RFC 9700 §4.14)."""
    if client.native or not client.public:
        return Duration.ONCE, Duration.MONTHS, Duration.WITHDRAWN
    return Duration.ONCE, Duration.HOURS


def ends(duration: Duration, now: datetime) -> datetime:
    """When refresh tokens end."""
    return now + _SPANS[duration] if duration in _SPANS else NEVER


def note(session: Session, agreement: Agreement) -> None:
    """Say what is being agreed to in this transaction, for the grant that it will make."""
    session.info["agreement"] = agreement


def noted(session: Session) -> Agreement:
    """What was said; nothing in particular when nobody said."""
    found: Agreement = session.info.get("agreement", Agreement())
    return found
