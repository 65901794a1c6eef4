"""The centre of notifications: listed, counted, marked, taken out, and nothing of what its reader does not see."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from phr import imports, notices, rights
from phr.access.consent import Actor, Terms
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.right import HIDDEN_FROM_PATIENT, HIDDEN_FROM_PROXIES
from phr.access.scope import CREATE
from phr.codes import VISIBILITY
from phr.notifications.audience import POWERS
from phr.notifications.entry import KEPT, KINDS, notification
from tests.house import House
from tests.kin import Person, care, parameters, person, represent
from tests.notifications.told import centre, happen, listed, own, said, unread, waiting
from tests.phr.care import NURSE, SECRET, TREATING, body, notes, software

NOT_THERE = "0" * 32


@pytest.fixture
async def ada(house: House) -> Person:
    return await person(house, "Ada")


async def post(who: Person, record: str, name: str, status: int = 200, **values: object) -> None:
    caller = who.caller() if record == who.record else who.acting(record)
    answer = await caller.post(f"Patient/{record}/$notification-{name}", parameters(**values))
    assert answer.status_code == status, answer.text


async def test_what_happens_is_in_the_centre_newest_first(house: House, ada: Person) -> None:
    first = await happen(house, ada.record, "document")
    second = await happen(house, ada.record, "message")
    found = await centre(ada.caller(), ada.record)
    assert [(one["kind"], one["about"], one["read"]) for one in found] == [
        ("message", second, False),
        ("document", first, False),
    ]
    assert await unread(ada.caller(), ada.record) == 2
    assert [(tag, note.asked) for tag, note in notes(house, ada.record)][-2:] == [
        (Tag.NOTIFICATION, f"Patient/{ada.record}/$notifications")
    ] * 2


async def test_an_access_tells_of_its_consent(house: House, ada: Person) -> None:
    made = await software(house).post(f"Patient/{ada.record}/$open-access", body(**TREATING))
    [found] = await centre(ada.caller(), ada.record)
    assert (found["kind"], found["about"]) == ("access", f"Consent/{made.json()['id']}")


async def test_read_unread_all_and_deleted(house: House, ada: Person) -> None:
    for kind in ("document", "message", "agenda"):
        await happen(house, ada.record, kind)
    newest, middle, oldest = [one["id"] for one in await centre(ada.caller(), ada.record)]
    for _ in range(2):
        await post(ada, ada.record, "read", notification=(newest, middle))
    assert [one["read"] for one in await centre(ada.caller(), ada.record)] == [True, True, False]
    assert [one["id"] for one in await centre(ada.caller(), ada.record, "?unread=true")] == [oldest]
    await post(ada, ada.record, "unread", notification=newest)
    assert await unread(ada.caller(), ada.record) == 2
    await post(ada, ada.record, "read-all")
    assert await unread(ada.caller(), ada.record) == 0
    await post(ada, ada.record, "delete", notification=(middle, oldest))
    assert [one["id"] for one in await centre(ada.caller(), ada.record)] == [newest]
    for name in ("read", "unread", "delete"):
        for missing in (middle, NOT_THERE, "what"):
            await post(ada, ada.record, name, 404, notification=(newest, missing))
        await post(ada, ada.record, name, 422)
    assert [one["id"] for one in await centre(ada.caller(), ada.record)] == [newest]


async def test_kinds_and_pages(house: House, ada: Person) -> None:
    for n in range(7):
        await happen(house, ada.record, "document" if n % 2 else "message")
    everything = [one["id"] for one in await centre(ada.caller(), ada.record)]
    assert len(everything) == 7
    assert [one["kind"] for one in await centre(ada.caller(), ada.record, "?kind=document")] == ["document"] * 3
    assert len(await centre(ada.caller(), ada.record, "?kind=document,message")) == 7
    pages, query = list[str](), "?_count=3"
    while query:
        answer = (await ada.caller().get(f"Patient/{ada.record}/$notifications{query}")).json()
        pages += [one["id"] for one in listed(answer)]
        cursor = said(answer, "next")
        query = f"?_count=3&_cursor={cursor}" if cursor else ""
    assert pages == everything
    first = await ada.caller().get(f"Patient/{ada.record}/$notifications?_count=3")
    stolen = f"?_cursor={said(first.json(), 'next')}"
    bob = await person(house, "Bob")
    await centre(bob.caller(), bob.record, stolen, 400)
    await centre(ada.caller(), ada.record, f"{stolen}&kind=message", 400)
    for wrong in (
        "?kind=what",
        "?unread=maybe",
        "?_summary=true",
        "?what=1",
        "?_count=0",
        "?_cursor=x",
        "?kind=a&kind=b",
    ):
        await centre(ada.caller(), ada.record, wrong, 400)


async def test_it_is_kept_a_year(house: House, ada: Person) -> None:
    now = house.now()
    await happen(house, ada.record, "document", about=False, now=now - KEPT - timedelta(seconds=1))
    await happen(house, ada.record, "message", about=False, now=now - KEPT + timedelta(hours=1))
    assert [one["kind"] for one in await centre(ada.caller(), ada.record)] == ["message"]
    await happen(house, ada.record, "agenda")
    assert [one["kind"] for one in await centre(ada.caller(), ada.record)] == ["agenda", "message"]
    with Session(house.parts.engine) as session:
        assert session.execute(select(func.count()).select_from(notification)).scalar_one() == 2


async def test_what_awaits_its_announcement_is_in_no_list_and_no_count(house: House, ada: Person) -> None:
    shown = await happen(house, ada.record, "document")
    before = (await ada.caller().get(f"Patient/{ada.record}/$notifications")).content
    withheld = await happen(house, ada.record, "document", HIDDEN_FROM_PATIENT)
    assert (await ada.caller().get(f"Patient/{ada.record}/$notifications")).content == before
    assert await unread(ada.caller(), ada.record) == 1
    assert len(waiting(house, "mail")) == 1  # nor by mail
    with Session(house.parts.engine) as session:
        ids = session.execute(select(notification.c.id).order_by(notification.c.at.desc())).scalars().all()
    for name in ("read", "unread", "delete"):
        await post(ada, ada.record, name, 404, notification=ids[0].hex)
    await post(ada, ada.record, "read-all")
    later = house.now() + timedelta(days=32)
    house.parts.server.clock = lambda: later
    found = await centre(own(ada), ada.record)
    assert [(one["about"], one["read"]) for one in found] == [(withheld, False), (shown, True)]


async def test_a_parent_learns_nothing_of_a_confidential_visit(house: House) -> None:
    child, mum = await person(house, "Lina", born="2012-01-01"), await person(house, "Mum")
    await represent(child, mum)
    await post(child, child.record, "read-all")
    before = (await mum.acting(child.record).get(f"Patient/{child.record}/$notifications")).content
    told = await centre(child.caller(), child.record)
    opened = await software(house).post(f"Patient/{child.record}/$open-access", body(**TREATING), **SECRET)
    assert opened.status_code == 201
    await happen(house, child.record, "document", HIDDEN_FROM_PROXIES)
    await happen(house, child.record, "message", confidential=True)
    assert (await mum.acting(child.record).get(f"Patient/{child.record}/$notifications")).content == before
    assert len(await centre(child.caller(), child.record)) == len(told) + 3
    mails = [one for one in waiting(house, "mail") if one["to"] == mum.email]
    await software(house, NURSE).post(f"Patient/{child.record}/$open-access", body(**TREATING))
    assert len(waiting(house, "mail")) > len(mails)
    assert (await centre(mum.acting(child.record), child.record))[0]["kind"] == "access"


async def test_what_is_hidden_afterwards_leaves_the_list(house: House) -> None:
    child, mum = await person(house, "Lina", born="2012-01-01"), await person(house, "Mum")
    await represent(child, mum)
    for _ in range(2):
        about = await happen(house, child.record, "document")
    first, *others = await centre(mum.acting(child.record), child.record)
    assert first["about"] == about
    label = {"system": VISIBILITY, "code": HIDDEN_FROM_PROXIES}
    patch = [{"op": "add", "path": "/meta/security", "value": [label]}]
    answer = await child.caller().patch(about, patch)
    assert answer.status_code == 200, answer.text
    assert await centre(mum.acting(child.record), child.record) == others
    assert (await centre(child.caller(), child.record))[0]["about"] == about


@pytest.mark.parametrize(
    "powers",
    [("consult",), ("documents",), ("consult", "message"), ("prescriptions",), ("consult", "prescriptions", "agenda")],
)
async def test_a_caregiver_is_told_within_their_powers(house: House, powers: tuple[str, ...]) -> None:
    cared, carer = await person(house, "Ada"), await person(house, "Bob")
    await care(cared, carer, *powers)
    before = len([one for one in waiting(house, "mail") if one["to"] == carer.email])
    for kind in KINDS:
        await happen(house, cared.record, kind)
    expected = {kind for kind, needed in POWERS.items() if needed <= set(powers)}
    assert {one["kind"] for one in await centre(carer.acting(cared.record), cared.record)} == expected
    assert len([one for one in waiting(house, "mail") if one["to"] == carer.email]) - before == len(expected)
    assert not expected & {"access", "emergency", "delegation", "application"}


async def test_powers_and_mandates_are_those_of_now(house: House) -> None:
    cared, carer = await person(house, "Ada"), await person(house, "Bob")
    consent = await care(cared, carer, "consult", "message")
    for kind in ("message", "document"):
        await happen(house, cared.record, kind)
    assert len(await centre(carer.acting(cared.record), cared.record)) == 2
    narrowed = parameters(consent=consent, power="consult")
    assert (await cared.caller().post(f"{cared.patient}/$change-delegation", narrowed)).status_code == 200
    assert [one["kind"] for one in await centre(carer.acting(cared.record), cared.record)] == ["document"]
    await house.end(cared.record, consent)
    await centre(carer.acting(cared.record), cared.record, status=404)
    await post(carer, cared.record, "read-all", 404)


async def test_what_an_undone_transaction_changed_is_not_remembered(house: House, ada: Person) -> None:
    """Telling looks with others' eyes while rights are written: what they see then is not kept if it is undone."""
    bob = await person(house, "Bob")
    await centre(bob.acting(ada.record), ada.record, status=404)
    house.parts.installation.forget(ada.record)
    visit = imports.visit_of(house.parts.installation, "tests", house.now())

    async def undone() -> None:
        async with visit.act(ada.record, CREATE, Tag.SHARE, "tests", deciding=True) as deed:
            await rights.write(deed, Terms(Right.LEGAL_REPRESENTATIVE, Actor.account(str(bob.account))))
            await notices.tell(deed, "delegation")
            raise ValueError

    with pytest.raises(ValueError):
        await undone()
    await centre(bob.acting(ada.record), ada.record, status=404)


async def test_each_account_has_its_own_centre_of_a_record(house: House) -> None:
    child, mum, dad = await person(house, "Lina", born="2012-01-01"), await person(house, "M"), await person(house, "D")
    await represent(child, mum, dad)
    await post(mum, child.record, "read-all")
    await happen(house, child.record, "document")
    mums, dads = [await centre(one.acting(child.record), child.record) for one in (mum, dad)]
    assert mums[0]["id"] != dads[0]["id"]
    await post(mum, child.record, "delete", 404, notification=dads[0]["id"])
    await post(mum, child.record, "delete", notification=mums[0]["id"])
    assert (await centre(dad.acting(child.record), child.record))[0]["id"] == dads[0]["id"]
    assert await centre(mum.caller(), mum.record) == []


async def test_who_may_ask(house: House, ada: Person) -> None:
    await happen(house, ada.record, "document")
    bob = await person(house, "Bob")
    for caller, status in (
        (bob.caller(), 404),
        (bob.acting(ada.record), 404),
        (software(house), 403),
        (house.depositor(), 403),
        (house.operator(), 403),
        (ada.caller(("patient/Observation.rs",)), 403),
        (ada.caller(("patient/Communication.rs?category=x|y",)), 403),
    ):
        await centre(caller, ada.record, status=status)
        answer = await caller.post(f"{ada.patient}/$notification-read-all", parameters())
        assert answer.status_code == status
    narrow = ada.caller(("patient/Communication.rs",))
    assert await centre(narrow, ada.record) == []  # it may not read what it is about
    assert await unread(narrow, ada.record) == 0
    assert (await narrow.post(f"{ada.patient}/$notification-read-all", parameters())).status_code == 403
    both = ada.caller(("patient/Communication.rus", "patient/Observation.rs"))
    assert await unread(both, ada.record) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_by_each_way_and_its_preference(house: House, ada: Person, kind: str) -> None:
    await happen(house, ada.record, kind)
    assert len(waiting(house, "mail")) == 1
    [mail] = waiting(house, "mail")
    for secret in (ada.record, "Ada", "Moreau", "Observation"):
        assert secret not in mail["text"] + mail["subject"]
    if kind != "emergency":
        await house.lend(ada.record, Terms(Right.PREFERENCE, permits=False, purpose=f"notify-{kind}"))
    await happen(house, ada.record, kind)
    assert len(waiting(house, "mail")) == (2 if kind == "emergency" else 1)
    assert len(await centre(ada.caller(), ada.record)) == 2


async def test_on_disk_an_entry_is_noise_and_bound_to_its_place(house: House, ada: Person) -> None:
    about = await happen(house, ada.record, "prescription")
    with Session(house.parts.engine) as session, session.begin():
        row = session.execute(select(notification)).one()
        assert about.encode() not in row.sealed
        assert b"prescription" not in row.sealed
        session.execute(update(notification).values(id="0" * 32))
    answer = await ada.caller().get(f"Patient/{ada.record}/$notifications")
    assert answer.status_code == 500
