"""The lines of a prescription as they are deposited: MedicationRequests of one number, and the paper.

The rule: read strictly and whole, or refused with where: what is signed is stored as it came, so nothing is filled in.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from phr.access.consent import Actor
from phr.core.errors import DomainError, Issue, Reason
from phr.operated import PRESCRIPTION
from phr.prescription.number import is_number

Json = dict[str, Any]
MOST = 30
OLDEST = timedelta(days=7)
"""How long after it was written a prescription may be deposited, such as by software that was offline."""
_AHEAD = timedelta(minutes=5)
_WHERE = "Parameters.parameter.where(name = 'prescription').resource"


@dataclass(frozen=True, slots=True)
class Deposit:
    """What was read: the number, the lines as they came, and the paper."""

    number: str
    lines: tuple[Json, ...] = field(repr=False)
    pdf: bytes = field(repr=False)


def read(bundle: Json, record: str, prescriber: str, now: datetime) -> Deposit:
    """The deposit in a Bundle (collection). `prescriber`: the name of who may sign it (`phr.access.reader.identity`).

    Raises CONTENT (422) with every issue.
    """
    found = [one.get("resource") for one in bundle.get("entry", ()) if isinstance(one, dict)]
    listed = [one for one in found if isinstance(one, dict)]
    lines = tuple(one for one in listed if one.get("resourceType") == "MedicationRequest")
    papers = [one for one in listed if one.get("resourceType") == "Binary"]
    issues = list(_shape(bundle, listed, lines, papers))
    numbers = {_group(one) for one in lines}
    if not issues and (len(numbers) != 1 or not is_number(next(iter(numbers)))):
        told = "All lines have one groupIdentifier: eight characters of Crockford's base 32 in our system."
        issues.append(Issue("value", told, f"{_WHERE}.entry.resource.groupIdentifier"))
    for at, line in enumerate(lines):
        issues += _line(line, f"{_WHERE}.entry[{listed.index(line)}].resource", record, prescriber, now, at)
    pdf = _pdf(papers[0]) if len(papers) == 1 else None
    if pdf is None and not issues:
        issues.append(Issue("value", "The paper is a Binary with a PDF.", f"{_WHERE}.entry.resource.data"))
    if issues or pdf is None:
        raise DomainError(Reason.CONTENT, *issues)
    return Deposit(str(numbers.pop()), lines, pdf)


def _shape(bundle: Json, listed: list[Json], lines: tuple[Json, ...], papers: list[Json]) -> Iterator[Issue]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "collection":
        yield Issue("structure", "A prescription is a Bundle of type collection.", _WHERE)
    elif not 0 < len(lines) <= MOST or len(papers) != 1 or len(lines) + 1 != len(listed):
        yield Issue("structure", f"It has 1 to {MOST} MedicationRequests, one Binary, and nothing else.", _WHERE)


def _line(line: Json, where: str, record: str, prescriber: str, now: datetime, at: int) -> Iterator[Issue]:
    if "id" in line or "meta" in line:
        yield Issue("value", "A line has no id nor meta yet: they are given here.", where)
    if (line.get("status"), line.get("intent")) != ("active", "order"):
        yield Issue("value", "A line is an active order.", f"{where}.status")
    if line.get("subject", {}).get("reference") != f"Patient/{record}":
        yield Issue("value", "A line is for the person whose record this is.", f"{where}.subject")
    if _requester(line) != prescriber:
        yield Issue("value", "Who prescribes is who is signed in, by their national id.", f"{where}.requester")
    authored = _instant(line.get("authoredOn"))
    if authored is None or not now - OLDEST <= authored <= now + _AHEAD:
        yield Issue("value", f"Written now, or {OLDEST.days} days ago at most: an instant.", f"{where}.authoredOn")
    medication = line.get("medicationCodeableConcept", {})
    if not medication.get("text") and not medication.get("coding"):
        yield Issue("required", "A line names a medicine, by its code or in words.", f"{where}.medication[x]")
    if not any(one.get("text") for one in line.get("dosageInstruction", ())):
        yield Issue("required", "A line says how it is taken, in words.", f"{where}.dosageInstruction.text")
    substitution = line.get("substitution", {})
    if substitution.get("allowedBoolean") is False and not substitution.get("reason"):
        yield Issue("required", "Not substitutable is said with its reason.", f"{where}.substitution.reason")


def _group(line: Mapping[str, Any]) -> str | None:
    group = line.get("groupIdentifier", {})
    return group.get("value") if group.get("system") == PRESCRIPTION else None


def _requester(line: Mapping[str, Any]) -> str:
    identifier = line.get("requester", {}).get("identifier", {})
    try:
        return Actor(str(identifier.get("system")), str(identifier.get("value"))).name
    except DomainError:
        return ""


def _instant(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None


def _pdf(binary: Mapping[str, Any]) -> bytes | None:
    try:
        found = base64.b64decode(str(binary.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if binary.get("contentType") == "application/pdf" and found.startswith(b"%PDF-") else None
