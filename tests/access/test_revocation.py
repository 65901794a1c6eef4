"""What is taken back is taken back at the very next request, in every process, whatever each remembers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, insert, update

from auth.tables import client, revoked_token
from fhir.tables import record
from phr.access.installation import KEPT, MOST_KEPT, Installation
from phr.access.visit import Visit
from phr.core.database import Session
from phr.core.errors import DomainError, Reason
from phr.core.settings import Settings
from phr.core.vault import Wrapped
from tests.house import Caller, House, account_of, observation


@pytest.fixture
async def houses(house: House, settings: Settings, database_url: str) -> AsyncIterator[tuple[House, House]]:
    """Two processes over one database."""
    async with House.build(settings, database_url) as other:
        yield house, other


@dataclass(frozen=True, slots=True)
class Met:
    """A person, a resource of theirs, and their app known to two processes, both of which remember the keys."""

    record: str
    made: str
    here: Caller
    there: Caller
    jti: UUID
    grant: UUID

    async def statuses(self) -> set[int]:
        """What both processes answer to every kind of request."""
        found = set()
        for caller in (self.here, self.there):
            for path in (f"Observation/{self.made}", f"Observation?patient={self.record}", f"Practitioner/{self.made}"):
                found.add((await caller.get(path)).status_code)
            found.add((await caller.get(f"Observation?patient={self.record}&_total=accurate")).status_code)
            found.add((await caller.post("Observation", observation(self.record))).status_code)
        return found


async def met(one: House, other: House) -> Met:
    name = await one.open_record()
    jti, grant = uuid4(), uuid4()
    claims = one.claims("citizen-app", "app", ("patient/*.cruds",), name, subject=account_of(name), jti=str(jti))
    claims = replace(claims, grant=str(grant))
    here, there = one.caller(claims), other.caller(claims)
    made = (await here.post("Observation", observation(name))).json()["id"]
    found = Met(name, made, here, there, jti, grant)
    assert await found.statuses() == {200, 201, 404}
    for house in (one, other):
        assert house.parts.installation.remembered(name, datetime.now(UTC)) is not None
    return found


def _write(house: House, table: Table, **values: object) -> None:
    with house.parts.engine.begin() as connection:
        connection.execute(insert(table).values(values))


async def test_a_revoked_token_opens_nothing_more(houses: tuple[House, House]) -> None:
    here = await met(*houses)
    _write(houses[1], revoked_token, jti=here.jti, until=datetime.now(UTC) + timedelta(hours=1))
    assert await here.statuses() == {401}


async def test_a_revoked_grant_takes_its_tokens_along(houses: tuple[House, House]) -> None:
    here = await met(*houses)
    _write(houses[0], revoked_token, jti=here.grant, until=datetime.now(UTC) + timedelta(hours=1))
    assert await here.statuses() == {401}


async def test_another_token_lives_on(houses: tuple[House, House]) -> None:
    here = await met(*houses)
    _write(houses[0], revoked_token, jti=uuid4(), until=datetime.now(UTC) + timedelta(hours=1))
    assert await here.statuses() == {200, 201, 404}


async def test_a_disabled_client_is_out(houses: tuple[House, House]) -> None:
    here = await met(*houses)
    app = {"name": "App", "kind": "citizen-app", "redirect_uris": [], "scopes": [], "created": datetime.now(UTC)}
    _write(houses[0], client, id="other", disabled=True, **app)
    assert await here.statuses() == {200, 201, 404}
    _write(houses[0], client, id="app", disabled=True, **app)
    assert await here.statuses() == {401}


async def test_a_closed_record_shows_nothing_to_anybody(houses: tuple[House, House]) -> None:
    here = await met(*houses)
    hospital = houses[0].depositor()
    deposited = (await hospital.post("Observation", observation(here.record))).json()["id"]
    assert (await hospital.get(f"Observation/{deposited}")).status_code == 200
    with houses[1].parts.engine.begin() as connection:
        connection.execute(update(record).where(record.c.id == here.record).values(closed=datetime.now(UTC)))
    for caller in (here.here, here.there, hospital):
        assert (await caller.get(f"Observation/{here.made}")).status_code == 404
        assert (await caller.get(f"Observation/{deposited}")).status_code == 404
        assert (await caller.get(f"Patient/{here.record}/$everything")).status_code == 404
        assert "entry" not in (await caller.get(f"Observation?patient={here.record}")).json()
        assert (await caller.post("Observation", observation(here.record))).status_code == 422
    for house in houses:
        assert house.parts.installation.remembered(here.record, datetime.now(UTC)) is None


async def test_changed_rights_are_gathered_again(houses: tuple[House, House]) -> None:
    here = await met(*houses)
    for rights in (2, 3):
        with houses[1].parts.engine.begin() as connection:
            connection.execute(update(record).where(record.c.id == here.record).values(rights=rights))
        assert await here.statuses() == {200, 201, 404}
        for house in houses:
            opened = house.parts.installation.remembered(here.record, datetime.now(UTC))
            assert opened is not None
            assert opened.rights == rights


async def test_rights_that_never_hold_still_are_no_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await house.open_record()
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    really = Session.fetch

    async def moving(self: Session, query: object, values: object = None) -> list[object]:
        if "g_rights" in query.names:  # type: ignore[attr-defined]
            with house.parts.engine.begin() as connection:
                connection.execute(update(record).where(record.c.id == name).values(rights=record.c.rights + 1))
        return await really(self, query, values)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "fetch", moving)
    assert (await house.citizen(name).get(f"Observation/{made}")).status_code == 503


async def test_a_gate_that_shuts_on_the_commons_is_no_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revoked while the statement ran, and given back before it is asked again: nothing was seen, nothing is said."""
    really = Session.fetch

    async def shut(self: Session, query: object, values: object = None) -> list[object]:
        return [] if "j_listed" in query.names else await really(self, query, values)  # type: ignore[attr-defined,arg-type]

    monkeypatch.setattr(Session, "fetch", shut)
    assert (await house.operator().get("Practitioner")).status_code == 503


async def test_a_visit_to_what_is_no_record(house: House) -> None:
    reader = house.depositor()
    answer = await reader.get("Patient/not-an-id/$everything")
    assert answer.status_code == 404


def test_keys_are_remembered_for_a_minute_and_so_many(installation: Installation) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    wrapped, keys = installation.new_record_key("r")
    assert installation.remembered("r", now) is None
    opened = installation.open("r", wrapped, 1, None, now)
    assert opened.keys.hashing == keys.hashing
    assert installation.remembered("r", now + KEPT - timedelta(microseconds=1)) is opened
    assert installation.remembered("r", now + KEPT) is None
    installation._opened.update({str(n): opened for n in range(MOST_KEPT - 1)})
    installation.open("s", installation.new_record_key("s")[0], 1, None, now)
    assert len(installation._opened) == MOST_KEPT
    assert installation.remembered("r", now) is None
    installation.forget("s")
    assert installation.remembered("s", now) is None


async def test_a_record_key_that_does_not_open_is_no_answer(house: House) -> None:
    name = await house.open_record()
    wrapped: Wrapped = house.parts.installation.new_record_key("other")[0]
    with house.parts.engine.begin() as connection:
        connection.execute(update(record).where(record.c.id == name).values(wrapped=wrapped.ciphertext))
    house.parts.installation.forget(name)
    answer = await house.citizen(name).get(f"Patient/{name}")
    assert answer.status_code >= 500
    assert name not in answer.text


def test_the_domain_speaks_of_reasons() -> None:
    assert DomainError(Reason.ABSENT).reason is Reason.ABSENT
    assert Visit.__doc__
