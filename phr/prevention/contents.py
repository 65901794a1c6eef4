"""Short texts about prevention, each for an audience said in the words of the rules: for me, or could interest me.

The rule: a text in both languages or not at all; what is shown as "for me" is surely so, by what its reader sees.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec
from markdown_it import MarkdownIt

from phr.access.visit import Visit
from phr.prevention.dates import EVER, NEVER, NONE, Duration, day, duration
from phr.prevention.facts import ASKED_OTHERWISE, FACTS
from phr.prevention.form import WhoForm
from phr.prevention.person import Person
from phr.prevention.reading import read
from phr.prevention.rule import Range, Who, Words
from phr.prevention.rulebook import RULES
from phr.prevention.who import concerns
from phr.prevention.words import Language

FOLDER = Path(__file__).with_name("contents")
NEAR = Duration(months=60)
"""How far from the age of its audience somebody may be interested."""
_Form = TypeVar("_Form")
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


class _Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    link: str
    verified: bool


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands before the French text; the English has a title alone."""

    title: str
    updated: date
    source: _Source
    audience: list[WhoForm]
    rules: list[str] = []


class _Titled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str


@dataclass(frozen=True, slots=True)
class Content:
    """One text. `audience`: any of these; `text`: Markdown; `rules`: the ids of those it speaks of."""

    id: str
    title: Words
    text: Words
    audience: tuple[Who, ...]
    rules: tuple[str, ...]
    updated: date
    source: str
    link: str
    verified: bool

    def html(self, language: Language) -> str:
        """The text as HTML; what it holds of HTML is escaped."""
        return str(_MARKDOWN.render(getattr(self.text, language)))


@dataclass(frozen=True, slots=True)
class Offered:
    """What is for somebody, and what could interest them."""

    for_me: tuple[Content, ...]
    could_interest: tuple[Content, ...]


def load(folder: Path = FOLDER) -> Mapping[str, Content]:
    """Every text of a folder, by id. Raises ValueError, naming the file."""
    found = {}
    for path in sorted(folder.glob("*.fr.md")):
        name = path.name.removesuffix(".fr.md")
        head, french = _read(path, _Head)
        titled, english = _read(folder / f"{name}.en.md", _Titled)
        try:
            audience = tuple(map(_who, head.audience))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
        unknown = [rule for rule in head.rules if RULES.get(rule) is None]
        if unknown or not audience or not head.source.link.startswith("https://"):
            raise ValueError(f"{path.name}: an audience, an https link, rules that exist ({', '.join(unknown)})")
        source = head.source
        found[name] = Content(
            name,
            Words(head.title, titled.title),
            Words(french, english),
            audience,
            tuple(head.rules),
            head.updated,
            source.title,
            source.link,
            source.verified,
        )
    return MappingProxyType(found)


def _read(path: Path, form: type[_Form]) -> tuple[_Form, str]:
    """What stands between two lines +++, and the text after it."""
    try:
        opening, head, text = path.read_text("utf-8").split("+++\n", 2)
        found = msgspec.convert(tomllib.loads(head), form)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    if opening or not text.strip():
        raise ValueError(f"{path.name}: +++, what it is, +++, then the text")
    return found, text.strip()


def _who(form: WhoForm) -> Who:
    """An audience: a sex, ages, births, facts. Raises ValueError."""
    if form.unless or form.season or form.pregnancy:
        raise ValueError("an audience is a sex, an age, a birth date and facts")
    for name in (*form.all, *form.any, *form.none):
        if name not in FACTS or name in ASKED_OTHERWISE:
            raise ValueError(f"{name} is not a fact of facts.toml")
    start = NONE if form.age is None or form.age.start is None else duration(form.age.start)
    before = None if form.age is None or form.age.before is None else duration(form.age.before)
    since = EVER if form.born is None else form.born.start or EVER
    until = NEVER if form.born is None else form.born.before or NEVER
    facts = tuple(form.all), tuple(form.any), tuple(form.none)
    return Who(form.sex, Range(start, before), since, until, *facts)


CONTENTS = load()


def offered(contents: Iterable[Content], person: Person, on: date) -> Offered:
    """What is surely for somebody; and what may be, or is for an age they are near."""
    mine, near = list[Content](), list[Content]()
    for one in contents:
        if any(concerns(who, person, on) for who in one.audience):
            mine.append(one)
        elif any(concerns(_widened(who), person, on) is not False for who in one.audience):
            near.append(one)
    return Offered(tuple(mine), tuple(near))


def _widened(who: Who) -> Who:
    start, before = who.age.start, who.age.before
    sooner = Duration(max(0, start.months - NEAR.months), start.days if start.months > NEAR.months else 0)
    later = None if before is None else Duration(before.months + NEAR.months, before.days)
    return replace(who, age=Range(sooner, later))


async def recommended(visit: Visit, record: str) -> Offered:
    """The texts for the person of a record, by what the reader sees of it. Raises ABSENT, FORBIDDEN."""
    person = await read(visit, record, "$contents")
    return Offered((), ()) if person is None else offered(CONTENTS.values(), person, day(visit.now))
