"""A real conversation from end to end: a mail in, read and answered over HTTP, out to the relay, and back in."""

from phr.mssante.writing import SUBJECT
from tests.deposit import PDF, bytes_of
from tests.mssante.circle import Circle, documents, messages, said_in, text_of, threads
from tests.mssante.medium import DOCTOR, Mail, Report, xdm_file
from tests.notifications.told import next_change
from tests.phr.care import body

ATTACHED = ("Courrier.pdf", "application/pdf", PDF)


async def test_a_mail_is_read_answered_and_answered_again(circle: Circle) -> None:
    record, address = await circle.person()
    citizen = circle.house.citizen(record)
    first = Mail(address, files=[ATTACHED])
    await circle.send(first)
    assert await circle.mails() == []
    [thread] = await threads(citizen, record)
    assert thread["topic"]["text"] == first.subject
    [message] = await messages(citizen, thread["id"])
    assert text_of(message).splitlines() == first.text.splitlines()
    assert message["sender"]["display"] == "Cabinet des Lilas"
    [file] = [one["contentAttachment"] for one in message["payload"] if "contentAttachment" in one]
    assert file["title"] == "Courrier.pdf"
    assert (await citizen.get(file["url"], Accept="application/pdf")).content == PDF

    said = body(thread=thread["id"], text="Merci docteur.\nÀ bientôt")
    answer = await citizen.post(f"Patient/{record}/$send-message", said)
    assert answer.status_code == 201, answer.text
    assert await circle.mails() == [], "it may be taken back for a minute"
    circle.later(minutes=2)
    [mail] = await circle.mails()
    assert mail["From"].addresses[0].addr_spec == address
    assert mail["To"] == DOCTOR
    assert mail["Subject"] == SUBJECT
    assert mail["In-Reply-To"] == first.id
    assert "Merci docteur." in said_in(mail)
    assert circle.sink.envelopes == [(address, [DOCTOR])]

    citizen = circle.house.citizen(record)
    again = Mail(address, subject=f"Re: {SUBJECT}", text="Prenez rendez-vous.", answers=str(mail["Message-ID"]))
    await circle.send(again)
    assert await circle.mails() == []
    assert [one["id"] for one in await threads(citizen, record)] == [thread["id"]]
    assert [text_of(one) for one in await messages(citizen, thread["id"])][2] == "Prenez rendez-vous."


async def test_a_medium_is_filed_as_a_deposit_with_its_message(circle: Circle) -> None:
    record, address = await circle.person()
    citizen = circle.house.citizen(record)
    await circle.send(
        Mail(address, files=[xdm_file(Report(), Report(b"Suite du compte rendu", "DOC2.TXT", "text/plain"))])
    )
    await circle.settle()
    found = await documents(citizen, record)
    assert len(found) == 2
    assert next_change(circle.house, record) is not None, "a report that came may be what was due"
    assert found[0]["type"]["coding"][0]["code"] == "11502-2"
    assert found[0]["custodian"]["display"] == "Cabinet des Lilas"
    contents = [
        (await citizen.get(bytes_of(one), Accept=one["content"][0]["attachment"]["contentType"])).content
        for one in found
    ]
    assert PDF in contents
    assert len(await threads(citizen, record)) == 1


async def test_a_mail_delivered_twice_is_one_message(circle: Circle) -> None:
    record, address = await circle.person()
    citizen = circle.house.citizen(record)
    mail = Mail(address, files=[xdm_file(Report())])
    for _ in range(3):
        await circle.send(mail)
    assert await circle.mails() == []
    [thread] = await threads(citizen, record)
    assert len(await messages(citizen, thread["id"])) == 1
    assert len(await documents(citizen, record)) == 1
    nameless = Mail(address, id="")
    await circle.send(nameless)
    await circle.send(nameless)
    await circle.settle()
    assert len(await threads(citizen, record)) == 2


async def test_html_alone_becomes_plain_text(circle: Circle) -> None:
    record, address = await circle.person()
    citizen = circle.house.citizen(record)
    html = (
        "<html><head><title>x</title><style>p{}</style></head><body><script>alert(1)</script><p>Bonjour&nbsp;<b>Ada</b></p>"
        '<ul><li>un<li>deux</ul><a href="https://exemple.test/rdv">ici</a><a href="javascript:x()">là</a></body></html>'
    )
    await circle.send(Mail(address, html=html))
    await circle.settle()
    [thread] = await threads(citizen, record)
    [message] = await messages(citizen, thread["id"])
    text = text_of(message)
    assert "Bonjour Ada" in text.replace("\xa0", " ")
    assert "- un\n- deux" in text.replace("\n\n", "\n")
    assert "ici <https://exemple.test/rdv>" in text
    assert not [word for word in ("alert", "javascript", "<b>", "p{}") if word in text]
