"""Advice for very many people on one day: what two people of one birth date and sex share is worked out once.

The rule: the same answers as `phr.prevention.engine`, which alone reads the rules: only those are asked again that
something known of this person could change.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from phr.prevention.advice import Advice
from phr.prevention.engine import judge
from phr.prevention.person import Event, Person, Sex
from phr.prevention.reach import ANY, reach
from phr.prevention.rule import Rules
from phr.prevention.who import PREGNANT
from phr.prevention.windows import Window

KEPT = 512
"""How many birth dates and sexes are kept at once: sort people by birth, and few are enough."""


class Alike:
    """People of one birth date and sex: what is answered of all, and which events could change it, by rule."""

    __slots__ = ("advices", "born", "on", "reaches")

    def __init__(self, rules: Rules, born: date | None, sex: Sex | None, on: date) -> None:
        self.born, self.on, alike = born, on, Person(born, sex)
        self.advices = tuple(judge(rule, alike, on) for rule in rules.all)
        self.reaches: dict[int, Window] = {}

    def reach(self, n: int) -> Window:
        """[from, before): the events that could matter to the n-th rule."""
        if self.born is None:
            return ANY
        found = self.reaches.get(n)
        if found is None:
            found = self.reaches[n] = reach(self.advices[n], self.born, self.on)
        return found


class Crowd:
    """A rule set on one day, for people one after another."""

    def __init__(self, rules: Rules, on: date) -> None:
        self._rules, self._on = rules, on
        self._alike: dict[tuple[date | None, Sex | None], Alike] = {}
        self._by_id = {rule.id: n for n, rule in enumerate(rules.all)}
        self._by_set: dict[str, set[int]] = defaultdict(set)
        self._by_fact: dict[str, set[int]] = defaultdict(set)
        for n, rule in enumerate(rules.all):
            for version in rule.versions:
                for name in version.named:
                    self._by_set[name].add(n)
                for name in version.who.facts if version.who.pregnancy is None else (*version.who.facts, PREGNANT):
                    self._by_fact[name].add(n)

    def advise(self, person: Person) -> list[Advice]:
        """One advice for each rule, in the order of the rules."""
        alike = self._of(person.born, person.sex)
        found = list(alike.advices)
        for n in self._touched(person, alike):
            found[n] = judge(self._rules.all[n], person, self._on)
        return found

    def _of(self, born: date | None, sex: Sex | None) -> Alike:
        alike = self._alike.get((born, sex))
        if alike is None:
            if len(self._alike) >= KEPT:
                del self._alike[next(iter(self._alike))]
            alike = self._alike[born, sex] = Alike(self._rules, born, sex, self._on)
        return alike

    def _touched(self, person: Person, alike: Alike) -> set[int]:
        touched = {n for event in person.events for n in self._reached(event, alike)}
        for name in person.answers:
            touched |= self._by_fact.get(name, set())
        if person.pregnancies:
            touched |= self._by_fact.get(PREGNANT, set())
        return touched | {self._by_id[one.rule] for one in person.statements if one.rule in self._by_id}

    def _reached(self, event: Event, alike: Alike) -> Iterator[int]:
        for name in event.sets:
            for n in self._by_set.get(name, ()):
                first, before = alike.reach(n)
                if first <= event.on < before:
                    yield n
