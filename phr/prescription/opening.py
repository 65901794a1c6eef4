"""Opening a prescription by its code, as a pharmacist does who scans or types it: that prescription, and nothing else.

The rule: a try is counted before anything is looked at; whatever is wrong with a code is answered alike (403), and what
is over says so (410) to who shows the right one.
"""

import hmac

from phr import tries
from phr.access.consent import Actor, end_of_day
from phr.access.journal import Tag
from phr.access.provision import DISPENSE
from phr.access.scope import READ, UPDATE
from phr.access.visit import Deed, Visit
from phr.blocks import blocked
from phr.core.errors import DomainError, Issue, Reason, forbidden
from phr.prescription import ledger, number, showing
from phr.prescription.held import TASK, find, gone
from phr.prescription.ledger import WRONG_TRIES, Known
from phr.prescription.life import OVER
from phr.prescription.number import Shown
from phr.prescription.pharmacies import pharmacist
from phr.reading import require

WHAT = "prescription code"
ASKED = "Task/$open-prescription"
DAYS = 3
"""Calendar days a prescription stays shown to the pharmacy that opened it, today among them; accepting it is longer."""


async def open_by_code(visit: Visit, typed: str) -> str:
    """The Task of the prescription whose code was shown, from now on shown to the reader's pharmacy.

    Raises FORBIDDEN (no pharmacist; a wrong code), TOO_MANY (429), GONE (410: completed, cancelled, expired).
    """
    _, pharmacy = pharmacist(visit)
    require(visit, READ, TASK)
    if not await tries.count(visit, WHAT):
        raise DomainError(Reason.TOO_MANY, Issue("throttled", "Too many wrong codes today."))
    keys = visit.installation.system_keys
    shown = number.read(keys, typed)
    known = None if shown is None else await ledger.of_number(visit.installation, number.mark(keys, shown.number))
    if shown is None or known is None:
        async with visit.act(None, READ, Tag.PRESCRIPTION, ASKED) as deed:
            deed.refused = "unknown"
        raise wrong()
    await _open(visit, pharmacy, shown, known.record, known.task)
    return known.task


async def _open(visit: Visit, pharmacy: Actor, shown: Shown, record: str, task: str) -> None:
    refused: DomainError | None = None
    try:
        async with visit.act(record, UPDATE, Tag.PRESCRIPTION, ASKED, deciding=True) as deed:
            refused = await _judge(deed, pharmacy, shown, task)
    except DomainError as error:
        raise wrong() if error.reason is Reason.ABSENT else error from None  # its record is closed
    if refused is not None:
        raise refused


async def _judge(deed: Deed, pharmacy: Actor, shown: Shown, id: str) -> DomainError | None:
    """Show it, or say what to raise once the entry that says why is written."""
    held = await find(deed, id, unseen=True)
    deed.refused = _why_not(deed, held.known, shown)
    if deed.refused:
        if deed.refused == "wrong":
            await ledger.missed(deed.session, held.known)
        return wrong()
    await tries.forgive(deed, WHAT)
    if held.state in OVER:
        deed.refused = held.state.value
        return gone(held.state)
    await showing.show(deed, pharmacy, DISPENSE, shown.number, end_of_day(deed.visit.now, DAYS - 1), task=held.task)
    return None


def _why_not(deed: Deed, known: Known, shown: Shown) -> str:
    expected = number.secret(deed.visit.installation.system_keys, shown.number, known.generation)
    if known.wrong >= WRONG_TRIES:
        return "locked"
    if not hmac.compare_digest(expected, shown.secret):
        return "wrong"
    return "blocked" if blocked(deed) else ""


def wrong() -> DomainError:
    """What is answered to whatever is wrong with a code."""
    return forbidden("This code opens no prescription.")
