"""Cancelling an appointment: by whoever keeps the agenda, whoever wrote it. Its author changes it over plain REST.

The rule: a cancelled appointment stays, with its reason; its reminders end.
"""

from phr import operated
from phr.access.journal import Tag
from phr.access.scope import UPDATE
from phr.access.visit import Visit, asked_of
from phr.agenda import due
from phr.agenda.acting import held, home, refused
from phr.agenda.reminder import APPOINTMENT, OVER, at
from phr.core.errors import DomainError, Issue, Reason, invalid
from phr.writing import Written, written

BY_PATIENT = {"system": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason", "code": "pat"}
_LONGEST = 1000
_HELD = frozenset({"arrived", "fulfilled", "checked-in"})


async def cancel(visit: Visit, id: str, reason: str) -> Written:
    """`Appointment/{id}/$cancel-appointment`. Twice is once. Raises ABSENT, FORBIDDEN, CONFLICT when it took place."""
    name = home(visit, UPDATE, APPOINTMENT)
    if len(reason) > _LONGEST:
        raise invalid(f"A reason is at most {_LONGEST} characters.", at("reason"), "too-long")
    asked = asked_of(("Appointment", id, "$cancel-appointment"))
    async with visit.act(name, UPDATE, Tag.AGENDA, asked) as deed:
        refusal = refused(deed)
        if refusal is None:
            stored, body = await held(deed, UPDATE, APPOINTMENT, id)
            if body.get("status") in _HELD:
                raise DomainError(Reason.CONFLICT, Issue("conflict", "This appointment took place."))
            await due.look_again(deed.session, name, id, visit.now)
            if body.get("status") in OVER:
                return Written(APPOINTMENT, id, stored.version, False, stored=stored, keyring=deed.view.keyring)
            why = {"coding": [BY_PATIENT], **({"text": reason} if reason else {})}
            body = {**body, "status": "cancelled", "cancelationReason": why}
            return written(await operated.replace(deed, stored, body), created=False)
    raise refusal
