"""What a verified access token says. Nothing here is trusted before `auth.rfc9068.Verifier` made it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth.professionals import Professional


@dataclass(frozen=True, slots=True)
class Claims:
    """Who asks, through which software, for which record and with which scopes.

    `kind` is the client's kind (`auth.clients.Kind`); `subject` a citizen's account (UUID as text), a professional's
    national id, or a client's id; `record` the SMART patient context; `jti` and `grant` are UUIDs as text: a token
    whose `jti` or `grant` is in `auth.tables.revoked_token` is revoked. `actor` is who acts for the subject (RFC 8693
    §4.1): an account for a represented person, a national id for an assistant. `jkt` and `x5t` bind the token to a key
    (RFC 9449 §6.1) or a certificate (RFC 8705 §3.1). `acr` and `auth_time` say how and when the person was proven
    (RFC 9470 §6).
    """

    client: str
    kind: str
    subject: str
    record: str | None
    scopes: tuple[str, ...]
    jti: str
    grant: str | None
    expires: datetime
    actor: str | None = None
    jkt: str | None = None
    x5t: str | None = None
    acr: str | None = None
    auth_time: int | None = None
    professional: Professional | None = None
    assistant: Professional | None = None

    @property
    def revocable(self) -> tuple[UUID, ...]:
        """What a revocation of this token would name."""
        return tuple(UUID(name) for name in (self.jti, self.grant) if name is not None)
