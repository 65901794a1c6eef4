"""The centre of notifications, the devices they are pushed to, and what could not be delivered."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
