"""What ends: a closed thread, a message taken back, an abuse reported, a thread past its time, a record destroyed."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fhir.tables import blob_chunk, history, resource
from phr.messages import reports, retention
from phr.messages.drafts import message_draft
from phr.messages.life import message_thread
from phr.messages.marks import message_mark
from tests.house import Caller, House
from tests.messages.post import file, known, letter, messages, named, reply, send, start, texts, threads
from tests.phr.care import DOCTOR, NURSE, STRANGER, body, consents, software


async def ask(caller: Caller, id: str, operation: str, **more: Any) -> int:
    """The status of an operation on a Communication."""
    return (await caller.post(f"Communication/{id}/${operation}", body(**more))).status_code


@pytest.mark.parametrize("who", ["person", "doctor", "nurse"])
async def test_either_side_closes_and_nothing_more_is_accepted(house: House, who: str) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    callers = {"person": house.citizen(record), "doctor": doctor, "nurse": software(house, NURSE)}
    thread = await start(doctor, record, named(NURSE))
    assert [await ask(callers[who], thread, "close-thread") for _ in range(2)] == [200, 200]
    for caller in callers.values():
        assert (await send(caller, record, letter("Encore.", thread=thread))).status_code == 409
        assert await texts(caller, thread) == ["Bonjour."]
    assert (await threads(doctor, "Communication/$threads"))[thread]["header"]["status"] == "completed"
    assert await ask(software(house, STRANGER), thread, "close-thread") == 404


async def test_a_message_taken_back_within_a_minute_is_gone_for_everybody(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record)
    sent = await reply(person, record, thread, "Une bêtise.", attachment=[file()])
    url = next(
        one["contentAttachment"]["url"]
        for one in (await messages(person, thread))[1]["communication"]["payload"]
        if "contentAttachment" in one
    )
    assert await ask(doctor, sent, "recall-message") == 404
    assert [await ask(person, sent, "recall-message") for _ in range(2)] == [200, 200]
    for reader in (doctor, person):
        assert await texts(reader, thread) == ["Bonjour.", ""]
        assert (await messages(reader, thread))[1]["communication"]["status"] == "entered-in-error"
        assert (await reader.get(url)).status_code == 404
        assert (await reader.get(f"Communication/{sent}/_history/1")).status_code == 404
        assert "bêtise" not in (await reader.get(f"Communication/{sent}/_history")).text
    with Session(house.parts.engine) as session:
        for table, key in ((history, sent), (blob_chunk, url.removeprefix("Binary/")), (resource, url[7:])):
            rows = session.connection().exec_driver_sql(f"SELECT count(*) FROM {table.name} WHERE id = %s", (key,))
            assert rows.scalar_one() == 0, table.name
    assert (await threads(doctor, "Communication/$threads"))[thread]["unread"] == 0


async def test_it_is_too_late_after_a_minute(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    thread = await start(doctor, record)
    sent, now = await reply(doctor, record, thread), house.now()
    house.parts.server.clock = lambda: now + timedelta(minutes=1)
    assert await ask(software(house, DOCTOR), sent, "recall-message") == 409
    assert await texts(software(house, DOCTOR), thread) == ["Bonjour.", "Merci."]


async def test_an_abuse_is_counted_for_the_operator_who_is_shown_nothing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record, text="Insultant.")
    sent = (await messages(person, thread))[0]["communication"]["id"]
    assert await ask(person, sent, "report-message", reason="rude") == 422
    assert await ask(doctor, sent, "report-message", reason="insult") == 422
    assert await ask(software(house, STRANGER), sent, "report-message", reason="insult") == 404
    with caplog.at_level(logging.WARNING, "carnet.messages"):
        assert [await ask(person, sent, "report-message", reason="insult") for _ in range(2)] == [200, 200]
    said = [one.getMessage() for one in caplog.records if one.name == "carnet.messages"]
    assert said == ["a message was reported: insult"] * 2
    with Session(house.parts.engine) as session:
        assert reports.counts(session, house.now() - timedelta(days=1)) == {"insult": 1, "authors": 1}


async def test_a_draft_is_its_author_s_and_goes_when_it_is_sent(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, path = house.citizen(record), f"Patient/{record}/$draft-message"
    thread = await start(doctor, record)
    assert (await person.post(path, letter("Je voulais dire", thread=thread))).status_code == 200
    assert (await person.post(path, letter("Une autre", subject="Vaccin"))).status_code == 200
    answering = f"{path}?thread={thread}"
    assert (await person.get(answering)).json()["parameter"] == [{"name": "text", "valueString": "Je voulais dire"}]
    assert len((await person.get(path)).json()["parameter"]) == 2
    with Session(house.parts.engine) as session:
        for row in session.execute(select(message_draft.c.sealed)):
            assert b"voulais" not in row.sealed
    assert (await software(house, STRANGER).get(path)).status_code == 404
    await reply(person, record, thread)
    assert "parameter" not in (await person.get(answering)).json()
    assert (await person.post(path, letter(" "))).status_code == 200
    assert "parameter" not in (await person.get(path)).json()


async def test_a_thread_past_its_time_is_deleted_whole_and_no_other_is(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, began = house.citizen(record), house.now()
    old, kept = [await start(doctor, record, attachment=[file()]) for _ in range(2)]
    await person.post(f"Communication/{old}/$read-thread", body())
    await person.post(f"Patient/{record}/$draft-message", letter("Un jour", thread=old))
    later = began + timedelta(days=366)
    house.parts.server.clock = lambda: later
    await reply(house.citizen(record), record, kept, "Toujours là.")
    assert [one async for one in retention.delete_due(house.parts.installation, later, 2)] == []
    due = [one async for one in retention.delete_due(house.parts.installation, later + timedelta(days=10), 1)]
    assert due == [old]
    person = house.citizen(record)
    assert (await person.get(f"Communication/{old}/$thread")).status_code == 404
    assert (await person.get(f"Communication/{old}")).status_code == 404
    assert list(await threads(person, f"Patient/{record}/$threads")) == [kept]
    assert len(await consents(person, record)) == 2  # the relation, and the thread that is kept
    with Session(house.parts.engine) as session:
        for table in (message_thread, message_mark, message_draft):
            count = session.execute(select(func.count()).where(table.c.thread == old)).scalar_one()
            assert count == 0, table.name
        rows = session.connection().exec_driver_sql("SELECT count(*) FROM resource WHERE kind = 'Binary'")
        assert rows.scalar_one() == 1
    assert [one async for one in retention.delete_due(house.parts.installation, later + timedelta(days=10), 1)] == []


async def test_what_is_written_while_a_thread_closes_is_before_it_or_refused(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, thread = house.citizen(record), await start(doctor, record)
    asked = [send(person, record, letter(f"{n}", thread=thread)) for n in range(12)]
    closing = doctor.post(f"Communication/{thread}/$close-thread", body())
    *answers, closed = await asyncio.gather(*asked, closing)
    statuses = [one.status_code for one in answers]
    assert closed.status_code == 200
    assert set(statuses) <= {201, 409}
    assert len(await texts(person, thread)) == 1 + statuses.count(201)
