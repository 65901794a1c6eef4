"""What the law limits in a dispensing, as data (`limits.toml`): each rule dated, sourced, with what we chose in it.

The rule: a closed vocabulary, described in docs/dispensing-limits.md and checked when this is imported.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from phr.prescription.supply import REGULATIONS, Line
from phr.prevention.dates import Duration, duration
from phr.prevention.rule import Words

What = Literal["first", "all", "treatment", "supply", "renewal", "presentation"]
_BY_CALENDAR = ("first", "all")
"""What may last months; the others are days of treatment."""
_ALWAYS = frozenset({"first", "all", "supply", "renewal"})
"""What there is for every medicine."""
SAID = ("prescribed", "uncounted", "spent", "ended", "unwritten")


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but what is listed."""


class _WordsForm(_Form, frozen=True):
    fr: str
    en: str


class _SourceForm(_Form, frozen=True):
    title: str
    link: str


class _LimitForm(_Form, frozen=True):
    id: str
    what: What
    lasts: str
    article: str
    in_force: date
    verified: bool
    fr: str
    en: str
    source: _SourceForm
    ours: str = ""
    regulations: list[str] = []


class _LawForm(_Form, frozen=True):
    limit: list[_LimitForm]
    say: dict[str, _WordsForm]


@dataclass(frozen=True, slots=True)
class Limit:
    """One version of a rule. `regulations` empty: every medicine; `ours`: what we chose; `lasts`: never longer."""

    id: str
    what: What
    lasts: Duration
    regulations: frozenset[str]
    article: str
    in_force: date
    verified: bool
    ours: str
    words: Words
    source: str
    link: str


@dataclass(frozen=True, slots=True)
class Law:
    """Every version of every rule, oldest first, and what is said where no rule limits."""

    limits: Mapping[str, Sequence[Limit]]
    say: Mapping[str, Words]


def load(path: Path) -> Law:
    """The file, checked. Raises ValueError."""
    try:
        form = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _LawForm)
        every = sorted(map(_limit, form.limit), key=lambda one: (one.id, one.in_force))
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    if set(form.say) != set(SAID):
        raise ValueError(f"{path.name}: say has {', '.join(SAID)}")
    limits = {name: tuple(versions) for name, versions in groupby(every, key=lambda one: one.id)}
    for name, versions in limits.items():
        if len({one.in_force for one in versions}) < len(versions) or len({one.what for one in versions}) > 1:
            raise ValueError(f"{path.name}: the versions of {name} are of one sort, and of different days")
    missing = _ALWAYS - {one.what for one in every if not one.regulations}
    if missing:
        raise ValueError(f"{path.name}: nothing for every medicine: {', '.join(sorted(missing))}")
    return Law(MappingProxyType(limits), MappingProxyType({k: Words(one.fr, one.en) for k, one in form.say.items()}))


def _limit(form: _LimitForm) -> Limit:
    lasts, regulations = duration(form.lasts), frozenset(form.regulations)
    if lasts.months and form.what not in _BY_CALENDAR:
        raise ValueError(f"{form.id}: counted in days")
    if not regulations <= REGULATIONS:
        raise ValueError(f"{form.id}: regulations that are nowhere: {', '.join(sorted(regulations - REGULATIONS))}")
    if not form.source.link.startswith(("https://", "http://")):
        raise ValueError(f"{form.id}: the source has no link")
    words, source = Words(form.fr, form.en), form.source
    return Limit(
        form.id, form.what, lasts, regulations, form.article, form.in_force, form.verified, form.ours,
        words, source.title, source.link,
    )  # fmt: skip


LAW = load(Path(__file__).with_name("limits.toml"))


def governing(line: Line, law: Law = LAW) -> Mapping[What, Limit]:
    """The strictest rule of each sort for a line, as in force on the day it was written; before all, the first."""
    found: dict[What, Limit] = {}
    for versions in law.limits.values():
        limit = next((one for one in reversed(versions) if one.in_force <= line.authored), versions[0])
        if limit.regulations and not limit.regulations & line.regulations:
            continue
        other = found.get(limit.what)
        if other is None or limit.lasts.after(line.authored) < other.lasts.after(line.authored):
            found[limit.what] = limit
    return found
