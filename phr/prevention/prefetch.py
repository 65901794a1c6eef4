"""What a CDS Hooks client fetched before it calls: what is asked of it, and who it is about.

The rule: only what says something here is asked for; what is missing, failed or cut into pages is not taken for undone.
"""

from collections.abc import Mapping
from typing import Any

from phr.core.errors import DomainError, Issue, Reason
from phr.prevention.canonical import LOINC
from phr.prevention.codes import VALUE_SETS
from phr.prevention.elements import Json, another, objects
from phr.prevention.known import READ
from phr.prevention.person import Person
from phr.prevention.record import person_of

_TYPES = {
    "patient": "Patient",
    "immunizations": "Immunization",
    "conditions": "Condition",
    "observations": "Observation",
    "procedures": "Procedure",
}
_CODES = {
    *(one.code for found in VALUE_SETS.values() for one in found.codes if one.system == LOINC),
    *(code for system, code in READ if system == LOINC),
}


def _templates() -> dict[str, str]:
    found = {name: f"{kind}?patient={{{{context.patientId}}}}" for name, kind in _TYPES.items()}
    coded = ",".join(f"{LOINC}|{code}" for code in sorted(_CODES))
    return {
        **found,
        "patient": "Patient/{{context.patientId}}",
        "observations": f"{found['observations']}&code={coded}",
    }


TEMPLATES = _templates()
"""The prefetch templates (CDS Hooks 2.0, Prefetch Template), by key."""


def brought(prefetch: Any, patient: str) -> Person | None:
    """Who the prefetched resources are about, by the id the call gives; None when they are dead.

    Raises PRECONDITION when a key of TEMPLATES is missing (null: there is nothing), failed, or not the whole.
    """
    if not isinstance(prefetch, Mapping):
        raise unknown()
    found: list[Json] = []
    for name, kind in _TYPES.items():
        value = prefetch.get(name, "missing")
        if value is not None and not isinstance(value, Mapping):
            raise unknown()
        found += [one for one in _resources(value or {}) if one.get("resourceType") == kind]
    about = next((one for one in found if one["resourceType"] == "Patient" and one.get("id") == patient), None)
    if about is None:
        raise unknown()
    if any(another(one, patient) for one in found):
        raise unknown()  # two people's facts taken for one's would be worse than none
    dead = about.get("deceasedBoolean") or "deceasedDateTime" in about
    return None if dead else person_of(found)


def _resources(value: Json) -> list[Json]:
    """A resource, or all those of a Bundle. Raises PRECONDITION."""
    kind = value.get("resourceType")
    more = any(link.get("relation") == "next" for link in objects(value.get("link")))
    if kind == "OperationOutcome" or (kind == "Bundle" and more):
        raise unknown()
    if kind != "Bundle":
        return [value]
    return [one for entry in objects(value.get("entry")) for one in objects(entry.get("resource"))]


def unknown() -> DomainError:
    """CDS Hooks 2.0: 412, "unable to retrieve the necessary FHIR data to execute its decision support"."""
    text = "What is known of this patient could not be had: prefetch it whole, or send their professional's token."
    return DomainError(Reason.PRECONDITION, Issue("incomplete", text))
