"""Whether two texts name the same thing: by their words, without accents, plurals nor linking words.

The rule: « acide clavulanique » is CLAVULANIQUE (ACIDE); « allergie à l’amoxicilline » names AMOXICILLINE.
"""

from collections.abc import Iterable

from phr.prevention.codes import folded

_LINKING = frozenset(("a", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les", "of", "the", "to"))
_READ, _LONGEST = 30, 4
"""Words of a text that are read, and words of a name that is looked for in it."""
_SAYING = frozenset(("allergie", "allergique", "allergy", "intolerance", "connue", "known"))


def words(text: str) -> frozenset[str]:
    """The words that name something. The last one links nothing: « vitamine D »."""
    listed = folded(text).split()
    return frozenset(_singular(one) for one in [*(one for one in listed[:-1] if one not in _LINKING), *listed[-1:]])


def subject_words(text: str) -> frozenset[str]:
    """Those of an allergy's text: without what says that it is one."""
    return words(text) - _SAYING


def spellings(text: str) -> frozenset[str]:
    """The folded names that a text may spell: each run of its words, in its order, and two in the other order."""
    listed = folded(text).split()[:_READ]
    runs = [listed[n : n + length] for length in range(1, _LONGEST + 1) for n in range(len(listed) - length + 1)]
    turned = [f"{one[1]} {one[0]}" for one in runs if len(one) == 2]
    return frozenset([" ".join(one) for one in runs] + turned)


def says(text: frozenset[str], name: frozenset[str]) -> bool:
    """Whether a text has all the words of a name."""
    return bool(name) and name <= text


def alike(one: Iterable[frozenset[str]], other: Iterable[frozenset[str]]) -> bool:
    """Whether some name of the ones has all the words of some name of the others, or the reverse."""
    others = tuple(other)
    return any(says(a, b) or says(b, a) for a in one for b in others)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > len("gaz") and word.endswith("s") else word
