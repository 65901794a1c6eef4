"""What the authorization server remembers. The rule: what identifies a person is sealed or a keyed hash.

Tables that grow with people are keyed by one opaque id or hash and take no foreign key, so that they distribute.
"""

from sqlalchemy import ARRAY, Boolean, Column, DateTime, Index, Integer, LargeBinary, String, Table, Uuid
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
)

browser_session = Table(
    "browser_session",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("account", Uuid, nullable=False, index=True),
    Column("created", _INSTANT, nullable=False),
    Column("expires", _INSTANT, nullable=False, index=True),
)

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
