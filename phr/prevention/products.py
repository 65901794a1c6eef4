"""What the loaded base of medicines tells of a vaccine that a record names by a CIS or a CIP13: its name.

The rule: that name is read as any name of a product is; what the base does not have, or no base at all, says nothing.
"""

from collections.abc import Iterable, Mapping

from phr.core.database import Session
from phr.medicines.lookup import CODE, names_of
from phr.medicines.medication import CIP, CIS
from phr.prevention.elements import Json, codings

Products = Mapping[tuple[str, str], str]
"""The name of a medicine, by the system and the code that a record gives it."""


async def products(session: Session, resources: Iterable[Json]) -> Products:
    """Those of the Immunizations among resources. One statement, and none when they name no such code."""
    coded = {
        (system, code)
        for one in resources
        if one.get("resourceType") == "Immunization"
        for system, code in codings(one.get("vaccineCode"))
        if system in (CIS, CIP) and CODE.fullmatch(code)
    }
    names = await names_of(session, {code for _, code in coded}) if coded else {}
    return {pair: names[pair[1]] for pair in coded if pair[1] in names}
