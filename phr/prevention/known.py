"""What the record says of facts and pregnancies, from what was asked, observed and diagnosed.

The rule: what is said last stands, and a yes once contradicted does not come back; a condition the record holds stands
against what is answered; a last period alone is no pregnancy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta

from phr.prevention.canonical import FACT, LAST_PERIOD, LOINC, SNOMED
from phr.prevention.codes import sets_of
from phr.prevention.dates import EVER, NEVER, Duration
from phr.prevention.elements import Json, coded, codings, first, objects, when
from phr.prevention.facts import ASKED_OTHERWISE, FACTS
from phr.prevention.person import Answer, Pregnancy
from phr.prevention.who import LONGEST_PREGNANCY

Heard = tuple[str, Answer]
"""A fact, and what is known of it."""

OBSERVED = frozenset({"final", "amended", "corrected"})
ANSWERED = frozenset({"completed", "amended"})
_TERM = timedelta(days=280)
_TOBACCO, _PREGNANCY, _DUE = (LOINC, "72166-2"), (LOINC, "82810-3"), (LOINC, "11778-8")
_LMP, _START = (LOINC, LAST_PERIOD), (FACT, "pregnancy-start")
READ = frozenset({_TOBACCO, _PREGNANCY, _DUE, _LMP})
"""The codes of Observations read here, besides our own."""
_SMOKES = {
    *((SNOMED, code) for code in ("77176002", "449868002", "428041000124106", "428061000124105", "428071000124103")),
    *((LOINC, code) for code in ("LA18976-3", "LA18977-1", "LA18981-3", "LA18982-1", "LA18979-7")),
}
_STOPPED = {(SNOMED, "8517006"), (LOINC, "LA15920-4")}
_NEVER_SMOKED = {(SNOMED, "266919005"), (LOINC, "LA18978-9")}
_PREGNANT = {(SNOMED, "77386006"), (LOINC, "LA15173-0")}
_NOT_PREGNANT = {(SNOMED, "60001007"), (LOINC, "LA26683-5")}
_QUIT_LONG_AGO = Duration(months=20 * 12)


def heard(name: str, value: bool, since: date, until: date | None = None) -> Heard:
    """An answer, for as long as it is believed: a no as facts.toml says, a pregnancy for 45 weeks."""
    if until is None and not value and (lasts := FACTS[name].negative) is not None:
        until = lasts.after(since)
    if until is None and value and name == "pregnant":
        until = LONGEST_PREGNANCY.after(since)
    return name, Answer(value, since, NEVER if until is None else until)


def observed(found: Json, since: date) -> Iterator[Heard]:
    """What an Observation answers."""
    codes, values = set(codings(found.get("code"))), set(codings(found.get("valueCodeableConcept")))
    value, until = found.get("valueBoolean"), ending(found.get("effectivePeriod"))
    if isinstance(value, bool):
        yield from (heard(code, value, since, until) for system, code in sorted(codes) if _is_fact(system, code))
    if _TOBACCO in codes:
        if values & _SMOKES:
            yield heard("smoker", True, since)
            yield heard("smoked", True, since, _QUIT_LONG_AGO.after(since))
        elif values & (_STOPPED | _NEVER_SMOKED):
            yield heard("smoker", False, since)
        if values & _NEVER_SMOKED:
            yield heard("smoked", False, since)
    if _PREGNANCY in codes and values & (_PREGNANT | _NOT_PREGNANT):
        yield heard("pregnant", bool(values & _PREGNANT), since)


def ending(period: object) -> date | None:
    """The first day after a Period, whose end is included; None when it has none."""
    last = first(period.get("end")) if isinstance(period, dict) else None
    return None if last is None else last + timedelta(days=1)


def answered(response: Json, since: date) -> Iterator[Heard]:
    """What a QuestionnaireResponse answers: items whose linkId, or definition, names a fact."""
    waiting = list(objects(response.get("item", [])))
    while waiting:
        item = waiting.pop()
        answers = list(objects(item.get("answer", [])))
        waiting += objects(item.get("item", []))
        waiting += (below for one in answers for below in objects(one.get("item", [])))
        link, definition = str(item.get("linkId")), str(item.get("definition"))
        names = {link.removeprefix("fact:"), definition.removeprefix(f"{FACT}#")} - {link, definition}
        values = [one["valueBoolean"] for one in answers if isinstance(one.get("valueBoolean"), bool)]
        if len(values) == 1:
            yield from (heard(name, values[0], since) for name in sorted(names) if _is_fact(FACT, name))


def _is_fact(system: str, name: str) -> bool:
    return system == FACT and name in FACTS and name not in ASKED_OTHERWISE


def refuted(condition: Json) -> Iterator[Heard]:
    """What a refuted Condition denies, from when it was written down."""
    if "refuted" in coded(condition.get("verificationStatus")):
        since = when(condition, "recordedDate", "onsetDateTime") or EVER
        yield from (heard(name, False, since) for name in _facts_of(sets_of(codings(condition.get("code")))))


def diagnosed(condition: Json, born: date | None) -> Iterator[Heard]:
    """What a Condition makes true: from its onset, until it abated; how long it lasted must be known if it is over."""
    if coded(condition.get("verificationStatus")) & {"refuted", "entered-in-error"}:
        return
    since = when(condition, "onsetDateTime", "onsetPeriod", "recordedDate", born=born) or EVER
    over = coded(condition.get("clinicalStatus")) & {"resolved", "inactive", "remission"}
    until = when(condition, "abatementDateTime", "abatementPeriod", "recordedDate") if over else None
    if over and (until is None or until <= since):
        return
    yield from (heard(name, True, since, until) for name in _facts_of(sets_of(codings(condition.get("code")))))


def operated(sets: frozenset[str], since: date) -> Iterator[Heard]:
    """What an act done makes true for good, such as an ablation."""
    yield from (heard(name, True, since) for name in _facts_of(sets))


def _facts_of(sets: frozenset[str]) -> list[str]:
    return [name for name, fact in FACTS.items() if not fact.conditions.isdisjoint(sets)]


def settled(said: Iterable[Heard], stands: Iterable[Heard]) -> dict[str, tuple[Answer, ...]]:
    """Of each fact, what is known: the last that holds counts. `stands`: what no answer overrides."""
    found: dict[str, tuple[Answer, ...]] = {}
    for name, new in sorted(said, key=lambda one: one[1].since):
        before = (replace(old, until=min(old.until, new.since)) for old in found.get(name, ()))
        found[name] = (*(old for old in before if old.since < old.until), new)
    for name, answer in stands:
        found[name] = (*found.get(name, ()), answer)
    return found


def pregnancies(observations: Iterable[Json], pregnant: Iterable[Answer]) -> tuple[Pregnancy, ...]:
    """Each pregnancy known: of what dates one, the last written counts; a no after it ends it."""
    known = tuple(pregnant)
    dated = []
    for found in observations:
        codes, value = set(codings(found.get("code"))), first(found.get("valueDateTime"))
        if value is not None and (start := _start(codes, value, known)) is not None:
            dated.append((when(found, "effectiveDateTime", "effectivePeriod", "issued") or value, start))
    starts: list[date] = []
    for _, start in sorted(dated):
        starts = [*(one for one in starts if not abs(one - start) < timedelta(weeks=45)), start]
    return tuple(Pregnancy(start, _end(start, known)) for start in sorted(starts))


def _start(codes: set[tuple[str, str]], value: date, known: tuple[Answer, ...]) -> date | None:
    """The first day of the last period that an Observation gives. Alone, outside a known pregnancy, it is no news."""
    if _DUE in codes:
        return value - _TERM
    if _START in codes:
        return value
    during = any(one.value and value <= one.since < LONGEST_PREGNANCY.after(value) for one in known)
    return value if _LMP in codes and during else None


def _end(start: date, known: tuple[Answer, ...]) -> date | None:
    """The day of the first no during it."""
    latest = LONGEST_PREGNANCY.after(start)
    return min((one.since for one in known if not one.value and start < one.since < latest), default=None)
