"""The sandbox's content: the demo world loaded into an empty database, and all an integrator needs to try the API.

The rule: nothing here runs in production, and nothing here opens anything: demo accounts and clients are ordinary.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import accounts, clients
from auth.server import AuthServer
from fhir.tables import record
from phr import imports, records
from phr.access.installation import Installation
from phr.core.database import compile_query
from phr.core.identifiers import INS_NIR_TEST
from phr.core.settings import Settings
from phr.demo.clients import demo_clients
from phr.demo.world import Person, World, world

HOSPITAL = "carnet-demo-hospital"
_COUNT = compile_query(select(func.count().label("records")).select_from(record))
COMMONS = "demo|commons"


async def load(installation: Installation, server: AuthServer, now: datetime) -> int:
    """Load the demo world if the database is empty, or finish a load that was cut short. How many people it has.

    Each person goes in by one transaction, as deposited by the demo hospital; then their account is made.
    """
    demo = world(now.date())
    if not await _wanted(installation):
        return 0
    visit = imports.visit_of(installation, HOSPITAL, now)
    base = f"{installation.settings.issuer}/fhir"
    if await imports.marked(installation, COMMONS) is None:
        await imports.load(visit, COMMONS, _bundle(demo), base)
    for person in demo.people:
        name = f"demo|{person.login}"
        if await imports.marked(installation, name) is None:
            await imports.load(visit, name, person.transaction, base)
        async with installation.database.session() as session:
            found = await records.find(session, installation, f"urn:oid:{INS_NIR_TEST}", person.ins)
        if found is not None:
            await run_in_threadpool(_enroll, server, person, found, now)
    await run_in_threadpool(_register, server, now)
    return len(demo.people)


async def _wanted(installation: Installation) -> bool:
    if await imports.marked(installation, COMMONS) is not None:
        return True
    async with installation.database.session() as session:
        row = await session.one(_COUNT)
    return row is not None and row["records"] == 0


def _bundle(demo: World) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(demo.commons)}


def _enroll(server: AuthServer, person: Person, found: str, now: datetime) -> None:
    with Session(server.engine) as session, session.begin():
        if accounts.lookup(session, server.keys, person.login)[0] is None:
            accounts.enroll(
                session,
                server.keys,
                login=person.login,
                password=person.password,
                display_name=person.display_name,
                email=person.email,
                record=found,
                now=now,
            )


def _register(server: AuthServer, now: datetime) -> None:
    with Session(server.engine) as session, session.begin():
        for one in demo_clients():
            if clients.find(session, one.client_id) is None:
                jwk = one.public_jwk
                clients.register(
                    session,
                    id=one.client_id,
                    name=one.name,
                    kind=clients.Kind(one.kind),
                    redirect_uris=one.redirect_uris,
                    jwks=None if jwk is None else {"keys": [jwk]},
                    scopes=one.scopes,
                    now=now,
                )


def described(settings: Settings, now: datetime) -> dict[str, Any]:
    """What GET /sandbox answers: who can sign in, which clients are registered and with which demo keys, and where."""
    issuer = settings.issuer
    return {
        "warning": "Demo people, demo passwords, demo keys. Never in production.",
        "citizens": [
            {
                "name": person.display_name,
                "login": person.login,
                "email": person.email,
                "password": person.password,
                "ins": {"system": f"urn:oid:{INS_NIR_TEST}", "value": person.ins},
            }
            for person in world(now.date()).people
        ],
        "clients": [
            {
                "client_id": one.client_id,
                "kind": one.kind,
                "name": one.name,
                "redirect_uris": list(one.redirect_uris),
                "scopes": list(one.scopes),
                "private_jwk": one.private_jwk,
            }
            for one in demo_clients()
        ],
        "endpoints": {
            "fhir": f"{issuer}/fhir",
            "metadata": f"{issuer}/fhir/metadata",
            "smart_configuration": f"{issuer}/fhir/.well-known/smart-configuration",
            "authorize": f"{issuer}/oauth/authorize",
            "token": f"{issuer}/oauth/token",
            "jwks": f"{issuer}/oauth/jwks",
            "openapi": f"{issuer}/openapi.json",
            "health": f"{issuer}/health/ready",
        },
    }
