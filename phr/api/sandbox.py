"""/sandbox: everything an integrator needs to try the API, and providers to sign in with. In the sandbox only."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from auth.sandbox import routes as provider_routes
from phr.core.settings import Settings
from phr.sandbox import described, provider_servers


def router(settings: Settings) -> APIRouter:
    """What the sandbox is, and its identity providers. Raises UnsafeSettingsError outside of a sandbox."""
    routes = APIRouter(tags=["sandbox"])

    @routes.get("/sandbox")
    def sandbox() -> dict[str, Any]:
        return described(settings, datetime.now(UTC))

    for home in provider_servers(settings, datetime.now(UTC)):
        routes.include_router(provider_routes.router(home))
    return routes
