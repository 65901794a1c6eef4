"""Prevention: when records are looked at again, what was sent, private calendar addresses."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prevention_watch",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("next_change", sa.Date(), nullable=True),
        sa.Column("looked", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", name=op.f("prevention_watch_pkey")),
    )
    op.create_index("prevention_watch_next_change_idx", "prevention_watch", ["next_change"], unique=False)
    op.create_table(
        "prevention_message",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("mark", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", "mark", name=op.f("prevention_message_pkey")),
    )
    op.create_table(
        "calendar_feed",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("calendar_feed_pkey")),
    )
    op.create_index("calendar_feed_record_idx", "calendar_feed", ["bucket", "record"], unique=False)
    # BRIN: a few pages whatever the journal's size, and little locking time even on a large one.
    op.create_index("journal_at_idx", "journal", ["at"], unique=False, postgresql_using="brin")
