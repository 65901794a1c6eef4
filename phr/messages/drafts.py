"""A message that is not sent yet: its author's alone, sealed, in no one else's sight, not even the person's.

The rule: one draft for each author and thread, and one for what starts a thread; sending it deletes it.
"""

import json
from dataclasses import asdict, dataclass, field

from sqlalchemy import Column, DateTime, LargeBinary, SmallInteger, Table, Uuid, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.journal import Tag
from phr.access.reader import Person
from phr.access.right import may_act_for
from phr.access.scope import CREATE
from phr.access.visit import Deed, Visit, asked_of
from phr.blocks import elsewhere
from phr.core.database import compile_query, metadata
from phr.messages import starting
from phr.messages.text import line, lines
from phr.messages.thread import COMMUNICATION, find
from phr.operated import keys_of
from phr.plan import obey
from phr.reading import require

message_draft = Table(
    "message_draft",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("party", Uuid, primary_key=True),
    Column("thread", ID, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""`party`: the keyed hash of its author, under the record's key; `thread`: empty for what would start one."""

_ROW = {column.name: bindparam(column.name, type_=column.type) for column in message_draft.c}
_OWN = tuple(message_draft.c[name] == _ROW[name] for name in ("bucket", "record", "party", "thread"))
_PUT = insert(message_draft).values(_ROW)
_KEEP = compile_query(
    _PUT.on_conflict_do_update(
        index_elements=list(message_draft.primary_key), set_={name: _PUT.excluded[name] for name in ("sealed", "at")}
    )
)
_FIND = compile_query(select(message_draft.c.sealed).where(*_OWN))
_DROP = compile_query(delete(message_draft).where(*_OWN))
_ASKED = "$draft-message"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is written so far."""

    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)


async def save(visit: Visit, record: str, thread: str, draft: Draft) -> None:
    """Keep a draft, or drop it when nothing is written. Raises ABSENT, FORBIDDEN as sending would, CONTENT (422)."""
    subject = line(draft.subject, "Parameters.parameter.where(name = 'subject')") if draft.subject.strip() else ""
    text = lines(draft.text, "Parameters.parameter.where(name = 'text')") if draft.text.strip() else ""
    _check(visit, record)
    async with visit.act(record, CREATE, Tag.MESSAGE, asked_of(("Patient", record, _ASKED))) as deed:
        await _may_write(deed, thread)
        if not subject and not text:
            await drop(deed, thread)
            return
        sealed = keys_of(deed).seal(json.dumps(asdict(Draft(subject, text))).encode(), _context(deed, thread))
        await deed.session.fetch(_KEEP, {**_place(deed, thread), "sealed": sealed, "at": visit.now})


async def read(visit: Visit, record: str, thread: str) -> Draft:
    """The reader's own draft; an empty one when there is none. Raises ABSENT, FORBIDDEN."""
    _check(visit, record)
    async with visit.act(record, CREATE, Tag.MESSAGE, asked_of(("Patient", record, _ASKED))) as deed:
        await _may_write(deed, thread)
        row = await deed.session.one(_FIND, _place(deed, thread))
        if row is None:
            return Draft()
        return Draft(**json.loads(keys_of(deed).unseal(row["sealed"], _context(deed, thread))))


async def drop(deed: Deed, thread: str) -> None:
    """Delete the reader's draft, if there is one: it was sent, or emptied."""
    await deed.session.fetch(_DROP, _place(deed, thread))


def _check(visit: Visit, record: str) -> None:
    require(visit, CREATE, COMMUNICATION)
    elsewhere(visit, record)


async def _may_write(deed: Deed, thread: str) -> None:
    if thread:
        await find(deed, thread)
        if isinstance(deed.visit.reader, Person):
            obey(may_act_for(deed.decision.powers, COMMUNICATION))
    else:
        await starting.check(deed)


def _place(deed: Deed, thread: str) -> dict[str, object]:
    keys = keys_of(deed)
    place = {"bucket": bucket_of(keys.record), "record": keys.record}
    return {**place, "party": deed.visit.author(keys), "thread": thread}


def _context(deed: Deed, thread: str) -> str:
    return f"draft/{deed.visit.author(keys_of(deed))}/{thread}"
