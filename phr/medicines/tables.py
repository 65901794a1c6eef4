"""The tables of the public database of medicines, as the operator loaded it, and of the interactions they supplied.

The rule: what was loaded together has one number, its release; who reads looks one number up, and keeps to it. A
release is written whole in one transaction, beside the one being read: nobody waits, and nobody sees half of it.
"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from fhir.tables import ID as WORD
from fhir.tables import INSTANT
from phr.core.database import metadata

release = Table(
    "medicine_release",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("loaded", INSTANT, nullable=False),
    Column("files", JSONB, nullable=False),
)
"""`files`: by name, `sha256`, `encoding` and `lines` of each file it was read from."""

medicine = Table(
    "medicine",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("cis", WORD, primary_key=True),
    Column("name", String, nullable=False),
    Column("form", String, nullable=False),
    Column("routes", ARRAY(String), nullable=False),
    Column("authorised", Boolean, nullable=False),
    Column("marketed", Boolean, nullable=False),
    Column("holder", String, nullable=False),
)
"""CIS_bdpm: one row for each medicine (« spécialité »)."""

word = Table(
    "medicine_word",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("word", WORD, primary_key=True),
    Column("cis", WORD, primary_key=True),
)
"""The words of the names, folded, in byte order: the beginning of a word is a range of the key."""

presentation = Table(
    "medicine_presentation",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("cip13", WORD, primary_key=True),
    Column("cis", WORD, primary_key=True),
    Column("label", String, nullable=False),
    Column("marketed", Boolean, nullable=False),
)
"""CIS_CIP_bdpm: the boxes."""
Index("medicine_presentation_cis_idx", presentation.c.release, presentation.c.cis)

ingredient = Table(
    "medicine_ingredient",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("cis", WORD, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("code", WORD, nullable=False),
    Column("name", String, nullable=False),
    Column("folded", WORD, nullable=False),
    Column("strength", String, nullable=False),
    Column("per", String, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("link", String, nullable=False),
)
"""CIS_COMPO_bdpm. `active`: SA, the active substance; else FT (or ST), the therapeutic moiety of those of its link."""
Index("medicine_ingredient_folded_idx", ingredient.c.release, ingredient.c.folded)

condition = Table(
    "medicine_condition",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("cis", WORD, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("text", String, nullable=False),
)
"""CIS_CPD_bdpm: on what terms it is prescribed and delivered, in the file's words."""

generic = Table(
    "medicine_generic",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("cis", WORD, primary_key=True),
    Column("group", WORD, primary_key=True),
    Column("label", String, nullable=False),
    Column("type", String, nullable=False),
)
"""CIS_GENER_bdpm: the generic groups. `type`: 0 reference, 1 generic, 2 complementary dosage, 4 substitutable."""

member = Table(
    "medicine_class",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("member", WORD, primary_key=True),
    Column("name", WORD, primary_key=True),
)
"""Of the file of interactions: which substances a class has. Both names folded."""

interaction = Table(
    "medicine_interaction",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("a", WORD, nullable=False),
    Column("b", WORD, nullable=False),
    Column("level", String, nullable=False),
    Column("text", String, nullable=False),
)
"""The interactions. `a`, `b`: of a substance or a class, the name folded; `level`: `interactions.Level`."""
Index("medicine_interaction_a_idx", interaction.c.release, interaction.c.a)

FILLED = (medicine, word, presentation, ingredient, condition, generic, member, interaction)
"""What a release fills."""
