"""A loaded medicine as a FHIR Medication: codes, form, what is in it, on what terms it is delivered.

The rule: what the files do not say is left out. A strength that is not a number is told in its own words alone.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from phr.medicines.medicine import Box, Ingredient, Medicine
from phr.prevention.codes import folded

Json = dict[str, Any]
CIS = "https://smt.esante.gouv.fr/terminologie-bdpm"
CIP = "https://smt.esante.gouv.fr/terminologie-cip_ucd"
ATC = ("http://www.whocc.no/atc", "https://smt.esante.gouv.fr/terminologie-atc")
SUBSTANCE = "https://carnet.example/CodeSystem/bdpm-substance"
"""The codes of the file of compositions: no system of theirs is published.

Of `CIP`: the French document core names it so (interop.esante.gouv.fr, a draft).
"""
_OURS = "https://carnet.example/StructureDefinition"
REGULATION, CONDITION = f"{_OURS}/regulation", f"{_OURS}/delivery-condition"
STRENGTH, GENERIC, ROUTE = f"{_OURS}/strength-text", f"{_OURS}/generic-group", f"{_OURS}/route-text"
NATURE = f"{_OURS}/substance-nature"
_LISTS = {"liste i": "list-i", "liste ii": "list-ii", "stupefiant": "narcotic", "stupefiants": "narcotic"}
_QUANTITY = re.compile(r"(?P<number>\d[\d ]*(?:[,.]\d+)?)\s*(?P<unit>\D.{0,60})?")
_ONE = re.compile(r"une?\s+(?P<unit>\S.{0,60})")


def regulation(conditions: Iterable[str]) -> list[str]:
    """The classes that the conditions of delivery name in so many words: list-i, list-ii, narcotic."""
    return sorted({code for text in conditions if (code := _LISTS.get(folded(text))) is not None})


def medication(one: Medicine, asked: str | None = None) -> Json:
    """The Medication of a medicine; `asked`: a CIP13, which is then the only one told."""
    extension: list[Json] = [{"url": REGULATION, "valueCode": code} for code in regulation(one.conditions)]
    extension += [{"url": CONDITION, "valueString": text} for text in one.conditions]
    extension += [{"url": ROUTE, "valueString": text} for text in one.routes]
    extension += [
        {
            "url": GENERIC,
            "extension": [
                {"url": "group", "valueCode": each.group},
                *([{"url": "type", "valueCode": each.type}] if each.type else []),
                *([{"url": "label", "valueString": each.label}] if each.label else []),
            ],
        }
        for each in one.generics
    ]
    told: Json = {
        "resourceType": "Medication",
        "extension": extension,
        "code": {"coding": [_coding(CIS, one.cis, one.name), *_boxes(one.boxes, asked)], "text": one.name},
        "status": "active" if one.authorised else "inactive",
        "manufacturer": {"display": one.holder} if one.holder else {},
        "form": {"text": one.form} if one.form else {},
        "ingredient": [_ingredient(each) for each in one.ingredients],
    }
    return {name: value for name, value in told.items() if value}


def _boxes(boxes: Iterable[Box], asked: str | None) -> Iterator[Json]:
    for box in boxes:
        if box.cip13 == asked if asked is not None else box.marketed:
            yield _coding(CIP, box.cip13, box.label)


def _ingredient(one: Ingredient) -> Json:
    item = {"coding": [_coding(SUBSTANCE, one.code, one.name)], "text": one.name}
    told: Json = {"extension": [{"url": NATURE, "valueCode": "SA" if one.active else "FT"}]}
    if one.strength:
        text = f"{one.strength} / {one.per}" if one.per else one.strength
        told["extension"].append({"url": STRENGTH, "valueString": text})
    told |= {"itemCodeableConcept": item, "isActive": True}
    numerator, denominator = _quantity(one.strength), _quantity(one.per)
    if numerator is not None and denominator is not None:
        told["strength"] = {"numerator": numerator, "denominator": denominator}
    return told


def _quantity(text: str) -> Json | None:
    """« 500 mg », « un comprimé », « 100 ml »: a Quantity; None for what is not a number, such as « 2CH à 30CH »."""
    found, one = _QUANTITY.fullmatch(text), _ONE.fullmatch(text)
    if one is not None:
        return {"value": 1, "unit": one["unit"]}
    if found is None or not (found["unit"] or "").strip() or any(char.isdigit() for char in found["unit"]):
        return None
    number = float(found["number"].replace(" ", "").replace(",", "."))
    return {"value": int(number) if number.is_integer() else number, "unit": found["unit"].strip()}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, **({"display": display} if display else {})}
