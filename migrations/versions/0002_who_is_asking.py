"""Who is asking: factors, sessions, refresh tokens, invitations, identity providers, what is sent outside"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: runs on a live database."""
    op.create_table(
        "assistant",
        sa.Column("professional", sa.Uuid(), nullable=False),
        sa.Column("assistant", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("professional", "assistant", name=op.f("assistant_pkey")),
    )
    op.create_index(op.f("assistant_assistant_idx"), "assistant", ["assistant"], unique=False)
    op.create_table(
        "exchanged_token",
        sa.Column("jti", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("checked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("jti", name=op.f("exchanged_token_pkey")),
    )
    op.create_index(op.f("exchanged_token_checked_idx"), "exchanged_token", ["checked"], unique=False)
    op.create_index(op.f("exchanged_token_until_idx"), "exchanged_token", ["until"], unique=False)
    op.create_table(
        "factor",
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("factor_pkey")),
    )
    op.create_table(
        "federated_account",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("federated_account_pkey")),
    )
    op.create_index(op.f("federated_account_account_idx"), "federated_account", ["account"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("hash", name=op.f("invitation_pkey")),
    )
    op.create_index(op.f("invitation_expires_idx"), "invitation", ["expires"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pkey")),
    )
    op.create_index(op.f("outbox_due_idx"), "outbox", ["due"], unique=False)
    op.create_table(
        "provider_session",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("target", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", "target", name=op.f("provider_session_pkey")),
    )
    op.create_index(op.f("provider_session_until_idx"), "provider_session", ["until"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("grant", sa.Uuid(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("refresh_token_pkey")),
    )
    op.create_index(op.f("refresh_token_expires_idx"), "refresh_token", ["expires"], unique=False)
    op.create_index(op.f("refresh_token_grant_idx"), "refresh_token", ["grant"], unique=False)
    op.create_table(
        "representation",
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "record", name=op.f("representation_pkey")),
    )
    op.create_table(
        "ticket",
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("ticket_pkey")),
    )
    op.create_index(op.f("ticket_expires_idx"), "ticket", ["expires"], unique=False)
    op.create_table(
        "trait_lookup",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("hash", "bucket", "record", name=op.f("trait_lookup_pkey")),
    )
    op.add_column("browser_session", sa.Column("id", sa.Uuid(), nullable=True))
    op.add_column("browser_session", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column("browser_session", sa.Column("last_used", sa.DateTime(timezone=True), nullable=True))
    op.add_column("client", sa.Column("metadata", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column("grant", sa.Column("session", sa.Uuid(), nullable=True))
    op.add_column("grant", sa.Column("last_used", sa.DateTime(timezone=True), nullable=True))
    op.add_column("grant", sa.Column("expires", sa.DateTime(timezone=True), nullable=True))
