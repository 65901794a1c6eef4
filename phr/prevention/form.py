"""The shape of a rule's file, word for word (docs/prevention.md): what `phr.prevention.rulebook` reads and checks."""

import re
from datetime import date
from typing import Literal

import msgspec

from phr.prevention.advice import Status
from phr.prevention.person import Said, Sex
from phr.prevention.rule import Channel, Requirement, Season, Shape, Theme, Todo

Journey = Literal["child-record", "vaccination", "cancer-screening", "dental", "key-age-check-up"]
"""The paths of the official service that a rule may belong to."""
_DAY = re.compile(r"(\d\d)-(\d\d)")


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but what is listed."""


class WordsForm(_Form, frozen=True):
    """In both languages."""

    fr: str
    en: str


class SourceForm(_Form, frozen=True):
    """[version.source]"""

    title: str
    link: str
    quote: str
    checked: date
    verified: bool


class Ages(_Form, rename={"start": "from"}, frozen=True):
    """{ from = "50y", before = "75y" }"""

    start: str | None = None
    before: str | None = None


class Born(_Form, rename={"start": "from"}, frozen=True):
    """{ from = 2018-01-01, before = 2030-01-01 }"""

    start: date | None = None
    before: date | None = None


class Days(_Form, rename={"start": "from"}, frozen=True):
    """{ from = "10-15", before = "02-01" }"""

    start: str
    before: str

    def season(self) -> Season:
        """From a day of the year to another, which every year has. Raises ValueError."""
        ends = [_DAY.fullmatch(one) for one in (self.start, self.before)]
        days = [date(2001, int(one[1]), int(one[2])) for one in ends if one is not None]
        if len(set(days)) < len(ends):
            raise ValueError
        first, last = ((one.month, one.day) for one in days)
        return Season(first, last)


class Unless(_Form, frozen=True):
    """{ by = ["…"], within = "3y" }"""

    by: list[str]
    within: str | None = None


class WhoForm(_Form, frozen=True):
    """[version.who]"""

    sex: Sex | None = None
    age: Ages | None = None
    born: Born | None = None
    all: list[str] = []
    any: list[str] = []
    none: list[str] = []
    unless: list[Unless] = []
    season: Days | None = None
    pregnancy: Ages | None = None


class HoldForm(_Form, rename={"lasts": "for"}, frozen=True):
    """{ by = ["…"], for = "2y" }"""

    by: list[str]
    lasts: str


class ScheduleForm(_Form, frozen=True):
    """[version.schedule]"""

    shape: Shape
    by: list[str] = []
    soon: str = "1m"
    late: str | None = None
    early: str = "0d"
    declared: bool = True
    each: Literal["age", "year", "season", "pregnancy"] | None = None
    ages: list[str] = []
    hold: list[HoldForm] = []


class DoseForm(_Form, frozen=True):
    """One dose of a course."""

    age: str | None = None
    after: str | None = None
    min_age: str | None = None
    min_after: str | None = None
    late: str | None = None
    label: WordsForm | None = None


class CourseForm(_Form, frozen=True):
    """[[version.course]]"""

    dose: list[DoseForm]
    start: Ages | None = None
    by: list[str] = []
    before: str | None = None


class VersionForm(_Form, rename={"todo": "do"}, frozen=True):
    """[[version]]"""

    in_force: date
    requirement: Requirement
    say: WordsForm
    todo: Todo
    channels: list[Channel]
    source: SourceForm
    schedule: ScheduleForm
    who: WhoForm = WhoForm()
    course: list[CourseForm] = []
    remind: str | None = None


class EventForm(_Form, frozen=True):
    """What was done, in an example."""

    by: str
    on: date
    declared: bool = False


class SaidForm(_Form, frozen=True):
    """What was said, in an example."""

    said: Said
    on: date
    until: date | None = None


class Example(_Form, frozen=True):
    """[[example]]"""

    name: str
    on: date
    status: Status
    born: date | None = None
    sex: Sex | None = None
    events: list[EventForm] = []
    facts: dict[str, bool] = {}
    pregnancy: date | None = None
    said: list[SaidForm] = []
    due: date | None = None
    missing: list[str] | None = None
    why: str | None = None
    step: int | None = None


class RuleForm(_Form, frozen=True):
    """A whole file."""

    id: str
    title: WordsForm
    theme: Theme
    version: list[VersionForm]
    example: list[Example]
    journey: Journey | None = None
