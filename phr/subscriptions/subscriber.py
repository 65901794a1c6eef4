"""Who is told: the reader and the software a token made, kept sealed, to look through their eyes at each delivery.

The rule: a subscriber sees at delivery what they would see by asking then, and nothing once their token's grant is
revoked, its software disabled, or the access it rests on over.
"""

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from auth import scopes, tables
from auth.claims import Claims
from auth.professionals import Professional as Identity
from fhir.lens import Lens
from fhir.predicate import And, IdIn, KindIn
from fhir.search import all_of
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import Person, Reader, identity, reader_of
from phr.access.scope import READ
from phr.access.visit import Deed, Visit
from phr.core.database import Session, compile_query
from phr.core.errors import DomainError, Reason
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

Json = dict[str, Any]
NOTIFY = "Subscription/$notify"
"""What is asked, in the journal, when a subscriber is told of something."""
_GRANT = compile_query(
    select(tables.grant.c.expires, tables.grant.c.revoked).where(tables.grant.c.id == bindparam("id", type_=Uuid()))
)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What a token said when the subscription was asked. `confidential`: kept from the person's representatives."""

    claims: Claims
    confidential: bool

    def visit(self, here: Installation, now: datetime) -> Visit:
        """The subscriber at the door, now."""
        claims = self.claims
        held = tuple(one for text in claims.scopes if (one := scopes.parse(text)) is not None)
        return Visit(here, reader_of(claims), held, claims.revocable, now, self.confidential)

    @property
    def grant(self) -> UUID | None:
        """The grant the token was given under."""
        return None if self.claims.grant is None else UUID(self.claims.grant)

    def kept(self) -> Json:
        """As JSON, to be sealed."""
        said = {name: value for name, value in asdict(self.claims).items() if value is not None}
        for name in ("professional", "assistant"):
            who = getattr(self.claims, name)
            said |= {} if who is None else {name: who.claim()}
        return {**said, "expires": self.claims.expires.isoformat(), "confidential": self.confidential}

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """From `kept`. Raises KeyError, ValueError."""
        rest = dict(said)
        confidential, expires = rest.pop("confidential"), datetime.fromisoformat(rest.pop("expires"))
        rest |= {name: Identity.of_claim(rest[name]) for name in ("professional", "assistant") if name in rest}
        blank = dict.fromkeys(("record", "grant"))
        return cls(Claims(**{**blank, **rest, "scopes": tuple(rest["scopes"]), "expires": expires}), confidential)


def owner_of(keys: SystemKeys, reader: Reader) -> UUID:
    """What stands for a reader and their software here: whose a subscription is. A person's, in one record."""
    record = reader.record if isinstance(reader, Person) else ""
    return keyed_uuid(subkey(keys.get("lookup"), "subscriber"), f"{reader.client}|{identity(reader)}|{record}")


async def lasts(session: Session, claims: Claims) -> datetime | None:
    """Until when what was granted stands: the end of the grant's refresh tokens, or of the token. None: revoked."""
    if claims.grant is None:
        return claims.expires
    row = await session.one(_GRANT, {"id": UUID(claims.grant)})
    if row is None or row["revoked"] is not None:
        return None
    return row["expires"] or claims.expires


class _QuietError(Exception):
    """No entry is left: that something happened which a reader does not see is not to be read in the journal."""


async def in_sight(
    visit: Visit, record: str, wanted: Set[str], *, asked: str = NOTIFY, quiet: bool = False
) -> frozenset[str]:
    """Which of these resources (`Type/id`) the reader sees now, in the journal as told to them, if there is any.

    `quiet`: they were told already: no other entry is left.
    """
    found: frozenset[str] = frozenset()
    try:
        async with visit.act(record, READ, Tag.SUBSCRIPTION, asked) as deed:
            found = await _among(deed, deed.view.inside, wanted)
            if quiet or not found:
                raise _QuietError
            deed.touched.extend(sorted(found))
    except _QuietError:
        pass
    except DomainError as error:
        if error.reason not in _SHUT:
            raise
    return found


async def stands(visit: Visit, record: str | None) -> bool:
    """Whether the token stands and, of one record, whether its person is in sight now. Leaves no entry."""
    found = False
    try:
        async with visit.act(record, READ, Tag.SUBSCRIPTION, NOTIFY) as deed:
            found = record is None or await sees_person(deed)
            raise _QuietError
    except _QuietError:
        pass
    except DomainError as error:
        if error.reason not in _SHUT:
            raise
    return found


async def sees_person(deed: Deed) -> bool:
    """Whether the policy shows the reader whose record this is, whatever their scopes."""
    person = f"Patient/{deed.view.record}"
    return person in await _among(deed, deed.unscoped().inside, {person})


async def _among(deed: Deed, lens: Lens, wanted: Set[str]) -> frozenset[str]:
    pairs = [one.partition("/") for one in wanted]
    match = And((KindIn(frozenset(one[0] for one in pairs)), IdIn(frozenset(one[2] for one in pairs))))
    rows = await deed.fetch(all_of(lens, match, len(pairs)))
    return frozenset(f"{row['kind']}/{row['id']}" for row in rows) & wanted


_SHUT = (Reason.ABSENT, Reason.UNAUTHENTICATED)
"""The record is closed, or the token stands no more."""
