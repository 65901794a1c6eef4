"""What a message may be: plain text and files of accepted types, of a bounded size, not too many, sent once."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from phr.messages import pace, text
from phr.messages.attachments import MOST
from tests.house import House
from tests.messages.post import PDF, file, known, letter, messages, reference, reply, send, start, texts
from tests.phr.care import DOCTOR, NURSE, software


async def test_markup_is_kept_as_the_letters_it_is_made_of(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    written = "<script>alert(1)</script> & <b>gras</b>\n\tet une\r\nautre ligne"
    thread = await start(doctor, record, text=written)
    assert await texts(house.citizen(record), thread) == [written.replace("\r\n", "\n")]


@pytest.mark.parametrize("hidden", ["\x00", "\x1b[2J", "\x7f", "\u0085", "\u202e", "\u2066", "\u2028", "\ue000"])
async def test_what_no_reader_would_see_is_refused(house: House, hidden: str) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    for wish in (letter(f"Bon{hidden}jour", subject="X"), letter("Bonjour", subject=f"X{hidden}X")):
        answer = await send(doctor, record, wish)
        assert answer.status_code in (400, 422), hidden
        assert hidden not in answer.text


async def test_sizes_are_bounded_and_a_subject_is_one_line(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    refused = [
        letter("a" * (text.LONGEST_TEXT + 1), subject="X"),
        letter("a", subject="X" * (text.LONGEST_SUBJECT + 1)),
        letter("a", subject="deux\nlignes"),
        letter("a", subject=" "),
        letter(" \n ", subject="X"),
        letter("a"),
        letter("a", subject="X", attachment=[file() for _ in range(MOST + 1)]),
        letter(
            "a", *[("urn:oid:1.2.250.1.71.4.2.1", "899700000005"[:-2] + f"{n:02d}") for n in range(30)], subject="X"
        ),
        letter("a", ("urn:oid:9.9", "1"), subject="X"),
        letter("a", subject="X", attachment=[{"contentType": "application/pdf", "data": "eA=="}]),
        letter("a", subject="X", attachment=[{"contentType": "application/pdf", "title": "x", "data": "!"}]),
    ]
    assert [(await send(doctor, record, one)).status_code for one in refused] == [422] * len(refused)
    longest = letter("é" * text.LONGEST_TEXT, subject="X" * text.LONGEST_SUBJECT)
    assert (await send(doctor, record, longest)).status_code == 201


async def test_a_file_is_sealed_in_the_record_and_read_by_who_takes_part(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record)
    large = PDF + b"%" + b"x" * (3 << 20)
    await reply(person, record, thread, "Voici mon courrier.", attachment=[file(), file(large, title="Long.pdf")])
    said = (await messages(doctor, thread))[1]["communication"]
    found = [one["contentAttachment"] for one in said["payload"] if "contentAttachment" in one]
    assert [one["title"] for one in found] == ["Courrier.pdf", "Long.pdf"]
    assert [one["size"] for one in found] == [len(PDF), len(large)]
    for reader in (doctor, person):
        content = await reader.get(found[1]["url"], Accept="application/pdf")
        assert (content.status_code, content.content) == (200, large)
    [nurse] = await known(house, record, NURSE)
    for stranger in (nurse, software(house, NURSE), house.depositor()):
        assert (await stranger.get(found[0]["url"])).status_code == 404
    assert (await person.delete(found[0]["url"])).status_code == 403


async def test_what_a_file_is_is_judged_by_its_bytes(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    page = file(b"<html><script>alert(1)</script></html>", "text/html", "page.html")
    lying = file(b"MZ\x90\x00 not a document", "application/pdf")
    for one in (page, lying):
        assert (await send(doctor, record, letter("X", subject="X", attachment=[one]))).status_code == 415


async def test_a_message_sent_twice_under_one_key_is_sent_once(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    wish = letter("Une fois.", subject="X")
    first, again = [await send(doctor, record, wish, idempotency_key="k1") for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, first.json())
    thread = reference(first, "thread")
    assert await texts(doctor, thread) == ["Une fois."]
    other = await send(doctor, record, letter("Autre.", subject="X"), idempotency_key="k1")
    assert other.status_code == 422
    answer = letter("Encore.", thread=thread)
    for _ in range(2):
        assert (await send(doctor, record, answer, idempotency_key="k2")).status_code == 201
    assert await texts(doctor, thread) == ["Une fois.", "Encore."]


async def test_an_author_is_slowed_down_and_so_is_a_thread(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "BY_AUTHOR", 3)
    monkeypatch.setattr(pace, "IN_THREAD", 4)
    record, other = await house.open_record(), await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    await known(house, other, DOCTOR)
    thread = await start(doctor, record)
    await reply(doctor, record, thread)
    await start(doctor, other)
    assert (await send(doctor, record, letter("Trop.", thread=thread))).status_code == 429
    person = house.citizen(record)
    for _ in range(2):
        await reply(person, record, thread)
    assert (await send(person, record, letter("Trop.", thread=thread))).status_code == 429
    hour = house.now() + timedelta(hours=1, seconds=1)
    house.parts.server.clock = lambda: hour
    await reply(house.citizen(record), record, thread, "Plus tard.")
    # What was counted is forgotten by itself, also of who writes no more.
    rows = select(func.count()).select_from(pace.message_pace)
    for later, left in ((timedelta(), 2), (pace.SPAN, 0)):
        with Session(house.parts.engine) as session, session.begin():
            pace.forget(session, hour + later)
            assert session.execute(rows).scalar_one() == left


async def test_a_long_thread_and_many_threads_are_read_page_by_page(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    threads = [await start(doctor, record, text=f"{n}") for n in range(5)]
    for n in range(1, 6):
        await reply(doctor, record, threads[0], f"0.{n}")
    for path, wanted, name in (
        (f"Communication/{threads[0]}/$thread?_count=4", ["0", "0.1", "0.2", "0.3", "0.4", "0.5"], "message"),
        (f"Patient/{record}/$threads?_count=2", sorted(threads), "thread"),
        ("Communication/$threads?_count=2", sorted(threads), "thread"),
    ):
        assert await _walk(house, doctor, path, name) == wanted, path


async def _walk(house: House, caller: object, path: str, name: str) -> list[str]:
    found: list[str] = []
    pages = 0
    following: str | None = path
    while following is not None:
        answer = await caller.get(following)  # type: ignore[attr-defined]
        assert answer.status_code == 200, answer.text
        listed = answer.json()["parameter"]
        page = [one["part"][0]["resource"] for one in listed if one["name"] == name]
        texts_of = [one["payload"][0]["contentString"] if name == "message" else one["id"] for one in page]
        found = [*texts_of, *found]
        link = next((one["valueUrl"] for one in listed if one["name"] == "next"), None)
        following = None if link is None else link.removeprefix(f"{house.settings.issuer}/fhir/")
        pages += 1
    assert pages > 1
    return found if name == "message" else sorted(found)
