"""The moves of the pharmacy and of who prescribed: accept, release, reject, complete, cancel.

The rule: each is one transaction; the state decides (`life`), the reader's pharmacy and the secret it was given when it
accepted prove that it is its to make; sent again with its key, it is answered as the first time.
"""

import hmac

from phr import codes, idempotence, inbox, notices, rights
from phr.access.consent import PROFESSIONALS, Actor, Terms, end_of_day
from phr.access.provision import DISPENSE, Right, in_force
from phr.access.reader import identity
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.scope import UPDATE
from phr.access.visit import Visit
from phr.core.errors import absent, forbidden, invalid
from phr.operated import is_secret
from phr.prescription import ledger, number, opening, showing, task
from phr.prescription.deposit import prescriber
from phr.prescription.held import TASK, Held, Json, holding
from phr.prescription.life import HELD, Move
from phr.prescription.opening import DAYS
from phr.prescription.pharmacies import pharmacist
from phr.reading import require
from phr.sharing import plain

REASONS = {
    Move.REJECT: frozenset({"out-of-stock", "doubtful", "illegible", "not-dispensed-here", "refused-by-patient"}),
    Move.CANCEL: frozenset({"prescribed-in-error", "treatment-changed", "treatment-stopped", "at-patient-request"}),
}
"""Why a pharmacy rejects a prescription, and who prescribed cancels it."""


async def accept(visit: Visit, id: str, typed: str | None, key: str | None) -> Json:
    """A pharmacy takes the prescription on: {"task", "secret"}. `typed`: its code, unless it was sent to the pharmacy.

    Asked again by the pharmacy that has it: the same secret. Raises FORBIDDEN, ABSENT, CONFLICT, GONE.
    """
    _, pharmacy = pharmacist(visit)
    require(visit, UPDATE, TASK)
    if typed is not None and await opening.open_by_code(visit, typed) != id:
        raise opening.wrong()
    async with holding(visit, id, Move.ACCEPT) as held:
        known = await idempotence.repeated(held.deed, key, f"{id} accept", typed or "")
        if known is not None:
            return known
        keys = visit.installation.system_keys
        if held.state in HELD and task.pharmacy(held.task) == pharmacy:
            return {"task": held.task, "secret": number.acceptance(keys, id, held.known.turn)}
        state = held.legal(Move.ACCEPT)
        shares = task.shares(held.task) and task.pharmacy(held.task) == pharmacy
        turn = await ledger.turn(held.deed.session, held.known, held.until)
        body = task.held_by(held.task, pharmacy, shares=shares)
        await showing.show(held.deed, pharmacy, DISPENSE, held.number, held.until, task=held.task)
        await showing.hide(held.deed, held.number, "accepted-elsewhere", but=pharmacy)
        if shares:
            await _lend(held, pharmacy)
        answer = {"task": await held.become(state, body), "secret": number.acceptance(keys, id, turn)}
        await notices.tell(held.deed, "prescription", about=held.reference)
        await idempotence.keep(held.deed, key, f"{id} accept", typed or "", answer)
        return answer


async def release(visit: Visit, id: str, secret: str, key: str | None) -> Json:
    """The pharmacy lets it go, for another to go on: {"task"}."""
    return await _let_go(visit, id, Move.RELEASE, secret, "", key)


async def reject(visit: Visit, id: str, secret: str | None, reason: str, key: str | None) -> Json:
    """The pharmacy does not dispense it, for a coded reason: {"task"}. Before it accepted, it has no secret."""
    return await _let_go(visit, id, Move.REJECT, secret, _reason(Move.REJECT, reason), key)


async def complete(visit: Visit, id: str, secret: str, key: str | None) -> Json:
    """Nothing more will be dispensed of it: {"task"}. Raises CONFLICT when nothing was."""
    pharmacist(visit)
    require(visit, UPDATE, TASK)
    async with holding(visit, id, Move.COMPLETE) as held:
        known = await idempotence.repeated(held.deed, key, f"{id} complete", secret)
        if known is not None:
            return known
        check_mine(held, Move.COMPLETE, secret)
        answer = {"task": await close(held)}
        await idempotence.keep(held.deed, key, f"{id} complete", secret, answer)
        return answer


async def close(held: Held, move: Move = Move.COMPLETE) -> Json:
    """Complete it; its pharmacy sees it for a few days more."""
    state, pharmacy = held.legal(move, finished=True), task.pharmacy(held.task)
    made = await held.become(state, held.task)
    await showing.hide(held.deed, held.number, "completed")
    if pharmacy is not None:
        until = end_of_day(held.deed.visit.now, DAYS - 1)
        await showing.show(held.deed, pharmacy, DISPENSE, held.number, until, task=held.task)
    await notices.tell(held.deed, "prescription", about=held.reference)
    return made


async def cancel(visit: Visit, id: str, reason: str, key: str | None) -> Json:
    """Who prescribed takes it back, unless a pharmacy has it in hand: {"task"}. What was dispensed stays."""
    prescriber(visit)
    require(visit, UPDATE, TASK)
    _reason(Move.CANCEL, reason)
    async with holding(visit, id, Move.CANCEL, unseen=True) as held:
        if _requester(held) != identity(visit.reader):
            raise absent()
        known = await idempotence.repeated(held.deed, key, f"{id} cancel", reason)
        if known is not None:
            return known
        state = held.legal(Move.CANCEL)
        answer = {"task": await held.become(state, task.held_by(held.task, None), reason)}
        await showing.hide(held.deed, held.number, "cancelled")
        await notices.tell(held.deed, "prescription", about=held.reference)
        await idempotence.keep(held.deed, key, f"{id} cancel", reason, answer)
        return answer


def check_mine(held: Held, move: Move, secret: str | None) -> None:
    """Raises FORBIDDEN unless the reader's pharmacy has it and shows what it was given; CONFLICT, GONE: nobody has."""
    if held.state not in HELD:
        held.legal(move)
    if task.pharmacy(held.task) != pharmacist(held.deed.visit)[1]:
        raise forbidden("Another pharmacy has this prescription.")
    if held.state not in HELD:
        return  # sent to this pharmacy, which did not accept it: it was given no secret yet
    expected = number.acceptance(held.deed.visit.installation.system_keys, held.stored.id, held.known.turn)
    if not hmac.compare_digest(expected, plain(secret or "")):
        raise forbidden("This is not the secret given when the prescription was accepted.")


async def _let_go(visit: Visit, id: str, move: Move, secret: str | None, reason: str, key: str | None) -> Json:
    pharmacist(visit)
    require(visit, UPDATE, TASK)
    async with holding(visit, id, move) as held:
        asked, body = f"{id} {move.value}", [secret, reason]
        known = await idempotence.repeated(held.deed, key, asked, body)
        if known is not None:
            return known
        check_mine(held, move, secret)
        state = held.legal(move)
        await ledger.turn(held.deed.session, held.known, held.until)
        answer = {"task": await held.become(state, task.held_by(held.task, None), reason)}
        await showing.hide(held.deed, held.number, move.value)
        await notices.tell(held.deed, "prescription", about=held.reference)
        await idempotence.keep(held.deed, key, asked, body, answer)
        return answer


async def _lend(held: Held, pharmacy: Actor) -> None:
    """The lease the person gave with the prescription: what the access matrix lets a pharmacist see, for its days.

    Kept from representatives as the prescription is; one that is does not stand for one that is not.
    """
    deed, secret = held.deed, is_secret(held.deed, held.task)
    who, days = pharmacist(deed.visit)[0], deed.visit.installation.settings.pharmacy_days
    until, basis = end_of_day(deed.visit.now, days - 1), "explicit-consent"
    relations = in_force(deed.provisions, Right.CARE_RELATION, deed.visit.now)
    if any((one.until is None or one.until >= until) and (secret or not one.confidential) for one in relations):
        return
    actor = Actor(PROFESSIONALS, who.id, who.name)
    label = (codes.VISIBILITY, HIDDEN_FROM_PROXIES) if secret else None
    terms = Terms(Right.CARE_RELATION, actor, until=until, purpose=basis, organization=pharmacy, label=label)
    made = await rights.write(deed, terms)
    await inbox.put(deed, who.id, inbox.RELATION, made.id, until)


def _requester(held: Held) -> str:
    identifier = held.task["requester"]["identifier"]
    return Actor(identifier["system"], identifier["value"]).name


def _reason(move: Move, reason: str) -> str:
    if reason not in REASONS[move]:
        where = "Parameters.parameter.where(name = 'reason')"
        raise invalid(f"The reason is one of: {', '.join(sorted(REASONS[move]))}.", where, "code-invalid")
    return reason
