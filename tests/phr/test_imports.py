"""Importing bundles: what goes in comes back, once, and what fails says why and leaves nothing."""

import json
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from fhir import wire
from fhir.parameters import KINDS
from fhir.tables import record
from phr import imports
from phr.__main__ import cli
from phr.core.settings import Settings
from tests.house import House, observation

Json = dict[str, Any]
SAMPLES = os.environ.get("SYNTHEA_R4")
BASE = "http://carnet.test/fhir"


def _person(n: int, weights: int) -> Json:
    """A bundle as generators write them: urn:uuid references, ids of their own, a professional shared by all."""
    url = f"urn:uuid:aaaaaaaa-0000-4000-8000-{n:012d}"
    doctor = {
        "resourceType": "Practitioner",
        "id": "doctor",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "10101010101"}],
        "name": [{"family": "Perrin"}],
    }
    patient = {"resourceType": "Patient", "id": f"p{n}", "name": [{"family": f"Person{n}"}], "gender": "female"}
    weight = observation("x", subject={"reference": url}, performer=[{"reference": "urn:uuid:doctor"}])
    entries = [(url, patient), ("urn:uuid:doctor", doctor)]
    entries += [(f"urn:uuid:bbbbbbbb-{n:04d}-4000-8000-{k:012d}", {**weight, "id": f"w{k}"}) for k in range(weights)]
    listed = [
        {"fullUrl": full, "resource": body, "request": {"method": "POST", "url": body["resourceType"]}}
        for full, body in entries
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": listed}


def _bare(node: Any) -> Any:
    """Without ids, meta and what points somewhere: what an import may change."""
    if isinstance(node, dict):
        dropped = ("id", "meta", "reference", "fullUrl")
        return {key: _bare(value) for key, value in node.items() if key not in dropped}
    if isinstance(node, list):
        return [_bare(value) for value in node]
    return str(node) if isinstance(node, Decimal) else node


def _canonical(resource: Json) -> str:
    return json.dumps(_bare(resource), sort_keys=True, ensure_ascii=False)


async def _everything(house: House, record: str) -> list[Json]:
    found: list[Json] = []
    path: str | None = f"Patient/{record}/$everything?_count=200"
    while path is not None:
        answer = await house.citizen(record).get(path)
        assert answer.status_code == 200
        bundle = wire.restore(answer.content)
        found += [entry["resource"] for entry in bundle.get("entry", ())]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links["next"].removeprefix(f"{BASE}/") if "next" in links else None
    return found


async def _load(house: House, raw: Json, name: str) -> str:
    visit = imports.visit_of(house.parts.installation, "import", datetime.now(UTC))
    made = await imports.load(visit, name, raw, BASE)
    return next(one.id for one in made if one is not None and one.kind.name == "Patient")


async def _compare(house: House, bundle: Json, record: str) -> None:
    went_in = Counter(
        _canonical(entry["resource"])
        for entry in bundle["entry"]
        if not KINDS[entry["resource"]["resourceType"]].commons
    )
    came_back = Counter(
        _canonical(resource)
        for resource in await _everything(house, record)
        if not KINDS[resource["resourceType"]].commons
    )
    assert came_back == went_in


async def test_what_goes_in_comes_back(house: House) -> None:
    bundle = _person(1, 30)
    bundle["entry"][5]["resource"]["valueQuantity"]["value"] = Decimal("71.500")
    record = await _load(house, bundle, "one")
    await _compare(house, bundle, record)
    found = await house.citizen(record).get("Observation?_count=200&_include=Observation:performer")
    doctors = [e for e in found.json()["entry"] if e["resource"]["resourceType"] == "Practitioner"]
    assert len(doctors) == 1


async def test_a_professional_in_every_file_is_stored_once(house: House) -> None:
    for n in range(3):
        await _load(house, _person(n, 1), f"file {n}")
    answer = await house.operator().get(
        "Practitioner?identifier=https://rpps.esante.gouv.fr|10101010101&_total=accurate"
    )
    assert answer.json()["total"] == 1


@pytest.mark.skipif(SAMPLES is None, reason="SYNTHEA_R4 names no folder of Synthea R4 bundles")
async def test_generated_records_come_back_equal(house: House) -> None:
    total = 0
    for path in imports.files([Path(str(SAMPLES))]):
        raw = path.read_bytes()
        bundle = wire.decode(raw, imports.NESTING)
        loaded = await imports.load_file(house.parts.installation, path, BASE, datetime.now(UTC))
        assert loaded.failed == ()
        total += loaded.resources
        again = await imports.load_file(house.parts.installation, path, BASE, datetime.now(UTC))
        assert again.already
        patients = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
        if patients:
            await _compare(house, bundle, _newest_record(house))
    assert total > 3000


def _newest_record(house: House) -> str:
    with house.parts.engine.connect() as connection:
        return str(connection.execute(select(record.c.id).order_by(record.c.opened.desc())).scalars().first())


def test_what_fails_is_said_and_leaves_nothing(
    settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(wire.encode(_person(1, 2)))
    broken = _person(2, 2)
    broken["entry"][3]["resource"]["status"] = "zzz"
    bad.write_bytes(wire.encode(broken))
    monkeypatch.setenv("PHR_ENV", "sandbox")
    monkeypatch.setenv("PHR_DATABASE_URL", database_url)
    monkeypatch.setenv("PHR_DATA_DIR", str(settings.data_dir))
    first = CliRunner().invoke(cli, ["import", str(good), str(bad)])
    assert first.exit_code == 1
    assert "4 resources imported, 0 were there already, 1 files failed" in first.output
    assert "bad.json: nothing was imported" in first.output
    assert "Bundle.entry[3].resource.status" in first.output
    second = CliRunner().invoke(cli, ["import", str(good)])
    assert second.exit_code == 0
    assert "0 resources imported, 4 were there already" in second.output
    third = CliRunner().invoke(cli, ["import", str(tmp_path / "absent.json")])
    assert third.exit_code == 2
