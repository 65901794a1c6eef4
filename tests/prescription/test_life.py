"""The life of a prescription, over HTTP: deposited, opened by its code, accepted, dispensed, closed."""

import asyncio
import base64

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from phr import closing
from phr.core.errors import DomainError, Issue, Reason
from phr.inbox import inbox
from phr.lifecycle import Closing
from phr.prescription import number
from phr.prescription.life import Move, State, after
from tests.house import House
from tests.phr.care import DOCTOR, NURSE, body, software, who
from tests.phr.living_and_dying import operator
from tests.prescription.rx import COLLEAGUE, PARK, Counter, every, handed, line, pdf, said, state

USED = {"key": "b5b1c1de-6b4c-4c7e-9a35-1f2e4f0b1a11"}


async def test_a_prescription_is_deposited_whole(counter: Counter) -> None:
    answer = await counter.deposit()
    assert answer.status_code == 201, answer.text
    task = said(answer, "task")
    assert answer.headers["location"].endswith(f"/Task/{task['id']}")
    assert (state(task), task["status"]) == ("ready", "ready")
    assert len(said(answer, "code")) == 24
    document = (await counter.person.get(said(answer, "document")["reference"])).json()
    assert document["type"]["coding"][0]["code"] == "57833-6"
    paper = (await counter.person.get(document["content"][0]["attachment"]["url"])).json()
    assert base64.b64decode(paper["data"]).startswith(b"%PDF-")
    [shown] = await counter.lines(counter.person, task["id"])
    assert shown["remaining"][0]["value"] == 90
    again = await counter.person.get(f"Task/{task['id']}/$prescription")
    assert said(again, "signed") is True


async def test_a_number_serves_once(counter: Counter) -> None:
    made = number.draw()
    assert (await counter.deposit(line(counter.record, made, counter.now))).status_code == 201
    assert (await counter.deposit(line(counter.record, made, counter.now))).status_code == 409
    other = await Counter.open(counter.house)
    assert (await other.deposit(line(other.record, made, other.now))).status_code == 409


async def test_only_who_may_prescribe_deposits(counter: Counter) -> None:
    made = line(counter.record, number.draw(), counter.now, NURSE)
    assert (await counter.send([made], pdf(), NURSE)).status_code == 403
    assert (await counter.person.post(f"Patient/{counter.record}/$prescribe", body())).status_code in (403, 422)


@pytest.mark.parametrize("changed", ["dose", "paper", "key", "number", "person"])
async def test_what_is_not_signed_is_not_taken(counter: Counter, changed: str) -> None:
    from joserfc.jwk import ECKey

    from tests.prescription.rx import bundle, parameters, signed

    made = line(counter.record, number.draw(), counter.now)
    sent, paper = dict(made), pdf()
    signature = signed(counter.record, DOCTOR, [made], paper)
    match changed:
        case "dose":
            sent["dosageInstruction"] = [{"text": "2 comprimés le matin"}]
        case "paper":
            paper = pdf("Autre")
        case "key":
            other = ECKey.generate_key("P-256", {"kid": "signing-1"}, private=True, auto_kid=False)
            signature = signed(counter.record, DOCTOR, [made], paper, other)
        case "number":
            sent["groupIdentifier"] = {**made["groupIdentifier"], "value": number.draw()}
        case "person":
            signature = signed("000-" + "0" * 32, DOCTOR, [made], paper)
    asked = parameters(prescription=bundle([sent], paper), signature=signature)
    answer = await counter.doctor.post(f"Patient/{counter.record}/$prescribe", asked)
    assert answer.status_code == 422
    assert (await counter.person.get(f"MedicationRequest?patient={counter.record}")).json().get("entry") is None


async def test_the_code_opens_that_prescription_and_nothing_else(counter: Counter) -> None:
    task, code = await counter.prescribed()
    other, _ = await counter.prescribed()
    opened = await counter.park.post("Task/$open-prescription", body(code=code.lower().replace("-", " ")))
    assert opened.status_code == 200, opened.text
    assert said(opened, "task")["id"] == task
    assert said(opened, "document") is not None
    assert (await counter.park.get(f"Task/{other}/$prescription")).status_code == 404
    assert (await counter.park.get(f"Patient/{counter.record}")).status_code == 404
    found = (await counter.park.get(f"MedicationRequest?patient={counter.record}")).json()
    assert len([one for one in found["entry"] if one["search"]["mode"] == "match"]) == 1
    assert (await counter.station.get(f"Task/{task}/$prescription")).status_code == 404


async def test_a_wrong_code_opens_nothing_and_a_guess_tells_nothing(counter: Counter) -> None:
    _, code = await counter.prescribed()
    keys = counter.house.parts.installation.system_keys
    plain = code.replace("-", "")
    whole = plain[:8] + ("0" * 8 if plain[8:16] != "0" * 8 else "1" * 8)
    forged = whole + number._letters(keys, "prescription check", whole, 4)
    unknown = number.code(keys, number.draw(), 1)
    answers = [
        await counter.park.post("Task/$open-prescription", body(code=one))
        for one in (forged, unknown, "ABCD", plain[:-1])
    ]
    assert {one.status_code for one in answers} == {403}
    assert len({one.text for one in answers}) == 1
    assert (await counter.doctor.post("Task/$open-prescription", body(code=code))).status_code == 403


async def test_the_whole_way(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    answer = await counter.dispensed(counter.park, task, secret, 30)
    assert answer.status_code == 200, answer.text
    assert state(said(answer, "task")) == "partially-dispensed"
    [shown] = every(answer, "line")
    assert shown["remaining"][0]["value"] == 60
    assert len(shown["dispense"]) == 1
    for _ in range(2):
        counter.wait(days=29)
        answer = await counter.dispensed(counter.park, task, secret, 30)
        assert answer.status_code == 200, answer.text
    assert state(said(answer, "task")) == "completed"
    gone = await counter.station.post("Task/$open-prescription", body(code=code))
    assert gone.status_code == 410


async def test_more_than_what_may_be_is_refused_and_says_what_still_may(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    answer = await counter.dispensed(counter.park, task, secret, 91)
    assert answer.status_code == 422
    told = answer.json()["issue"][0]
    assert told["code"] == "business-rule"
    assert "Still: " in told["diagnostics"]
    [shown] = await counter.lines(counter.park, task)
    assert shown["remaining"][0]["value"] == 90


async def test_forty_pharmacies_accept_at_once_and_one_does(house: House, counter: Counter) -> None:
    task, code = await counter.prescribed()
    pharmacists = [software(house, who(100 + n, "21", sector="SA33")) for n in range(40)]
    opened = [await one.post("Task/$open-prescription", body(code=code)) for one in pharmacists]
    assert {one.status_code for one in opened} == {200}
    answers = await asyncio.gather(*(counter.move(one, task, "accept") for one in pharmacists))
    assert sorted(one.status_code for one in answers).count(200) == 1
    assert {one.status_code for one in answers} <= {200, 409, 404}


async def test_parallel_dispenses_never_exceed_what_is_left(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    [shown] = await counter.lines(counter.park, task)
    given = handed(shown["request"][0]["id"], 10)
    answers = await asyncio.gather(
        *(counter.move(counter.park, task, "dispense", secret=secret, dispense=given) for _ in range(12))
    )
    done = [one for one in answers if one.status_code == 200]
    [shown] = await counter.lines(counter.park, task)
    assert shown["remaining"][0]["value"] == 90 - 10 * len(done) >= 0
    assert {one.status_code for one in answers} <= {200, 422}


async def test_the_same_request_under_its_key_is_done_once(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    first = await counter.dispensed(counter.park, task, secret, 10, **USED)
    again = await counter.dispensed(counter.park, task, secret, 10, **USED)
    assert (first.status_code, again.status_code) == (200, 200)
    assert len(every(again, "line")[0]["dispense"]) == 1
    other = await counter.dispensed(counter.park, task, secret, 11, **USED)
    assert other.status_code == 422


async def test_a_wrong_secret_is_403_and_an_illegal_move_409_with_the_state(counter: Counter) -> None:
    task, code = await counter.prescribed()
    early = await counter.move(counter.park, task, "dispense", secret="x", dispense=handed("x", 1))
    assert early.status_code == 404  # not shown to this pharmacy yet
    secret = await counter.accepted(counter.park, task, code)
    wrong = await counter.dispensed(counter.park, task, "0" * 26, 10)
    assert wrong.status_code == 403
    closing = await counter.move(counter.park, task, "complete", secret=secret)
    assert closing.status_code == 409
    assert "accepted" in closing.json()["issue"][0]["diagnostics"]
    released = await counter.move(counter.park, task, "release", secret=secret)
    assert state(said(released, "task")) == "ready"
    assert (await counter.move(counter.park, task, "release", secret=secret)).status_code == 404


async def test_who_works_in_the_same_pharmacy_goes_on(counter: Counter) -> None:
    task, code = await counter.prescribed()
    await counter.accepted(counter.park, task, code)
    colleague = software(counter.house, COLLEAGUE)
    again = await counter.move(colleague, task, "accept")
    assert again.status_code == 200
    answer = await counter.dispensed(colleague, task, str(said(again, "secret")), 10)
    assert answer.status_code == 200


async def test_another_pharmacy_goes_on_where_the_first_stopped(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    await counter.dispensed(counter.park, task, secret, 30)
    await counter.move(counter.park, task, "release", secret=secret)
    counter.wait(days=28)
    taken = await counter.accepted(counter.station, task, code)
    [shown] = await counter.lines(counter.station, task)
    assert shown["remaining"][0]["value"] == 60
    assert len(shown["dispense"]) == 1
    assert (await counter.dispensed(counter.station, task, taken, 30)).status_code == 200


async def test_rejecting_and_cancelling_say_why(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    assert (await counter.move(counter.park, task, "reject", secret=secret, reason="because")).status_code == 422
    answer = await counter.move(counter.park, task, "reject", secret=secret, reason="out-of-stock")
    assert (state(said(answer, "task")), said(answer, "task")["status"]) == ("rejected", "rejected")
    assert said(answer, "task")["statusReason"]["coding"][0]["code"] == "out-of-stock"
    other = software(counter.house, who(9))
    assert (await counter.move(other, task, "cancel", reason="treatment-stopped")).status_code == 404
    cancelled = await counter.move(counter.doctor, task, "cancel", reason="treatment-stopped")
    assert state(said(cancelled, "task")) == "cancelled"
    assert (await counter.station.post("Task/$open-prescription", body(code=code))).status_code == 410
    assert (await counter.move(counter.doctor, task, "cancel", reason="treatment-stopped")).status_code == 410


async def test_a_prescription_expires_by_itself(counter: Counter) -> None:
    task, code = await counter.prescribed()
    counter.wait(days=92)
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 410
    from phr.prescription.expiring import expire

    assert await expire(counter.house.parts.installation, counter.now) == 1
    assert await expire(counter.house.parts.installation, counter.now) == 0
    shown = await counter.person.get(f"Task/{task}")
    assert state(shown.json()) == "expired"


async def test_one_that_expires_while_its_record_is_closed_has_expired_when_it_opens(counter: Counter) -> None:
    from phr.prescription.expiring import expire

    here, (task, _), (lasting, code) = counter.house.parts.installation, *[await counter.prescribed() for _ in "ab"]
    counter.wait(days=1)
    await closing.shut(operator(counter.house, counter.now), counter.record, Closing.REQUEST, "close")
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 403
    counter.wait(days=91)
    assert [await expire(here, counter.now) for _ in range(2)] == [2, 0], "and it is not looked at again and again"
    await closing.restore(operator(counter.house, counter.now), counter.record, "reopen")
    assert (await counter.person.get(f"Task/{task}/$code")).status_code in (404, 410)
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 410
    assert [await expire(here, counter.now) for _ in range(2)] == [2, 0]
    for one in (task, lasting):
        assert state((await counter.person.get(f"Task/{one}")).json()) == "expired"


async def test_one_that_is_open_again_in_time_goes_on(counter: Counter) -> None:
    from phr.prescription.expiring import expire

    here, (task, code) = counter.house.parts.installation, await counter.prescribed()
    over, _ = await counter.prescribed()
    assert (await counter.move(counter.doctor, over, "cancel", reason="treatment-stopped")).status_code == 200
    await closing.shut(operator(counter.house, counter.now), counter.record, Closing.REQUEST, "close")
    await closing.restore(operator(counter.house, counter.now), counter.record, "reopen")
    assert [await expire(here, counter.now) for _ in range(2)] == [1, 0], "what is over is not looked at twice"
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 200
    counter.wait(days=92)
    assert await expire(here, counter.now) == 1
    assert state((await counter.person.get(f"Task/{task}")).json()) == "expired"


async def test_what_cannot_be_written_now_is_written_later(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    from phr.prescription import expiring

    task, _ = await counter.prescribed()
    counter.wait(days=92)

    async def fails(*_: object, **__: object) -> None:
        raise DomainError(Reason.UNAVAILABLE, Issue("transient", "The journal cannot be written; try again."))

    monkeypatch.setattr(expiring, "find", fails)
    assert await expiring.expire(counter.house.parts.installation, counter.now) == 0
    monkeypatch.undo()
    assert await expiring.expire(counter.house.parts.installation, counter.now) == 1
    assert state((await counter.person.get(f"Task/{task}")).json()) == "expired"


async def test_nothing_of_a_prescription_is_written_by_plain_rest(counter: Counter) -> None:
    task, _ = await counter.prescribed()
    [shown] = await counter.lines(counter.person, task)
    request = shown["request"][0]
    changed = {**request, "dosageInstruction": [{"text": "10 comprimés"}]}
    assert (await counter.doctor.put(f"MedicationRequest/{request['id']}", changed)).status_code == 403
    assert (await counter.doctor.delete(f"MedicationRequest/{request['id']}")).status_code == 403
    added = {key: value for key, value in request.items() if key not in ("id",)}
    added["meta"] = {"tag": request["meta"]["tag"]}
    for caller in (counter.person, counter.doctor):
        assert (await caller.post("MedicationRequest", added)).status_code == 403
    held = (await counter.person.get(f"Task/{task}")).json()
    assert (await counter.person.put(f"Task/{task}", {**held, "status": "completed"})).status_code == 403
    assert (await counter.person.delete(f"Task/{task}")).status_code == 403


async def test_an_entry_of_the_inbox_goes_when_it_is_over(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    asked = f"Task?owner:identifier=urn:oid:1.2.250.1.71.4.2.2|{PARK.structure}&status=accepted,ready"
    found = (await counter.park.get(asked)).json()
    assert [one["resource"]["id"] for one in found["entry"]] == [task]
    assert (await counter.station.get(asked)).json().get("entry") is None
    await counter.move(counter.park, task, "reject", secret=secret, reason="out-of-stock")
    assert (await counter.park.get(asked)).json().get("entry") is None
    with Session(counter.house.parts.engine) as session:
        kinds = session.scalar(select(func.count()).where(inbox.c.kind.startswith("prescription")))
    assert kinds == 0


def test_every_move_in_every_state_is_decided() -> None:
    for at in State:
        for move in Move:
            for dispensed in (True, False):
                for finished in (True, False):
                    found = after(at, move, dispensed=dispensed, finished=finished)
                    assert found is None or isinstance(found, State)
                    if at in (State.COMPLETED, State.CANCELLED, State.EXPIRED):
                        assert found is None
    assert after(State.ACCEPTED, Move.COMPLETE, dispensed=False, finished=True) is None
    assert after(State.ACCEPTED, Move.REJECT, dispensed=True, finished=False) is None
