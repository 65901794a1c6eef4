"""The French code tables, read once from the files in `phr/nos`. Facts only: each file names its source."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

LOINC = "http://loinc.org"
_NOS = "https://mos.esante.gouv.fr/NOS"
PRODUCER = f"{_NOS}/TRE_A00-ProducteurDocNonPS/FHIR/TRE-A00-ProducteurDocNonPS"
SETTING = f"{_NOS}/TRE_A01-CadreExercice/FHIR/TRE-A01-CadreExercice"
CLASS = f"{_NOS}/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument"
TYPE = f"{_NOS}/TRE_A05-TypeDocComplementaire/FHIR/TRE-A05-TypeDocComplementaire"
VISIBILITY = f"{_NOS}/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
CONFIDENTIALITY = f"{_NOS}/TRE_A08-HL7Confidentiality/FHIR/TRE-A08-HL7Confidentiality"
PROFESSION = f"{_NOS}/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
SECTOR = f"{_NOS}/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite"

PATIENT_CLASS = "90"
PATIENT_PRODUCER = "EXP_PATIENT"


@dataclass(frozen=True, slots=True)
class Concept:
    """A code of a system and its official French display."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class DocumentType(Concept):
    """A document type and the code of the class it belongs to."""

    class_code: str

    @property
    def by_patient(self) -> bool:
        """Whether the type is one of those a citizen deposits."""
        return self.class_code == PATIENT_CLASS or (self.system == TYPE and self.code.startswith("DOCPAT"))


@dataclass(frozen=True, slots=True)
class Table:
    """One published table: where it comes from, and its concepts by (system, code)."""

    title: str
    oid: str | None
    canonical: str | None
    version: str | None
    source: str
    verified: bool
    concepts: MappingProxyType[tuple[str, str], Concept]


@cache
def table(name: str) -> Table:
    """The table in `phr/nos/<name>.toml`. A concept is also found under its system's `urn:oid:` form."""
    read = tomllib.loads((Path(__file__).parent / "nos" / f"{name}.toml").read_text(encoding="utf-8"))
    concepts: dict[tuple[str, str], Concept] = {}
    for include in read["include"]:
        system = include["system"]
        for row in include["concepts"]:
            concept = _concept(name, system, row)
            concepts[system, concept.code] = concept
            if "oid" in include:
                concepts[f"urn:oid:{include['oid']}", concept.code] = concept
    return Table(
        title=read["title"],
        oid=read.get("oid"),
        canonical=read.get("canonical"),
        version=read.get("version"),
        source=read["source"],
        verified=read["verified"],
        concepts=MappingProxyType(concepts),
    )


def _concept(name: str, system: str, row: list[Any]) -> Concept:
    if name != "document_types":
        return Concept(system, row[0], row[1])
    return DocumentType(system, row[0], row[1], row[2])


def names() -> tuple[str, ...]:
    """The names of all tables."""
    return tuple(sorted(path.stem for path in (Path(__file__).parent / "nos").glob("*.toml")))


def document_type(system: str, code: str) -> DocumentType | None:
    """A type of JDV_J66-TypeCode-DMP (LOINC, TRE_A05 or TRE_A12), or None."""
    found = table("document_types").concepts.get((system, code))
    return found if isinstance(found, DocumentType) else None


def class_of(system: str, code: str) -> str | None:
    """The class of a document type (ASS_X16-CorrespondanceType-Classe-DMP), or None."""
    found = document_type(system, code)
    return found.class_code if found else None


def document_class(system: str, code: str) -> Concept | None:
    """A class of JDV_J57-ClassCode-DMP, or None."""
    return table("document_classes").concepts.get((system, code))


def facility_type(system: str, code: str) -> Concept | None:
    """A facility type of JDV_J61-HealthcareFacilityTypeCode-DMP, or None."""
    return table("facility_types").concepts.get((system, code))


def practice_setting(system: str, code: str) -> Concept | None:
    """A practice setting of JDV_J62-PracticeSettingCode-DMP, or None."""
    return table("practice_settings").concepts.get((system, code))


def confidentiality(code: str) -> Concept | None:
    """A code of JDV_J58-ConfidentialityCode-DMP, or None.

    By code alone: published examples misspell the systems, and the codes do not collide.
    """
    return next((c for c in table("confidentiality").concepts.values() if c.code == code), None)


def visibility(code: str) -> Concept | None:
    """A code of TRE_A07-StatutVisibiliteDocument in any case (the system is not case-sensitive), or None."""
    return table("visibility").concepts.get((VISIBILITY, code.upper()))


def role(system: str, code: str) -> Concept | None:
    """A profession or role of JDV_J65-SubjectRole-DMP (skills apart), or None."""
    return table("roles").concepts.get((system, code))


def register(system: str, national_id: str) -> str | None:
    """The register a prefixed national id (PSIdNat, StructIdNat) comes from, or None."""
    found = table("national_ids").concepts.get((system, national_id[:1]))
    return found.display if found else None


def display(system: str, code: str) -> str | None:
    """The official French display of a code, from whichever table has it, or None."""
    for name in names():
        if found := table(name).concepts.get((system, code)):
            return found.display
    return None
