"""Reading resources as what a checker asks about: medicines that are prescribed, given or taken, and allergies.

The rule: what is over, stopped, refuted or entered in error is not there; what does not say when it ends goes on.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from fhir import tokens
from phr.medicines.checker import Allergy, Subject
from phr.prevention.elements import coded, codings, first, objects, texts

Json = Mapping[str, Any]
GIVEN_FOR = 90
"""Days that what was dispensed is taken for, when its duration is not said."""
_OVER = frozenset({"inactive", "resolved"})
_WRONG = frozenset({"refuted", "entered-in-error"})
_MEDICINAL = frozenset({"medication", "biologic"})


def subject(resource: Json, line: int | None, medications: Mapping[str, Json]) -> Subject:
    """The medicine of a MedicationRequest, MedicationDispense or MedicationStatement.

    `medications`: the Medications of the record that it may refer to, by id.
    """
    kind = str(resource.get("resourceType"))
    concept = _concept(resource, medications)
    own = f"{kind}/{resource['id']}" if "id" in resource else kind
    treatment = {str(one["reference"]) for one in _followed(resource) if "reference" in one}
    treatment |= {own} if own.startswith("MedicationRequest/") else set()
    return Subject(own, line, _label(concept), tuple(codings(concept)), _names(concept), frozenset(treatment))


def allergy(resource: Json) -> Allergy:
    """An AllergyIntolerance: its code, and the substances of its reactions."""
    concepts = [resource.get("code"), *(one.get("substance") for one in objects(resource.get("reaction")))]
    listed = resource.get("category")
    categories = set(listed) if isinstance(listed, list) else set()
    medicinal = not categories or not _MEDICINAL.isdisjoint(categories)
    mild = resource.get("criticality") == "low"
    reference = f"AllergyIntolerance/{resource.get('id')}"
    return Allergy(reference, _label(concepts), tuple(codings(concepts)), _names(concepts), mild, medicinal)


def stands(resource: Json) -> bool:
    """Whether an AllergyIntolerance does."""
    return coded(resource.get("clinicalStatus")).isdisjoint(_OVER) and coded(
        resource.get("verificationStatus")
    ).isdisjoint(_WRONG)


def taken(resource: Json, today: date) -> bool:
    """Whether what a resource tells of is being taken: ordered, stated or given, and not over."""
    match resource.get("resourceType"):
        case "MedicationRequest":
            ordered = resource.get("status") == "active" and resource.get("doNotPerform") is not True
            return ordered and not _before(_ordered_until(resource), today)
        case "MedicationStatement":
            period = resource.get("effectivePeriod")
            until = first({"end": period["end"]}) if isinstance(period, Mapping) and "end" in period else None
            return resource.get("status") == "active" and not _before(until, today)
        case "MedicationDispense":
            given = first(resource.get("whenHandedOver"))
            if resource.get("status") not in ("completed", "in-progress") or given is None:
                return False
            return given <= today <= _later(given, _days(resource.get("daysSupply")) or GIVEN_FOR)
    return False


def _names(concepts: Any) -> tuple[str, ...]:
    """What concepts are called, each on one line."""
    return tuple(dict.fromkeys(" ".join(text.split()) for text in texts(concepts) if text.strip()))


def _label(concepts: Any) -> str:
    return next(iter(_names(concepts)), None) or next((code for _, code in codings(concepts)), "?")


def _ordered_until(resource: Json) -> date | None:
    """The last day of what was ordered, when it is said: of its supply with its repeats, or of its validity."""
    request = next(objects(resource.get("dispenseRequest")), {})
    authored, days = first(resource.get("authoredOn")), _days(request.get("expectedSupplyDuration"))
    validity = next(objects(request.get("validityPeriod")), {})
    ends = [first({"end": validity["end"]})] if "end" in validity else []
    if authored is not None and days is not None:
        repeats = request.get("numberOfRepeatsAllowed")
        times = 1 + (repeats if isinstance(repeats, int) and 0 <= repeats < 100 else 0)
        ends.append(_later(authored, days * times))
    return max((one for one in ends if one is not None), default=None)


def _days(duration: Any) -> int | None:
    """The days of a Duration; None when it is in another unit."""
    found = next(objects(duration), {})
    value = found.get("value")
    in_days = {found.get("code", found.get("unit"))} <= {"d", "day", "days", "jour", "jours"}
    return int(value) if in_days and isinstance(value, int | float | Decimal) and 0 < value < 10_000 else None


def _later(day: date, days: int) -> date:
    return day + timedelta(days=min(days, (date.max - day).days))


def _before(until: date | None, today: date) -> bool:
    return until is not None and until < today


def _followed(resource: Json) -> Iterator[Json]:
    """What a medicine is given or taken under, or replaces."""
    for name in ("authorizingPrescription", "basedOn", "priorPrescription", "derivedFrom"):
        yield from objects(resource.get(name))


def _concept(resource: Json, medications: Mapping[str, Json]) -> Any:
    if "medicationCodeableConcept" in resource:
        return resource["medicationCodeableConcept"]
    reference = str(next(objects(resource.get("medicationReference")), {}).get("reference", ""))
    if reference.startswith("#"):
        inside = (one for one in objects(resource.get("contained")) if one.get("id") == reference[1:])
        return next(inside, {}).get("code")
    local = tokens.local(reference)
    return medications.get(local[1], {}).get("code") if local is not None else None
