"""The pages' own client of the public API: what a page shows or does, an application could.

The rule: a page asks over the same routes as anybody, with a token of the person signed in, good for one minute; the
journal names it as software like any other.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import Request

from auth.claims import Claims
from auth.launches import PAGES
from auth.rfc9068 import mint
from auth.server import AuthServer
from auth.sessions import Visitor
from fhir import wire

CLIENT = PAGES
LIFETIME = timedelta(minutes=1)
FHIR = "application/fhir+json"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """The API as one person calls it: FHIR paths below /fhir, answers as they are."""

    http: httpx.AsyncClient
    token: str

    async def get(self, path: str, accept: str = FHIR) -> httpx.Response:
        """GET below /fhir."""
        return await self._ask("GET", path, {"Accept": accept})

    async def post(self, path: str, body: Json) -> httpx.Response:
        """POST a resource below /fhir."""
        return await self._ask("POST", path, {"Accept": FHIR, "Content-Type": FHIR}, wire.encode(body))

    async def put(self, path: str, body: Json) -> httpx.Response:
        """PUT a resource below /fhir."""
        return await self._ask("PUT", path, {"Accept": FHIR, "Content-Type": FHIR}, wire.encode(body))

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], content: bytes | None = None
    ) -> httpx.Response:
        headers = {**headers, "Authorization": f"Bearer {self.token}"}
        return await self.http.request(method, f"/fhir/{path}", headers=headers, content=content)


@asynccontextmanager
async def calling(server: AuthServer, request: Request, visitor: Visitor, record: str | None) -> AsyncIterator[Api]:
    """The API for who is signed in: in the citizen's own record, or one they act for; or as the professional.

    `record` must be one of the visitor's own (`AuthServer.records`): the policy refuses any other anyway.
    """
    transport = httpx.ASGITransport(app=request.app)
    async with httpx.AsyncClient(transport=transport, base_url=server.issuer) as http:
        yield Api(http, _token(server, visitor, record))


def _token(server: AuthServer, visitor: Visitor, record: str | None) -> str:
    now, account = server.clock(), visitor.account
    if account is not None:
        kind, scopes, subject = "citizen-app", ("patient/*.cruds",), str(account.id)
        actor = None if record == account.record else subject
    elif visitor.professional is not None:
        kind, scopes, subject, record = "professional", ("user/*.cruds",), visitor.professional.id, None
        actor = None if visitor.assistant is None else visitor.assistant.id
    else:
        raise ValueError("nobody is signed in")
    claims = Claims(
        CLIENT,
        kind,
        subject,
        record,
        scopes,
        str(uuid4()),
        None,
        now + LIFETIME,
        actor=actor,
        acr=visitor.proof.acr,
        auth_time=int(visitor.proof.at.timestamp()),
        professional=visitor.professional,
        assistant=visitor.assistant,
    )
    return mint(server.issuer, server.signing, server.subjects, claims, claims.client, now)
