"""The four questionnaires of the key-age check-ups (`questionnaires/*.toml`), and the FHIR Questionnaires they make.

The rule: one file for each theme, one wording for each question; a fact of prevention is asked as `facts.toml` asks it.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from phr.prevention.canonical import FACT
from phr.prevention.dates import Duration, duration
from phr.prevention.facts import FACTS
from phr.prevention.rule import Words

Json = dict[str, Any]
Type = Literal["boolean", "choice", "integer", "date", "text"]
Value = bool | int | str
"""An answer: of a choice its code, of a date its text (ISO 8601)."""

FOLDER = Path(__file__).with_name("questionnaires")
ANSWER = "https://carnet.example/CodeSystem/check-up-answer"
CANONICAL = "https://carnet.example/Questionnaire"
LONGEST_TEXT = 1000
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_BOUNDS = (("least", "minValue"), ("most", "maxValue"))


@dataclass(frozen=True, slots=True)
class Known:
    """What of the record answers an item: an element of the Patient, a measure (LOINC), or something done."""

    patient: str = ""
    measure: str = ""
    done: frozenset[str] = frozenset()
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `id`: its linkId. `when`: asked only after this answer to another item."""

    id: str
    type: Type
    text: Words
    hint: Words | None = None
    options: tuple[tuple[str, Words], ...] = ()
    many: bool = False
    least: int | None = None
    most: int | None = None
    when: tuple[str, Value] | None = None
    fact: str = ""
    known: Known = Known()

    def asked(self, answers: Mapping[str, tuple[Value, ...]]) -> bool:
        """Whether it is asked at all, after these answers (R4 Questionnaire.item.enableWhen)."""
        return self.when is None or self.when[1] in answers.get(self.when[0], ())

    def takes(self, number: int) -> bool:
        """Whether a whole number is between its bounds."""
        return (self.least is None or self.least <= number) and (self.most is None or number <= self.most)


@dataclass(frozen=True, slots=True)
class Theme:
    """The questions of one theme, in order."""

    id: str
    title: Words
    hint: Words | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """One check-up: from an age, until just before another."""

    id: str
    version: str
    start: Duration
    before: Duration
    title: Words
    themes: tuple[Theme, ...]

    @property
    def canonical(self) -> str:
        """url|version, as a QuestionnaireResponse names it."""
        return f"{CANONICAL}/{self.id}|{self.version}"

    def items(self) -> Iterator[Item]:
        """Every question, in order."""
        for theme in self.themes:
            yield from theme.items


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but what is listed."""


class _Words(_Form, frozen=True):
    fr: str
    en: str


class _Option(_Form, frozen=True):
    code: str
    fr: str
    en: str


class _When(_Form, frozen=True, rename={"value": "is"}):
    item: str
    value: bool | str


class _From(_Form, frozen=True):
    patient: Literal["", "birthDate", "gender"] = ""
    measure: str = ""
    done: list[str] = []
    within: str | None = None


class _Item(_Form, frozen=True, rename={"known": "from"}):
    id: str = ""
    fact: str = ""
    type: Type = "boolean"
    text: _Words | None = None
    hint: _Words | None = None
    option: list[_Option] = []
    many: bool = False
    least: int | None = None
    most: int | None = None
    when: _When | None = None
    known: _From = _From()
    at: list[str] = []


class _Theme(_Form, frozen=True):
    title: _Words
    item: list[_Item]
    hint: _Words | None = None


class _CheckUp(_Form, frozen=True, rename={"start": "from"}):
    start: str
    before: str
    title: _Words


class _CheckUps(_Form, frozen=True, rename={"check_up": "check-up"}):
    version: str
    themes: list[str]
    check_up: dict[str, _CheckUp]


def load(folder: Path = FOLDER) -> Mapping[str, Questionnaire]:
    """The questionnaires of a folder, by id. Raises ValueError, naming the file."""
    whole = _read(folder / "check-ups.toml", _CheckUps)
    themes = {name: _read(folder / f"{name}.toml", _Theme) for name in whole.themes}
    found = {}
    for age, form in whole.check_up.items():
        parts = tuple(_theme(name, theme, age) for name, theme in themes.items())
        start, before = duration(form.start), duration(form.before)
        listed = tuple(theme for theme in parts if theme.items)
        made = Questionnaire(f"check-up-{age}", whole.version, start, before, _words(form.title), listed)
        _check(made)
        found[made.id] = made
    return MappingProxyType(found)


def _read(path: Path, form: type[Any]) -> Any:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), form)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def _theme(name: str, form: _Theme, age: str) -> Theme:
    hint = None if form.hint is None else _words(form.hint)
    items = tuple(_item(name, one) for one in form.item if not one.at or age in one.at)
    return Theme(name, _words(form.title), hint, items)


def _item(theme: str, form: _Item) -> Item:
    if bool(form.fact) == bool(form.id and form.text) or (form.fact and form.fact not in FACTS):
        raise ValueError(
            f"{theme}.toml: {form.id or form.fact}: an item is a fact that is known, or has an id and a text"
        )
    if (form.type == "choice") != bool(form.option):
        raise ValueError(f"{theme}.toml: {form.id}: a choice has options, and nothing else has")
    within = None if form.known.within is None else duration(form.known.within)
    return Item(
        f"fact:{form.fact}" if form.fact else f"{theme}.{form.id}",
        form.type,
        FACTS[form.fact].question if form.text is None else _words(form.text),
        None if form.hint is None else _words(form.hint),
        tuple((one.code, Words(one.fr, one.en)) for one in form.option),
        form.many,
        form.least,
        form.most,
        None if form.when is None else (form.when.item, form.when.value),
        form.fact,
        Known(form.known.patient, form.known.measure, frozenset(form.known.done), within),
    )


def _check(made: Questionnaire) -> None:
    """An id is used once, and an item asked after an answer comes after it."""
    seen = dict[str, Item]()
    for one in made.items():
        if one.id in seen:
            raise ValueError(f"{made.id}: {one.id} is asked twice")
        if one.when is not None and one.when[0] not in seen:
            raise ValueError(f"{made.id}: {one.id} is asked after {one.when[0]}, which is not before it")
        seen[one.id] = one


def _words(said: _Words) -> Words:
    return Words(said.fr, said.en)


QUESTIONNAIRES = load()


def named(canonical: str) -> Questionnaire | None:
    """The questionnaire that a canonical URL names, in its version of today; None: none of ours."""
    return next((one for one in QUESTIONNAIRES.values() if one.canonical == canonical), None)


def at_age(born: date, on: date) -> Questionnaire | None:
    """The check-up of somebody's age that day; None between two of them."""
    return next((one for one in QUESTIONNAIRES.values() if one.start.after(born) <= on < one.before.after(born)), None)


def resource(made: Questionnaire) -> Json:
    """The R4 Questionnaire: French, with the English beside it (the translation extension)."""
    return {
        "resourceType": "Questionnaire",
        "id": made.id,
        "language": "fr",
        "url": f"{CANONICAL}/{made.id}",
        "version": made.version,
        "name": made.id.title().replace("-", ""),
        **_said("title", made.title),
        "status": "active",
        "subjectType": ["Patient"],
        "date": made.version,
        "publisher": "Carnet",
        "item": [
            {
                "linkId": theme.id,
                **_said("text", theme.title),
                "type": "group",
                "item": [*([_displayed(theme.id, theme.hint)] if theme.hint else []), *map(_as_item, theme.items)],
            }
            for theme in made.themes
        ],
    }


def _as_item(one: Item) -> Json:
    body: Json = {"linkId": one.id, **_said("text", one.text), "type": one.type}
    bounds = [(url, getattr(one, name)) for name, url in _BOUNDS if getattr(one, name) is not None]
    if bounds:
        url = "http://hl7.org/fhir/StructureDefinition"
        body["extension"] = [{"url": f"{url}/{name}", "valueInteger": value} for name, value in bounds]
    if one.fact:
        body["code"] = [{"system": FACT, "code": one.fact}]
    if one.when is not None:
        item, value = one.when
        said: Json = {"answerBoolean": value} if isinstance(value, bool) else {"answerCoding": _coding(str(value))}
        body["enableWhen"] = [{"question": item, "operator": "=", **said}]
    if one.many:
        body["repeats"] = True
    if one.type == "text":
        body["maxLength"] = LONGEST_TEXT
    if one.options:
        body["answerOption"] = [
            {"valueCoding": {**_coding(code), **_said("display", words)}} for code, words in one.options
        ]
    if one.hint is not None:
        body["item"] = [_displayed(one.id, one.hint)]
    return body


def _displayed(id: str, hint: Words) -> Json:
    return {"linkId": f"{id}.hint", **_said("text", hint), "type": "display"}


def _coding(code: str) -> Json:
    return {"system": ANSWER, "code": code}


def _said(name: str, words: Words) -> Json:
    english = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": words.en}]
    return {name: words.fr, f"_{name}": {"extension": [{"url": _TRANSLATION, "extension": english}]}}
