"""Nobody learns by mail who has a record: one conversation and one notice for who is there, is not, or refuses."""

import asyncio
import logging
import re
from dataclasses import replace
from email.message import EmailMessage

import aiosmtplib
import pytest

from phr.mssante import archive, enclosures
from tests.deposit import PDF
from tests.mssante.circle import (
    OTHER,
    OTHER_STRUCTURE,
    STRUCTURE,
    Circle,
    documents,
    listening,
    messages,
    parts_of,
    threads,
)
from tests.mssante.medium import DOCTOR, PATIENTS, Mail, Report, cx, packed, xdm_file
from tests.phr.care import STRUCT, body
from tests.phr.living_and_dying import ask, proven


async def transcript(circle: Circle, mail: Mail) -> list[str]:
    """Every answer of a whole conversation."""
    reader, writer = await asyncio.open_connection("127.0.0.1", circle.port)
    told = []

    async def say(line: bytes) -> None:
        if line:
            writer.write(line + b"\r\n")
        while True:
            got = (await reader.readline()).decode()
            told.append(got)
            if got[3:4] != "-":
                return

    await say(b"")
    await say(b"EHLO mx.operateur.test")
    await say(f"MAIL FROM:<{mail.sender}>".encode())
    await say(f"RCPT TO:<{mail.to}>".encode())
    await say(b"DATA")
    await say(mail.message().as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n.")
    await say(b"QUIT")
    writer.close()
    await writer.wait_closed()
    return told


async def nobody(circle: Circle) -> str:
    return f"{circle.house.new_ins()}@{PATIENTS}"


async def blocking(circle: Circle) -> str:
    """Somebody who blocked the structure."""
    record, address = await circle.person()
    citizen = circle.house.citizen(record)
    answer = await citizen.post(f"Patient/{record}/$block", body(structure=(STRUCT, STRUCTURE), name="Cabinet"))
    assert answer.status_code in (200, 201), answer.text
    return address


async def unrelated(circle: Circle) -> str:
    return (await circle.person(related=False))[1]


async def closed(circle: Circle) -> str:
    """Somebody who closed their record."""
    record, address = await circle.person()
    answer = await ask(proven(circle.house, record), record, "close")
    assert answer.status_code == 200, answer.text
    return address


def normal(mail: EmailMessage, address: str) -> str:
    """A notice without what is of this one mail: the address, dates, boundaries and ids."""
    headers = "".join(f"{name}: {value}\n" for name, value in mail.items())
    said, *rest = parts_of(mail)
    text = headers + str(said.get_content()) + "".join(one.as_string() for one in rest)
    text = re.sub(r"={5,}\d+==", "BOUNDARY", text.replace(address, "ADDRESS"))
    return re.sub(r"(?m)^(Message-ID|Date|In-Reply-To): .*$|<[^<>\s]+@cabinet\.test>", "", text)


async def test_the_conversation_and_the_notice_are_the_same(circle: Circle) -> None:
    _, there = await circle.person()
    refusing = [await nobody(circle), await blocking(circle), await unrelated(circle), await closed(circle)]
    conversations = {tuple(await transcript(circle, Mail(one))) for one in (there, *refusing)}
    assert len(conversations) == 1, conversations
    await circle.mails()
    notices = {}
    for address in refusing:
        await circle.send(Mail(address))
        [notice] = await circle.mails()
        notices[address] = normal(notice, address)
    [said] = set(notices.values())
    assert said.count("ADDRESS") == 2
    assert "n'existe pas" in said
    await circle.send(Mail(there))
    assert await circle.mails() == []


async def test_a_notice_says_little_and_goes_to_who_sent(circle: Circle) -> None:
    address = await nobody(circle)
    mail = Mail(address, text="Le secret de la consultation", subject="Grossesse")
    await circle.send(mail)
    [notice] = await circle.mails()
    assert circle.sink.envelopes == [("<>", [DOCTOR])]
    assert notice.get_content_type() == "multipart/report"
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["In-Reply-To"] == mail.id
    text = notice.as_string()
    assert "Grossesse" not in text
    assert "secret" not in text
    status = parts_of(notice)[1]
    assert f"rfc822; {address}" in status.as_string()
    assert "Action: failed" in status.as_string()


async def test_only_those_it_failed_for_are_named(circle: Circle) -> None:
    record, there = await circle.person()
    missing = await nobody(circle)
    await circle.send(Mail(there), to=[there, missing])
    [notice] = await circle.mails()
    assert missing in notice.as_string()
    assert there not in notice.as_string()
    assert len(await threads(circle.house.citizen(record), record)) == 1


async def test_nothing_answers_a_notice_or_a_robot(circle: Circle) -> None:
    address = await nobody(circle)
    await circle.send(Mail(address), sender="")
    message = Mail(address).message()
    message["Auto-Submitted"] = "auto-replied"
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=circle.port, start_tls=False) as client:
        await client.sendmail(DOCTOR, [address], message.as_bytes())
    assert await circle.mails() == []


@pytest.mark.parametrize(
    ("mail", "sender"),
    [
        (Mail("x", sender="a@elsewhere.test"), None),
        (Mail("x", sender="a@elsewhere.test"), DOCTOR),
        (Mail("x", sender="a@sub.cabinet.test"), None),
        (Mail("x", sender="a@cabinet.test.evil.test"), None),
    ],
)
async def test_who_is_not_trusted_is_not_heard(circle: Circle, mail: Mail, sender: str | None) -> None:
    record, address = await circle.person()
    with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
        await circle.send(replace(mail, to=address), sender=sender)
    assert caught.value.code in (550, 554)
    assert await circle.mails() == []
    assert await threads(circle.house.citizen(record), record) == []


async def test_a_mailbox_that_is_no_structures_is_refused_as_if_nobody_were_there(circle: Circle) -> None:
    record, address = await circle.person()
    await circle.send(Mail(address, sender="inconnu@cabinet.test"))
    [notice] = await circle.mails()
    assert notice["To"] == "inconnu@cabinet.test"
    assert await threads(circle.house.citizen(record), record) == []


@pytest.mark.parametrize("address", ["x@elsewhere.test", f"123@{PATIENTS}", f"{'1' * 15}@{PATIENTS}", "postmaster"])
async def test_no_mail_is_relayed(circle: Circle, address: str) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await circle.send(Mail("x@x.test"), to=[address])
    assert await circle.mails() == []


def many(n: int) -> EmailMessage:
    message = Mail("x@x.test").message()
    for k in range(n):
        message.add_attachment(b"x", "text", "plain", filename=f"{k}.txt")
    return message


BAD = {
    "a hash that lies": Mail("", files=[xdm_file(Report(hash="0" * 40))]),
    "a zip that is no medium": Mail("", files=[("x.zip", "application/zip", packed({"a.txt": b"x"}))]),
    "a way out of the zip": Mail("", files=[("x.zip", "application/zip", packed({"../a": b"x"}))]),
    "a bomb": Mail("", files=[("x.zip", "application/zip", packed({"zeros": bytes(archive.LARGEST + 1)}))]),
    "a program": Mail("", files=[("x.exe", "application/octet-stream", b"MZ\x90\x00" * 20)]),
    "not what it says": Mail("", files=[("x.pdf", "application/pdf", b"plain text")]),
    "HTML as a file": Mail("", files=[("x.html", "text/html", b"<html><script>x</script></html>")]),
    "another person's documents": Mail("", files=[xdm_file(Report(patient=cx("285010000000000"[:13] + "00")))]),
    "too long a text": Mail("", text="a " * 9000),
}


@pytest.mark.parametrize("name", [name for name in BAD if name != "another person's documents"])
async def test_what_cannot_be_kept_is_refused_for_all_alike(circle: Circle, name: str) -> None:
    """Refused before anybody is looked up: for a person who is there and for one who is not, in the same words."""
    record, there = await circle.person()
    told = set()
    for address in (there, await nobody(circle)):
        with pytest.raises(aiosmtplib.SMTPDataError) as caught:
            await circle.send(replace(BAD[name], to=address))
        assert caught.value.code == 554
        told.add(caught.value.message)
    assert len(told) == 1
    assert await circle.mails() == []
    citizen = circle.house.citizen(record)
    assert await threads(citizen, record) == []
    assert await documents(citizen, record) == []


async def test_documents_of_another_person_are_refused(circle: Circle) -> None:
    _, there = await circle.person()
    another = circle.house.new_ins()
    with pytest.raises(aiosmtplib.SMTPDataError, match="another person"):
        await circle.send(Mail(there, files=[xdm_file(Report(patient=cx(another)))]))
    same = Mail(there, files=[xdm_file(Report(patient=cx(there.partition("@")[0])))])
    await circle.send(same)
    assert await circle.mails() == []


async def test_a_mail_too_large_or_of_too_many_parts_is_refused(circle: Circle) -> None:
    _, there = await circle.person()
    async with listening(circle.house, mail_bytes=20_000) as port:
        circle.port = port
        with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
            await circle.send(Mail(there, files=[("x.pdf", "application/pdf", PDF + bytes(40_000))]))
        assert caught.value.code == 552
        with pytest.raises(aiosmtplib.SMTPDataError):
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
                await client.sendmail(DOCTOR, [there], many(enclosures.MOST_PARTS + 1).as_bytes())


async def test_a_thread_is_joined_only_by_who_takes_part(circle: Circle) -> None:
    """Another structure that learnt a Message-ID starts its own thread, if it may write at all."""
    record, address = await circle.person()
    citizen = circle.house.citizen(record)
    first = Mail(address)
    await circle.send(first)
    await circle.settle()
    [thread] = await threads(citizen, record)
    await circle.send(Mail(address, sender=OTHER, answers=first.id))
    [notice] = await circle.mails()
    assert notice["To"] == OTHER
    await circle.relate(record, OTHER_STRUCTURE)
    await circle.send(Mail(address, sender=OTHER, answers=first.id))
    await circle.send(Mail(address, sender=OTHER, id=first.id))  # nor does a copied Message-ID hide a mail
    await circle.settle()
    assert len(await messages(citizen, thread["id"])) == 1
    assert len(await threads(citizen, record)) == 3


async def test_no_log_says_an_ins_or_a_word_of_a_mail(circle: Circle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    record, address = await circle.person()
    secret = "Une phrase que personne ne lit"
    await circle.send(Mail(address, text=secret, files=[xdm_file(Report())]))
    await circle.send(Mail(await nobody(circle), text=secret))
    await circle.settle()
    with pytest.raises(aiosmtplib.SMTPDataError):
        await circle.send(Mail(address, files=[xdm_file(Report(size="1"))]))
    circle.sink.refusing = "451 later"
    await circle.send(Mail(await nobody(circle)))
    await circle.settle()
    told = "\n".join(record.getMessage() for record in caplog.records if record.name != "asyncio")
    assert "mssante-bounce not sent, later" in told
    assert not re.search(r"\d{15}|" + secret + "|" + record, told)
