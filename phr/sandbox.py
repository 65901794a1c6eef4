"""The sandbox's content: the demo world loaded into an empty database, and all an integrator needs to try the API.

The rule: nothing here runs in production, and nothing here opens anything: demo accounts and clients are ordinary.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import accounts, clients, terms
from auth.accounts import Account
from auth.sandbox import people as picked
from auth.sandbox.provider import FC, PSC, Client, SandboxProvider
from auth.scopes import Scope
from auth.server import AuthServer
from fhir.tables import record
from phr import imports, mandates, records
from phr.access.installation import Installation
from phr.access.reader import SELF, Professional
from phr.access.visit import Visit
from phr.core.database import compile_query
from phr.core.identifiers import INS_NIR_TEST
from phr.core.settings import Provider, Settings
from phr.demo import people, prescription
from phr.demo.clients import demo_clients
from phr.demo.world import Person, World, world
from phr.prescription import deposit, ledger, number

HOSPITAL = "carnet-demo-hospital"
_COUNT = compile_query(select(func.count().label("records")).select_from(record))
COMMONS = "demo|commons"
CLIENT, SECRET = "carnet", "demo-secret-of-carnet"
"""This installation, as its own sandbox providers know it."""

SOFTWARE = (
    ("demo-practice", "demo-secret-of-the-practice", "http://127.0.0.1:8766/callback"),
    ("demo-pharmacy", "demo-secret-of-the-pharmacy", "http://127.0.0.1:8768/callback"),
)
"""Professional software, as the sandbox's provider of professionals knows it: its tokens are what is exchanged."""


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
            await run_in_threadpool(_enroll, server, person, found, installation.settings.terms_version, now)
    await _represent(installation, server, now)
    await run_in_threadpool(_register, server, now)
    await _prescribe(installation, demo.people[0].ins, now)
    return len(demo.people)


async def _wanted(installation: Installation) -> bool:
    if await imports.marked(installation, COMMONS) is not None:
        return True
    async with installation.database.session() as session:
        row = await session.one(_COUNT)
    return row is not None and row["records"] == 0


def _bundle(demo: World) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(demo.commons)}


def _enroll(server: AuthServer, person: Person, found: str, terms_version: str, now: datetime) -> None:
    with Session(server.engine) as session, session.begin():
        if accounts.lookup(session, server.keys, person.login)[0] is None:
            account = accounts.enroll(
                session,
                server.keys,
                login=person.login,
                password=person.password,
                display_name=person.display_name,
                email=person.email,
                record=found,
                now=now,
                born=_born(person),
            )
            terms.accepted(session, server.keys, account, terms_version, now)


def _born(person: Person) -> str:
    resources = (entry["resource"] for entry in person.transaction["entry"])
    return next(str(one["birthDate"]) for one in resources if one["resourceType"] == "Patient")


async def _represent(installation: Installation, server: AuthServer, now: datetime) -> None:
    """The parents of the demo world act for their children, until they are of age."""
    today = now.date()
    lina, ines = people.lina(today), people.ines(today)
    families = ((people.claire(today), lina), (people.nicolas(today), lina), (people.karim(today), ines))
    visit = imports.visit_of(installation, SELF, now)
    for parent, child in families:
        acting, own = await run_in_threadpool(_accounts, server, parent.login, child.login)
        if acting is not None and own is not None and own.record is not None:
            await mandates.represent(visit, own.record, acting.id, child.given[0])


async def _prescribe(installation: Installation, ins: str, now: datetime) -> None:
    """A prescription for the first of them, as their practice's software deposits it; once."""
    async with installation.database.session() as session:
        record = await records.find(session, installation, f"urn:oid:{INS_NIR_TEST}", ins)
    if record is None or await ledger.of_number(
        installation, number.mark(installation.system_keys, prescription.NUMBER)
    ):
        return
    reader = Professional(prescription.SOFTWARE, prescription.prescriber(), None, None)
    visit = Visit(installation, reader, _PRESCRIBING, (), now)
    bundle, signed = prescription.prescribed(record, now)
    await deposit.prescribe(visit, record, bundle, signed, None, f"{installation.settings.issuer}/fhir")


_PRESCRIBING = (Scope("user", "*", frozenset("cruds")),)


def _accounts(server: AuthServer, *logins: str) -> list[Account | None]:
    with Session(server.engine) as session:
        return [accounts.lookup(session, server.keys, login)[0] for login in logins]


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
                    metadata=dict(one.metadata),
                )


def sandbox_providers(settings: Settings) -> tuple[Provider, Provider]:
    """How to reach the sandbox's own providers, of professionals and of citizens, where no other is configured."""
    found = (f"{settings.issuer}/sandbox/{shape.slug}/.well-known/{shape.discovery}" for shape in (PSC, FC))
    professionals, citizens = (Provider(address, CLIENT, SECRET) for address in found)
    return professionals, citizens


def provider_servers(settings: Settings, now: datetime) -> tuple[SandboxProvider, SandboxProvider]:
    """The providers themselves. Raises UnsafeSettingsError outside of a sandbox.

    They live in this process: a sandbox served by several processes needs a provider of its own (docker-compose.yml).
    """
    issuer = settings.issuer
    ours = f"{issuer}/signin/professional/callback"
    carnet = Client(CLIENT, SECRET, (ours,), f"{issuer}/oauth/providers/professional/logout")
    software = (Client(name, secret, (callback,)) for name, secret, callback in SOFTWARE)
    psc = SandboxProvider(settings, PSC, picked.professionals(), (carnet, *software))
    mine = Client(CLIENT, SECRET, (f"{issuer}/signin/franceconnect/callback",))
    return psc, SandboxProvider(settings, FC, picked.citizens(_citizens(now)), (mine,))


def _citizens(now: datetime) -> list[picked.Citizen]:
    """The adults and the teenager of the demo world: a child of eight does not sign in."""
    today = now.date()
    found = (make(today) for make in (people.claire, people.nicolas, people.jeanne, people.karim, people.ines))
    return [
        picked.Citizen(
            who.login,
            who.given,
            who.birth_name,
            "" if who.used_name == who.birth_name else who.used_name,
            who.gender,
            who.birth.isoformat(),
            who.commune,
            who.email,
        )
        for who in found
    ]


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
                "metadata": dict(one.metadata),
            }
            for one in demo_clients()
        ],
        "professionals": [
            {"name": person.label, "what": person.note, "id": person.userinfo["SubjectNameID"], "pick": person.id}
            for person in picked.professionals()
        ],
        "providers": {
            "professionals": {
                "discovery": sandbox_providers(settings)[0].discovery,
                "sign_in": f"{issuer}/signin/professional",
                "end_sessions": f"{issuer}/sandbox/psc/logout",
                "software": [
                    {"client_id": name, "client_secret": secret, "redirect_uri": callback}
                    for name, secret, callback in SOFTWARE
                ],
            },
            "citizens": {
                "discovery": sandbox_providers(settings)[1].discovery,
                "sign_in": f"{issuer}/signin/franceconnect",
            },
        },
        "endpoints": {
            "fhir": f"{issuer}/fhir",
            "metadata": f"{issuer}/fhir/metadata",
            "smart_configuration": f"{issuer}/fhir/.well-known/smart-configuration",
            "authorize": f"{issuer}/oauth/authorize",
            "token": f"{issuer}/oauth/token",
            "pushed_authorization_request": f"{issuer}/oauth/par",
            "introspection": f"{issuer}/oauth/introspect",
            "revocation": f"{issuer}/oauth/revoke",
            "userinfo": f"{issuer}/oauth/userinfo",
            "launch": f"{issuer}/oauth/launch",
            "logout": f"{issuer}/oauth/logout",
            "protected_resource": f"{issuer}/.well-known/oauth-protected-resource/fhir",
            "account": f"{issuer}/account",
            "jwks": f"{issuer}/oauth/jwks",
            "openapi": f"{issuer}/openapi.json",
            "mail": f"{issuer}/sandbox/mail",
            "health": f"{issuer}/health/ready",
        },
    }
