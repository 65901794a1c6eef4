"""The facts rules ask about, and the question that each is asked by (`facts.toml`).

The rule: a fact is true, false or not known; who does not say is asked, never guessed about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from phr.prevention import places
from phr.prevention.codes import VALUE_SETS
from phr.prevention.dates import Duration, duration
from phr.prevention.form import WordsForm
from phr.prevention.rule import Words


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    question: WordsForm
    why: WordsForm
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
    """Every fact of a file, by name. Raises ValueError: one line for each fault, `file:line: what`."""
    text, tables = places.document(path)
    lines, faults = places.places(text), list[str]()
    found = {}
    for name, table in tables.items():
        try:
            form = msgspec.convert(table, _Form)
        except msgspec.ValidationError as error:
            where, what = places.refused(error)
            faults.append(places.told(path, lines, (name, *where), what))
            continue
        unknown = sorted(set(form.conditions) - VALUE_SETS.keys())
        conditions = (name, "conditions")
        faults += (places.told(path, lines, conditions, f"{one} is not a value set of codes/") for one in unknown)
        try:
            lasts = None if form.negative is None else duration(form.negative)
        except ValueError as error:
            faults.append(places.told(path, lines, (name, "negative"), str(error)))
            continue
        question, why = (Words(said.fr, said.en) for said in (form.question, form.why))
        found[name] = Fact(name, question, why, form.kind, frozenset(form.conditions), lasts)
    if faults:
        raise ValueError("\n".join(faults))
    return MappingProxyType(found)


try:
    FACTS = load(Path(__file__).with_name("facts.toml"))
except ValueError as error:  # as for the codes
    raise SystemExit(str(error)) from None
ASKED_OTHERWISE = frozenset({"born", "sex", "pregnancy-start"})
"""What is asked and is not a fact of the record's own: a date, a sex."""
