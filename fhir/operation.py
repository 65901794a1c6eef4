"""The Parameters resource of an operation, as it is sent or answered (FHIR R4 §3.2.0.2)."""

from typing import Any

Json = dict[str, Any]


def parameters(**values: Any) -> Json:
    """A Parameters resource: strings, booleans, integers, resources; what is None is left out."""
    return {
        "resourceType": "Parameters",
        "parameter": [_one(name, value) for name, value in values.items() if value is not None],
    }


def _one(name: str, value: Any) -> Json:
    if isinstance(value, dict):
        return {"name": name, "resource": value} if "resourceType" in value else {"name": name, **value}
    if isinstance(value, bool):
        return {"name": name, "valueBoolean": value}
    if isinstance(value, int):
        return {"name": name, "valueInteger": value}
    return {"name": name, "valueString": str(value)}
