"""The application: the only module that knows all the others. It wires them, and decides nothing."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import from_thread
from cryptography import x509
from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import auth.routes
from auth.professionals import Professional
from auth.providers import Provider
from auth.rfc6750 import Gate
from auth.rfc8693 import Federation
from auth.server import AuthServer, Directory
from phr import VERSION, representation
from phr.access.installation import Installation
from phr.access.scope import expressible
from phr.api import (
    agenda,
    applications,
    calendar_feed,
    cds_hooks,
    checkups,
    contents,
    delegations,
    described,
    discovery,
    faults,
    fhir,
    forecast,
    health,
    journal,
    lifecycle,
    masks,
    medicines,
    messages,
    notifications,
    practice,
    prescriptions,
    prevention,
    relations,
    sandbox,
    sharing,
    subscriptions,
)
from phr.api.asked import visiting
from phr.api.cors import Shared
from phr.api.doors import Doors
from phr.chores import chores, repeat
from phr.core.database import Database, synchronous_engine
from phr.core.errors import DomainError
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings
from phr.core.vault import KeyFile
from phr.directory import practitioner_of
from phr.proxy import Proxied
from phr.sandbox import sandbox_providers
from phr.web import site
from phr.web.site import Providers
from phr.web.words import scope_words

log = logging.getLogger("carnet.http")

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
    providers: Providers

    async def close(self) -> None:
        """Close every connection."""
        await self.installation.database.close()
        self.engine.dispose()
        for provider in (self.providers.professionals, self.providers.citizens):
            if provider is not None:
                provider.close()


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
        providers = open_providers(settings)
        server = AuthServer(
            engine,
            system_keys,
            settings.issuer,
            records=representation.choices,
            expressible=expressible,
            roots=_roots(settings),
            federation=_federation(settings, providers),
            trial=settings.sandbox,
        )
        await run_in_threadpool(server.start)
        database = await Database.connect(database_url, settings.pool)
    except BaseException:
        engine.dispose()
        raise
    installation = Installation.make(settings, database, keks, system_keys)
    server.directory = _directory(installation, server)
    return Parts(installation, server, engine, providers)


def _directory(installation: Installation, server: AuthServer) -> Directory:
    """The directory, for the authorization server, which asks from a thread of the event loop's."""

    def find(client: str, person: Professional) -> str | None:
        try:
            return from_thread.run(practitioner_of, installation, client, person, server.clock())
        except DomainError:
            return None  # without the directory a professional signs in, and their software is not told who they are

    return find


def open_providers(settings: Settings) -> Providers:
    """The identity providers configured; in a sandbox, its own where none is. Nothing is asked of them yet."""
    told = (settings.psc, settings.fc)
    if settings.sandbox:
        told = tuple(one or own for one, own in zip(told, sandbox_providers(settings), strict=True))  # type: ignore[assignment]
    professionals, citizens = (None if one is None else Provider(one) for one in told)
    return Providers(professionals, citizens)


def _federation(settings: Settings, providers: Providers) -> Federation | None:
    provider = providers.professionals
    return None if provider is None else Federation(provider, settings.sandbox)


def _roots(settings: Settings) -> list[x509.Certificate]:
    if settings.client_ca_file is None:
        return []
    return x509.load_pem_x509_certificates(settings.client_ca_file.read_bytes())


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
        listed = chores(parts.server, parts.installation, parts.providers.professionals)
        running = [asyncio.create_task(repeat(chore)) for chore in listed]
        yield
        for task in running:
            task.cancel()
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
    doors = Doors(app, visiting(parts.installation, Gate(parts.server), lambda: parts.server.clock()))
    subscriptions.open_doors(doors)
    fhir.open_doors(doors)
    for operations in (masks, relations, sharing, delegations, journal, applications, lifecycle):
        operations.open_doors(doors)
    for advising in (prevention, forecast, practice, calendar_feed, checkups, contents):
        advising.open_doors(doors)
    for telling in (prescriptions, medicines, messages, notifications, agenda):
        telling.open_doors(doors)
    app.include_router(discovery.router(settings, doors.operations))
    fhir.close_doors(doors)
    app.include_router(health.router(parts.installation))
    app.include_router(auth.routes.router(parts.server))
    app.include_router(applications.router(parts.server, scope_words))
    app.include_router(cds_hooks.router(parts.server, parts.installation))
    app.include_router(calendar_feed.router(parts.installation, lambda: parts.server.clock()))
    for routes in site.routers(parts.server, parts.installation, parts.providers):
        app.include_router(routes)
    if settings.sandbox:
        app.include_router(sandbox.router(settings))
    document = app.openapi
    app.openapi = lambda: described.secured(document())  # type: ignore[method-assign]  # FastAPI's documented way
    guarded = Guarded(Shared(app))
    proxied = settings.trusted_proxies
    return Proxied(guarded, proxied, settings.client_cert_header) if proxied else guarded
