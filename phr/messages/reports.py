"""Reporting a message as an abuse: a coded reason, told to the operator, who sees neither the message nor the people.

The rule: a report is kept under keyed hashes, so that the operator counts how often one author is reported, and why.
"""

import logging
from datetime import datetime

from sqlalchemy import Column, DateTime, String, Table, Uuid, bindparam, func, select
from sqlalchemy import orm as sync
from sqlalchemy.dialects.postgresql import insert

from fhir.predicate import And, IdIn
from fhir.search import all_of
from fhir.stored import Stored
from phr.access.journal import Tag
from phr.access.reader import identity
from phr.access.scope import READ
from phr.access.visit import Visit, asked_of
from phr.core.database import compile_query, metadata
from phr.core.errors import absent, invalid
from phr.core.vault import keyed_uuid, subkey
from phr.messages.thread import COMMUNICATION, MESSAGE, find, of_kind, thread_of
from phr.operated import keys_of
from phr.reading import home_of, require

log = logging.getLogger("carnet.messages")
REASONS = frozenset({"spam", "insult", "threat", "private", "not-me", "other"})

message_report = Table(
    "message_report",
    metadata,
    Column("reported", Uuid, primary_key=True),
    Column("message", Uuid, primary_key=True),
    Column("reporter", Uuid, primary_key=True),
    Column("reason", String, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""Keyed hashes of the author of a message, of the message, and of who reports it."""

_KEEP = compile_query(
    insert(message_report)
    .values({column.name: bindparam(column.name, type_=column.type) for column in message_report.c})
    .on_conflict_do_nothing()
)


async def report(visit: Visit, id: str, reason: str) -> None:
    """Report a message of another's. Twice is once. Raises ABSENT, CONTENT (422: no such reason, or one's own)."""
    require(visit, READ, COMMUNICATION)
    if reason not in REASONS:
        where = "Parameters.parameter.where(name = 'reason')"
        raise invalid(f"A reason is one of: {', '.join(sorted(REASONS))}.", where, "code-invalid")
    home, asked = await home_of(visit, COMMUNICATION, id), asked_of((COMMUNICATION.name, id, "$report-message"))
    async with visit.act(home, READ, Tag.MESSAGE, asked) as deed:
        match = And((of_kind(keys_of(deed), MESSAGE), IdIn(frozenset({id}))))
        rows = await deed.fetch(all_of(deed.view.inside, match, 1))
        if not rows:
            raise absent()
        body = Stored.from_row(rows[0]).json(deed.view.keyring)
        await find(deed, thread_of(body))
        if rows[0]["author"] == deed.visit.author(keys_of(deed)):
            raise invalid("This message is your own.")
        deed.touched.append(f"{COMMUNICATION.name}/{id}")
        key = subkey(visit.installation.system_keys.get("lookup"), "message report")
        author = body["sender"].get("identifier", {}).get("value") or f"record {keys_of(deed).record}"
        named = {"reported": author, "message": id, "reporter": identity(visit.reader)}
        hashed = {name: keyed_uuid(key, value) for name, value in named.items()}
        await deed.session.fetch(_KEEP, {**hashed, "reason": reason, "at": visit.now})
    log.warning("a message was reported: %s", reason)


def counts(session: sync.Session, since: datetime) -> dict[str, int]:
    """How many messages were reported since then, by reason; and `authors`, how many authors they are of."""
    recent = message_report.c.at >= since
    by_reason = (
        select(message_report.c.reason, func.count().label("reported")).where(recent).group_by(message_report.c.reason)
    )
    found = {row.reason: row.reported for row in session.execute(by_reason)}
    authors = session.execute(select(func.count(message_report.c.reported.distinct())).where(recent)).scalar_one()
    return found | {"authors": authors}
