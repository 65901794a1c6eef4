"""Who keeps an agenda: its person, who represents them, and a caregiver who was given the power to.

The rule: they change what they see of it, whoever wrote it; a caregiver without the power is told so, anybody else is
answered as if there were nothing.
"""

from collections.abc import Iterable
from typing import Any

from fhir.parameters import Kind
from fhir.predicate import And, IdIn, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr.access.decision import Because
from phr.access.reader import Person
from phr.access.right import AGENDA
from phr.access.visit import Deed, Visit
from phr.agenda.reminder import ABOUT
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden
from phr.reading import require
from phr.writing import locked

Json = dict[str, Any]


def home(visit: Visit, verb: str, kind: Kind, record: str | None = None) -> str:
    """The record of the person at the door, who may be named. Raises FORBIDDEN, ABSENT."""
    if not isinstance(visit.reader, Person):
        raise forbidden("An agenda is kept by its person, or by who acts for them.")
    require(visit, verb, kind)
    if record not in (None, visit.reader.record):
        raise absent()
    return visit.reader.record


def refused(deed: Deed) -> DomainError | None:
    """Why this reader does not keep the agenda, noted for the journal; None for who does."""
    decision = deed.decision
    if decision.because in (Because.OWN_RECORD, Because.REPRESENTS):
        return None
    if decision.because is not Because.CARES_FOR:
        deed.refused = "not-entitled"
        return absent()
    if decision.powers is not None and AGENDA in decision.powers:
        return None
    deed.refused = "not-entitled"
    return forbidden("The person did not give this caregiver the power to keep their agenda.")


async def held(deed: Deed, verb: str, kind: Kind, id: str) -> tuple[Stored, Json]:
    """What is to be changed, locked, in sight. Raises ABSENT, GONE."""
    found = await locked(deed, verb, kind, id)
    if found is None:
        raise absent()
    if found[0].gone:
        raise DomainError(Reason.GONE, Issue("deleted", "This resource was deleted."))
    return found[0], found[0].json(deed.view.keyring)


async def seen(deed: Deed, names: Iterable[str]) -> dict[str, Json]:
    """Those of these resources (`Type/id`) that the reader sees."""
    ids = frozenset(name.partition("/")[2] for name in names if name)
    if not ids:
        return {}
    rows = await deed.fetch(all_of(deed.unscoped().inside, And((KindIn(ABOUT), IdIn(ids))), len(ids)))
    found = [Stored.from_row(row) for row in rows]
    return {f"{one.kind}/{one.id}": one.json(deed.view.keyring) for one in found}
