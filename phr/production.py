"""What production refuses to start with, found in the data: demo people, demo clients, sandbox keys."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth.server import AuthServer
from auth.tables import client
from phr import imports
from phr.access.installation import Installation
from phr.demo.clients import demo_key_thumbprints, thumbprint
from phr.sandbox import COMMONS

SANDBOX_KEK = "sandbox"


async def faults(installation: Installation, server: AuthServer) -> list[str]:
    """Every reason not to serve this database in production."""
    found = []
    if await imports.marked(installation, COMMONS) is not None:
        found.append("the database holds the demo world")
    if any(name.startswith(SANDBOX_KEK) for name in installation.keks.names):
        found.append("PHR_KEY_FILE holds a sandbox key")
    if await run_in_threadpool(_demo_clients, server):
        found.append("a client is registered with a demo key")
    return found


def _demo_clients(server: AuthServer) -> bool:
    demo = demo_key_thumbprints()
    with Session(server.engine) as session:
        listed = session.execute(select(client.c.jwks).where(client.c.jwks.is_not(None))).scalars()
        keys = [key for jwks in listed for key in jwks.get("keys", ())]
    return any(key.get("kty") == "EC" and thumbprint(key) in demo for key in keys)
