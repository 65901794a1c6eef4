"""RFC 9470: a sensitive route opens to who was proven just now, by two factors, and tells the others how to go on."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from auth.claims import Claims
from phr.api import faults
from phr.api.doors import Doors

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLAIMS = Claims("app", "citizen-app", "ada", "r", (), "x", None, NOW + timedelta(minutes=5))
JUST_NOW = int(NOW.timestamp()) - 60


async def knock(claims: Claims, path: str) -> httpx.Response:
    """Ask at one of two doors, one of which demands a fresh proof."""
    app = FastAPI()
    faults.install(app)

    async def visiting(request: Request) -> Any:
        return SimpleNamespace(claims=claims, visit=SimpleNamespace(now=NOW))

    doors = Doors(app, visiting)

    async def handler(asked: Any) -> Response:
        return JSONResponse({"opened": True})

    doors.opens("GET", "/usual", spoken=False)(handler)
    doors.opens("GET", "/sensitive", spoken=False, fresh=True)(handler)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://carnet.test") as http:
        return await http.get(f"/fhir/{path}")


@pytest.mark.parametrize("acr", ["mfa", "phr", "eidas2", "eidas3"])
@pytest.mark.parametrize("age", [-5, 0, 60, 600])
async def test_a_fresh_and_strong_proof_opens(acr: str, age: int) -> None:
    proven = replace(CLAIMS, acr=acr, auth_time=int(NOW.timestamp()) - age)
    assert (await knock(proven, "sensitive")).json() == {"opened": True}


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS,
        replace(CLAIMS, acr="mfa"),
        replace(CLAIMS, auth_time=JUST_NOW),
        replace(CLAIMS, acr="pwd", auth_time=JUST_NOW),
        replace(CLAIMS, acr="eidas1", auth_time=JUST_NOW),
        replace(CLAIMS, acr="", auth_time=JUST_NOW),
        replace(CLAIMS, acr="MFA", auth_time=JUST_NOW),
        replace(CLAIMS, acr="mfa", auth_time=int(NOW.timestamp()) - 601),
        replace(CLAIMS, acr="mfa", auth_time=int(NOW.timestamp()) + 6),
        replace(CLAIMS, acr="mfa", auth_time=0),
    ],
)
async def test_any_other_does_not(claims: Claims) -> None:
    """§3: "error: insufficient_user_authentication", with the `acr_values` and `max_age` to ask for."""
    answer = await knock(claims, "sensitive")
    assert answer.status_code == 401
    scheme, _, told = answer.headers["WWW-Authenticate"].partition(" ")
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', told))
    assert scheme == "Bearer"
    assert parameters.pop("error_description")
    assert parameters == {"error": "insufficient_user_authentication", "acr_values": "mfa", "max_age": "600"}
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert [issue["code"] for issue in answer.json()["issue"]] == ["login"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await knock(claims, "usual")).status_code == 200


async def test_the_challenge_is_in_the_scheme_of_the_token() -> None:
    """RFC 9449 §7.1: a token bound to a key comes, and is refused, under DPoP."""
    answer = await knock(replace(CLAIMS, jkt="x"), "sensitive")
    assert answer.headers["WWW-Authenticate"].startswith('DPoP error="insufficient_user_authentication"')
