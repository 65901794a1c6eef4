"""A thread that professionals kept for themselves, shown to the person before its month is over (R1111-53).

The rule: one of them shows it whole, once they told the person; nobody hides it again.
"""

from fhir.criteria import TokenAny
from fhir.parameters import KINDS
from fhir.predicate import And, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr import rights
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import Professional
from phr.access.right import HIDDEN_FROM_PATIENT
from phr.access.scope import UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import forbidden
from phr.messages.thread import COMMUNICATION, Json, find, token
from phr.operated import keys_of
from phr.plan import Item, Plan
from phr.reading import home_of, require

_MOST = 10_000


async def show(visit: Visit, id: str, base: str) -> Json:
    """Show the person, now, a thread that professionals kept for themselves. By one of them. Twice is once.

    Raises ABSENT, FORBIDDEN.
    """
    require(visit, UPDATE, COMMUNICATION)
    if not isinstance(visit.reader, Professional):
        raise forbidden("Only a professional shows a thread that professionals kept for themselves.")
    home, asked = await home_of(visit, COMMUNICATION, id), asked_of((COMMUNICATION.name, id, "$show-thread"))
    async with visit.act(home, UPDATE, Tag.MESSAGE, asked, deciding=True) as deed:
        thread = await find(deed, id, lock=True)
        if HIDDEN_FROM_PATIENT not in thread.kept_from:
            return thread.json
        mine = And((KindIn(frozenset({COMMUNICATION.name})), TokenAny(frozenset({token(keys_of(deed), id)}))))
        plan = Plan(deed, base, operated=True)
        for row in await deed.fetch(all_of(deed.view.inside, mine, _MOST, lock=True)):
            stored = Stored.from_row(row)
            body = stored.json(deed.view.keyring)
            item = Item(KINDS[stored.kind], stored.id, _shown(body), stored.kind, stored, body, mine=False)
            await plan.add(item)
        drafts = await plan.store()
        await _show_rights(deed, id)
        return next(made.json for made in drafts if made.id == id)


async def _show_rights(deed: Deed, id: str) -> None:
    keys = keys_of(deed)
    held = [one.id for one in await rights.listed(deed, [Right.CONVERSATION]) if token(keys, id) in one.tokens]
    for one in await rights.find(deed, held):
        await rights.change(deed, one, _shown(one.json))


def _shown(body: Json) -> Json:
    """The same resource without the label that keeps it from the person."""
    meta = body.get("meta", {})
    kept = [one for one in meta.get("security", ()) if one.get("code") != HIDDEN_FROM_PATIENT]
    rest = {name: value for name, value in meta.items() if name != "security"}
    return {**body, "meta": {**rest, **({"security": kept} if kept else {})}}
