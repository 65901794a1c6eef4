"""`python -m phr gateway`: take the mail of secure messaging in.

The rule: without TLS and a list of who is trusted it listens to nobody, but in a sandbox.
"""

import asyncio
import logging
import signal
from datetime import UTC, datetime

import typer

from phr.access.installation import Installation
from phr.commands.opening import Opened, opened, refusal
from phr.core.database import Database
from phr.core.keys import KeyEncryptionKeys
from phr.core.settings import Mssante
from phr.core.vault import KeyFile
from phr.mssante import peers, server
from phr.mssante.peers import Peers, PeersError

CONNECTIONS = 4
"""To the database: one for each mail that is kept at the same moment."""


def gateway() -> None:
    """Take the mail of secure messaging in (PHR_MSSANTE_…), until stopped. `serve` files it, and sends what leaves."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with opened() as here:
        settings = here.settings.mssante
        if settings is None:
            raise refusal("There is no gateway here: PHR_MSSANTE_DOMAIN says for which addresses.")
        try:
            asyncio.run(_listen(here, settings, peers.read(settings.peers)))
        except PeersError as error:
            raise refusal(f"The gateway will not start: {error}.") from None
        except OSError as error:
            raise refusal(f"The gateway cannot listen, or read its certificate ({type(error).__name__}).") from None


async def _listen(here: Opened, settings: Mssante, trusted: Peers) -> None:
    url = here.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    database = await Database.connect(url, CONNECTIONS)
    stopped = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    try:
        keks = KeyEncryptionKeys(KeyFile.load(here.settings.key_file))
        installation = Installation.make(here.settings, database, keks, here.keys)
        listening = await server.serve(installation, settings, trusted, lambda: datetime.now(UTC))
        typer.echo(f"Secure messaging: listening on {settings.host}:{settings.port}, for {settings.domain}.")
        async with listening:
            await stopped.wait()
    finally:
        await database.close()
