"""Secure mail: what a structure's mailbox writes, what waits for it, and what a stranger's is answered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from phr.access.consent import STRUCTURES, Actor, Terms
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.core import outbox
from phr.core.errors import DomainError, Reason
from phr.core.settings import Mssante
from phr.imports import EVERYTHING
from phr.messages.gateway import File, Mailbox, receive
from phr.messages.telling import MSSANTE
from tests.house import House
from tests.messages.post import PDF, PHARMACIST, PHARMACY, letter, messages, pharmacy, reply, send, start, texts
from tests.phr.care import body, finess, software

BOX = Mailbox("contact@parc.mssante.test", finess(31), "Pharmacie du Parc")
PEERS = f"""
[[operator]]
certificate = ["parc.mssante.test"]
domains = ["parc.mssante.test"]
[[mailbox]]
address = "{BOX.address}"
structure = "{BOX.structure}"
name = "{BOX.name}"
"""


def connected(house: House, folder: Path) -> None:
    """The same house, with a gateway that knows the pharmacy's mailbox."""
    peers = folder / "peers.toml"
    peers.write_text(PEERS)
    mssante = Mssante("patient.mssante.test", "127.0.0.1", 8025, peers, None, None, None, 25 << 20)
    house.parts.installation.settings = replace(house.parts.installation.settings, mssante=mssante)


def waiting(house: House) -> list[dict[str, str]]:
    """The mails that wait for the gateway."""
    with Session(house.parts.engine) as session:
        return outbox.waiting(session, house.parts.installation.system_keys, MSSANTE)


def gateway(house: House) -> Visit:
    """The gateway at the door."""
    return Visit(house.parts.installation, System("mssante"), EVERYTHING, (), datetime.now(UTC))


async def received(
    house: House, record: str, box: Mailbox, subject: str, text: str, files: Sequence[File], reply_to: str | None
) -> str:
    """A letter, taken in a transaction of the gateway's."""
    visit = gateway(house)
    async with visit.act(record, CREATE, Tag.MESSAGE, "Communication/$receive-message", deciding=True) as deed:
        return await receive(deed, box, subject, text, files, reply_to)


async def refused(house: House, record: str, box: Mailbox, reply_to: str | None = None) -> Reason:
    """Why a letter is not taken."""
    with pytest.raises(DomainError) as told:
        await received(house, record, box, "Objet", "Bonjour.", (), reply_to)
    return told.value.reason


async def test_a_letter_answers_the_thread_and_what_the_person_writes_goes_out(house: House, tmp_path: Path) -> None:
    record = await house.open_record()
    await pharmacy(house)
    connected(house, tmp_path)
    person = house.citizen(record)
    thread = await start(person, record, PHARMACY, text="Avez-vous ce vaccin ?")
    first = (await messages(person, thread))[0]["communication"]["id"]
    assert waiting(house) == [{"record": record, "communication": first, "thread": thread, "to": BOX.address}]
    files = [File("Devis.pdf", "application/pdf", PDF)]
    assert await received(house, record, BOX, "Re: Une question", "Oui.\r\n<b>Demain</b>", files, thread) == thread
    assert len(waiting(house)) == 1  # its own letter does not come back to it
    said = (await messages(person, thread))[1]["communication"]
    assert said["sender"]["display"] == "Pharmacie du Parc"
    assert said["payload"][0]["contentString"] == "Oui.\n<b>Demain</b>"
    content = await person.get(said["payload"][1]["contentAttachment"]["url"], Accept="application/pdf")
    assert content.content == PDF
    assert await texts(software(house, PHARMACIST), thread) == ["Avez-vous ce vaccin ?", "Oui.\n<b>Demain</b>"]
    # What a colleague types in the pages goes out by mail to the shared mailbox too.
    await reply(software(house, PHARMACIST), record, thread, "Passez demain.")
    assert [one["to"] for one in waiting(house)] == [BOX.address] * 2


async def test_nothing_waits_without_a_gateway(house: House) -> None:
    record = await house.open_record()
    await pharmacy(house)
    await start(house.citizen(record), record, PHARMACY)
    assert waiting(house) == []


async def test_a_structure_that_was_written_to_or_has_a_right_starts_a_thread_and_no_other_does(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    await pharmacy(house)
    stranger = Mailbox("x@ailleurs.test", finess(55), "Ailleurs")
    assert await refused(house, record, stranger) is Reason.ABSENT
    assert await refused(house, "000-0190aaaaaaaa7aaaaaaaaaaaaaaaaaaa", stranger) is Reason.ABSENT
    assert await refused(house, record, BOX) is Reason.ABSENT
    thread = await start(house.citizen(record), record, PHARMACY)
    started = await received(house, record, BOX, "Votre commande", "Elle est prête.", (), None)
    assert started != thread
    assert await texts(house.citizen(record), started) == ["Elle est prête."]
    assert await refused(house, other, BOX) is Reason.ABSENT
    assert await refused(house, record, stranger, thread) is Reason.ABSENT
    assert await refused(house, other, BOX, thread) is Reason.ABSENT
    relation = Terms(Right.CARE_RELATION, Actor("urn:oid:1.2.250.1.71.4.2.1", PHARMACIST.id), purpose="treating")
    await house.lend(other, replace(relation, organization=Actor(STRUCTURES, BOX.structure)))
    assert await received(house, other, BOX, "Bonjour", "Bonjour.", (), None)


async def test_a_blocked_structure_and_a_closed_thread_take_nothing(house: House) -> None:
    record = await house.open_record()
    await pharmacy(house)
    person = house.citizen(record)
    thread = await start(person, record, PHARMACY)
    assert (await person.post(f"Communication/{thread}/$close-thread", body())).status_code == 200
    assert await refused(house, record, BOX, thread) is Reason.CONFLICT
    await received(house, record, BOX, "Autre", "Autre.", (), None)
    assert (await person.post(f"Patient/{record}/$block", body(structure=PHARMACY))).status_code == 201
    assert await refused(house, record, BOX) is Reason.ABSENT
    assert await refused(house, record, BOX, thread) is Reason.ABSENT
    assert (await send(software(house, PHARMACIST), record, letter("X", thread=thread))).status_code == 404
