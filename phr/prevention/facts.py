"""The facts rules ask about, and the question that each is asked by (`facts.toml`).

The rule: a fact is true, false or not known; who does not say is asked, never guessed about.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from phr.prevention.dates import Duration, duration
from phr.prevention.rule import Words


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fr: str
    en: str


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    question: _Words
    why: _Words
    kind: Literal["yes-no", "date", "sex"] = "yes-no"
    conditions: list[str] = []
    negative: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """`conditions`: value sets of Conditions that make it true; `negative`: how long a "no" is believed."""

    name: str
    question: Words
    why: Words
    kind: Literal["yes-no", "date", "sex"]
    conditions: frozenset[str]
    negative: Duration | None


def load(path: Path) -> Mapping[str, Fact]:
    """Every fact of a file, by name. Raises ValueError."""
    found = {}
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        try:
            form = msgspec.convert(table, _Form)
            lasts = None if form.negative is None else duration(form.negative)
        except (msgspec.ValidationError, ValueError) as error:
            raise ValueError(f"{path.name}: {name}: {error}") from None
        question, why = (Words(said.fr, said.en) for said in (form.question, form.why))
        found[name] = Fact(name, question, why, form.kind, frozenset(form.conditions), lasts)
    return MappingProxyType(found)


FACTS = load(Path(__file__).with_name("facts.toml"))
ASKED_OTHERWISE = frozenset({"born", "sex", "pregnancy-start"})
"""What is asked and is not a fact of the record's own: a date, a sex."""
