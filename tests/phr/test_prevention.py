"""`$prevention` over HTTP: what is recommended, as each reader sees the record; and each rule, readable."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fhir.models import model
from fhir.validation import validate
from phr.core.database import Session
from phr.prevention.canonical import ADVICE, FACT, RULE, RULESET, STATUS, plan_of
from phr.prevention.codes import VALUE_SETS
from phr.prevention.rulebook import RULES
from tests.access.city import as_professional, delegate
from tests.access.test_chain import entries
from tests.access.worlds import professional
from tests.house import Caller, House, account_of

Json = dict[str, Any]
DOCTOR = professional("810501")
BREAST, ADULT = "breast-cancer-screening", "vaccine-dtp-adult"


@pytest.fixture(autouse=True)
def clock(house: House) -> None:
    """A day on which what is expected is known."""
    house.parts.server.clock = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)


async def person(house: House, born: str = "1974-05-17", **more: Any) -> str:
    return await house.open_record(birthDate=born, **more)


def concept(name: str) -> Json:
    code = VALUE_SETS[name].codes[0]
    return {"coding": [{"system": code.system, "code": code.code}]}


def mammography(record: str, on: str = "2026-03-01", **more: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": concept("mammography"),
        "subject": {"reference": f"Patient/{record}"},
        "performedDateTime": on,
        **more,
    }


async def post(caller: Caller, body: Json) -> Json:
    answer = await caller.post(body["resourceType"], body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def no_risk(record: str, on: str) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": FACT, "code": "breast-high-risk"}]},
        "subject": {"reference": f"Patient/{record}"},
        "effectiveDateTime": on,
        "valueBoolean": False,
    }


async def plan(caller: Caller, record: str, query: str = "") -> Json:
    answer = await caller.get(f"Patient/{record}/$prevention{query}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def details(found: Json) -> dict[str, Json]:
    return {one["detail"]["code"]["coding"][0]["code"]: one["detail"] for one in found.get("activity", ())}


def parts(detail: Json) -> dict[str, list[Any]]:
    """The parts of the advice extension, by name."""
    [told] = [one for one in detail["extension"] if one["url"] == ADVICE]
    found: dict[str, list[Any]] = {}
    for part in told["extension"]:
        [value] = [value for name, value in part.items() if name != "url"]
        found.setdefault(part["url"], []).append(value)
    return found


async def status(caller: Caller, record: str, rule: str, query: str = "") -> str:
    return str(parts(details(await plan(caller, record, query))[rule])["status"][0])


async def test_a_plan_has_an_activity_for_each_rule(house: House) -> None:
    record = await person(house)
    answer = await house.citizen(record).get(f"Patient/{record}/$prevention")
    assert answer.status_code == 200, answer.text
    assert (answer.headers["cache-control"], answer.headers["content-language"]) == ("no-store", "fr")
    found = answer.json()
    assert validate("CarePlan", found) == ()
    model("CarePlan").model_validate(found)
    assert list(details(found)) == [rule.id for rule in RULES.all]
    assert found["extension"] == [{"url": RULESET, "valueString": RULES.version}]
    assert (found["status"], found["intent"], found["created"]) == ("active", "proposal", "2026-11-22")
    assert found["subject"] == {"reference": f"Patient/{record}"}


async def test_what_an_activity_says(house: House) -> None:
    record = await person(house)
    await post(house.depositor(), mammography(record, "2023-01-10"))
    await post(house.depositor(), no_risk(record, "2026-01-01"))
    detail, rule = details(await plan(house.citizen(record), record))[BREAST], RULES.get(BREAST)
    assert rule is not None
    version, told = rule.versions[0], parts(detail)
    assert detail["instantiatesCanonical"] == [f"{plan_of(BREAST)}|{version.in_force.isoformat()}"]
    assert detail["code"] == {"coding": [{"system": RULE, "code": BREAST}], "text": rule.title.fr}
    assert detail["status"] == "not-started"
    assert detail["statusReason"]["coding"] == [{"system": STATUS, "code": told["status"][0]}]
    assert detail["statusReason"]["text"]
    assert detail["description"] == version.say.fr
    assert detail["scheduledPeriod"]["start"] == told["due"][0] == "2025-01-10"
    assert told["event"] == [[{"url": "on", "valueDate": "2023-01-10"}, {"url": "declared", "valueBoolean": False}]]
    assert "event" not in parts(details(await plan(house.citizen(record), record, "?on=2023-01-09"))[BREAST])
    assert (told["theme"], told["requirement"], told["do"]) == (["screening"], [version.requirement], [version.todo])
    assert (told["source"], told["source-title"]) == ([version.source.link], [version.source.title])
    assert (told["source-verified"], told["in-force"]) == ([version.source.verified], [version.in_force.isoformat()])
    assert told["audience"][0]
    assert told["clause"][0] == told["status"][0]


async def test_what_is_done_is_done_and_what_lacks_is_asked(house: House) -> None:
    record = await person(house)
    app = house.citizen(record)
    assert await status(app, record, BREAST) != "done"
    await post(house.depositor(), mammography(record))
    found = details(await plan(app, record))
    assert (parts(found[BREAST])["status"], found[BREAST]["status"]) == (["done"], "completed")
    asked = [parts(one) for one in found.values() if parts(one)["status"] == ["ask"]]
    assert asked
    assert all(one["missing"][0][0]["url"] == "fact" and one["missing"][0][1]["valueString"] for one in asked)


async def test_a_day_a_language_a_theme_and_a_status_may_be_asked(house: House) -> None:
    record = await person(house)
    app = house.citizen(record)
    await post(app, no_risk(record, "2023-06-01"))
    assert await status(app, record, BREAST, "?on=2024-05-17") == "due"
    assert await status(app, record, BREAST, "?on=2024-04-16") == "not-concerned"
    english = await plan(app, record, "?lang=en")
    assert (english["language"], english["title"]) == ("en", "Prevention: what is recommended")
    accepted = await app.get(f"Patient/{record}/$prevention", Accept_Language="en-GB,fr;q=0.5")
    assert accepted.json() == english
    screenings = details(await plan(app, record, "?theme=screening,check-up"))
    assert {RULES.get(rule).theme for rule in screenings} == {"screening", "check-up"}  # type: ignore[union-attr]
    due = details(await plan(app, record, "?status=due,overdue&theme=vaccination"))
    assert due
    assert {parts(one)["status"][0] for one in due.values()} <= {"due", "overdue"}
    assert "activity" not in await plan(app, record, "?status=done")


@pytest.mark.parametrize("query", ["on=yesterday", "on=2026-02-30", "theme=x", "status=completed", "theme="])
async def test_what_cannot_be_asked_is_refused(house: House, query: str) -> None:
    record = await person(house)
    answer = await house.citizen(record).get(f"Patient/{record}/$prevention?{query}")
    assert answer.status_code == 400
    assert "yesterday" not in answer.text


async def test_what_is_not_understood_is_refused_when_strict(house: House) -> None:
    record = await person(house)
    path = f"Patient/{record}/$prevention?born=1950"
    assert (await house.citizen(record).get(path)).status_code == 200
    assert (await house.citizen(record).get(path, Prefer="handling=strict")).status_code == 400


async def test_it_leaves_one_entry_that_names_the_patient_alone(house: House) -> None:
    record = await person(house)
    await post(house.depositor(), mammography(record))
    before = len(entries(house, record))
    await plan(house.citizen(record), record)
    [entry] = entries(house, record)[before:]
    assert (entry.tag, list(entry.resources)) == ("prevention", [f"Patient/{record}"])


async def test_who_may_ask(house: House) -> None:
    record, other = await person(house), await person(house)
    path = f"Patient/{record}/$prevention"
    await house.represent(record, account_of("mum"))
    await house.represent(record, account_of("dad"), "consult")
    await house.represent(record, account_of("aunt"), "agenda")
    assert (await delegate(house, record).get(path)).status_code == 200
    assert (await delegate(house, record, name="dad").get(path)).status_code == 200
    absent = (await house.citizen(other).get(path)).json()
    for caller in (
        delegate(house, record, name="aunt"),
        delegate(house, other),
        house.depositor(),
        house.operator(),
        as_professional(house, DOCTOR),
    ):
        answer = await caller.get(path)
        assert (answer.status_code, answer.json()) == (404, absent)
    await house.relate(record, DOCTOR.id)
    assert (await as_professional(house, DOCTOR).get(path)).status_code == 200
    assert (await house.http.get(f"/fhir/{path}")).status_code == 401


async def test_scopes_narrow_what_is_known(house: House) -> None:
    record = await person(house)
    await post(house.depositor(), mammography(record))
    few = house.citizen(record, ("patient/Patient.r", "patient/Immunization.rs"))
    assert await status(few, record, BREAST) in ("due", "overdue", "ask")
    assert await status(house.citizen(record, ("patient/*.r",)), record, BREAST) == "done"
    none = house.citizen(record, ("patient/Procedure.rs",))
    assert (await none.get(f"Patient/{record}/$prevention")).status_code == 403


async def test_nothing_is_advised_to_the_dead(house: House) -> None:
    for more in ({"deceasedBoolean": True}, {"deceasedDateTime": "2026-01-01"}):
        record = await person(house, **more)
        found = await plan(house.citizen(record), record)
        assert "activity" not in found
        assert validate("CarePlan", found) == ()


async def test_a_full_record_is_read_whole_in_few_statements(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one page of rows: the act is among the last of them."""
    record = await person(house)
    monkeypatch.setattr("phr.prevention.record._AT_ONCE", 3)
    for day in range(1, 8):
        await post(house.depositor(), mammography(record, f"2020-01-0{day}"))
    await post(house.depositor(), mammography(record, "2026-03-01"))
    app = house.citizen(record)
    assert await status(app, record, BREAST) == "done"
    assert len(parts(details(await plan(app, record))[BREAST])["event"]) == 8
    monkeypatch.undo()
    asked: list[object] = []
    fetch = Session.fetch

    async def counted(self: Session, query: Any, values: Any) -> Any:
        asked.append(query)
        return await fetch(self, query, values)

    monkeypatch.setattr(Session, "fetch", counted)
    await plan(app, record)
    assert len(asked) <= 3


# Each rule, readable


async def test_each_rule_is_a_sound_plan_definition(house: House) -> None:
    operator, record = house.operator(), await person(house)
    for rule in RULES.all:
        answer = await operator.get(f"PlanDefinition/{rule.id}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert validate("PlanDefinition", found) == (), rule.id
        model("PlanDefinition").model_validate(found)
        assert (found["id"], found["url"], found["title"]) == (rule.id, plan_of(rule.id), rule.title.fr)
        assert [one["url"] for one in found["relatedArtifact"]] == [one.source.link for one in rule.versions]
        assert found["action"][0]["condition"][0]["expression"]["description"]
    one = await house.citizen(record).get(f"PlanDefinition/{BREAST}")
    assert one.json() == (await operator.get(f"PlanDefinition/{BREAST}")).json()
    again = await operator.get(f"PlanDefinition/{BREAST}", If_None_Match=one.headers["etag"])
    assert again.status_code == 304


async def test_whom_a_rule_is_for(house: House) -> None:
    found = (await house.operator().get(f"PlanDefinition/{BREAST}")).json()
    context = {one["code"]["code"]: one for one in found["useContext"]}
    assert context["gender"]["valueCodeableConcept"]["coding"][0]["code"] == "female"
    ends = context["age"]["valueRange"]
    assert (ends["low"]["value"], ends["high"]["value"], ends["low"]["code"]) == (50, 74, "a")


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["resource"]["id"] for one in answer.json().get("entry", ()) if one["search"]["mode"] == "match"]


async def test_rules_are_searched_as_what_is_stored_is(house: House) -> None:
    operator = house.operator()
    stored = {"resourceType": "PlanDefinition", "status": "draft", "title": "Dépistage local", "url": "urn:x"}
    local = (await post(operator, stored))["id"]
    for query in (f"url={plan_of(BREAST)}", f"_id={BREAST}", "title=D%C3%A9pistage%20du%20cancer%20du%20sein"):
        assert ids(await operator.get(f"PlanDefinition?{query}")) == [BREAST], query
    assert ids(await operator.get("PlanDefinition?url=urn:x")) == [local]
    assert ids(await operator.get("PlanDefinition?url=urn:nothing")) == []
    assert ids(await operator.get("PlanDefinition?status=draft")) == [local]
    both = await operator.get(f"PlanDefinition?_id={BREAST},{local}")
    assert ids(both) == [BREAST, local]
    counted = await operator.get("PlanDefinition?_summary=count")
    assert counted.json()["total"] == len(RULES.all) + 1


@pytest.mark.parametrize("count", [1, 7, 20, 200])
async def test_every_rule_is_on_one_page_and_one_only(house: House, count: int) -> None:
    operator = house.operator()
    stored = [(await post(operator, {"resourceType": "PlanDefinition", "status": "active"}))["id"] for _ in range(3)]
    found: list[str] = []
    path = f"PlanDefinition?status=active&_count={count}"
    while path:
        answer = await operator.get(path)
        page = ids(answer)
        assert len(page) <= count
        found += page
        links = {one["relation"]: one["url"] for one in answer.json()["link"]}
        path = links.get("next", "").partition("/fhir/")[2]
    assert found[: len(RULES.all)] == [rule.id for rule in RULES.all]
    assert sorted(found[len(RULES.all) :]) == sorted(stored)


async def test_a_scope_that_gives_no_rule_shows_none(house: House) -> None:
    record = await person(house)
    few = house.citizen(record, ("patient/PlanDefinition.rs?status=draft",))
    assert (await few.get(f"PlanDefinition/{BREAST}")).status_code == 404
    assert ids(await few.get("PlanDefinition")) == []
    none = house.citizen(record, ("patient/Patient.rs",))
    assert (await none.get(f"PlanDefinition/{BREAST}")).status_code == 403


async def test_a_rule_is_not_written_over_http(house: House) -> None:
    operator = house.operator()
    body = (await operator.get(f"PlanDefinition/{BREAST}")).json()
    assert (await operator.put(f"PlanDefinition/{BREAST}", body)).status_code == 405
    assert (await operator.delete(f"PlanDefinition/{BREAST}")).status_code == 404
