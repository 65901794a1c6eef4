"""The application: the only module that knows all the others. It wires them, and decides nothing."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import auth.routes
from auth.server import AuthServer
from auth.sweep import sweep
from phr import VERSION
from phr.access.installation import Installation
from phr.api import described, discovery, faults, fhir, health, sandbox
from phr.api.asked import visiting
from phr.api.doors import Doors
from phr.core.database import Database, synchronous_engine
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings
from phr.core.vault import KeyFile
from phr.web import authorize, pages, signin

log = logging.getLogger("carnet.http")

SWEEP_EVERY = 600
"""Seconds."""

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


@dataclass(slots=True)
class Parts:
    """What a process serves with."""

    installation: Installation
    server: AuthServer
    engine: Engine

    async def close(self) -> None:
        """Close every connection."""
        await self.installation.database.close()
        self.engine.dispose()


def open_keys(settings: Settings) -> KeyEncryptionKeys:
    """The key-encryption keys; the sandbox makes its file at the first start. Raises FileNotFoundError, ValueError."""
    if settings.sandbox and not settings.key_file.exists():
        KeyFile.create(settings.key_file, "sandbox-1")
    return KeyEncryptionKeys(KeyFile.load(settings.key_file))


async def assemble(settings: Settings, database_url: str) -> Parts:
    """Connect and open the keys of a migrated database. Raises BrokenSealError when the key file is another's."""
    keks = open_keys(settings)
    engine = synchronous_engine(database_url)
    try:
        system_keys = await run_in_threadpool(SystemKeys.open, engine, keks)
        server = AuthServer(engine, system_keys, settings.issuer)
        await run_in_threadpool(server.start)
        database = await Database.connect(database_url, settings.pool)
    except BaseException:
        engine.dispose()
        raise
    return Parts(Installation.make(settings, database, keks, system_keys), server, engine)


class Guarded:
    """Adds the headers every answer has, and turns what nobody expected into a bare 500.

    An exception never reaches the server, whose log would quote it; an answer cut short is cut by the server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        begun = time.perf_counter()

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _log(scope, message["status"], time.perf_counter() - begun)
                names = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in SECURITY_HEADERS if h[0] not in names)]
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        except Exception as error:  # answered by `_answered` already, unless it came from outside the application
            if not started:
                await faults.unexpected(Request(scope), error)(scope, receive, with_headers)


async def _sweep(parts: Parts) -> None:
    """Now and then, forget codes, sessions and revocations that time has ended anyway."""
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            await run_in_threadpool(_swept, parts)
        except SQLAlchemyError as error:
            log.warning("nothing swept: %s", type(error).__name__)


def _swept(parts: Parts) -> None:
    with Session(parts.engine) as session, session.begin():
        sweep(session, datetime.now(UTC))


async def _answered(request: Request, error: Exception) -> Response:
    return faults.unexpected(request, error)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """One line for each answer: the route's pattern, never the address, which may hold an id or a searched value."""
    pattern = getattr(scope.get("route"), "path_format", "-")
    log.info("%s %s %d %.1f ms", scope["method"], pattern, status, seconds * 1000)


def create_app(settings: Settings, parts: Parts) -> ASGIApp:
    """The ASGI application over assembled parts. Closes them when it shuts down."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(parts))
        yield
        sweeping.cancel()
        await parts.close()

    app = FastAPI(
        title="Carnet",
        version=VERSION,
        summary="A personal health record: FHIR R4, OAuth, and the citizen decides.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    faults.install(app)
    app.add_exception_handler(Exception, _answered)
    # Routes are tried in order: what is asked most comes first.
    doors = Doors(app, visiting(parts.installation, parts.server.verifier))
    fhir.open_doors(doors)
    app.include_router(discovery.router(settings))
    fhir.close_doors(doors)
    app.include_router(health.router(parts.installation))
    app.include_router(auth.routes.router(parts.server))
    app.include_router(authorize.router(parts.server))
    app.include_router(signin.router(parts.server))
    app.include_router(pages.static_router())
    if settings.sandbox:
        app.include_router(sandbox.router(settings))
    document = app.openapi
    app.openapi = lambda: described.secured(document())  # type: ignore[method-assign]  # FastAPI's documented way
    return Guarded(app)
