"""Who a prescription is shown to: a right of its own, for one professional or one pharmacy, of that prescription alone.

The rule: written by the operations, ended as soon as its reason is over; one at a time for each. Who is shown what is
kept from representatives is kept from them too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from phr import codes, rights
from phr.access.consent import Actor, Terms
from phr.access.provision import DISPENSE, Provision, Right
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.visit import Deed
from phr.operated import PRESCRIPTION, is_secret, keys_of, mark


async def show(
    deed: Deed,
    to: Actor,
    purpose: str,
    number: str,
    until: datetime | None = None,
    *,
    task: Mapping[str, Any] | None = None,
) -> None:
    """Show a prescription until then (None: for good). One that lasts as long is kept, a shorter one replaced.

    `task`: the one that follows it, when it was there before this visit: from whom it is kept, this is too.
    """
    held = [one for one in await _standing(deed, number, purpose) if one.actor == keys_of(deed).hashed(to.name)]
    if any(one.until is None or (until is not None and one.until >= until) for one in held):
        return
    await rights.end(deed, [one.id for one in held], "replaced")
    label = (codes.VISIBILITY, HIDDEN_FROM_PROXIES) if is_secret(deed, task) else None
    terms = Terms(Right.PRESCRIPTION, to, until=until, purpose=purpose, codes=((PRESCRIPTION, number),), label=label)
    await rights.write(deed, terms)


async def hide(deed: Deed, number: str, reason: str, *, but: Actor | None = None) -> None:
    """End what shows a prescription to pharmacies, but to this one."""
    kept = None if but is None else keys_of(deed).hashed(but.name)
    shown = [one.id for one in await _standing(deed, number, DISPENSE) if one.actor != kept]
    await rights.end(deed, shown, reason)


async def _standing(deed: Deed, number: str, purpose: str) -> list[Provision]:
    belongs = mark(keys_of(deed), PRESCRIPTION, number)
    listed = await rights.listed(deed, [Right.PRESCRIPTION])
    now = deed.visit.now
    return [one for one in listed if one.purpose == purpose and belongs in one.tokens and one.lasts(now)]
