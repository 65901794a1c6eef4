"""What is read of a record, resource by resource: what counts, from when, and what is not believed."""

from datetime import date
from typing import Any

import pytest

from phr.access.consent import CLIENT
from phr.prevention.canonical import ANSWER, FACT, LOINC, SNOMED, plan_of
from phr.prevention.codes import VALUE_SETS
from phr.prevention.dates import EVER, NEVER
from phr.prevention.elements import first
from phr.prevention.person import Answer, Event, Person, Pregnancy, Statement
from phr.prevention.record import person_of
from phr.prevention.rulebook import RULES

Json = dict[str, Any]
PERSONS: Json = {"meta": {"tag": [{"system": CLIENT, "code": "app"}]}}
"""Of what the person wrote."""
MAMMOGRAPHY, CERVICAL = "breast-cancer-screening", "cervical-cancer-screening-30-65"


def coded(system: str, code: str, **more: Any) -> Json:
    return {"coding": [{"system": system, "code": code}], **more}


def of_set(name: str) -> Json:
    code = VALUE_SETS[name].codes[0]
    return coded(code.system, code.code)


def patient(**more: Any) -> Json:
    return {"resourceType": "Patient", "gender": "female", "birthDate": "1976-05-17", **more}


def immunization(on: str, vaccine: Json, **more: Any) -> Json:
    base = {"resourceType": "Immunization", "status": "completed", "vaccineCode": vaccine, "occurrenceDateTime": on}
    return {**base, **more}


def procedure(on: str, name: str = "mammography", **more: Any) -> Json:
    base = {"resourceType": "Procedure", "status": "completed", "code": of_set(name), "performedDateTime": on}
    return {**base, **more}


def observation(code: Json, on: str = "2026-01-02", **more: Any) -> Json:
    return {"resourceType": "Observation", "status": "final", "code": code, "effectiveDateTime": on, **more}


def fact(name: str, value: bool, on: str, **more: Any) -> Json:
    return observation(coded(FACT, name), on, valueBoolean=value, **more)


def condition(code: Json, clinical: str = "active", **more: Any) -> Json:
    return {"resourceType": "Condition", "clinicalStatus": coded("", clinical), "code": code, **more}


def task(rule: str, said: str, on: str, **more: Any) -> Json:
    return {
        "resourceType": "Task",
        "status": "completed",
        "instantiatesCanonical": plan_of(rule),
        "businessStatus": coded(ANSWER, said),
        "executionPeriod": {"start": on},
        "authoredOn": f"{on}T10:00:00+01:00",
        **PERSONS,
        **more,
    }


def sets(person: Person) -> list[tuple[str, str]]:
    """Each event, by its day and its first set."""
    return [(event.on.isoformat(), min(event.sets)) for event in person.events]


def names(person: Person) -> set[str]:
    return {name for event in person.events for name in event.sets}


# Who


def test_a_birth_date_is_whole_or_not_known() -> None:
    assert person_of([patient()]) == Person(date(1976, 5, 17), "female")
    for partial in ("1976", "1976-05", "17/05/1976", None, 1976):
        assert person_of([patient(birthDate=partial)]).born is None
    assert person_of([]) == Person(None, None)


@pytest.mark.parametrize("gender", ["other", "unknown", None, "Female"])
def test_a_gender_that_is_not_one_of_two_is_not_known(gender: str | None) -> None:
    assert person_of([patient(gender=gender)]).sex is None
    assert person_of([patient(gender="male")]).sex == "male"


# What was done


def test_a_vaccine_is_known_by_any_of_its_codes_or_by_its_name() -> None:
    by_atc = immunization("2020-03-01", coded("http://www.whocc.no/atc", "J07CA09"))
    by_cvx = immunization("2020-05-01", coded("http://hl7.org/fhir/sid/cvx", "146"))
    by_text = immunization("2021-03-01", {"text": "Vaccin INFANRIX HEXA, lot A1"})
    display = {"coding": [{"system": "urn:cis", "code": "1", "display": "PRIORIX, poudre"}]}
    person = person_of([immunization("2019-01-01", display), by_text, by_atc, by_cvx])
    assert [event.on.year for event in person.events] == [2019, 2020, 2020, 2021]
    assert all({"hexavalent", "hepatitis-b", "hib"} <= event.sets for event in person.events[1:])
    assert "mmr" in person.events[0].sets
    assert not any(event.declared for event in person.events)


@pytest.mark.parametrize("status", ["entered-in-error", "not-done", None])
def test_what_was_not_done_is_not_there(status: str | None) -> None:
    vaccine = coded("http://www.whocc.no/atc", "J07CA09")
    assert person_of([immunization("2020-03-01", vaccine, status=status)]).events == ()
    assert person_of([procedure("2020-03-01", status=status)]).events == ()
    assert person_of([observation(of_set("fit"), status=status)]).events == ()
    note = {"resourceType": "DocumentReference", "status": status, "type": of_set("mammography"), "date": "2020-01-01"}
    assert person_of([note]).events == ()


def test_what_no_rule_knows_or_has_no_date_is_left_out() -> None:
    assert person_of([immunization("2020-03-01", coded("urn:x", "1", text="Vaccin"))]).events == ()
    assert person_of([immunization("", coded("http://www.whocc.no/atc", "J07CA09"))]).events == ()
    assert person_of([procedure("", performedDateTime=None)]).events == ()


def test_acts_are_read_from_procedures_observations_and_documents() -> None:
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": coded(LOINC, "11502-2"),
        "date": "2024-05-05T10:00:00Z",
        "context": {"event": [of_set("mammography")], "period": {"start": "2024-04-28", "end": "2024-04-29"}},
    }
    period = procedure("", performedDateTime=None, performedPeriod={"start": "2022-01-05", "end": "2022-01-07"})
    found = person_of([document, period, observation(of_set("fit"), "2023-02-03T23:30:00Z")])
    assert sets(found) == [("2022-01-05", "mammography"), ("2023-02-04", "fit"), ("2024-04-28", "mammography")]
    bare = {**document, "context": {}, "type": of_set("bone-density")}
    assert sets(person_of([bare])) == [("2024-05-05", "bone-density")]
    assert person_of([{**document, "docStatus": "entered-in-error"}]).events == ()
    assert person_of([{**document, "status": "superseded"}]).events == ()


def test_a_vaccination_note_counts_by_its_words_another_document_does_not() -> None:
    note = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": coded(LOINC, "87273-9"),
        "date": "2024-05-05",
        "description": "Vaccination par Shingrix",
    }
    assert names(person_of([note])) == {"zoster-recombinant"}
    assert person_of([{**note, "type": coded(LOINC, "11502-2")}]).events == ()
    about = {"event": [{"text": "Gardasil 9"}]}
    assert names(person_of([{**note, "description": None, "context": about}])) == {"hpv"}


def test_what_the_person_wrote_is_declared() -> None:
    vaccine = coded("http://www.whocc.no/atc", "J07CA09")
    origin = coded("http://terminology.hl7.org/CodeSystem/immunization-origin", "recall")
    for told in (PERSONS, {"reportOrigin": origin}):
        assert [event.declared for event in person_of([immunization("2020-03-01", vaccine, **told)]).events] == [True]
    assert person_of([procedure("2020-03-01", **PERSONS)]).events[0].declared


@pytest.mark.parametrize("how", ["A", "AA", "POS"])
def test_an_abnormal_cervical_test_is_one(how: str) -> None:
    interpretation = [coded("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", how)]
    for name in ("cervical-cytology", "hpv-test"):
        assert "cervical-abnormal" in names(person_of([observation(of_set(name), interpretation=interpretation)]))
    assert "cervical-abnormal" not in names(person_of([observation(of_set("fit"), interpretation=interpretation)]))
    normal = [coded("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N")]
    assert "cervical-abnormal" not in names(person_of([observation(of_set("hpv-test"), interpretation=normal)]))


def test_an_abnormal_result_is_known_by_its_value() -> None:
    for value in (coded(SNOMED, "10828004"), of_set("cervical-abnormal")):
        found = person_of([observation(of_set("cervical-cytology"), valueCodeableConcept=value)])
        assert {"cervical-abnormal", "cervical-cytology"} <= names(found)


# Dates


def test_a_partial_date_is_its_first_day_never_before_birth() -> None:
    assert first("2024") == date(2024, 1, 1)
    assert first("2024-05") == date(2024, 5, 1)
    assert first("2024", date(2024, 3, 9)) == first("2024-03", date(2024, 3, 9)) == date(2024, 3, 9)
    assert first("2023", date(2024, 3, 9)) == date(2023, 1, 1)
    assert first("2024-02-30") is first("24") is first("2024-13") is first({}) is first(None) is None
    assert sets(person_of([patient(), procedure("2024")])) == [("2024-01-01", "mammography")]


def test_an_instant_is_the_day_it_was_in_paris() -> None:
    assert first("2024-06-30T22:30:00Z") == date(2024, 7, 1)
    assert first("2024-06-30T23:30:00+02:00") == date(2024, 6, 30)


# Facts


def test_a_fact_answered_holds_until_it_is_answered_otherwise() -> None:
    person = person_of([fact("frail-contact", True, "2025-01-01"), fact("frail-contact", False, "2026-02-01")])
    assert person.answers["frail-contact"] == (
        Answer(True, date(2025, 1, 1), date(2026, 2, 1)),
        Answer(False, date(2026, 2, 1), date(2027, 2, 1)),
    )


def test_an_answer_ends_when_it_says_so() -> None:
    period = {"start": "2026-01-01", "end": "2026-01-31"}
    found = fact("frail-contact", True, "", effectiveDateTime=None, effectivePeriod=period)
    assert person_of([found]).answers["frail-contact"] == (Answer(True, date(2026, 1, 1), date(2026, 2, 1)),)


def test_what_is_no_fact_answers_nothing() -> None:
    assert person_of([fact("no-such-fact", True, "2026-01-01")]).answers == {}
    assert person_of([fact("born", True, "2026-01-01")]).answers == {}
    assert person_of([observation(coded("urn:x", "smoker"), valueBoolean=True)]).answers == {}
    assert person_of([fact("smoker", True, "2026-01-01", status="entered-in-error")]).answers == {}


def test_tobacco() -> None:
    def known(*codes: tuple[str, str]) -> dict[str, tuple[Answer, ...]]:
        listed = [
            observation(coded(LOINC, "72166-2"), on, valueCodeableConcept=coded(SNOMED, code)) for on, code in codes
        ]
        return dict(person_of(listed).answers)

    smoking, stopped, never = "77176002", "8517006", "266919005"
    now = known(("2020-01-01", smoking))
    assert now["smoker"] == (Answer(True, date(2020, 1, 1)),)
    assert now["smoked"] == (Answer(True, date(2020, 1, 1), date(2040, 1, 1)),)
    assert known(("2026-01-01", stopped)) == {"smoker": (Answer(False, date(2026, 1, 1), date(2027, 1, 1)),)}
    both = known(("2026-01-01", stopped), ("2020-01-01", smoking))
    assert both["smoker"][0] == Answer(True, date(2020, 1, 1), date(2026, 1, 1))
    assert both["smoked"] == now["smoked"]
    assert [said[0].value for said in known(("2026-01-01", never)).values()] == [False, False]
    assert known(("2026-01-01", "266927001")) == {}


def test_a_condition_is_true_from_its_onset() -> None:
    diabetes = coded("http://hl7.org/fhir/sid/icd-10", "E11.9")
    person = person_of([condition(diabetes, onsetDateTime="2015-06")])
    assert person.answers["chronic-disease"] == (Answer(True, date(2015, 6, 1)),)
    assert person_of([condition(diabetes)]).answers["chronic-disease"] == (Answer(True, EVER, NEVER),)


@pytest.mark.parametrize("over", ["resolved", "inactive", "remission"])
def test_a_condition_that_is_over_is_true_until_then_and_not_known_after(over: str) -> None:
    diabetes = coded("http://hl7.org/fhir/sid/icd-10", "E11.9")
    ended = condition(diabetes, over, onsetDateTime="2015-06-01", abatementDateTime="2020-01-01")
    assert person_of([ended]).answers["chronic-disease"] == (Answer(True, date(2015, 6, 1), date(2020, 1, 1)),)
    assert person_of([condition(diabetes, over)]).answers == {}


def test_a_condition_refuted_is_a_no_and_one_in_error_is_nothing() -> None:
    diabetes = coded("http://hl7.org/fhir/sid/icd-10", "E11.9")
    refuted = condition(diabetes, verificationStatus=coded("", "refuted"), recordedDate="2026-01-01")
    assert person_of([refuted]).answers["chronic-disease"] == (Answer(False, date(2026, 1, 1), date(2027, 1, 1)),)
    assert person_of([condition(diabetes, verificationStatus=coded("", "entered-in-error"))]).answers == {}


def test_a_condition_stands_against_a_no() -> None:
    diabetes = coded("http://hl7.org/fhir/sid/icd-10", "E11.9")
    no = fact("chronic-disease", False, "2026-01-01")
    found = person_of([condition(diabetes, onsetDateTime="2015-06-01"), no]).answers["chronic-disease"]
    assert [one.value for one in found] == [False, True]


def test_a_questionnaire_answers_facts() -> None:
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "authored": "2026-03-01T10:00:00Z",
        "item": [
            {
                "linkId": "habits",
                "item": [
                    {"linkId": "fact:smoker", "answer": [{"valueBoolean": False}]},
                    {"linkId": "7", "definition": f"{FACT}#frail-contact", "answer": [{"valueBoolean": True}]},
                    {"linkId": "fact:smoked", "answer": [{"valueString": "yes"}]},
                    {"linkId": "smoked", "answer": [{"valueBoolean": True}]},
                    {"linkId": "fact:nothing", "answer": [{"valueBoolean": True}]},
                ],
            }
        ],
    }
    person = person_of([response])
    assert person.answers == {
        "smoker": (Answer(False, date(2026, 3, 1), date(2027, 3, 1)),),
        "frail-contact": (Answer(True, date(2026, 3, 1)),),
    }
    assert person_of([{**response, "status": "in-progress"}]).answers == {}


# Pregnancy


def period(on: str, start: str) -> Json:
    return observation(coded(LOINC, "8665-2"), on, valueDateTime=start)


def pregnant(on: str, value: str = "77386006") -> Json:
    return observation(coded(LOINC, "82810-3"), on, valueCodeableConcept=coded(SNOMED, value))


def test_a_last_period_alone_is_no_pregnancy() -> None:
    assert person_of([period("2026-03-20", "2026-03-01")]).pregnancies == ()
    found = person_of([period("2026-03-20", "2026-03-01"), pregnant("2026-05-01")])
    assert found.pregnancies == (Pregnancy(date(2026, 3, 1)),)
    assert found.answers["pregnant"] == (Answer(True, date(2026, 5, 1), date(2027, 3, 12)),)


def test_a_due_date_dates_a_pregnancy_and_the_last_said_counts() -> None:
    due = observation(coded(LOINC, "11778-8"), "2026-05-20", valueDateTime="2026-12-10")
    known = person_of([due, period("2026-05-01", "2026-03-01"), pregnant("2026-05-01")]).pregnancies
    assert known == (Pregnancy(date(2026, 3, 5)),)
    assert person_of([due]).pregnancies == known


def test_a_no_ends_a_pregnancy() -> None:
    over = person_of([pregnant("2026-05-01"), period("2026-05-01", "2026-03-01"), pregnant("2026-06-20", "60001007")])
    assert over.pregnancies == (Pregnancy(date(2026, 3, 1), date(2026, 6, 20)),)
    assert [one.value for one in over.answers["pregnant"]] == [True, False]


def test_the_question_answered_is_a_pregnancy() -> None:
    code = {"coding": [{"system": FACT, "code": "pregnancy-start"}, {"system": LOINC, "code": "8665-2"}]}
    assert person_of([observation(code, "2026-05-01", valueDateTime="2026-03-01")]).pregnancies == (
        Pregnancy(date(2026, 3, 1)),
    )


# What was said


def test_what_was_said_stands_as_dated() -> None:
    later = task(MAMMOGRAPHY, "later", "2026-03-01", executionPeriod={"start": "2026-03-01", "end": "2026-08-31"})
    assert person_of([later]).statements == (Statement(MAMMOGRAPHY, "later", date(2026, 3, 1), date(2026, 9, 1)),)
    assert person_of([{**later, "status": "entered-in-error"}]).statements == ()
    assert person_of([{**later, "instantiatesCanonical": plan_of("nothing")}]).statements == ()
    assert person_of([{**later, "businessStatus": coded("urn:x", "later")}]).statements == ()
    assert person_of([{**later, "instantiatesCanonical": f"{plan_of(MAMMOGRAPHY)}|2024-01-01"}]).statements != ()


@pytest.mark.parametrize("said", ["contraindicated", "indicated"])
def test_what_a_professional_says_only_a_professional_can_have_written(said: str) -> None:
    theirs = task(MAMMOGRAPHY, said, "2026-03-01", meta={})
    assert [one.said for one in person_of([theirs]).statements] == [said]
    assert person_of([{**theirs, **PERSONS}]).statements == ()


@pytest.mark.parametrize("said", ["not-concerned", "later", "declined", "done"])
def test_what_the_person_says_no_other_can_have_written(said: str) -> None:
    forged = task(MAMMOGRAPHY, said, "2026-03-01", meta={"tag": [{"system": "urn:x", "code": "app"}]})
    found = person_of([forged])
    assert (found.statements, found.events) == ((), ())


def test_what_the_person_did_is_declared_and_ends_what_they_had_said() -> None:
    refused = task(MAMMOGRAPHY, "declined", "2026-01-01")
    warned = task(MAMMOGRAPHY, "contraindicated", "2026-01-02", meta={})
    other = task(CERVICAL, "declined", "2026-01-01")
    did = task(MAMMOGRAPHY, "done", "2025-06-01", authoredOn="2026-03-01T10:00:00Z")
    person = person_of([refused, warned, other, did])
    assert person.events == (Event(date(2025, 6, 1), frozenset({"mammography"}), True),)
    assert person.events[0].sets == {"mammography"}
    assert person.events[0].declared
    assert person.statements == (
        Statement(MAMMOGRAPHY, "declined", date(2026, 1, 1), date(2026, 3, 1)),
        Statement(CERVICAL, "declined", date(2026, 1, 1)),
        Statement(MAMMOGRAPHY, "contraindicated", date(2026, 1, 2)),
    )
    again = task(MAMMOGRAPHY, "declined", "2026-04-01")
    assert len(person_of([refused, did, again]).statements) == 2


def test_what_is_taken_back_does_not_come_back() -> None:
    refused = task(MAMMOGRAPHY, "declined", "2026-01-01")
    period = {"start": "2026-03-01", "end": "2026-03-31"}
    person = person_of([refused, task(MAMMOGRAPHY, "later", "2026-03-01", executionPeriod=period)])
    assert [(one.said, one.until) for one in person.statements] == [
        ("declined", date(2026, 3, 1)),
        ("later", date(2026, 4, 1)),
    ]
    same_day = task(MAMMOGRAPHY, "not-concerned", "2026-01-01")
    assert [one.said for one in person_of([refused, same_day]).statements] == ["not-concerned"]
    warned = task(MAMMOGRAPHY, "contraindicated", "2026-01-02", meta={})
    asked = task(MAMMOGRAPHY, "indicated", "2026-02-02", meta={})
    assert [(one.said, one.until) for one in person_of([refused, warned, asked]).statements] == [
        ("declined", None),
        ("contraindicated", date(2026, 2, 2)),
        ("indicated", None),
    ]


def test_later_without_until_when_says_nothing() -> None:
    refused = task(MAMMOGRAPHY, "declined", "2026-01-01")
    for period in ({"start": "2026-03-01"}, {"start": "2026-03-01", "end": "9999-12-31"}):
        endless = task(MAMMOGRAPHY, "later", "2026-03-01", executionPeriod=period)
        assert person_of([endless]).statements == ()
        assert [(one.said, one.until) for one in person_of([refused, endless]).statements] == [("declined", None)]


@pytest.mark.parametrize("day", ["0001-01-01", "1849-12-31", "2200-01-01", "9999-12-31", "9999-12", "9999"])
def test_a_day_that_nobody_lives_is_not_known(day: str) -> None:
    """Many write 9999-12-31 where there is no end, and 0001-01-01 where the day is not known."""
    period = {"effectiveDateTime": None, "effectivePeriod": {"start": "2026-01-01", "end": day}}
    endless = {**fact("breast-high-risk", True, "2026-01-01"), **period}
    assert person_of([endless]).answers["breast-high-risk"] == (Answer(True, date(2026, 1, 1), NEVER),)
    assert person_of([patient(birthDate=day)]).born is None
    told = [procedure(day), task(MAMMOGRAPHY, "declined", day), task(CERVICAL, "done", day)]
    due = observation(coded(LOINC, "11778-8"), "2026-01-01", valueDateTime=day)
    assert person_of([*told, due]) == Person(None, None)


def test_what_was_done_by_several_means_holds_for_the_shortest() -> None:
    rule = RULES.get(CERVICAL)
    assert rule is not None
    holds = rule.versions[0].schedule.holds
    shortest = min(holds, key=lambda hold: hold.lasts.after(date(2026, 1, 1)))
    assert person_of([task(CERVICAL, "done", "2026-01-01")]).events[0].sets == shortest.sets


def test_a_record_of_anything_is_read_without_a_fault() -> None:
    odd: list[Json] = [
        {"resourceType": "Immunization", "status": "completed", "vaccineCode": [{"coding": {"code": None}}, 3]},
        {"resourceType": "Observation", "status": "final", "code": None, "effectiveDateTime": "2026-01-01"},
        {"resourceType": "DocumentReference", "status": "current", "context": [], "date": 3},
        {"resourceType": "Condition"},
        {"resourceType": "QuestionnaireResponse", "status": "completed", "authored": "2026", "item": {"answer": 1}},
        {"resourceType": "Task", "instantiatesCanonical": 7, "businessStatus": []},
        {"resourceType": "Nothing"},
        {},
    ]
    assert person_of(odd) == Person(None, None)
