"""The centre of notifications, the devices they are pushed to, and what could not be delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification",
        sa.Column("recipient", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "id", name=op.f("notification_pkey")),
    )
    op.create_index("notification_recipient_at_idx", "notification", ["recipient", "record", "at"], unique=False)
    op.create_index("notification_record_idx", "notification", ["bucket", "record"], unique=False)
    op.create_table(
        "push_device",
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("grant", sa.Uuid(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("push_device_pkey")),
    )
    op.create_index(op.f("push_device_seen_idx"), "push_device", ["seen"], unique=False)
    op.create_index("push_device_record_idx", "push_device", ["bucket", "record"], unique=False)
    # Expand only: a process of the release before goes on deleting what it gives up.
    op.add_column("outbox", sa.Column("error", sa.String(), nullable=True))
    op.add_column("outbox", sa.Column("dead", sa.DateTime(timezone=True), nullable=True))
