"""Any rights at all: each way out shows what the oracle says, and the register is what the Consents say."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fhir.predicate import KindIn
from fhir.record import RecordKeys
from fhir.search import all_of
from fhir.stored import Keyring, Stored
from phr.access import register
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor, Terms, provision_of
from phr.access.journal import Tag
from phr.access.provision import Provision, Right
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from tests.access import city as cities
from tests.access import rights, ways_out
from tests.access.city import HELD, City
from tests.house import House, account_of

FEW = ("read", "search", "history of a type", "content", "$everything", "_include *", "_has")
_READERS = ("ada", "mum", "dad", "relation", "nurse", "code", "doctor")
_WHO = {
    "professional:810001": Actor(PROFESSIONALS, HELD["relation"].id),
    "professional:810005": Actor(PROFESSIONALS, HELD["nurse"].id),
    "professional:810003": Actor(PROFESSIONALS, HELD["code"].id),
    "professional:810006": Actor(PROFESSIONALS, HELD["code"].id),
    "professional:810007": Actor(PROFESSIONALS, HELD["emergency"].id),
    "structure:1690000001": Actor(STRUCTURES, "1690000001"),
    "account:mum": Actor.account(account_of("mum")),
    "account:dad": Actor.account(account_of("dad")),
}


def _moved(terms: Terms) -> Terms:
    """The same right, about the people of the city."""
    return terms if terms.actor is None else replace(terms, actor=_WHO[terms.actor.name])


TERMS = [_moved(terms) for terms in rights._terms() if not terms.data]


async def consents_of(house: House, record: str) -> tuple[set[Provision], set[Provision]]:
    """The register of a record, and what it is rebuilt from its Consents."""
    visit = Visit(house.parts.installation, System("tests"), (), (), house.now())
    async with visit.act(record, CREATE, Tag.SHARE, "Consent", deciding=True) as deed:
        assert deed.opened is not None
        keys: RecordKeys = deed.opened.keys
        rows = await deed.fetch(all_of(deed.every("Consent"), KindIn(frozenset({"Consent"})), 10_000))
        found = [Stored.from_row(row).json(Keyring({record: keys})) for row in rows]
        rebuilt = {one for body in found if (one := provision_of(body, keys)) is not None}
        return set(await register.every(deed.session, record)), {
            one for one in rebuilt if one.right not in (Right.ACCESS_CODE, Right.APPLICATION)
        }


@pytest.fixture
async def city(house: House) -> City:
    """People, professionals, and what was deposited."""
    return await cities.build(house)


@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chosen=st.lists(st.sampled_from(range(len(TERMS))), min_size=1, max_size=5, unique=True))
async def test_any_rights_show_what_the_oracle_says(city: City, chosen: list[int]) -> None:
    before = list(city.rights)
    made = [await city.lend(city.ada, TERMS[n]) for n in chosen]
    await ways_out.check(city, FEW, [who for who in city.readers() if who.name in _READERS])
    held, rebuilt = await consents_of(city.house, city.ada)
    assert held == rebuilt
    await city.house.end(city.ada, *made)
    city.rights[:] = [one for one in before if one in city.rights]  # what a block ended does not come back
