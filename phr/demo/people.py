"""Who lives in the demo world. Six invented people, each with a valid INS under the test authority."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from phr.core.identifiers import INS_NIR_TEST, ins_key
from phr.demo.moments import born
from phr.demo.vocabulary import COMMUNE, FR_CORE, TERMINOLOGY, coding


@dataclass(frozen=True, slots=True)
class Identity:
    """Civil identity and address. `commune`: INSEE code of the birth place; `order`: civil-status rank."""

    login: str
    given: tuple[str, ...]
    birth_name: str
    used_name: str
    gender: str
    birth: date
    commune: str
    birth_city: str
    order: int
    street: str
    postcode: str
    city: str
    phone: str | None = None

    @property
    def ins(self) -> str:
        """The matricule INS, 15 characters, key included."""
        sex = "1" if self.gender == "male" else "2"
        first13 = f"{sex}{self.birth:%y%m}{self.commune}{self.order:03d}"
        return first13 + ins_key(first13)

    @property
    def display(self) -> str:
        """First given name and name in use."""
        return f"{self.given[0]} {self.used_name}"

    @property
    def email(self) -> str:
        """An address that can never exist (RFC 2606 §2)."""
        return f"{self.login}@carnet.example"

    @property
    def password(self) -> str:
        """The sandbox password, meant to be read."""
        return f"demo-{self.login}-carnet"


def claire(today: date) -> Identity:
    """The mother, pregnant."""
    return Identity(
        "claire.moreau", ("Claire", "Anne"), "LEFEVRE", "MOREAU", "female", born(today, 36, 5, 18),
        "35238", "Rennes", 412, "14 rue des Tilleuls", "69003", "Lyon", "+33639980101",
    )  # fmt: skip


def nicolas(today: date) -> Identity:
    """The father, born in Corsica: his INS carries a letter."""
    return Identity(
        "nicolas.moreau", ("Nicolas", "Ange"), "MOREAU", "MOREAU", "male", born(today, 39, 2, 7),
        "2A004", "Ajaccio", 87, "14 rue des Tilleuls", "69003", "Lyon", "+33639980102",
    )  # fmt: skip


def lina(today: date) -> Identity:
    """Their daughter, eight years old, with a number of her own."""
    return Identity(
        "lina.moreau", ("Lina", "Jeanne"), "MOREAU", "MOREAU", "female", born(today, 8, 3, 22),
        "69383", "Lyon 3e Arrondissement", 251, "14 rue des Tilleuls", "69003", "Lyon",
    )  # fmt: skip


def jeanne(today: date) -> Identity:
    """Claire's mother."""
    return Identity(
        "jeanne.lefevre", ("Jeanne", "Marie", "Yvonne"), "KERVELLA", "LEFEVRE", "female",
        born(today, 78, 11, 2), "29019", "Brest", 33, "3 allée du Verger", "69100", "Villeurbanne",
        "+33639980103",
    )  # fmt: skip


def karim(today: date) -> Identity:
    """Somebody who lives with type 2 diabetes."""
    return Identity(
        "karim.benali", ("Karim",), "BENALI", "BENALI", "male", born(today, 58, 9, 12),
        "59350", "Lille", 598, "27 avenue Berthelot", "69007", "Lyon", "+33639980104",
    )  # fmt: skip


def ines(today: date) -> Identity:
    """His daughter, sixteen."""
    return Identity(
        "ines.benali", ("Inès", "Sofia"), "BENALI", "BENALI", "female", born(today, 16, 7, 30),
        "69387", "Lyon 7e Arrondissement", 140, "27 avenue Berthelot", "69007", "Lyon", "+33639980105",
    )  # fmt: skip


def contained_patient(who: Identity) -> dict[str, Any]:
    """The identity as a document carries it: `sourcePatientInfo` of the PDSm profile."""
    return {"resourceType": "Patient", "identifier": [ins_identifier(who)]} | _names(who)


def ins_identifier(who: Identity) -> dict[str, Any]:
    """The INS under the test authority, in the French core shape."""
    return {
        "use": "official",
        "type": {"coding": [coding(f"{FR_CORE}/CodeSystem/fr-core-cs-v2-0203", "INS-NIR-TEST", "INS-NIR de test")]},
        "system": f"urn:oid:{INS_NIR_TEST}",
        "value": who.ins,
    }


def _names(who: Identity) -> dict[str, Any]:
    official = {
        "extension": [
            {
                "url": f"{FR_CORE}/StructureDefinition/fr-core-patient-birth-list-given-name",
                "valueString": " ".join(who.given),
            }
        ],
        "use": "official",
        "family": who.birth_name,
        "given": [who.given[0]],
    }
    usual = {"use": "usual", "family": who.used_name, "given": [who.given[0]]}
    return {"name": [official, usual], "gender": who.gender, "birthDate": who.birth.isoformat()}


def patient(who: Identity, practitioner: str, contacts: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """The Patient in the shape of fr-core-patient-ins. `practitioner`: the treating physician."""
    reliability = {
        "url": f"{FR_CORE}/StructureDefinition/fr-core-identity-reliability",
        "extension": [
            {
                "url": "identityStatus",
                "valueCoding": coding(f"{FR_CORE}/CodeSystem/fr-core-cs-v2-0445", "VALI", "Identité validée"),
            }
        ],
    }
    birth_place = {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
        "valueAddress": {
            "extension": [
                {
                    "url": f"{FR_CORE}/StructureDefinition/fr-core-address-insee-code",
                    "valueCoding": coding(COMMUNE, who.commune, who.birth_city),
                }
            ],
            "city": who.birth_city,
            "country": "FRA",
        },
    }
    telecom = [{"system": "email", "value": who.email, "use": "home"}]
    if who.phone:
        telecom.insert(0, {"system": "phone", "value": who.phone, "use": "mobile"})
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "meta": {"profile": [f"{FR_CORE}/StructureDefinition/fr-core-patient-ins"]},
        "extension": [reliability, birth_place],
        "identifier": [ins_identifier(who)],
        "active": True,
        **_names(who),
        "telecom": telecom,
        "address": [
            {
                "use": "home",
                "line": [who.street],
                "postalCode": who.postcode,
                "city": who.city,
                "country": "FRA",
            }
        ],
        "communication": [{"language": {"coding": [coding("urn:ietf:bcp:47", "fr", "Français")]}, "preferred": True}],
        "generalPractitioner": [{"reference": practitioner}],
    }
    if contacts:
        resource["contact"] = list(contacts)
    return resource


def contact(who: Identity, code: str, display: str) -> dict[str, Any]:
    """A Patient.contact; `code` is a v3-RoleCode relationship (MTH, FTH, HUSB, WIFE, DAUC …)."""
    entry: dict[str, Any] = {
        "relationship": [{"coding": [coding(f"{TERMINOLOGY}/v3-RoleCode", code, display)]}],
        "name": {"use": "usual", "family": who.used_name, "given": [who.given[0]]},
        "gender": who.gender,
    }
    if who.phone:
        entry["telecom"] = [{"system": "phone", "value": who.phone}]
    return entry
