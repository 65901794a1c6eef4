"""The pages of a whole house, as a browser meets them: a person signed in, who connects an application and uses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy.orm import Session

from auth import accounts, clients, purposes, sessions
from auth.clients import Client, Kind
from auth.sessions import Proof
from phr.web import account, authorize
from tests.auth.city import CALLBACK, PASSWORD, VERIFIER, action, asked, hidden
from tests.house import ALL, Caller, House

MEASURES: dict[str, Any] = {
    "code": "measures",
    "label_fr": "Suivre vos mesures",
    "label_en": "Follow your measurements",
    "description_fr": "Des courbes.",
    "description_en": "Curves.",
    "direction": "both",
    "scopes": ["patient/Observation.crs"],
}
DOCUMENTS: dict[str, Any] = {
    **MEASURES,
    "code": "documents",
    "label_fr": "Retrouver vos documents",
    "label_en": "Find your documents",
    "direction": "read",
    "scopes": ["patient/DocumentReference.rs"],
}
AGENDA: dict[str, Any] = {
    **MEASURES,
    "code": "agenda",
    "label_fr": "Noter vos rendez-vous",
    "label_en": "Note your appointments",
    "direction": "write",
    "scopes": ["patient/Appointment.cu"],
}
SERVICE: dict[str, Any] = {
    "publisher": "Éditions du Pont",
    "description_fr": "Vos mesures et vos documents.",
    "description_en": "Your measurements and documents.",
    "version": "1.2",
    "status": "EN_LIGNE",
    "purposes": [MEASURES, DOCUMENTS, AGENDA],
}
SCOPES = "openid launch/patient offline_access patient/Observation.rs patient/*.cruds"


@dataclass(frozen=True, slots=True)
class Portal:
    """One person of a house, in a browser of their own."""

    house: House
    browser: httpx.AsyncClient
    record: str
    account: UUID

    async def page(self, app: Client, **changes: str | None) -> httpx.Response:
        """The consent page, or wherever the request ends instead."""
        return await self.browser.get(f"/oauth/authorize?{urlencode(asked(app, **{'scope': SCOPES, **changes}))}")

    async def choose(self, app: Client, form: Mapping[str, Any], **changes: str | None) -> httpx.Response:
        """Answer the consent page."""
        page = await self.page(app, **changes)
        assert page.status_code == 200, page.text
        return await self.browser.post(action(page), data={"csrf": hidden(page), "decision": "allow", **form})

    async def connect(self, app: Client, *codes: str, duration: str = "13-months", **form: Any) -> dict[str, Any]:
        """Grant these purposes: the token response."""
        answer = await self.choose(app, {"purpose": list(codes), "duration": duration, **form})
        assert answer.status_code == 303, answer.text
        code = sent_back(answer)["code"]
        redeemed = await self.tokens(app, grant_type="authorization_code", code=code)
        assert redeemed.status_code == 200, redeemed.text
        found: dict[str, Any] = redeemed.json()
        return found

    async def tokens(self, app: Client, **form: str) -> httpx.Response:
        """The token endpoint."""
        given = {"client_id": app.id, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return await self.house.http.post("/oauth/token", data=given | form)

    async def refresh(self, app: Client, token: dict[str, Any]) -> httpx.Response:
        """One use of a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": app.id}
        return await self.house.http.post("/oauth/token", data=form)

    def caller(self, client: str = "another-app", record: str | None = None) -> Caller:
        """The same person through another application, with every scope; `record`: acting for somebody else."""
        claims = self.house.claims("citizen-app", client, ALL, record or self.record, subject=str(self.account))
        return self.house.caller(claims if record is None else replace(claims, actor=str(self.account)))

    async def consents(self, status: str = "active") -> list[dict[str, Any]]:
        """The connections written in the record."""
        answer = await self.caller().get(f"Consent?patient={self.record}&status={status}&category=application")
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", ())]

    async def purposes(self, status: str = "active") -> list[str]:
        """The codes of their purposes."""
        return sorted(one["provision"]["purpose"][0]["code"] for one in await self.consents(status))


def pages(house: House) -> FastAPI:
    """The consent page and the account page, over the same installation."""
    app, parts = FastAPI(), house.parts
    app.include_router(authorize.router(parts.server, None, parts.installation))
    app.include_router(account.router(parts.server, parts.installation))
    return app


async def portal(house: House, record: str | None = None) -> Portal:
    """A new person with a record (their own, unless given), signed in."""
    mine = await house.open_record() if record is None else record
    server, mark = house.parts.server, uuid4().hex[:8]
    with Session(server.engine) as session, session.begin():
        keys, now = server.keys, server.clock()
        id = accounts.enroll(session, keys, f"ada.{mark}", PASSWORD, "Ada Durand", f"ada.{mark}@poste.test", mine, now)  # noqa: A001
        who = accounts.find(session, keys, id)
        assert who is not None
        _, secret = sessions.start(session, keys, who, Proof(("pwd", "otp", "mfa"), "mfa", now), "Firefox", now)
    there, french = httpx.ASGITransport(app=pages(house)), {"Accept-Language": "fr"}
    browser = httpx.AsyncClient(transport=there, base_url=house.settings.issuer, headers=french)
    browser.cookies.set("carnet_session", secret)
    return Portal(house, browser, mine, id)


def service(house: House, described: dict[str, Any] | None = SERVICE, **changes: Any) -> Client:
    """A native citizen app, described in the catalogue."""
    server = house.parts.server
    values: dict[str, Any] = {
        "id": f"app-{uuid4().hex[:8]}",
        "name": "Mon Suivi",
        "kind": Kind.CITIZEN_APP,
        "redirect_uris": [CALLBACK],
        "scopes": ["openid", "profile", "launch/patient", "offline_access", "patient/*.cruds"],
        "now": server.clock(),
        "metadata": {"application_type": "native", **({} if described is None else {"service": described})},
    }
    with Session(server.engine) as session, session.begin():
        return clients.register(session, **(values | changes))


def describe(house: House, app: Client, **changes: Any) -> None:
    """What the operator writes of it from now on."""
    with Session(house.parts.server.engine) as session, session.begin():
        clients.describe(session, app.id, purposes.read(SERVICE | changes))


def sent_back(answer: httpx.Response) -> dict[str, str]:
    """The parameters the app gets."""
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(CALLBACK), answer.headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def text_of(page: httpx.Response) -> str:
    """What a person reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
