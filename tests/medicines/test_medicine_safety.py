"""Safety over HTTP: what is found in lines of prescription, what is said not to be checked, and through whose eyes."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.scopes import parse
from fhir.validation import validate
from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.journal import Tag, journal
from phr.access.provision import Right
from phr.access.reader import Professional
from phr.access.scope import READ
from phr.access.visit import Visit
from phr.medicines import safety
from tests.house import Caller, House, account_of
from tests.medicines import bdpm_files as made
from tests.medicines.loaded_house import allergy, coded, lines, load, order
from tests.phr.care import DOCTOR, NURSE, SCOPES, STRANGER, notes, software

Json = dict[str, Any]
OURS = "https://carnet.example/CodeSystem/medicine-finding"
PENICILLINS = {"atc": "J01C", "display": "beta-lactam antibacterials, penicillins"}


async def ask(caller: Caller, record: str, *resources: Json) -> tuple[list[Json], list[str]]:
    answer = await caller.post(f"Patient/{record}/$check-medicines", lines(*resources))
    assert answer.status_code == 200, answer.text
    told = answer.json().get("parameter", [])
    issues = [one["resource"] for one in told if one["name"] == "finding"]
    for issue in issues:
        assert validate("DetectedIssue", issue) == ()
    return issues, [one["valueString"] for one in told if one["name"] == "unchecked"]


def kind(issue: Json) -> str:
    return str(next(one["code"] for one in issue["code"]["coding"] if one["system"] == OURS))


def told(issue: Json) -> str:
    return str(issue["detail"])


async def put(house: House, record: str, *resources: Json) -> list[str]:
    """Stored by the hospital; their references."""
    found = []
    for one in resources:
        answer = await house.depositor().post(one["resourceType"], one)
        assert answer.status_code == 201, answer.text
        found.append(f"{one['resourceType']}/{answer.json()['id']}")
    return found


@pytest.fixture
async def record(house: House, tmp_path: Path) -> str:
    """Somebody a doctor treats, where the medicines are loaded."""
    await load(house, tmp_path)
    made_one = await house.open_record()
    await house.relate(made_one, DOCTOR.id)
    return made_one


async def test_the_same_substance_in_two_lines(house: House, record: str) -> None:
    first, second = order(record, coded(made.AMOXI, "Amoxifictif")), order(record, coded(made.CLAV, "Clavufictif"))
    [found], unchecked = await ask(software(house), record, first, second)
    assert kind(found) == "duplicate"
    assert found["severity"] == "moderate"
    assert [one["extension"][0]["valuePositiveInt"] for one in found["implicated"]] == [1, 2]
    assert told(found).startswith("La même substance plusieurs fois, AMOXICILLINE : « Amoxifictif » (ligne 1), ")
    [english] = found["_detail"]["extension"]
    assert "The same substance" in english["extension"][1]["valueString"]
    assert unchecked == []


async def test_salts_of_one_substance_are_one(house: House, record: str) -> None:
    [found], _ = await ask(
        software(house), record, order(record, coded(made.AMLO, "A")), order(record, coded(made.PERINDO, "B"))
    )
    assert "AMLODIPINE" in told(found)


async def test_a_box_is_its_medicine(house: House, record: str) -> None:
    [found], unchecked = await ask(
        software(house), record, order(record, coded(text="La boîte", cip=made.BOX)), order(record, coded(made.CLAV))
    )
    assert (kind(found), unchecked) == ("duplicate", [])


async def test_with_what_is_taken_already(house: House, record: str) -> None:
    [ordered] = await put(house, record, order(record, coded(made.AMOXI, "Amoxifictif")))
    [found], unchecked = await ask(software(house), record, order(record, coded(made.CLAV, "Clavufictif")))
    assert [one.get("reference") for one in found["implicated"]] == [None, ordered]
    assert "« Amoxifictif » (déjà dans le carnet)" in told(found)
    assert unchecked == []


async def test_what_is_over_is_not_taken(house: House, record: str) -> None:
    today = house.now().date()
    long_ago, later = (today - timedelta(days=100)).isoformat(), (today + timedelta(days=100)).isoformat()
    supply = {"expectedSupplyDuration": {"value": 30, "unit": "d"}, "numberOfRepeatsAllowed": 1}
    period = {"validityPeriod": {"end": later}}
    dispensed = {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "subject": {"reference": f"Patient/{record}"},
        "medicationCodeableConcept": coded(made.AMOXI),
        "whenHandedOver": f"{long_ago}T10:00:00+01:00",
    }
    statement = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "subject": {"reference": f"Patient/{record}"},
        "medicationCodeableConcept": coded(made.AMOXI),
        "effectivePeriod": {"start": "2020-01-01", "end": long_ago},
    }
    over = (
        order(record, coded(made.AMOXI), authoredOn=long_ago, dispenseRequest=supply),
        order(record, coded(made.AMOXI), status="stopped"),
        dispensed,
        statement,
    )
    await put(house, record, *over)
    line = order(record, coded(made.CLAV))
    assert await ask(software(house), record, line) == ([], [])
    for one in (
        order(record, coded(made.AMOXI), authoredOn=long_ago, dispenseRequest=supply | period),
        dispensed | {"daysSupply": {"value": 120, "unit": "d"}},
        {**statement, "effectivePeriod": {"start": "2020-01-01"}},
    ):
        [reference] = await put(house, record, one)
        [found], _ = await ask(software(house), record, line)
        assert reference in [each.get("reference") for each in found["implicated"]]
        await house.depositor().delete(reference)


async def test_a_line_is_not_a_duplicate_of_what_it_carries_out(house: House, record: str) -> None:
    [ordered] = await put(house, record, order(record, coded(made.AMOXI)))
    again = order(record, coded(made.AMOXI), id=ordered.partition("/")[2])
    renewed = order(record, coded(made.AMOXI), priorPrescription={"reference": ordered})
    for line in (again, renewed):
        assert await ask(software(house), record, line) == ([], [])
    assert len((await ask(software(house), record, order(record, coded(made.AMOXI))))[0]) == 1


async def test_the_lines_of_one_prescription_are_not_taken_besides_themselves(house: House, record: str) -> None:
    number = {"groupIdentifier": {"system": "https://example.org/numbers", "value": "7"}}
    await put(house, record, order(record, coded(made.AMOXI), **number), order(record, coded(made.IBU), **number))
    asked = [order(record, coded(cis), **number) for cis in (made.AMOXI, made.IBU)]
    assert await ask(software(house), record, *asked) == ([], [])
    [found], _ = await ask(software(house), record, order(record, coded(made.CLAV)))
    assert kind(found) == "duplicate"


async def test_a_dispensing_is_compared_with_all_but_its_own_order(house: House, record: str) -> None:
    """As `$dispense` asks it: lines that are MedicationDispenses."""
    [ordered, other] = await put(house, record, order(record, coded(made.AMOXI)), order(record, coded(made.IBU)))
    dispensing = {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "subject": {"reference": f"Patient/{record}"},
        "medicationCodeableConcept": coded(made.KETO, "Kétofictif"),
        "authorizingPrescription": [{"reference": ordered}],
        "whenHandedOver": house.now().isoformat(),
    }
    await put(house, record, {**dispensing, "medicationCodeableConcept": coded(made.AMOXI)})
    scopes = tuple(one for text in SCOPES if (one := parse(text)) is not None)
    visit = Visit(house.parts.installation, Professional("software", DOCTOR, None, None), scopes, (), house.now())
    async with visit.act(record, READ, Tag.PRESCRIPTION, "Task/$dispense") as deed:
        [found] = safety.findings_of(await safety.check(deed, [dispensing]))
        nothing = await safety.check(deed, [{**dispensing, "medicationCodeableConcept": coded(made.AMOXI)}])
    assert (kind(found), found["implicated"][0]["type"]) == ("interaction", "MedicationDispense")
    assert found["implicated"][1]["reference"] == other
    assert nothing.findings == ()
    assert nothing.record == record


@pytest.mark.parametrize(
    "concept",
    [
        coded(text="Amoxicilline"),
        coded(text="Allergie à l’amoxicilline"),
        coded(made.CLAV, "Clavufictif"),
        coded(text="Pénicilline"),
        {"coding": [{"system": "https://carnet.example/CodeSystem/bdpm-substance", "code": "90001"}]},
        coded(text="AMOXIFICTIF"),
    ],
)
async def test_a_recorded_allergy(house: House, record: str, concept: Json) -> None:
    [recorded] = await put(house, record, allergy(record, concept))
    [found], _ = await ask(software(house), record, order(record, coded(made.AMOXI, "Amoxifictif")))
    assert (kind(found), found["severity"]) == ("allergy", "high")
    assert found["implicated"][-1]["reference"] == recorded
    other, _ = await ask(software(house), record, order(record, coded(made.IBU)))
    assert other == []


async def test_an_allergy_by_atc_class_and_one_that_does_not_stand(house: House, record: str) -> None:
    line = order(record, coded(made.AMOXI, "Amoxifictif", atc="J01CA04", display="amoxicillin"))
    wrong = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"}]}
    wrong["coding"][0]["code"] = "refuted"
    refuted = allergy(record, coded(text="Amoxicilline"), verificationStatus=wrong)
    await put(house, record, refuted)
    assert await ask(software(house), record, line) == ([], [])
    await put(house, record, allergy(record, coded(**PENICILLINS), criticality="low"))
    [found], unchecked = await ask(software(house), record, line)
    assert (kind(found), found["severity"]) == ("allergy", "moderate")
    assert unchecked == []


async def test_interactions_worst_first(house: House, record: str) -> None:
    listed = [order(record, coded(cis, f"M{n}")) for n, cis in enumerate((made.IBU, made.KETO, made.PERINDO), 1)]
    found, unchecked = await ask(software(house), record, *listed)
    assert [(kind(one), one["severity"]) for one in found] == [("interaction", "high"), ("interaction", "moderate")]
    assert [one["extension"][0]["valueCode"] for one in found] == ["discouraged", "precaution"]
    assert told(found[0]).startswith("Association déconseillée, IBUPROFÈNE, KÉTOPROFÈNE : « M1 » (ligne 1), ")
    assert told(found[0]).endswith("Risque hémorragique; ne pas associer.")
    assert [len(one["implicated"]) for one in found] == [2, 3]
    [noted], _ = await ask(software(house), record, order(record, coded(made.AMLO)), order(record, coded(made.MORPH)))
    assert noted["severity"] == "low"
    assert unchecked == []


async def test_two_that_are_taken_already_are_not_told_again(house: House, record: str) -> None:
    await put(house, record, order(record, coded(made.IBU)), order(record, coded(made.KETO)))
    assert await ask(software(house), record, order(record, coded(made.HOMEO))) == ([], [])


async def test_a_free_text_line_is_not_checked_and_its_words_are(house: House, record: str) -> None:
    [recorded] = await put(house, record, allergy(record, coded(text="Ibuprofène")))
    found, [unchecked] = await ask(software(house), record, order(record, coded(text="Ibuprofène 400 si douleur")))
    assert [kind(one) for one in found] == ["allergy"]
    french, english = unchecked.splitlines()
    assert "« Ibuprofène 400 si douleur » (ligne 1)" in french
    assert "ni code CIS ni code CIP" in french
    assert english.startswith("Not fully checked for “Ibuprofène 400 si douleur” (line 1)")
    assert recorded


async def test_what_cannot_be_compared_is_said(house: House, record: str) -> None:
    await put(house, record, allergy(record, coded(text="Latex")), order(record, coded(text="Tisane")))
    await put(house, record, allergy(record, coded(text="Arachide"), category=["food"]))
    found, unchecked = await ask(software(house), record, order(record, coded("69999999", "Inconnu")))
    assert found == []
    assert [("« Inconnu » (ligne 1)" in one, "« Latex »" in one, "« Tisane »" in one) for one in unchecked] == [
        (True, False, False),
        (False, False, True),
        (False, True, False),
    ]
    assert "le code n’est pas dans la base chargée" in unchecked[0]
    assert not any("Arachide" in one for one in unchecked)


async def test_without_interactions_it_is_said(house: House, tmp_path: Path) -> None:
    await load(house, tmp_path, with_interactions=False)
    record = await house.open_record()
    found, [unchecked] = await ask(house.citizen(record), record, order(record, coded(made.IBU, "Ibufictif")))
    assert found == []
    assert unchecked.startswith("Non vérifié pour « Ibufictif » (ligne 1) : les interactions")


async def test_without_any_base_it_is_said_and_equal_codes_are_found(house: House) -> None:
    record = await house.open_record()
    await put(house, record, allergy(record, coded(text="Ibuprofène")))
    twice = [order(record, coded(made.IBU, "Ibufictif")) for _ in range(2)]
    by_atc = [order(record, coded(text=text, atc="N02BE01", display="paracetamol")) for text in ("Un", "Deux")]
    named = order(record, coded(text="Ibuprofène 200"))
    found, [unchecked] = await ask(house.citizen(record), record, *twice, *by_atc, named)
    assert sorted(map(kind, found)) == ["allergy", "duplicate", "duplicate"]
    assert "la base des médicaments n’est pas chargée" in unchecked
    assert all(f"(ligne {n})" in unchecked for n in range(1, 6))


async def test_a_medication_that_is_referred_to(house: House, record: str) -> None:
    inside = {"resourceType": "Medication", "id": "m", "code": coded(made.AMOXI, "Dedans")}
    line = {**order(record, {}), "contained": [inside], "medicationReference": {"reference": "#m"}}
    del line["medicationCodeableConcept"]
    [found], unchecked = await ask(software(house), record, line, order(record, coded(made.CLAV)))
    assert "« Dedans » (ligne 1)" in told(found)
    assert unchecked == []


async def test_a_masked_allergy_changes_no_byte_for_who_does_not_see_it(house: House, tmp_path: Path) -> None:
    """The same person twice, but for a masked section: the same bytes for a professional; the person sees all."""
    await load(house, tmp_path)
    answers: list[bytes] = []
    own: list[bytes] = []
    for hidden in (False, True):
        record = await house.open_record()
        await house.relate(record, DOCTOR.id)
        if hidden:
            await put(house, record, allergy(record, coded(text="Amoxicilline")), allergy(record, coded(text="Latex")))
            await put(house, record, order(record, coded(made.CLAV, "Clavufictif")), order(record, coded(text="?!")))
        mask = await house.citizen(record).post(
            f"Patient/{record}/$mask",
            {
                "resourceType": "Parameters",
                "parameter": [
                    {"name": "section", "valueCode": "allergies"},
                    {"name": "section", "valueCode": "treatments"},
                ],
            },
        )
        assert mask.status_code == 200, mask.text
        body = lines(order(record, coded(made.AMOXI, "Amoxifictif")), order(record, coded(text="Ibuprofène")))
        for caller, kept in ((software(house), answers), (house.citizen(record), own)):
            answer = await caller.post(f"Patient/{record}/$check-medicines", body)
            kept.append(answer.content.replace(record.encode(), b"RECORD"))
    assert answers[0] == answers[1]
    assert own[0] != own[1]
    assert b"Allergie ou intol" in own[1]


async def test_a_masked_section_is_answered_as_an_empty_one(house: House, tmp_path: Path) -> None:
    """Saying « not seen » of what is masked would tell that it is."""
    await load(house, tmp_path)
    answers = []
    for masked in (False, True):
        record = await house.open_record()
        await house.relate(record, DOCTOR.id)
        if masked:
            said = {"name": "section", "valueCode": "allergies"}
            body = {"resourceType": "Parameters", "parameter": [said]}
            assert (await house.citizen(record).post(f"Patient/{record}/$mask", body)).status_code == 200
        answer = await software(house).post(
            f"Patient/{record}/$check-medicines", lines(order(record, coded(made.AMOXI)))
        )
        answers.append(answer.content.replace(record.encode(), b"RECORD"))
    assert answers == [b'{"resourceType":"Parameters"}'] * 2


@pytest.mark.parametrize(
    ("scopes", "kinds"),
    [
        (("user/Patient.rs", "user/AllergyIntolerance.rs"), ["traitements en cours"]),
        (
            (
                "user/Patient.rs",
                "user/MedicationRequest.rs",
                "user/MedicationStatement.rs",
                "user/MedicationDispense.rs",
            ),
            ["allergies"],
        ),
        (("user/Patient.rs",), ["allergies", "traitements en cours"]),
    ],
)
async def test_what_the_software_may_not_read_is_said(
    house: House, record: str, scopes: tuple[str, ...], kinds: list[str]
) -> None:
    found, unchecked = await ask(software(house, scopes=scopes), record, order(record, coded(made.AMOXI)))
    assert found == []
    assert len(unchecked) == len(kinds)
    assert all(f"Non vérifié : les {name}." in text for name, text in zip(kinds, unchecked, strict=True))


async def test_a_lease_of_some_documents_shows_neither(house: House, record: str) -> None:
    await put(house, record, allergy(record, coded(text="Amoxicilline")))
    terms = Terms(Right.CODE_LEASE, Actor(PROFESSIONALS, STRANGER.id), kinds=("Immunization",))
    await house.lend(record, terms)
    found, unchecked = await ask(software(house, STRANGER), record, order(record, coded(made.AMOXI)))
    assert found == []
    assert len(unchecked) == 2


async def test_who_may_ask(house: House, record: str) -> None:
    body, path = lines(order(record, coded(made.AMOXI))), f"Patient/{record}/$check-medicines"
    assert (await house.citizen(record).post(path, body)).status_code == 200
    assert (await software(house, NURSE).post(path, body)).status_code == 404
    assert (await house.citizen(await house.open_record()).post(path, body)).status_code == 404
    assert (await house.depositor().post(path, body)).status_code == 403
    assert (await software(house, scopes=("user/MedicationRequest.rs",)).post(path, body)).status_code == 403
    await house.represent(record, account_of("dad"))
    claims = house.claims("citizen-app", "app", ("patient/*.rs",), record, subject=account_of("dad"))
    assert (await house.caller(replace(claims, actor=claims.subject)).post(path, body)).status_code == 200


async def test_what_is_not_a_line_is_refused_by_name(house: House, record: str) -> None:
    path = f"Patient/{record}/$check-medicines"
    assert (await software(house).post(path, lines())).status_code == 422
    wrong = await software(house).post(path, lines(order(record, coded(made.AMOXI)), {"resourceType": "Observation"}))
    assert wrong.status_code == 422
    assert wrong.json()["issue"][0]["expression"] == ["Parameters.parameter[1].resource.resourceType"]
    many = [order(record, coded(made.AMOXI))] * 101
    assert (await software(house).post(path, lines(*many))).status_code == 422


async def test_what_was_named_is_in_the_journal(house: House, record: str) -> None:
    [told_of, kept] = await put(
        house, record, allergy(record, coded(text="Amoxicilline")), allergy(record, coded(text="Ibuprofène"))
    )
    await ask(software(house), record, order(record, coded(made.AMOXI)))
    tag, note = notes(house, record)[-1]
    assert (tag, note.asked) == (Tag.MEDICINE, f"Patient/{record}/$check-medicines")
    with Session(house.parts.engine) as session:
        rows = session.execute(select(journal).where(journal.c.chain == record).order_by(journal.c.seq)).all()
    assert set(rows[-1].resources) == {f"Patient/{record}", told_of}
    assert kept not in rows[-1].resources
