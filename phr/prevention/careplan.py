"""What is advised to a person, as a CarePlan of proposals: one activity for each rule, with why and until when.

The rule: it is made of what its reader sees of the record and of nothing else: two records that look the same to them
get the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args

from fhir.query import SKIPPED
from phr.access.visit import Visit
from phr.core.errors import malformed
from phr.prevention.advice import Advice, Status
from phr.prevention.canonical import ADVICE, RULE, RULESET, STATUS, plan_of
from phr.prevention.dates import day
from phr.prevention.engine import advise
from phr.prevention.facts import FACTS
from phr.prevention.person import Person
from phr.prevention.reading import Known, known
from phr.prevention.rule import Rules, Theme, Version, Words
from phr.prevention.rulebook import RULES
from phr.prevention.statements import Spoken
from phr.prevention.words import Language, audience, reason
from phr.reading import refuse

Json = dict[str, Any]
_PARAMETERS = frozenset({"on", "lang", "theme", "status", *SKIPPED})
_TITLE = Words("Prévention : ce qui est recommandé", "Prevention: what is recommended")
_ACTIVITY = {Status.DONE: "completed", Status.NOT_CONCERNED: "cancelled", Status.ASK: "unknown"}
"""R4 care-plan-activity-status; the others are `not-started`, or `on-hold` when somebody said later."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which advice is asked for. `on`: the day, None for today in Paris."""

    on: date | None = None
    language: Language = "fr"
    themes: frozenset[str] = frozenset(get_args(Theme))
    statuses: frozenset[str] = frozenset(Status)


def wanted(asked: Iterable[tuple[str, str]], language: Language, *, strict: bool = False) -> Wanted:
    """From the parameters `on`, `theme` and `status` (repeated, or with commas). Raises SYNTAX.

    `strict`: what is not understood is refused; else it is ignored.
    """
    listed = list(asked)
    if strict:
        refuse([(name, "not a parameter here") for name, _ in listed if name not in _PARAMETERS])
    themes, statuses = (_among(listed, name, known) for name, known in (("theme", get_args(Theme)), ("status", Status)))
    days = [value for name, value in listed if name == "on"]
    try:
        on = date.fromisoformat(days[0]) if days else None
    except ValueError:
        raise malformed("on is a day: YYYY-MM-DD.") from None
    return Wanted(on, language, themes, statuses)


def _among(asked: Sequence[tuple[str, str]], name: str, known: Iterable[str]) -> frozenset[str]:
    all_ = frozenset(map(str, known))
    values = frozenset(one for key, value in asked if key == name for one in value.split(","))
    if values - all_:
        raise malformed(f"{name} is one of: {', '.join(sorted(all_))}.")
    return values or all_


async def prevention(visit: Visit, record: str, asked: Wanted) -> Json:
    """`Patient/{id}/$prevention`; of somebody dead, nothing is proposed. Raises ABSENT, FORBIDDEN."""
    found = await known(visit, record, "$prevention")
    on = asked.on or day(visit.now)
    return care_plan(RULES, found, record, on, asked)


def care_plan(rules: Rules, seen: Known | None, record: str, on: date, asked: Wanted = Wanted()) -> Json:
    """The CarePlan of a person on a day. `created` is that day, for nothing else makes it."""
    found = [] if seen is None else advise(rules, seen.person, on)
    activities = [
        {"detail": _detail(advice, seen, on, asked.language)}
        for advice in found
        if seen is not None and advice.rule.theme in asked.themes and advice.status in asked.statuses
    ]
    return {
        "resourceType": "CarePlan",
        "language": asked.language,
        "extension": [{"url": RULESET, "valueString": rules.version}],
        "status": "active",
        "intent": "proposal",
        "title": _in(_TITLE, asked.language),
        "subject": {"reference": f"Patient/{record}"},
        "created": on.isoformat(),
        **({"activity": activities} if activities else {}),
    }


def _in(words: Words, language: Language) -> str:
    return words.fr if language == "fr" else words.en


def _detail(advice: Advice, seen: Known, on: date, language: Language) -> Json:
    rule, version = advice.rule, advice.version
    dated = rule.versions[-1] if version is None else version
    status = {"coding": [{"system": STATUS, "code": advice.status.value}], "text": reason(advice, language)}
    detail: Json = {
        "extension": [{"url": ADVICE, "extension": list(_parts(advice, seen, on, language))}],
        "instantiatesCanonical": [f"{plan_of(rule.id)}|{dated.in_force.isoformat()}"],
        "code": {"coding": [{"system": RULE, "code": rule.id}], "text": _in(rule.title, language)},
        "status": _activity(advice),
        "statusReason": status,
    }
    if period := _period(advice):
        detail["scheduledPeriod"] = period
    return detail if version is None else {**detail, "description": _in(version.say, language)}


def _activity(advice: Advice) -> str:
    later = any(clause.name == "later" for clause in advice.why)
    return "on-hold" if later else _ACTIVITY.get(advice.status, "not-started")


def _period(advice: Advice) -> Json:
    """From when it is due, or said so, to the last day it is. TRAP: the end of a Period is inside it."""
    start = advice.due or advice.since
    last = None if advice.until is None else advice.until - timedelta(days=1)
    period = {} if start is None else {"start": start.isoformat()}
    return period | ({"end": last.isoformat()} if last is not None and (start is None or start <= last) else {})


def _parts(advice: Advice, seen: Known, on: date, language: Language) -> Iterator[Json]:
    rule, version = advice.rule, advice.version
    yield {"url": "status", "valueCode": advice.status.value}
    yield {"url": "theme", "valueCode": rule.theme}
    if rule.journey is not None:
        yield {"url": "journey", "valueCode": rule.journey}
    yield from ({"url": "clause", "valueCode": clause.name} for clause in advice.why)
    dates = (("since", advice.since), ("until", advice.until), ("due", advice.due), ("next-change", advice.next_change))
    yield from ({"url": name, "valueDate": known.isoformat()} for name, known in dates if known is not None)
    if advice.step is not None:
        yield {"url": "step", "valueInteger": advice.step}
    for name in advice.missing:
        question = {"url": "question", "valueString": _in(FACTS[name].question, language)}
        yield {"url": "missing", "extension": [{"url": "fact", "valueCode": name}, question]}
    for said in seen.said:
        if said.rule.id == rule.id and said.on <= on and (said.until is None or on < said.until):
            yield {"url": "said", "extension": list(_said(said))}
    if version is not None:
        yield from _of_version(version, seen.person, on, language)


def _said(said: Spoken) -> Iterator[Json]:
    yield {"url": "word", "valueCode": said.word}
    yield {"url": "on", "valueDate": said.on.isoformat()}
    if said.until is not None:
        yield {"url": "until", "valueDate": said.until.isoformat()}
    yield {"url": "by", "valueCode": said.by}
    yield from ({"url": name, "valueString": text} for name in ("name", "reason") if (text := getattr(said, name)))


def _of_version(version: Version, person: Person, on: date, language: Language) -> Iterator[Json]:
    yield {"url": "requirement", "valueCode": version.requirement}
    yield {"url": "do", "valueCode": version.todo}
    yield {"url": "in-force", "valueDate": version.in_force.isoformat()}
    yield {"url": "audience", "valueString": audience(version, language)}
    sets = version.satisfying
    for event in person.events:
        if event.on <= on and not sets.isdisjoint(event.sets):
            done = {"url": "on", "valueDate": event.on.isoformat()}
            yield {"url": "event", "extension": [done, {"url": "declared", "valueBoolean": event.declared}]}
    source = version.source
    yield {"url": "source", "valueUrl": source.link}
    yield {"url": "source-title", "valueString": source.title}
    yield {"url": "source-verified", "valueBoolean": source.verified}
    yield {"url": "source-checked", "valueDate": source.checked.isoformat()}
