"""What is said of a recommendation, kept in the record: done, not concerned, later, declined, or a professional's word.

The rule: each answer is a resource of its author's, written as any other is; the newest stands, and to delete it is to
take it back. Nobody says what is another's to say: the person does not write a contraindication, nor a professional a
refusal.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from fhir.parameters import KINDS, Kind
from fhir.predicate import KindIn
from fhir.search import one_of
from fhir.stored import Stored
from phr.access.consent import PROFESSIONALS
from phr.access.journal import Tag
from phr.access.reader import Citizen, Professional, Reader
from phr.access.reader import Person as Holder
from phr.access.scope import CREATE
from phr.access.visit import Visit, asked_of
from phr.core.errors import absent, forbidden, invalid
from phr.plan import Item, Plan
from phr.prevention.canonical import ANSWER, FACT, LAST_PERIOD, LOINC, RULE, plan_of
from phr.prevention.dates import day
from phr.prevention.elements import full
from phr.prevention.facts import ASKED_OTHERWISE, FACTS
from phr.prevention.rulebook import RULES
from phr.prevention.statements import BY_PERSON, BY_PROFESSIONAL, DONE, LATER
from phr.prevention.who import LONGEST_PREGNANCY
from phr.reading import require
from phr.writing import Written, written

Json = dict[str, Any]
START = "pregnancy-start"
_STATUS = {
    DONE: "completed",
    "not-concerned": "cancelled",
    LATER: "on-hold",
    "declined": "rejected",
    "contraindicated": "cancelled",
    "indicated": "requested",
}
"""R4 task-status of each word."""
_SURVEY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered: a word of a rule, or whether a fact holds. `on`: since when; `until`: the day it ends."""

    rule: str | None = None
    said: str | None = None
    fact: str | None = None
    value: bool | None = None
    on: date | None = None
    until: date | None = None
    reason: str | None = field(default=None, repr=False)


async def answer(visit: Visit, record: str, said: Said, base: str) -> Written:
    """`Patient/{id}/$answer-prevention`: the Task, or the Observation of a fact.

    Raises CONTENT (an unknown rule or fact, a date that cannot be), FORBIDDEN (who may not say this), ABSENT.
    """
    if isinstance(visit.reader, Holder) and record != visit.reader.record:
        raise absent()
    today = day(visit.now)
    kind, body = _task(visit, record, said, today) if said.fact is None else _observation(visit, record, said, today)
    require(visit, CREATE, kind)
    async with visit.act(record, CREATE, Tag.CREATE, asked_of(("Patient", record, "$answer-prevention"))) as deed:
        seen = deed.unscoped()
        found = await deed.fetch(one_of(seen.inside, [KindIn(frozenset({"Patient"}))], gone=False))
        if not found:
            raise absent()  # who sees nothing of the person has nothing to say of them
        born = full(Stored.from_row(found[0]).json(seen.keyring).get("birthDate"))
        if said.on is not None and born is not None and said.on < born:
            raise invalid("Nothing was before the birth.", _at("on"))
        plan = Plan(deed, base)
        await plan.add(Item(kind, plan.new_id(kind), body, kind.name))
        [made] = await plan.store()
        return written(made, created=True)


def _at(name: str) -> str:
    return f"Parameters.parameter.where(name = '{name}')"


def _task(visit: Visit, record: str, said: Said, today: date) -> tuple[Kind, Json]:
    if said.rule is None or said.value is not None:
        raise invalid("A rule and what is said of it are named, or a fact and its value.", code="required")
    rule, word, on = RULES.get(said.rule), said.said, said.on or today
    if rule is None:
        raise invalid("There is no such rule.", _at("rule"), "not-found")
    if word not in _STATUS:
        raise invalid(f"What is said is one of: {', '.join(_STATUS)}.", _at("said"), "code-invalid")
    _may_say(visit.reader, word)
    _check_dates(on, said.until, today)
    if word == LATER and said.until is None:
        raise invalid("Until when is said with later.", _at("until"), "required")
    if word == DONE and said.until is not None:
        raise invalid("What was done has no end.", _at("until"))
    reason = _reason(word, said.reason)
    return KINDS["Task"], {
        "resourceType": "Task",
        "instantiatesCanonical": plan_of(rule.id),
        "status": _STATUS[word],
        **({"statusReason": {"text": reason}} if reason else {}),
        "businessStatus": {"coding": [{"system": ANSWER, "code": word}]},
        "intent": "proposal",
        "code": {"coding": [{"system": RULE, "code": rule.id}], "text": rule.title.fr},
        "for": {"reference": f"Patient/{record}"},
        "executionPeriod": _period(on, said.until),
        "authoredOn": visit.now.isoformat(timespec="milliseconds"),
        **_requester(visit.reader),
    }


def _may_say(reader: Reader, word: str) -> None:
    """Raises FORBIDDEN unless this is theirs to say."""
    if word in BY_PERSON and not isinstance(reader, Holder):
        raise forbidden("Only the person, or who acts for them, says this.")
    if word in BY_PROFESSIONAL and not isinstance(reader, Professional):
        raise forbidden("Only a professional says this.")


def _check_dates(on: date, until: date | None, today: date) -> None:
    if on > today:
        raise invalid("A day to come cannot be said of the past.", _at("on"))
    if until is not None and until <= max(on, today):
        raise invalid("The day it ends is to come.", _at("until"))


def _reason(word: str, reason: str | None) -> str:
    text = (reason or "").strip()
    if word in BY_PROFESSIONAL and not text:
        raise invalid("A professional says why.", _at("reason"), "required")
    if len(text) > _LONGEST_REASON:
        raise invalid(f"A reason is at most {_LONGEST_REASON} characters.", _at("reason"), "too-long")
    return text


def _requester(reader: Reader) -> Json:
    """Who says it. Of who acts for the person, that they do: the journal says who it was."""
    match reader:
        case Citizen(record=record):
            return {"requester": {"reference": f"Patient/{record}"}}
        case Professional(identity=who):
            name = f"{who.given} {who.family}".strip()
            named = {"type": "Practitioner", "identifier": {"system": PROFESSIONALS, "value": who.id}}
            return {"requester": {**named, **({"display": name} if name else {})}}
    return {"requester": {"type": "RelatedPerson", "display": "Qui agit pour la personne"}}


def _observation(visit: Visit, record: str, said: Said, today: date) -> tuple[Kind, Json]:
    name = said.fact or ""
    fact = FACTS.get(name)
    if said.rule is not None or said.said is not None or said.reason is not None:
        raise invalid("A rule and what is said of it are named, or a fact and its value.")
    if fact is None or name in ASKED_OTHERWISE - {START}:
        raise invalid("There is no such fact to answer.", _at("fact"), "not-found")
    if not isinstance(visit.reader, Holder | Professional):
        raise forbidden("Only the person, who acts for them, or a professional says this.")
    _check_dates(said.on or today, said.until, today)
    codings = [{"system": FACT, "code": name}]
    if name == START:
        codings.append({"system": LOINC, "code": LAST_PERIOD})
        found = _last_period(said, today)
    else:
        found = _yes_or_no(said, today)
    return KINDS["Observation"], {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [_SURVEY]}],
        "code": {"coding": codings, "text": fact.question.fr},
        "subject": {"reference": f"Patient/{record}"},
        "issued": visit.now.isoformat(timespec="milliseconds"),
        **found,
    }


def _last_period(said: Said, today: date) -> Json:
    """The first day of the last period, told today."""
    if said.on is None or said.value is not None or said.until is not None:
        raise invalid("The first day of the last period is said with on, alone.", _at("on"), "required")
    if LONGEST_PREGNANCY.after(said.on) < today:
        raise invalid("No pregnancy lasts that long.", _at("on"))
    return {"effectiveDateTime": today.isoformat(), "valueDateTime": said.on.isoformat()}


def _yes_or_no(said: Said, today: date) -> Json:
    if said.value is None:
        raise invalid("Whether it is so is said with value.", _at("value"), "required")
    on = said.on or today
    when: Json = {"effectiveDateTime": on.isoformat()}
    if said.until is not None:
        when = {"effectivePeriod": _period(on, said.until)}
    return {**when, "valueBoolean": said.value}


def _period(on: date, until: date | None) -> Json:
    """TRAP: the end of a Period is inside it."""
    last = {} if until is None else {"end": (until - timedelta(days=1)).isoformat()}
    return {"start": on.isoformat(), **last}
