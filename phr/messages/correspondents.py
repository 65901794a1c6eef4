"""Whom a person may write to first, found by name in the directory.

The rule: who is found is who would take the message; of anybody else nothing is said, not even that they are there.
"""

from dataclasses import dataclass

from fhir.parameters import KINDS
from phr import reading
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES, Actor
from phr.access.reader import Person
from phr.access.scope import SEARCH
from phr.access.visit import Visit
from phr.blocks import elsewhere
from phr.core.errors import DomainError, forbidden, invalid
from phr.messages import parties
from phr.messages.openness import open_to_people
from phr.messages.starting import is_pharmacy, name_of
from phr.messages.thread import COMMUNICATION, Json
from phr.relations import PHARMACIES

SHORTEST = 2
MOST = 50
_ASKED = (
    ("Organization", (("type", ",".join(sorted(PHARMACIES))),)),
    ("Organization", ()),
    ("Practitioner", ()),
)
_WHAT = {"Organization": "structure", "Practitioner": "professional"}
_SYSTEMS = (PROFESSIONALS, STRUCTURES, RPPS, FINESS)


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody of the directory who takes the message of a person. `what`: pharmacy, structure or professional."""

    actor: Actor
    what: str


async def named(visit: Visit, record: str, name: str, base: str) -> list[Correspondent]:
    """Those whose name holds these letters, by name. Raises CONTENT (422), FORBIDDEN to who is no person, ABSENT."""
    reading.require(visit, SEARCH, COMMUNICATION)
    elsewhere(visit, record)
    if not isinstance(visit.reader, Person):
        raise forbidden("A professional names whom they write to by their national identifier.")
    if len(name.strip()) < SHORTEST:
        raise invalid(f"At least {SHORTEST} letters of a name.", "name")
    found: dict[str, tuple[Actor, Json]] = {}
    for kind, more in _ASKED:
        asked = (("name:contains", name.strip()), *more, ("_count", str(MOST)))
        page = await reading.search(visit, KINDS[kind], asked, base, strict=True)
        for body in (one.json(page.view.keyring) for one in page.matches):
            actor = _actor(body)
            if actor is not None:
                found[actor.name] = actor, body
    keys = visit.installation.system_keys
    async with visit.installation.database.session() as session:
        welcome = await open_to_people(session, keys, [actor for actor, _ in found.values()])
    listed = [
        Correspondent(actor, "pharmacy" if is_pharmacy(actor, body) else _WHAT[body["resourceType"]])
        for actor, body in found.values()
        if actor.name in welcome or is_pharmacy(actor, body)
    ]
    return sorted(listed, key=lambda one: one.actor.display.casefold())


def _actor(page: Json) -> Actor | None:
    """Who a page of the directory is about; None without a national identifier that is one."""
    known = [one for system in _SYSTEMS for one in page.get("identifier", ()) if one.get("system") == system]
    try:
        [actor] = parties.named(known[:1])
    except (DomainError, ValueError):
        return None
    return Actor(actor.system, actor.value, name_of(page))
