"""One transaction, looked at with another reader's eyes: they see what they would have seen by themselves."""

from datetime import UTC, datetime

from auth.scopes import Scope
from fhir.predicate import KindIn
from fhir.search import all_of
from phr.access.journal import Tag
from phr.access.reader import Citizen, Delegate, Reader, System
from phr.access.scope import READ
from phr.access.visit import Visit
from tests.house import House, account_of, observation

EVERYTHING = (Scope("patient", "*", frozenset("rs")),)
SECRET = [
    {
        "system": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument",
        "code": "INVISIBLE_REPRESENTANTS_LEGAUX",
    }
]


async def test_each_sees_with_their_own_eyes(house: House) -> None:
    record = await house.open_record()
    parent = account_of("a parent")
    await house.represent(record, parent)
    made = await house.citizen(record).post("Observation", observation(record, meta={"security": SECRET}))
    assert made.status_code == 201, made.text
    readers: dict[Reader, int] = {Citizen("app", account_of(record), record): 1, Delegate("app", parent, record): 0}
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
    async with visit.act(record, READ, Tag.READ, "Observation") as deed:
        for reader, seen in readers.items():
            through = await deed.through(reader, EVERYTHING, READ)
            assert len(await through.fetch(all_of(through.view.inside, KindIn(frozenset({"Observation"})), 9))) == seen


async def test_where_there_is_no_record_nobody_sees_one(house: House) -> None:
    record = await house.open_record()
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
    async with visit.act(None, READ, Tag.READ, "Organization") as deed:
        through = await deed.through(Citizen("app", account_of(record), record), EVERYTHING, READ)
        assert through.opened is None
        assert await through.fetch(all_of(through.view.inside, KindIn(frozenset({"Patient"})), 9)) == []
