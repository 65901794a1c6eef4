"""What a reader sees of what a person takes and is allergic to; and which of these they would see nothing of.

The rule: what is masked is as if it were not there: neither what is found nor what is said not to be checked tells of
it. « Not seen » is said of what the reader's rights and scopes never show, masks left aside.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fhir import dates, tokens
from fhir.criteria import DateMatch, TokenAny
from fhir.parameters import KINDS
from fhir.predicate import And, IdIn, KindIn, Nothing, Or, Predicate, Row
from fhir.query import Sort
from fhir.search import Page, all_of, page_of
from fhir.stored import Stored
from fhir.view import View
from phr.access.decision import BLIND, Facts
from phr.access.provision import Right
from phr.access.reader import Professional
from phr.access.scope import READ, narrowing
from phr.access.sight import sight
from phr.access.visit import Deed
from phr.medicines.checker import Case, Gap, Unchecked
from phr.medicines.subjects import Json, allergy, stands, subject, taken
from phr.prevention.dates import day

_ALLERGIES, _DISPENSES = frozenset({"AllergyIntolerance"}), frozenset({"MedicationDispense"})
_TREATMENTS = frozenset({"MedicationRequest", "MedicationStatement"})
_AT_ONCE = 1000
_LONGEST = timedelta(days=400)
"""No dispensing is for longer: a prescription is for twelve months at most (R5132-21)."""


async def recall(deed: Deed, lines: Sequence[Json]) -> Case:
    """The case of these lines, as the reader of the transaction sees the record.

    What a line carries out is not taken besides it: the order of a dispensing, what an order was dispensed as before;
    nor are the lines of a prescription that is being written, once they are stored.
    """
    view = deed.viewing(READ)
    found = await _found(deed, view)
    medications = await _medications(deed, view, [*lines, *found])
    asked = tuple(subject(one, n, medications) for n, one in enumerate(lines, start=1))
    under = frozenset[str]().union(*(one.treatment for one in asked))
    today, own = day(deed.visit.now), [one["groupIdentifier"] for one in lines if "groupIdentifier" in one]
    found = [one for one in found if one.get("groupIdentifier") not in own]
    others = [subject(one, None, medications) for one in found if taken(one, today)]
    allergies = [allergy(one) for one in found if one["resourceType"] == "AllergyIntolerance" and stands(one)]
    return Case(asked, tuple(one for one in others if one.treatment.isdisjoint(under)), tuple(allergies))


def unseen(deed: Deed) -> list[Unchecked]:
    """What the reader is never shown, whatever the record holds and masks."""
    hidden = []
    if not all(_would_see(deed, kind) for kind in _ALLERGIES):
        hidden.append(Unchecked(Gap.ALLERGIES_UNSEEN))
    if not all(_would_see(deed, kind) for kind in _TREATMENTS | _DISPENSES):
        hidden.append(Unchecked(Gap.TREATMENTS_UNSEEN))
    return hidden


def _would_see(deed: Deed, kind: str) -> bool:
    """Whether somebody else's resource of this type, masked by nothing, would be shown: asked of the policy itself."""
    visit, opened = deed.visit, deed.opened
    if opened is None:
        return False
    keys, who = opened.keys, visit.reader
    entitled = visit.installation.matrix.entitled(who.identity, keys.hashed) if isinstance(who, Professional) else None
    rights = tuple(one for one in deed.provisions if one.right is not Right.MASK)
    bucket = int(keys.record[:3], 16)
    facts = Facts(keys.record, bucket, visit.author(keys), opened.rights, opened.closed, rights, entitled or Nothing())
    decided = sight(who, facts, visit.now)
    row = Row(
        bucket, "", kind, visit.now, False, keys.record, *(False,) * 3, *(None,) * 3, frozenset(), {}, frozenset()
    )
    return decided is not BLIND and And((decided.predicate, narrowing(visit.scopes, who, READ, keys))).holds(row)


async def _found(deed: Deed, view: View) -> list[dict[str, Any]]:
    """Every allergy, and what may be taken, oldest first."""
    match, after, rows = _match(deed, view), None, list[Stored]()
    while True:
        page = await deed.fetch(page_of(view.inside, Page(match, (Sort("_id"),), after, _AT_ONCE)))
        rows += map(Stored.from_row, page[:_AT_ONCE])
        if len(page) <= _AT_ONCE:
            return [row.json(view.keyring) for row in rows]
        after = (rows[-1].id,)


def _match(deed: Deed, view: View) -> Predicate:
    hashed = view.hashed(KINDS["MedicationRequest"])
    active = TokenAny(frozenset({hashed(tokens.coded("status", None, "active"))}))
    low, high = dates.span(day(deed.visit.now - _LONGEST).isoformat())
    recent = And((KindIn(_DISPENSES), DateMatch("whenhandedover", "ge", low, high)))
    return Or((KindIn(_ALLERGIES), And((KindIn(_TREATMENTS), active)), recent))


async def _medications(deed: Deed, view: View, resources: Sequence[Json]) -> dict[str, Json]:
    """The Medications that resources refer to, by id."""
    named = [one.get("medicationReference") for one in resources]
    local = [tokens.local(str(one.get("reference"))) for one in named if isinstance(one, dict)]
    ids = frozenset(pair[1] for pair in local if pair is not None and pair[0] == "Medication")
    if not ids:
        return {}
    wanted = And((KindIn(frozenset({"Medication"})), IdIn(ids)))
    rows = map(Stored.from_row, await deed.fetch(all_of(view.inside, wanted, len(ids))))
    return {row.id: row.json(view.keyring) for row in rows}
