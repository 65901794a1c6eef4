"""What `$prevention` answers, read for the pages: each recommendation with where the person stands, in the API's words.

The rule: nothing is decided here; a page sorts and shows what the CarePlan says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from phr.journal_words import day_of
from phr.prevention.canonical import ADVICE, RULESET
from phr.prevention.dates import add

THEMES = ("vaccination", "screening", "child-health", "check-up", "dental", "campaign")
LATER = "later"
_AHEAD = 5 * 12
"""Months ahead that are near enough to be shown with what is now."""
EXAMINATION = "child-examination-"
_SAID = frozenset({"said-not-concerned", "declined"})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """Something done on a day; `declared`: on the person's word alone."""

    on: date
    declared: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of a recommendation. `by`: person, delegate or professional, whose name is then known."""

    word: str
    on: date
    until: date | None
    by: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommendation, and where the person stands with it: the parts of one activity of the CarePlan."""

    id: str
    title: str
    status: str
    reason: str
    say: str
    version: str
    theme: str
    requirement: str
    todo: str
    clauses: tuple[str, ...]
    since: date | None
    until: date | None
    due: date | None
    in_force: date | None
    step: int | None
    missing: tuple[tuple[str, str], ...]
    events: tuple[Done, ...]
    said: tuple[Said, ...]
    audience: str
    source: str
    source_title: str
    verified: bool
    checked: date | None

    @property
    def done(self) -> tuple[Done, ...]:
        """What was done of what concerns the person, or did. Of the child's examinations, recorded alike, the one that
        counts for each: the events of the API are all that the rule's codes say.
        """
        if self.status == "not-concerned" and (not self.past or self.requirement == "targeted"):
            return ()
        if not self.id.startswith(EXAMINATION):
            return self.events
        return tuple(one for one in self.events if self.status == "done" and one.on == self.since)

    @property
    def past(self) -> bool:
        """Whether its time is over."""
        return "past" in self.clauses

    @property
    def postponed(self) -> bool:
        """Whether the person said "later"."""
        return LATER in self.clauses

    @property
    def set_aside(self) -> bool:
        """Whether it is the person who said that it does not concern them, or that they do not wish it."""
        return self.status == "not-concerned" and not _SAID.isdisjoint(self.clauses)

    @property
    def coming(self) -> date | None:
        """When it will be due, if that is known and to come."""
        ahead = self.status in ("soon", "done") or "not-yet" in self.clauses
        return self.due if ahead else None


@dataclass(frozen=True, slots=True)
class Question:
    """A fact that nobody knows yet, asked once, and the titles of what it decides."""

    fact: str
    words: str
    decides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A CarePlan, read. `version`: of the rule set; `day`: the day it holds for."""

    version: str
    day: date
    all: tuple[Recommendation, ...]

    def of(self, theme: str) -> "Plan":
        """The same, of one theme alone; of all of them when none is named."""
        return Plan(self.version, self.day, tuple(one for one in self.all if theme in ("", one.theme)))

    def get(self, id: str) -> Recommendation | None:
        """The recommendation of this id."""
        return next((one for one in self.all if one.id == id), None)

    @property
    def near(self) -> list[Recommendation]:
        """What concerns the person now, or will within five years."""
        until = add(self.day, _AHEAD)
        return [one for one in self.all if one.status != "not-concerned" or (one.coming or date.max) < until]

    @property
    def now(self) -> list[Recommendation]:
        """What is to be done: overdue, then due, the oldest first."""
        found = [one for one in self.all if one.status in ("overdue", "due")]
        return sorted(found, key=lambda one: (one.status != "overdue", one.due or self.day, one.title))

    @property
    def soon(self) -> list[Recommendation]:
        """What comes soon, and what the person put off, by date."""
        return _by_date([one for one in self.all if one.status == "soon"])

    @property
    def done(self) -> list[Recommendation]:
        """What is done, the newest first."""
        found = [one for one in self.all if one.status == "done"]
        return sorted(found, key=lambda one: (one.since or date.min, one.title), reverse=True)

    @property
    def later(self) -> list[Recommendation]:
        """What comes later in life, by date."""
        return _by_date([one for one in self.all if one.status == "not-concerned" and one.coming])

    @property
    def unconcerned(self) -> list[Recommendation]:
        """What does not concern the person, what they said so of first."""
        found = [one for one in self.all if one.status == "not-concerned" and not one.coming]
        return sorted(found, key=lambda one: (not one.set_aside, one.title))

    @property
    def next(self) -> date | None:
        """The first date to come."""
        return min((one.coming for one in self.all if one.coming and one.coming > self.day), default=None)

    def questions(self) -> list[Question]:
        """Each fact that is missing, once, those that decide most first."""
        asked = [(fact, words, one.title) for one in self.all if one.status == "ask" for fact, words in one.missing]
        grouped = groupby(sorted(asked), key=lambda said: said[0])
        listed = [(fact, list(said)) for fact, said in grouped]
        found = [Question(fact, said[0][1], tuple(title for _, _, title in said)) for fact, said in listed]
        return sorted(found, key=lambda one: (-len(one.decides), one.words))


def plan_of(care: Json, day: date) -> Plan:
    """A CarePlan of `$prevention` asked for this day."""
    version = next((one["valueString"] for one in care.get("extension", ()) if one["url"] == RULESET), "")
    return Plan(version, day, tuple(_recommendation(one["detail"]) for one in care.get("activity", ())))


def named_day(day: date | None, language: str) -> str:
    """A day as people say it: « 3 mars 2027 »; empty when there is none."""
    return "" if day is None else day_of(day.isoformat(), language)


def _recommendation(detail: Json) -> Recommendation:
    [advice] = [one for one in detail.get("extension", ()) if one["url"] == ADVICE]
    parts = list(advice["extension"])
    said: Mapping[str, Any] = {one["url"]: value for one, value in _values(parts)}
    return Recommendation(
        id=detail["code"]["coding"][0]["code"],
        title=detail["code"]["text"],
        status=said["status"],
        reason=detail.get("statusReason", {}).get("text", ""),
        say=detail.get("description", ""),
        version=next(iter(detail.get("instantiatesCanonical", ())), "").partition("|")[2],
        theme=said.get("theme", ""),
        requirement=said.get("requirement", ""),
        todo=said.get("do", ""),
        clauses=tuple(value for one, value in _values(parts) if one["url"] == "clause"),
        since=_day(said.get("since")),
        until=_day(said.get("until")),
        due=_day(said.get("due")),
        in_force=_day(said.get("in-force")),
        step=said.get("step"),
        missing=tuple((one["fact"], one.get("question", "")) for one in _inside(parts, "missing")),
        events=tuple(Done(date.fromisoformat(one["on"]), bool(one.get("declared"))) for one in _inside(parts, "event")),
        said=tuple(map(_said, _inside(parts, "said"))),
        audience=said.get("audience", ""),
        source=said.get("source", ""),
        source_title=said.get("source-title", ""),
        verified=bool(said.get("source-verified")),
        checked=_day(said.get("source-checked")),
    )


def _said(one: Mapping[str, Any]) -> Said:
    on, until = date.fromisoformat(one["on"]), _day(one.get("until"))
    return Said(one["word"], on, until, one["by"], one.get("name", ""), one.get("reason", ""))


def _values(parts: Sequence[Json]) -> Iterator[tuple[Json, Any]]:
    """Each extension that has a value, with it."""
    for one in parts:
        yield from ((one, value) for name, value in one.items() if name.startswith("value"))


def _inside(parts: Sequence[Json], url: str) -> list[Mapping[str, Any]]:
    """The extensions of this name that have parts, as mappings."""
    return [{two["url"]: value for two, value in _values(one["extension"])} for one in parts if one["url"] == url]


def _by_date(found: Sequence[Recommendation]) -> list[Recommendation]:
    return sorted(found, key=lambda one: (one.due or date.max, one.title))


def _day(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(str(text)[:10])
