"""What an HTTP request asks, read once: who, with which scopes, in which form the answer is wanted.

The rule: every route under /fhir but `metadata` and `.well-known` is opened by `visiting`, or refused without a token.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request

from auth import scopes
from auth.claims import Claims
from auth.rfc6750 import Gate
from auth.routes import presented
from fhir import wire
from fhir.parameters import KINDS, Kind
from phr.access.installation import Installation
from phr.access.reader import Depositor, Professional, Reader, reader_of
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.visit import Visit
from phr.core.errors import DomainError, Issue, Reason, forbidden, malformed

JSON_TYPES = ("application/fhir+json", "application/json", "text/json")
PATCH_TYPES = ("application/json-patch+json",)
FORM = "application/x-www-form-urlencoded"
ANY = ("*/*", "application/*")
MOST_PARAMETERS = 200
CONFIDENTIALITY = "carnet-confidentiality"
"""A request header: the code of TRE_A07 under which the whole access is kept (VIHF's confidentiality-code)."""
FORMATS = ("json", *JSON_TYPES)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the token's claims, the visit, the FHIR base URL, the decoded query, and what form is preferred."""

    request: Request
    claims: Claims
    visit: Visit
    base: str
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]

    def header(self, name: str) -> str | None:
        """A header's value, by its name in lower case."""
        return self.headers.get(name)

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.pairs if key == name), None)

    @property
    def prefer(self) -> dict[str, str]:
        """The Prefer header (RFC 7240): return=…, handling=…"""
        parts = (self.header("prefer") or "").replace(";", ",").split(",")
        found = (part.strip().partition("=") for part in parts)
        return {name.strip().lower(): value.strip().strip('"') for name, equals, value in found if equals}

    @property
    def strict(self) -> bool:
        """Whether what is not understood is to be refused."""
        return self.prefer.get("handling") == "strict"

    @property
    def pretty(self) -> bool:
        """Whether a person will read it."""
        return self.first("_pretty") == "true"


def negotiate(accept: str | None, wanted: str | None) -> None:
    """JSON only, whether by Accept or, first, by `_format`. Raises DomainError NOT_ACCEPTABLE (406)."""
    # TRAP: the plus of an unescaped _format=application/fhir+json arrives as a space.
    listed = [wanted.strip().replace(" ", "+")] if wanted else (accept or "*/*").split(",")
    accepted = [part.partition(";")[0].strip().lower() for part in listed]
    if not any(kind in (*FORMATS, *ANY) for kind in accepted):
        raise DomainError(Reason.NOT_ACCEPTABLE, Issue("not-supported", "Only JSON is spoken: application/fhir+json."))


def visiting(
    installation: Installation, gate: Gate, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Callable[[Request], Awaitable[Asked]]:
    """The dependency that makes an Asked of a request with an access token, or raises ChallengeError (401)."""
    base = f"{installation.settings.issuer}/fhir"

    async def asked(request: Request) -> Asked:
        now = clock()
        claims = gate.claims(presented(request), now)
        reader, held, tokens = _bearer(claims)
        visit = Visit(installation, reader, held, tokens, now, confidential=_confidential(request, reader))
        return Asked(request, claims, visit, base, pairs_of(request.url.query), request.headers)

    return asked


def _confidential(request: Request, reader: Reader) -> bool:
    """Whether a professional's software keeps this access from the person's representatives (connexion secrète)."""
    asked = request.headers.get(CONFIDENTIALITY)
    if asked is None:
        return False
    if asked.strip() != HIDDEN_FROM_PROXIES:
        raise malformed(f"{CONFIDENTIALITY}: only {HIDDEN_FROM_PROXIES} is known.")
    if not isinstance(reader, Professional | Depositor):
        raise forbidden("Only a professional's software keeps an access from representatives.")
    return True


@lru_cache(maxsize=4096)
def _bearer(claims: Claims) -> tuple[Reader, tuple[scopes.Scope, ...], tuple[UUID, ...]]:
    """What verified claims make: the reader, the scopes held, and what a revocation would name. Pure, hence kept."""
    held = tuple(scope for text in claims.scopes if (scope := scopes.parse(text)) is not None)
    return reader_of(claims), held, claims.revocable


def pairs_of(text: str) -> tuple[tuple[str, str], ...]:
    """The decoded pairs of a query string or a form. Raises DomainError SYNTAX."""
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"))
    except ValueError:
        raise malformed("The parameters cannot be read.") from None


def kind_named(name: str) -> Kind:
    """The served type of this name. Raises DomainError ABSENT, saying so."""
    kind = KINDS.get(name)
    if kind is None:
        raise DomainError(Reason.ABSENT, Issue("not-supported", "This resource type is not served here."))
    return kind


async def body_of(request: Request, limit: int) -> bytes:
    """The body, at most `limit` bytes. Raises DomainError TOO_LARGE (413)."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise DomainError(Reason.TOO_LARGE, Issue("too-long", f"The body is at most {limit} bytes."))
    return bytes(body)


def content_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def resource_of(asked: Asked, limit: int) -> dict[str, Any]:
    """The JSON resource in the body. Raises DomainError MEDIA_TYPE, TOO_LARGE, SYNTAX."""
    if content_type(asked.request) not in JSON_TYPES:
        raise DomainError(Reason.MEDIA_TYPE, Issue("not-supported", "The body is application/fhir+json."))
    return wire.decode(await body_of(asked.request, limit), asked.visit.installation.settings.json_depth)


def limit_for(asked: Asked, kind: Kind) -> int:
    """How large a body of this type may be: documents may come inline, in base64."""
    settings = asked.visit.installation.settings
    inline = settings.document_bytes * 4 // 3 + 4 if kind.name in ("DocumentReference", "Binary") else 0
    return settings.resource_bytes + inline
