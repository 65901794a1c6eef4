"""Is the process alive, and can it serve? For orchestrators: no reader, no data, no version."""

import asyncpg
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select

from fhir.tables import record
from phr.access.installation import Installation
from phr.core.database import compile_query

_REACHABLE = compile_query(select(record.c.bucket).limit(1))


def router(installation: Installation) -> APIRouter:
    """/health/live and /health/ready."""
    routes = APIRouter(prefix="/health", tags=["health"])

    @routes.get("/live")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "pass"})

    @routes.get("/ready")
    async def ready() -> JSONResponse:
        try:
            async with installation.database.session() as session:
                await session.fetch(_REACHABLE)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            return JSONResponse({"status": "fail", "reason": "the database does not answer"}, 503)
        return JSONResponse({"status": "pass"})

    return routes
