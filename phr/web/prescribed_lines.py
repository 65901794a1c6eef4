"""A line of a prescription as its pages say it: the medicine, how it is taken, what was dispensed of it, what is left.

The rule: a page says what `$prescription` answers to who reads it, and computes nothing of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from phr.access.consent import STRUCTURES
from phr.prescription.supply import REGULATION
from phr.prevention import dates
from phr.web.held import counted
from phr.web.prevention_plan import named_day
from phr.web.words import TEXTS

Json = dict[str, Any]
ALD = "https://carnet.example/StructureDefinition/ald"
NEXT = "https://carnet.example/StructureDefinition/next-dispense"


@dataclass(frozen=True, slots=True)
class Supply:
    """What a pharmacist did of a line, one day. `declined`: they did not dispense it, and why."""

    day: str
    quantity: str
    where: str
    product: str
    because: str
    declined: bool
    next: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `usual`: what one dispensing is, `most`: what may be dispensed today (None: it is not counted).

    `told`: how much each time, how many times, and what is special of it; `kept`: not to be substituted; `why`: what
    allows no more.
    """

    id: str
    name: str
    dosage: tuple[str, ...]
    told: tuple[str, ...]
    kept: bool
    left: bool
    remaining: str
    usual: Decimal | None
    most: Decimal | None
    allowed: str
    unit: str
    until: str
    why: str
    supplies: tuple[Supply, ...]
    request: Json

    @property
    def today(self) -> bool:
        """Whether something may be dispensed of it today."""
        return self.most is None or self.most > 0


def line_of(parts: Sequence[Json], language: str) -> Line:
    """Of the parts of a `line` that `$prescription` answers."""
    said = values_of(one for one in parts if one["name"] != "dispense")
    request, remaining, allowed = said["request"], said.get("remaining") or {}, said.get("allowed") or {}
    each = request.get("dispenseRequest", {}).get("quantity", {})
    most, usual = (Decimal(str(one["value"])) if "value" in one else None for one in (allowed, each))
    return Line(
        id=request["id"],
        name=text_of(request.get("medicationCodeableConcept", {})),
        dosage=tuple(one["text"] for one in request.get("dosageInstruction", ()) if "text" in one),
        told=tuple(_told(request, language)),
        kept=request.get("substitution", {}).get("allowedBoolean") is False,
        left=remaining.get("value", 1) > 0,
        remaining=amount(remaining, language),
        usual=usual if most is None or usual is None else min(most, usual),
        most=most,
        allowed=amount(allowed, language),
        unit=each.get("unit", ""),
        until=day_of(said.get("until") or "", language),
        why=said.get("why" if language == "fr" else "why-en", ""),
        supplies=tuple(_supply(one["resource"], request, language) for one in parts if one["name"] == "dispense"),
        request=request,
    )


def _told(request: Json, language: str) -> Iterator[str]:
    texts, supply, substitution = TEXTS[language], request.get("dispenseRequest", {}), request.get("substitution", {})
    if "quantity" in supply:
        yield texts["prescription_each"].format(quantity=amount(supply["quantity"], language))
    if supply.get("numberOfRepeatsAllowed"):
        yield counted("prescription_repeats", supply["numberOfRepeatsAllowed"], language)
    if substitution.get("allowedBoolean") is False:
        named = (f"prescription_kept_{code}" for code in _codes(substitution.get("reason", {})))
        yield texts[next((name for name in named if name in texts), "prescription_kept")]
    for one in request.get("extension", ()):
        if one["url"] == ALD and one.get("valueBoolean"):
            yield texts["prescription_ald"]
        elif one["url"] == REGULATION:
            yield texts[f"prescription_regulation_{one['valueCode']}"]


def _supply(dispense: Json, request: Json, language: str) -> Supply:
    name = text_of(dispense.get("medicationCodeableConcept", {}))
    substitution = dispense.get("substitution", {})
    declined = dispense["status"] == "declined"
    reasons = [dispense.get("statusReasonCodeableConcept", {})] if declined else substitution.get("reason", ())
    actors = [one["actor"] for one in dispense.get("performer", ())]
    places = [one for one in actors if one.get("identifier", {}).get("system") == STRUCTURES]
    following = (one.get("valueDate", "") for one in dispense.get("extension", ()) if one["url"] == NEXT)
    return Supply(
        day=day_of(dispense.get("whenHandedOver", ""), language),
        quantity=amount(dispense.get("quantity", {}), language),
        where=next((one["display"] for one in places if "display" in one), ""),
        product=name if name != text_of(request.get("medicationCodeableConcept", {})) else "",
        because=", ".join(filter(None, (reason_of(one, language) for one in reasons))),
        declined=declined,
        next=day_of(next(following, ""), language),
    )


def reason_of(concept: Json, language: str) -> str:
    """In the page's own words when it has them, whatever language it was recorded in."""
    words = (TEXTS[language].get(f"prescription_reason_{code.lower()}", "") for code in _codes(concept))
    return next(filter(None, words), text_of(concept))


def values_of(parts: Iterable[Json]) -> dict[str, Any]:
    """Names to values, of parameters that are named once."""
    return {one["name"]: next((value for name, value in one.items() if name != "name"), None) for one in parts}


def text_of(concept: Mapping[str, Any]) -> str:
    """A CodeableConcept as it is said: its text, else a label, else a code."""
    coded = [one.get("display") or one.get("code", "") for one in concept.get("coding", ())]
    return str(concept.get("text") or next(filter(None, coded), ""))


def amount(quantity: Mapping[str, Any], language: str) -> str:
    """« 2 boîtes », « 1,5 mL »; empty when there is none."""
    if "value" not in quantity:
        return ""
    number = f"{Decimal(str(quantity['value'])).normalize():f}"
    return f"{number.replace('.', ',') if language == 'fr' else number} {quantity.get('unit', '')}".strip()


def _codes(concept: Mapping[str, Any]) -> list[str]:
    return [one["code"] for one in concept.get("coding", ()) if "code" in one]


def day_of(text: str, language: str) -> str:
    """A date, or an instant as it is in Paris: « 3 mars 2027 »."""
    if "T" in text:
        return named_day(dates.day(datetime.fromisoformat(text)), language)
    return named_day(datetime.fromisoformat(text).date(), language) if len(text) == 10 else text
