"""Findings, and what was not checked, in plain French and English (`words.toml`)."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from phr.medicines.checker import Allergy, Finding, Subject, Unchecked

Language = Literal["fr", "en"]
_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def found(one: Finding, language: Language) -> str:
    """A finding, as a sentence or two; the text of an interaction is the operator's, whatever its language."""
    words = _WORDS[language]
    level = words["level"][one.level.value] if one.level is not None else ""
    allergy = _label(one.allergy, language) if one.allergy is not None else ""
    told = {"medicines": _listed(one.subjects, language), "substances": ", ".join(one.substances)}
    template: str = words["finding"][one.kind.value]
    return template.format(**told, level=level, allergy=allergy, text=one.text).strip()


def unchecked(one: Unchecked, language: Language) -> str:
    """What was not checked, for what, and why."""
    template: str = _WORDS[language]["unchecked"][one.gap.value]
    return template.format(about=_listed(one.about, language))


def _listed(many: Iterable[Subject | Allergy], language: Language) -> str:
    return ", ".join(_label(one, language) for one in many)


def _label(one: Subject | Allergy, language: Language) -> str:
    words = _WORDS[language]
    if isinstance(one, Allergy):
        return str(words["allergy"]).format(label=one.label)
    return str(words["line" if one.line else "taken"]).format(label=one.label, line=one.line)
