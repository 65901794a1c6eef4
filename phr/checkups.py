"""The key-age check-ups: a questionnaire filled in from the record, its answers and their PDF kept, and shared.

The rule: what is filled in is what its reader sees; answers and PDF are written together or not at all; sharing them is
a right like any other, for ninety days, of these alone, which the person ends whenever they like.
"""

import hashlib
from datetime import UTC, date, datetime, time
from typing import Any

from fhir import query, wire
from fhir.parameters import KINDS
from fhir.predicate import And, IdIn, KindIn
from fhir.query import Sort
from fhir.search import Page, all_of, page_of
from fhir.stored import Stored, seal_resource
from fhir.view import View
from phr import checkup_paper, rights
from phr.access.consent import Actor, Terms, end_of_day
from phr.access.journal import Tag
from phr.access.provision import Right, in_force
from phr.access.reader import Person
from phr.access.right import MASK
from phr.access.scope import CREATE, READ, UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.blocks import kept
from phr.checkup_answers import answers_of, check, response_of
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid
from phr.decided import BLOCKED
from phr.documents import labels
from phr.inbox import RELATION
from phr.inbox import put as leave_word
from phr.plan import Item, Plan, judge
from phr.preferences import refused
from phr.prevention import watch
from phr.prevention.dates import day
from phr.prevention.person import Person as Subject
from phr.prevention.record import recall
from phr.prevention.who import fact
from phr.questionnaires import QUESTIONNAIRES, Known, Questionnaire, Value, at_age, named, resource
from phr.questionnaires import Item as Question
from phr.reading import home_of, require
from phr.writing import Written, locked, matching, written

Json = dict[str, Any]
RESPONSE, DOCUMENT = KINDS["QuestionnaireResponse"], KINDS["DocumentReference"]
SHARED_DAYS = 90
"""Calendar days a professional sees what was shared with them."""
_PATIENT, _OBSERVATION, _QUESTIONNAIRE = KINDS["Patient"], KINDS["Observation"], KINDS["Questionnaire"]
_RESPONSE_AT = "Parameters.parameter.where(name = 'response')"


async def populate(visit: Visit, record: str, id: str | None, base: str) -> Json:
    """A response in progress, filled in with what the reader sees of the record. `id`: the questionnaire's.

    Raises ABSENT (not the reader's record, no such questionnaire), FORBIDDEN, CONTENT (no check-up at this age).
    """
    require(visit, READ, _PATIENT)
    if isinstance(visit.reader, Person) and visit.reader.record != record:
        raise absent()
    asked = asked_of(("Patient", record, "$populate-check-up"))
    async with visit.act(record, READ, Tag.PREVENTION, asked) as deed:
        patient = await _patient(deed)
        if patient is None:
            deed.refused = "absent"
        else:
            made = QUESTIONNAIRES.get(id) if id is not None else _of_age(patient, visit)
            if made is not None:
                return response_of(made, await _prefilled(deed, made, patient, base), record, "in-progress")
    if patient is not None and id is None:
        raise invalid("There is no check-up at this age: name a questionnaire.", "Patient.birthDate", "business-rule")
    raise absent()


async def complete(
    visit: Visit, record: str, response: Json, professional: Actor | None, base: str, language: str = "fr"
) -> Written:
    """Keep a whole response, and its PDF in the record's documents; shared with a professional when one is named.

    `language`: of who answers; the PDF is in French, and in that one beside it. With an id it takes the place of that
    response, and its PDF of the one before. Raises CONTENT (with where), ABSENT, GONE, FORBIDDEN, CONFLICT (blocked).
    """
    _at_home(visit, record)
    made = _checked(response, record)
    body = response_of(made, answers_of(made, response), record, "completed")
    body["authored"] = visit.now.isoformat(timespec="seconds")
    asked = asked_of(("Patient", record, "$complete-check-up"))
    async with visit.act(record, CREATE, Tag.PREVENTION, asked, deciding=professional is not None) as deed:
        refusal = None if professional is None else await _unshareable(deed, professional)
        if refusal is None:
            stored = await _keep(deed, made, body, response.get("id"), base, language)
            if professional is not None:
                await _shared(deed, stored.id, professional, base)
            return stored
    raise refusal


async def share(visit: Visit, record: str, response: str, professional: Actor, base: str) -> Written:
    """Show a completed response and its PDF to one professional, for ninety days. Sharing twice is sharing once.

    Raises ABSENT, FORBIDDEN (a caregiver), CONFLICT (the professional is blocked), CONTENT (no PDF, or it is masked).
    """
    require(visit, CREATE, rights.CONSENT)
    _at_home(visit, record)
    asked = asked_of(("Patient", record, "$share-check-up"))
    async with visit.act(record, CREATE, Tag.PREVENTION, asked, deciding=True) as deed:
        refusal = await _unshareable(deed, professional)
        if refusal is None:
            return await _shared(deed, response.removeprefix("QuestionnaireResponse/"), professional, base)
    raise refusal


async def questionnaire(visit: Visit, id: str) -> tuple[Stored, View]:
    """One of the four as a FHIR Questionnaire: computed, never stored, journaled as any read. Raises ABSENT, FORBIDDEN.

    Its version is a mark of its content; it was updated the day its questions were.
    """
    require(visit, READ, _QUESTIONNAIRE)
    made, keys = QUESTIONNAIRES.get(id), visit.installation.commons
    if made is None:
        raise absent()
    at = datetime.combine(date.fromisoformat(made.version), time(), UTC)
    body = resource(made)
    mark = int.from_bytes(hashlib.blake2b(wire.encode(body), digest_size=4).digest(), "big") >> 1
    meta = {"versionId": str(mark), "lastUpdated": at.isoformat(timespec="milliseconds")}
    raw = wire.encode({"resourceType": body["resourceType"], "id": id, "meta": meta, **body})
    home = await home_of(visit, _QUESTIONNAIRE, id)
    async with visit.act(home, READ, Tag.READ, asked_of((_QUESTIONNAIRE.name, id))) as deed:
        deed.touched.append(f"{_QUESTIONNAIRE.name}/{id}")
    sealed = seal_resource(keys, _QUESTIONNAIRE.name, id, mark, raw)
    return Stored(0, id, _QUESTIONNAIRE.name, mark, at, False, None, sealed), deed.view


def _at_home(visit: Visit, record: str) -> None:
    if not isinstance(visit.reader, Person):
        raise forbidden("A check-up's questions are answered by the person, or by who acts for them.")
    if visit.reader.record != record:
        raise absent()


async def _patient(deed: Deed) -> Json | None:
    view = deed.view
    match = And((KindIn(frozenset({_PATIENT.name})), IdIn(frozenset({str(view.record)}))))
    rows = await deed.fetch(all_of(view.inside, match, 1))
    if not rows:
        return None
    deed.touched.append(f"Patient/{view.record}")
    return Stored.from_row(rows[0]).json(view.keyring)


def _of_age(patient: Json, visit: Visit) -> Questionnaire | None:
    try:
        return at_age(date.fromisoformat(str(patient.get("birthDate"))), day(visit.now))
    except ValueError:
        return None


async def _prefilled(deed: Deed, made: Questionnaire, patient: Json, base: str) -> dict[str, tuple[Value, ...]]:
    on, subject = day(deed.visit.now), await recall(deed) or Subject(None, None)
    found = dict[str, tuple[Value, ...]]()
    for one in made.items():
        value = await _known(deed, one, patient, subject, on, base)
        if value is not None:
            found[one.id] = (value,)
    return found


async def _known(deed: Deed, one: Question, patient: Json, subject: Subject, on: date, base: str) -> Value | None:
    """What the record answers to a question; None when it does not say."""
    said = one.known
    if one.fact:
        return fact(subject, one.fact, on, [])
    if said.patient:
        value = patient.get(said.patient)
        fits = one.type != "choice" or value in dict(one.options)
        return value if isinstance(value, str) and fits else None
    if said.done:
        return True if _done(said, subject, on) else None
    return await _measured(deed, one, base) if said.measure else None


def _done(said: Known, subject: Subject, on: date) -> bool:
    since = date.min if said.within is None else said.within.before(on)
    return any(since <= event.on <= on and not said.done.isdisjoint(event.sets) for event in subject.events)


async def _measured(deed: Deed, one: Question, base: str) -> int | None:
    """The last such measure in sight, as a whole number, if it is one that the question takes."""
    view, visit = deed.view, deed.visit
    asked = query.parse(
        _OBSERVATION,
        (("code", f"http://loinc.org|{one.known.measure}"),),
        view.hashed(_OBSERVATION),
        visit.now,
        base=base,
    )
    match = And((KindIn(frozenset({_OBSERVATION.name})), *asked.criteria))
    rows = await deed.fetch(page_of(view.of(_OBSERVATION), Page(match, (Sort("date", descending=True),), None, 1)))
    if not rows:
        return None
    found = Stored.from_row(rows[0])
    deed.touched.append(f"Observation/{found.id}")
    quantity = found.json(view.keyring).get("valueQuantity", {})
    if quantity.get("unit", quantity.get("code")) not in ("kg", "cm") and quantity.get("code") not in ("kg", "cm"):
        return None
    value = round(float(quantity.get("value", 0)))
    return value if one.takes(value) else None


def _checked(response: Json, record: str) -> Questionnaire:
    """The questionnaire a response answers. Raises CONTENT with every fault, each with where it is."""
    judge(RESPONSE, response, f"{_RESPONSE_AT}.resource")
    made = named(str(response.get("questionnaire")))
    if made is None:
        text = "The questionnaire is one of the check-ups, in its version of today."
        raise invalid(text, f"{_RESPONSE_AT}.resource.questionnaire", "not-found")
    if response.get("subject", {}).get("reference", f"Patient/{record}") != f"Patient/{record}":
        raise invalid("The response is about somebody else.", f"{_RESPONSE_AT}.resource.subject")
    faults = check(made, response)
    if faults:
        raise DomainError(Reason.CONTENT, *faults)
    return made


async def _keep(deed: Deed, made: Questionnaire, body: Json, id: object, base: str, language: str) -> Written:
    """Write the response and its PDF; in the place of those before, when the response has an id."""
    plan, before = Plan(deed, base), None
    if id is None:
        item = Item(RESPONSE, plan.new_id(RESPONSE), body, RESPONSE.name)
    else:
        target = await locked(deed, UPDATE, RESPONSE, str(id))
        if target is None:
            raise absent()
        stored, mine = target
        if stored.gone:
            raise DomainError(Reason.GONE, Issue("deleted", "This resource was deleted."))
        old = stored.json(deed.view.keyring)
        body = {**body, "id": stored.id, "status": "completed" if old.get("status") == "in-progress" else "amended"}
        item = Item(RESPONSE, stored.id, body, RESPONSE.name, stored, old, mine)
        before = await _paper_of(deed, stored.id, base)
    await plan.add(item)
    paper = checkup_paper.document(made, body, await _patient(deed) or {}, item.id, deed.visit, before, language)
    await plan.add(Item(DOCUMENT, plan.new_id(DOCUMENT), paper, DOCUMENT.name))
    drafts = await plan.store()
    await watch.look_again(deed.session, rights.keys_of(deed).record, deed.visit.now)  # what is answered is advised on
    return next(written(one, created=id is None) for one in drafts if one.id == item.id)


async def _paper_of(deed: Deed, response: str, base: str) -> Stored | None:
    """The current PDF of a response."""
    wanted = (("related", f"{RESPONSE.name}/{response}"), ("status", "current"))
    return await matching(deed, DOCUMENT, wanted, base)


async def _unshareable(deed: Deed, professional: Actor) -> DomainError | None:
    """Why nothing is shared, noted for the journal: by a caregiver, or with who is blocked."""
    refusal = refused(deed)
    if refusal is not None:
        return refusal
    hashed = rights.keys_of(deed).hashed(professional.name)
    if any(
        one.actor == hashed for one in in_force(await rights.listed(deed, [Right.BLOCK]), Right.BLOCK, deed.visit.now)
    ):
        deed.refused = "blocked"
        return DomainError(Reason.CONFLICT, Issue("conflict", BLOCKED))
    return None


async def _shared(deed: Deed, response: str, professional: Actor, base: str) -> Written:
    """The Consent of a relation narrowed to a response and its PDF; the one that says so already, if there is one."""
    found = await locked(deed, READ, RESPONSE, response)
    if found is None or found[0].gone:
        raise absent()
    paper = await _paper_of(deed, response, base)
    if paper is None:
        raise invalid("This questionnaire is not completed.", _RESPONSE_AT, "not-found")
    body = paper.json(deed.view.keyring)
    if MASK in labels(body):
        raise invalid("This questionnaire is masked to professionals: unmask it first.", _RESPONSE_AT, "business-rule")
    content = str(body["content"][0]["attachment"]["url"])
    data = (f"{RESPONSE.name}/{response}", f"{DOCUMENT.name}/{paper.id}", content)
    ids, hashed = {name.partition("/")[2] for name in data}, rights.keys_of(deed).hashed(professional.name)
    for one in in_force(await rights.listed(deed, [Right.CARE_RELATION]), Right.CARE_RELATION, deed.visit.now):
        if one.actor == hashed and one.resources == ids:
            return await kept(deed, one.id)
    until = end_of_day(deed.visit.now, SHARED_DAYS - 1)
    terms = Terms(Right.CARE_RELATION, professional, until=until, purpose="explicit-consent", data=data)
    made = await rights.write(deed, terms)
    await leave_word(deed, professional.name.removeprefix("professional:"), RELATION, made.id, until)
    return written(made, created=True)
