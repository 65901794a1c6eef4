"""The list of doors: every route, who it asks for, what it leaves in the journal. A new route is added here first."""

from dataclasses import dataclass

from phr.access.journal import Tag


@dataclass(frozen=True, slots=True)
class Door:
    """`reader`: bearer (a token, or 401), client or browser (the authorization server's own), nobody (open to all).

    `tags`: one entry each, in order. A conditional write looks first, then writes; a batch leaves those of its parts.
    """

    reader: str
    tags: tuple[Tag, ...] = ()


OPEN = Door("nobody")
CLIENT = Door("client")
BROWSER = Door("browser")


def bearer(*tags: Tag) -> Door:
    return Door("bearer", tags)


DOORS: dict[tuple[str, str], Door] = {
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("GET", "/sandbox"): OPEN,
    ("GET", "/.well-known/openid-configuration"): OPEN,
    ("GET", "/.well-known/oauth-authorization-server"): OPEN,
    ("GET", "/fhir/.well-known/smart-configuration"): OPEN,
    ("GET", "/fhir/metadata"): OPEN,
    ("GET", "/oauth/jwks"): OPEN,
    ("POST", "/oauth/token"): CLIENT,
    ("POST", "/oauth/revoke"): CLIENT,
    ("GET", "/oauth/authorize"): BROWSER,
    ("POST", "/oauth/authorize"): BROWSER,
    ("POST", "/oauth/consent"): BROWSER,
    ("GET", "/signin"): BROWSER,
    ("POST", "/signin"): BROWSER,
    ("POST", "/signout"): BROWSER,
    ("GET", "/static/{name}"): OPEN,
    ("GET", "/fhir/{kind}/{id}"): bearer(Tag.READ),
    ("GET", "/fhir/{kind}/{id}/_history/{version}"): bearer(Tag.HISTORY),
    ("GET", "/fhir/{kind}/{id}/_history"): bearer(Tag.HISTORY),
    ("GET", "/fhir/{kind}/_history"): bearer(Tag.HISTORY),
    ("GET", "/fhir/{kind}"): bearer(Tag.SEARCH),
    ("POST", "/fhir/{kind}/_search"): bearer(Tag.SEARCH),
    ("GET", "/fhir/Patient/{id}/$everything"): bearer(Tag.EVERYTHING),
    ("POST", "/fhir/{kind}"): bearer(Tag.CREATE),
    ("PUT", "/fhir/{kind}/{id}"): bearer(Tag.UPDATE),
    ("PUT", "/fhir/{kind}"): bearer(Tag.SEARCH, Tag.UPDATE),
    ("PATCH", "/fhir/{kind}/{id}"): bearer(Tag.UPDATE),
    ("PATCH", "/fhir/{kind}"): bearer(Tag.SEARCH, Tag.UPDATE),
    ("DELETE", "/fhir/{kind}/{id}"): bearer(Tag.DELETE),
    ("DELETE", "/fhir/{kind}"): bearer(Tag.SEARCH, Tag.DELETE),
    ("POST", "/fhir"): bearer(Tag.TRANSACTION),
    ("POST", "/fhir/"): bearer(Tag.TRANSACTION),
    ("POST", "/fhir/{kind}/$validate"): bearer(),
    ("POST", "/fhir/{kind}/{id}/$validate"): bearer(),
}
DOORS |= {
    (method, path): bearer()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    for path in ("/fhir", "/fhir/{rest}")
    if (method, path) not in DOORS
}
"""Nothing is there, and only who has a token is told."""
