"""What waits at a pharmacy: prescriptions sent to it or in its hands, whatever record they are in.

The rule: an entry names a Task and its state, and nothing else; what it points at is read through the lens of its own
record, now: an entry proves nothing.
"""

from sqlalchemy import String, Uuid, bindparam, delete

from fhir.parameters import KINDS
from fhir.tables import ID
from phr import inbox
from phr.access.consent import FINESS, STRUCTURES, Actor
from phr.access.journal import Tag
from phr.access.reader import Professional
from phr.access.scope import SEARCH
from phr.access.visit import Deed, Visit
from phr.core.database import compile_query
from phr.inbox import Page
from phr.inbox import inbox as table
from phr.prescription.life import OVER, STATUS, State
from phr.prescription.pharmacies import named
from phr.reading import Pairs, require

ASKED = frozenset({"owner", "owner:identifier", "status", "code", "_count", "_cursor"})
_KIND = "prescription "
_OPEN = tuple(STATUS[state] for state in State if state not in OVER)
_TAKE_OUT = compile_query(
    delete(table).where(
        table.c.recipient == bindparam("of_recipient", type_=Uuid()),
        table.c.record == bindparam("of_record", type_=ID),
        table.c.id == bindparam("of_id", type_=ID),
        table.c.kind.startswith(bindparam("of_kind", type_=String())),
    )
)


async def put(deed: Deed, pharmacy: Actor, task: str, state: State) -> None:
    """Say at this pharmacy which state a prescription is in; one that is over waits no more."""
    await take_out(deed, pharmacy, task)
    if state not in OVER:
        await inbox.put(deed, pharmacy.name, _KIND + STATUS[state], task, None)


async def take_out(deed: Deed, pharmacy: Actor, task: str) -> None:
    """Take a prescription out of a pharmacy's inbox."""
    recipient = inbox.recipient(deed.visit.installation.system_keys, pharmacy.name)
    place = {"of_recipient": recipient, "of_record": deed.view.record, "of_id": task, "of_kind": _KIND}
    await deed.session.fetch(_TAKE_OUT, place)


def is_asked(visit: Visit, pairs: Pairs) -> bool:
    """Whether a search of Tasks is of a structure's inbox, and not of one person's record."""
    names = {name for name, _ in pairs}
    return isinstance(visit.reader, Professional) and bool(names & {"owner", "owner:identifier"}) and names <= ASKED


async def search(visit: Visit, pairs: Pairs, base: str) -> Page:
    """`Task?owner=…&status=…`: what waits at the reader's own pharmacy, newest first; `_count` (50 at most), `_cursor`.

    Another structure's is empty. Raises FORBIDDEN (no professional).
    """
    require(visit, SEARCH, KINDS["Task"])
    asked = dict(pairs)
    if not await _is_own(visit, asked, base):
        return Page([], None)
    wanted = set(asked.get("status", ",".join(_OPEN)).split(","))
    kinds = [_KIND + status for status in _OPEN if status in wanted]
    page = tuple((name, value) for name, value in pairs if name in ("_count", "_cursor"))
    return await inbox.structure(visit, kinds, page, "Task", Tag.PRESCRIPTION, "Task")


async def _is_own(visit: Visit, asked: dict[str, str], base: str) -> bool:
    """Whether the owner that is asked is the structure the reader acts in."""
    mine = f"structure:{inbox.professional(visit).structure}"
    if "owner:identifier" in asked:
        system, _, value = asked["owner:identifier"].partition("|")
        return (system, value) in ((STRUCTURES, mine[10:]), (FINESS, mine[11:]))
    if "owner" not in asked:
        return "_cursor" in asked
    async with visit.act(None, SEARCH, Tag.PRESCRIPTION, "Task") as deed:
        found = await named(deed, asked["owner"], base)
    return found is not None and found[1].name == mine
