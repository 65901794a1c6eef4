"""What a reader sees of a person, for whatever is advised: one transaction, one entry in the journal.

The rule: there is no other way from a record to an advice than through the eyes of who asks.
"""

from dataclasses import dataclass

from fhir.parameters import KINDS
from phr.access.journal import Tag
from phr.access.reader import Person as Holder
from phr.access.scope import READ
from phr.access.visit import Visit, asked_of
from phr.core.errors import absent
from phr.prevention.person import Person
from phr.prevention.products import products
from phr.prevention.record import person_of, resources
from phr.prevention.statements import Spoken, spoken
from phr.reading import require


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader sees: the person, and what was said of rules, by whom."""

    person: Person
    said: tuple[Spoken, ...]


async def read(visit: Visit, record: str, operation: str) -> Person | None:
    """The person alone, as `known`."""
    found = await known(visit, record, operation)
    return None if found is None else found.person


async def known(visit: Visit, record: str, operation: str) -> Known | None:
    """The person as this reader sees them, for an operation (`$prevention`); None when they are dead.

    Raises ABSENT for who is out of sight, FORBIDDEN without a scope on Patient.
    """
    require(visit, READ, KINDS["Patient"])
    if isinstance(visit.reader, Holder) and record != visit.reader.record:
        raise absent()
    async with visit.act(record, READ, Tag.PREVENTION, asked_of(("Patient", record, operation))) as deed:
        found = await resources(deed)
        named = await products(deed.session, found or ())
    if found is None:
        return None
    person, tasks = person_of(found, named), (one for one in found if one["resourceType"] == "Task")
    return Known(person, spoken(tasks, person.born))
