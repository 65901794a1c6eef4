"""A version of a rule as a doctor reviews it: whom it is for, when, and what satisfies it, in full, line by line.

The rule: all that the engine reads is said, bounds to the day; `phr.prevention.words` is what people are told instead.
"""

from collections.abc import Iterator
from datetime import date

from phr.prevention import form
from phr.prevention.codes import NUVA, VALUE_SETS, ValueSet
from phr.prevention.dates import EVER, NEVER, NONE, Duration
from phr.prevention.facts import FACTS
from phr.prevention.rule import Course, Dose, Range, Season, Version
from phr.prevention.words import Language, lasting

SYSTEMS = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://www.whocc.no/atc": "ATC",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "https://smt.esante.gouv.fr/terminologie-ccam": "CCAM",
    "https://smt.esante.gouv.fr/terminologie-bdpm": "BDPM",
    NUVA: "NUVA",
}
"""Code systems by the name they are known by."""
TODO = {
    "book": "book an appointment",
    "ask-pharmacist": "ask the pharmacist",
    "order-kit": "order the kit",
    "ask-doctor": "ask the doctor",
    "ask-midwife": "ask the midwife",
    "ask-dentist": "ask the dentist",
    "read": "read",
}


def whom(version: Version, language: Language = "en") -> list[str]:
    """Everything that has to hold of a person, one line each; the questions asked are in their language."""
    who = version.who
    told = [] if who.sex is None else [f"Sex: {who.sex}."]
    told.append(f"Age: {span(who.age)}.")
    if who.born_from != EVER:
        told.append(f"Born on {who.born_from} or later.")
    if who.born_before != NEVER:
        told.append(f"Born before {who.born_before}.")
    if who.season is not None:
        told.append(f"Season: {season(who.season)}.")
    if who.pregnancy is not None:
        told.append(f"In pregnancy: {weeks(who.pregnancy)}, counted from the first day of the last period.")
    told += [f"Must be so: {_fact(one, language)}" for one in who.all]
    told += [f"One of these must be so: {' / '.join(_fact(one, language) for one in who.any)}"] if who.any else []
    told += [f"Must not be so: {_fact(one, language)}" for one in who.none]
    for one in who.unless:
        within = "ever again" if one.within is None else f"for {_length(one.within)}"
        told.append(f"Not {within} after: {titles(one.sets, 'en')}.")
    return told


def when(version: Version) -> list[str]:
    """The schedule, one line each; the doses of a series are in `courses`."""
    schedule = version.schedule
    told = [_repeats(version)]
    if schedule.shape in ("once", "each") and schedule.sets and schedule.early != NONE:
        lasts = "at any time" if schedule.early is None else f"up to {_length(schedule.early)}"
        told.append(f"What was done {lasts} before counts.")
    told.append(f"Told {_length(schedule.soon)} before it is due." if schedule.soon != NONE else "Not told before.")
    late = "Never overdue." if schedule.late is None else f"Overdue {_length(schedule.late)} after it was due."
    told.append(late)
    if version.satisfying:
        told.append("The person’s word is enough." if schedule.declared else "The person’s word is not enough.")
    return told


def _repeats(version: Version) -> str:
    schedule, who = version.schedule, version.who
    if schedule.shape == "once":
        return "Once."
    if schedule.shape == "series":
        ways = len(schedule.courses)
        return "A series of doses." if ways == 1 else f"A series of doses, in one of {ways} ways."
    if schedule.shape == "every":
        holds = (f"{titles(one.sets, 'en')} holds for {_length(one.lasts)}" for one in schedule.holds)
        return f"Again when it no longer holds: {'; '.join(holds)}."
    if schedule.each == "age":
        return f"Once from each of these ages: {', '.join(_length(one) for one in schedule.ages)}."
    if schedule.each == "season" and who.season is not None:
        return f"Once each season: {season(who.season)}."
    return f"Once each {'year of age, from birthday to birthday' if schedule.each == 'year' else schedule.each}."


def courses(version: Version) -> Iterator[tuple[str, list[str]]]:
    """Each way to give a series: when it applies, and its doses, one line each."""
    for one in version.schedule.courses:
        told = f"First dose: {span(one.start)}" if one.start != Range() else "First dose at any age"
        if one.sets != version.schedule.sets:
            told += f"; {titles(one.sets, 'en')}"
        if one.before is not None:
            told += f"; over at {_length(one.before)}"
        yield f"{told}.", [_dose(n, dose, one) for n, dose in enumerate(one.doses, 1)]


def _dose(n: int, dose: Dose, course: Course) -> str:
    told = [] if dose.age is None else [f"at {_length(dose.age)}"]
    told += [] if dose.after is None else [f"{_length(dose.after)} after the dose before"]
    told = told or ["as soon as it may be given" if n == 1 else "as soon as it counts"]
    told += [] if dose.min_age == NONE else [f"counts from {_length(dose.min_age)} of age"]
    told += [] if dose.min_after == NONE else [f"counts from {_length(dose.min_after)} after the dose before"]
    told += [] if dose.late is None else [f"overdue {_length(dose.late)} after"]
    label = "" if dose.label is None else f" ({dose.label.en})"
    return f"Dose {n} of {len(course.doses)}{label}: {'; '.join(told)}."


def satisfied(version: Version) -> list[ValueSet]:
    """The value sets that satisfy a version, in the order of the files."""
    wanted = version.satisfying
    return [one for name, one in VALUE_SETS.items() if name in wanted]


def codes(one: ValueSet) -> str:
    """« SNOMED CT 24623002, ATC J07BK*, those of hexavalent »; `*`: all that begin so."""
    listed = [f"{SYSTEMS.get(code.system, code.system)} {code.code}{'*' if code.prefix else ''}" for code in one.codes]
    listed += [f"those of {name}" for name in sorted(one.includes)]
    return ", ".join(listed) or "none"


def titles(names: frozenset[str], language: Language) -> str:
    """The titles of value sets, in the order of the files."""
    found = [getattr(one.title, language) for name, one in VALUE_SETS.items() if name in names]
    return " / ".join(found)


def span(age: Range) -> str:
    """« from the day of 50 years to the day before 75 years »."""
    if age.before is None:
        return "any" if age.start == NONE else f"from the day of {_length(age.start)}"
    start = "birth" if age.start == NONE else f"the day of {_length(age.start)}"
    return f"from {start} to the day before {_length(age.before)}"


def season(one: Season) -> str:
    """« from 15 October, before 1 February »."""
    first, last = (f"{day} {date(2001, month, day):%B}" for month, day in (one.start, one.before))
    return f"from {first}, before {last}"


def weeks(one: Range) -> str:
    """« from 20 weeks, before 37 weeks »."""
    return f"from {_length(one.start)}" + ("" if one.before is None else f", before {_length(one.before)}")


def _length(span: Duration) -> str:
    return lasting(span, "en")


def _fact(name: str, language: Language) -> str:
    return f"{name}: {getattr(FACTS[name].question, language)}"


def told_by(version: Version) -> str:
    """« By inbox and email, again after 2 months at the earliest. »"""
    again = "" if version.remind is None else f", again after {_length(version.remind)} at the earliest"
    return f"By {' and '.join(version.channels)}{again}."


def known(example: form.Example) -> Iterator[str]:
    """What is known of the person of an example, but for birth and sex."""
    for event in example.events:
        yield f"{event.by} on {event.on}" + (" (declared)" if event.declared else "")
    yield from (f"{name}: {'yes' if value else 'no'}" for name, value in example.facts.items())
    if example.pregnancy is not None:
        yield f"pregnant since {example.pregnancy}"
    for said in example.said:
        yield f"{said.said} on {said.on}" + ("" if said.until is None else f" until {said.until}")


def expected(example: form.Example) -> Iterator[str]:
    """What the engine has to answer."""
    yield example.status.value
    yield from [] if example.why is None or example.why == example.status else [f"because {example.why}"]
    yield from [] if example.due is None else [f"due {example.due}"]
    yield from [] if example.step is None else [f"dose {example.step}"]
    yield from [f"asks {', '.join(example.missing)}"] if example.missing else []
