"""What people are told by mail: who, when, in which words, and what never."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from auth import accounts
from phr import notices
from phr.access.consent import Terms
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.notifications.entry import KINDS
from tests.house import House
from tests.phr import care
from tests.phr.care import DOCTOR, SECRET, TREATING, account, body, mails, software

GLASS = {"basis": "BTG", "motive": "Inconsciente, seule, sans papiers."}


def told(house: House) -> list[str]:
    return sorted(mail["to"] for mail in mails(house))


async def test_an_access_is_told_once_and_names_nobody(house: House) -> None:
    record = await house.open_record()
    account(house, record, "ada@poste.test")
    for _ in range(2):
        await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))
    [mail] = mails(house)
    assert mail["to"] == "ada@poste.test"
    assert "Un accès à votre carnet" in mail["subject"]
    assert "Access to" in mail["subject"] or "access to" in mail["subject"]
    for secret in (DOCTOR.id, DOCTOR.family, DOCTOR.structure_name, record, "Ada", "Durand"):
        assert secret not in mail["text"] + mail["subject"], secret
    assert "connectez-vous" in mail["text"]
    assert "sign in" in mail["text"]


async def test_nobody_is_told_when_nobody_has_an_account(house: House) -> None:
    record = await house.open_record()
    account(house, None, "bob@poste.test")
    assert (await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    assert mails(house) == []


async def test_who_prefers_not_to_is_told_of_emergencies_alone(house: House) -> None:
    record = await house.open_record()
    account(house, record, "ada@poste.test")
    await house.lend(record, Terms(Right.PREFERENCE, permits=False, purpose="notify-access"))
    doctor = software(house)
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    assert mails(house) == []
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**GLASS))).status_code == 201
    [mail] = mails(house)
    assert "urgence" in mail["subject"]
    assert GLASS["motive"] not in mail["text"]


async def test_a_refused_access_is_not_told(house: House) -> None:
    record = await house.open_record()
    account(house, record, "ada@poste.test")
    await house.citizen(record).post(f"Patient/{record}/$block", body(professional=(care.PS, DOCTOR.id)))
    assert (await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404
    assert mails(house) == []


async def test_who_represents_a_child_is_told_but_of_what_is_secret(house: House) -> None:
    record = await house.open_record()
    account(house, record, "lina@poste.test")
    mum, carer = account(house, None, "mum@poste.test"), account(house, None, "carer@poste.test")
    gone = account(house, None, "gone@poste.test")
    await house.represent(record, str(mum))
    await house.represent(record, str(gone))
    await house.represent(record, str(carer), "consult")
    with Session(house.parts.engine) as session, session.begin():
        accounts.disable(session, gone)
    await software(house).post(f"Patient/{record}/$open-access", body(**TREATING), **SECRET)
    assert told(house) == ["lina@poste.test"]
    await software(house, care.NURSE).post(f"Patient/{record}/$open-access", body(**TREATING))
    assert told(house) == ["lina@poste.test", "lina@poste.test", "mum@poste.test"]


async def test_a_represented_child_without_account(house: House) -> None:
    record = await house.open_record()
    await house.represent(record, str(account(house, None, "mum@poste.test")))
    await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))
    assert told(house) == ["mum@poste.test"]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_told_and_silenced_by_its_own_preference(house: House, kind: notices.Kind) -> None:
    record = await house.open_record()
    account(house, record, "ada@poste.test")
    await house.represent(record, str(account(house, None, "mum@poste.test")))

    async def tell(*, always: bool = False, confidential: bool = False) -> list[str]:
        before = len(mails(house))
        visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
        async with visit.act(record, CREATE, Tag.ACCESS, "tests") as deed:
            await notices.tell(deed, kind, always=always, confidential=confidential)
        return sorted(mail["to"] for mail in mails(house)[before:])

    both = ["ada@poste.test", "mum@poste.test"]
    assert await tell() == both
    assert await tell(confidential=True) == both[:1]
    for purpose in ("notify-access", "notify-document", "notify-delegation"):
        if purpose != f"notify-{kind}":
            await house.lend(record, Terms(Right.PREFERENCE, permits=False, purpose=purpose))
    assert await tell() == both
    if kind not in notices.ALWAYS:
        await house.lend(record, Terms(Right.PREFERENCE, permits=False, purpose=f"notify-{kind}"))
        assert await tell() == []
    assert await tell(always=True) == both


async def test_what_is_undone_is_not_told(house: House) -> None:
    record = await house.open_record()
    account(house, record, "ada@poste.test")
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))

    async def undone() -> None:
        async with visit.act(record, CREATE, Tag.ACCESS, "tests") as deed:
            await notices.tell(deed, "access")
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await undone()
    assert mails(house) == []
