"""Prescriptions: their numbers, and the answers already given to a repeated request."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
