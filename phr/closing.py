"""Closing a record, opening it again, and asking that it be destroyed (R1111-36).

The rule: the person alone does it, proven just now, or the operator; what lent the record to others ends when it closes
and is not resurrected; until it is destroyed, reopening gives back all that was in it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import DateTime, SmallInteger, String, bindparam, delete, func, null, or_, select, update

from auth import accounts, grants, mail, owner
from fhir import tokens
from fhir.criteria import TokenAny
from fhir.parameters import KINDS
from fhir.record import RecordKeys, bucket_of
from fhir.search import all_of
from fhir.store import a_month_after
from fhir.tables import ID, record
from phr import rights
from phr.access.consent import RIGHT
from phr.access.installation import OpenedRecord
from phr.access.journal import Tag
from phr.access.provision import DELEGATIONS, LEASES, SHOWN, Right
from phr.access.reader import Citizen, Delegate, Operator
from phr.access.scope import UPDATE
from phr.access.visit import Deed, Visit
from phr.core import outbox
from phr.core.database import compile_query
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden
from phr.core.vault import Wrapped
from phr.inbox import inbox
from phr.lifecycle import Closing, Life, read
from phr.prescription import ledger
from phr.reading import require
from phr.representation import PARENT, PARIS, delegation_invitation, representation
from phr.sharing import access_code

_MOST = 1_000_000
_LENT = LEASES | SHOWN | {Right.ACCESS_CODE, Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR, Right.CAREGIVER}
"""What lets others in: it ends when the record closes. What the person decided to hide or refuse stays."""
_AT_DEATH = _LENT | DELEGATIONS | {Right.APPLICATION}
_SAID = {
    "closed-already": "The record is closed already.",
    "not-closed": "The record is not closed.",
    "deceased": "The record was closed at its person's death: only the operator opens it again.",
}
_now = bindparam("now", type_=DateTime(timezone=True))
_until = bindparam("until", type_=DateTime(timezone=True))
_bucket, _record = bindparam("bucket", type_=SmallInteger()), bindparam("record", type_=ID)
_mine = (record.c.bucket == _bucket, record.c.id == _record)
_LOCK = compile_query(select(record).where(*_mine).with_for_update())
_CLOSE = compile_query(
    update(record)
    .where(*_mine)
    .values(
        closed=func.coalesce(record.c.closed, _now),
        closing=bindparam("closing", type_=String()),
        erase_after=func.least(record.c.erase_after, _until),
        rights=record.c.rights + 1,
    )
    .returning(record)
)
_REOPEN = compile_query(
    update(record)
    .where(*_mine)
    .values(closed=null(), closing=null(), erase_after=null(), rights=record.c.rights + 1)
    .returning(record)
)
_CODES = compile_query(
    update(access_code)
    .where(access_code.c.bucket == _bucket, access_code.c.record == _record, access_code.c.revoked.is_(None))
    .values(revoked=_now)
)
_INVITATIONS = compile_query(
    delete(delegation_invitation).where(
        delegation_invitation.c.record == _record, delegation_invitation.c.answered.is_(None)
    )
)
_INBOX = compile_query(delete(inbox).where(inbox.c.bucket == _bucket, inbox.c.record == _record))
_DELEGATES = compile_query(
    update(representation)
    .where(
        representation.c.record == _record,
        or_(representation.c.ended.is_(None), representation.c.ended > _now),
        representation.c.basis != bindparam("but", type_=String()),
    )
    .values(ended=_now)
    .returning(representation.c.account)
)


async def close(visit: Visit, name: str, reason: str = "") -> Life:
    """Close one's own record: archived, read by nobody. `reason`: in the person's words, for their journal.

    Raises CONFLICT when it is closed, FORBIDDEN for anybody but its person, ABSENT for another record.
    """
    await _own(visit, name, "Patient/$close")
    return await shut(visit, name, Closing.CITIZEN, "Patient/$close", reason)


async def erase(visit: Visit, name: str) -> Life:
    """Ask that one's own record, open or closed, be destroyed: in a month (at most three, R1111-36). Raises as `close`.

    Reopening it meanwhile takes the demand back.
    """
    await _own(visit, name, "Patient/$erase")
    return await shut(visit, name, Closing.ERASURE, "Patient/$erase")


async def reopen(visit: Visit, name: str) -> Life:
    """Open one's own closed record again, with all that was in it. Raises as `close`; CONFLICT after a death."""
    await _own(visit, name, "Patient/$reopen")
    return await restore(visit, name, "Patient/$reopen")


async def shut(visit: Visit, name: str, why: Closing, asked: str, reason: str = "") -> Life:
    """Close a record, or say of a closed one that its person died or wants it destroyed. The earliest end stands.

    For the operator. Raises ABSENT when there is no record, or it is destroyed; CONFLICT.
    """
    async with inside(visit, name, UPDATE, Tag.CLOSE, asked) as (deed, life):
        deed.touched.append(f"Patient/{name}")
        deed.motive = reason
        deed.refused = _refusal(life, why)
        if not deed.refused:
            await _end_what_was_lent(deed, name, why)
            values = {**_place(name), "now": visit.now, "closing": why.value, "until": _until_when(visit, why)}
            life = read(await deed.session.one(_CLOSE, values))
            if why is Closing.DEATH:
                await owner.suspend(deed.session, visit.installation.system_keys, name, visit.now, disabled=True)
            await _tell(deed, name, "record_erasure" if why is Closing.ERASURE else "record_closed", life.until)
    return _done(visit, name, deed, life)


async def restore(visit: Visit, name: str, asked: str, reason: str = "") -> Life:
    """Open a closed record again; after a death, for the operator alone. Raises ABSENT, CONFLICT."""
    async with inside(visit, name, UPDATE, Tag.CLOSE, asked) as (deed, life):
        deed.touched.append(f"Patient/{name}")
        deed.motive = reason
        by_account = not isinstance(visit.reader, Operator)
        deed.refused = "not-closed" if life.closed is None else "deceased" if life.dead and by_account else ""
        if not deed.refused:
            if life.dead:
                await owner.suspend(deed.session, visit.installation.system_keys, name, visit.now, disabled=False)
            life = read(await deed.session.one(_REOPEN, _place(name)))
            await ledger.look_again(deed.session, name, visit.now)
            await _tell(deed, name, "record_reopened", visit.now)
    return _done(visit, name, deed, life)


@asynccontextmanager
async def inside(visit: Visit, name: str, verb: str, tag: Tag, asked: str) -> AsyncIterator[tuple[Deed, Life]]:
    """A transaction inside a record, open or closed, its row locked. A Visit opens no closed record: this alone does.

    Whoever calls has checked that the reader is its person, or the operator; nothing read of it is an answer. Raises
    ABSENT when there is no record, or it is destroyed.
    """
    async with visit.act(None, verb, tag, asked) as deed:
        row = await deed.session.one(_LOCK, _place(name)) if bucket_of(name) is not None else None
        if row is None or row["erased"] is not None:
            raise absent()
        data_key = visit.installation.keks.unwrap(Wrapped(row["kek"], row["wrapped"]), name.encode())
        deed.enter(OpenedRecord(RecordKeys.derive(name, data_key), row["rights"], None, visit.now), verb)
        yield deed, read(row)


async def _own(visit: Visit, name: str, asked: str) -> None:
    """Go on for the person alone. What another of their household tried is in the journal."""
    if not isinstance(visit.reader, Citizen):
        theirs = isinstance(visit.reader, Delegate) and visit.reader.record == name
        async with visit.act(name if theirs else None, UPDATE, Tag.CLOSE, asked) as deed:
            deed.refused = "not-the-person"
        raise forbidden("Only its person closes, reopens or destroys a record; the operator, for a child's.")
    require(visit, UPDATE, KINDS["Consent"])
    if visit.reader.record != name:
        raise absent()


def _done(visit: Visit, name: str, deed: Deed, life: Life) -> Life:
    visit.installation.forget(name)
    if deed.refused:
        raise DomainError(Reason.CONFLICT, Issue("business-rule", _SAID[deed.refused]))
    return life


def _refusal(life: Life, why: Closing) -> str:
    if life.dead:
        return "deceased"
    return "closed-already" if life.closed is not None and why not in (Closing.ERASURE, Closing.DEATH) else ""


async def _end_what_was_lent(deed: Deed, name: str, why: Closing) -> None:
    """End the rights of others, open or proposed: Consents, codes, invitations, and what was granted under them."""
    session, now = deed.session, deed.visit.now
    hashed = rights.keys_of(deed).hashed
    over = _AT_DEATH if why is Closing.DEATH else _LENT
    marks = frozenset(hashed(tokens.coded("category", RIGHT, right.value)) for right in over)
    found = await deed.fetch(all_of(deed.every("Consent"), TokenAny(marks), _MOST))
    await rights.end(deed, [row["id"] for row in found], "closed")
    for query in (_CODES, _INVITATIONS, _INBOX):
        await session.fetch(query, {**_place(name), "now": now})
    spared = "" if why is Closing.DEATH else PARENT
    for row in await session.fetch(_DELEGATES, {"record": name, "now": now, "but": spared}):
        await grants.withdraw(session, deed.visit.installation.system_keys, row["account"], name, now)


def _until_when(visit: Visit, why: Closing) -> datetime:
    """When a record closed now is destroyed: in a month when that was asked, else after the archive's years."""
    if why is Closing.ERASURE:
        return a_month_after(visit.now)
    local = visit.now.astimezone(PARIS)
    year = local.year + visit.installation.settings.archive_years
    try:
        return local.replace(year=year).astimezone(UTC)
    except ValueError:  # 29 February
        return local.replace(year=year, month=3, day=1).astimezone(UTC)


async def _tell(deed: Deed, name: str, template: str, at: datetime | None) -> None:
    """A mail to the person of the record, unless their account is suspended: the dead are not written to."""
    installation, now = deed.visit.installation, deed.visit.now
    language = mail.LANGUAGES[0]
    for account in await accounts.reached(deed.session, installation.system_keys, name, ()):
        subject, text = mail.written(template, language).filled({"moment": mail.moment(at or now, language)})
        message = {"to": account.email, "subject": subject, "text": text}
        await outbox.enqueue(deed.session, installation.system_keys, mail.KIND, message, now)


def _place(name: str) -> dict[str, object]:
    return {"bucket": bucket_of(name), "record": name}
