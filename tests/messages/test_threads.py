"""Threads over HTTP: who starts one, who reads it, who answers, and what it shows to anybody else."""

from dataclasses import replace

import pytest

from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.provision import Right
from tests import kin
from tests.house import House
from tests.messages.post import (
    COLLEAGUE,
    NURSE,
    PHARMACIST,
    PHARMACY,
    STRANGER,
    SURGEON,
    known,
    letter,
    messages,
    named,
    pharmacy,
    reference,
    reply,
    send,
    start,
    texts,
    threads,
)
from tests.phr.care import DOCTOR, body, consents, software


async def test_a_professional_with_a_relation_writes_and_the_person_answers(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record, text="Vos résultats sont bons.")
    assert (await threads(person, f"Patient/{record}/$threads"))[thread]["unread"] == 1
    await reply(person, record, thread, "Merci docteur.")
    assert await texts(person, thread) == await texts(doctor, thread) == ["Vos résultats sont bons.", "Merci docteur."]
    mine = [one["mine"] for one in await messages(doctor, thread)]
    assert mine == [True, False]
    header = (await threads(doctor, "Communication/$threads"))[thread]["header"]
    assert header["sender"]["identifier"]["value"] == DOCTOR.id
    assert header["recipient"] == [{"reference": f"Patient/{record}", "display": "Ada Durand"}]
    assert header["subject"]["display"] == "Ada Durand"


async def test_a_stranger_is_answered_as_if_there_were_no_such_person(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    thread = await start(doctor, record)
    stranger = software(house, STRANGER)
    nobody = await send(stranger, record[:-1] + ("0" if record[-1] != "0" else "1"), letter("Bonjour.", subject="X"))
    refused = await send(stranger, record, letter("Bonjour.", subject="X"))
    assert nobody.status_code == refused.status_code == 404
    assert nobody.json() == refused.json()
    assert (await stranger.get(f"Communication/{thread}/$thread")).status_code == 404
    assert (await send(stranger, record, letter("Moi aussi.", thread=thread))).status_code == 404
    assert await threads(stranger, "Communication/$threads") == {}
    assert await threads(stranger, f"Patient/{record}/$threads") == {}


async def test_a_care_relation_shows_the_record_but_not_the_threads_of_others(house: House) -> None:
    record = await house.open_record()
    doctor, surgeon = await known(house, record, DOCTOR, SURGEON)
    thread = await start(doctor, record)
    assert (await surgeon.get(f"Patient/{record}")).status_code == 200
    assert (await surgeon.get(f"Communication/{thread}")).status_code == 404
    assert (await surgeon.get(f"Communication/{thread}/$thread")).status_code == 404
    assert await threads(surgeon, f"Patient/{record}/$threads") == {}


async def test_a_person_starts_with_a_pharmacy_and_its_whole_team_answers_and_sees_nothing_else(house: House) -> None:
    record = await house.open_record()
    await pharmacy(house)
    person = house.citizen(record)
    thread = await start(person, record, PHARMACY, text="Avez-vous ce vaccin ?")
    header = (await threads(person, f"Patient/{record}/$threads"))[thread]["header"]
    assert header["recipient"][0]["display"] == "Pharmacie du Parc"
    for n, identity in enumerate((PHARMACIST, COLLEAGUE), start=1):
        caller = software(house, identity)
        assert thread in await threads(caller, "Communication/$threads")
        await reply(caller, record, thread, f"Oui ({n}).")
        assert (await caller.get(f"Patient/{record}")).status_code == 404
        assert (await caller.get(f"DocumentReference?patient={record}")).json().get("entry", []) == []
    assert await texts(person, thread) == ["Avez-vous ce vaccin ?", "Oui (1).", "Oui (2)."]
    elsewhere = software(house, replace(PHARMACIST, structure="1690000099"))
    assert (await elsewhere.get(f"Communication/{thread}/$thread")).status_code == 404


async def test_a_person_writes_first_to_who_allows_it_only(house: House) -> None:
    record = await house.open_record()
    person, doctor = house.citizen(record), software(house, DOCTOR)
    wish = letter("Bonjour.", named(DOCTOR), subject="Question")
    assert (await send(person, record, wish)).status_code == 403
    assert (await doctor.post("Communication/$allow-messages", body(allow=True))).status_code == 200
    sent = await send(person, record, wish)
    assert sent.status_code == 201, sent.text
    assert (await doctor.post("Communication/$allow-messages", body(allow=False))).status_code == 200
    assert (await send(person, record, wish)).status_code == 403
    # Written to, the doctor answers, and may start another thread; a colleague of theirs may not.
    assert await texts(doctor, reference(sent, "thread")) == ["Bonjour."]
    await start(doctor, record, text="Autre chose.")
    assert (await send(software(house, SURGEON), record, letter("X", subject="X"))).status_code == 404
    refused = await person.post("Communication/$allow-messages", body(allow=True))
    assert refused.status_code == 403


async def test_a_structure_that_allows_it_is_written_to(house: House) -> None:
    record = await house.open_record()
    wish = letter("Bonjour.", ("urn:oid:1.2.250.1.71.4.2.2", DOCTOR.structure), subject="Question")
    assert (await send(house.citizen(record), record, wish)).status_code == 403
    doctor = software(house, DOCTOR)
    allowed = await doctor.post("Communication/$allow-messages", body(allow=True, structure=True))
    assert allowed.status_code == 200
    sent = await send(house.citizen(record), record, wish)
    assert await texts(doctor, reference(sent, "thread")) == ["Bonjour."]


async def test_a_professional_who_only_answers_a_thread_does_not_start_others_unless_the_person_wrote(
    house: House,
) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    thread = await start(doctor, record, named(SURGEON))
    surgeon = software(house, SURGEON)
    await reply(surgeon, record, thread, "Je suis d’accord.")
    assert (await send(surgeon, record, letter("Bonjour.", subject="X"))).status_code == 404
    await reply(house.citizen(record), record, thread, "Moi aussi.")
    assert (await send(surgeon, record, letter("Bonjour.", subject="X"))).status_code == 201


async def test_a_care_team_and_the_person_talk_together(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, nurse, surgeon = house.citizen(record), software(house, NURSE), software(house, SURGEON)
    thread = await start(doctor, record, named(NURSE), named(SURGEON), text="Tous ensemble.")
    await reply(nurse, record, thread, "Présente.")
    await reply(person, record, thread, "Moi aussi.")
    for caller in (doctor, nurse, surgeon, person):
        assert await texts(caller, thread) == ["Tous ensemble.", "Présente.", "Moi aussi."]


async def test_a_thread_between_professionals_is_read_by_the_person_who_does_not_write_in_it(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record, named(SURGEON), text="Votre avis ?", with_person=False)
    assert await texts(person, thread) == ["Votre avis ?"]
    assert (await send(person, record, letter("Et moi ?", thread=thread))).status_code == 403
    assert (await person.post(f"Communication/{thread}/$close-thread", body())).status_code == 403
    alone = await send(doctor, record, letter("Personne ?", subject="X", with_person=False))
    assert alone.status_code == 422


async def test_a_blocked_professional_is_told_nothing_and_what_they_started_is_closed_to_them(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person = house.citizen(record)
    thread = await start(doctor, record)
    block = {"professional": (PROFESSIONALS, DOCTOR.id)}
    assert (await person.post(f"Patient/{record}/$block", body(**block))).status_code == 201
    absent = await software(house, STRANGER).get(f"Communication/{thread}/$thread")
    for answer in (
        await doctor.get(f"Communication/{thread}/$thread"),
        await doctor.post(f"Communication/{thread}/$read-thread", body()),
        await doctor.post(f"Communication/{thread}/$close-thread", body()),
        await send(doctor, record, letter("Encore.", thread=thread)),
        await send(doctor, record, letter("Encore.", subject="X")),
    ):
        assert (answer.status_code, answer.json()) == (404, absent.json())
    assert await threads(doctor, "Communication/$threads") == {}
    assert await threads(doctor, f"Patient/{record}/$threads") == {}
    # The person is told that nobody is left; unblocking brings nothing back.
    assert (await send(person, record, letter("Allô ?", thread=thread))).status_code == 409
    assert (await person.post(f"Patient/{record}/$allow", body(**block))).status_code == 200
    assert (await doctor.get(f"Communication/{thread}/$thread")).status_code == 404


async def test_who_adds_a_blocked_colleague_learns_nothing_and_shows_them_nothing(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    person, surgeon = house.citizen(record), software(house, SURGEON)
    who = {"professional": (PROFESSIONALS, SURGEON.id)}
    blocked = await person.post(f"Patient/{record}/$block", body(**who))
    assert blocked.status_code == 201
    thread = await start(doctor, record, named(SURGEON))
    other = await start(doctor, record, named(NURSE))
    both = await threads(doctor, "Communication/$threads")
    assert len(both[thread]["header"]["recipient"]) == len(both[other]["header"]["recipient"]) == 2
    assert (await surgeon.get(f"Communication/{thread}/$thread")).status_code == 404
    assert (await person.post(f"Patient/{record}/$allow", body(**who))).status_code == 200
    assert (await surgeon.get(f"Communication/{thread}/$thread")).status_code == 404
    # The person knows whom they blocked.
    assert (await person.post(f"Patient/{record}/$block", body(**who))).status_code == 201
    await surgeon.post("Communication/$allow-messages", body(allow=True))
    assert (await send(person, record, letter("X", named(SURGEON), subject="X"))).status_code == 409


@pytest.mark.parametrize("powers", [("consult", "message"), ("consult",)])
async def test_a_caregiver_writes_if_the_person_gave_them_that_power(house: House, powers: tuple[str, ...]) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    claire = await kin.person(house)
    await kin.care(jeanne, claire, *powers)
    [doctor] = await known(house, jeanne.record, DOCTOR)
    thread = await start(doctor, jeanne.record)
    acting = claire.acting(jeanne.record)
    assert await texts(acting, thread) == ["Bonjour."]
    answer = await send(acting, jeanne.record, letter("Elle va bien.", thread=thread))
    draft = await acting.post(f"Patient/{jeanne.record}/$draft-message", letter("Je pensais…", thread=thread))
    if "message" not in powers:
        assert answer.status_code == draft.status_code == 403
        assert (await acting.post(f"Communication/{thread}/$close-thread", body())).status_code == 403
        return
    assert answer.status_code == 201
    assert draft.status_code == 200
    [_, said] = await messages(doctor, thread)
    assert said["communication"]["sender"]["display"] == "Claire Moreau (Jeanne Lefèvre)"
    # Each has their own draft and their own marks.
    drafts = f"Patient/{jeanne.record}/$draft-message?thread={thread}"
    assert (await acting.get(drafts)).json()["parameter"] == [{"name": "text", "valueString": "Je pensais…"}]
    assert "parameter" not in (await jeanne.caller().get(drafts)).json()
    assert "parameter" not in (await doctor.get(drafts)).json()


async def test_an_application_writes_in_no_other_record_and_no_other_software_writes_at_all(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    assert (await send(house.citizen(record), other, letter("X", PHARMACY, subject="X"))).status_code == 404
    assert (await send(house.depositor(), record, letter("X", subject="X"))).status_code == 403
    reading = house.citizen(record, ("patient/*.rs",))
    assert (await send(reading, record, letter("X", PHARMACY, subject="X"))).status_code == 403
    assert (await house.citizen(record).get("Communication/$threads")).status_code == 403


async def test_the_right_a_thread_gives_is_a_consent_the_person_reads_and_nothing_rests_on_a_resource(
    house: House,
) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    thread = await start(doctor, record, named(SURGEON))
    person = house.citizen(record)
    found = [one for one in await consents(person, record) if one["category"][0]["coding"][0]["code"] == "conversation"]
    actors = {one["provision"]["actor"][0]["reference"]["identifier"]["value"] for one in found}
    assert actors == {DOCTOR.id, SURGEON.id}
    # Over REST a message is read, and not written.
    message = (await messages(doctor, thread))[0]["communication"]
    assert (await person.get(f"Communication/{message['id']}")).status_code == 200
    changed = {**message, "payload": [{"contentString": "Autre chose."}]}
    assert (await doctor.put(f"Communication/{message['id']}", changed)).status_code == 403
    assert (await doctor.delete(f"Communication/{message['id']}")).status_code == 403
    forged = {**message, "payload": [{"contentString": "Un faux."}]}
    assert (await doctor.post("Communication", forged)).status_code in (403, 422)
    assert await texts(person, thread) == ["Bonjour."]


async def test_a_right_of_another_thread_opens_only_that_one(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    thread = await start(doctor, record)
    other = Terms(Right.CONVERSATION, Actor(PROFESSIONALS, SURGEON.id), codes=(("https://carnet.example/thread", "x"),))
    await house.lend(record, other)
    assert (await software(house, SURGEON).get(f"Communication/{thread}/$thread")).status_code == 404


async def test_who_acts_in_a_blocked_structure_is_told_nothing_either(house: House) -> None:
    record = await house.open_record()
    [doctor] = await known(house, record, DOCTOR)
    thread = await start(doctor, record)
    block = body(structure=("urn:oid:1.2.250.1.71.4.2.2", DOCTOR.structure))
    assert (await house.citizen(record).post(f"Patient/{record}/$block", block)).status_code == 201
    assert (await doctor.get(f"Communication/{thread}/$thread")).status_code == 404
    assert (await send(doctor, record, letter("Encore.", thread=thread))).status_code == 404
    assert await threads(doctor, "Communication/$threads") == {}
