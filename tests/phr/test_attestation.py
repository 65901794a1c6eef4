"""The attestation of a delegation: what the paper says, where it is filed, and who sees it."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from phr import attestation
from phr.access.consent import Actor, Terms
from phr.access.provision import Right
from phr.documents import check_reference, inline_attachment, sha1
from tests.house import House
from tests.kin import care, parameters, person

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
UNTIL = datetime(2027, 2, 28, 23, tzinfo=UTC)
JEANNE: Json = {
    "resourceType": "Patient",
    "id": f"00a-{'1' * 32}",
    "name": [
        {"family": "Kervella", "given": ["Jeanne", "Marie"]},
        {"use": "usual", "family": "Lefèvre", "given": ["Jeanne"]},
    ],
}


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def terms(**more: Any) -> Terms:
    actor = Actor.account("0" * 8, "Claire D’Orléans")
    return Terms(**{"right": Right.CAREGIVER, "actor": actor, "powers": ("consult", "agenda"), **more})


def test_it_says_who_whom_what_until_when_and_the_day() -> None:
    said = text_of(attestation.printed(JEANNE, terms(until=UNTIL), NOW))
    assert "Jeanne Lefèvre autorise Claire D'Orléans à agir comme aidant" in said
    assert "consulter le dossier" in said
    assert "tenir l'agenda" in said
    assert "écrire aux professionnels" not in said
    assert "jusqu'au 1er mars 2027 à 0 h 00 (heure de Paris)" in said
    assert "Fait le 22 novembre 2026 à 13 h 05 (heure de Paris)." in said
    assert "jusqu'à ce que l'accord soit retiré" in text_of(attestation.printed(JEANNE, terms(), NOW))


def test_a_parent_s_says_that_it_ends_at_majority() -> None:
    said = text_of(attestation.printed(JEANNE, terms(right=Right.LEGAL_REPRESENTATIVE, until=UNTIL, powers=()), NOW))
    assert "Claire D'Orléans représente Jeanne Lefèvre, mineur" in said
    assert "à la majorité" in said
    assert "aidant" not in said


@pytest.mark.parametrize(
    ("typed", "written"),
    [("Œuvrard", "OEuvrard"), ("Łukasz Đorđe", "Lukasz Dorde"), ("Šárka", "Sárka"), ("Владимир", "????????")],
)
def test_a_name_that_latin_1_cannot_write_is_spelled_with_what_it_has(typed: str, written: str) -> None:
    assert attestation.latin(typed) == written
    actor = Actor.account("0" * 8, typed)
    assert written in text_of(attestation.printed(JEANNE, terms(actor=actor), NOW))


def test_its_metadata_are_whole() -> None:
    found, data = inline_attachment(attestation.document(JEANNE, terms(), NOW, "https://carnet.test"))
    assert data is not None
    assert check_reference(found, new=True) == ()


async def test_it_is_filed_in_the_record_of_who_is_cared_for(house: House) -> None:
    jeanne = await person(house, "Jeanne", "Lefèvre", "1948-11-02")
    claire = await person(house, "Claire", "D'Orléans")
    made = await care(jeanne, claire, "consult", "documents")
    consent = (await jeanne.caller().get(f"Consent/{made}")).json()
    name = consent["sourceReference"]["reference"]
    document = (await jeanne.caller().get(name)).json()
    assert document["type"]["coding"][0]["code"] == "59284-0"
    assert document["category"][0]["coding"][0]["code"] == "95"
    attached = document["content"][0]["attachment"]
    pdf = await jeanne.caller().get(attached["url"], Accept="application/pdf")
    assert sha1(pdf.content) == attached["hash"]
    assert "Jeanne Lefèvre autorise Claire D'Orléans" in text_of(pdf.content)
    assert (await claire.acting(jeanne.record).get(name)).status_code == 200
    assert (await claire.caller().get(name)).status_code == 404
    # Narrowed: another paper takes its place.
    body = parameters(consent=made, power="consult")
    changed = (await jeanne.caller().post(f"{jeanne.patient}/$change-delegation", body)).json()
    new = changed["sourceReference"]["reference"]
    assert new != name
    assert (await jeanne.caller().get(new)).json()["relatesTo"][0]["target"]["reference"] == name
    assert (await jeanne.caller().get(name)).json()["status"] == "superseded"


async def test_nothing_is_filed_before_it_is_accepted(house: House) -> None:
    jeanne, claire = await person(house, "Jeanne", "Lefèvre"), await person(house)
    sent = parameters(**claire.invited(power="consult"))
    await jeanne.caller().post(f"{jeanne.patient}/$invite-caregiver", sent)
    assert "entry" not in (await jeanne.caller().get("DocumentReference")).json()
    assert "entry" not in (await jeanne.caller().get("RelatedPerson")).json()
