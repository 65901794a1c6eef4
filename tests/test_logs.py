"""What the logs say at their most talkative: that something was asked and answered, never what or about whom."""

import base64
import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from phr import reading, sandbox
from phr.core.settings import Settings
from tests import signing_in
from tests.auth.city import enter_code, enter_password
from tests.deposit import PDF, bytes_of, clinic, deposited, document, label, submission
from tests.house import INS_SYSTEM, House, observation
from tests.logwatch import secrets_in, told
from tests.test_crash import folder, free_port, serving

__all__ = ["folder"]

OURS = ("httpx", "httpcore", "hypothesis", "faker", "asyncio.test")
MARKS = ("Quetzalcoatl", "Zanzibar-7719", "zq-code-4242", "Ouagadougou")


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Everything logged since, at DEBUG, but by the test's own HTTP client."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.INFO)
    return lambda: [told(record) for record in caplog.records if not record.name.startswith(OURS)]


async def _everything_that_can_happen(house: House, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Requests that succeed and requests that fail, each carrying marks that must not be logged."""
    by = await clinic(house, MARKS[0])
    ins = house.new_ins()
    known = {"system": INS_SYSTEM, "value": ins}
    record = await house.open_record(ins, name=[{"family": MARKS[0], "given": ["Ada"]}])
    citizen, hospital = house.citizen(record), house.depositor()
    described = document(record, by, b"%PDF-" + MARKS[1].encode())
    described["content"][0]["attachment"]["title"] = MARKS[3]
    stored = await deposited(hospital, described, b"%PDF-" + MARKS[1].encode())
    name = f"DocumentReference/{stored['id']}"
    coded = {"code": {"coding": [{"system": "urn:x", "code": MARKS[2]}], "text": MARKS[3]}}
    wrong = {**observation(record, **coded), "status": MARKS[2]}
    answers = [
        await citizen.get(name),
        await citizen.get(bytes_of(stored), Accept="*/*"),
        await citizen.get(f"Observation?code={MARKS[2]}&_sort=-date&_total=accurate"),
        await citizen.get(f"Observation?code={MARKS[2]}&nothing={MARKS[0]}", Prefer="handling=strict"),
        await citizen.post("Observation", observation(record, **coded)),
        await citizen.post("Observation", wrong),
        await citizen.post("Observation", {**wrong, MARKS[0]: MARKS[1]}),
        await citizen.ask("POST", "Observation", {"Content-Type": "application/fhir+json"}, content=MARKS[1]),
        await citizen.ask("POST", "Observation", {"Content-Type": "text/html"}, content=MARKS[1]),
        await citizen.get(f"Observation/{MARKS[1]}"),
        await citizen.get(f"{MARKS[0]}/{record}"),
        await citizen.get(name, Accept="application/xml"),
        await citizen.patch(name, [{"op": "replace", "path": f"/{MARKS[0]}", "value": MARKS[1]}]),
        await citizen.patch(name, [{"op": "replace", "path": "/status", "value": "entered-in-error"}]),
        await citizen.patch(name, [{"op": "replace", "path": "/securityLabel", "value": [label("MASQUE_PS")]}]),
        await citizen.put(name, stored, If_Match='W/"77"'),
        await hospital.get(f"Patient?identifier={INS_SYSTEM}|{ins}"),
        await hospital.get(f"Patient?identifier={INS_SYSTEM}|{house.new_ins()}"),
        await hospital.post("", submission([document(record, by, title=MARKS[3])])),
        await hospital.ask("POST", "Binary", {"Content-Type": "application/pdf"}, content=PDF + MARKS[1].encode()),
        await house.operator().post("Patient", {"resourceType": "Patient", "identifier": [known]}),
        await house.http.get(f"/fhir/{name}", headers={"Authorization": f"Bearer {MARKS[1]}"}),
        await house.http.get(f"/fhir/{name}", headers={"Authorization": f"Bearer {citizen.token[:-2]}"}),
        await house.http.post("/oauth/token", data={"grant_type": "client_credentials", "client_assertion": MARKS[1]}),
        await house.http.post("/oauth/token", data={"grant_type": MARKS[0], "code": MARKS[1], "client_id": MARKS[2]}),
        await house.http.post("/oauth/revoke", data={"token": citizen.token, "client_id": MARKS[2]}),
        await house.http.get("/oauth/authorize", params={"client_id": MARKS[0], "state": MARKS[1]}),
        await house.http.get(f"/{MARKS[0]}?{MARKS[1]}={ins}"),
    ]

    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{MARKS[0]} {record} {ins}")

    monkeypatch.setattr(reading, "read", broken)
    answers.append(await citizen.get(name))
    return {answer.status_code for answer in answers}


async def test_logs_say_nothing_of_anyone(
    house: House, written: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = await _everything_that_can_happen(house, monkeypatch)
    assert statuses >= {200, 201, 400, 401, 403, 404, 406, 409, 412, 415, 422, 500}
    lines = written()
    assert len([line for line in lines if " 200 " in line]) > 5, "answers are logged"
    for line in lines:
        assert secrets_in(line) == [], line
        assert not any(mark.lower() in line.lower() for mark in MARKS), line


async def test_signing_in_is_not_told(house: House, written: Callable[[], list[str]]) -> None:
    await sandbox.load(house.parts.installation, house.parts.server, datetime.now(UTC))
    told_by = sandbox.described(house.settings, datetime.now(UTC))
    person = told_by["citizens"][0]
    app = next(one for one in told_by["clients"] if one["kind"] == "citizen-app")
    query = {
        "response_type": "code",
        "client_id": app["client_id"],
        "redirect_uri": app["redirect_uris"][0],
        "scope": "patient/Observation.rs",
        "state": MARKS[1],
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }
    signer: Any = type("Signer", (), {"login": person["login"]})
    transport = house.http._transport
    async with httpx.AsyncClient(transport=transport, base_url="https://carnet.test") as browser:
        refused = await enter_password(browser, signer, query, password=MARKS[0])
        halfway = await enter_password(browser, signer, query, password=person["password"])
        mails = (await browser.get("/sandbox/mail", params={"to": person["email"]})).json()
        code = next(word for word in mails[-1]["text"].split() if word.isdecimal() and len(word) == 6)
        signer.mailed_code = lambda: code
        signed = await enter_code(browser, signer, halfway.headers["location"])
    assert (refused.status_code, signed.status_code, signed.headers["location"][:16]) == (401, 303, "/oauth/authorize")
    cookies = [*halfway.cookies.values(), *signed.cookies.values()]
    kept = [person["login"], person["password"], person["email"], person["ins"]["value"], code, *MARKS[:2], *cookies]
    for line in written():
        assert secrets_in(line) == [], line
        assert not any(secret in line for secret in kept), line


def test_a_real_server_logs_routes_and_not_addresses(folder: Path, settings: Settings) -> None:
    """The whole output of `python -m phr serve` after its welcome, which names the demo people by design."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with serving(folder, port) as process:
        header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode()
        for address in (f"Patient/{MARKS[0]}", f"Observation?code={MARKS[2]}", f"../{MARKS[1]}", "metadata"):
            httpx.get(f"{base}/fhir/{address}", headers={"Authorization": f"Bearer {header}.e30."})
        httpx.post(f"{base}/oauth/token", data={"client_assertion": MARKS[1], "grant_type": "client_credentials"})
        httpx.request("GET", f"{base}/fhir/Patient", content=b"\xff" * 10)
        secrets = [*_signed_in(base), *MARKS]
        time.sleep(0.2)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    lines = [line for line in output.splitlines() if re.match(r"\d{4}-\d{2}-\d{2}", line)]
    assert any("/fhir/{kind}/{id} 401" in line for line in lines), output
    assert any("/oauth/consent 303" in line for line in lines), output
    for line in lines:
        assert not any(secret in line for secret in secrets), line
        assert secrets_in(line) == [], line
    for line in output.splitlines():
        assert not any(mark in line for mark in MARKS), line


def _signed_in(base: str) -> list[str]:
    """A citizen and a professional sign in to this server, and read; all that its logs must not tell of them."""
    told = signing_in.sandbox(base)
    person, doctor = told["citizens"][0], told["professionals"][0]
    kept = [person["login"], person["email"], person["ins"]["value"], doctor["id"], doctor["name"], MARKS[1]]
    both: dict[str, Any] = {
        "carnet-demo-app": signing_in.as_citizen,
        "carnet-demo-practice": signing_in.as_professional,
    }
    for name, sign in both.items():
        app = signing_in.client(base, name)
        asked = {"response_type": "code", "client_id": name, "redirect_uri": app["redirect_uris"][0], "state": MARKS[1]}
        asked |= {"code_challenge": create_s256_code_challenge("v" * 43), "code_challenge_method": "S256"}
        context = "patient" if name == "carnet-demo-app" else "user"
        query = urlencode({**asked, "scope": f"openid profile {context}/*.rs"})
        code = signing_in.answered(sign(base, f"{base}/oauth/authorize?{query}"))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app["redirect_uris"][0]}
        answer = httpx.post(f"{base}/oauth/token", data={**form, "client_id": name, "code_verifier": "v" * 43}).json()
        kept += [code, *(value for kind, value in answer.items() if kind in ("access_token", "id_token", "patient"))]
        if "patient" in answer:
            bearer = {"Authorization": f"Bearer {answer['access_token']}"}
            assert httpx.get(f"{base}/fhir/Patient/{answer['patient']}", headers=bearer).status_code == 200
    return kept
