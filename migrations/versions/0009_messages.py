"""Threads: who takes part, what was read, what is kept for how long."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
