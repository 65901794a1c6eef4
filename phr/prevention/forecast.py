"""Vaccines as HL7's ImmDS forecasts them: from a patient and their immunizations to an ImmunizationRecommendation.

The rule: it says what the rules of the theme `vaccination` say and nothing more; an HL7 status is given only where it
is true, beside ours, which always is. Asked of resources that were sent, nothing of ours is read nor kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from phr.access.journal import Tag
from phr.access.scope import READ
from phr.access.visit import Visit
from phr.prevention.advice import Advice, Status
from phr.prevention.canonical import LOINC, RULE, RULESET, STATUS, plan_of
from phr.prevention.codes import VALUE_SETS
from phr.prevention.dates import Duration
from phr.prevention.elements import lived
from phr.prevention.engine import judge, stand
from phr.prevention.person import Person
from phr.prevention.rule import Rule, Rules, Schedule, Version, Words
from phr.prevention.words import Language, reason

Json = dict[str, Any]
FORECAST = "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status"
THEME = "vaccination"
_DUE, _EARLIEST, _LATEST, _OVERDUE = "30980-7", "30981-5", "59777-3", "59778-1"
"""LOINC: date vaccine due, earliest date to give, latest date to give, date overdue."""
_IMMUNE = frozenset({"had-varicella"})
"""Facts that exempt because they made immune."""
FORESEEN = Duration(months=12)
"""How long ahead a first dose is forecast."""


async def note(visit: Visit) -> None:
    """Journal, in the client's own chain, that it asked about resources it sent: which ones is not said."""
    async with visit.act(None, READ, Tag.PREVENTION, "$immds-forecast"):
        pass


def forecast(rules: Rules, person: Person | None, patient: Json, on: date, language: Language) -> Json:
    """The answer of `$immds-forecast`: Parameters with one `recommendation`; none of somebody dead.

    `patient`: the Reference it is about.
    """
    made = [] if person is None else list(_recommended(rules, person, on, language))
    if not made:
        return {"resourceType": "Parameters"}
    resource = {
        "resourceType": "ImmunizationRecommendation",
        "language": language,
        "extension": [{"url": RULESET, "valueString": rules.version}],
        "patient": patient,
        "date": on.isoformat(),
        "recommendation": made,
    }
    return {"resourceType": "Parameters", "parameter": [{"name": "recommendation", "resource": resource}]}


def _recommended(rules: Rules, person: Person, on: date, language: Language) -> Iterator[Json]:
    for rule in rules.all:
        if rule.theme != THEME:
            continue
        advice = judge(rule, person, on)
        if advice.version is not None and _told(advice, on):
            yield _recommendation(advice, advice.version, person, on, language)


def _told(advice: Advice, on: date) -> bool:
    """Whether it is forecast: not what is for others, is over, was declined, or begins in more than a year."""
    if advice.status is not Status.NOT_CONCERNED:
        return True
    clause = advice.why[0]
    if clause.name == "not-yet":
        return advice.due is not None and advice.due <= FORESEEN.after(on)
    return clause.name == "contraindicated" or (clause.name == "excluded" and clause.about[0] in _IMMUNE)


def _recommendation(advice: Advice, version: Version, person: Person, on: date, language: Language) -> Json:
    rule, schedule = advice.rule, version.schedule
    ours = {"system": STATUS, "code": advice.status.value}
    code = _hl7(advice)
    dates = dict(_dates(advice, version, person, on))
    lengths = {len(course.doses) for course in schedule.courses}
    found: Json = {
        "vaccineCode": list(_vaccines(sorted(schedule.sets or version.satisfying), language)),
        "forecastStatus": {"coding": [*([{"system": FORECAST, "code": code}] if code else []), ours]},
        "forecastReason": [{"coding": [{"system": RULE, "code": rule.id}], "text": reason(advice, language)}],
        "dateCriterion": [_criterion(code, day) for code, day in sorted(dates.items()) if lived(day)],
        "description": _in(version.say, language),
        "series": _in(rule.title, language),
        "doseNumberPositiveInt": advice.step,
        "seriesDosesPositiveInt": lengths.pop() if len(lengths) == 1 else None,
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/workflow-instantiatesCanonical"}],
    }
    found["extension"][0]["valueCanonical"] = f"{plan_of(rule.id)}|{version.in_force.isoformat()}"
    return {name: value for name, value in found.items() if value not in (None, [])}


def _hl7(advice: Advice) -> str | None:
    """The HL7 status that says the same; None when there is none: not due yet, or a question to ask first."""
    clause = advice.why[0]
    if clause.name == "contraindicated":
        return "contraindicated"
    if clause.name == "excluded":
        return "immune"
    if advice.status is Status.DONE:
        return "complete" if advice.due is None else None
    return advice.status.value if advice.status in (Status.DUE, Status.OVERDUE) else None


def _dates(advice: Advice, version: Version, person: Person, on: date) -> Iterator[tuple[str, date]]:
    """What the engine itself answers on the days to come, if nothing new were known."""
    rule, due = advice.rule, advice.due
    if due is None:
        return
    yield _DUE, due
    if (earliest := _earliest(rule, version, person, on, due)) is not None:
        yield _EARLIEST, earliest
    if advice.status is Status.ASK or any(clause.name == "later" for clause in advice.why):
        return
    then = stand(rule, person, max(on, due), [])
    if then.status is Status.DUE and then.until is not None:
        late = stand(rule, person, then.until, [])
        then = late if late.status is Status.OVERDUE else then
    if then.status is Status.OVERDUE and then.since is not None:
        yield _OVERDUE, then.since
    if then.status in (Status.DUE, Status.OVERDUE) and then.until is not None:
        yield _LATEST, then.until - timedelta(days=1)


def _earliest(rule: Rule, version: Version, person: Person, on: date, due: date) -> date | None:
    """The first day on which it would count; None when that is not bounded."""
    schedule = version.schedule
    if schedule.shape in ("once", "each"):
        return None if schedule.early is None else schedule.early.before(due)
    if schedule.shape != "series":
        return None
    hastened = replace(version, schedule=_hastened(schedule))
    return stand(replace(rule, versions=(hastened,)), person, on, []).due


def _hastened(schedule: Schedule) -> Schedule:
    """The same, were each dose recommended from the day it counts."""
    courses = tuple(
        replace(course, doses=tuple(replace(dose, age=None, after=None) for dose in course.doses))
        for course in schedule.courses
    )
    return replace(schedule, courses=courses)


def _criterion(code: str, day: date) -> Json:
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "value": day.isoformat()}


def _vaccines(names: Iterable[str], language: Language) -> Iterator[Json]:
    """One concept for each set: its first code in each system; of a set without codes, those it includes."""
    for name in names:
        found = VALUE_SETS[name]
        if found.codes:
            first = {code.system: code for code in reversed(found.codes)}
            codings = [
                {"system": one.system, "code": one.code, "display": one.display}
                for one in found.codes
                if first[one.system] is one
            ]
            yield {"coding": codings, "text": _in(found.title, language)}
        else:
            yield from _vaccines(sorted(found.includes), language)


def _in(words: Words, language: Language) -> str:
    return words.fr if language == "fr" else words.en
