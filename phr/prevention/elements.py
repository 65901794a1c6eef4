"""Reading FHIR JSON that may come from anywhere: what is not shaped as FHIR says is as if it were not there."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from fhir.primitive import EARLIEST, LATEST
from phr.access.consent import CLIENT
from phr.prevention.dates import day

Json = Mapping[str, Any]
_PATIENT = re.compile(r"(?:^|/)Patient/([^/]+)(?:/_history/[^/]+)?$")
_LIVED = range(int(EARLIEST), int(LATEST))
"""The years that what is written here may name (`fhir.primitive`); what is sent may name any.
TRAP: 9999-12-31 is how many write that there is no end, and 0001-01-01 that it is not known: neither is a day.
"""
LIVED = f"from {EARLIEST} to {int(LATEST) - 1}"
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?")


def objects(value: Any) -> Iterator[Json]:
    """The objects of a list, or the one object."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            yield one


def codings(concepts: Any) -> Iterator[tuple[str, str]]:
    """The (system, code) of one CodeableConcept or several."""
    for concept in objects(concepts):
        for coding in objects(concept.get("coding", [])):
            yield str(coding.get("system")), str(coding.get("code"))


def texts(concepts: Any) -> Iterator[str]:
    """What CodeableConcepts say in words."""
    for concept in objects(concepts):
        found = [concept.get("text"), *(coding.get("display") for coding in objects(concept.get("coding", [])))]
        yield from (text for text in found if isinstance(text, str))


def coded(concepts: Any) -> set[str]:
    """The codes of CodeableConcepts, whatever their system."""
    return {code for _, code in codings(concepts)}


def full(value: Any) -> date | None:
    """A whole date, or the day it was in Paris at an instant; None for anything less, or that nobody lives to see."""
    if not isinstance(value, str) or len(value) < len("2026-01-01"):
        return None
    try:
        found = day(datetime.fromisoformat(value)) if "T" in value else date.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    return found if lived(found) else None


def lived(day: date) -> bool:
    """Whether what is written here may name that day."""
    return day.year in _LIVED


def first(value: Any, born: date | None = None) -> date | None:
    """The first day that a date, a dateTime or the start of a Period may be, but never before the birth.

    A year or a month alone is its first day: what was done then never holds for longer than is known, so that it is
    proposed again rather than forgotten; and it is already past.
    """
    if isinstance(value, Mapping):
        value = value.get("start", value.get("end"))
    partial = _PARTIAL.fullmatch(value) if isinstance(value, str) else None
    if partial is None:
        return full(value)
    try:
        found = date(int(partial[1]), int(partial[2] or 1), 1)
    except ValueError:
        return None
    if not lived(found):
        return None
    inside = born is not None and found < born and born.isoformat().startswith(str(value))
    return born if inside else found


def when(resource: Json, *names: str, born: date | None = None) -> date | None:
    """`first` of the first of these elements that says."""
    return next((found for name in names if (found := first(resource.get(name), born)) is not None), None)


def another(resource: Json, patient: str) -> bool:
    """Whether a resource says that it is about another Patient than the one of this id, wherever that one is kept."""
    subject = next(objects(resource.get("patient", resource.get("subject"))), {})
    named = _PATIENT.search(str(subject.get("reference")))
    return named is not None and named[1] != patient


def by_person(resource: Json) -> bool:
    """Whether the person, or who acts for them, wrote it: the server alone sets this tag (`phr.provenance`)."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, Mapping) else None
    return any(tag.get("system") == CLIENT for tag in objects(tags))
