"""Shortcuts past the sign-in pages, which have tests of their own: a browser already signed in, and what it gets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from sqlalchemy.orm import Session

from auth import accounts, sessions
from auth.clients import Client, Kind
from auth.professionals import Professional
from auth.sessions import Proof
from tests.auth.city import CALLBACK, City, Person, allow, asked, returned

MFA = ("pwd", "otp", "mfa")
DOCTOR = Professional(
    id="899700218896",
    family="Garnier",
    given="Hélène",
    profession="10",
    category="C",
    skill="SM54",
    structure="1750000016",
    structure_name="Cabinet du Parc",
    sector="SA07",
    mode="L",
)


def entered(
    city: City, browser: httpx.AsyncClient, who: Person | Professional, acr: str = "mfa", at: datetime | None = None
) -> str:
    """Sign a browser in; the session's secret."""
    now = city.clock()
    with Session(city.engine) as session, session.begin():
        found = who if isinstance(who, Professional) else accounts.find(session, city.keys, who.id)
        assert found is not None
        _, secret = sessions.start(session, city.keys, found, Proof(MFA, acr, at or now), "Firefox", now)
    browser.cookies.set("__Host-carnet_session", secret, domain=urlsplit(city.issuer).hostname or "")
    return secret


async def consented(
    city: City, app: Client, who: Person | Professional, *, form: Mapping[str, Any] | None = None, **changes: str | None
) -> httpx.Response:
    """The redirect back to the app, all that was asked allowed."""
    async with city.browser() as browser:
        entered(city, browser, who)
        page = await browser.get(f"/oauth/authorize?{urlencode(asked(app, **changes))}")
        return await allow(browser, page, **(form or {}))


async def code_for(city: City, app: Client, who: Person | Professional, **changes: Any) -> str:
    """An authorization code."""
    return returned(await consented(city, app, who, **changes))["code"]


async def tokens(city: City, app: Client, who: Person | Professional, **changes: Any) -> dict[str, Any]:
    """The token response."""
    answer = await city.redeem(app, await code_for(city, app, who, **changes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refreshed(city: City, app: Client, token: str, **more: str) -> httpx.Response:
    """One use of a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.id}
    return await city.post("/oauth/token", form | more)


async def works(city: City, token: str) -> bool:
    """Whether an access token still opens something: the user info of its person."""
    async with city.browser() as browser:
        answer = await browser.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


OFFLINE = {"scope": "openid offline_access patient/Observation.rs"}
REGISTERED = {"scopes": ["openid", "profile", "fhirUser", "offline_access", "launch/patient", "patient/*.cruds"]}
PRACTICE: dict[str, Any] = {
    "kind": Kind.PROFESSIONAL,
    "scopes": ["openid", "profile", "offline_access", "launch", "user/*.cruds", "patient/*.rs"],
}

__all__ = ["CALLBACK", "DOCTOR", "OFFLINE", "PRACTICE", "REGISTERED"]
