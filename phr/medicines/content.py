"""What is in a medicine: from its codes, and its composition when it is loaded, to substances that can be compared.

The rule: a salt and its therapeutic moiety are one substance, by the link the file of compositions gives them; two
substances are the same when they share a code, or bear the same name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from phr.medicines.checker import Codes, Gap, Subject
from phr.medicines.medication import ATC, CIP, CIS, SUBSTANCE
from phr.medicines.medicine import Ingredient, Medicine
from phr.medicines.naming import spellings, words
from phr.prevention.codes import folded

_SUBSTANCE_LEVEL = 7
"""Characters of an ATC code that names one substance."""


@dataclass(frozen=True, slots=True)
class Active:
    """A substance. `keys`: what it is known by, codes and folded names; `names`: of itself and of its salts, folded."""

    name: str
    keys: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of what a subject contains. `gap`: why its composition is not known; None when it is.

    `words`: of each of its names, that of the loaded medicine too; `atc`: its ATC codes.
    """

    actives: tuple[Active, ...]
    words: tuple[frozenset[str], ...]
    atc: tuple[str, ...]
    gap: Gap | None


def content(subject: Subject, known: Mapping[str, Medicine], named: Mapping[str, Active]) -> Content:
    """What a subject contains. `known`: loaded medicines, by CIS and by CIP13; `named`: substances, by folded name.

    Without a composition, what its ATC code and its words say: enough to find something, never to find nothing.
    """
    own = [known[code] for system, code in subject.codes if system in (CIS, CIP) and code in known]
    actives = tuple(active for one in own[:1] for active in _composition(one))
    atc = tuple(code.upper() for system, code in subject.codes if system in ATC)
    gap = None
    if not actives:
        coded = any(system in (CIS, CIP) for system, _ in subject.codes)
        gap = Gap.NO_COMPOSITION if own else Gap.UNKNOWN_CODE if coded else Gap.NO_CODE
        spelled = frozenset().union(*map(spellings, subject.texts))
        actives = (*_by_code(subject, atc), *(named[name] for name in sorted(spelled & named.keys())))
    elif len(actives) == 1 and len(atc) == 1 and len(atc[0]) == _SUBSTANCE_LEVEL:
        [one] = actives
        actives = (Active(one.name, one.keys | {f"atc:{atc[0]}"}, one.names),)
    called = [*subject.texts, *(one.name for one in own[:1])]
    return Content(actives, tuple(dict.fromkeys(map(words, called))), atc, gap)


def substances(codes: Codes, known: Mapping[str, Medicine]) -> frozenset[str]:
    """The keys of what codes mean: a substance, or all that is in a medicine."""
    found = {f"code:{code}" for system, code in codes if system == SUBSTANCE}
    medicines = [known[code] for system, code in codes if system in (CIS, CIP) and code in known]
    return frozenset(found).union(*(active.keys for one in medicines for active in _composition(one)))


def _composition(medicine: Medicine) -> Iterator[Active]:
    """One for each therapeutic moiety, with the salt it is given as; and for each substance that has none."""
    links: dict[str, list[Ingredient]] = {}
    for n, one in enumerate(medicine.ingredients):
        links.setdefault(one.link or f"alone {n}", []).append(one)
    for together in links.values():
        moieties = [one for one in together if not one.active]
        if len(moieties) == 1:
            yield _active(moieties[0], together)
        else:  # several moieties of one substance: each is known by its own code alone
            yield from (_active(one, [one]) for one in together)


def _active(shown: Ingredient, forms: list[Ingredient]) -> Active:
    names = frozenset(one.folded for one in forms)
    keys = {f"code:{one.code}" for one in forms} | {f"name:{name}" for name in names}
    return Active(shown.name, frozenset(keys), names)


def _by_code(subject: Subject, atc: tuple[str, ...]) -> Iterator[Active]:
    """What can be compared without a composition: the same medicine by its code, the same substance by its ATC code."""
    same = {f"{system}|{code}" for system, code in subject.codes if system in (CIS, CIP)}
    if same:
        yield Active(subject.label, frozenset(same), frozenset())
    for code in atc:
        if len(code) == _SUBSTANCE_LEVEL:
            names = frozenset(filter(None, map(folded, subject.texts)))
            yield Active(subject.label, frozenset({f"atc:{code}"} | {f"name:{name}" for name in names}), names)
