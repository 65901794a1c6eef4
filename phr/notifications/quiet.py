"""Hours in which a message is not sent, such as a reminder at night.

The rule: they are judged when it is sent, not only when it is written: what could not be sent before they began, or was
refused in the evening and is tried again, waits until they end.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta
from typing import Any

from phr.core.outbox import Deliver, NotNowError
from phr.representation import PARIS

FIELD = "quiet"
"""Of a message that waits: its quiet hours, as `said` writes them."""
Hours = tuple[time, time]
"""From when until when, in Paris; over midnight when the first is the later."""


def awake(at: datetime, hours: Hours) -> datetime:
    """This instant, or the end of the quiet hours it is in."""
    local = at.astimezone(PARIS)
    first, last = hours
    now = local.time()
    quiet = first <= now < last if first <= last else now >= first or now < last
    if not quiet:
        return at
    tomorrow = last <= now
    return datetime.combine(local.date() + timedelta(days=tomorrow), last, PARIS).astimezone(at.tzinfo)


def said(hours: Iterable[Hours]) -> dict[str, list[list[str]]]:
    """What a message that keeps these hours bears; nothing when there are none."""
    listed = [[one.isoformat("minutes") for one in pair] for pair in sorted(set(hours))]
    return {FIELD: listed} if listed else {}


def kept(deliver: Deliver, clock: Callable[[], datetime]) -> Deliver:
    """The same deliverer, which raises NotNowError in the quiet hours of a message."""

    def delivered(message: dict[str, Any]) -> None:
        at = clock()
        read = [(time.fromisoformat(first), time.fromisoformat(last)) for first, last in message.get(FIELD, ())]
        until = max((awake(at, one) for one in read), default=at)
        if until > at:
            raise NotNowError(until)
        deliver(message)

    return delivered
