"""A whole installation to test against: the real application over ASGI, a real database, tokens it really signed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import httpx

from auth.claims import Claims
from auth.rfc9068 import mint
from phr import rights
from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.app import Parts, assemble, create_app
from phr.core.identifiers import INS_NIR_TEST, ins_key
from phr.core.settings import Settings

Json = dict[str, Any]
ALL = ("patient/*.cruds",)
FHIR_JSON = "application/fhir+json"
INS_SYSTEM = f"urn:oid:{INS_NIR_TEST}"


@dataclass(slots=True)
class House:
    """The installation, a client without a token, and how to get one."""

    settings: Settings
    parts: Parts
    http: httpx.AsyncClient
    _people: int = field(default=0)

    @classmethod
    @asynccontextmanager
    async def build(cls, settings: Settings, url: str) -> AsyncIterator["House"]:
        """Assemble over a migrated database; everything is closed at the end."""
        parts = await assemble(settings, url)
        transport = httpx.ASGITransport(app=create_app(settings, parts))
        async with httpx.AsyncClient(transport=transport, base_url=settings.issuer) as http:
            try:
                yield cls(settings, parts, http)
            finally:
                await parts.close()

    def claims(self, kind: str, client: str, scopes: Sequence[str], record: str | None = None, **more: Any) -> Claims:
        """Claims valid for ten minutes."""
        expires = self.now() + timedelta(minutes=10)
        subject = client if record is None else account_of(record)
        values = {"subject": more.get("subject", subject), "jti": more.get("jti", str(uuid4()))}
        return Claims(client, kind, record=record, scopes=tuple(scopes), grant=None, expires=expires, **values)

    def token(self, claims: Claims) -> str:
        """A token the server signs as it signs its own."""
        server = self.parts.server
        return mint(self.settings.issuer, server.signing, server.subjects, claims, claims.client, self.now())

    def citizen(self, record: str, scopes: Sequence[str] = ALL, client: str = "app") -> "Caller":
        """An app of the person whose record this is."""
        return self.caller(self.claims("citizen-app", client, scopes, record, subject=account_of(record)))

    def depositor(self, client: str = "hospital", scopes: Sequence[str] = ("system/*.cruds",)) -> "Caller":
        """Software that deposits."""
        return self.caller(self.claims("deposit", client, scopes))

    def operator(self, client: str = "operator", scopes: Sequence[str] = ("system/*.cruds",)) -> "Caller":
        """The operator's software."""
        return self.caller(self.claims("operator", client, scopes))

    async def lend(self, record: str, terms: Terms) -> str:
        """Write a right into a record, as its operation would; the id of its Consent."""
        visit = Visit(self.parts.installation, System("tests"), (), (), self.now())
        async with visit.act(record, CREATE, Tag.SHARE, "Consent", deciding=True) as deed:
            return (await rights.write(deed, terms)).id

    async def end(self, record: str, *consents: str) -> None:
        """End rights, as their operations would."""
        visit = Visit(self.parts.installation, System("tests"), (), (), self.now())
        async with visit.act(record, CREATE, Tag.SHARE, "Consent", deciding=True) as deed:
            await rights.end(deed, consents, "ended")

    def now(self) -> datetime:
        """The hour of the installation, which a test may move (`parts.server.clock`)."""
        return self.parts.server.clock()

    async def represent(self, record: str, account: str, *powers: str) -> str:
        """Let an account act for a person: as a parent, or as a caregiver with these powers."""
        right = Right.CAREGIVER if powers else Right.LEGAL_REPRESENTATIVE
        return await self.lend(record, Terms(right, Actor.account(account), powers=powers))

    async def relate(self, record: str, professional: str, **more: Any) -> str:
        """Open a care relation for a professional's national id."""
        terms = Terms(Right.CARE_RELATION, Actor(PROFESSIONALS, professional), purpose="treating", **more)
        return await self.lend(record, terms)

    def caller(self, claims: Claims) -> "Caller":
        """Whoever these claims are."""
        return Caller(self, self.token(claims))

    def new_ins(self) -> str:
        """A valid test INS no one has yet in this house."""
        self._people += 1
        first = f"28501{self._people // 1000 + 10:02d}100{self._people % 1000:03d}"
        return first + ins_key(first)

    async def open_record(self, ins: str | None = None, **more: Any) -> str:
        """A new person's record; its id."""
        number = ins or self.new_ins()
        patient = {
            "resourceType": "Patient",
            "identifier": [{"system": INS_SYSTEM, "value": number}],
            "name": [{"family": "Durand", "given": ["Ada"]}],
            "gender": "female",
            "birthDate": "1985-05-17",
            **more,
        }
        answer = await self.operator().post("Patient", patient)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@dataclass(frozen=True, slots=True)
class Caller:
    """One token in use."""

    house: House
    token: str

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Any request under /fhir."""
        sent = {"Authorization": f"Bearer {self.token}", "Accept": FHIR_JSON, **(headers or {})}
        return await self.house.http.request(method, f"/fhir/{path}".rstrip("/"), headers=sent, **more)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET; underscores in header names become dashes."""
        return await self.ask("GET", path, _headers(headers))

    async def post(self, path: str, body: Json, **headers: str) -> httpx.Response:
        """POST a FHIR resource."""
        return await self.ask("POST", path, {"Content-Type": FHIR_JSON, **_headers(headers)}, json=body)

    async def put(self, path: str, body: Json, **headers: str) -> httpx.Response:
        """PUT a FHIR resource."""
        return await self.ask("PUT", path, {"Content-Type": FHIR_JSON, **_headers(headers)}, json=body)

    async def patch(self, path: str, operations: list[Json], **headers: str) -> httpx.Response:
        """PATCH with a JSON Patch."""
        sent = {"Content-Type": "application/json-patch+json", **_headers(headers)}
        return await self.ask("PATCH", path, sent, json=operations)

    async def delete(self, path: str, **headers: str) -> httpx.Response:
        """DELETE."""
        return await self.ask("DELETE", path, _headers(headers))


def account_of(record: str) -> str:
    """The account of the person whose record this is, in these tests."""
    return str(uuid5(NAMESPACE_OID, record))


def _headers(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}


def observation(record: str, **more: Any) -> Json:
    """A body weight."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}], "text": "Poids"},
        "subject": {"reference": f"Patient/{record}"},
        "effectiveDateTime": "2026-03-01T08:30:00+01:00",
        "valueQuantity": {"value": 71.50, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        **more,
    }
