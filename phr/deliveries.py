"""How each kind of message that waits in the outbox is delivered: the one table."""

from auth import logout
from auth.mail import KIND as MAIL
from auth.server import AuthServer
from phr import mail
from phr.access.installation import Installation
from phr.core.outbox import Deliver
from phr.mssante import delivery as mssante
from phr.notifications import pushing, quiet
from phr.subscriptions import delivery
from phr.subscriptions.ledger import WAKE as REST_HOOK


def deliverers(server: AuthServer, installation: Installation) -> dict[str, Deliver]:
    """By kind. What has no deliverer here (a sandbox without a mail server) waits."""
    settings = installation.settings
    found: dict[str, Deliver] = {logout.KIND: logout.deliverer(server.issuer, server.signing)}
    found[REST_HOOK] = delivery.deliverer(server, installation)
    if settings.mail is not None:
        found[MAIL] = quiet.kept(mail.deliverer(settings), server.clock)
    pushes = pushing.deliverers(server.engine, server.keys, settings)
    found |= {kind: quiet.kept(push, server.clock) for kind, push in pushes.items()}
    found |= mssante.deliverers(installation, server.clock)
    return found
