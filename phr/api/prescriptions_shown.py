"""Prescriptions as FHIR Parameters: what a deposit, a code and a prescription are answered as."""

from typing import Any

from phr import qr
from phr.prescription.shown import LineShown, Prescription

Json = dict[str, Any]


def parts(**values: Any) -> Json:
    """A Parameters resource: a list says a name several times; a reference to a document is one."""
    listed = [(name, one) for name, value in values.items() for one in (value if isinstance(value, list) else [value])]
    return {"resourceType": "Parameters", "parameter": [_part(*one) for one in listed if one[1] is not None]}


def shown(one: Prescription) -> Json:
    """The answer of `$prescription`."""
    body = parts(task=one.task, document=one.document, signed=one.signed)
    body["parameter"] += [{"name": "line", "part": _line(line)} for line in one.lines]
    body["parameter"] += [_part("finding", found) for found in one.findings]
    body["parameter"] += [_part("unchecked", what) for what in one.unchecked]
    return body


def drawn(code: str, url: str) -> Json:
    """The answer of `$code`: the code, the address in its QR, and the QR as SVG."""
    return parts(code=code, url=url, svg=qr.svg(url))


def _line(line: LineShown) -> list[Json]:
    counted = (("remaining", line.remaining), ("allowed", line.allowed))
    said = [_part("request", line.request)]
    said += [{"name": name, "valueQuantity": {"value": n, "unit": line.unit}} for name, n in counted if n is not None]
    said += [{"name": "until", "valueDate": line.until.isoformat()}] if line.until is not None else []
    said += (
        [{"name": "rule", "valueCode": line.rule}, _part("why", line.why_fr), _part("why-en", line.why_en)]
        if line.rule
        else []
    )
    return said + [_part("dispense", one) for one in line.dispenses]


def _part(name: str, value: Any) -> Json:
    match value:
        case {"resourceType": _}:
            return {"name": name, "resource": value}
        case dict():
            return {"name": name, **value}
        case bool():
            return {"name": name, "valueBoolean": value}
    if name == "document":
        return {"name": name, "valueReference": {"reference": value}}
    return {"name": name, "valueUrl" if name == "url" else "valueString": str(value)}
