"""What is advised, as CDS Hooks cards: when a professional opens a patient's file, and when they order something.

The rule: a card says what the rule and the clauses say, to a professional; nothing is ever critical; the same facts and
the same call give the same bytes.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.canonical import ANSWER, RULE
from phr.prevention.dates import NEVER
from phr.prevention.engine import advise
from phr.prevention.facts import FACTS
from phr.prevention.person import Person
from phr.prevention.place import CALLING
from phr.prevention.rule import Rules, Version, Words
from phr.prevention.words import Language, audience, day_told

Json = dict[str, Any]
APP = "/pro/prevention"
"""Where our page for professionals is launched (`phr.web.launched`), as a SMART app."""
LONGEST = 139
"""Characters of a summary; CDS Hooks 2.0, Card Attributes: "<140-character"."""
MOST = 10
"""Cards of one answer: whoever reads more reads none."""
_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_SETTLED = ("declined", "said-not-concerned", "after", "later")
"""Clauses that settle it for now, besides that it was done."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How cards are told. `call`: names the call; `app`: the launch URL of a SMART app, if a record opens."""

    language: Language
    call: str
    app: str | None = None


def patient_view(rules: Rules, person: Person, on: date, telling: Telling) -> list[Json]:
    """What is overdue, then due; and one card of questions, for all that hangs on them."""
    found = [one for one in advise(rules, person, on) if one.version and one.version.requirement != "information"]
    calling = [one for one in found if one.status in (Status.OVERDUE, Status.DUE)]
    calling.sort(key=lambda one: (one.status is Status.DUE, one.due or on, one.rule.id))
    asking = [one for one in found if one.status is Status.ASK]
    cards = [_card(one, one.version, telling) for one in calling[:MOST] if one.version is not None]
    return cards + ([_questions(asking, telling)] if asking else [])


def order_select(
    rules: Rules, person: Person, on: date, telling: Telling, orders: Iterable[frozenset[str]]
) -> list[Json]:
    """What there is to say of orders, each given by the value sets it is in; nothing of what no rule speaks of."""
    found = advise(rules, person, on)
    kept: dict[str, Advice] = {}
    for order in orders:
        about = [one for one in found if one.version and not order.isdisjoint(one.version.satisfying)]
        kept |= {one.rule.id: one for one in _worth(about)}
    cards = [_card(one, one.version, telling) for one in kept.values() if one.version is not None]
    return cards[:MOST]


def _worth(about: Sequence[Advice]) -> list[Advice]:
    """What is told to whoever orders what these rules are about: contraindications, and the first there is of these.

    What is called for; what was done or refused, and is next first; what is not known; what is for later, and is first.
    """
    against = [one for one in about if one.why[0].name == "contraindicated"]
    called = [one for one in about if one.status in CALLING and one.why[0].name != "later"]
    settled = [one for one in about if one.status is Status.DONE or one.why[0].name in _SETTLED]
    asking = [one for one in about if one.status is Status.ASK]
    waiting = [one for one in about if one.why[0].name == "not-yet"]
    return against + (called or _next(settled) or asking or _next(waiting))


def _next(found: Sequence[Advice]) -> list[Advice]:
    """The one that is due first."""
    return sorted(found, key=lambda one: one.due or NEVER)[:1]


def _card(advice: Advice, version: Version, telling: Telling) -> Json:
    language = telling.language
    rule, source, words = advice.rule, version.source, _WORDS[language]
    title = _in(rule.title, language)
    warning = advice.status is not Status.ASK and (
        advice.status in (Status.DONE, Status.NOT_CONCERNED)
        or (advice.status is Status.OVERDUE and version.requirement in ("mandatory", "recommended"))
    )
    return {
        "uuid": _uuid(telling.call, rule.id),
        "summary": _short(_summary(advice, title, language)),
        "detail": "\n\n".join(_detail(advice, version, language)),
        "indicator": "warning" if warning else "info",
        "source": {
            "label": source.title,
            "url": source.link,
            "topic": {"system": RULE, "code": rule.id, "display": title},
        },
        "links": [
            {"label": words["detail"]["link"], "url": source.link, "type": "absolute"},
            *_launch(telling, {"rule": rule.id}),
        ],
        "overrideReasons": [
            {"system": ANSWER, "code": code, "display": text} for code, text in words["override"].items()
        ],
    }


def _launch(telling: Telling, context: Json) -> Iterator[Json]:
    """The link to the app, and what it says to it (CDS Hooks 2.0, Link)."""
    if telling.app is not None:
        label = _WORDS[telling.language]["detail"]["launch"]
        yield {"label": label, "url": telling.app, "type": "smart", "appContext": json.dumps(context)}


def _questions(asking: Sequence[Advice], telling: Telling) -> Json:
    """One card for all that is not known: each question once, and what hangs on it."""
    language, links = telling.language, list(_launch(telling, {}))
    rules: dict[str, list[str]] = {}
    for advice in asking:
        for name in advice.missing:
            rules.setdefault(name, []).append(_in(advice.rule.title, language))
    lines = [f"- {_in(FACTS[name].question, language)} ({', '.join(titles)})" for name, titles in rules.items()]
    return {
        "uuid": _uuid(telling.call, "questions"),
        "summary": _WORDS[language]["summary"]["asking"].format(many=len(rules)),
        "detail": "\n".join(lines),
        "indicator": "info",
        "source": {"label": "Carnet"},
        **({"links": links} if links else {}),
    }


def _summary(advice: Advice, title: str, language: Language) -> str:
    clause, due = advice.why[0], advice.due
    name = advice.status.value if advice.status is not Status.NOT_CONCERNED else clause.name
    if clause.name == "later":
        name = "later"
    elif advice.status is Status.DONE and due is not None:
        name = "done-next" if advice.step is None else "done-dose"
    told = "" if due is None else day_told(due, language)
    return str(_WORDS[language]["summary"][name]).format(title=title, due=told, on=_on(clause, language))


def _detail(advice: Advice, version: Version, language: Language) -> Iterator[str]:
    words, source = _WORDS[language]["detail"], version.source
    if advice.step is not None:
        yield words["dose"].format(step=advice.step)
    for clause in advice.why:
        if clause.name in ("declared", "too-early", "indicated"):
            yield words[clause.name].format(on=_on(clause, language))
    if advice.missing:
        asked = [f"- {_in(FACTS[name].question, language)}" for name in advice.missing]
        yield "\n".join([words["missing"], *asked])
    yield words["audience"].format(audience=audience(version, language))
    yield words["source"].format(source=source.title, link=source.link, checked=day_told(source.checked, language))
    if not source.verified:
        yield words["unverified"]


def _on(clause: Clause, language: Language) -> str:
    """The day a clause is about."""
    return next((day_told(one, language) for one in clause.about if isinstance(one, date)), "")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _uuid(call: str, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{call}/{what}"))


def _in(words: Words, language: Language) -> str:
    return words.fr if language == "fr" else words.en
