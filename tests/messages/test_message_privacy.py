"""What nobody can deduce: a thread kept from the person, a masked document attached, what others read or put away."""

from datetime import timedelta
from typing import Any

import httpx

from tests import kin
from tests.deposit import clinic, deposited, document, label
from tests.house import Caller, House
from tests.messages.post import (
    NURSE,
    PHARMACY,
    SURGEON,
    known,
    letter,
    messages,
    named,
    parts,
    pharmacy,
    reference,
    reply,
    send,
    start,
    texts,
    threads,
)
from tests.phr.care import DOCTOR, PS, SECRET, body, software

Json = dict[str, Any]


async def deduced(person: Caller, record: str) -> list[Json]:
    """All that a person is answered about messages, rights and who came, with counts."""
    asked = (
        f"Patient/{record}/$threads",
        f"Communication?patient={record}&_total=accurate",
        f"Consent?patient={record}&category=conversation&_total=accurate",
        f"AuditEvent?patient={record}",
        f"Patient/{record}/$everything",
    )
    answers = [(await person.get(path)).json() for path in asked]
    return [{"total": one.get("total"), "entry": one.get("entry", one.get("parameter"))} for one in answers]


async def test_a_thread_that_professionals_keep_leaves_no_trace_for_the_person(house: House) -> None:
    leo = await kin.person(house, "Léo", "Moreau", kin.minor(days=400))
    claire = await kin.person(house)
    await kin.represent(leo, claire)
    [doctor] = await known(house, leo.record, DOCTOR)
    readers = [leo.caller(), claire.acting(leo.record)]
    for reader in readers:  # the journal shows their own reads: compared after as many
        await deduced(reader, leo.record)
    before = [_without_journal(await deduced(one, leo.record)) for one in readers]
    acts = [await _others(one, leo.record) for one in readers]
    sent = await send(doctor, leo.record, letter("Entre nous.", named(SURGEON), subject="X", professional_only=True))
    assert sent.status_code == 201, sent.text
    thread = reference(sent, "thread")
    surgeon = software(house, SURGEON)
    await reply(surgeon, leo.record, thread, "D’accord.")
    await surgeon.post(f"Communication/{thread}/$read-thread", body())
    assert await texts(surgeon, thread) == ["Entre nous.", "D’accord."]
    assert [_without_journal(await deduced(one, leo.record)) for one in readers] == before
    assert [await _others(one, leo.record) for one in readers] == acts
    for reader in readers:
        absent = await reader.get("Communication/000-0190aaaaaaaa7aaaaaaaaaaaaaaaaaaa/$thread")
        for answer in (
            await reader.get(f"Communication/{thread}/$thread"),
            await reader.post(f"Communication/{thread}/$close-thread", body()),
            await send(reader, leo.record, letter("Je vous vois.", thread=thread)),
            await reader.get(f"Patient/{leo.record}/$draft-message?thread={thread}"),
        ):
            assert (answer.status_code, answer.json()) == (404, absent.json())


async def test_it_shows_by_itself_after_a_month_or_when_a_professional_shows_it(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    wish = letter("Entre nous.", named(SURGEON), subject="X", professional_only=True)
    first, second = [await send(doctor, record, wish) for _ in range(2)]
    told = next(one for one in first.json()["parameter"] if one["name"] == "legal")
    assert "L1111-7" in told["valueString"]
    shown, kept = reference(first, "thread"), reference(second, "thread")
    assert (await house.citizen(record).post(f"Communication/{shown}/$show-thread", body())).status_code == 403
    stranger = software(house, NURSE)
    assert (await stranger.post(f"Communication/{shown}/$show-thread", body())).status_code == 404
    for _ in range(2):
        answer = await software(house, SURGEON).post(f"Communication/{shown}/$show-thread", body())
        assert answer.status_code == 200, answer.text
    person = house.citizen(record)
    assert await texts(person, shown) == ["Entre nous."]
    assert list(await threads(person, f"Patient/{record}/$threads")) == [shown]
    consents = f"Consent?patient={record}&category=conversation&_summary=count"
    assert (await person.get(consents)).json()["total"] == 2
    assert await texts(software(house, SURGEON), kept) == ["Entre nous."]
    month = house.now() + timedelta(days=32)
    house.parts.server.clock = lambda: month
    assert await texts(house.citizen(record), kept) == ["Entre nous."]
    # It is read, and no more: the person takes no part in it.
    assert (await send(house.citizen(record), record, letter("Tiens.", thread=kept))).status_code == 403


async def test_a_professional_only_thread_is_no_business_of_a_person(house: House) -> None:
    record = await house.open_record()
    await software(house, DOCTOR).post("Communication/$allow-messages", body(allow=True))
    wish = letter("X", named(DOCTOR), subject="X", professional_only=True)
    assert (await send(house.citizen(record), record, wish)).status_code == 403


async def test_a_masked_document_attached_stays_masked_to_who_may_not_see_it(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, surgeon = house.citizen(record), software(house, SURGEON)
    thread = await start(doctor, record, named(SURGEON))
    made = await deposited(house.depositor(), document(record, await clinic(house)))
    name = f"DocumentReference/{made['id']}"
    assert (await person.post(f"Patient/{record}/$mask", body(document=name))).status_code == 200
    await reply(person, record, thread, "Voici.", attachment=(name,))
    masked = [await _answered(one, thread, name) for one in (doctor, surgeon)]
    assert masked[0] == masked[1]
    absent = await doctor.get(name[:-3] + "000")
    assert (masked[0][1], masked[0][2]) == (404, absent.json())
    # Unmasked, each sees it by their own lens: the doctor has a relation, the surgeon has the thread alone.
    assert (await person.post(f"Patient/{record}/$unmask", body(document=name))).status_code == 200
    assert (await doctor.get(name)).status_code == 200
    assert await _answered(surgeon, thread, name) == masked[1]


async def test_a_message_does_not_tell_of_what_awaits_its_announcement(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, by = house.citizen(record), await clinic(house)
    made = await deposited(house.depositor(), document(record, by, securityLabel=[label("INVISIBLE_PATIENT")]))
    thread, name = await start(doctor, record), f"DocumentReference/{made['id']}"
    refused = await send(doctor, record, letter("Voici.", thread=thread, attachment=(name,)))
    assert refused.status_code == 422
    assert "not shown to the person yet" in refused.text
    assert await texts(person, thread) == ["Bonjour."]
    # Between professionals, in a thread that is not shown either, they speak of it.
    kept = letter("Voici.", named(SURGEON), subject="X", professional_only=True, attachment=(name,))
    assert (await send(doctor, record, kept)).status_code == 201
    month = house.now() + timedelta(days=32)
    house.parts.server.clock = lambda: month
    await house.relate(record, DOCTOR.id)
    await reply(software(house, DOCTOR), record, thread, "Voici.", attachment=(name,))


async def test_a_message_about_what_is_kept_from_a_parent_is_kept_from_them(house: House) -> None:
    leo, claire = await kin.person(house, "Léo", "Moreau", kin.minor(days=400)), await kin.person(house)
    await kin.represent(leo, claire)
    [doctor] = await known(house, leo.record, DOCTOR)
    label_ = [label("INVISIBLE_REPRESENTANTS_LEGAUX")]
    made = await deposited(house.depositor(), document(leo.record, await clinic(house), securityLabel=label_))
    thread, name = await start(doctor, leo.record), f"DocumentReference/{made['id']}"
    parent = claire.acting(leo.record)
    before = (await threads(parent, f"Patient/{leo.record}/$threads"), kin.mails(house, claire.email))
    for writer in (leo.caller(), doctor):
        await reply(writer, leo.record, thread, "Voici.", attachment=(name,))
    assert (await threads(parent, f"Patient/{leo.record}/$threads"), kin.mails(house, claire.email)) == before
    assert await texts(parent, thread) == ["Bonjour."]
    assert name not in (await parent.get(f"Patient/{leo.record}/$everything")).text
    assert await texts(leo.caller(), thread) == ["Bonjour.", "Voici.", "Voici."]


async def test_nobody_attaches_what_they_do_not_see(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    hidden = (await deposited(house.depositor(), document(other, await clinic(house))))["id"]
    wish = letter("X", subject="X", attachment=(f"DocumentReference/{hidden}",))
    seen = await send(doctor, record, wish)
    never = await send(doctor, record, letter("X", subject="X", attachment=("DocumentReference/nothing",)))
    assert (seen.status_code, seen.json()) == (never.status_code, never.json()) == (422, never.json())
    for name in (f"Consent/{hidden}", "Practitioner/1", "Binary/1", "elsewhere"):
        assert (await send(doctor, record, letter("X", subject="X", attachment=(name,)))).status_code == 422


async def test_marks_are_each_reader_s_own_and_nobody_is_told_of_them(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record)
    before = (await doctor.get(f"Communication/{thread}/$thread")).json()
    assert (await person.post(f"Communication/{thread}/$read-thread", body())).status_code == 200
    assert (await person.post(f"Communication/{thread}/$archive-thread", body(archived=True))).status_code == 200
    assert (await doctor.get(f"Communication/{thread}/$thread")).json() == before
    path = f"Patient/{record}/$threads"
    assert await threads(person, path) == {}
    assert (await threads(person, f"{path}?archived=true"))[thread]["unread"] == 0
    # The next message brings it back, unread.
    await reply(doctor, record, thread, "Encore.")
    assert (await threads(person, path))[thread]["unread"] == 1
    assert [one["unread"] for one in await messages(person, thread)] == [False, True]
    away = body(archived=True, unsubscribed=True)
    assert (await person.post(f"Communication/{thread}/$archive-thread", away)).status_code == 200
    await reply(doctor, record, thread, "Et encore.")
    assert await threads(person, path) == {}
    assert (await person.post(f"Communication/{thread}/$read-thread", body(read=False))).status_code == 200
    assert (await threads(person, f"{path}?archived=true"))[thread]["unread"] == 3


async def _answered(caller: Caller, thread: str, name: str) -> tuple[list[Json], int, Json]:
    found = [one["communication"] for one in await messages(caller, thread)]
    answer: httpx.Response = await caller.get(name)
    return found, answer.status_code, answer.json()


def _without_journal(answers: list[Json]) -> list[Json]:
    return [one for n, one in enumerate(answers) if n != 3]


async def _others(caller: Caller, record: str) -> list[str]:
    """The journal's entries of professionals, as a reader reads them."""
    found = (await caller.get(f"AuditEvent?patient={record}")).json()
    events = [one["resource"] for one in found.get("entry", ())]
    return sorted(
        one["id"] for one in events if any("identifier" in agent["who"] for agent in one["agent"] if "who" in agent)
    )


async def test_a_thread_of_a_secret_visit_is_kept_from_the_parents_and_shown_to_the_child(house: House) -> None:
    leo = await kin.person(house, "Léo", "Moreau", kin.minor(days=400))
    claire = await kin.person(house)
    await kin.represent(leo, claire)
    [doctor] = await known(house, leo.record, DOCTOR)
    parent = claire.acting(leo.record)
    before = _without_journal(await deduced(parent, leo.record))
    sent = await send(doctor, leo.record, letter("Entre nous deux.", subject="X"), **SECRET)
    thread = reference(sent, "thread")
    await reply(leo.caller(), leo.record, thread, "Merci.")
    # Answered without saying again that it is secret, it still is.
    await reply(doctor, leo.record, thread, "À demain.")
    assert await texts(leo.caller(), thread) == ["Entre nous deux.", "Merci.", "À demain."]
    assert _without_journal(await deduced(parent, leo.record)) == before
    assert (await parent.get(f"Communication/{thread}/$thread")).status_code == 404


async def test_whom_a_person_may_write_to_is_found_by_name_and_nobody_else_is(house: House) -> None:
    record = await house.open_record()
    await pharmacy(house)
    for identity in (DOCTOR, SURGEON):
        page = {
            "resourceType": "Practitioner",
            "identifier": [{"system": PS, "value": identity.id}],
            "name": [{"family": "Petit", "given": ["Lou"]}],
        }
        assert (await house.operator().post("Practitioner", page)).status_code == 201
    person = house.citizen(record)
    assert await _recipients(person, record, "Petit") == []
    await software(house, DOCTOR).post("Communication/$allow-messages", body(allow=True))
    assert await _recipients(person, record, "petit") == [(DOCTOR.id, "professional")]
    assert await _recipients(person, record, "du parc") == [(PHARMACY[1], "pharmacy")]
    assert (await person.get(f"Patient/{record}/$recipients?name=p")).status_code == 422
    assert (await software(house, DOCTOR).get(f"Patient/{record}/$recipients?name=petit")).status_code == 403


async def _recipients(caller: Caller, record: str, name: str) -> list[tuple[str, str]]:
    answer = await caller.get(f"Patient/{record}/$recipients?name={name}")
    assert answer.status_code == 200, answer.text
    found = [parts(one) for one in answer.json().get("parameter", ())]
    return [(one["identifier"]["value"], one["what"]) for one in found]
