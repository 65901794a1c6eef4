"""Subscriptions, and the events they are told of."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.String(collation="C")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("record", _ID),
        sa.Column("party", sa.Uuid()),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry", _INSTANT),
        sa.Column("beat", _INSTANT),
        sa.Column("grant", sa.Uuid()),
        sa.Column("until", _INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", _INSTANT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name=op.f("subscription_pkey")),
    )
    op.create_index(op.f("subscription_owner_idx"), "subscription", ["owner"])
    op.create_index(
        "subscription_record_idx",
        "subscription",
        ["bucket", "record", "topic"],
        postgresql_where=sa.column("record").is_not(None),
    )
    op.create_index(
        "subscription_party_idx",
        "subscription",
        ["party", "topic"],
        postgresql_where=sa.column("party").is_not(None),
    )
    op.create_index("subscription_until_idx", "subscription", ["until"])
    op.create_table(
        "subscription_event",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("record", _ID, nullable=False),
        sa.Column("subscription", _ID, nullable=False),
        sa.Column("focus", sa.String(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("entered", sa.Boolean(), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name=op.f("subscription_event_pkey")),
    )
    op.create_index("subscription_event_record_idx", "subscription_event", ["bucket", "record"])
    op.create_index(
        "subscription_event_waiting_idx",
        "subscription_event",
        ["subscription", "at", "id"],
        postgresql_where=sa.column("sent").is_(False),
    )
    op.create_index(
        "subscription_event_number_idx",
        "subscription_event",
        ["subscription", "number"],
        postgresql_where=sa.column("number").is_not(None),
    )
