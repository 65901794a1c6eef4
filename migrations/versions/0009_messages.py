"""Threads: who takes part, what was read, what is kept for how long."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message_thread",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("thread", sa.String(collation="C"), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", "thread", name=op.f("message_thread_pkey")),
    )
    op.create_index(op.f("message_thread_last_idx"), "message_thread", ["last"], unique=False)
    op.create_table(
        "message_mark",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("thread", sa.String(collation="C"), nullable=False),
        sa.Column("party", sa.Uuid(), nullable=False),
        sa.Column("read", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsubscribed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", "thread", "party", name=op.f("message_mark_pkey")),
    )
    op.create_table(
        "message_draft",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("party", sa.Uuid(), nullable=False),
        sa.Column("thread", sa.String(collation="C"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", "party", "thread", name=op.f("message_draft_pkey")),
    )
    op.create_table(
        "message_pace",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("key", "at", "id", name=op.f("message_pace_pkey")),
    )
    op.create_table(
        "message_report",
        sa.Column("reported", sa.Uuid(), nullable=False),
        sa.Column("message", sa.Uuid(), nullable=False),
        sa.Column("reporter", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reported", "message", "reporter", name=op.f("message_report_pkey")),
    )
    op.create_table(
        "message_opening",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("message_opening_pkey")),
    )
