"""What software reads before it has a token: the CapabilityStatement and the SMART configuration."""

from fastapi import APIRouter
from fastapi.responses import Response

from auth.rfc8414 import smart_configuration
from fhir import wire
from fhir.capability import capability_statement
from phr import RELEASED, VERSION
from phr.api.faults import FHIR_JSON
from phr.core.settings import Settings

_SHARED = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}


def router(settings: Settings) -> APIRouter:
    """/fhir/metadata and /fhir/.well-known/smart-configuration: the only two under /fhir without a reader."""
    routes = APIRouter(prefix="/fhir", tags=["discovery"])
    statement = capability_statement(f"{settings.issuer}/fhir", settings.issuer, RELEASED, VERSION)

    @routes.get("/metadata")
    async def metadata() -> Response:
        return Response(wire.encode(statement), headers=_SHARED, media_type=f"{FHIR_JSON}; charset=utf-8")

    @routes.get("/.well-known/smart-configuration")
    async def smart() -> Response:
        body = wire.encode(smart_configuration(settings.issuer))
        return Response(body, headers=_SHARED, media_type="application/json")

    return routes
