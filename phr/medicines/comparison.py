"""Comparing: the same substance twice, a recorded allergy, an interaction. Pure: lists in, findings out.

The rule: every finding is about one line at least; one substance, one allergy or one interaction is told once, with all
the medicines it concerns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phr.medicines.checker import Allergy, Case, Finding, Kind, Subject
from phr.medicines.content import Active, Content
from phr.medicines.interactions import Level
from phr.medicines.medication import ATC
from phr.medicines.naming import alike, subject_words, words

Contents = Mapping[Subject, Content]
Classes = Mapping[str, frozenset[str]]
"""Of each substance, by its folded name: the classes it is of."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of interactions; `a` and `b` folded names of substances or classes."""

    a: str
    b: str
    level: Level
    text: str


def duplicates(case: Case, contents: Contents) -> Iterator[Finding]:
    """Each substance that a line has, and another line or something taken has too."""
    groups: list[tuple[frozenset[str], set[Subject], str]] = []
    subjects = (*case.lines, *case.taken)
    for subject in subjects:
        for active in contents[subject].actives:
            touched = [one for one in groups if not one[0].isdisjoint(active.keys)]
            groups = [one for one in groups if one[0].isdisjoint(active.keys)]
            keys = active.keys.union(*(one[0] for one in touched))
            having = {subject}.union(*(one[1] for one in touched))
            groups.append((keys, having, touched[0][2] if touched else active.name))
    for _, having, shown in groups:
        together = tuple(one for one in subjects if one in having)
        if any(_apart(one, other) for one in together if one.line for other in together):
            yield Finding(Kind.DUPLICATE, together, (shown,))


def allergic(
    case: Case, contents: Contents, to: Mapping[Allergy, frozenset[str]], classes: Classes
) -> Iterator[Finding]:
    """Each allergy to something that a line has. `to`: the keys of the substances its codes mean."""
    for allergy in case.allergies:
        named = [one for one in map(subject_words, allergy.texts) if one]
        having: dict[Subject, tuple[str, ...]] = {}
        for line in case.lines:
            inside = contents[line]
            found = [one.name for one in inside.actives if _meant(one, to[allergy], named, classes)]
            if found or _same_code(allergy, line, inside) or alike(named, inside.words):
                having[line] = tuple(found)
        if having:
            yield Finding(Kind.ALLERGY, tuple(having), tuple(dict.fromkeys(sum(having.values(), ()))), allergy)


def interacting(case: Case, contents: Contents, table: Iterable[Row], classes: Classes) -> Iterator[Finding]:
    """Each row of the table that a line takes part in."""
    bearing: dict[str, list[tuple[Subject, Active]]] = {}
    for subject in (*case.lines, *case.taken):
        for active in contents[subject].actives:
            for name in active.names.union(*(classes.get(one, frozenset()) for one in active.names)):
                bearing.setdefault(name, []).append((subject, active))
    for row in table:
        pairs = [
            (one, other)
            for one in bearing.get(row.a, ())
            for other in bearing.get(row.b, ())
            if (one[0].line or other[0].line) and _apart(one[0], other[0]) and one[1].keys.isdisjoint(other[1].keys)
        ]
        if pairs:
            taking = {subject for pair in pairs for subject, _ in pair}
            named = dict.fromkeys(active.name for pair in pairs for _, active in pair)
            together = tuple(one for one in (*case.lines, *case.taken) if one in taking)
            yield Finding(Kind.INTERACTION, together, tuple(named), None, row.level, row.text)


def _apart(one: Subject, other: Subject) -> bool:
    """Two subjects, and two treatments."""
    return one is not other and one.treatment.isdisjoint(other.treatment)


def _meant(active: Active, to: frozenset[str], named: Sequence[frozenset[str]], classes: Classes) -> bool:
    if not active.keys.isdisjoint(to) or alike(named, map(words, active.names)):
        return True
    of = frozenset().union(*(classes.get(name, frozenset()) for name in active.names))
    return any(words(name) in named for name in of)


def _same_code(allergy: Allergy, line: Subject, inside: Content) -> bool:
    """The same code; or an ATC code of the line that is the allergy's, or under it."""
    under = [code for system, code in allergy.codes if system in ATC]
    return not set(allergy.codes).isdisjoint(line.codes) or any(
        a.startswith(b.upper()) for a in inside.atc for b in under
    )
