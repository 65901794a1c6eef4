"""What leaves: what the structure sees at that moment, once, or word in the thread that it could not be delivered."""

from email.utils import make_msgid

import pytest

from phr.mssante import bounce, writing
from phr.mssante.undelivered import POSTMASTER, TEXT
from tests.deposit import PDF, clinic, deposited, document
from tests.house import Caller
from tests.mssante.circle import STRUCTURE, Circle, Json, messages, said_in, text_of, threads
from tests.mssante.medium import DOCTOR, Mail
from tests.phr.care import STRUCT, body, notes


async def started(circle: Circle) -> tuple[str, str, str]:
    """A person whom the practice wrote to: record, address, thread."""
    record, address = await circle.person()
    await circle.send(Mail(address))
    await circle.settle()
    [thread] = await threads(circle.house.citizen(record), record)
    return record, address, str(thread["id"])


async def write(citizen: Caller, record: str, thread: str, text: str = "Bonjour", *attached: Json) -> str:
    """Answer over HTTP; the id of the message."""
    said = body(thread=thread, text=text)
    said["parameter"] += [{"name": "attachment", **one} for one in attached]
    answer = await citizen.post(f"Patient/{record}/$send-message", said)
    assert answer.status_code == 201, answer.text
    [named] = [one for one in answer.json()["parameter"] if one["name"] == "message"]
    return str(named["valueReference"]["reference"].partition("/")[2])


async def test_attachments_leave_as_files_the_structure_sees(circle: Circle) -> None:
    """A file of the message goes; a document that the structure does not see does not, and the mail says so."""
    record, _, thread = await started(circle)
    citizen = circle.house.citizen(record)
    own = await deposited(circle.house.depositor(), document(record, await clinic(circle.house)))
    inline = {"valueAttachment": {"contentType": "text/plain", "title": "note.txt", "data": "Tm90ZQ=="}}
    named = {"valueReference": {"reference": f"DocumentReference/{own['id']}"}}
    await write(citizen, record, thread, "Voici", inline, named)
    circle.later(minutes=2)
    [mail] = await circle.mails()
    [file] = list(mail.iter_attachments())
    assert (file.get_filename(), file.get_content().strip()) == ("note.txt", "Note")
    assert writing.LEFT_OUT in said_in(mail)
    assert PDF not in circle.sink.raw[-1]
    assert "Compte rendu" not in mail.as_string()


async def test_the_subject_and_the_name_of_the_mail_say_nothing(circle: Circle) -> None:
    record, address, thread = await started(circle)
    message = await write(circle.house.citizen(record), record, thread, "Ma grossesse")
    circle.later(minutes=2)
    [mail] = await circle.mails()
    headers = "\n".join(f"{name}: {value}" for name, value in mail.items())
    assert "grossesse" not in headers
    assert record not in headers
    assert message not in headers
    assert thread not in headers
    assert mail["Subject"] == writing.SUBJECT
    assert mail["From"].addresses[0].display_name == "Ada Durand"
    assert circle.sink.envelopes == [(address, [DOCTOR])]


async def test_what_was_taken_back_does_not_leave(circle: Circle) -> None:
    record, _, thread = await started(circle)
    citizen = circle.house.citizen(record)
    message = await write(citizen, record, thread)
    assert (await citizen.post(f"Communication/{message}/$recall-message", body())).status_code == 200
    circle.later(minutes=2)
    assert await circle.mails() == []


async def test_who_was_blocked_meanwhile_is_sent_nothing(circle: Circle) -> None:
    record, _, thread = await started(circle)
    citizen = circle.house.citizen(record)
    await write(citizen, record, thread)
    answer = await citizen.post(f"Patient/{record}/$block", body(structure=(STRUCT, STRUCTURE), name="Cabinet"))
    assert answer.status_code in (200, 201), answer.text
    circle.later(minutes=2)
    assert await circle.mails() == []
    assert len(await messages(circle.house.citizen(record), thread)) == 2, "and nobody is told of it"


async def test_it_waits_while_the_relay_is_away_and_goes_once(circle: Circle) -> None:
    record, _, thread = await started(circle)
    await write(circle.house.citizen(record), record, thread)
    circle.sink.refusing = "451 4.3.0 later"
    for _ in range(5):
        circle.later(minutes=10)
        assert await circle.mails() == []
    circle.sink.refusing = ""
    circle.later(hours=2)
    assert len(await circle.mails()) == 1
    circle.later(days=1)
    assert await circle.mails() == []
    assert len(await messages(circle.house.citizen(record), thread)) == 2


@pytest.mark.parametrize(("refusing", "days"), [("554 5.7.1 no", 0), ("451 4.3.0 later", 2)])
async def test_what_cannot_be_delivered_is_told_in_the_thread_once(circle: Circle, refusing: str, days: int) -> None:
    """Refused for good; or refused for now, for days."""
    record, _, thread = await started(circle)
    await write(circle.house.citizen(record), record, thread)
    circle.sink.refusing = refusing
    circle.later(minutes=2, days=days)
    for _ in range(3):
        await circle.settle()
        circle.later(hours=2)
    found = await messages(circle.house.citizen(record), thread)
    assert [text_of(one) for one in found][2:] == [TEXT]
    assert found[2]["sender"] == POSTMASTER
    circle.sink.refusing = ""
    circle.later(days=1)
    assert await circle.mails() == [], "what the gateway says never leaves by mail"


async def test_a_notice_about_our_mail_is_told_in_the_thread_once(circle: Circle) -> None:
    """RFC 3464: what was accepted and could not be delivered further on."""
    record, address, thread = await started(circle)
    await write(circle.house.citizen(record), record, thread)
    circle.later(minutes=2)
    [mail] = await circle.mails()
    elsewhere = circle.settings
    for about in (str(mail["Message-ID"]), str(mail["Message-ID"]), make_msgid(domain="cabinet.test")):
        notice = bounce.composed(elsewhere, address, [DOCTOR], about, circle.house.now())
        await circle.send_raw(notice.as_bytes(), "", [address])
    assert await circle.mails() == []
    found = await messages(circle.house.citizen(record), thread)
    assert [text_of(one) for one in found][2:] == [TEXT]


async def test_a_mail_is_not_sent_to_who_is_trusted_no_more(circle: Circle) -> None:
    record, _, thread = await started(circle)
    await write(circle.house.citizen(record), record, thread)
    listed = circle.settings.peers
    listed.write_text(listed.read_text().replace('domains = ["cabinet.test"]', 'domains = ["autre.test"]'))
    circle.later(minutes=2)
    assert await circle.mails() == []
    assert text_of((await messages(circle.house.citizen(record), thread))[-1]) == TEXT


async def test_the_journal_says_who_was_sent_what(circle: Circle) -> None:
    record, _, thread = await started(circle)
    message = await write(circle.house.citizen(record), record, thread)
    circle.later(minutes=2)
    assert len(await circle.mails()) == 1
    [sent] = [note for _, note in notes(circle.house, record) if note.reader == "Professional"]
    assert sent.asked == f"Communication/{message}/$receive-message"
    assert sent.actors[0].structure_name == "Cabinet des Lilas"
    [came] = [note for _, note in notes(circle.house, record) if (note.reader, note.client) == ("System", "mssante")]
    assert came.motive == "Courrier de Cabinet des Lilas"


async def test_references_go_back_in_order(circle: Circle) -> None:
    record, _, thread = await started(circle)
    ids = []
    for n in range(3):
        await write(circle.house.citizen(record), record, thread, f"Message {n}")
        circle.later(minutes=5)
        [mail] = await circle.mails()
        ids.append(str(mail["Message-ID"]))
        assert mail["References"].split()[1:] == ids[:-1]
        assert mail["In-Reply-To"] == mail["References"].split()[-1]
    assert len(set(ids)) == 3
