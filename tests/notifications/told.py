"""What is told, in tests: something happens in a record, and what each centre then says."""

from datetime import UTC, date, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from fhir.parameters import KINDS
from phr import imports, notices, operated
from phr.access.journal import Tag
from phr.access.scope import CREATE
from phr.core import outbox
from phr.documents import with_labels
from phr.notices import Kind
from phr.prevention.watch import prevention_watch
from tests.house import ALL, Caller, House, observation
from tests.kin import Person

Json = dict[str, Any]


async def happen(
    house: House, record: str, kind: str, *labels: str, about: bool = True, now: datetime | None = None, **more: bool
) -> str:
    """Something is written in a record, and told: what it is, `Type/id`."""
    visit = imports.visit_of(house.parts.installation, "tests", now or house.now())
    async with visit.act(record, CREATE, Tag.ACCESS, "tests") as deed:
        body = with_labels(observation(record), list(labels)) if labels else observation(record)
        made = await operated.create(deed, KINDS["Observation"], body)
        await notices.tell(deed, cast(Kind, kind), about=made.reference if about else "", **more)
    return str(made.reference)


def own(who: Person) -> Caller:
    """Their own app, at the hour of the installation."""
    return who.house.caller(who.house.claims("citizen-app", "app", ALL, who.record, subject=str(who.account)))


def listed(answer: Json, name: str = "notification") -> list[Json]:
    """The parameters of this name, each as its parts by name."""
    found = [one for one in answer.get("parameter", ()) if one["name"] == name]
    return [{part["name"]: _value(part) for part in one["part"]} for one in found]


def said(answer: Json, name: str) -> Any:
    """The value of one parameter, or None."""
    return next((_value(one) for one in answer.get("parameter", ()) if one["name"] == name), None)


async def centre(caller: Caller, record: str, query: str = "", status: int = 200) -> list[Json]:
    """What a caller was told of a record."""
    answer = await caller.get(f"Patient/{record}/$notifications{query}")
    assert answer.status_code == status, answer.text
    return listed(answer.json())


async def unread(caller: Caller, record: str) -> int:
    """How many they did not read."""
    answer = await caller.get(f"Patient/{record}/$notifications?_summary=count")
    assert answer.status_code == 200, answer.text
    return int(said(answer.json(), "unread"))


def next_change(house: House, record: str) -> date | None:
    """When prevention looks at a record again."""
    rows = select(prevention_watch.c.next_change).where(prevention_watch.c.record == record)
    with Session(house.parts.engine) as session:
        return cast(date | None, session.execute(rows).scalar_one())


def waiting(house: House, kind: str) -> list[Json]:
    """The messages of one kind that wait."""
    server = house.parts.server
    with Session(server.engine) as session:
        return outbox.waiting(session, server.keys, kind)


def send(house: House, deliverers: dict[str, outbox.Deliver], now: datetime | None = None) -> int:
    """Send what is due; how many tries."""
    server, n = house.parts.server, 0
    while outbox.send_one(server.engine, server.keys, deliverers, now or datetime.now(UTC)):
        n += 1
    return n


def _value(part: Json) -> Any:
    [found] = [value for name, value in part.items() if name.startswith("value")]
    return found["reference"] if isinstance(found, dict) else found
