"""`$immds-forecast`: vaccines as HL7's ImmDS forecasts them, of resources that are sent and of a record."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fhir.models import model
from fhir.tables import resource as stored
from fhir.validation import validate
from phr.access.journal import chain_of_client, journal
from phr.prevention.canonical import RULESET, STATUS
from phr.prevention.codes import VALUE_SETS
from phr.prevention.forecast import FORECAST
from phr.prevention.rulebook import RULES
from tests.access.city import as_professional, delegate
from tests.access.test_chain import entries
from tests.access.worlds import professional
from tests.house import Caller, House

Json = dict[str, Any]
DOCTOR = professional("810701")
HEXAVALENT, DTP = "vaccine-hexavalent", "vaccine-dtp-adult"
DATES = {"30980-7": "due", "30981-5": "earliest", "59777-3": "latest", "59778-1": "overdue"}


@pytest.fixture(autouse=True)
def clock(house: House) -> None:
    """A day on which what is expected is known."""
    house.parts.server.clock = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)


def vaccine(name: str, on: str, patient: str = "p", **more: Any) -> Json:
    code = VALUE_SETS[name].codes[0]
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": code.system, "code": code.code}]},
        "patient": {"reference": f"Patient/{patient}"},
        "occurrenceDateTime": on,
        **more,
    }


def asked(on: str = "2026-11-22", *immunizations: Json, **patient: Any) -> Json:
    person = {"resourceType": "Patient", "id": "p", "birthDate": "2026-06-10", "gender": "female", **patient}
    listed: list[Json] = [{"name": "assessmentDate", "valueDate": on}, {"name": "patient", "resource": person}]
    listed += [{"name": "immunization", "resource": one} for one in immunizations]
    return {"resourceType": "Parameters", "parameter": listed}


async def ask(caller: Caller, body: Json, **headers: str) -> Json:
    answer = await caller.post("$immds-forecast", body, **headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def of(found: Json) -> dict[str, Json]:
    """The recommendations, by the rule each comes from."""
    [parameter] = found["parameter"]
    assert parameter["name"] == "recommendation"
    listed = parameter["resource"]["recommendation"]
    return {one["forecastReason"][0]["coding"][0]["code"]: one for one in listed}


def status(one: Json) -> dict[str, str]:
    return {coding["system"]: coding["code"] for coding in one["forecastStatus"]["coding"]}


def dates(one: Json) -> dict[str, str]:
    return {DATES[each["code"]["coding"][0]["code"]]: each["value"] for each in one.get("dateCriterion", ())}


async def test_a_baby_with_one_dose(house: House) -> None:
    found = await ask(house.depositor(), asked("2026-11-22", vaccine("hexavalent", "2026-08-10")))
    assert validate("Parameters", found) == ()
    made = found["parameter"][0]["resource"]
    assert validate("ImmunizationRecommendation", made) == ()
    model("ImmunizationRecommendation").model_validate(made)
    assert (made["patient"], made["date"]) == ({"reference": "Patient/p"}, "2026-11-22")
    assert made["extension"] == [{"url": RULESET, "valueString": RULES.version}]
    one = of(found)[HEXAVALENT]
    assert status(one) == {FORECAST: "overdue", STATUS: "overdue"}
    # At four months; eight weeks after the dose before; a month late; the day before six years.
    assert dates(one) == {
        "due": "2026-10-10",
        "earliest": "2026-10-05",
        "overdue": "2026-11-10",
        "latest": "2032-06-09",
    }
    assert (one["doseNumberPositiveInt"], one["seriesDosesPositiveInt"]) == (2, 3)
    assert one["series"] == RULES.get(HEXAVALENT).title.fr  # type: ignore[union-attr]
    assert one["forecastReason"][0]["text"].startswith("Il est encore temps")


async def test_what_is_due_later_says_when_and_no_hl7_status(house: House) -> None:
    doses = [vaccine("hexavalent", on) for on in ("2026-08-10", "2026-10-10")]
    one = of(await ask(house.depositor(), asked("2026-11-22", *doses)))[HEXAVALENT]
    assert status(one) == {STATUS: "done"}
    assert dates(one) == {
        "due": "2027-05-10",
        "earliest": "2027-04-10",
        "overdue": "2027-06-10",
        "latest": "2032-06-09",
    }
    newborn = of(await ask(house.depositor(), asked("2026-06-11")))[HEXAVALENT]
    assert status(newborn) == {STATUS: "not-concerned"}
    assert (dates(newborn)["due"], dates(newborn)["earliest"]) == ("2026-08-10", "2026-07-22")


async def test_a_series_that_is_over_is_complete(house: House) -> None:
    doses = [vaccine("hexavalent", on) for on in ("2026-08-10", "2026-10-10", "2027-05-10")]
    one = of(await ask(house.depositor(), asked("2027-06-01", *doses)))[HEXAVALENT]
    assert status(one) == {FORECAST: "complete", STATUS: "done"}
    assert "dateCriterion" not in one
    assert "doseNumberPositiveInt" not in one


async def test_every_vaccine_rule_is_forecast_soundly_at_every_age(house: House) -> None:
    caller, seen = house.depositor(), set[str]()
    for born in ("2026-10-22", "2025-10-01", "2020-11-01", "2014-06-01", "2005-01-01", "1985-05-17", "1955-05-17"):
        for gender in ("female", "male"):
            found = await ask(caller, asked(birthDate=born, gender=gender))
            assert validate("Parameters", found) == ()
            for rule, one in of(found).items():
                assert RULES.get(rule).theme == "vaccination"  # type: ignore[union-attr]
                assert all(each["coding"][0]["system"] and each["coding"][0]["code"] for each in one["vaccineCode"])
                assert status(one)[STATUS]
                days = dates(one)
                assert days.get("earliest", "") <= days.get("due", "9"), rule
                in_order = [days[name] for name in ("due", "overdue", "latest") if name in days]
                assert in_order == sorted(in_order), rule
                assert "targetDisease" not in one
                seen.add(rule)
    assert len(seen) > 25


async def test_nobody_is_recommended_anything_once_dead(house: House) -> None:
    assert await ask(house.depositor(), asked(deceasedBoolean=True)) == {"resourceType": "Parameters"}


@pytest.mark.parametrize(
    "patient",
    [{"reference": "https://elsewhere.test/fhir/Patient/p"}, {"reference": "urn:uuid:1"}, {"display": "Léo"}],
    ids=["elsewhere", "urn", "display"],
)
async def test_a_patient_may_be_named_in_any_way(house: House, patient: Json) -> None:
    dose = {**vaccine("hexavalent", "2026-08-10"), "patient": patient}
    assert of(await ask(house.depositor(), asked("2026-11-22", dose)))[HEXAVALENT]["doseNumberPositiveInt"] == 2


async def test_of_a_patient_without_id_the_vaccines_are_theirs(house: House) -> None:
    body = asked("2026-11-22", vaccine("hexavalent", "2026-08-10", "anybody"))
    del body["parameter"][1]["resource"]["id"]
    assert of(await ask(house.depositor(), body))[HEXAVALENT]["doseNumberPositiveInt"] == 2


@pytest.mark.parametrize("on", ["1850-01-01", "2199-12-31"])
@pytest.mark.parametrize("born", ["1850-01-01", "2026-06-10", "2199-12-31"])
async def test_no_date_is_too_far(house: House, on: str, born: str) -> None:
    dose = vaccine("hexavalent", "2199-12-31"), vaccine("mmr", "1850-01-01")
    found = await ask(house.depositor(), asked(on, *dose, birthDate=born))
    assert validate("Parameters", found) == ()


async def test_in_english(house: House) -> None:
    found = await ask(house.depositor(), asked(), Accept_Language="en")
    assert found["parameter"][0]["resource"]["language"] == "en"
    assert of(found)[HEXAVALENT]["forecastReason"][0]["text"].startswith("There is still time")


def without(name: str) -> Json:
    body = asked()
    return {**body, "parameter": [one for one in body["parameter"] if one["name"] != name]}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (without("assessmentDate"), "where(name = 'assessmentDate')"),
        (without("patient"), "where(name = 'patient')"),
        (asked("2026-02-30"), "where(name = 'assessmentDate')"),
        (asked("9999-12-31"), "where(name = 'assessmentDate')"),
        (asked("0001-01-01"), "where(name = 'assessmentDate')"),
        (asked(birthDate="2026"), "where(name = 'patient')[0].resource.birthDate"),
        (asked(gender="x"), "where(name = 'patient')[0].resource.gender"),
        (asked("2026-11-22", vaccine("mmr", "2026-01-01"), vaccine("mmr", "x")), "[1].resource.occurrence"),
        (asked("2026-11-22", {"resourceType": "Observation"}), "[0].resource.resourceType"),
        (asked("2026-11-22", vaccine("mmr", "2026-01-01"), vaccine("mmr", "2026-02-01", "q")), "[1].resource.patient"),
        (asked("2026-11-22", vaccine("mmr", "2026-01-01", "p/_history/1"), id="q"), "[0].resource.patient"),
        ({"resourceType": "Parameters", "parameter": [{"name": "born", "valueDate": "x"}]}, "Parameters.parameter"),
    ],
)
async def test_what_cannot_be_forecast_is_refused_where_it_is(house: House, body: Json, where: str) -> None:
    answer = await house.depositor().post("$immds-forecast", body)
    assert answer.status_code == 422, answer.text
    assert any(where in one["expression"][0] for one in answer.json()["issue"]), answer.text


async def test_a_token_is_needed_and_what_was_asked_leaves_one_entry_and_nothing_else(house: House) -> None:
    assert (await house.http.post("/fhir/$immds-forecast", json=asked())).status_code == 401

    def rows() -> tuple[int, list[Any]]:
        _, chain = chain_of_client("hospital")
        with Session(house.parts.engine) as session:
            mine = select(journal).where(journal.c.chain == chain).order_by(journal.c.seq)
            return len(session.execute(select(stored.c.id)).all()), list(session.execute(mine).all())

    kept, before = rows()
    await ask(house.depositor(), asked("2026-11-22", vaccine("hexavalent", "2026-08-10")))
    still, after = rows()
    assert still == kept
    [entry] = after[len(before) :]
    assert (entry.tag, list(entry.resources)) == ("prevention", [])


# Of a record


async def forecast(caller: Caller, record: str, query: str = "") -> dict[str, Json]:
    answer = await caller.get(f"Patient/{record}/$immds-forecast{query}")
    assert answer.status_code == 200, answer.text
    assert validate("Parameters", answer.json()) == ()
    return of(answer.json())


async def test_of_a_record_it_says_what_the_same_resources_would(house: House) -> None:
    record = await house.open_record(birthDate="2026-06-10")
    dose = vaccine("hexavalent", "2026-08-10", record)
    assert (await house.depositor().post("Immunization", dose)).status_code == 201
    before = len(entries(house, record))
    found = await forecast(house.citizen(record), record)
    assert found == of(await ask(house.depositor(), asked("2026-11-22", dose, id=record)))
    [entry] = entries(house, record)[before:]
    assert (entry.tag, list(entry.resources)) == ("prevention", [f"Patient/{record}"])
    earlier = await forecast(house.citizen(record), record, "?assessmentDate=2026-08-09")
    assert status(earlier[HEXAVALENT]) == {STATUS: "soon"}


async def test_what_is_masked_is_not_forecast_from(house: House) -> None:
    bare, masked = [await house.open_record(birthDate="2026-06-10") for _ in range(2)]
    dose = vaccine("hexavalent", "2026-08-10", masked)
    made = (await house.depositor().post("Immunization", dose)).json()["id"]
    await house.relate(bare, DOCTOR.id)
    await house.relate(masked, DOCTOR.id)
    doctor = as_professional(house, DOCTOR)
    told = [await forecast(doctor, one) for one in (bare, masked)]
    assert told[0] != told[1]
    section = {"name": "section", "valueCode": "vaccinations"}
    answer = await house.citizen(masked).post(
        f"Patient/{masked}/$mask", {"resourceType": "Parameters", "parameter": [section]}
    )
    assert answer.status_code == 200, answer.text
    told = [await forecast(doctor, one) for one in (bare, masked)]
    assert told[0] == told[1]
    assert (await forecast(house.citizen(masked), masked)) != told[1]
    assert (await house.citizen(masked).get(f"Immunization/{made}")).status_code == 200


async def test_whose_forecast_one_may_ask(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    path = f"Patient/{record}/$immds-forecast"
    absent = (await house.citizen(other).get(path)).json()
    for caller in (delegate(house, other), house.depositor(), house.operator(), as_professional(house, DOCTOR)):
        answer = await caller.get(path)
        assert (answer.status_code, answer.json()) == (404, absent)
    assert (await house.citizen(record, ("patient/Immunization.rs",)).get(path)).status_code == 403
    assert (await house.citizen(record).get(f"{path}?assessmentDate=x")).status_code == 400
    assert (await house.citizen(record).get(f"{path}?assessmentDate=9999-12-31")).status_code == 400
