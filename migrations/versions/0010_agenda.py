"""Reminders that come due; whether a calendar address says titles."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("about", sa.String(collation="C"), nullable=True),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("snoozed", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("bucket", "record", "id", name=op.f("reminder_pkey")),
    )
    op.create_index("reminder_due_idx", "reminder", ["due"], unique=False)
    # Addresses made before were said never to tell of what a date is.
    op.add_column("calendar_feed", sa.Column("titles", sa.Boolean(), server_default=sa.false(), nullable=False))
