"""Access codes: a person lends their record for a while, to who holds a code of eight readable characters.

The rule: one credential for each grant (R1111-32), stored as keyed hashes alone; what is lent, to whom and until when
is a Consent of the person's, which its code opens (`phr.redeeming`) and which they end whenever they like.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Integer, SmallInteger, Table, Uuid, bindparam, delete, update
from sqlalchemy import orm as sync
from sqlalchemy.dialects.postgresql import insert

from fhir import tokens
from fhir.parameters import KINDS
from fhir.predicate import And, Flagged, IdIn, KindIn, Not, Or
from fhir.record import bucket_of
from fhir.search import all_of
from fhir.stored import Stored
from fhir.tables import ID
from phr import codes, masks, rights
from phr.access.consent import Actor, Terms, right_of
from phr.access.journal import Tag
from phr.access.provision import Right, in_force
from phr.access.scope import CREATE, UPDATE
from phr.access.sight import selected
from phr.access.visit import Deed, Visit, asked_of
from phr.core.database import compile_query, metadata
from phr.core.errors import absent, invalid
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey
from phr.preferences import at_home, refused

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: five bits a character, and no I, L, O, which are read as 1, 1 and 0; nor U."""
HALF = 4
"""Characters of the handle, and of the rest: twenty bits each."""
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(days=30)
USUAL = timedelta(hours=24)
"""How long a code is good for when the person does not say."""
KEPT = timedelta(days=30)
"""A row outlives its code, so that who comes late is told apart from who guesses in the person's journal."""
MOST_DOCUMENTS = 100
REVOKED = "code-revoked"
CATEGORY = "Parameters.parameter.where(name = 'category')"
_READ_AS = str.maketrans("OIL", "011")

access_code = Table(
    "access_code",
    metadata,
    Column("handle", Uuid, primary_key=True),
    Column("hash", Uuid, primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("record", ID, nullable=False),
    Column("consent", ID, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("most_uses", Integer),
    Column("revoked", DateTime(timezone=True)),
)
"""Keyed by the hash of a code's first half (its handle), under which wrong guesses of the other half are counted."""
Index("access_code_record_idx", access_code.c.bucket, access_code.c.record)
Index("access_code_consent_idx", access_code.c.bucket, access_code.c.consent)

_COLUMNS = {column.name: bindparam(column.name, type_=column.type) for column in access_code.c}
_KEEP = compile_query(insert(access_code).values(_COLUMNS).on_conflict_do_nothing().returning(access_code.c.handle))
_REVOKE = compile_query(
    update(access_code)
    .where(
        access_code.c.bucket == bindparam("of_bucket", type_=SmallInteger()),
        access_code.c.consent == bindparam("of_consent", type_=ID),
        access_code.c.revoked.is_(None),
    )
    .values(revoked=bindparam("now", type_=DateTime(timezone=True)))
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person lends, until when and to whom. Nobody named: any professional.

    One of three: `everything`; `categories`, the person's (`phr.masks.CATEGORIES`) or classes of
    JDV_J57-ClassCode-DMP; `documents`, `DocumentReference/id`.

    `profession`: a TRE_G15 code. `once`: the code opens one lease, else as many as professionals who show it.
    """

    everything: bool = False
    categories: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    minutes: int | None = None
    until: datetime | None = None
    profession: str = ""
    professional: Actor | None = None
    once: bool = True


@dataclass(frozen=True, slots=True)
class Shared:
    """A code just made, to be shown once: nothing here can show it again."""

    code: str = field(repr=False)
    until: datetime
    consent: rights.Json


def plain(typed: str) -> str:
    """A code as it is hashed: how people space it, its case and the letters taken for digits do not matter."""
    kept = (letter for letter in typed[:100].upper() if letter.isascii() and letter.isalnum())
    return "".join(kept).translate(_READ_AS)


def shown(code: str) -> str:
    """A code as people read it: ABCD-EFGH."""
    return f"{code[:HALF]}-{code[HALF:]}"


def marks(keys: SystemKeys, code: str) -> tuple[UUID, UUID]:
    """What stands for a plain code in the table: the hashes of its first half, and of the whole."""
    lookup = keys.get("lookup")
    handle = keyed_uuid(subkey(lookup, "access code handle"), code[:HALF])
    return handle, keyed_uuid(subkey(lookup, "access code"), code)


async def share(visit: Visit, record: str, wish: Wish, base: str) -> Shared:
    """Make a code. Raises ABSENT (not the reader's record), FORBIDDEN (a caregiver), CONTENT (422).

    R1111-32: "an electronic means of identification specific to each access authorisation".
    """
    at_home(visit, record, CREATE)
    until, asked = _until(wish, visit.now), asked_of(("Patient", record, "$share"))
    async with visit.act(record, CREATE, Tag.SHARE, asked, deciding=True) as deed:
        refusal = refused(deed)
        if refusal is None:
            whom, purpose = _whom(wish), wish.profession
            types, data = await _lent(deed, wish, base)
            terms = Terms(Right.ACCESS_CODE, whom, until=until, purpose=purpose, codes=types, data=data)
            made = await rights.write(deed, terms)
            return Shared(await _keep(deed, made.id, until, once=wish.once), until, made.json)
    raise refusal


async def revoke(visit: Visit, record: str, consent: str, *, leases: bool) -> rights.Json:
    """End a code, and (`leases`) what it opened; the Consent as it stands then. Once it has ended: the same again.

    Raises ABSENT (no such code of this record), FORBIDDEN (a caregiver).
    """
    at_home(visit, record, UPDATE)
    asked = asked_of(("Patient", record, "$revoke-code"))
    async with visit.act(record, UPDATE, Tag.SHARE, asked, deciding=True) as deed:
        refusal = refused(deed)
        held = [one for one in await rights.find(deed, [consent]) if right_of(one.json) is Right.ACCESS_CODE]
        if refusal is None and held:
            place = {"of_bucket": bucket_of(record), "of_consent": consent, "now": visit.now}
            await deed.session.fetch(_REVOKE, place)
            opened = await rights.listed(deed, [Right.CODE_LEASE]) if leases else []
            running = [one.id for one in opened if one.source == consent and one.until and one.until > visit.now]
            ended = await rights.end(deed, [consent, *running], REVOKED)
            return next((one.json for one in ended if one.id == consent), held[0].json)
        deed.refused = deed.refused or "absent"
    raise refusal or absent()


def forget(session: sync.Session, now: datetime) -> None:
    """Delete the rows of codes that ended a month ago. Safe at any time, in any process."""
    session.execute(delete(access_code).where(access_code.c.until <= now - KEPT))


def _until(wish: Wish, now: datetime) -> datetime:
    """When the code ends, to the millisecond its Consent is written to. Raises CONTENT (422)."""
    if wish.minutes is not None and wish.until is not None:
        raise invalid("How long is said once: minutes, or until.", "Parameters.parameter")
    span = USUAL if wish.minutes is None else timedelta(minutes=min(abs(wish.minutes), 10**9))
    until = wish.until or now + span
    if (wish.minutes is not None and wish.minutes < 0) or not SHORTEST <= until - now <= LONGEST:
        raise invalid("A code is good for fifteen minutes to thirty days.", "Parameters.parameter", "value")
    return until.astimezone(UTC).replace(microsecond=until.microsecond // 1000 * 1000)


def _whom(wish: Wish) -> Actor | None:
    if wish.profession and wish.professional is not None:
        raise invalid("A code is for a profession, or for one professional.", "Parameters.parameter")
    if wish.profession and codes.role(codes.PROFESSION, wish.profession) is None:
        raise invalid("The profession is a code of TRE_G15-ProfessionSante.", "Parameters.parameter", "code-invalid")
    return wish.professional


async def _lent(deed: Deed, wish: Wish, base: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What the Consent is narrowed to: document types, or documents with their contents; nothing for everything."""
    if [wish.everything, bool(wish.categories), bool(wish.documents)].count(True) != 1:
        raise invalid("What is lent is one of: all, category, document.", "Parameters.parameter")
    if wish.documents:
        return (), await _chosen(deed, frozenset(wish.documents), base)
    return types_of(wish.categories), ()


def types_of(categories: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The document types of these categories, in both forms a system may be written in. Raises CONTENT (422)."""
    found: dict[tuple[str, str], None] = {}
    for code in categories:
        types = masks.CATEGORIES[code].codes if code in masks.CATEGORIES else _of_class(code)
        if not types:
            raise invalid("A category is one of the person's, or a class of documents.", CATEGORY, "code-invalid")
        found |= dict.fromkeys(types)
    return tuple(found)


def _of_class(code: str) -> tuple[tuple[str, str], ...]:
    concepts = codes.table("document_types").concepts.items()
    return tuple(pair for pair, one in concepts if isinstance(one, codes.DocumentType) and one.class_code == code)


async def _chosen(deed: Deed, names: frozenset[str], base: str) -> tuple[str, ...]:
    """These documents and their contents. Raises CONTENT (422) when one is not in sight, or is masked."""
    found = [tokens.local(name, base) for name in names]
    ids = frozenset(one[1] for one in found if one is not None and one[0] == "DocumentReference")
    if len(ids) != len(names) or len(ids) > MOST_DOCUMENTS:
        told = f"Documents are named DocumentReference/id, {MOST_DOCUMENTS} at most."
        raise invalid(told, "Parameters.parameter")
    kind, view = KINDS["DocumentReference"], deed.unscoped()
    hidden = (selected(one) for one in in_force(deed.provisions, Right.MASK, deed.visit.now))
    match = And((KindIn(frozenset({kind.name})), IdIn(ids), Not(Or((Flagged("masked"), *hidden)))))
    rows = [Stored.from_row(row) for row in await deed.fetch(all_of(view.of(kind), match, len(ids)))]
    if len(rows) != len(ids):
        raise invalid("No such document, or it is masked: unmask it first.", "Parameters.parameter", "not-found")
    whole = [row.json(view.keyring) for row in rows]
    urls = [one["attachment"].get("url", "") for body in whole for one in body.get("content", ())]
    contents = [one for one in (tokens.local(url, base) for url in urls) if one is not None and one[0] == "Binary"]
    return (*(f"{kind.name}/{row.id}" for row in rows), *(f"Binary/{one[1]}" for one in contents))


async def _keep(deed: Deed, consent: str, until: datetime, *, once: bool) -> str:
    """Draw a code and keep its hashes; another one when chance drew one that is there. The plain code."""
    name = rights.keys_of(deed).record
    row = {
        "bucket": bucket_of(name),
        "record": name,
        "consent": consent,
        "since": deed.visit.now,
        "until": until,
        "wrong": 0,
        "uses": 0,
        "most_uses": 1 if once else None,
        "revoked": None,
    }
    while True:
        code = "".join(secrets.choice(ALPHABET) for _ in range(2 * HALF))
        handle, hash = marks(deed.visit.installation.system_keys, code)  # noqa: A001
        if await deed.session.one(_KEEP, {**row, "handle": handle, "hash": hash}) is not None:
            return code
