"""Asking where a subscription stands, and again for what it was told: `$status` and `$events`.

The rule: what was told keeps its number; its focus is told again only to who sees it now. What was never told, because
it was out of sight, is not there.
"""

from collections.abc import Collection
from typing import Any

from phr.access.scope import READ
from phr.access.visit import Visit
from phr.core.errors import malformed
from phr.subscriptions import numbers
from phr.subscriptions.held import Held
from phr.subscriptions.notification import Said, notification, statuses
from phr.subscriptions.owned import listed, mine, still_stands
from phr.subscriptions.subscriber import in_sight

Json = dict[str, Any]
MOST = 100
"""Events of one answer; the next are asked from the next number."""
_LAST = 2**62
STATUS, EVENTS = "Subscription/$status", "Subscription/$events"


async def status_of(visit: Visit, id: str, base: str) -> Json:
    """Where one stands. Raises ABSENT."""
    found = await mine(visit, id, READ, STATUS)
    return statuses([found.standing(stands=await still_stands(visit, found))], base)


async def status_of_all(visit: Visit, ids: Collection[str], wanted: Collection[str], base: str) -> Json:
    """Where the reader's own stand; those of these ids, in these statuses, when there are any."""
    standings = [one.standing(stands=await still_stands(visit, one)) for one in await listed(visit, STATUS)]
    kept = [one for one in standings if (not ids or one.id in ids) and (not wanted or one.status in wanted)]
    return statuses(kept, base)


async def events(visit: Visit, id: str, since: str | None, until: str | None, base: str) -> Json:
    """What was told, between two numbers, both included, at most MOST. Raises ABSENT, SYNTAX."""
    first, last = _number(since, 1), _number(until, _LAST)
    held = await mine(visit, id, READ, EVENTS)
    stood = await still_stands(visit, held)
    async with visit.installation.database.session() as session:
        found = await numbers.between(session, id, first, last, MOST)
    seen = await _seen(visit, held, [(one.record, one.focus) for one in found]) if stood else frozenset()
    said = [Said(one.number or 0, one.at, one.focus if one.focus in seen else None) for one in found]
    return notification(held.standing(stands=stood), "query-event", base, visit.now, said)


async def _seen(visit: Visit, held: Held, foci: Collection[tuple[str, str]]) -> frozenset[str]:
    """Those in sight now, in the journal of each record; none when nothing but that something happened was asked."""
    seen: set[str] = set()
    if held.wish.content != "empty":
        for record in sorted({record for record, _ in foci}):
            wanted = {focus for where, focus in foci if where == record}
            seen |= await in_sight(visit, record, wanted, asked=EVENTS)
    return frozenset(seen)


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise malformed("An event's number is a whole number.")
    return int(text)
