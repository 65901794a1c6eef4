"""What the person does with a prescription: shows its code, sends it to a pharmacy, takes it back, names a usual one.

The rule: theirs, or of who acts for them with that power; what a pharmacy has in hand is not taken back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fhir.parameters import KINDS
from fhir.predicate import KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr import operated
from phr.access.journal import Tag
from phr.access.provision import DISPENSE
from phr.access.reader import Person
from phr.access.right import may_act_for
from phr.access.scope import READ, UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import absent, forbidden
from phr.operated import PRESCRIPTION
from phr.plan import obey
from phr.prescription import ledger, number, showing, task
from phr.prescription.held import TASK, Held, find, gone, holding
from phr.prescription.life import OVER, Move
from phr.prescription.pharmacies import chosen
from phr.reading import home_of, require

Json = dict[str, Any]
TEAM = KINDS["CareTeam"]
USUAL = "usual-pharmacy"
"""The tag of the CareTeam that says which pharmacy a person usually goes to."""


async def code(visit: Visit, id: str, *, renew: bool = False) -> tuple[str, str]:
    """The code of a prescription as people read it, and the address its QR holds; another one when `renew`.

    Raises FORBIDDEN, ABSENT, GONE (once it is over there is nothing to show).
    """
    _mine(visit, READ)
    record = await home_of(visit, TASK, id)
    asked = asked_of(("Task", id, "$renew-code" if renew else "$code"))
    async with visit.act(record, READ, Tag.PRESCRIPTION, asked, deciding=True) as deed:
        held = await _found(deed, id)
        if held.state in OVER:
            raise gone(held.state)
        generation = await ledger.renew(deed.session, held.known) if renew else held.known.generation
        made = number.code(visit.installation.system_keys, held.number, generation)
    return number.grouped(made), number.url(visit.installation.settings.issuer, made)


async def send(visit: Visit, id: str, pharmacy: str, base: str, *, shares: bool) -> Json:
    """Send it to a pharmacy, `Organization/id`; `shares`: that pharmacy is lent the record too, for a few days.

    Sent elsewhere before, and not accepted: it is there no more. Raises FORBIDDEN, ABSENT, CONTENT, CONFLICT, GONE.
    """
    async with _handing(visit, id, Move.SEND) as held:
        to, state = await chosen(held.deed, pharmacy, base), held.legal(Move.SEND)
        await ledger.turn(held.deed.session, held.known, held.until)
        await showing.hide(held.deed, held.number, "sent-elsewhere", but=to)
        await showing.show(held.deed, to, DISPENSE, held.number, held.until, task=held.task)
        return await held.become(state, task.held_by(held.task, to, pharmacy, shares=shares))


async def take_back(visit: Visit, id: str) -> Json:
    """Take it back from the pharmacy it was sent to, which did not accept it. Raises CONFLICT (409) once it did."""
    async with _handing(visit, id, Move.TAKE_BACK) as held:
        state = held.legal(Move.TAKE_BACK)
        await ledger.turn(held.deed.session, held.known, held.until)
        await showing.hide(held.deed, held.number, "taken-back")
        return await held.become(state, task.held_by(held.task, None))


async def usual(visit: Visit, record: str, pharmacy: str | None, base: str) -> Json | None:
    """The CareTeam that names the person's usual pharmacy; with `pharmacy`, written first. None: they said none."""
    _mine(visit, READ if pharmacy is None else UPDATE)
    if record != getattr(visit.reader, "record", None):
        raise absent()
    verb, asked = READ if pharmacy is None else UPDATE, asked_of(("Patient", record, "$usual-pharmacy"))
    async with visit.act(record, verb, Tag.PRESCRIPTION, asked, deciding=pharmacy is not None) as deed:
        obey(may_act_for(deed.decision.powers, TASK))
        rows = await deed.fetch(all_of(deed.every("CareTeam"), KindIn(frozenset({"CareTeam"})), 200))
        found = [(one, one.json(deed.view.keyring)) for one in map(Stored.from_row, rows)]
        stands = next(((one, body) for one, body in found if _is_usual(body)), None)
        if pharmacy is None:
            return None if stands is None else stands[1]
        to = await chosen(deed, pharmacy, base)
        member = {"reference": pharmacy, "display": to.display}
        body: Json = {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{record}"},
            "name": USUAL,
            "participant": [{"member": member}],
        }
        body = operated.tagged(body, PRESCRIPTION, USUAL)
        made = await (operated.create(deed, TEAM, body) if stands is None else operated.replace(deed, stands[0], body))
        return made.json


def _is_usual(body: Json) -> bool:
    return {"system": PRESCRIPTION, "code": USUAL} in body.get("meta", {}).get("tag", ())


@asynccontextmanager
async def _handing(visit: Visit, id: str, move: Move) -> AsyncIterator[Held]:
    _mine(visit, UPDATE)
    async with holding(visit, id, move) as held:
        obey(may_act_for(held.deed.decision.powers, TASK))
        yield held


async def _found(deed: Deed, id: str) -> Held:
    held = await find(deed, id)
    obey(may_act_for(deed.decision.powers, TASK))
    return held


def _mine(visit: Visit, verb: str) -> None:
    require(visit, verb, TASK)
    if not isinstance(visit.reader, Person):
        raise forbidden("This is for the person, or who acts for them.")
