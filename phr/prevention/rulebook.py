"""Reading the rules: from files a doctor reviews to values the engine reads.

The rule: a file that says anything that is not in docs/prevention.md is refused, with file and line of each fault;
a rule set with a fault in it is not loaded.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from phr.prevention import form, places
from phr.prevention.bounds import bounds, told
from phr.prevention.codes import ABOVE, VALUE_SETS
from phr.prevention.dates import EVER, NEVER, NONE, Duration, duration
from phr.prevention.facts import ASKED_OTHERWISE, FACTS
from phr.prevention.person import Answer, Event, Person, Pregnancy, Statement
from phr.prevention.rule import (
    After,
    Course,
    Dose,
    Hold,
    Range,
    Rule,
    Rules,
    Schedule,
    Season,
    Source,
    Version,
    Who,
    Words,
)
from phr.prevention.who import LONGEST_PREGNANCY

RULES_FOLDER = Path(__file__).with_name("rules")
LONGEST_SAYING = 280


class RuleError(ValueError):
    """What is wrong with the files: one line for each fault, `file:line: what`."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file as it was read: the rule, and the examples that are its tests."""

    rule: Rule
    examples: tuple[form.Example, ...]
    text: str


def load(folder: Path = RULES_FOLDER) -> Rules:
    """Every rule of a folder. Raises RuleError."""
    return rule_set(read_all(folder))


def read_all(folder: Path = RULES_FOLDER) -> list[Read]:
    """Every file of a folder, in the order of the ids. Raises RuleError, with the faults of all of them."""
    found, faults = [], []
    for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem):
        try:
            found.append(read(path))
        except RuleError as error:
            faults.append(str(error))
    if faults:
        raise RuleError("\n".join(faults))
    return found


def rule_set(found: Iterable[Read]) -> Rules:
    """The rule set of files; its version is the last day one of their sources was read, and a mark of their content."""
    listed = tuple(found)
    checked = max((version.source.checked for one in listed for version in one.rule.versions), default=EVER)
    digest = hashlib.sha256("\0".join(one.text for one in listed).encode()).hexdigest()
    return Rules(f"{checked.isoformat()}-{digest[:8]}", tuple(one.rule for one in listed))


def read(path: Path) -> Read:
    """One file. Raises RuleError."""
    try:
        text, table = places.document(path)
    except ValueError as error:
        raise RuleError(str(error)) from None
    reading = _Reading(path.name, places.places(text))
    try:
        read = msgspec.convert(table, form.RuleForm)
    except msgspec.ValidationError as error:
        raise RuleError(reading.at(*places.refused(error))) from None
    rule = reading.rule(read, path.stem)
    reading.check_examples(read, rule)
    if reading.faults:
        raise RuleError("\n".join(reading.faults))
    return Read(rule, tuple(read.example), text)


def person_of(example: form.Example, rule: str) -> Person:
    """The person an example is about."""
    events = sorted(Event(one.on, ABOVE[one.by], one.declared) for one in example.events)
    pregnancies = () if example.pregnancy is None else (Pregnancy(example.pregnancy),)
    answers = {name: (Answer(value),) for name, value in example.facts.items()}
    said = tuple(Statement(rule, one.said, one.on, one.until) for one in example.said)
    return Person(example.born, example.sex, tuple(events), answers, pregnancies, said)


@dataclass(slots=True)
class _Reading:
    """One file being read, and the faults found in it so far."""

    file: str
    lines: Mapping[places.Path, int]
    faults: list[str] = field(default_factory=list)

    def at(self, path: places.Path, what: str) -> str:
        """A fault, where it is."""
        return f"{self.file}:{places.line_of(self.lines, path)}: {what}"

    def fault(self, path: places.Path, what: str) -> None:
        self.faults.append(self.at(path, what))

    def rule(self, read: form.RuleForm, stem: str) -> Rule:
        if not (read.title.fr.strip() and read.title.en.strip()):
            self.fault(("title",), "a title in both languages")
        if read.id != stem:
            self.fault(("id",), f"the id is the file's name, {stem}")
        versions = [self.version(("version", n), one) for n, one in enumerate(read.version)]
        if not versions:
            self.fault((), "a rule has a version")
        if len({one.in_force for one in versions}) < len(versions):
            self.fault(("version", 0), "two versions are in force from the same day")
        newest = tuple(sorted(versions, key=lambda one: one.in_force, reverse=True))
        return Rule(read.id, Words(read.title.fr, read.title.en), read.theme, newest, read.journey)

    def version(self, path: places.Path, read: form.VersionForm) -> Version:
        for language in ("fr", "en"):
            said = getattr(read.say, language)
            if not said.strip() or len(said) > LONGEST_SAYING:
                self.fault((*path, "say"), f"{language} has {len(said)} characters: 1 to {LONGEST_SAYING}")
        if not read.channels or len(set(read.channels)) < len(read.channels):
            self.fault((*path, "channels"), "one channel at least, each of them once")
        who = self.who((*path, "who"), read.who)
        schedule = self.schedule((*path, "schedule"), read)
        if (who.season is None) if schedule.each == "season" else (who.season and schedule.each != "pregnancy"):
            self.fault((*path, "who"), 'a season goes with each = "season", or "pregnancy"')
        if (who.pregnancy is not None) != (schedule.each == "pregnancy"):
            self.fault((*path, "who"), 'weeks of pregnancy go with each = "pregnancy"')
        self.within(path, who, schedule)
        source = Source(**msgspec.structs.asdict(read.source))
        for name in ("title", "quote"):
            if not getattr(source, name).strip():
                self.fault((*path, "source", name), f"a source has a {name}")
        if not source.link.startswith("https://"):
            self.fault((*path, "source", "link"), "a link begins with https://")
        return Version(
            read.in_force,
            read.requirement,
            who,
            schedule,
            Words(read.say.fr, read.say.en),
            read.todo,
            tuple(read.channels),
            self.lasting((*path, "remind"), read.remind),
            source,
        )

    def within(self, path: places.Path, who: Who, schedule: Schedule) -> None:
        """Nothing that could never come: a window, a course or a dose after the end, or before the beginning."""
        start, end = who.age.start, who.age.before
        for age in schedule.ages:
            if _length(age) < _length(start) or _reached(age, end):
                self.fault((*path, "schedule", "ages"), f"{told(age)} is not an age that it is for")
        for n, course in enumerate(schedule.courses):
            here, ends = (*path, "course", n), [one for one in (end, course.before) if one is not None]
            if any(_reached(course.start.start, one) for one in ends):
                self.fault((*here, "start"), "this course begins when it is over")
            for dose in course.doses:
                if any(_reached(age, one) for age in (dose.age, dose.min_age) if age is not None for one in ends):
                    self.fault((*here, "dose"), "a dose comes when it is over")
        if who.pregnancy is not None and _reached(who.pregnancy.start, LONGEST_PREGNANCY):
            self.fault((*path, "who", "pregnancy"), "no pregnancy is so long")

    def who(self, path: places.Path, read: form.WhoForm) -> Who:
        for name in (*read.all, *read.any, *read.none):
            if name not in FACTS or name in ASKED_OTHERWISE:
                self.fault(path, f"{name} is not a fact of facts.toml")
        for name in sorted({*read.all, *read.any} & set(read.none)):
            self.fault(path, f"{name} is asked to be true, and not to be")
        born = read.born or form.Born()
        if born.start and born.before and born.start >= born.before:
            self.fault((*path, "born"), "this range is empty")
        unless = tuple(
            After(self.some((*path, "unless"), one.by), self.lasting((*path, "unless"), one.within))
            for one in read.unless
        )
        return Who(
            read.sex,
            self.range((*path, "age"), read.age),
            born.start or EVER,
            born.before or NEVER,
            tuple(read.all),
            tuple(read.any),
            tuple(read.none),
            unless,
            self.season((*path, "season"), read.season),
            None if read.pregnancy is None else self.range((*path, "pregnancy"), read.pregnancy),
        )

    def schedule(self, path: places.Path, version: form.VersionForm) -> Schedule:
        read, shape = version.schedule, version.schedule.shape
        for name, wanted in (("each", "each"), ("hold", "every")):
            if bool(getattr(read, name)) != (shape == wanted):
                self.fault((*path, name), f'"{name}" goes with shape = "{wanted}"')
        if bool(read.ages) != (read.each == "age"):
            self.fault((*path, "ages"), 'ages go with each = "age"')
        if bool(version.course) != (shape == "series"):
            self.fault((*path[:-1], "course"), 'courses go with shape = "series"')
        if shape == "every" and read.by:
            self.fault((*path, "by"), "what satisfies it is in hold")
        sets = self.sets((*path, "by"), read.by)
        ages = [self.duration((*path, "ages"), one) for one in read.ages]
        if any(one.lasts == "0d" for one in read.hold):
            self.fault((*path, "hold"), "what satisfies it holds for some time")
        if ages != sorted(ages, key=_length) or len(set(ages)) < len(ages):
            self.fault((*path, "ages"), "ages are in order")
        return Schedule(
            shape,
            sets,
            None if read.early == "ever" else self.duration((*path, "early"), read.early),
            tuple(ages),
            read.each,
            tuple(
                Hold(self.some((*path, "hold"), one.by), self.duration((*path, "hold"), one.lasts)) for one in read.hold
            ),
            tuple(self.course((*path[:-1], "course", n), one, sets) for n, one in enumerate(version.course)),
            self.duration((*path, "soon"), read.soon),
            self.lasting((*path, "late"), read.late),
            read.declared,
        )

    def course(self, path: places.Path, read: form.CourseForm, every: frozenset[str]) -> Course:
        here = (*path, "dose")
        if not read.dose:
            self.fault(here, "a course has a dose")
        if read.dose and (read.dose[0].after or read.dose[0].min_after):
            self.fault(here, "nothing comes before the first dose")
        sets = self.sets((*path, "by"), read.by) or every
        if not sets or any(every.isdisjoint(ABOVE.get(name, ())) for name in sets):
            self.fault((*path, "by"), "the products of a course are among those of the schedule")
        doses = tuple(
            Dose(
                self.lasting(here, one.age),
                self.lasting(here, one.after),
                self.lasting(here, one.min_age) or NONE,
                self.lasting(here, one.min_after) or NONE,
                self.lasting(here, one.late),
                None if one.label is None else Words(one.label.fr, one.label.en),
            )
            for one in read.dose
        )
        for one in doses:
            if one.age is not None and _length(one.age) < _length(one.min_age):
                self.fault(here, "a dose is recommended before it counts")
            if one.after is not None and _length(one.after) < _length(one.min_after):
                self.fault(here, "a dose is recommended sooner than it counts")
        return Course(doses, self.range((*path, "start"), read.start), sets, self.lasting(path, read.before))

    def some(self, path: places.Path, names: Sequence[str]) -> frozenset[str]:
        if not names:
            self.fault(path, "by names a value set")
        return self.sets(path, names)

    def sets(self, path: places.Path, names: Iterable[str]) -> frozenset[str]:
        for name in names:
            if name not in VALUE_SETS:
                self.fault(path, f"{name} is not a value set of codes/")
        return frozenset(names)

    def season(self, path: places.Path, read: form.Days | None) -> Season | None:
        if read is None:
            return None
        try:
            return read.season()
        except ValueError:
            self.fault(path, "a season is from a month-day to another, such as 10-15 and 02-01")
            return None

    def range(self, path: places.Path, read: form.Ages | None) -> Range:
        if read is None:
            return Range()
        start = self.lasting(path, read.start) or NONE
        before = self.lasting(path, read.before)
        if before is not None and _length(before) <= _length(start):
            self.fault(path, "this range is empty")
        return Range(start, before)

    def lasting(self, path: places.Path, text: str | None) -> Duration | None:
        return None if text is None else self.duration(path, text)

    def duration(self, path: places.Path, text: str) -> Duration:
        try:
            return duration(text)
        except ValueError as error:
            self.fault(path, str(error))
            return NONE

    def check_examples(self, read: form.RuleForm, rule: Rule) -> None:
        for n, one in enumerate(read.example):
            path = ("example", n)
            for name in [event.by for event in one.events if event.by not in VALUE_SETS]:
                self.fault((*path, "events"), f"{name} is not a value set of codes/")
            for name in [*one.facts, *(one.missing or ())]:
                if name not in FACTS and name not in ASKED_OTHERWISE:
                    self.fault((*path, "facts"), f"{name} is not a fact of facts.toml")
        for version in rule.versions:
            shown = [one for one in read.example if rule.at(one.on) is version]
            lacking = [one for one in bounds(version) if not all(any(map(one.on(days), shown)) for days in (0, -1))]
            for bound in dict.fromkeys(one.told for one in lacking):
                what = f"an example on the day of {bound} and one on the day before"
                self.fault(("example", 0) if read.example else (), f"{what}, in the version of {version.in_force}")


def _length(lasts: Duration) -> float:
    """Roughly how many days: to put durations in order."""
    return lasts.months * 30.4375 + lasts.days


def _reached(age: Duration, end: Duration | None) -> bool:
    return end is not None and _length(age) >= _length(end)


def stale(rules: Rules, on: date, days: int = 400) -> list[tuple[Rule, Version]]:
    """The versions in force whose source nobody read for so many days."""
    standing = [(rule, rule.at(on)) for rule in rules.all]
    return [
        (rule, version)
        for rule, version in standing
        if version is not None and (on - version.source.checked).days > days
    ]


try:
    RULES = load()
except RuleError as error:  # nothing runs on rules that cannot be read; this says where
    raise SystemExit(str(error)) from None
