"""The medicines of the public database, as the operator loaded them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    word = sa.String(collation="C")
    op.create_table(
        "medicine_release",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("loaded", sa.DateTime(timezone=True), nullable=False),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("medicine_release_pkey")),
    )
    op.create_table(
        "medicine",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cis", word, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("routes", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("authorised", sa.Boolean(), nullable=False),
        sa.Column("marketed", sa.Boolean(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", "cis", name=op.f("medicine_pkey")),
    )
    op.create_table(
        "medicine_word",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("word", word, nullable=False),
        sa.Column("cis", word, nullable=False),
        sa.PrimaryKeyConstraint("release", "word", "cis", name=op.f("medicine_word_pkey")),
    )
    op.create_table(
        "medicine_presentation",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cip13", word, nullable=False),
        sa.Column("cis", word, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("marketed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("release", "cip13", "cis", name=op.f("medicine_presentation_pkey")),
    )
    op.create_index("medicine_presentation_cis_idx", "medicine_presentation", ["release", "cis"], unique=False)
    op.create_table(
        "medicine_ingredient",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cis", word, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", word, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("folded", word, nullable=False),
        sa.Column("strength", sa.String(), nullable=False),
        sa.Column("per", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", "cis", "position", name=op.f("medicine_ingredient_pkey")),
    )
    op.create_index("medicine_ingredient_folded_idx", "medicine_ingredient", ["release", "folded"], unique=False)
    op.create_table(
        "medicine_condition",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cis", word, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", "cis", "position", name=op.f("medicine_condition_pkey")),
    )
    op.create_table(
        "medicine_generic",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cis", word, nullable=False),
        sa.Column("group", word, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", "cis", "group", name=op.f("medicine_generic_pkey")),
    )
    op.create_table(
        "medicine_class",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("member", word, nullable=False),
        sa.Column("name", word, nullable=False),
        sa.PrimaryKeyConstraint("release", "member", "name", name=op.f("medicine_class_pkey")),
    )
    op.create_table(
        "medicine_interaction",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("a", word, nullable=False),
        sa.Column("b", word, nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("release", "position", name=op.f("medicine_interaction_pkey")),
    )
    op.create_index("medicine_interaction_a_idx", "medicine_interaction", ["release", "a"], unique=False)
