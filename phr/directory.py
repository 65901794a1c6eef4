"""Finding a professional's page in the directory: the Practitioner of the commons that carries their national number.

The rule: found through the lens, as the professional themself would find it; none or several is nobody.
"""

from datetime import datetime

from auth import professionals
from auth.scopes import Scope
from fhir.parameters import KINDS
from phr import reading
from phr.access.installation import Installation
from phr.access.reader import Professional
from phr.access.visit import Visit
from phr.core.identifiers import PS_ID_NAT_SYSTEM, NationalProfessional

_SCOPES = (Scope("user", "Practitioner", frozenset("s")),)


async def practitioner_of(
    installation: Installation, client: str, person: professionals.Professional, now: datetime
) -> str | None:
    """The logical id of their Practitioner. `client`: whose chain of the journal has the search.

    Raises DomainError UNAVAILABLE.
    """
    try:
        number = NationalProfessional.parse(person.id).rpps
    except ValueError:
        return None
    known = [f"{PS_ID_NAT_SYSTEM}|{person.id}"]
    if number is not None:
        known.append(f"{number.system}|{number.value}")
    visit = Visit(installation, Professional(client, person, None, None), _SCOPES, (), now)
    pairs = (("identifier", ",".join(known)), ("_count", "2"))
    base = f"{installation.settings.issuer}/fhir"
    found = await reading.search(visit, KINDS["Practitioner"], pairs, base, strict=True)
    return found.matches[0].id if len(found.matches) == 1 else None
