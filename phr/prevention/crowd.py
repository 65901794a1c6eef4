"""Advice for very many people on one day: what two people of one birth date and sex share is worked out once.

The rule: the same answers as `phr.prevention.engine`, which alone reads the rules: only those that something known of
this person touches are asked again for them.
"""

from collections import defaultdict
from datetime import date

from phr.prevention.advice import Advice
from phr.prevention.engine import judge, satisfying
from phr.prevention.person import Person, Sex
from phr.prevention.rule import Rule, Rules
from phr.prevention.who import PREGNANT

KEPT = 512
"""How many birth dates and sexes are kept at once: sort people by birth, and few are enough."""


class Crowd:
    """A rule set on one day, for people one after another."""

    def __init__(self, rules: Rules, on: date) -> None:
        self._rules, self._on = rules, on
        self._shared: dict[tuple[date | None, Sex | None], tuple[Advice, ...]] = {}
        self._by_set: dict[str, set[int]] = defaultdict(set)
        self._by_fact: dict[str, set[int]] = defaultdict(set)
        self._by_id = {rule.id: n for n, rule in enumerate(rules.all)}
        for n, rule in enumerate(rules.all):
            for name in _sets(rule):
                self._by_set[name].add(n)
            for name in _facts(rule):
                self._by_fact[name].add(n)

    def advise(self, person: Person) -> list[Advice]:
        """One advice for each rule, in the order of the rules."""
        found = list(self._of(person.born, person.sex))
        for n in self._touched(person):
            found[n] = judge(self._rules.all[n], person, self._on)
        return found

    def _of(self, born: date | None, sex: Sex | None) -> tuple[Advice, ...]:
        shared = self._shared.get((born, sex))
        if shared is None:
            alike = Person(born, sex)
            shared = tuple(judge(rule, alike, self._on) for rule in self._rules.all)
            if len(self._shared) >= KEPT:
                del self._shared[next(iter(self._shared))]
            self._shared[born, sex] = shared
        return shared

    def _touched(self, person: Person) -> set[int]:
        touched: set[int] = set()
        for event in person.events:
            for name in event.sets:
                touched |= self._by_set.get(name, set())
        for name in person.answers:
            touched |= self._by_fact.get(name, set())
        if person.pregnancies:
            touched |= self._by_fact.get(PREGNANT, set())
        return touched | {self._by_id[one.rule] for one in person.statements if one.rule in self._by_id}


def _sets(rule: Rule) -> set[str]:
    named = {name for version in rule.versions for name in satisfying(version)}
    return named | {name for version in rule.versions for one in version.who.unless for name in one.sets}


def _facts(rule: Rule) -> set[str]:
    whose = [version.who for version in rule.versions]
    named = {name for who in whose for name in (*who.all, *who.any, *who.none)}
    return named | {PREGNANT for who in whose if who.pregnancy is not None}
