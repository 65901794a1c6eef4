"""A small city for the tests of `auth`: an installation with a clock, citizens, apps and browsers, over real HTTP."""

import hashlib
import hmac
import json
import re
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import FastAPI
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Engine, func, literal_column, select
from sqlalchemy.orm import Session

from auth import accounts, clients
from auth.clients import Client, Kind
from auth.routes import router as machine_routes
from auth.server import AuthServer
from auth.signin import Pending, SignIn
from phr.core import outbox
from phr.core.keys import SystemKeys
from phr.core.vault import unseal
from phr.web import authorize, logout, pages, passkeys, reset, security, signin

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Authlib says it would rather use httpx2
    from authlib.integrations.httpx_client import AsyncOAuth2Client

StandardClient = AsyncOAuth2Client
ISSUER = "https://carnet.test"
TOKEN = f"{ISSUER}/oauth/token"
CALLBACK = "https://app.test/callback"
VERIFIER = "a-verifier-of-forty-three-characters-or-more-0123"
PASSWORD = "correct horse battery"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    login: str
    email: str
    name: str
    record: str
    mailed_code: Callable[[], str] = field(default=lambda: "", compare=False, repr=False)
    """The newest code in their mailbox."""


@dataclass
class City:
    engine: Engine
    keys: SystemKeys
    clock: Clock
    issuer: str = ISSUER
    server: AuthServer = field(init=False)
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.server = AuthServer(self.engine, self.keys, self.issuer, self.clock)
        self.app = FastAPI()
        self.app.include_router(machine_routes(self.server))
        for module in (authorize, logout, signin, passkeys, reset, security):
            self.app.include_router(module.router(self.server))
        self.app.include_router(pages.static_router())

    def transport(self, address: str = "203.0.113.9") -> httpx.ASGITransport:
        return httpx.ASGITransport(app=self.app, client=(address, 40000))

    def browser(self, address: str = "203.0.113.9", language: str = "fr") -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self.transport(address), base_url=self.issuer, headers={"Accept-Language": language}
        )

    def person(self) -> Person:
        mark = uuid4().hex[:8]
        person = Person(
            uuid4(), f"lucie.{mark}", f"lucie.{mark}@poste.test", f"Lucie Martin-{mark}", f"00a-{uuid4().hex}"
        )
        with Session(self.engine) as session, session.begin():
            id = accounts.enroll(  # noqa: A001
                session, self.keys, person.login, PASSWORD, person.name, person.email, person.record, self.clock()
            )
        newest = partial(self.mailed_code, person.email)
        return Person(id, person.login, person.email, person.name, person.record, newest)

    def mails(self, to: str) -> list[dict[str, str]]:
        """What waits in the outbox for an address, oldest first: as written, since our clock may stand still."""
        table = outbox.outbox
        with Session(self.engine) as session:
            written = func.age(literal_column("xmin")).desc()
            rows = session.execute(select(table).order_by(table.c.created, written, literal_column("ctid"))).all()
        opened = (unseal(self.keys.get("accounts"), row.sealed, b"outbox|" + row.id.bytes) for row in rows)
        return [mail for mail in map(json.loads, opened) if mail["to"] == to]

    def mailed_code(self, to: str) -> str:
        """The newest six digits mailed to an address."""
        found = [code for mail in self.mails(to) for code in re.findall(r"^ +(\d{6})$", mail["text"], re.MULTILINE)]
        assert found, "no code was mailed"
        return str(found[-1])

    def session(self, person: Person, address: str = "203.0.113.9") -> str:
        """The secret of a new browser session, by password and mailed code, without the pages."""
        signing = SignIn(self.server)
        pending = signing.password(person.login, PASSWORD, address)
        assert isinstance(pending, Pending), pending
        assert signing.send_code(pending.secret, "fr") is None
        admitted = signing.second(pending.secret, "mail", self.mailed_code(person.email), "", None, "fr")
        assert not isinstance(admitted, Enum), admitted
        return admitted.session

    def citizen_app(self, **changes: Any) -> Client:
        values: dict[str, Any] = {
            "id": f"app-{uuid4().hex[:8]}",
            "name": "Mon Suivi",
            "kind": Kind.CITIZEN_APP,
            "redirect_uris": [CALLBACK],
            "scopes": ["openid", "fhirUser", "launch/patient", "patient/*.cruds"],
            "now": self.clock(),
        }
        with Session(self.engine) as session, session.begin():
            return clients.register(session, **(values | changes))

    def deposit(self, key: ECKey | RSAKey, **changes: Any) -> Client:
        values: dict[str, Any] = {
            "id": f"lab-{uuid4().hex[:8]}",
            "name": "Laboratoire",
            "kind": Kind.DEPOSIT,
            "jwks": {"keys": [key.as_dict(private=False)]},
            "scopes": ["system/DocumentReference.cru", "system/Patient.s"],
            "now": self.clock(),
        }
        with Session(self.engine) as session, session.begin():
            return clients.register(session, **(values | changes))

    def assertion(self, client: Client, key: ECKey | RSAKey, alg: str = "ES256", **changes: Any) -> str:
        now = int(self.clock().timestamp())
        claims = {"iss": client.id, "sub": client.id, "aud": TOKEN, "jti": uuid4().hex, "iat": now, "exp": now + 60}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        # Not jwt.encode: these tests also sign what is not proper text.
        return jws.serialize_compact({"alg": alg}, json.dumps(claims).encode(), key, algorithms=[alg])

    async def client_token(self, assertion: str, **form: str) -> httpx.Response:
        body = {
            "grant_type": "client_credentials",
            "scope": "system/DocumentReference.cru",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }
        return await self.post("/oauth/token", body | form)

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> httpx.Response:
        async with self.browser() as http:
            return await http.post(path, data=dict(form), headers=headers)

    async def authorize(self, app: Client, person: Person, **changes: str | None) -> httpx.Response:
        """The whole way through the pages: the redirect back to the app."""
        async with self.browser() as browser:
            return await walk(browser, person, asked(app, **changes))

    async def code(self, app: Client, person: Person, **changes: str | None) -> str:
        return returned(await self.authorize(app, person, **changes))["code"]

    async def redeem(self, app: Client, code: str, **changes: str | None) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": app.id,
            "code_verifier": VERIFIER,
        }
        kept = {name: value for name, value in (form | changes).items() if value is not None}
        return await self.post("/oauth/token", kept)

    async def token(self, app: Client, person: Person, **changes: str | None) -> dict[str, Any]:
        response = await self.redeem(app, await self.code(app, person, **changes))
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


def asked(app: Client, **changes: str | None) -> dict[str, str]:
    """The parameters of a good authorization request, changed or removed (None)."""
    query = {
        "response_type": "code",
        "client_id": app.id,
        "redirect_uri": CALLBACK,
        "scope": "patient/Observation.rs",
        "state": "état 1&2",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (query | changes).items() if value is not None}


async def enter_password(
    browser: httpx.AsyncClient, person: Person, query: Mapping[str, str], **form: str
) -> httpx.Response:
    """Open the sign-in page and send it: on to the second factor, or refused."""
    page = await browser.get(f"/signin?{urlencode(query)}")
    assert page.status_code == 200, page.text
    values = {"csrf": hidden(page), "name": person.login, "password": PASSWORD} | form
    return await browser.post(f"/signin?{urlencode(query)}", data=values)


async def enter_code(browser: httpx.AsyncClient, person: Person, location: str) -> httpx.Response:
    """Show the code that was mailed."""
    page = await browser.get(location)
    assert page.status_code == 200, page.text
    values = {"csrf": hidden(page), "way": "mail", "answer": person.mailed_code()}
    return await browser.post(action(page), data=values)


async def sign_in(browser: httpx.AsyncClient, person: Person, query: Mapping[str, str], **form: str) -> httpx.Response:
    """The whole sign-in, with the code found in the mail; a refused password is answered as it is."""
    answer = await enter_password(browser, person, query, **form)
    if answer.status_code != 303:
        return answer
    return await enter_code(browser, person, answer.headers["location"])


async def walk(browser: httpx.AsyncClient, person: Person, query: Mapping[str, str]) -> httpx.Response:
    """Sign in, then allow all that is asked."""
    first = await browser.get(f"/oauth/authorize?{urlencode(query)}")
    if first.status_code == 200 or not first.headers["location"].startswith("/signin"):
        return first
    signed = await sign_in(browser, person, query)
    assert signed.status_code == 303, signed.text
    return await allow(browser, await browser.get(signed.headers["location"]))


async def allow(browser: httpx.AsyncClient, page: httpx.Response, **form: Any) -> httpx.Response:
    """Send the consent page as it stands."""
    if page.status_code != 200:
        return page
    values = {"csrf": hidden(page), "decision": "allow", "scope": ticked(page)} | form
    return await browser.post(action(page), data=values)


def forge(header: Mapping[str, Any], payload: Mapping[str, Any], secret: bytes | None) -> str:
    """A JWT that no honest library makes: unsigned, or signed by HMAC with a public key as the secret."""
    parts = [urlsafe_b64encode(json.dumps(dict(part)).encode()).decode().rstrip("=") for part in (header, payload)]
    signed = ".".join(parts)
    mark = b"" if secret is None else hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{urlsafe_b64encode(mark).decode().rstrip('=')}"


def hidden(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def ticked(page: httpx.Response) -> list[str]:
    return [unescape(value) for value in re.findall(r'type="checkbox" name="scope" value="([^"]+)" checked', page.text)]


def action(page: httpx.Response) -> str:
    found = re.search(r'<form method="post" action="([^"]+)"', page.text)
    assert found is not None
    return unescape(found[1])


def returned(response: httpx.Response) -> dict[str, str]:
    """The parameters sent back to the app."""
    assert response.status_code == 303, response.text
    location = response.headers["location"]
    assert location.startswith(CALLBACK), location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
