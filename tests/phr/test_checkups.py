"""Key-age check-ups over HTTP: filled in from what the reader sees, checked, kept with their PDF, shared with one."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from auth.scopes import Scope
from fhir.validation import validate
from phr import codes
from phr.access.journal import Tag
from phr.access.reader import Citizen
from phr.access.visit import Visit
from phr.checkup_answers import answers_of, check, response_of
from phr.checkups import questionnaire
from phr.core.errors import DomainError, Reason
from phr.journal_words import day_of
from phr.prevention.advice import Status
from phr.prevention.codes import VALUE_SETS
from phr.prevention.dates import day
from phr.prevention.engine import advise
from phr.prevention.record import person_of
from phr.prevention.rulebook import RULES
from phr.questionnaires import ANSWER, FOLDER, QUESTIONNAIRES, Questionnaire, at_age, load, resource
from tests import deposit
from tests.house import House, observation
from tests.kin import Person, care, parameters, person
from tests.notifications.told import next_change
from tests.phr.care import DOCTOR, body, consents, notes, software, who

Json = dict[str, Any]
BORN = f"{datetime.now(UTC).year - 47}-03-04"
MADE = QUESTIONNAIRES["check-up-45-50"]
RPPS = "urn:oid:1.2.250.1.71.4.2.1"
ANSWERS: dict[str, tuple[Any, ...]] = {
    "you.sex": ("female",),
    "you.height": (168,),
    "fact:smoker": (True,),
    "addictions.cigarettes": (12,),
    "history.family": ("heart", "bowel"),
    "you.born": (BORN,),
    "talk.about": ("Le sommeil",),
}


def named(value: str = DOCTOR.id) -> Json:
    return {"name": "professional", "valueIdentifier": {"system": RPPS, "value": value}}


def completing(response: Json, *more: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "response", "resource": response}, *more]}


def sharing(response: Json, professional: str = DOCTOR.id) -> Json:
    reference = f"QuestionnaireResponse/{response['id']}"
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": "response", "valueString": reference}, named(professional)],
    }


def filled(record: str, **more: Any) -> Json:
    return response_of(MADE, {**ANSWERS, **more}, record, "in-progress")


async def woman(house: House) -> Person:
    return await person(house, "Sarah", "Benali", BORN)


async def completed(who: Person) -> Json:
    answer = await who.caller().post(f"{who.patient}/$complete-check-up", completing(filled(who.record)))
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def papers(caller: Any, record: str, **more: str) -> list[Json]:
    asked = "".join(f"&{name}={value}" for name, value in more.items())
    found = (await caller.get(f"DocumentReference?patient={record}&type=http://loinc.org|74465-6{asked}")).json()
    return [one["resource"] for one in found.get("entry", ())]


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


# The questionnaires themselves.


@pytest.mark.parametrize("made", QUESTIONNAIRES.values(), ids=lambda one: one.id)
def test_each_is_a_valid_questionnaire_of_20_to_35_questions_in_both_languages(made: Questionnaire) -> None:
    assert 20 <= len(list(made.items())) <= 35
    found = resource(made)
    assert validate("Questionnaire", found) == ()
    for item in found["item"]:
        for one in (item, *item["item"]):
            [english] = one["_text"]["extension"]
            assert english["extension"][1]["valueString"] not in ("", one["text"])
    facts = [one["code"][0]["code"] for item in found["item"] for one in item["item"] if "code" in one]
    assert [one["linkId"] for item in found["item"] for one in item["item"] if "code" in one] == [
        f"fact:{name}" for name in facts
    ]
    assert "smoker" in facts
    assert "chronic-disease" in facts


def test_what_is_filled_in_from_what_was_done_names_value_sets_that_exist() -> None:
    wanted = {name for made in QUESTIONNAIRES.values() for one in made.items() for name in one.known.done}
    assert wanted <= VALUE_SETS.keys()


def test_nobody_is_asked_what_is_for_another_sex_or_age() -> None:
    young, old = ({one.id: one for one in QUESTIONNAIRES[f"check-up-{ages}"].items()} for ages in ("18-25", "70-75"))
    assert "sexuality.test" in young
    assert "sexuality.test" not in old
    assert "autonomy.falls" in old
    assert "autonomy.falls" not in young
    assert not old["screening.breast"].asked({"you.sex": ("male",)})
    assert not old["screening.breast"].asked({})
    assert old["screening.breast"].asked({"you.sex": ("female",)})


@pytest.mark.parametrize(
    ("on", "ages"),
    [
        ("2018-03-03", None), ("2018-03-04", "18-25"), ("2026-03-03", "18-25"), ("2026-03-04", None),
        ("2045-03-03", None), ("2045-03-04", "45-50"), ("2051-03-03", "45-50"), ("2051-03-04", None),
        ("2060-03-04", "60-65"), ("2066-03-03", "60-65"), ("2066-03-04", None),
        ("2070-03-04", "70-75"), ("2076-03-03", "70-75"), ("2076-03-04", None),
    ],
)  # fmt: skip
def test_ages_are_whole_and_both_ends_are_inside(on: str, ages: str | None) -> None:
    found = at_age(date(2000, 3, 4), date.fromisoformat(on))
    assert (found and found.id) == (ages and f"check-up-{ages}")


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('fact = "smoker"', 'fact = "smoking"', "addictions.toml: smoking"),
        ('item = "addictions.alcohol"', 'item = "addictions.glasses"', "which is not before it"),
        ('id = "stop"', 'id = "cigarettes"', "asked twice"),
        ('id = "cannabis"', 'id = "cannabis"\nwhy = "x"', "unknown field"),
        ('id = "cannabis"', 'id = "cannabis"\ntype = "choice"', "a choice has options"),
    ],
)
def test_a_file_that_says_anything_else_is_refused(tmp_path: Any, was: str, becomes: str, told: str) -> None:
    for path in FOLDER.glob("*.toml"):
        text = path.read_text("utf-8")
        (tmp_path / path.name).write_text(text.replace(was, becomes) if path.stem == "addictions" else text, "utf-8")
    with pytest.raises(ValueError, match=re.escape(told)):
        load(tmp_path)


# Answers.


def test_answers_are_written_and_read_back() -> None:
    made = response_of(MADE, ANSWERS, "x", "completed")
    assert validate("QuestionnaireResponse", made) == ()
    assert check(MADE, made) == ()
    assert answers_of(MADE, made) == ANSWERS


def test_what_is_not_asked_is_not_written() -> None:
    answers = {**ANSWERS, "fact:smoker": (False,)}
    assert "addictions.cigarettes" not in answers_of(MADE, response_of(MADE, answers, "x", "completed"))


def one(link: str, *given: Json, theme: str = "") -> Json:
    group = theme or link.partition(".")[0]
    return {"item": [{"linkId": group, "item": [{"linkId": link, "answer": list(given)}]}]}


AT = "QuestionnaireResponse.item[0].item[0]"


@pytest.mark.parametrize(
    ("response", "where"),
    [
        ({}, "QuestionnaireResponse.item"),
        ({"item": [{"linkId": "elsewhere"}]}, "QuestionnaireResponse.item[0].linkId"),
        ({"item": [{"linkId": "you", "answer": [{"valueBoolean": True}]}]}, "QuestionnaireResponse.item[0].linkId"),
        (one("you.shoes", {"valueInteger": 1}), f"{AT}.linkId"),
        (one("you.height", {"valueInteger": 168}, theme="food"), f"{AT}.linkId"),
        (one("you.height", {"valueString": "168"}), f"{AT}.answer[0]"),
        (one("you.height", {"valueInteger": True}), f"{AT}.answer[0]"),
        (one("you.height", {"valueInteger": 251}), f"{AT}.answer[0]"),
        (one("you.height", {"valueInteger": 49}), f"{AT}.answer[0]"),
        (one("you.height", {"valueInteger": 168}, {"valueInteger": 169}), f"{AT}.answer"),
        (one("you.doctor", {"valueInteger": 1}), f"{AT}.answer[0]"),
        (one("you.born", {"valueDate": "1978-03"}), f"{AT}.answer[0]"),
        (one("you.sex", {"valueCoding": {"system": ANSWER, "code": "other"}}), f"{AT}.answer[0]"),
        (one("you.sex", {"valueCoding": {"code": "female"}}), f"{AT}.answer[0]"),
        (one("talk.about", {"valueString": "x" * 1001}), f"{AT}.answer[0]"),
        (one("addictions.cigarettes", {"valueInteger": 3}), f"{AT}.answer"),
        (one("you.doctor", {"valueBoolean": True, "item": []}), f"{AT}.item"),
        (
            {"item": [{"linkId": "you", "item": [{"linkId": "you.doctor"}, {"linkId": "you.doctor"}]}]},
            "QuestionnaireResponse.item[0].item[1].linkId",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_where(response: Json, where: str) -> None:
    assert where in [issue.expression for issue in check(MADE, response)]


# Over HTTP.


async def test_it_is_read_as_any_resource_of_the_commons(house: House) -> None:
    sarah = await woman(house)
    scopes = (Scope("patient", "*", frozenset("cruds")),)
    asking = Visit(house.parts.installation, Citizen("app", str(sarah.account), sarah.record), scopes, (), house.now())
    row, view = await questionnaire(asking, MADE.id)
    found = row.json(view.keyring)
    assert found["id"] == MADE.id
    assert {name: value for name, value in found.items() if name != "meta"} == resource(MADE)
    assert (await questionnaire(asking, MADE.id))[0].etag == row.etag
    assert [note.asked for tag, note in notes(house, sarah.record) if tag is Tag.READ] == [
        f"Questionnaire/{MADE.id}"
    ] * 2
    with pytest.raises(DomainError) as absent:
        await questionnaire(asking, "check-up-0-5")
    assert absent.value.reason is Reason.ABSENT
    with pytest.raises(DomainError) as refused:
        await questionnaire(replace(asking, scopes=()), MADE.id)
    assert refused.value.reason is Reason.FORBIDDEN


async def test_it_is_filled_in_from_the_record(house: House) -> None:
    sarah = await woman(house)
    app = sarah.caller()
    for value, on in ((80, "2024-01-01"), (71.6, "2026-03-01"), (75, "2025-01-01")):
        kilos = {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
        await app.post("Observation", observation(sarah.record, valueQuantity=kilos, effectiveDateTime=on))
    tetanus = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": "http://www.whocc.no/atc", "code": "J07CA01"}]},
        "patient": {"reference": sarah.patient},
        "occurrenceDateTime": "2022-05-05",
    }
    assert (await app.post("Immunization", tetanus)).status_code == 201
    answer = await app.get(f"{sarah.patient}/$populate-check-up")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["status"] == "in-progress"
    assert found["questionnaire"] == MADE.canonical
    assert validate("QuestionnaireResponse", found) == ()
    answers = answers_of(MADE, found)
    assert answers["you.born"] == (BORN,)
    assert answers["you.sex"] == ("female",)
    assert answers["you.weight"] == (72,)
    assert answers["vaccination.tetanus"] == (True,)
    assert "fact:smoker" not in answers
    # Asked by name, at any age; one that is not there is not found.
    other = await app.get(f"{sarah.patient}/$populate-check-up?questionnaire=check-up-18-25")
    assert other.json()["questionnaire"].split("|")[0].endswith("check-up-18-25")
    assert (await app.get(f"{sarah.patient}/$populate-check-up?questionnaire=check-up-0-5")).status_code == 404
    assert {tag for tag, note in notes(house, sarah.record) if "populate" in note.asked} == {Tag.PREVENTION}


async def test_between_two_check_ups_none_is_chosen(house: House) -> None:
    young = await person(house, "Léo", "Petit", f"{datetime.now(UTC).year - 35}-01-01")
    answer = await young.caller().get(f"{young.patient}/$populate-check-up")
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Patient.birthDate"]


async def test_nothing_is_filled_in_from_what_the_reader_does_not_see(house: House) -> None:
    sarah = await woman(house)
    made = await software(house, DOCTOR).get(f"{sarah.patient}/$populate-check-up")
    assert made.status_code == 404
    await house.relate(sarah.record, DOCTOR.id)
    await sarah.caller().post("Observation", observation(sarah.record))
    asked = f"{sarah.patient}/$populate-check-up"
    seen = answers_of(MADE, (await software(house, DOCTOR).get(asked)).json())
    assert seen["you.weight"] == (72,)
    masked = await sarah.caller().post(f"{sarah.patient}/$mask", parameters(section="measures"))
    assert masked.status_code == 200, masked.text
    assert "you.weight" not in answers_of(MADE, (await software(house, DOCTOR).get(asked)).json())
    own = await sarah.caller(scopes=("patient/Patient.rs",)).get(asked)
    assert set(answers_of(MADE, own.json())) == {"you.born", "you.sex"}
    stranger = await person(house)
    assert (await stranger.caller().get(asked)).status_code == 404


async def test_answers_and_their_pdf_are_kept_together(house: House) -> None:
    sarah = await woman(house)
    made = await completed(sarah)
    assert made["status"] == "completed"
    assert next_change(house, sarah.record) == day(house.now()), "what is answered is advised on"
    assert abs(datetime.fromisoformat(made["authored"]) - house.now()) < timedelta(minutes=1)
    app = sarah.caller()
    assert (await app.get(f"QuestionnaireResponse/{made['id']}")).json()["status"] == "completed"
    [paper] = await papers(app, sarah.record)
    assert paper["category"][0]["coding"][0]["code"] == "90"
    assert paper["context"]["related"] == [{"reference": f"QuestionnaireResponse/{made['id']}"}]
    pdf = await app.get(paper["content"][0]["attachment"]["url"], Accept="application/pdf")
    said = text_of(pdf.content)
    assert "Sarah Benali" in said
    assert "Mon bilan prévention de 45 à 50 ans" in said
    assert "un infarctus ou un AVC avant 60 ans, un cancer du côlon ou du rectum" in said
    assert "Le sommeil" in said
    assert f"Rempli le {day_of(day(house.now()).isoformat(), 'fr')}" in said
    assert day_of(BORN, "fr") in said
    written = [note for tag, note in notes(house, sarah.record) if tag is Tag.PREVENTION]
    assert [note.asked for note in written] == [f"Patient/{sarah.record}/$complete-check-up"]
    # The list of statuses; the fact is believed.
    listed = await app.get(f"QuestionnaireResponse?patient={sarah.record}&questionnaire={MADE.canonical}")
    assert [one["resource"]["id"] for one in listed.json()["entry"]] == [made["id"]]
    again = answers_of(MADE, (await app.get(f"{sarah.patient}/$populate-check-up")).json())
    assert again["fact:smoker"] == (True,)


async def test_who_answers_in_english_reads_what_they_hand_over(house: House) -> None:
    sarah = await woman(house)
    app, more = sarah.caller(), filled(sarah.record, **{"talk.about": ("My “light” sleep — again",)})
    for lang in ("", "?lang=en"):
        answer = await app.post(f"{sarah.patient}/$complete-check-up{lang}", completing(more))
        assert answer.status_code == 201, answer.text
    french, english = [
        text_of((await app.get(one["content"][0]["attachment"]["url"], Accept="application/pdf")).content)
        for one in sorted(await papers(app, sarah.record), key=lambda one: int(one["content"][0]["attachment"]["size"]))
    ]
    assert "Do you smoke" not in french
    for said in ("Fumez-vous en ce moment ? / Do you smoke at present? Oui / Yes", f"/ {day_of(BORN, 'en')}", "168"):
        assert said in english
    assert "168 / 168" not in english
    assert english.count('My "light" sleep - again') == french.count('My "light" sleep - again') == 1
    assert "This is not medical advice." in english


async def test_what_does_not_fit_writes_nothing(house: House) -> None:
    sarah = await woman(house)
    app, address = sarah.caller(), f"{sarah.patient}/$complete-check-up"
    wrong = filled(sarah.record)
    wrong["item"][0]["item"][2]["answer"] = [{"valueInteger": 900}]
    answer = await app.post(address, completing(wrong))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["QuestionnaireResponse.item[0].item[2].answer[0]"]
    whole = filled(sarah.record)
    for response in (
        {**whole, "questionnaire": "https://carnet.example/Questionnaire/other|1"},
        {**whole, "status": "nearly"},
        {**whole, "subject": {"reference": f"Patient/{'0' * 36}"}},
        {"resourceType": "QuestionnaireResponse"},
    ):
        assert (await app.post(address, completing(response))).status_code == 422
    assert (await app.post(address, parameters(professional=DOCTOR.id))).status_code == 422
    nobody = {"name": "professional", "valueIdentifier": {"system": "urn:x", "value": "1"}}
    assert (await app.post(address, completing(whole, nobody))).status_code == 422
    assert "entry" not in (await app.get("QuestionnaireResponse")).json()
    assert await papers(app, sarah.record) == []


async def test_who_may_complete_and_share(house: House) -> None:
    sarah, claire = await woman(house), await person(house)
    await house.relate(sarah.record, DOCTOR.id)
    address, sent = f"{sarah.patient}/$complete-check-up", completing(filled(sarah.record))
    assert (await claire.caller().post(address, sent)).status_code == 404
    assert (await software(house, DOCTOR).post(address, sent)).status_code == 403
    assert (await sarah.caller(scopes=("patient/*.rs",)).post(address, sent)).status_code == 403
    await care(sarah, claire, "consult", "documents")
    helped = await claire.acting(sarah.record).post(address, sent)
    assert helped.status_code == 201, helped.text
    answer = await claire.acting(sarah.record).post(f"{sarah.patient}/$share-check-up", sharing(helped.json()))
    assert answer.status_code == 403
    both = await claire.acting(sarah.record).post(address, completing(filled(sarah.record), named()))
    assert both.status_code == 403
    assert len(await papers(sarah.caller(), sarah.record)) == 1


async def test_redone_it_takes_the_place_of_what_was_there(house: House) -> None:
    sarah = await woman(house)
    app = sarah.caller()
    begun = (await app.post("QuestionnaireResponse", filled(sarah.record))).json()
    assert begun["status"] == "in-progress"
    address = f"{sarah.patient}/$complete-check-up"
    made = await app.post(address, completing(begun))
    assert (made.status_code, made.json()["status"], made.json()["id"]) == (200, "completed", begun["id"])
    again = await app.post(address, completing({**filled(sarah.record, **{"you.height": (170,)}), "id": begun["id"]}))
    assert (again.status_code, again.json()["status"]) == (200, "amended")
    [current] = await papers(app, sarah.record, status="current")
    [old] = await papers(app, sarah.record, status="superseded")
    assert current["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{old['id']}"
    other = f"{begun['id'][:4]}{'0' * 32}"
    assert (await app.post(address, completing({**filled(sarah.record), "id": other}))).status_code == 404
    assert (await app.delete(f"QuestionnaireResponse/{begun['id']}")).status_code in (200, 204)
    assert (await app.post(address, completing(begun))).status_code == 410


async def test_shared_with_one_professional_alone_for_ninety_days(house: House) -> None:
    sarah = await woman(house)
    app = sarah.caller()
    await app.post("Observation", observation(sarah.record))
    made = await completed(sarah)
    [paper] = await papers(app, sarah.record)
    content = paper["content"][0]["attachment"]["url"]
    doctor, other = software(house, DOCTOR), software(house, who(77))
    assert (await doctor.get(content, Accept="application/pdf")).status_code == 404
    answer = await app.post(f"{sarah.patient}/$share-check-up", sharing(made))
    assert answer.status_code == 201, answer.text
    consent = answer.json()
    pdf = await doctor.get(content, Accept="application/pdf")
    assert pdf.content.startswith(b"%PDF")
    assert [one["id"] for one in await papers(doctor, sarah.record)] == [paper["id"]]
    assert "entry" not in (await doctor.get(f"Observation?patient={sarah.record}")).json()
    assert (await other.get(content, Accept="application/pdf")).status_code == 404
    assert await papers(other, sarah.record) == []
    # Twice is once; the professional finds it among their relations, the person among their Consents.
    again = await app.post(f"{sarah.patient}/$share-check-up", sharing(made))
    assert (again.status_code, again.json()["id"]) == (200, consent["id"])
    assert [one["id"] for one in await consents(app, sarah.record)] == [consent["id"]]
    relations = (await doctor.get("Patient/$relations")).json()
    assert consent["id"] in str(relations)
    # Ninety days, then nothing; or ended at once.
    end = datetime.fromisoformat(consent["provision"]["period"]["end"])
    assert timedelta(days=89) < end - house.now() <= timedelta(days=90)
    ended = await app.post(f"{sarah.patient}/$end-access", body(consent=consent["id"]))
    assert ended.status_code == 200
    assert (await doctor.get(content, Accept="application/pdf")).status_code == 404


async def test_shared_as_it_is_completed(house: House) -> None:
    sarah = await woman(house)
    address = f"{sarah.patient}/$complete-check-up"
    answer = await sarah.caller().post(address, completing(filled(sarah.record), named()))
    assert answer.status_code == 201, answer.text
    assert len(await papers(software(house, DOCTOR), sarah.record)) == 1


async def test_nothing_is_shared_with_who_is_blocked_nor_what_is_masked_nor_what_is_not_done(house: House) -> None:
    sarah = await woman(house)
    app = sarah.caller()
    begun = (await app.post("QuestionnaireResponse", filled(sarah.record))).json()
    share = f"{sarah.patient}/$share-check-up"
    assert (await app.post(share, sharing(begun))).status_code == 422
    made = await completed(sarah)
    [paper] = await papers(app, sarah.record)
    await app.post(f"{sarah.patient}/$mask", parameters(document=f"DocumentReference/{paper['id']}"))
    assert (await app.post(share, sharing(made))).status_code == 422
    await app.post(f"{sarah.patient}/$unmask", parameters(document=f"DocumentReference/{paper['id']}"))
    await app.post(f"{sarah.patient}/$block", body(professional=(RPPS, DOCTOR.id)))
    assert (await app.post(share, sharing(made))).status_code == 409
    both = await app.post(f"{sarah.patient}/$complete-check-up", completing(filled(sarah.record), named()))
    assert both.status_code == 409
    assert len(await papers(app, sarah.record)) == 1
    assert [note.refused for tag, note in notes(house, sarah.record) if note.refused] == ["blocked", "blocked"]
    unknown = {**made, "id": f"{made['id'][:4]}{'0' * 32}"}
    assert (await app.post(share, sharing(unknown, who(78).id))).status_code == 404


async def test_the_prevention_plan_comes_back(house: House) -> None:
    sarah = await woman(house)
    made = await completed(sarah)
    app = sarah.caller()
    await app.post(f"{sarah.patient}/$share-check-up", sharing(made))
    by = await deposit.clinic(house)
    kind, family = deposit.coded("http://loinc.org", "83869-8"), deposit.coded(codes.CLASS, "44")
    plan = deposit.document(sarah.record, by, type=kind, category=[family])
    stored = await deposit.deposited(software(house, DOCTOR), plan)
    found = await app.get(f"DocumentReference?patient={sarah.record}&type=http://loinc.org|83869-8")
    assert deposit.ids(found) == [stored["id"]]
    content = await app.get(deposit.bytes_of(stored), Accept="application/pdf")
    assert content.content == deposit.PDF
    # And the rule of the check-up is done, by what the record says.
    resources = [one["resource"] for one in (await app.get(f"{sarah.patient}/$everything?_count=200")).json()["entry"]]
    advice = next(
        one for one in advise(RULES, person_of(resources), day(house.now())) if one.rule.id == "key-age-check-up-45-50"
    )
    assert advice.status is Status.DONE
