"""Prescriptions whose time is over: said so in their Task, and shown to no pharmacy any more.

The rule: from the instant it is over every operation says so; this only writes it down, and may come later.
"""

import logging
from datetime import datetime

from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import SELF, System
from phr.access.scope import UPDATE
from phr.access.visit import Visit
from phr.core.errors import DomainError, Reason
from phr.imports import EVERYTHING
from phr.prescription import ledger, showing, task
from phr.prescription.held import find
from phr.prescription.life import OVER, State

log = logging.getLogger("carnet.prescription")

AT_ONCE = 100


async def expire(installation: Installation, now: datetime) -> int:
    """Write that they are over. How many were settled, of 100 looked at: call again unless none was."""
    async with installation.database.session() as session:
        due = await ledger.due(session, now, AT_ONCE)
    visit, settled = Visit(installation, System(SELF), EVERYTHING, (), now), 0
    for record, name in due:
        try:
            async with visit.act(record, UPDATE, Tag.PRESCRIPTION, "Task/$expire", deciding=True) as deed:
                held = await find(deed, name, unseen=True)
                if held.state is State.EXPIRED:
                    await held.become(State.EXPIRED, task.held_by(held.task, None))
                    await showing.hide(deed, held.number, "expired")
                else:  # its record was closed when its time came, or it was given more
                    await ledger.last(deed.session, held.known, None if held.state in OVER else held.until)
            settled += 1
        except DomainError as error:
            if error.reason is not Reason.ABSENT:
                log.warning("a prescription could not be ended: %s", error.reason.name)
                continue
            async with installation.database.transaction() as session:  # its record is closed
                await ledger.forget(session, name)
            settled += 1
    return settled
