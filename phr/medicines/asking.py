"""The two questions asked of medicines over the API: what is this one, and are these lines safe for this person.

The rule: each is one journaled visit; what a search looked for is not in the journal.
"""

from collections.abc import Sequence
from typing import Any

from fhir.parameters import KINDS
from fhir.predicate import KindIn
from fhir.search import all_of
from phr.access.journal import Tag
from phr.access.reader import Person, Professional
from phr.access.scope import READ, granted
from phr.access.visit import Visit, asked_of
from phr.core.errors import absent, forbidden, invalid, malformed
from phr.medicines import safety
from phr.medicines.lookup import CODE, by_code, by_name, current
from phr.medicines.medication import medication
from phr.prevention.codes import folded
from phr.reading import require

Json = dict[str, Any]
MOST_LINES = 100


async def lookup(visit: Visit, code: str | None, name: str | None) -> list[Json]:
    """Medications of the loaded database, not stored: of a CIS, a CIP13, or the beginnings of words of the name.

    Raises SYNTAX, and FORBIDDEN without a scope that reads Medication or MedicationRequest.
    """
    if not any(granted(visit.scopes, visit.reader, READ, kind) for kind in ("Medication", "MedicationRequest")):
        raise forbidden("The token's scopes do not allow this on Medication.")
    if (code is None) is (name is None):
        raise malformed("One of code and name is asked.")
    if code is not None and not CODE.fullmatch(code):
        raise malformed("code is a CIS (8 digits) or a CIP13 (13 digits).")
    if name is not None and not folded(name):
        raise malformed("name has a letter or a digit at least.")
    async with visit.act(None, READ, Tag.MEDICINE, "Medication/$lookup") as deed:
        release = await current(deed.session)
        if release is None:
            return [_NOT_LOADED]
        found = await (by_code(deed.session, release, code) if code else by_name(deed.session, release, name or ""))
        return [medication(one, code if code and code != one.cis else None) for one in found]


_NOT_LOADED: Json = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "not-found", "diagnostics": "No medicines are loaded here."}],
}


async def checked(visit: Visit, record: str, lines: Sequence[Json]) -> tuple[list[Json], tuple[str, ...]]:
    """DetectedIssues of lines of prescription, as far as the reader sees the record; and what was not checked.

    Raises ABSENT for who is out of sight, FORBIDDEN to software alone and without a scope on Patient, CONTENT.
    """
    if not isinstance(visit.reader, Person | Professional):
        raise forbidden("Only a person or a professional asks this.")
    require(visit, READ, KINDS["Patient"])
    if isinstance(visit.reader, Person) and record != visit.reader.record:
        raise absent()
    if not 0 < len(lines) <= MOST_LINES:
        raise invalid(f"From 1 to {MOST_LINES} lines are checked at once.", "Parameters.parameter", "required")
    async with visit.act(record, READ, Tag.MEDICINE, asked_of(("Patient", record, "$check-medicines"))) as deed:
        inside = deed.viewing(READ).inside
        if not await deed.fetch(all_of(inside, KindIn(frozenset({"Patient"})), 1)):
            raise absent()
        deed.touched.append(f"Patient/{record}")
        done = await safety.check(deed, lines)
        return safety.findings_of(done), done.unchecked
