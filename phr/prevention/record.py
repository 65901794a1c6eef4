"""What the engine knows of a person, read from their record as its reader sees it.

The rule: nothing is taken from what the reader may not see; what is entered in error, not done or not final is not
there.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from types import MappingProxyType
from typing import cast, get_args

from fhir import tokens
from fhir.criteria import TokenAny
from fhir.parameters import KINDS
from fhir.predicate import And, KindIn, Or, Predicate
from fhir.query import Sort
from fhir.search import Page, page_of
from fhir.stored import Stored
from fhir.view import View
from phr.access.scope import READ
from phr.access.visit import Deed
from phr.core.errors import absent
from phr.prevention import known
from phr.prevention.canonical import ANSWER, FACT, LOINC
from phr.prevention.codes import ABOVE, VALUE_SETS, sets_of
from phr.prevention.elements import Json, by_person, coded, codings, first, full, objects, texts, when
from phr.prevention.person import Event, Person, Sex
from phr.prevention.products import Products, products
from phr.prevention.statements import heard

SOUGHT = frozenset({"Observation", "Task"})
"""The types of which only what bears one of our codes is read: a record may hold thousands."""
WHOLE = frozenset({"Patient", "Immunization", "Procedure", "DocumentReference", "Condition", "QuestionnaireResponse"})
NOTHING: Products = MappingProxyType({})
_AT_ONCE = 1000
_NOTES = frozenset({(LOINC, "87273-9"), (LOINC, "11369-6")})
"""Vaccination notes: what they say in words counts too."""
_CERVICAL = frozenset({"cervical-cytology", "hpv-test"})
_SUSPECT = "cervical-abnormal"
_ABNORMAL = frozenset({"A", "AA", "H", "HH", "POS", "DET", "10828004", "260373001", "LA6576-8", "LA11882-0"})
"""v3-ObservationInterpretation; and positive, detected, of SNOMED CT and of LOINC, as values."""


async def recall(deed: Deed) -> Person | None:
    """Who the reader of a transaction sees in its record. None when they are dead. Raises ABSENT (`resources`)."""
    found = await resources(deed)
    return None if found is None else person_of(found, await products(deed.session, found))


async def resources(deed: Deed) -> list[Json] | None:
    """What the reader of a transaction sees of its record. None when the person is dead: nothing is advised.

    Raises ABSENT when no Patient is in sight. In the journal, under the caller's tag: the Patient alone, for what was
    looked at is the whole record, and is the same whatever is in it.
    """
    view = deed.viewing(READ)
    found: list[Json] = [row.json(view.keyring) for row in await _rows(deed, view)]
    patient = next((one for one in found if one["resourceType"] == "Patient"), None)
    if patient is None:
        raise absent()
    deed.touched.append(f"Patient/{patient['id']}")
    if patient.get("deceasedBoolean") or "deceasedDateTime" in patient:
        return None
    return found


async def _rows(deed: Deed, view: View) -> list[Stored]:
    """Every row in sight that may say something, oldest first: one statement for each thousand."""
    match, after, rows = _match(view), None, list[Stored]()
    while True:
        page = await deed.fetch(page_of(view.inside, Page(match, (Sort("_id"),), after, _AT_ONCE)))
        rows += map(Stored.from_row, page[:_AT_ONCE])
        if len(page) <= _AT_ONCE:
            return rows
        after = (rows[-1].id,)


def _match(view: View) -> Predicate:
    hashed = view.hashed(KINDS["Observation"])
    listed = {(code.system, code.code) for one in VALUE_SETS.values() for code in one.codes if not code.prefix}
    wanted = {tokens.coded("code", system, code) for system, code in listed | known.READ}
    wanted |= {tokens.coded("code", FACT, None), tokens.coded("business-status", ANSWER, None)}
    sought = And((KindIn(SOUGHT), TokenAny(frozenset(map(hashed, wanted)))))
    return Or((KindIn(WHOLE), sought))


def person_of(resources: Iterable[Json], named: Products = NOTHING) -> Person:
    """What resources of one person say. They are read in the order they were written, such as that of their ids.

    `named`: the medicines that their codes are known to be, by the loaded base.

    A birth date is known whole or not at all. Elsewhere a partial date is its first day (`elements.first`).
    """
    of: dict[str, list[Json]] = {}
    for one in resources:
        of.setdefault(str(one.get("resourceType")), []).append(one)
    patient = next(iter(of.get("Patient", ())), {})
    born, gender = full(patient.get("birthDate")), patient.get("gender")
    events, said, stands = list[Event](), list[known.Heard](), list[known.Heard]()
    for one in of.get("Immunization", ()):
        events += _immunization(one, born, named)
    for one in of.get("Procedure", ()):
        events += _procedure(one, born)
    observations = [one for one in of.get("Observation", ()) if one.get("status") in known.OBSERVED]
    for one in observations:
        if (
            on := when(one, "effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued", born=born)
        ) is not None:
            events += _observation(one, on)
            said += known.observed(one, on)
    for one in of.get("DocumentReference", ()):
        events += _document(one, born)
    for one in of.get("Condition", ()):
        said += known.refuted(one)
        stands += known.diagnosed(one, born)
    for one in of.get("QuestionnaireResponse", ()):
        if one.get("status") in known.ANSWERED and (on := when(one, "authored")) is not None:
            said += known.answered(one, on)
    tasks, statements = heard(of.get("Task", ()), born)
    stands += (one for event in events for one in known.operated(event.sets, event.on))
    answers = known.settled(said, stands)
    pregnancies = known.pregnancies(observations, (one for name, one in said if name == "pregnant"))
    sex = cast(Sex, gender) if gender in get_args(Sex) else None
    return Person(born, sex, tuple(sorted([*events, *tasks])), answers, pregnancies, statements)


def _event(on: date | None, sets: frozenset[str], *, declared: bool) -> Iterator[Event]:
    if on is not None and sets:
        yield Event(on, sets, declared)


def _immunization(found: Json, born: date | None, named: Products) -> Iterator[Event]:
    if found.get("status") == "completed":
        vaccine = found.get("vaccineCode")
        coded_as = list(codings(vaccine))
        names = [*texts(vaccine), *(named[pair] for pair in coded_as if pair in named)]
        on = when(found, "occurrenceDateTime", born=born)
        told = by_person(found) or "recall" in coded(found.get("reportOrigin"))
        yield from _event(on, sets_of(coded_as, names), declared=told)


def _procedure(found: Json, born: date | None) -> Iterator[Event]:
    if found.get("status") == "completed":
        on = when(found, "performedDateTime", "performedPeriod", born=born)
        yield from _event(on, sets_of(codings(found.get("code"))), declared=by_person(found))


def _observation(found: Json, on: date) -> Iterator[Event]:
    sets = sets_of(codings(found.get("code")))
    said = [found.get("valueCodeableConcept"), *objects(found.get("interpretation"))]
    if sets & _CERVICAL and (coded(said) & _ABNORMAL or _SUSPECT in sets_of(codings(said))):
        sets |= ABOVE[_SUSPECT]
    yield from _event(on, sets, declared=by_person(found))


def _document(found: Json, born: date | None) -> Iterator[Event]:
    """By its type and what it is about; a vaccination note, by its words too."""
    if found.get("status") != "current" or found.get("docStatus") == "entered-in-error":
        return
    context = next(objects(found.get("context")), {})
    kinds, about = list(codings(found.get("type"))), context.get("event")
    named: list[str] = []
    if not _NOTES.isdisjoint(kinds):
        named = [*texts(about), str(found.get("description", ""))]
    on = first(context.get("period"), born) or when(found, "date")
    yield from _event(on, sets_of([*kinds, *codings(about)], named), declared=by_person(found))
