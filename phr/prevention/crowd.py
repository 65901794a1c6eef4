"""Advice for very many people on one day: what two people of one birth date and sex share is worked out once.

The rule: the same answers as `phr.prevention.engine`, which alone reads the rules: only those are asked again that
something known of this person could change.
"""

from collections import defaultdict
from datetime import date

from phr.prevention.advice import Advice
from phr.prevention.engine import judge
from phr.prevention.person import Person, Sex
from phr.prevention.reach import ANY, reach
from phr.prevention.rule import Rules, Version
from phr.prevention.who import PREGNANT
from phr.prevention.windows import Window

SEXES: tuple[Sex | None, ...] = ("female", "male", None)
KEPT = 512
"""How many birth dates and sexes are kept at once: sort people by birth, and few are enough."""


class Alike:
    """People of one birth date and sex: what is answered of all, and which events could change it, by rule.

    `known`: what is answered already, of the other sex of that birth, by rules that ask for none.
    """

    __slots__ = ("advices", "born", "on", "reaches")

    def __init__(self, rules: Rules, born: date | None, sex: Sex | None, on: date, known: dict[int, Advice]) -> None:
        self.born, self.on, alike = born, on, Person(born, sex)
        self.advices = tuple(known.get(n) or judge(rule, alike, on) for n, rule in enumerate(rules.all))
        self.reaches: dict[int, Window] = {}

    def reach(self, n: int) -> Window:
        """[from, before): the events that could matter to the n-th rule, kept in `reaches`."""
        found = ANY if self.born is None else reach(self.advices[n], self.born, self.on)
        self.reaches[n] = found
        return found


class Crowd:
    """A rule set on one day, for people one after another."""

    def __init__(self, rules: Rules, on: date) -> None:
        self._rules, self._on = rules, on
        self._alike: dict[tuple[date | None, Sex | None], Alike] = {}
        self._by_id = {rule.id: n for n, rule in enumerate(rules.all)}
        self._by_set: dict[str, set[int]] = defaultdict(set)
        self._by_fact: dict[str, set[int]] = defaultdict(set)
        self._of_either = [n for n, rule in enumerate(rules.all) if all(map(_of_either, rule.versions))]
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
            other = next((found for one in SEXES if (found := self._alike.get((born, one))) is not None), None)
            known = {} if other is None else {n: other.advices[n] for n in self._of_either}
            alike = self._alike[born, sex] = Alike(self._rules, born, sex, self._on, known)
        return alike

    def _touched(self, person: Person, alike: Alike) -> set[int]:
        touched = {self._by_id[one.rule] for one in person.statements if one.rule in self._by_id}
        for name in person.answers:
            touched |= self._by_fact.get(name, set())
        if person.pregnancies:
            touched |= self._by_fact.get(PREGNANT, set())
        for event in person.events:
            for name in event.sets:
                for n in self._by_set.get(name, ()):
                    first, before = alike.reaches.get(n) or alike.reach(n)
                    if first <= event.on < before:
                        touched.add(n)
        return touched


def _of_either(version: Version) -> bool:
    """Whether the same is answered to somebody of either sex, or of none that is known."""
    whose = version.who
    return whose.sex is None and whose.pregnancy is None and PREGNANT not in whose.facts
