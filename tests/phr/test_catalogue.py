"""The catalogue of referenced services: what the operator may write, what anybody reads, and what a status does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from auth import clients, purposes
from phr import catalogue, sandbox
from phr.commands.clients import clients_cli
from phr.core.vault import KeyFile
from tests.house import Caller, House
from tests.phr.portal import AGENDA, MEASURES, SERVICE, Portal, describe, portal, sent_back, service, text_of

FILE = """
[[service]]
client = "app"
publisher = "Éditions du Pont"
description_fr = "Vos mesures."
description_en = "Your measurements."
version = "1.2"
status = "EN_LIGNE"
terms = "https://app.test/terms"

[[service.purposes]]
code = "measures"
label_fr = "Suivre vos mesures"
label_en = "Follow your measurements"
description_fr = "Des courbes."
description_en = "Curves."
direction = "both"
scopes = ["patient/Observation.crs"]
"""


@pytest.fixture
async def ada(house: House) -> AsyncIterator[Portal]:
    found = await portal(house)
    async with found.browser:
        yield found


async def test_anybody_reads_what_a_service_is(house: House) -> None:
    app = service(house, SERVICE | {"terms": "https://app.test/terms"})
    plain, hidden = service(house, SERVICE | {"purposes": []}), service(house, None)
    answer = await house.http.get("/catalogue")
    assert answer.status_code == 200
    found = {one["client"]: one for one in answer.json()["services"]}
    assert {app.id, plain.id} <= found.keys()
    assert hidden.id not in found
    one = (await house.http.get(f"/catalogue/{app.id}")).json()
    assert one == found[app.id]
    told = (one["name"], one["publisher"], one["status"], one["version"], one["terms"])
    assert told == ("Mon Suivi", "Éditions du Pont", "EN_LIGNE", "1.2", "https://app.test/terms")
    measures = one["purposes"][0]
    assert (measures["code"], measures["direction"]) == ("measures", "both")
    assert measures["label"] == {"fr": "Suivre vos mesures", "en": "Follow your measurements"}
    assert measures["data"] == {
        "fr": ["Consulter et ajouter vos résultats et mesures"],
        "en": ["View and add your results and measurements"],
    }
    assert found[plain.id]["purposes"] == []
    for unknown in (hidden.id, "nobody", "a/b", "hospital"):
        answer = await house.http.get(f"/catalogue/{unknown}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_demo_world_has_a_catalogue(house: House) -> None:
    await sandbox.load(house.parts.installation, house.parts.server, datetime.now(UTC))
    found = {one["client"]: one for one in (await house.http.get("/catalogue")).json()["services"]}
    assert [one["code"] for one in found["carnet-demo-web"]["purposes"]] == ["measures", "documents", "agenda"]


async def test_a_service_that_stops_is_refused_at_once(house: House, ada: Portal) -> None:
    for status in ("SUSPENDUE", "DEREFERENCEE"):
        app = service(house)
        token = await ada.connect(app, "measures")
        mine = Caller(house, token["access_token"])
        assert (await mine.get("Observation")).status_code == 200
        describe(house, app, status=status)
        assert (await mine.get("Observation")).status_code == 401
        assert (await ada.refresh(app, token)).json()["error"] == "invalid_client"
        page = await ada.page(app)
        assert (page.status_code, "location" in page.headers) == (400, False)
        assert f"unauthorized_client — This service is {status}" in text_of(page)
        assert (await house.http.get(f"/catalogue/{app.id}")).json()["status"] == status
        describe(house, app)
        assert (await mine.get("Observation")).status_code == 200


async def test_who_was_shut_out_is_not_let_in_by_the_catalogue(house: House, ada: Portal) -> None:
    app = service(house)
    with Session(house.parts.server.engine) as session, session.begin():
        clients.disable(session, app.id)
    describe(house, app, version="2")
    assert (await ada.page(app)).status_code == 400


@pytest.mark.parametrize("status", ["HORS_LIGNE", "PRESERIE"])
async def test_a_service_that_is_not_open_keeps_what_it_has_and_gets_no_more(
    house: House, ada: Portal, status: str
) -> None:
    app = service(house)
    token = await ada.connect(app, "measures")
    describe(house, app, status=status)
    house.parts.server.trial = False
    back = sent_back(await ada.page(app))
    assert back["error"] == "unauthorized_client"
    assert status in back["error_description"]
    assert (await Caller(house, token["access_token"]).get("Observation")).status_code == 200
    assert (await ada.refresh(app, token)).status_code == 200


async def test_a_service_in_trial_is_connected_in_a_sandbox(house: House, ada: Portal) -> None:
    house.parts.server.trial = True
    app = service(house, SERVICE | {"status": "PRESERIE"})
    assert "access_token" in await ada.connect(app, "measures")
    assert sent_back(await ada.page(service(house, SERVICE | {"status": "HORS_LIGNE"})))["error"]


async def test_what_no_purpose_needs_is_not_asked(house: House, ada: Portal) -> None:
    app = service(house, SERVICE | {"purposes": [AGENDA]})
    back = sent_back(await ada.page(app, scope="openid patient/Observation.rs"))
    assert back["error"] == "invalid_scope"
    with_name = service(house, SERVICE | {"purposes": [{**MEASURES, "scopes": ["patient/Observation.crs", "profile"]}]})
    token = await ada.connect(with_name, "measures", duration="once")
    assert "profile" not in token["scope"].split()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "OUVERTE"}, "status"),
        ({"publisher": " "}, "publisher"),
        ({"terms": "http://app.test"}, "https"),
        ({"price": "free"}, "price"),
        ({"purposes": [MEASURES, MEASURES]}, "same code"),
        ({"purposes": [{**MEASURES, "code": "Mesures !"}]}, "code"),
        ({"purposes": [{**MEASURES, "label_en": ""}]}, "English"),
        ({"purposes": [{**MEASURES, "direction": "read"}]}, "not what its scopes do"),
        ({"purposes": [{**MEASURES, "direction": "sideways"}]}, "direction"),
        ({"purposes": [{**MEASURES, "scopes": []}]}, "patient scopes"),
        ({"purposes": [{**MEASURES, "scopes": ["profile"]}]}, "patient scopes"),
        ({"purposes": [{**MEASURES, "scopes": ["user/Observation.rs"]}]}, "patient scopes"),
        ({"purposes": [{**MEASURES, "scopes": ["patient/Observation.crs", "openid"]}]}, "patient scopes"),
        ({"purposes": [{**MEASURES, "why": "so"}]}, "why"),
        ({"purposes": ["measures"]}, "table"),
    ],
)
def test_what_is_not_sound_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        purposes.read(SERVICE | change)


def test_what_is_kept_is_read_back() -> None:
    found = purposes.read(SERVICE)
    assert purposes.read(purposes.kept(found)) == found
    moved = replace(found, purposes=tuple(reversed(found.purposes)), version="2", publisher="Autre")
    assert purposes.digests(moved) == purposes.digests(found), "only what a purpose says is agreed to"
    said = replace(found.purposes[0], description_en="Curves, sold.")
    assert said.digest != found.purposes[0].digest


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Any:
    """The command, in a sandbox started before, on a file of this text."""
    KeyFile.create(tmp_path / "keys" / "kek.json", "sandbox-1")
    environment = {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(tmp_path), "PHR_DATABASE_URL": database_url}
    cli = typer.Typer()
    cli.add_typer(clients_cli, name="clients")

    def invoke(*arguments: str, text: str | None = None) -> Result:
        path = tmp_path / "services.toml"
        if text is not None:
            path.write_text(text)
            arguments = (*arguments, str(path))
        return CliRunner().invoke(cli, ["clients", *arguments], env={"COLUMNS": "300", **environment})

    return invoke


def test_the_operator_describes_services(run: Any) -> None:
    app = ("add", "app", "citizen-app", "Mon Suivi", "--redirect-uri", "https://app.test/cb")
    assert run(*app, "--scope", "patient/Observation.cruds").exit_code == 0
    done = run("describe", text=FILE)
    assert done.exit_code == 0, done.output
    assert '"status": "EN_LIGNE"' in done.output
    suspended = run("describe", text=FILE.replace("EN_LIGNE", "SUSPENDUE"))
    assert '"disabled": true' in suspended.output
    for text, why in (
        (FILE.replace('"app"', '"nobody"'), "no client is called nobody"),
        (FILE.replace("Observation.crs", "Condition.crs"), "not registered for"),
        (FILE.replace("Observation.crs", "Observation.crs?code:in=x"), "patient scopes"),
        (FILE.replace("Observation.crs", "Observation.crs?status:missing=1"), "patient scopes"),
        (FILE.replace("EN_LIGNE", "EN LIGNE"), "app: service"),
        (FILE.replace('client = "app"', ""), "says its client"),
        ("[[service", "TOML"),
        ("[other]", "[[service]]"),
        ("", "[[service]]"),
    ):
        answer = run("describe", text=text)
        assert answer.exit_code == 2, answer.output
        assert why in answer.stderr, answer.stderr
        assert answer.stderr.startswith("Nothing was changed")
    assert run("describe", "/nowhere.toml").exit_code == 2


def test_purposes_are_for_the_applications_of_people(run: Any) -> None:
    practice = (
        "add",
        "app",
        "professional",
        "Cabinet",
        "--scope",
        "user/*.rs",
        "--redirect-uri",
        "https://app.test/cb",
    )
    assert run(*practice).exit_code == 0
    assert "serves professionals" in run("describe", text=FILE).stderr


def test_a_purpose_that_cannot_be_enforced_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "services.toml"
    path.write_text(FILE.replace("Observation.crs", "Observation.crs?nothing=x"))
    with pytest.raises(ValueError, match="cannot enforce"):
        catalogue.services_in(path)
