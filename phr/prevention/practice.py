"""What is due in a practice: of a professional's open relations, who is due for what.

The rule: there is no search across people. Each record is opened through the lens at this instant and journaled there;
what is closed, blocked or over is as if it were not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from phr import inbox
from phr.access.visit import Visit
from phr.core.errors import DomainError, Reason, malformed
from phr.prevention.advice import Status
from phr.prevention.careplan import Wanted, care_plan
from phr.prevention.dates import day
from phr.prevention.engine import stand
from phr.prevention.reading import Known, known
from phr.prevention.rule import Rules, Theme
from phr.prevention.rulebook import RULES
from phr.prevention.words import Language
from phr.reading import Pairs

Json = dict[str, Any]
MOST_COUNTED = 500
"""Records that one count opens."""
_PASSED_ON = ("_count", "_cursor")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for. `rules`: the rule set, narrowed to those asked; `counting`: how many, not who."""

    rules: Rules
    statuses: frozenset[str]
    counting: bool
    language: Language


@dataclass(frozen=True, slots=True)
class Page:
    """CarePlans of those for whom something is due, and the cursor to go on with, if there is more."""

    plans: list[Json]
    next: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many people, for each rule and status. `people`: whose records were opened; `cut`: there were more."""

    counted: Mapping[tuple[str, Status], int]
    people: int
    cut: bool


def asked(pairs: Pairs, language: Language) -> Asked:
    """From `rule`, `theme` and `status` (repeated, or with commas) and `summary=count`. Raises SYNTAX.

    Without `status`: what is due or overdue.
    """
    rules = _among(pairs, "rule", [one.id for one in RULES.all])
    themes = _among(pairs, "theme", get_args(Theme))
    chosen = tuple(one for one in RULES.all if one.id in rules and one.theme in themes)
    given = any(name == "status" for name, _ in pairs)
    statuses = _among(pairs, "status", list(Status)) if given else frozenset({Status.DUE, Status.OVERDUE})
    summary = dict(pairs).get("summary")
    if summary not in (None, "count"):
        raise malformed("summary is count, or left out.")
    return Asked(replace(RULES, all=chosen), statuses, summary is not None, language)


def _among(pairs: Pairs, name: str, known: Sequence[str]) -> frozenset[str]:
    values = frozenset(one for key, value in pairs if key == name for one in value.split(","))
    if not values <= frozenset(known):
        raise malformed(f"{name} is one of those this server knows.")
    return values or frozenset(known)


async def due(visit: Visit, wanted: Asked, pairs: Pairs) -> Page:
    """A page of a professional's relations (`_count`, 50 at most, and `_cursor`), those with nothing due left out.

    Raises FORBIDDEN, SYNTAX.
    """
    page = await inbox.relations(visit, [(name, value) for name, value in pairs if name in _PASSED_ON])
    on, shown = day(visit.now), Wanted(None, wanted.language, statuses=wanted.statuses)
    plans = []
    for record in _records(page.found):
        plan = care_plan(wanted.rules, await _known(visit, record), record, on, shown)
        plans += [plan] if "activity" in plan else []
    return Page(plans, page.next)


async def count(visit: Visit, wanted: Asked) -> Count:
    """How many of a professional's patients stand where, over at most MOST_COUNTED records. Raises FORBIDDEN."""
    on, counted, opened, people = day(visit.now), Counter[tuple[str, Status]](), set[str](), 0
    cursor: list[tuple[str, str]] = []
    while True:
        page = await inbox.relations(visit, [("_count", str(inbox.MOST)), *cursor])
        for record in _records(page.found):
            if record in opened:
                continue
            if len(opened) == MOST_COUNTED:
                return Count(counted, people, cut=True)
            opened.add(record)
            seen = await _known(visit, record)
            if seen is None:
                continue
            people += 1
            counted.update(
                (rule.id, status)
                for rule in wanted.rules.all
                if (status := stand(rule, seen.person, on, []).status) in wanted.statuses
            )
        if page.next is None:
            return Count(counted, people, cut=False)
        cursor = [("_cursor", page.next)]


def _records(consents: Sequence[Json]) -> Iterator[str]:
    """Whose they are, each once."""
    yield from dict.fromkeys(str(one["patient"]["reference"]).removeprefix("Patient/") for one in consents)


async def _known(visit: Visit, record: str) -> Known | None:
    """What is seen of a patient; None when nothing is any more, or they are dead."""
    try:
        return await known(visit, record, "$due")
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return None
