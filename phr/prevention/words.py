"""An advice told to people: the reason from the clause that decided it, and whom a rule is for (`words.toml`).

The rule: nothing is said here that the clauses and the rule do not say.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Literal

from phr.journal_words import day_of
from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.codes import VALUE_SETS
from phr.prevention.dates import EVER, NEVER, NONE, Duration
from phr.prevention.facts import FACTS
from phr.prevention.rule import Range, Version

Language = Literal["fr", "en"]
_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_PRODUCTS = ("http://www.whocc.no/atc", "http://hl7.org/fhir/sid/cvx")
_VACCINES = frozenset(name for name, one in VALUE_SETS.items() if any(code.system in _PRODUCTS for code in one.codes))
_UNITS = {"fr": ("an", "mois", "semaine", "jour"), "en": ("year", "month", "week", "day")}


def reason(advice: Advice, language: Language) -> str:
    """Why somebody stands where they do, in a few plain sentences."""
    told = [clause_told(one, language) for one in advice.why]
    if advice.status is Status.DONE and advice.due is not None:
        told.append(str(_WORDS[language]["next"]["due"]).format(day_told(advice.due, language)))
    return " ".join(told)


def clause_told(clause: Clause, language: Language) -> str:
    """One clause as a sentence."""
    template = str(_WORDS[language]["clauses"][clause.name])
    if clause.name == "cohort":
        return template.format(range=_born(clause.about[0], clause.about[1], language))
    return template.format(*(_about(one, language) for one in clause.about))


def audience(version: Version, language: Language) -> str:
    """Whom a version is for, and how often: « femmes de 50 à 74 ans, tous les 2 ans »."""
    words, who, schedule = _WORDS[language]["audience"], version.who, version.schedule
    told = [f"{words[who.sex or 'all']} {_ages(who.age, language)}".strip()]
    if (who.born_from, who.born_before) != (EVER, NEVER):
        told.append(_born(who.born_from, who.born_before, language))
    if who.season is not None:
        ends = [date(2001, *one) for one in (who.season.start, who.season.before)]
        told.append(
            words["season" if who.age.before is None or who.age.before.months > 12 else "in_season"].format(
                *(day_told(one, language).rsplit(" ", 1)[0] for one in ends)
            )
        )
    if who.pregnancy is not None:
        weeks = [one.days // 7 for one in (who.pregnancy.start, who.pregnancy.before or Duration(days=7 * 45))]
        told = [words["mothers"], words["pregnancy"].format(*weeks)]
    spans = sorted({hold.lasts for hold in schedule.holds}, key=lambda span: (span.months, span.days))
    told += [words["every"].format(lasting(one, language)) for one in spans]
    told += [words["year"]] if schedule.each == "year" else []
    counts = {len(one.doses) for one in schedule.courses}
    several = words["times" if _VACCINES.isdisjoint(schedule.sets) else "doses"]
    told += [several.format(*counts)] if len(counts) == 1 and counts != {1} else []
    if asked := tuple(dict.fromkeys((*who.all, *who.any))):
        told.append(words["if"].format(" / ".join(_about(one, language) for one in asked)))
    return ", ".join(told)


def lasting(span: Duration, language: Language) -> str:
    """« 2 ans », « 18 mois », « 6 semaines »."""
    years, months = divmod(span.months, 12)
    weeks, days = divmod(span.days, 7) if span.days % 7 == 0 else (0, span.days)
    if years and months and years < 3:
        years, months = 0, span.months
    parts = [(years, 0), (months, 1), (weeks, 2), (days, 3)]
    return " ".join(_counted(n, _UNITS[language][unit]) for n, unit in parts if n) or _counted(0, _UNITS[language][3])


def day_told(day: date, language: Language) -> str:
    """« 3 mai 2026 »."""
    return day_of(day.isoformat(), language)


def _counted(n: int, unit: str) -> str:
    return f"{n} {unit}" if n < 2 or unit == "mois" else f"{n} {unit}s"


def _ages(age: Range, language: Language) -> str:
    words, start, before = _WORDS[language]["audience"], age.start, age.before
    if before is None:
        return "" if start == NONE else str(words["from"].format(lasting(start, language)))
    if start == NONE:
        return str(words["before"].format(lasting(before, language)))
    if before.months % 12 == 0 and start.months % 12 == 0 and start.months and not (before.days or start.days):
        last = Duration(months=before.months - 12)  # the whole year of age is in
        if last == start:
            return str(words["at"].format(lasting(start, language)))
        return str(words["between"].format(start.months // 12, lasting(last, language)))
    return str(words["between"].format(lasting(start, language), lasting(before, language)))


def _born(start: date | str | int, before: date | str | int, language: Language) -> str:
    words = _WORDS[language]["audience"]
    name = "born_before" if start == EVER else "born_from" if before == NEVER else "born_between"
    known = [_about(one, language) for one in (start, before) if one not in (EVER, NEVER)]
    return str(words[name]).format(*known)


def _about(one: date | str | int, language: Language) -> str:
    """A day written out; a fact as what is asked of it; a sex as whom it is."""
    if isinstance(one, date):
        return day_told(one, language)
    if isinstance(one, str) and one in FACTS:
        question = FACTS[one].question
        return question.fr if language == "fr" else question.en
    return str(_WORDS[language]["audience"].get(one, one))
