"""What the authorization server remembers. The rule: what identifies a person is sealed or a keyed hash.

Tables that grow with people are keyed by one opaque id or hash and take no foreign key, so that they distribute.
"""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Index, Integer, LargeBinary, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from phr.core.database import metadata

_INSTANT = DateTime(timezone=True)

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", _INSTANT, nullable=False),
)

account_lookup = Table(
    "account_lookup",
    metadata,
    Column("name_hash", Uuid, primary_key=True),
    Column("account", Uuid, nullable=False),
)

client = Table(
    "client",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("redirect_uris", ARRAY(String), nullable=False),
    Column("jwks", JSONB(none_as_null=True)),
    Column("scopes", ARRAY(String), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("metadata", JSONB(none_as_null=True)),
)
"""`metadata`: what else is registered, under the names of RFC 7591 §2 and its extensions."""

browser_session = Table(
    "browser_session",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("account", Uuid, nullable=False, index=True),
    Column("created", _INSTANT, nullable=False),
    Column("expires", _INSTANT, nullable=False, index=True),
    Column("id", Uuid),
    Column("sealed", LargeBinary),
    Column("last_used", _INSTANT),
)
"""`account` is a citizen's account or a professional's keyed id; without `sealed` (an older release's) it is over."""

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("jti", Uuid, nullable=False),
    Column("expires", _INSTANT, nullable=False, index=True),
    Column("used", _INSTANT),
)

grant = Table(
    "grant",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account", Uuid, nullable=False, index=True),
    Column("client", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("revoked", _INSTANT),
    Column("session", Uuid),
    Column("last_used", _INSTANT),
    Column("expires", _INSTANT),
)
"""What was granted, to whom and how proven is sealed. `expires`: when its refresh tokens end, if it has any."""

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("grant", Uuid, nullable=False, index=True),
    Column("expires", _INSTANT, nullable=False, index=True),
    Column("used", _INSTANT),
)

ticket = Table(
    "ticket",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("purpose", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires", _INSTANT, nullable=False, index=True),
)
"""What waits a few minutes for one browser or one client to come back (`auth.tickets`)."""

factor = Table(
    "factor",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("kind", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("last_used", _INSTANT),
)
"""What proves a citizen besides the password. `counter`: a passkey's signature count, TOTP's last time step."""

invitation = Table(
    "invitation",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("expires", _INSTANT, nullable=False, index=True),
    Column("used", _INSTANT),
)

federated_account = Table(
    "federated_account",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("account", Uuid, nullable=False, index=True),
    Column("created", _INSTANT, nullable=False),
)
"""A keyed hash of an identity provider's issuer and `sub`, and the account it signs in."""

provider_session = Table(
    "provider_session",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("target", Uuid, primary_key=True),
    Column("kind", String, nullable=False),
    Column("until", _INSTANT, nullable=False, index=True),
)
"""A keyed hash of a provider's `sid` or `sub`, and what its logout ends here: a browser session, a grant, a token."""

exchanged_token = Table(
    "exchanged_token",
    metadata,
    Column("jti", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("checked", _INSTANT, nullable=False, index=True),
    Column("until", _INSTANT, nullable=False, index=True),
)
"""The provider's token each exchanged token came from, to ask again whether it still holds."""

assistant = Table(
    "assistant",
    metadata,
    Column("professional", Uuid, primary_key=True),
    Column("assistant", Uuid, primary_key=True, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("ended", _INSTANT),
)

revoked_token = Table(
    "revoked_token",
    metadata,
    Column("jti", Uuid, primary_key=True),
    Column("until", _INSTANT, nullable=False, index=True),
)

seen_assertion = Table(
    "seen_assertion",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("until", _INSTANT, nullable=False, index=True),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", String, primary_key=True),
    Column("alg", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("retired", _INSTANT),
)

attempt = Table(
    "attempt",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("opened", _INSTANT, nullable=False),
    Column("tries", Integer, nullable=False),
)

Index("attempt_opened_idx", attempt.c.opened)
