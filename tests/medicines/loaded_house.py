"""A house where the made-up medicines are loaded."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from phr.medicines import loading
from tests.house import House
from tests.medicines import bdpm_files

Json = dict[str, Any]


async def load(house: House, tmp_path: Path, *, with_interactions: bool = True) -> None:
    """Load them as the command does."""
    folder = bdpm_files.write(tmp_path / "bdpm")
    supplied = bdpm_files.interactions(tmp_path / "interactions.csv") if with_interactions else None
    files = loading.find(folder, supplied)
    await run_in_threadpool(loading.load, house.parts.engine, files, datetime.now(UTC), lambda source, line: None)


def coded(cis: str | None = None, text: str | None = None, **more: str) -> Json:
    """A CodeableConcept: a CIS, an ATC code (`atc`) with its display, a text."""
    codings = [{"system": bdpm_files.CIS, "code": cis}] if cis else []
    if "atc" in more:
        codings.append({"system": bdpm_files.ATC, "code": more["atc"], "display": more.get("display", "")})
    if "cip" in more:
        codings.append({"system": bdpm_files.CIP, "code": more["cip"]})
    return {**({"coding": codings} if codings else {}), **({"text": text} if text else {})}


def order(record: str, concept: Json, **more: Any) -> Json:
    """A MedicationRequest."""
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{record}"},
        "medicationCodeableConcept": concept,
        **more,
    }


def allergy(record: str, concept: Json, **more: Any) -> Json:
    """An AllergyIntolerance."""
    return {
        "resourceType": "AllergyIntolerance",
        "patient": {"reference": f"Patient/{record}"},
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        },
        "code": concept,
        **more,
    }


def lines(*resources: Json) -> Json:
    """The body of $check-medicines."""
    return {"resourceType": "Parameters", "parameter": [{"name": "line", "resource": one} for one in resources]}
