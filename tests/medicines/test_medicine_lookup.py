"""`Medication/$lookup` over HTTP: by CIS, by CIP13, by words of the name; who may ask, and what the journal keeps."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fhir.validation import validate
from phr.access.journal import journal
from phr.medicines import loading
from tests.house import Caller, House
from tests.medicines import bdpm_files as made
from tests.medicines.loaded_house import load
from tests.phr.care import software

Json = dict[str, Any]
OURS = "https://carnet.example/StructureDefinition"


async def look(caller: Caller, asked: str) -> list[Json]:
    answer = await caller.get(f"Medication/$lookup?{asked}")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    assert validate("Bundle", bundle) == ()
    return [one["resource"] for one in bundle.get("entry", ())]


def said(resource: Json, name: str) -> list[Any]:
    return [
        next(value for key, value in one.items() if key != "url")
        for one in resource.get("extension", ())
        if one["url"] == f"{OURS}/{name}"
    ]


async def test_a_medicine_by_its_cis_says_all_that_is_loaded(house: House, tmp_path: Path) -> None:
    await load(house, tmp_path)
    [one] = await look(software(house), f"code={made.AMOXI}")
    assert one["code"]["coding"] == [
        {"system": made.CIS, "code": made.AMOXI, "display": "AMOXIFICTIF 500 mg, gélule"},
        {"system": made.CIP, "code": made.BOX, "display": "plaquette(s) de 12 gélule(s)"},
    ]
    assert one["form"] == {"text": "gélule"}
    assert one["status"] == "active"
    assert one["manufacturer"] == {"display": "LABO"}
    assert said(one, "regulation") == ["list-i"]
    assert said(one, "route-text") == ["orale", "rectale"]
    salt, moiety = one["ingredient"]
    assert (said(salt, "substance-nature"), said(moiety, "substance-nature")) == (["SA"], ["FT"])
    assert salt["itemCodeableConcept"]["text"] == "AMOXICILLINE TRIHYDRATÉE"
    assert "strength" not in salt
    assert moiety["strength"] == {
        "numerator": {"value": 500, "unit": "mg"},
        "denominator": {"value": 1, "unit": "gélule"},
    }
    [group] = [one for one in one["extension"] if one["url"] == f"{OURS}/generic-group"]
    assert group["extension"][0] == {"url": "group", "valueCode": "77"}


async def test_what_the_file_does_not_say_is_left_out(house: House, tmp_path: Path) -> None:
    await load(house, tmp_path)
    [morphine] = await look(software(house), f"code={made.MORPH}")
    assert said(morphine, "regulation") == ["narcotic"]
    assert said(morphine, "delivery-condition") == ["stupéfiants", "prescription limitée à 28 jours"]
    [hospital] = await look(software(house), f"code={made.CLAV}")
    assert said(hospital, "regulation") == []
    [diluted] = await look(software(house), f"code={made.HOMEO}")
    assert "strength" not in diluted["ingredient"][0]
    assert said(diluted["ingredient"][0], "strength-text") == ["3CH à 30CH / une gélule"]
    [archived] = await look(software(house), f"code={made.KETO}")
    assert archived["status"] == "inactive"
    assert archived["ingredient"][0]["strength"]["numerator"]["value"] == 100.5


async def test_a_box_by_its_cip13_even_when_it_is_no_longer_sold(house: House, tmp_path: Path) -> None:
    await load(house, tmp_path)
    [one] = await look(software(house), f"code={made.OLD_BOX}")
    assert [coding["code"] for coding in one["code"]["coding"]] == [made.AMOXI, made.OLD_BOX]
    assert await look(software(house), "code=3400990000099") == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("keto", ["KÉTOFICTIF 100 mg, comprimé"]),
        ("KÉTOFICTIF", ["KÉTOFICTIF 100 mg, comprimé"]),
        ("elan clavu", ["CLAVUFICTIF ÉLAN 1 g/125 mg, comprimé pelliculé"]),
        ("comprimé 400", ["IBUFICTIF 400 mg, comprimé"]),
        ("fictif", []),
        ("amoxi zzz", []),
    ],
)
async def test_words_of_a_name_in_any_order(house: House, tmp_path: Path, name: str, found: list[str]) -> None:
    await load(house, tmp_path)
    assert [one["code"]["text"] for one in await look(software(house), f"name={name}")] == found


async def test_at_most_fifty_are_told(house: House, tmp_path: Path) -> None:
    many = [made.medicine(f"68{n:06d}", f"MULTIFICTIF {n} mg") for n in range(60)]
    made.write(tmp_path / "bdpm", medicines=many, boxes=[], compositions=[], conditions=[], generics=[])
    files = loading.find(tmp_path / "bdpm")
    loading.load(house.parts.engine, files, house.now(), lambda source, line: None)
    assert len(await look(software(house), "name=multi")) == 50


async def test_nothing_loaded_is_not_nothing_found(house: House) -> None:
    [told] = await look(software(house), f"code={made.AMOXI}")
    assert told["resourceType"] == "OperationOutcome"


async def test_who_may_ask(house: House, tmp_path: Path) -> None:
    await load(house, tmp_path)
    record = await house.open_record()
    asked = f"code={made.AMOXI}"
    for caller in (
        house.citizen(record, ("patient/MedicationRequest.rs",)),
        software(house, scopes=("user/Medication.rs",)),
        house.depositor(),
    ):
        assert len(await look(caller, asked)) == 1
    refused = await house.citizen(record, ("patient/Observation.rs",)).get(f"Medication/$lookup?{asked}")
    assert refused.status_code == 403
    assert (await house.http.get(f"/fhir/Medication/$lookup?{asked}")).status_code == 401


@pytest.mark.parametrize("asked", ["", "code=12", "code=abc", "name=", "name=%2F", f"code={made.AMOXI}&name=x"])
async def test_what_cannot_be_understood_is_refused(house: House, asked: str) -> None:
    assert (await software(house).get(f"Medication/$lookup?{asked}")).status_code == 400


async def test_it_is_journaled_without_what_was_looked_for(house: House, tmp_path: Path) -> None:
    await load(house, tmp_path)
    await look(software(house), "name=morphi")
    with Session(house.parts.engine) as session:
        [row] = session.execute(select(journal).where(journal.c.chain == "client:software")).all()
    assert (row.tag, row.resources) == ("medicine", [])
