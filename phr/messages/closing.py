"""What ends: a thread that a party closes, a message that its author takes back.

The rule: a message taken back is gone for everybody, its past and its files too; what stays says that there was one.
"""

from datetime import datetime

from fhir.predicate import And, IdIn
from fhir.search import all_of
from fhir.stored import Stored
from phr import operated
from phr.access.journal import Tag
from phr.access.reader import Person
from phr.access.right import may_act_for
from phr.access.scope import UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden
from phr.messages import erasing
from phr.messages.thread import COMMUNICATION, MESSAGE, RECALL, RECALLED, SENT, Json, find, of_kind
from phr.operated import keys_of
from phr.plan import obey
from phr.reading import home_of, require


async def close(visit: Visit, id: str) -> Json:
    """Close a thread: it accepts nothing more. Closing twice is closing once. Raises ABSENT, FORBIDDEN."""
    require(visit, UPDATE, COMMUNICATION)
    home, asked = await home_of(visit, COMMUNICATION, id), asked_of((COMMUNICATION.name, id, "$close-thread"))
    async with visit.act(home, UPDATE, Tag.MESSAGE, asked) as deed:
        thread = await find(deed, id, lock=True)
        if isinstance(deed.visit.reader, Person):
            obey(may_act_for(deed.decision.powers, COMMUNICATION))
            if not thread.has_person:
                raise forbidden("You may read this thread, you do not take part in it.")
        if not thread.is_open:
            return thread.json
        return (await operated.replace(deed, thread.stored, {**thread.json, "status": SENT})).json


async def recall(visit: Visit, id: str) -> Json:
    """Take one's own message back, within a minute: what is left of it. Twice is once.

    Raises ABSENT (no such message, or another's), CONFLICT (409: too late).
    """
    require(visit, UPDATE, COMMUNICATION)
    home, asked = await home_of(visit, COMMUNICATION, id), asked_of((COMMUNICATION.name, id, "$recall-message"))
    async with visit.act(home, UPDATE, Tag.MESSAGE, asked) as deed:
        stored, body = await _own(deed, id)
        if body["status"] == RECALLED:
            return body
        if visit.now - datetime.fromisoformat(body["sent"]) >= RECALL:
            raise DomainError(Reason.CONFLICT, Issue("conflict", "It is too late to take this message back."))
        attached = [one["contentAttachment"]["url"] for one in body["payload"] if "contentAttachment" in one]
        left = {name: value for name, value in body.items() if name != "payload"}
        made = await operated.replace(deed, stored, {**left, "status": RECALLED})
        await erasing.past(deed, [id])
        await erasing.whole(deed, [url.removeprefix("Binary/") for url in attached])
        return made.json


async def _own(deed: Deed, id: str) -> tuple[Stored, Json]:
    """A message that the reader wrote, locked. Raises ABSENT."""
    match = And((of_kind(keys_of(deed), MESSAGE), IdIn(frozenset({id}))))
    rows = await deed.fetch(all_of(deed.view.inside, match, 1, lock=True))
    if not rows or rows[0]["author"] != deed.visit.author(keys_of(deed)):
        raise absent()
    stored = Stored.from_row(rows[0])
    deed.touched.append(f"{COMMUNICATION.name}/{id}")
    return stored, stored.json(deed.view.keyring)
