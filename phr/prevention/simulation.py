"""Synthetic people, and how many of them each rule has something to say to: what a change of a rule would do.

The rule: nobody real; one seed is one crowd; the ages are roughly those of France, the rest is our own guess.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from phr.prevention.advice import Status
from phr.prevention.calendar import Bar, lanes
from phr.prevention.codes import ABOVE
from phr.prevention.crowd import Crowd
from phr.prevention.dates import add
from phr.prevention.facts import ASKED_OTHERWISE, FACTS
from phr.prevention.person import Answer, Event, Person, Pregnancy, Sex, Statement
from phr.prevention.rule import Rule, Rules
from phr.prevention.who import PREGNANT

PYRAMID = (10.4, 11.9, 11.6, 11.8, 12.4, 12.9, 12.2, 10.2, 5.2, 1.4)
"""Roughly how many of a hundred people are in each ten years of age: France, mid-2020s; the order of magnitude is what
matters."""
WOMEN = 0.516
COMES, DONE, KNOWN, TRUE, SAID = 0.7, 0.95, 0.7, 0.12, 0.01
"""Our guesses: somebody follows a rule, each time of it is done, a fact is known, a known fact is true, a rule is
declined."""
BAND = 10
Cell = tuple[int, Sex]


def people(count: int, rules: Rules, on: date, seed: int = 1) -> Iterator[Person]:
    """As many people, of every age on that day, the youngest first; of one seed, always the same."""
    random = Random(seed)  # noqa: S311 - nobody's secret
    bars = [bar for lane in lanes(rules, on) for bar in lane.bars]
    ages = sorted(_age(random) for _ in range(count))
    return (_person(random, bars, rules, add(on, days=-age), on) for age in ages)


def _age(random: Random) -> int:
    """In days."""
    [ten] = random.choices(range(len(PYRAMID)), PYRAMID)
    return int((ten + random.random()) * 3652.5)


def _person(random: Random, bars: list[Bar], rules: Rules, born: date, on: date) -> Person:
    sex: Sex = "female" if random.random() < WOMEN else "male"
    events = sorted(
        event for bar in bars if bar.version.who.sex in (None, sex) for event in _events(random, bar, born, on)
    )
    answers = {
        name: (Answer(random.random() < TRUE),)
        for name in sorted(FACTS)
        if name not in ASKED_OTHERWISE and name != PREGNANT and random.random() < KNOWN
    }
    pregnancies: tuple[Pregnancy, ...] = ()
    if sex == "female" and 18 <= (on - born).days / 365.25 < 45 and random.random() < 0.05:
        pregnancies = (Pregnancy(add(on, days=-random.randrange(270))),)
    else:
        answers[PREGNANT] = (Answer(False),)
    said = tuple(_declined(random, one, on) for one in rules.all if random.random() < SAID)
    return Person(born, sex, tuple(events), answers, pregnancies, said)


def _events(random: Random, bar: Bar, born: date, on: date) -> Iterator[Event]:
    """What was done of a rule: each dose, or the last few times; somebody who skips one does not come for the next."""
    version = bar.version
    names = sorted(version.schedule.sets.union(*(hold.sets for hold in version.schedule.holds)))
    if not names or version.who.all or version.who.any or version.who.pregnancy is not None or random.random() > COMES:
        return
    each = {"season": 12, "year": 12}.get(version.schedule.each or "", 0)
    if version.schedule.holds:
        each = max(1, min(one.lasts.months for one in version.schedule.holds))
    months = list(bar.doses) or [bar.start]
    if each:
        now = (on - born).days / 30.4375
        months = [float(one) for one in range(int(bar.start), int(min(bar.end, now)) + 1, each)][-3:]
    for month in months:
        day = add(born, int(month), random.randrange(60))
        if day > on or random.random() > DONE:
            return
        if day >= bar.rule.versions[-1].in_force:
            yield Event(day, ABOVE[random.choice(names)], random.random() < 0.3)


def _declined(random: Random, rule: Rule, on: date) -> Statement:
    day = on - timedelta(days=random.randrange(400))
    return Statement(rule.id, "declined", day, add(day, 12))


@dataclass(slots=True)
class Tally:
    """How many people were looked at, and advices by rule and status, by age and sex and status."""

    people: int = 0
    rules: Counter[tuple[str, Status]] = field(default_factory=Counter)
    cells: Counter[tuple[Cell, Status]] = field(default_factory=Counter)
    heads: Counter[Cell] = field(default_factory=Counter)


def simulate(rules: Rules, count: int, on: date, seed: int = 1) -> Iterator[Tally]:
    """Count what the rules say to so many people; the tally so far, after each of them."""
    crowd, tally = Crowd(rules, on), Tally()
    for person in people(count, rules, on, seed):
        cell = _cell(person, on)
        tally.people += 1
        tally.heads[cell] += 1
        for advice in crowd.advise(person):
            tally.rules[advice.rule.id, advice.status] += 1
            tally.cells[cell, advice.status] += 1
        yield tally


def _cell(person: Person, on: date) -> Cell:
    born = person.born or on
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return years // BAND * BAND, person.sex or "female"
