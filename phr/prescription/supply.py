"""What each line of a prescription gives, what was dispensed of it, and what is left.

The rule: pure and exact, in the unit of the line; a line without a quantity is recorded when dispensed, never counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from phr.core.errors import invalid
from phr.prescription.measure import amount, day, days

Json = Mapping[str, Any]
REGULATION = "https://carnet.example/StructureDefinition/regulation"
REGULATIONS = frozenset(
    {"list-i", "list-ii", "narcotic", "narcotic-14", "narcotic-7", "hypnotic", "anxiolytic", "isotretinoin"}
)
"""How a medicine is regulated, as prescribing software says it. narcotic-14, narcotic-7: those for 14 or 7 days."""
_REPEATS = 99
_SUPPLY = "MedicationRequest.dispenseRequest"


@dataclass(frozen=True, slots=True)
class Line:
    """`quantity` and `duration` (days) are of ONE dispensing, and there are 1 + `repeats`. None: not said.

    `authored` and `until` are days in Paris: the day it was written and its last day, both included.
    """

    id: str
    quantity: Decimal | None
    unit: str
    repeats: int
    duration: int | None
    authored: date
    until: date
    regulations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Given:
    """One dispensing of a line, on a day in Paris. `quantity` None: not said. `days`: how long it lasts, if said."""

    line: str
    quantity: Decimal | None
    on: date
    days: int | None = None


def line_of(medication_request: Json, authored: date, until: date) -> Line:
    """A MedicationRequest as a line; its own validityPeriod may end it before `until`. Raises CONTENT (422)."""
    asked = medication_request.get("dispenseRequest", {})
    quantity, repeats = asked.get("quantity", {}), asked.get("numberOfRepeatsAllowed", 0)
    if type(repeats) is not int or not 0 <= repeats <= _REPEATS:
        raise invalid(f"Renewed {_REPEATS} times at most.", f"{_SUPPLY}.numberOfRepeatsAllowed", "value")
    found = [one for one in medication_request.get("extension", ()) if one.get("url") == REGULATION]
    regulations = frozenset(str(one.get("valueCode")) for one in found)
    if not regulations <= REGULATIONS:
        raise invalid("No such regulation of a medicine.", "MedicationRequest.extension", "value")
    end = asked.get("validityPeriod", {}).get("end")
    return Line(
        id=str(medication_request["id"]),
        quantity=amount(quantity, f"{_SUPPLY}.quantity"),
        unit=str(quantity.get("unit", "")),
        repeats=repeats,
        duration=days(asked.get("expectedSupplyDuration", {}), f"{_SUPPLY}.expectedSupplyDuration"),
        authored=authored,
        until=until if end is None else min(until, day(end, f"{_SUPPLY}.validityPeriod.end")),
        regulations=regulations,
    )


def given_of(medication_dispense: Json) -> Given | None:
    """A MedicationDispense as what was given; None: nothing was (declined, entered in error). Raises CONTENT (422)."""
    if medication_dispense.get("status") != "completed":
        return None
    named = medication_dispense.get("authorizingPrescription", ())
    kind, _, line = str(named[0].get("reference", "") if len(named) == 1 else "").partition("/")
    if kind != "MedicationRequest" or not line:
        where = "MedicationDispense.authorizingPrescription"
        raise invalid("A dispensing names the one line it is of.", where, "required")
    return Given(
        line,
        amount(medication_dispense.get("quantity", {}), "MedicationDispense.quantity"),
        day(medication_dispense.get("whenHandedOver"), "MedicationDispense.whenHandedOver"),
        days(medication_dispense.get("daysSupply", {}), "MedicationDispense.daysSupply"),
    )


def remaining(line: Line, given: Iterable[Given]) -> Decimal | None:
    """What is left of quantity × (1 + repeats), never below zero; None: the line is not counted."""
    if line.quantity is None:
        return None
    prescribed = line.quantity * (1 + line.repeats)
    return max(prescribed - dispensed(line, given), Decimal(0))


def dispensed(line: Line, given: Iterable[Given]) -> Decimal:
    """How much was given of a line."""
    return sum((quantity_of(line, one) for one in _of(line, given)), Decimal(0))


def quantity_of(line: Line, given: Given) -> Decimal:
    """How much one dispensing of a line was; a whole one if it does not say."""
    return given.quantity if given.quantity is not None else line.quantity or Decimal(0)


def finished(lines: Iterable[Line], given: Iterable[Given]) -> bool:
    """Whether nothing is left of any line; one that is not counted ends with its 1 + repeats dispensings."""
    every = tuple(given)
    return all(
        not remaining(line, every) if line.quantity is not None else len(_of(line, every)) > line.repeats
        for line in lines
    )


def _of(line: Line, given: Iterable[Given]) -> list[Given]:
    return [one for one in given if one.line == line.id]
