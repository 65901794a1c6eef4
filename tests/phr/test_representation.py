"""Who may act for whom: what the chooser shows, when it ends, and what ends with it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from auth import accounts, clients, grants, sessions
from auth.accounts import Account
from auth.clients import Kind
from auth.sessions import Proof
from phr import representation
from phr.core.database import Database, synchronous_engine
from phr.core.keys import PURPOSES, SystemKeys
from phr.core.vault import new_key
from phr.representation import CAREGIVER, PARENT, Representation
from tests.auth.city import Clock

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Family:
    """Parents, and the records of children."""

    def __init__(self, engine: Engine, database: Database) -> None:
        self.engine, self.database = engine, database
        self.keys = SystemKeys({purpose: new_key() for purpose in PURPOSES})
        self.clock = Clock()
        self.clock.now = NOW
        with Session(self.engine) as session, session.begin():
            self.app = clients.register(
                session,
                id="app",
                name="Mon Suivi",
                kind=Kind.CITIZEN_APP,
                redirect_uris=["https://app.test/callback"],
                scopes=["patient/*.rs"],
                now=NOW,
            )

    def parent(self, record: str | None = None, born: str | None = None) -> Account:
        mark = uuid4().hex
        with Session(self.engine) as session, session.begin():
            id = accounts.create(  # noqa: A001
                session, self.keys, mark, "", "Claire Moreau", f"{mark}@poste.test", record, NOW, born
            )
            found = accounts.find(session, self.keys, id)
        assert found is not None
        return found

    async def add(
        self, parent: Account, record: str, label: str = "Lina", until: datetime | None = None, basis: str = PARENT
    ) -> None:
        async with self.database.transaction() as session:
            one = Representation(parent.id, record, label, basis, self.clock(), until, "a consent")
            await representation.add(session, self.keys, one)

    async def end(self, parent: Account, record: str) -> bool:
        async with self.database.transaction() as session:
            return await representation.end(session, self.keys, parent.id, record, self.clock())

    def holds(self, parent: Account, record: str) -> bool:
        with Session(self.engine) as session, session.begin():
            return representation.holds(session, parent.id, record, self.clock())

    def choices(self, parent: Account) -> list[tuple[str, str, bool]]:
        with Session(self.engine) as session:
            found = representation.choices(session, self.keys, parent, self.clock())
        return [(one.record, one.label, one.own) for one in found]

    def grant(self, session: Session, parent: Account, record: str, until: datetime | None = None) -> UUID:
        proof = Proof(("pwd", "otp"), "mfa", NOW)
        secret = sessions.start(session, self.keys, parent, proof, "Firefox", NOW)[1]
        visitor = sessions.find(session, self.keys, secret, NOW)
        assert visitor is not None
        place = session, self.keys, self.app, visitor, ["patient/*.rs"], record
        return grants.record(*place, str(parent.id), True, self.clock(), until=until)

    def standing(self, parent: Account) -> list[UUID]:
        with Session(self.engine) as session:
            return [one.id for one in grants.of_account(session, self.keys, parent.id, self.clock())]


@pytest.fixture
async def family(database_url: str) -> AsyncIterator[Family]:
    engine, database = synchronous_engine(database_url), await Database.connect(database_url, 2)
    yield Family(engine, database)
    await database.close()
    engine.dispose()


def record() -> str:
    return f"00a-{uuid4().hex}"


async def test_one_s_own_record_comes_first(family: Family) -> None:
    own, lina, anna = record(), record(), record()
    parent = family.parent(own)
    await family.add(parent, lina, "Lina")
    await family.add(parent, anna, "anna")
    assert family.choices(parent) == [(own, "Claire Moreau", True), (anna, "anna", False), (lina, "Lina", False)]
    other = record()
    assert family.choices(family.parent(other)) == [(other, "Claire Moreau", True)]


async def test_a_parent_without_a_record_chooses_among_the_children(family: Family) -> None:
    parent, lina = family.parent(), record()
    assert family.choices(parent) == []
    await family.add(parent, lina)
    assert family.choices(parent) == [(lina, "Lina", False)]


async def test_it_holds_for_this_parent_and_this_child_alone(family: Family) -> None:
    parent, other, lina, anna = family.parent(), family.parent(), record(), record()
    await family.add(parent, lina)
    assert family.holds(parent, lina)
    assert not family.holds(parent, anna)
    assert not family.holds(other, lina)


async def test_ending_it_revokes_what_was_granted_under_it_and_nothing_else(family: Family) -> None:
    own, lina, anna = record(), record(), record()
    parent, other = family.parent(own), family.parent()
    for child in (lina, anna):
        await family.add(parent, child)
    await family.add(other, lina)
    with Session(family.engine) as session, session.begin():
        kept = {family.grant(session, parent, own), family.grant(session, parent, anna)}
        ended = family.grant(session, parent, lina)
        others = family.grant(session, other, lina)
    assert await family.end(parent, lina)
    assert not await family.end(parent, lina)
    assert not family.holds(parent, lina)
    assert family.choices(parent) == [(own, "Claire Moreau", True), (anna, "Lina", False)]
    assert set(family.standing(parent)) == kept
    assert family.standing(other) == [others]
    with Session(family.engine) as session:
        assert grants.is_revoked(session, [ended])
        assert not grants.is_revoked(session, [*kept, others])


async def test_it_can_begin_again(family: Family) -> None:
    parent, lina = family.parent(), record()
    await family.add(parent, lina, "Lina")
    await family.end(parent, lina)
    family.clock.pass_by(days=1)
    await family.add(parent, lina, "Lili")
    assert family.choices(parent) == [(lina, "Lili", False)]


async def test_it_ends_by_itself_when_the_child_is_of_age(family: Family) -> None:
    parent, lina = family.parent(), record()
    await family.add(parent, lina, until=NOW + timedelta(days=1))
    assert family.holds(parent, lina)
    family.clock.pass_by(days=1)
    assert not family.holds(parent, lina)
    assert family.choices(parent) == []
    assert not await family.end(parent, lina)


@pytest.mark.parametrize(
    ("birth", "of_age"),
    [
        (date(2018, 7, 14), datetime(2036, 7, 13, 22, tzinfo=UTC)),
        (date(2018, 1, 14), datetime(2036, 1, 13, 23, tzinfo=UTC)),
        (date(2008, 2, 29), datetime(2026, 2, 28, 23, tzinfo=UTC)),
    ],
)
def test_majority_is_at_eighteen(birth: date, of_age: datetime) -> None:
    """Code civil, art. 414: « La majorité est fixée à dix-huit ans accomplis »."""
    assert representation.majority(birth) == of_age


@pytest.mark.parametrize("check", ["holds", "choices"])
async def test_a_grant_made_while_it_ends_ends_too(family: Family, check: str) -> None:
    """Who checked that it holds keeps it from ending until their grant is there to be revoked."""
    parent, lina = family.parent(), record()
    await family.add(parent, lina)
    with Session(family.engine) as session, session.begin():
        if check == "holds":
            assert representation.holds(session, parent.id, lina, NOW)
        else:
            assert representation.choices(session, family.keys, parent, NOW)
        ender = asyncio.create_task(family.end(parent, lina))
        done, _ = await asyncio.wait({ender}, timeout=0.3)
        assert not done
        made = family.grant(session, parent, lina)
    assert await ender
    with Session(family.engine) as session:
        assert grants.is_revoked(session, [made])


async def test_who_is_cared_for_is_counted_apart(family: Family) -> None:
    caregiver = family.parent()
    for n in range(3):
        await family.add(caregiver, record(), f"Jeanne{n}", basis=CAREGIVER)
    await family.add(caregiver, gone := record(), basis=CAREGIVER)
    await family.end(caregiver, gone)
    await family.add(caregiver, record(), until=NOW, basis=CAREGIVER)
    await family.add(caregiver, record())
    async with family.database.session() as session:
        assert await representation.count(session, caregiver.id, CAREGIVER, NOW) == 3


async def test_it_is_shortened_with_its_consent(family: Family) -> None:
    parent, lina = family.parent(), record()
    await family.add(parent, lina)
    async with family.database.transaction() as session:
        await representation.shorten(session, parent.id, lina, NOW + timedelta(days=1), NOW)
    assert family.holds(parent, lina)
    family.clock.pass_by(days=1)
    assert not family.holds(parent, lina)


async def test_what_is_granted_for_a_minor_ends_with_their_minority(family: Family) -> None:
    own, lina, of_age = record(), record(), representation.majority(date(2008, 12, 1))
    ines, adult = family.parent(own, "2008-12-01"), family.parent(born="1985-05-17")
    await family.add(adult, lina, until=of_age)
    with Session(family.engine) as session:
        [mine] = representation.choices(session, family.keys, ines, NOW)
        [hers] = representation.choices(session, family.keys, adult, NOW)
        [later] = representation.choices(session, family.keys, ines, of_age)
        [unknown] = representation.choices(session, family.keys, replace(ines, born=None), NOW)
    assert (mine.until, hers.until, later.until, unknown.until) == (of_age, of_age, None, None)
    with Session(family.engine) as session, session.begin():
        soon = NOW + timedelta(hours=1)
        made = [family.grant(session, ines, own, until) for until in (soon, None, of_age)]
        ends = [one.expires for one in grants.of_account(session, family.keys, ines.id, NOW)]
    assert len(made) == 3
    assert ends.count(soon) == 1
    assert ends.count(NOW + grants.lifetime(family.app)) == 2


async def test_the_label_is_sealed_where_it_stands(family: Family) -> None:
    parent, other, lina = family.parent(), family.parent(), record()
    await family.add(parent, lina, "Lina")
    with Session(family.engine) as session:
        row = session.execute(select(representation.representation)).one()
    assert b"Lina" not in bytes(row.sealed)
    assert "Lina" not in repr(Representation(other.id, lina, "Lina", PARENT, NOW, None))


async def test_the_operator_sees_every_one(family: Family) -> None:
    parents = [family.parent() for _ in range(3)]
    for parent in parents:
        await family.add(parent, record())
    await family.add(parents[0], gone := record())
    await family.end(parents[0], gone)
    with Session(family.engine) as session:
        found = list(representation.every(session, family.keys, NOW))
    assert sorted(one.account for one in found) == sorted(parent.id for parent in parents)
