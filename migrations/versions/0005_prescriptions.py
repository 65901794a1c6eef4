"""Prescriptions: their numbers, and the answers already given to a request that is repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prescription",
        sa.Column("number", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=True),
        sa.Column("record", sa.String(collation="C"), nullable=True),
        sa.Column("task", sa.String(collation="C"), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("prescription_pkey")),
    )
    op.create_index("prescription_record_idx", "prescription", ["bucket", "record"], unique=False)
    op.create_index("prescription_task_idx", "prescription", ["bucket", "task"], unique=False)
    op.create_index("prescription_until_idx", "prescription", ["until"], unique=False)
    op.create_table(
        "answered",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", "key", name=op.f("answered_pkey")),
    )
    op.create_index(op.f("answered_at_idx"), "answered", ["at"], unique=False)
