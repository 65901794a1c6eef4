"""What the gateway is, for what files mail and what sends it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.scopes import Scope
from phr.access.installation import Installation
from phr.access.reader import System
from phr.access.visit import Visit
from phr.core.settings import Mssante
from phr.mssante.peers import Peers

CLIENT = "mssante"
"""The gateway's name as a client: in the journal, and as the author of what it files."""
RECEIVED, UNDELIVERED = "Communication/$receive-message", "Communication/$undelivered"
"""What the journal says was asked: of the record a mail came to, or of the thread a mail did not leave."""
PATIENCE = timedelta(days=2)
"""How long a mail is tried again before somebody is told; less than the outbox gives up in."""
_EVERYTHING = (Scope("system", "*", frozenset("cruds")),)


class LaterError(Exception):
    """It may go better: the outbox tries again."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """An installation with its settings of secure messaging, and whom it trusts."""

    here: Installation
    settings: Mssante
    peers: Peers

    def visit(self, now: datetime) -> Visit:
        """The gateway's own visit: it sees what it wrote, and no more."""
        return Visit(self.here, System(CLIENT), _EVERYTHING, (), now)
