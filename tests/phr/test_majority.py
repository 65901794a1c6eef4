"""The day a child is of age: parents see nothing from its first second on, and every application is asked again."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from auth import accounts
from auth.scopes import parse
from fhir.parameters import KINDS
from phr import representation
from phr.access.reader import Delegate
from phr.access.visit import Visit
from phr.core.database import Database, synchronous_engine
from phr.core.errors import DomainError
from phr.core.keys import PURPOSES, SystemKeys
from phr.core.vault import new_key
from phr.reading import read
from phr.representation import PARENT, Representation
from tests.auth import city as towns
from tests.auth.browsing import OFFLINE, REGISTERED, refreshed, tokens
from tests.auth.city import PASSWORD, City, Clock
from tests.house import House, observation
from tests.kin import answer, enroll, invite, minor, parameters, person, represent

SECOND = timedelta(seconds=1)


@pytest.fixture
def moved(house: House) -> Callable[[datetime], None]:
    """Set the clock of every request over HTTP."""

    def to(at: datetime) -> None:
        house.parts.server.clock = lambda: at

    return to


async def test_a_parent_s_sight_ends_with_the_first_second(house: House) -> None:
    lina, claire = await person(house, "Lina", "Moreau", "2018-03-25"), await person(house)
    await represent(lina, claire)
    of_age = datetime(2036, 3, 24, 23, tzinfo=UTC)
    scope = parse("patient/*.rs")
    assert scope is not None
    reader = Delegate("app", str(claire.account), lina.record)
    patient = KINDS["Patient"], lina.record
    for at in (datetime.now(UTC), of_age - timedelta(microseconds=1)):
        await read(Visit(house.parts.installation, reader, (scope,), (), at), *patient)
    for at in (of_age, of_age + timedelta(days=400)):
        with pytest.raises(DomainError):
            await read(Visit(house.parts.installation, reader, (scope,), (), at), *patient)


async def test_over_http_and_for_whoever_the_parents_chose(house: House, moved: Callable[[datetime], None]) -> None:
    ines = await person(house, "Inès", "Benali", minor(), account=False)
    karim, nadia = await person(house, "Karim", "Benali"), await person(house, "Nadia", "Benali")
    caregiver = await person(house, "Claire", "Moreau")
    await represent(ines, karim, nadia)
    consent = await invite(karim.acting(ines.record), ines.patient, caregiver, ("consult", "documents"))
    assert (await answer(caregiver, consent)).status_code == 200
    await house.depositor().post("Observation", observation(ines.record))
    of_age = representation.majority(date.fromisoformat(ines.born))
    proxies = [one.acting(ines.record) for one in (karim, nadia, caregiver)]
    adult = await enroll(house, ines.record, "Inès Benali", f"{uuid4().hex}@poste.test", ines.born)
    own = replace(ines, account=adult).caller()
    moved(of_age - SECOND)
    for one in proxies:
        assert len((await one.get("Observation")).json()["entry"]) == 1
    moved(of_age)
    for one in proxies:
        assert (await one.get(ines.patient)).status_code == 404
        assert "entry" not in (await one.get("Observation")).json()
        assert (await one.get(f"{ines.patient}/$everything")).status_code == 404
        assert (await one.post("Observation", observation(ines.record))).status_code in (403, 404, 422)
        refused = await one.post(f"{ines.patient}/$invite-caregiver", parameters(**nadia.invited(power="consult")))
        assert refused.status_code == 404
    assert len((await own.get("Observation")).json()["entry"]) == 1
    assert (await own.get(ines.patient)).status_code == 200
    body = (await own.get(f"Consent/{consent}")).json()
    assert datetime.fromisoformat(body["provision"]["period"]["end"]) == of_age


async def test_the_longer_wish_of_a_parent_ends_with_minority_too(house: House) -> None:
    ines, karim = await person(house, "Inès", "Benali", minor(40)), await person(house, "Karim", "Benali")
    caregiver = await person(house, "Claire", "Moreau")
    await represent(ines, karim)
    of_age = representation.majority(date.fromisoformat(ines.born))
    for asked, kept in ((of_age + SECOND, of_age), (of_age - SECOND, of_age - SECOND)):
        made = await invite(karim.acting(ines.record), ines.patient, caregiver, until=asked.isoformat())
        body = (await ines.caller().get(f"Consent/{made}")).json()
        assert datetime.fromisoformat(body["provision"]["period"]["end"]) == kept
        await ines.caller().post(f"{ines.patient}/$end-delegation", parameters(consent=made))


async def test_nobody_is_invited_as_the_parent_of_who_is_of_age(
    house: House, moved: Callable[[datetime], None]
) -> None:
    ines, karim = await person(house, "Inès", "Benali", minor()), await person(house, "Karim", "Benali")
    nadia = await person(house, "Nadia", "Benali")
    await represent(ines, karim)
    sent = parameters(**nadia.invited())
    made = await karim.acting(ines.record).post(f"{ines.patient}/$invite-parent", sent)
    assert made.status_code == 201
    moved(representation.majority(date.fromisoformat(ines.born)))
    # Invited before, answered after: there is nothing left to accept.
    assert (await answer(nadia, made.json()["id"])).status_code == 422
    assert (await nadia.acting(ines.record).get(ines.patient)).status_code == 404
    with pytest.raises(DomainError):
        await represent(await person(house, "Léo", "Petit", minor(0)), karim)


# Applications: consented to again.


@contextmanager
def _town(url: str) -> Iterator[City]:
    clock = Clock()
    clock.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    engine = synchronous_engine(url)
    town = City(engine, SystemKeys({purpose: new_key() for purpose in PURPOSES}), clock)
    town.server.records = representation.choices
    try:
        yield town
    finally:
        engine.dispose()


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[City]:
    """An authorization server that knows who acts for whom."""
    with _town(database_url) as found:
        yield found


def _citizen(town: City, born: str | None) -> towns.Person:
    mark, record = uuid4().hex[:8], f"00a-{uuid4().hex}"
    login, email = f"ines.{mark}", f"ines.{mark}@poste.test"
    with Session(town.engine) as session, session.begin():
        id = accounts.enroll(  # noqa: A001
            session, town.keys, login, PASSWORD, "Inès Benali", email, record, town.clock(), born=born
        )
    return towns.Person(id, login, email, "Inès Benali", record)


BORN = "2008-12-20"
OF_AGE = datetime(2026, 12, 19, 23, tzinfo=UTC)


@pytest.mark.parametrize(("born", "lasts"), [(BORN, False), (None, True), ("1985-05-17", True)])
async def test_what_a_minor_granted_is_refreshed_until_majority(town: City, born: str | None, lasts: bool) -> None:
    ines = _citizen(town, born)
    app = town.citizen_app(**REGISTERED, redirect_uris=[towns.CALLBACK, "app.test:/callback"])
    assert app.native
    first = await tokens(town, app, ines, **OFFLINE)
    town.clock.now = OF_AGE - SECOND
    second = await refreshed(town, app, first["refresh_token"])
    assert second.status_code == 200, second.text
    town.clock.now = OF_AGE
    after = await refreshed(town, app, second.json()["refresh_token"])
    assert (after.status_code == 200) is lasts
    if not lasts:
        assert after.json()["error"] == "invalid_grant"
        town.clock.pass_by(days=1)
        again = await tokens(town, app, ines, **OFFLINE)
        town.clock.pass_by(days=30)
        assert (await refreshed(town, app, again["refresh_token"])).status_code == 200, (
            "consented to again, as an adult"
        )


async def test_what_a_parent_granted_for_them_too(town: City, database_url: str) -> None:
    karim, ines = _citizen(town, "1968-09-12"), f"00b-{uuid4().hex}"
    database = await Database.connect(database_url, 1)
    async with database.transaction() as session:
        row = Representation(karim.id, ines, "Inès", PARENT, town.clock(), OF_AGE, "a consent")
        await representation.add(session, town.keys, row)
    await database.close()
    app = town.citizen_app(**REGISTERED, redirect_uris=[towns.CALLBACK, "app.test:/callback"])
    first = await tokens(town, app, karim, form={"record": ines}, **OFFLINE)
    assert first["patient"] == ines
    town.clock.now = OF_AGE - SECOND
    second = await refreshed(town, app, first["refresh_token"])
    assert second.status_code == 200, second.text
    town.clock.now = OF_AGE
    after = await refreshed(town, app, second.json()["refresh_token"])
    assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
