"""GET /sandbox: everything an integrator needs to try the API. The route exists in the sandbox only."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from phr.core.settings import Settings
from phr.sandbox import described


def router(settings: Settings) -> APIRouter:
    """The sandbox's one route."""
    routes = APIRouter(tags=["sandbox"])

    @routes.get("/sandbox")
    def sandbox() -> dict[str, Any]:
        return described(settings, datetime.now(UTC))

    return routes
