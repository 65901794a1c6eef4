"""Secure messaging: which mails a record has had."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mssante_mail",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("thread", sa.String(collation="C"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "record", "hash", name=op.f("mssante_mail_pkey")),
    )
