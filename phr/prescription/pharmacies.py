"""Pharmacies: the one a professional acts in, and the one a person chooses in the directory.

The rule: a pharmacy is a structure with a national number, whose sector is one where medicines are dispensed.
"""

from typing import Any

from auth.professionals import Professional as Identity
from fhir import tokens
from fhir.predicate import IdIn, KindIn
from fhir.search import one_of
from fhir.stored import Stored
from phr.access.consent import FINESS, STRUCTURES, Actor
from phr.access.reader import Professional
from phr.access.visit import Deed, Visit
from phr.core.errors import forbidden, invalid
from phr.relations import PHARMACIES

Json = dict[str, Any]
_WHERE = "Parameters.parameter.where(name = 'pharmacy')"
PHARMACIST = ("TRE_G15", "21")


def pharmacist(visit: Visit) -> tuple[Identity, Actor]:
    """The pharmacist who asks, and the pharmacy they act in. Raises FORBIDDEN."""
    reader = visit.reader
    if not isinstance(reader, Professional) or (reader.identity.system, reader.identity.profession) != PHARMACIST:
        raise forbidden("A pharmacist does this.")
    who = reader.identity
    if not who.structure.startswith("1") or (who.sector and who.sector not in PHARMACIES):
        raise forbidden("The pharmacist acts in a pharmacy, known by its FINESS number.")
    return who, Actor(STRUCTURES, who.structure, who.structure_name)


async def chosen(deed: Deed, reference: str, base: str) -> Actor:
    """The pharmacy of the directory that this reference names. Raises CONTENT (422)."""
    found = await named(deed, reference, base)
    if found is None:
        raise invalid("No such pharmacy in the directory.", _WHERE, "not-found")
    body, pharmacy = found
    sectors = {coding.get("code") for one in body.get("type", ()) for coding in one.get("coding", ())}
    if not sectors & PHARMACIES:
        raise invalid("This structure is not a pharmacy.", _WHERE)
    return pharmacy


async def named(deed: Deed, reference: str, base: str) -> tuple[Json, Actor] | None:
    """The Organization of this reference, and the structure it is; None: unknown, or without a national number."""
    local = tokens.local(reference, base)
    if local is None or local[0] != "Organization":
        return None
    match = (KindIn(frozenset({"Organization"})), IdIn(frozenset({local[1]})))
    rows = await deed.fetch(one_of(deed.unscoped().commons, match, gone=False))
    if not rows:
        return None
    body = Stored.from_row(rows[0]).json(deed.view.keyring)
    for one in body.get("identifier", ()):
        if one.get("system") in (STRUCTURES, FINESS) and one.get("value"):
            value = one["value"] if one["system"] == STRUCTURES else f"1{one['value']}"
            return body, Actor(STRUCTURES, str(value), str(body.get("name", "")))
    return None
