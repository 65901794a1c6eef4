"""Finding a record by strict traits: exactly one, or none; and the lookup in step with the Patient."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.traits import Traits, of_claims
from phr import traits
from phr.access.installation import Installation
from phr.demo import people
from phr.demo.people import Identity, patient
from phr.traits import match, record_traits, traits_of
from tests.house import House

TODAY = date(2026, 11, 22)
CLAIRE = people.claire(TODAY)
RECORDS = [f"00{n}-{n:032x}" for n in range(3)]


def claims(who: Identity) -> dict[str, str]:
    """The same person as FranceConnect tells them."""
    return {
        "given_name": " ".join(who.given),
        "family_name": who.birth_name.capitalize(),
        "gender": who.gender,
        "birthdate": who.birth.isoformat(),
        "birthplace": who.commune,
        "birthcountry": "99100",
    }


def told(who: Identity) -> Traits:
    found = of_claims(claims(who))
    assert found is not None
    return found


@pytest.fixture
def installation(house: House) -> Installation:
    return house.parts.installation


async def keep(installation: Installation, record: str, resource: Any, before: Any = None) -> None:
    async with installation.database.transaction() as session:
        await record_traits(session, installation, record, resource, before)


async def found(installation: Installation, who: Identity) -> str | None:
    async with installation.database.session() as session:
        return await match(session, installation, told(who))


@pytest.mark.parametrize("who", [people.claire, people.nicolas, people.jeanne, people.karim, people.ines, people.lina])
def test_the_demo_people_have_the_same_traits_on_both_sides(who: Any) -> None:
    identity = who(TODAY)
    assert traits_of(patient(identity, "Practitioner/x")) == told(identity)


async def test_one_record_is_found_and_two_are_none(installation: Installation) -> None:
    resource = patient(CLAIRE, "Practitioner/x")
    assert await found(installation, CLAIRE) is None
    await keep(installation, RECORDS[0], resource)
    assert await found(installation, CLAIRE) == RECORDS[0]
    await keep(installation, RECORDS[0], resource)
    assert await found(installation, CLAIRE) == RECORDS[0]
    await keep(installation, RECORDS[1], resource)
    assert await found(installation, CLAIRE) is None


async def test_a_corrected_patient_is_found_by_what_is_right_now(installation: Installation) -> None:
    before = patient(CLAIRE, "Practitioner/x")
    after = {**before, "birthDate": "1990-05-19"}
    await keep(installation, RECORDS[0], before)
    await keep(installation, RECORDS[0], after, before)
    assert await found(installation, CLAIRE) is None
    await keep(installation, RECORDS[0], before, after)
    assert await found(installation, CLAIRE) == RECORDS[0]
    doubtful = {**before, "gender": "unknown"}
    await keep(installation, RECORDS[0], doubtful, before)
    assert await found(installation, CLAIRE) is None


async def test_correcting_one_leaves_the_other_alone(installation: Installation) -> None:
    resource = patient(CLAIRE, "Practitioner/x")
    for record in RECORDS[:2]:
        await keep(installation, record, resource)
    await keep(installation, RECORDS[1], {**resource, "gender": "male"}, resource)
    assert await found(installation, CLAIRE) == RECORDS[0]


async def test_the_database_holds_a_keyed_hash(house: House) -> None:
    await keep(house.parts.installation, RECORDS[2], patient(CLAIRE, "Practitioner/x"))
    with Session(house.parts.engine) as session:
        [row] = session.execute(select(traits.trait_lookup)).all()
    assert row.bucket == 2
    assert row.record == RECORDS[2]


def status(code: str) -> dict[str, Any]:
    return {"url": traits.RELIABILITY, "extension": [{"url": "identityStatus", "valueCoding": {"code": code}}]}


def without(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in names}


def changed() -> list[tuple[str, dict[str, Any]]]:
    plain = patient(CLAIRE, "Practitioner/x")
    place = next(one for one in plain["extension"] if one["url"] == traits.BIRTH_PLACE)
    official = plain["name"][0]
    return [
        ("no name", without(plain, "name")),
        ("no official name", {**plain, "name": plain["name"][1:]}),
        ("two official names", {**plain, "name": [official, official]}),
        ("no given name", {**plain, "name": [without(official, "given")]}),
        ("no birth date", without(plain, "birthDate")),
        ("no sex", without(plain, "gender")),
        ("no birth place", {**plain, "extension": [status("VALI")]}),
        ("two birth places", {**plain, "extension": [place, place]}),
        ("provisional", {**plain, "extension": [place, status("PROV")]}),
        ("recovered", {**plain, "extension": [place, status("RECUP")]}),
        ("doubted twice", {**plain, "extension": [place, status("VALI"), status("PROV")]}),
        ("nothing", {"resourceType": "Patient"}),
    ]


@pytest.mark.parametrize(("why", "resource"), changed(), ids=[why for why, _ in changed()])
def test_a_patient_that_is_not_told_whole_is_not_found(why: str, resource: dict[str, Any]) -> None:
    assert traits_of(resource) is None


def test_a_qualified_or_unstated_identity_is() -> None:
    plain = patient(CLAIRE, "Practitioner/x")
    place = next(one for one in plain["extension"] if one["url"] == traits.BIRTH_PLACE)
    for extensions in ([place], [place, status("QUAL")]):
        assert traits_of({**plain, "extension": extensions}) == told(CLAIRE)
