"""What software reads before it has a token: the CapabilityStatement and the SMART configuration."""

from collections.abc import Collection, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.rfc8414 import smart_configuration
from fhir import wire
from fhir.capability import capability_statement
from phr import RELEASED, VERSION
from phr.api.asked import negotiate
from phr.api.faults import FHIR_JSON
from phr.core.settings import Settings
from phr.events import Topic

_SHARED = {"Cache-Control": "public, max-age=300"}


def router(settings: Settings, operations: Mapping[str, Collection[str]]) -> APIRouter:
    """/fhir/metadata and /fhir/.well-known/smart-configuration: the only two under /fhir without a reader."""
    routes = APIRouter(prefix="/fhir", tags=["discovery"])
    topics = [one.canonical for one in Topic]
    statement = capability_statement(f"{settings.issuer}/fhir", settings.issuer, RELEASED, VERSION, operations, topics)

    @routes.get("/metadata")
    async def metadata(request: Request) -> Response:
        """What this server does: the CapabilityStatement."""
        asked = request.query_params
        negotiate(request.headers.get("accept"), asked.get("_format"))
        body = wire.encode(statement, asked.get("_pretty") == "true")
        return Response(body, headers=_SHARED, media_type=f"{FHIR_JSON}; charset=utf-8")

    @routes.get("/.well-known/smart-configuration")
    async def smart() -> Response:
        """How to get a token (SMART App Launch 2.2)."""
        body = wire.encode(smart_configuration(settings.issuer))
        return Response(body, headers=_SHARED, media_type="application/json")

    return routes
