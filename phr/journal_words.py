"""The journal in plain French and English: one sentence for each entry, which a tired person understands.

The rule: a sentence says no more than its entry shows to this reader: counts and types, never a title; and every
entry has one, in both languages, of at most 280 characters (a test walks them all).
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from phr import codes
from phr.access.audit import Act, system_of
from phr.access.decision import Because
from phr.access.journal import Actor, Note, Tag

LANGUAGES = ("fr", "en")
LONGEST = 280
_NAME, _SOFTWARE, _KINDS = 36, 48, 2
_PARIS = ZoneInfo("Europe/Paris")
_PHYSICIAN = ("TRE_G15", "10")
_OPERATION = re.compile(r"\$([a-z-]+)")
_DECIDING = frozenset({Tag.OPEN, Tag.ACCESS, Tag.REDEEM, Tag.SHARE, Tag.DELEGATE, Tag.APPLICATION, Tag.CLOSE})
_ALIKE = frozenset({(Because.CONVERSATION, Tag.MESSAGE), (Because.PRESCRIPTION, Tag.PRESCRIPTION)})
"""Why and what in the same words: said once."""
_NO_REASON = frozenset({Because.OWN_DEPOSITS, Because.NO_RULE})
"""What somebody was before they asked for a right: not why they asked."""
_SHOWING = frozenset({Tag.READ, Tag.SEARCH, Tag.HISTORY, Tag.CONTENT, Tag.EVERYTHING})
_CONTENTS = {"Binary": "DocumentReference"}
"""A content is not counted beside the document it is the content of."""

Texts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who reads the journal: the person, or who represents them."""

    account: str
    represents: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An entry in words. `day` and `time` in Paris; `did`: the sentence without its moment.

    `capacity`: in which capacity they acted; `verdict`: done or refused, in a word; `reason`: why it was refused.
    """

    moment: str
    day: str
    time: str
    who: str
    capacity: str
    structure: str
    did: str
    sentence: str
    why: str
    motive: str
    software: str
    verdict: str
    reason: str

    def narrative(self, language: str) -> dict[str, str]:
        """The Narrative of a resource: the sentence, its moment apart so that a page may group by day."""
        moment, rest = escape(self.moment), escape(self.sentence.removeprefix(self.moment))
        words = f'<p><span class="moment">{moment}</span>{rest}</p>'
        div = f'<div xmlns="http://www.w3.org/1999/xhtml" lang="{language}" xml:lang="{language}">{words}</div>'
        return {"status": "generated", "div": div}


def tell(act: Act, viewer: Viewer, language: str, software: str = "", purpose: str = "") -> Told:
    """An entry as this viewer may read it (`phr.access.audit.shown`), in `fr` or `en`.

    `software`: the registered name of what was used; `purpose`: which emergency it was.
    """
    words, note, at = _Words(language, viewer), act.note, act.at.astimezone(_PARIS)
    texts, capacity = words.texts, _capacity(note, viewer)
    moment = _capital(moment_of(at, language))
    used = _software(texts, note, software)
    because = _because(texts, act, purpose)
    why = words.said(because["label"]) if because else ""
    reason = words.said(texts["reasons"].get(note.refused, texts["reasons"]["other"])) if note.refused else ""
    last = note.actors[-1] if note.actors and capacity == "professional" else None
    whole = ""
    named, shortly = "", _cut(used, _SOFTWARE)
    for who in _names(words, note, capacity, shortly):
        named, whole = named or who, f"{moment}, {_did(words, act, who, capacity, shortly, because, reason)}"
        if len(whole) < LONGEST:
            break
    whole = _cut(whole, LONGEST - 1)
    sentence = whole if whole.endswith("…") else f"{whole}."
    return Told(
        moment=moment,
        day=f"{at:%Y-%m-%d}",
        time=f"{at:%H:%M}",
        who=(last.name or last.id or last.structure_name or last.structure) if last else named,
        capacity=_in_capacity(words, note, capacity),
        structure=(last.structure_name or last.structure) if last else "",
        did=sentence.removeprefix(f"{moment}, "),
        sentence=sentence,
        why=why,
        motive=note.motive,
        software=used,
        verdict=texts["verdict_refused" if reason else "verdict_done"],
        reason=reason,
    )


def preferred(wanted: str | None, accepted: str | None) -> str:
    """French or English: as asked by name, else the first of the two in Accept-Language (RFC 9110 §12.5.4)."""
    weighted = []
    for place, item in enumerate((accepted or "").split(",")[:20]):
        tag, _, weight = item.strip().partition(";q=")
        try:
            weighted.append((-float(weight or 1), place, tag))
        except ValueError:
            continue
    for tag in (wanted or "", *(tag for _, _, tag in sorted(weighted))):
        if tag[:2].lower() in LANGUAGES:
            return tag[:2].lower()
    return LANGUAGES[0]


def moment_of(at: datetime, language: str) -> str:
    """A day and a time in Paris: « le 3 mars 2026 à 14 h 05 »."""
    at = at.astimezone(_PARIS)
    told: str = texts_in(language)["moment"].format(day=_day(at, language), hour=at.hour, minute=f"{at:%M}")
    return told


def day_of(day: str, language: str) -> str:
    """A day given as YYYY-MM-DD: « 3 mars 2026 »."""
    return _day(date.fromisoformat(day), language)


def _day(day: date, language: str) -> str:
    texts = texts_in(language)
    first = texts["first"] if day.day == 1 else str(day.day)
    return f"{first} {texts['months'][day.month - 1]} {day.year}"


@cache
def texts_in(language: str) -> Texts:
    """Every text of a language."""
    read = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    found: Texts = read[language]
    return found


@dataclass(frozen=True, slots=True)
class _Words:
    """The texts of a language, as they are said to one viewer."""

    language: str
    viewer: Viewer

    @property
    def texts(self) -> Texts:
        return texts_in(self.language)

    def said(self, text: str | list[str]) -> str:
        """A text that is one for all, or one for the person and one for who represents them."""
        return text if isinstance(text, str) else text[self.viewer.represents]


def _capacity(note: Note, viewer: Viewer) -> str:
    """Who acted, as the viewer calls them."""
    match note.reader:
        case "Citizen":
            return "person" if viewer.represents else "you"
        case "Delegate" if viewer.represents and any(actor.id == viewer.account for actor in note.actors):
            return "you"
        case "Delegate":
            known = {Because.REPRESENTS: "representative", Because.CARES_FOR: "caregiver"}
            return known.get(Because(note.because), "delegate") if note.because in set(Because) else "delegate"
        case "Professional" if note.actors:
            return "professional"
        case "Depositor" | "Operator" | "System":
            return note.reader
    return "unknown"


def _names(words: _Words, note: Note, capacity: str, software: str) -> Iterator[str]:
    """Who acted, from the fullest way to say it to the shortest."""
    if capacity != "professional":
        known = "own" if capacity == "System" and note.client in words.texts["software"] else capacity
        yield words.said(words.texts["who"][known]).format(software=software)
        return
    main, *assistants = note.actors
    for parts in ((True, True), (True, False), (False, False)):
        who = _professional(words, main, *parts)
        if assistants:
            name = _professional(words, assistants[0], profession=False, structure=False)
            who = words.texts["assistant"].format(assistant=name, who=who)
        yield who


def _professional(words: _Words, actor: Actor, profession: bool, structure: bool) -> str:
    texts = words.texts
    if not actor.name and not actor.id:
        return str(texts["mailbox"]).format(name=_cut(actor.structure_name or actor.structure, _NAME))
    if not actor.name:
        return str(texts["unnamed"]).format(id=_cut(actor.id, _NAME))
    name = _cut(actor.name, _NAME)
    if (actor.system, actor.profession) == _PHYSICIAN:
        name = str(texts["doctor"]).format(name=name)
    told = [_profession(words, actor)] if profession else []
    told += [_cut(actor.structure_name or actor.structure, _NAME)] if structure else []
    listed = ", ".join(filter(None, told))
    return f"{name} ({listed})" if listed else name


def _profession(words: _Words, actor: Actor) -> str:
    known: Mapping[str, str] = words.texts.get("professions", {})
    found = known.get(f"{actor.system}-{actor.profession}")
    coded = codes.role(system_of(actor) or "", actor.profession)
    return found or (coded.display.lower() if coded is not None else "")


def _in_capacity(words: _Words, note: Note, capacity: str) -> str:
    if capacity != "professional":
        return str(words.texts["capacity"][capacity])
    last = note.actors[-1]
    told = _profession(words, last)
    return words.texts["capacity"]["assistant"] if len(note.actors) > 1 and not told else told


def _software(texts: Texts, note: Note, name: str) -> str:
    """The software's name: ours in words, others as they were registered."""
    return str(texts["software"].get(note.client) or name or note.client)


def _because(texts: Texts, act: Act, purpose: str) -> Texts:
    because = act.note.because
    if act.note.reader == "System" and act.note.client in texts["software"]:
        return dict(texts["because"]["own-work"])
    if act.tag in _DECIDING and because in _NO_REASON:
        return {}
    exact: Texts = texts["because"].get(f"{because}-{purpose.lower()}", {})
    return exact or dict(texts["because"].get(because, {}))


def _did(words: _Words, act: Act, who: str, capacity: str, software: str, because: Texts, reason: str) -> str:
    """The sentence without its moment."""
    texts, note = words.texts, act.note
    operation = _operation(texts, act)
    with_software = [texts["with"].format(software=software)] if capacity not in _SELF else []
    said = {"has": texts["you_have" if capacity == "you" else "has"], "record": words.said(texts["record"])}
    if reason:
        tried = (operation["tried"] if operation else texts["tried"][act.tag]).format(**said)
        tried = texts["refused"].format(who=who, tried=tried, **said)
        refusal = texts["verdict_refused"].lower()
        return ", ".join([tried, *with_software]) + f"{texts['colon']}{refusal}, {reason}"
    what = _what(texts, act)
    done = operation["done"] if operation else texts["done" if what else "nothing"].get(act.tag, texts["done"][act.tag])
    silent = act.tag in _DECIDING or note.reader == "Citizen" or (note.because, act.tag) in _ALIKE
    clause = words.said(because["clause"]) if because and not silent else ""
    told = ", ".join(filter(None, [f"{who} {done.format(what=what, **said)}", clause, *with_software]))
    return told if what or operation or act.tag not in _SHOWING else f"{told}{texts['colon']}{texts['none_shown']}"


_SELF = frozenset({"Depositor", "Operator", "System", "unknown"})
"""Who is software: named already."""


def _operation(texts: Texts, act: Act) -> Texts | None:
    """The texts of the operation that was asked, when it says more than the tag; of this tag, when it has several."""
    named = _OPERATION.search(act.note.asked)
    if named is None:
        return None
    operations: Mapping[str, Texts] = texts["operations"]
    return operations.get(f"{named[1]}-{act.tag}") or operations.get(named[1])


def _what(texts: Texts, act: Act) -> str:
    """What was shown or written: « 3 documents, 1 allergie et 4 autres éléments »."""
    counted = Counter(name.partition("/")[0] for name in act.resources)
    for content, holder in _CONTENTS.items():
        if holder in counted:
            counted.pop(content, None)
    listed = counted.most_common()
    parts = [_counted(texts["kinds"].get(kind, texts["kinds"]["other"]), n) for kind, n in listed[:_KINDS]]
    rest = sum(n for _, n in listed[_KINDS:])
    parts += [texts["more"][rest > 1].format(n=rest)] if rest else []
    return f" {texts['and']} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _counted(names: list[str], n: int) -> str:
    return f"{n} {names[n > 1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
