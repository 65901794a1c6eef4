"""What a verified access token says. Nothing here is trusted before `auth.rfc9068.Verifier` made it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """Who asks, through which software, for which record and with which scopes.

    `kind` is the client's kind (`auth.clients.Kind`); `record` the SMART patient context; `jti` and `grant` are
    UUIDs as text: a token whose `jti` or `grant` is in `auth.tables.revoked_token` is revoked.
    """

    client: str
    kind: str
    subject: str
    record: str | None
    scopes: tuple[str, ...]
    jti: str
    grant: str | None
    expires: datetime
