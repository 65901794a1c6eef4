"""The identity providers next to the city: the sandbox's own, reached without a network, and tampered with at will."""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI
from joserfc import jws
from joserfc.jwk import ECKey

from auth.providers import Provider
from auth.sandbox import people
from auth.sandbox.provider import FC, PSC, Client, SandboxProvider
from auth.sandbox.routes import router
from phr.core import settings as core
from phr.core.settings import Settings, from_environment
from phr.web import assistants, professional
from tests.auth.city import City

SOFTWARE_CALLBACK = "http://127.0.0.1:8766/callback"
SECRET = "a secret with spaces & signs"
CLAIRE = people.Citizen(
    "claire", ("Claire", "Anne"), "LEFÈVRE", "MOREAU", "female", "1990-05-18", "35238", "claire@poste.test"
)

Change = Callable[[httpx.Request, httpx.Response], httpx.Response | None]


def honest(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """Changes nothing."""
    return None


class Wire(httpx.BaseTransport):
    """A way to an ASGI application that a synchronous client takes. `change` may replace what comes back."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.change: Change = honest
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request.url.path)

        async def carried() -> httpx.Response:
            made = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            answer = await httpx.ASGITransport(app=self.app).handle_async_request(made)
            body = await answer.aread()
            return httpx.Response(answer.status_code, headers=answer.headers, content=body)

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(asyncio.run, carried()).result()
        return self.change(request, answer) or answer


@dataclass
class Elsewhere:
    """Both providers and Carnet's view of them, on the city's clock; their pages are served with the city's."""

    city: City
    folder: Path
    served: bool = False
    """Whether the city answers on a real port, so that its providers are reached there."""
    settings: Settings = field(init=False)
    psc: SandboxProvider = field(init=False)
    fc: SandboxProvider = field(init=False)
    wire: Wire = field(init=False)
    provider: Provider = field(init=False)
    citizens: Provider = field(init=False)

    def __post_init__(self) -> None:
        found = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(self.folder)})
        self.settings = replace(found, issuer=self.city.issuer)
        here = self.city.issuer
        callback = f"{here}/signin/professional/callback"
        carnet = Client("carnet", SECRET, (callback,), f"{here}/oauth/providers/professional/logout")
        software = Client("practice-at-psc", "practice", (SOFTWARE_CALLBACK,))
        other = Client("somebody-else", "else", (SOFTWARE_CALLBACK,))
        clock = self.city.clock
        self.psc = SandboxProvider(self.settings, PSC, people.professionals(), (carnet, software, other), clock)
        mine = Client("carnet", SECRET, (f"{here}/signin/franceconnect/callback",))
        self.fc = SandboxProvider(self.settings, FC, people.citizens([CLAIRE]), (mine,), clock)
        elsewhere = FastAPI()
        for home in (self.psc, self.fc):
            elsewhere.include_router(router(home))
            self.city.app.include_router(router(home))
        self.wire = Wire(elsewhere)
        self.provider = self._seen(self.psc)
        self.citizens = self._seen(self.fc)
        self.city.app.include_router(professional.router(self.city.server, self.provider, self.settings))
        self.city.app.include_router(assistants.router(self.city.server, self.settings))

    def _seen(self, home: SandboxProvider) -> Provider:
        told = core.Provider(f"{home.base}/.well-known/{home.shape.discovery}", "carnet", SECRET)
        return Provider(told, self.city.clock, None if self.served else self.wire)

    def token(self, person: str, client: str = "practice-at-psc") -> str:
        """An access token of the professionals' provider, given to other software."""
        return str(self.tokens(person, client)["access_token"])

    def tokens(self, person: str, client: str) -> dict[str, Any]:
        """The whole token response, by the provider's own pages and endpoints."""
        known = self.psc.clients[client]
        query = {
            "response_type": "code", "client_id": client, "redirect_uri": known.redirect_uris[0], "nonce": "n",
            "scope": "openid scope_all", "state": "s", "code_challenge_method": "S256",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        }  # fmt: skip
        with httpx.Client(transport=self.wire, base_url=self.psc.base) as http:
            sent = http.post("/auth", params=query, data={"person": person})
            assert sent.status_code == 303, sent.text
            code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
            form = {
                "grant_type": "authorization_code", "code": code, "redirect_uri": known.redirect_uris[0],
                "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            }  # fmt: skip
            answer = http.post("/token", data=form, auth=(client, known.secret))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def forging(self, **changes: Any) -> None:
        """Have every id_token say something else; None takes a claim out. Signed with the provider's own key."""
        self.signing(lambda header, claims: forge_signed(header, _changed(claims, changes), self.psc.key))

    def signing(self, make: Callable[[dict[str, Any], dict[str, Any]], str]) -> None:
        """Have every id_token be made by `make`, from what its header and claims would have been."""

        def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
            if not request.url.path.endswith("/token") or response.status_code != 200:
                return None
            body = response.json()
            token = jws.extract_compact(body["id_token"].encode())
            body["id_token"] = make(dict(token.headers()), json.loads(token.payload or b""))
            return httpx.Response(200, json=body)

        self.wire.change = change


def _changed(claims: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def forge_signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: ECKey) -> str:
    """A JWT with any header and claims, really signed."""
    return jws.serialize_compact(dict(header), json.dumps(dict(claims)).encode(), key, algorithms=["ES256"])


async def leave(browser: httpx.AsyncClient, path: str = "/signin/professional", **query: str) -> str:
    """Go to the provider: the address of its page."""
    away = await browser.get(path, params=query)
    assert away.status_code == 303, away.text
    return str(away.headers["location"])


async def picked(browser: httpx.AsyncClient, address: str, person: str) -> str:
    """Pick a person on the provider's page: the address back, with a code."""
    page = await browser.get(address)
    assert page.status_code == 200, page.text
    back = await browser.post(address, data={"person": person})
    assert back.status_code == 303, back.text
    return str(back.headers["location"])


async def arrive(browser: httpx.AsyncClient, person: str, path: str = "/signin/professional", **query: str) -> Any:
    """To the provider and back: the answer of our callback."""
    return await browser.get(await picked(browser, await leave(browser, path, **query), person))
