"""The citizen decides: the register of rights, access codes, delegations, inboxes, the life of a record"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: runs on a live database. What was hidden from the patient before shows a month after its last version."""
    op.create_table(
        "access_code",
        sa.Column("handle", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("consent", sa.String(collation="C"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("most_uses", sa.Integer(), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("handle", "hash", name=op.f("access_code_pkey")),
    )
    op.create_table(
        "delegation_invitation",
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("consent", sa.String(collation="C"), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "consent", name=op.f("delegation_invitation_pkey")),
    )
    op.create_table(
        "inbox",
        sa.Column("recipient", sa.Uuid(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("recipient", "record", "kind", "id", name=op.f("inbox_pkey")),
    )
    op.create_index("inbox_recipient_at_idx", "inbox", ["recipient", "at"], unique=False)
    op.create_table(
        "opposition",
        sa.Column("hash", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("opposition_pkey")),
    )
    op.create_table(
        "provision",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("record", sa.String(collation="C"), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("right", sa.String(), nullable=False),
        sa.Column("actor", sa.Uuid(), nullable=True),
        sa.Column("permits", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("kinds", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("tokens", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("resources", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("powers", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(collation="C"), nullable=True),
        sa.Column("structure", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("bucket", "record", "id", name=op.f("provision_pkey")),
    )
    op.create_index("provision_actor_idx", "provision", ["bucket", "record", "actor"], unique=False)
    op.add_column("record", sa.Column("closing", sa.String(), nullable=True))
    op.add_column("record", sa.Column("erase_after", sa.DateTime(timezone=True), nullable=True))
    op.add_column("record", sa.Column("erased", sa.DateTime(timezone=True), nullable=True))
    op.add_column("representation", sa.Column("consent", sa.String(collation="C"), nullable=True))
    op.add_column("resource", sa.Column("withheld_until", sa.DateTime(timezone=True), nullable=True))
    resource = sa.table(
        "resource",
        sa.column("hidden_from_patient", sa.Boolean()),
        sa.column("updated", sa.DateTime(timezone=True)),
        sa.column("withheld_until", sa.DateTime(timezone=True)),
    )
    month = sa.literal(timedelta(days=31), sa.Interval())
    op.execute(
        sa.update(resource).where(resource.c.hidden_from_patient).values(withheld_until=resource.c.updated + month)
    )
    op.create_index("access_code_record_idx", "access_code", ["bucket", "record"])
    op.create_index("access_code_consent_idx", "access_code", ["bucket", "consent"])
    op.create_index("inbox_record_idx", "inbox", ["bucket", "record"])
    op.create_index("delegation_invitation_record_idx", "delegation_invitation", ["record"])
    erased = sa.column("erase_after").is_not(None)
    op.create_index("record_erase_after_idx", "record", ["erase_after"], postgresql_where=erased)
    op.create_index("record_lookup_record_idx", "record_lookup", ["record"])
    op.create_index("representation_record_idx", "representation", ["record"])
    op.create_index("trait_lookup_record_idx", "trait_lookup", ["bucket", "record"])
    op.create_index("delegation_invitation_consent_idx", "delegation_invitation", ["consent"])
