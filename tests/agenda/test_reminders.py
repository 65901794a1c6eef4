"""Reminders over HTTP: made, listed, changed, put off, ended; who may, and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from phr.agenda import reminders
from tests import kin
from tests.agenda.diary import ahead, booked, listed, parts, remind, rows, tell, wish
from tests.house import House
from tests.kin import Person
from tests.phr.care import DOCTOR, notes, software

PARIS = ZoneInfo("Europe/Paris")
CODE = "https://carnet.example/CodeSystem/task|reminder"


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


async def test_a_reminder_is_a_task_of_the_persons(house: House, claire: Person) -> None:
    at = ahead(house, 3)
    me = claire.caller()
    made = await remind(me, claire.record, text="Assise, au calme.", at=at.isoformat(), rule="RRULE:FREQ=DAILY;COUNT=3")
    assert (made["resourceType"], made["status"], made["intent"]) == ("Task", "in-progress", "plan")
    assert made["executionPeriod"]["start"] == at.isoformat()
    assert made["extension"] == [
        {"url": "https://carnet.example/StructureDefinition/recurrence", "valueString": "FREQ=DAILY;COUNT=3"}
    ]
    assert made["note"] == [{"text": "Assise, au calme."}]
    found = await me.get(f"Task?patient={claire.record}&code={CODE}")
    assert [one["resource"]["id"] for one in found.json()["entry"]] == [made["id"]]
    assert rows(house) == {made["id"]: (at.astimezone(UTC), None)}
    assert await listed(me, claire.record) == [("Prendre la tension", at.astimezone(UTC).isoformat())]
    tags = [note.asked for tag, note in notes(house, claire.record) if tag == "agenda"]
    assert tags == [f"Patient/{claire.record}/$remind", f"Patient/{claire.record}/$reminders"]


async def test_an_hour_without_zone_is_of_paris(house: House, claire: Person) -> None:
    at = ahead(house, 40)
    made = await remind(claire.caller(), claire.record, at=f"{at:%Y-%m-%dT%H:%M}")
    assert made["executionPeriod"]["start"] == at.isoformat()


async def test_a_series_begins_at_its_first_time(house: House, claire: Person) -> None:
    at = ahead(house, 10)
    day = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[(at.weekday() + 2) % 7]
    made = await remind(claire.caller(), claire.record, at=at.isoformat(), rule=f"FREQ=WEEKLY;BYDAY={day}")
    assert datetime.fromisoformat(made["executionPeriod"]["start"]).date() == (at + timedelta(days=2)).date()


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("title", {"title": " "}),
        ("title", {"title": "x" * 201}),
        ("text", {"text": "x" * 2001}),
        ("at", {"at": "demain"}),
        ("at", {"at": "2026-12-24"}),
        ("at", {"at": "2020-01-01T08:00"}),
        ("at", {}),
        ("rule", {"rule": "FREQ=MINUTELY"}),
        ("rule", {"at": "2027-02-01T08:00", "rule": "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30"}),
        ("at", {"at": "2027-02-01T08:00", "rule": "FREQ=DAILY;UNTIL=20200101"}),
        ("about", {"about": {"reference": "Observation/x"}}),
        ("about", {"about": {"reference": "DocumentReference/000-00000000000000000000000000000000"}}),
        ("about", {"about": 3}),
        ("before", {"before": "P1D"}),
        ("before", {"before": "P1D", "about": {"reference": "DocumentReference/x"}}),
        ("at", {"before": "P1D", "at": "2027-01-01T08:00", "about": {"reference": "Appointment/x"}}),
    ],
)
async def test_what_is_wrong_is_said_by_its_name(house: House, claire: Person, where: str, values: kin.Json) -> None:
    base = {"title": "Eau"} if where == "at" or "before" in values else {"title": "Eau", "at": "2030-01-01T08:00"}
    answer = await claire.caller().post(f"{claire.patient}/$remind", wish(**{**base, **values}))
    assert answer.status_code == 422, answer.text
    expression = answer.json()["issue"][0]["expression"]
    allowed = {where, "rule"} if "UNTIL" in str(values) else {where}
    assert any(f"'{one}'" in str(expression) for one in allowed), expression
    assert rows(house) == {}


async def test_change_says_all_of_it_again(house: House, claire: Person) -> None:
    me, at = claire.caller(), ahead(house, 3)
    made = await remind(me, claire.record, at=at.isoformat(), rule="FREQ=DAILY", text="Assise.")
    later = at + timedelta(days=5)
    answer = await me.post(f"Task/{made['id']}/$change-reminder", wish(title="Marcher", at=later.isoformat()))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["id"], body["description"], body["meta"]["versionId"]) == (made["id"], "Marcher", "2")
    assert not {"note", "extension"} & body.keys()
    assert body["authoredOn"] == made["authoredOn"]
    assert rows(house) == {made["id"]: (later.astimezone(UTC), None)}


async def test_end_is_once_for_all_and_change_starts_it_again(house: House, claire: Person) -> None:
    me, at = claire.caller(), ahead(house, 3)
    made = await remind(me, claire.record, at=at.isoformat())
    for version in ("2", "2"):
        answer = await me.post(f"Task/{made['id']}/$end-reminder", wish())
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert answer.json()["meta"]["versionId"] == version
    assert rows(house) == {}
    assert await listed(me, claire.record) == [("Prendre la tension", None)]
    put_off = await me.post(f"Task/{made['id']}/$snooze-reminder", wish(until=ahead(house, 1).isoformat()))
    assert put_off.status_code == 409
    again = await me.post(f"Task/{made['id']}/$change-reminder", wish(title="Encore", at=at.isoformat()))
    assert again.json()["status"] == "in-progress"
    assert await listed(me, claire.record) == [("Encore", at.astimezone(UTC).isoformat())]


async def test_put_off_and_told_then(house: House, claire: Person) -> None:
    me, at = claire.caller(), ahead(house, 2)
    made = await remind(me, claire.record, at=at.isoformat())
    assert await tell(house, at) == 1
    assert rows(house) == {}
    assert (await me.get(f"Task/{made['id']}")).json()["status"] == "completed"
    house.parts.server.clock = lambda: at + timedelta(hours=1)
    me, until = claire.caller(), at + timedelta(hours=3)
    answer = await me.post(f"Task/{made['id']}/$snooze-reminder", wish(until=until.isoformat()))
    assert (answer.status_code, answer.json()["status"]) == (200, "in-progress")
    moments = (until - timedelta(seconds=1), until, until + timedelta(minutes=1))
    assert [await tell(house, one) for one in moments] == [0, 1, 0]
    assert (await me.get(f"Task/{made['id']}")).json()["status"] == "completed"
    for wrong in (house.now() - timedelta(minutes=1), house.now() + timedelta(days=40)):
        answer = await me.post(f"Task/{made['id']}/$snooze-reminder", wish(until=wrong.isoformat()))
        assert answer.status_code == 422
    assert (await me.post(f"Task/{made['id']}/$snooze-reminder", wish())).status_code == 422


async def test_what_comes_back_keeps_its_times_when_put_off(house: House, claire: Person) -> None:
    me, at = claire.caller(), ahead(house, 1)
    made = await remind(me, claire.record, at=at.isoformat(), rule="FREQ=DAILY;COUNT=2")
    until = house.now() + timedelta(minutes=5)
    assert (await me.post(f"Task/{made['id']}/$snooze-reminder", wish(until=until.isoformat()))).status_code == 200
    assert [due for _, due in await listed(me, claire.record)] == [until.isoformat()]
    moments = [until, at, at + timedelta(days=1), at + timedelta(days=2)]
    assert [await tell(house, one + timedelta(seconds=1)) for one in moments] == [1, 1, 1, 0]
    assert rows(house) == {}


async def test_before_an_appointment(house: House, claire: Person) -> None:
    me, start = claire.caller(), ahead(house, 10, 15)
    visit = await booked(me, claire.record, start)
    about = {"reference": f"Appointment/{visit['id']}"}
    made = await remind(me, claire.record, title="À jeun demain", before="P1DT1H", about=about)
    assert made["focus"] == about
    due = (start - timedelta(days=1)).replace(hour=14).astimezone(UTC)
    assert rows(house) == {made["id"]: (due, None)}
    [one] = await parts(me, claire.record)
    assert (one["due"], one["about"]["description"]) == (due.isoformat(), "Cardiologue")
    late = await me.post(f"{claire.patient}/$remind", wish(title="Trop tard", before="P11D", about=about))
    assert late.status_code == 422
    assert await tell(house, due) == 1
    assert rows(house) == {}


async def test_who_keeps_the_agenda(house: House, claire: Person) -> None:
    at = ahead(house, 3).isoformat()
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    marc = await kin.person(house, "Marc", "Petit")
    body, wanted = wish(title="Eau", at=at), f"{jeanne.patient}/$remind"
    await kin.care(jeanne, marc, "consult", "prescriptions", "documents")
    await kin.care(jeanne, claire, "consult", "agenda")
    keeper, other = claire.acting(jeanne.record), marc.acting(jeanne.record)
    made = await remind(keeper, jeanne.record, at=at)
    assert (await other.post(wanted, body)).status_code == 403
    assert (await other.post(f"Task/{made['id']}/$end-reminder", wish())).status_code == 403
    assert len(await listed(other, jeanne.record)) == 1, "who consults sees it"
    await house.relate(jeanne.record, DOCTOR.id)
    doctor = software(house)
    assert (await doctor.post(wanted, body)).status_code == 403
    assert (await doctor.get(f"Task/{made['id']}")).status_code == 404
    assert (await claire.caller().post(wanted, body)).status_code == 404
    assert (await house.depositor().post(wanted, body)).status_code == 403
    assert (await jeanne.caller(scopes=("patient/Task.rs",)).post(wanted, body)).status_code == 403
    narrow = jeanne.caller(scopes=("patient/Task.cruds?code=https://carnet.example/CodeSystem/task|other",))
    assert (await narrow.post(wanted, body)).status_code == 403
    # The person changes and ends what a caregiver wrote, and they what the person wrote.
    changed = await jeanne.caller().post(f"Task/{made['id']}/$change-reminder", wish(title="Thé", at=at))
    assert changed.status_code == 200
    own = await remind(jeanne.caller(), jeanne.record, at=at)
    assert (await keeper.post(f"Task/{own['id']}/$end-reminder", wish())).status_code == 200
    assert (await jeanne.caller().post(f"Task/{made['id']}/$end-reminder", wish())).status_code == 200
    refused = [note.refused for tag, note in notes(house, jeanne.record) if tag == "agenda" and note.refused]
    assert refused == ["not-entitled"] * 3


async def test_a_caregiver_without_sight_keeps_their_own(house: House, claire: Person) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    at = ahead(house, 3).isoformat()
    hers = await remind(jeanne.caller(), jeanne.record, title="Secret", at=at)
    consent = await kin.care(jeanne, claire, "consult", "agenda")
    narrowed = kin.parameters(consent=consent, power=("agenda",))
    assert (await jeanne.caller().post(f"{jeanne.patient}/$change-delegation", narrowed)).status_code == 200
    keeper = claire.acting(jeanne.record)
    await remind(keeper, jeanne.record, at=at)
    assert [title for title, _ in await listed(keeper, jeanne.record)] == ["Prendre la tension"]
    for operation in ("change", "end", "snooze"):
        body = wish(title="Eau", at=at) if operation == "change" else wish()
        body = wish(until=at) if operation == "snooze" else body
        answer = await keeper.post(f"Task/{hers['id']}/${operation}-reminder", body)
        assert answer.status_code == 404, operation
    about = {"reference": f"Task/{hers['id']}"}
    assert (await keeper.post(f"{jeanne.patient}/$remind", wish(title="x", at=at, about=about))).status_code == 422


async def test_a_task_that_is_no_reminder_is_refused(house: House, claire: Person) -> None:
    me = claire.caller()
    task = {"resourceType": "Task", "status": "requested", "intent": "plan", "for": {"reference": claire.patient}}
    made = (await me.post("Task", task)).json()
    at = ahead(house, 3).isoformat()
    assert (await me.post(f"Task/{made['id']}/$end-reminder", wish())).status_code == 422
    assert (await me.post(f"Task/{made['id']}/$change-reminder", wish(title="x", at=at))).status_code == 422
    assert (await me.post("Task/000-00000000000000000000000000000000/$end-reminder", wish())).status_code == 404
    assert await listed(me, claire.record) == []


async def test_no_more_than_so_many_run(house: House, claire: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "MOST", 2)
    at, me = ahead(house, 3).isoformat(), claire.caller()
    first = await remind(me, claire.record, at=at)
    await remind(me, claire.record, at=at)
    assert (await me.post(f"{claire.patient}/$remind", wish(title="x", at=at))).status_code == 429
    await me.post(f"Task/{first['id']}/$end-reminder", wish())
    await remind(me, claire.record, at=at)


async def test_nothing_is_kept_in_clear(house: House, claire: Person) -> None:
    await remind(claire.caller(), claire.record, title="Insuline du soir", at=ahead(house, 3).isoformat())
    with house.parts.engine.connect() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM reminder").all())
    assert "nsuline" not in kept
