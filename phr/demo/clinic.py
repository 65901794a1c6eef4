"""The commons of the demo world: invented professionals and structures around Lyon, with test-like numbers.

Records name them by conditional references, so that they resolve whatever ids the server gave them.
"""

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from stdnum import luhn

from phr.core.identifiers import FINESS_SYSTEM, PS_ID_NAT_SYSTEM, RPPS_SYSTEM, STRUCT_ID_NAT_SYSTEM
from phr.demo.vocabulary import PROFESSION, SECTOR, SPECIALTY, concept

NAMESPACE: UUID = uuid5(NAMESPACE_URL, "https://carnet.example/demo")


def urn(*names: str) -> str:
    """The `urn:uuid:` that these names always give."""
    return f"urn:uuid:{uuid5(NAMESPACE, '/'.join(names))}"


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure: what its letterhead says and its FINESS number. `sector` is a TRE_R02 code."""

    slug: str
    name: str
    sector: str
    sector_label: str
    setting: str
    serial: int
    street: str
    postcode: str
    city: str
    phone: str
    colour: tuple[int, int, int]

    @property
    def finess(self) -> str:
        """Nine digits, Luhn-valid, in a range made up for the demo."""
        stem = f"69099{self.serial:03d}"
        return f"{stem}{luhn.calc_check_digit(stem)}"

    @property
    def reference(self) -> dict[str, str]:
        """A conditional reference by FINESS."""
        return {"reference": f"Organization?identifier={FINESS_SYSTEM}|{self.finess}", "display": self.name}


@dataclass(frozen=True, slots=True)
class Professional:
    """A professional: TRE_G15 profession, TRE_R38 specialty when there is one, and where they work."""

    slug: str
    title: str
    given: str
    family: str
    gender: str
    profession: str
    profession_label: str
    specialty: str | None
    specialty_label: str
    serial: int
    structure: Structure

    @property
    def rpps(self) -> str:
        """Eleven digits, Luhn-valid, in the 99 range of test professionals."""
        stem = f"99700990{self.serial:02d}"
        return f"{stem}{luhn.calc_check_digit(stem)}"

    @property
    def name(self) -> str:
        """As a letter signs it."""
        return f"{self.title} {self.given} {self.family}"

    @property
    def query(self) -> str:
        """The conditional reference by RPPS, as a string."""
        return f"Practitioner?identifier={RPPS_SYSTEM}|{self.rpps}"

    @property
    def reference(self) -> dict[str, str]:
        """The conditional reference by RPPS, with the name."""
        return {"reference": self.query, "display": self.name}


PRACTICE = Structure(
    "practice", "Maison de santé des Tilleuls", "SA52", "Maison de santé ou Pôle de santé", "AMBULATOIRE",
    101, "8 place des Tilleuls", "69003", "Lyon", "04 65 71 01 01", (24, 107, 92),
)  # fmt: skip
HOSPITAL = Structure(
    "hospital", "Centre hospitalier du Confluent", "SA01", "Etablissement public de santé", "ETABLISSEMENT",
    102, "120 quai des Deux-Rives", "69002", "Lyon", "04 65 71 02 02", (28, 72, 134),
)  # fmt: skip
LABORATORY = Structure(
    "laboratory", "Laboratoire Saône Biologie", "SA25", "Laboratoire de biologie médicale", "AMBULATOIRE",
    103, "45 cours Gambetta", "69003", "Lyon", "04 65 71 03 03", (146, 44, 68),
)  # fmt: skip
PHARMACY = Structure(
    "pharmacy", "Pharmacie du Parc", "SA33", "Pharmacie d'officine", "AMBULATOIRE",
    104, "2 rue du Parc", "69003", "Lyon", "04 65 71 04 04", (30, 122, 52),
)  # fmt: skip
IMAGING = Structure(
    "imaging", "Centre d'imagerie Lumière", "SA08", "Cabinet de groupe", "AMBULATOIRE",
    105, "17 rue de la Lanterne", "69001", "Lyon", "04 65 71 05 05", (92, 62, 132),
)  # fmt: skip
STRUCTURES = (PRACTICE, HOSPITAL, LABORATORY, PHARMACY, IMAGING)

GARNIER = Professional(
    "garnier", "Dr", "Hélène", "GARNIER", "female", "10", "Médecin", "SM54", "Médecine générale", 11, PRACTICE
)
DELMAS = Professional("delmas", "Dr", "Marc", "DELMAS", "male", "10", "Médecin", "SM40", "Pédiatrie", 12, PRACTICE)
PERRIN = Professional(
    "perrin", "Mme", "Louise", "PERRIN", "female", "50", "Sage-femme", None, "Sage-femme", 13, PRACTICE
)
ROUSSET = Professional(
    "rousset", "Dr", "Antoine", "ROUSSET", "male", "10", "Médecin", "SM18", "Gériatrie", 14, HOSPITAL
)
STEIN = Professional("stein", "Dr", "Nora", "STEIN", "female", "10", "Médecin", "SM42", "Psychiatrie", 15, HOSPITAL)
HADDAD = Professional(
    "haddad", "Dr", "Samira", "HADDAD", "female", "21", "Pharmacien", None, "Biologiste médicale", 16, LABORATORY
)  # fmt: skip
VIDALIN = Professional("vidalin", "Dr", "Paul", "VIDALIN", "male", "10", "Médecin", None, "Radiologue", 17, IMAGING)
COHEN = Professional("cohen", "M.", "Yanis", "COHEN", "male", "21", "Pharmacien", None, "Pharmacien", 18, PHARMACY)
PROFESSIONALS = (GARNIER, DELMAS, PERRIN, ROUSSET, STEIN, HADDAD, VIDALIN, COHEN)


def local_id(kind: str, slug: str) -> str:
    """The stable local id of a resource of the commons, a UUID."""
    return urn("commons", kind, slug).removeprefix("urn:uuid:")


def _address(place: Structure) -> dict[str, Any]:
    return {
        "use": "work",
        "line": [place.street],
        "postalCode": place.postcode,
        "city": place.city,
        "country": "FRA",
    }


def _telecom(place: Structure) -> list[dict[str, str]]:
    return [{"system": "phone", "use": "work", "value": "+33" + place.phone.replace(" ", "")[1:]}]


def _organization(place: Structure) -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "id": local_id("Organization", place.slug),
        "identifier": [
            {"use": "official", "system": FINESS_SYSTEM, "value": place.finess},
            {"system": STRUCT_ID_NAT_SYSTEM, "value": f"1{place.finess}"},
        ],
        "active": True,
        "type": [concept(SECTOR, place.sector, place.sector_label)],
        "name": place.name,
        "telecom": _telecom(place),
        "address": [_address(place)],
    }


def _location(place: Structure) -> dict[str, Any]:
    own = local_id("Location", place.slug)
    return {
        "resourceType": "Location",
        "id": own,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{own}"}],
        "status": "active",
        "mode": "instance",
        "name": place.name,
        "telecom": _telecom(place),
        "address": _address(place),
        "managingOrganization": {"reference": urn("commons", "Organization", place.slug)},
    }


def _practitioner(who: Professional) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "id": local_id("Practitioner", who.slug),
        "identifier": [
            {"use": "official", "system": RPPS_SYSTEM, "value": who.rpps},
            {"system": PS_ID_NAT_SYSTEM, "value": f"8{who.rpps}"},
        ],
        "active": True,
        "name": [{"use": "official", "family": who.family, "given": [who.given], "prefix": [who.title]}],
        "gender": who.gender,
        "qualification": [{"code": concept(PROFESSION, who.profession, who.profession_label)}],
    }


def _role(who: Professional) -> dict[str, Any]:
    own = local_id("PractitionerRole", who.slug)
    role: dict[str, Any] = {
        "resourceType": "PractitionerRole",
        "id": own,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{own}"}],
        "active": True,
        "practitioner": {"reference": urn("commons", "Practitioner", who.slug), "display": who.name},
        "organization": {
            "reference": urn("commons", "Organization", who.structure.slug),
            "display": who.structure.name,
        },
        "code": [concept(PROFESSION, who.profession, who.profession_label)],
        "location": [{"reference": urn("commons", "Location", who.structure.slug)}],
        "telecom": _telecom(who.structure),
    }
    if who.specialty:
        role["specialty"] = [concept(SPECIALTY, who.specialty, who.specialty_label)]
    return role


def commons() -> list[dict[str, Any]]:
    """Every resource of the commons. They refer to each other by `urn:uuid:` and their local id."""
    places = [make(place) for make in (_organization, _location) for place in STRUCTURES]
    people = [make(who) for make in (_practitioner, _role) for who in PROFESSIONALS]
    return [*places, *people]


def commons_transaction() -> dict[str, Any]:
    """The commons as a transaction that may be sent again: an entry is created only if its identifier is new."""
    entries = []
    for resource in commons():
        kind, own = resource["resourceType"], resource["id"]
        first = resource["identifier"][0]
        entries.append(
            {
                "fullUrl": f"urn:uuid:{own}",
                "resource": {name: value for name, value in resource.items() if name != "id"},
                "request": {
                    "method": "POST",
                    "url": kind,
                    "ifNoneExist": f"identifier={first['system']}|{first['value']}",
                },
            }
        )
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
