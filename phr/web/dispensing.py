"""The form of a dispense: what a pharmacist says of each line, as the MedicationDispense that the API takes.

The rule: every line is answered, and a line that is not dispensed says why; how much may be is the API's to judge.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fhir.operation import parameters
from phr.web.pages import Pairs
from phr.web.prescribed_lines import NEXT, Line

Json = dict[str, Any]
AT_ONCE = 15
"""Lines in one form: a form has at most a hundred fields."""
DELIVER, DECLINE, LATER = "deliver", "decline", "later"
NOT_DISPENSED = "http://terminology.hl7.org/CodeSystem/medicationdispense-status-reason"
SUBSTITUTED = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
REASONS = ("frr04", "clarif", "sddi", "saig", "sdupther", "preg", "frr01", "unwanted")
"""Why a line is not dispensed: HL7's codes, and one of ours without a code."""
SUBSTITUTIONS = ("FP", "OS", "CT", "RR")
"""Why another product is: HL7's v3 ActReason, below SubstanceAdminSubstitutionReason."""
_FIELDS = ("do", "quantity", "product", "because", "reason", "next")
_NUMBER = re.compile(r"\d{1,6}([.,]\d{1,3})?")
_LONGEST = 200


class Unclear(Exception):  # noqa: N818
    """What was typed cannot be sent: the name of the text that says so, and the line."""

    def __init__(self, text: str, line: str) -> None:
        super().__init__(text)
        self.text, self.line = text, line


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of a line: as typed, or as the form proposes it."""

    line: Line
    do: str
    quantity: str = ""
    product: str = ""
    because: str = ""
    reason: str = ""
    next: str = ""


def entries(lines: Sequence[Line], form: Pairs) -> list[Entry]:
    """The lines that are asked about: those of which something is left. Proposed: what may be dispensed today."""
    given, asked = dict(form), [line for line in lines if line.left][:AT_ONCE]
    return [
        Entry(line, **{name: given.get(f"{name}-{line.id}", "") for name in _FIELDS})
        if f"do-{line.id}" in given
        else Entry(line, DELIVER if line.today else LATER, _proposed(line))
        for line in asked
    ]


def dispenses(said: Sequence[Entry], words: Mapping[str, str]) -> list[Json]:
    """What to send. `words`: the page's, for what has no code. Raises Unclear."""
    made = [_dispense(one, words) for one in said if one.do in (DELIVER, DECLINE)]
    if not made:
        raise Unclear("pharmacy_nothing", "")
    return made


def refused(said: Sequence[Entry], where: str) -> tuple[str, str]:
    """What the API refuses, as the name of a text and the line it is about, by where it says it is."""
    found = re.search(r"'dispense'\)\[(\d+)\]\.resource\.?([\w.]*)", where)
    sent = [one.line.id for one in said if one.do in (DELIVER, DECLINE)]
    if found is None or int(found[1]) >= len(sent):
        return "pharmacy_problem_422", ""
    part = found[2].partition(".")[0]
    text = {"quantity": "pharmacy_too_much", "substitution": "pharmacy_kept"}.get(part, "pharmacy_problem_422")
    return text, sent[int(found[1])]


def body(secret: str, made: Sequence[Json]) -> Json:
    """The Parameters of `$dispense`."""
    asked = parameters(secret=secret)
    return {**asked, "parameter": [*asked["parameter"], *({"name": "dispense", "resource": one} for one in made)]}


def _proposed(line: Line) -> str:
    return f"{line.usual.normalize():f}" if line.today and line.usual is not None else ""


def _dispense(one: Entry, words: Mapping[str, str]) -> Json:
    line = one.line
    common = {
        "resourceType": "MedicationDispense",
        "subject": line.request["subject"],
        "authorizingPrescription": [{"reference": f"MedicationRequest/{line.id}"}],
    }
    medicine = line.request["medicationCodeableConcept"]
    if one.do == DECLINE:
        if one.reason not in REASONS:
            raise Unclear("pharmacy_reason_missing", line.id)
        coded = {} if one.reason == "unwanted" else {"coding": [{"system": NOT_DISPENSED, "code": one.reason}]}
        why = {**coded, "text": words[f"prescription_reason_{one.reason}"]}
        return {
            **common,
            "status": "declined",
            "statusReasonCodeableConcept": why,
            "medicationCodeableConcept": medicine,
        }
    if _NUMBER.fullmatch(one.quantity) is None or (value := Decimal(one.quantity.replace(",", "."))) == 0:
        raise Unclear("pharmacy_quantity_wrong", line.id)
    product = one.product.strip()[:_LONGEST]
    made: Json = {
        **common,
        "status": "completed",
        "medicationCodeableConcept": {"text": product} if product else medicine,
        "quantity": {**line.request.get("dispenseRequest", {}).get("quantity", {}), "value": value},
    }
    if product:
        if one.because not in SUBSTITUTIONS:
            raise Unclear("pharmacy_because_missing", line.id)
        text = words[f"prescription_reason_{one.because.lower()}"]
        reason = {"coding": [{"system": SUBSTITUTED, "code": one.because}], "text": text}
        made["substitution"] = {"wasSubstituted": True, "reason": [reason]}
    if one.next:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", one.next) is None:
            raise Unclear("pharmacy_next_wrong", line.id)
        made["extension"] = [{"url": NEXT, "valueDate": one.next}]
    return made
