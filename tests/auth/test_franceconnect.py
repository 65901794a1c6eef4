"""Which account a FranceConnect-like identity opens: the one of the one record it matches, or none."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auth import accounts, enrolment, franceconnect, tables, tickets
from auth.accounts import Account
from auth.franceconnect import Unopened
from auth.relying import Arrived
from auth.traits import Traits
from phr.core.vault import keyed_uuid, subkey
from tests.auth.city import City, Person

TOLD = Traits("LEFEVRE", "CLAIRE", "female", "1990-05-18", "35238")
ISSUER = "https://fc.test"


@pytest.mark.parametrize(
    ("acr", "lowest", "enough"),
    [
        ("eidas1", "eidas1", True),
        ("eidas3", "eidas2", True),
        ("eidas2", "eidas2", True),
        ("eidas1", "eidas2", False),
        ("eidas2", "eidas3", False),
        ("", "eidas1", False),
        ("eidas4", "eidas1", False),
        ("EIDAS2", "eidas2", False),
        ("0", "eidas1", False),
    ],
)
def test_the_level_is_reached_or_nothing_opens(acr: str, lowest: str, enough: bool) -> None:
    assert franceconnect.enough(acr, lowest) is enough


def test_the_level_is_always_asked_for() -> None:
    """Without acr_values this provider means eidas3, which few people have."""
    asked = franceconnect.request("eidas2")
    assert asked == {"scope": "openid profile birth identite_pivot", "acr_values": "eidas2"}


def arrived(sub: str, **userinfo: Any) -> Arrived:
    told = {"given_name": "Claire Anne", "family_name": "LEFEVRE", "preferred_username": "MOREAU", **userinfo}
    return Arrived(ISSUER, {"sub": sub, "iat": 1}, told, {}, datetime.now(UTC))


def opened(city: City, who: Arrived, record: str | None) -> Account | Unopened | None:
    with Session(city.engine) as session, session.begin():
        return franceconnect.open_account(session, city.keys, who, record, city.clock())


@pytest.fixture
def owner(city: City) -> Person:
    """Somebody whose account is written down as their record's."""
    return city.person()


def links(city: City, account: UUID) -> int:
    with Session(city.engine) as session:
        mine = select(tables.federated_account).where(tables.federated_account.c.account == account)
        return len(session.execute(mine).all())


def test_the_first_visit_links_and_the_next_ones_find(city: City, owner: Person) -> None:
    who = arrived(uuid4().hex)
    for _ in range(2):
        found = opened(city, who, owner.record)
        assert isinstance(found, Account)
        assert found.id == owner.id
    assert links(city, owner.id) == 1


def test_without_one_match_nothing_opens_even_for_who_is_linked(city: City, owner: Person) -> None:
    who = arrived(uuid4().hex)
    opened(city, who, owner.record)
    assert opened(city, who, None) is Unopened.UNMATCHED


def test_a_linked_identity_opens_no_other_account(city: City, owner: Person) -> None:
    who, other = arrived(uuid4().hex), city.person()
    opened(city, who, owner.record)
    assert opened(city, who, other.record) is Unopened.ANOTHER
    assert links(city, other.id) == 0


def test_the_same_sub_elsewhere_is_somebody_else(city: City, owner: Person) -> None:
    sub = uuid4().hex
    assert franceconnect.identity(city.keys, ISSUER, sub) != franceconnect.identity(city.keys, "https://x.test", sub)


def test_an_account_that_is_closed_stays_closed(city: City, owner: Person) -> None:
    with Session(city.engine) as session, session.begin():
        accounts.disable(session, owner.id)
    assert opened(city, arrived(uuid4().hex), owner.record) is Unopened.DISABLED


def test_an_account_that_claims_another_record_opens_nothing(city: City, owner: Person) -> None:
    record = f"00b-{uuid4().hex}"
    mark = keyed_uuid(subkey(city.keys.get("lookup"), "account record"), record)
    with Session(city.engine) as session, session.begin():
        session.execute(insert(tables.account_lookup).values(name_hash=mark, account=owner.id))
    assert opened(city, arrived(uuid4().hex), record) is Unopened.ANOTHER


def test_who_has_no_account_is_handed_over_to_enrolment(city: City) -> None:
    record, who = f"00c-{uuid4().hex}", arrived(uuid4().hex, email="claire@poste.test")
    assert opened(city, who, record) is None
    with Session(city.engine) as session, session.begin():
        secret = franceconnect.hand_over(session, city.keys, who, record, TOLD, city.clock())
    with Session(city.engine) as session:
        values = tickets.read(session, city.keys, enrolment.PURPOSE, secret, city.clock())
    assert values is not None
    assert (values["record"], values["via"], values["given"], values["family"]) == (
        record, "franceconnect", "Claire", "MOREAU",
    )  # fmt: skip
    assert (values["email"], values["birth"], values["invitation"]) == ("claire@poste.test", "1990-05-18", None)
    assert UUID(values["federated"]) == franceconnect.identity(city.keys, ISSUER, who.claims["sub"])


def test_it_is_enrolments_own_word_for_whose_record_it_is(city: City, owner: Person) -> None:
    with Session(city.engine) as session:
        assert accounts.of_record(session, city.keys, owner.record) == owner.id
