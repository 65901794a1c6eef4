"""The code tables are complete, consistent and say where they come from."""

import re

import pytest

from phr import codes
from phr.core import identifiers


@pytest.mark.parametrize("name", codes.names())
def test_every_table_says_its_source_and_repeats_no_code(name: str) -> None:
    table = codes.table(name)
    assert table.title
    assert table.source
    assert isinstance(table.verified, bool)
    assert table.concepts
    for (system, code), concept in table.concepts.items():
        assert re.match(r"https?://|urn:oid:[0-9.]+$", system)
        assert concept.code == code
        assert concept.display.strip() == concept.display != ""
    if table.canonical:
        assert table.canonical.startswith("https://")


def test_all_published_types_are_there_with_a_class() -> None:
    types = codes.table("document_types").concepts
    loinc = [c for (system, _), c in types.items() if system == codes.LOINC]
    french = [c for (system, _), c in types.items() if system == codes.TYPE]
    assert (len(loinc), len(french)) == (76, 31)
    for concept in [*loinc, *french]:
        class_code = codes.class_of(concept.system, concept.code)
        assert class_code is not None
        assert codes.document_class(codes.CLASS, class_code) is not None
    assert all(re.fullmatch(r"[0-9]+-[0-9]", concept.code) for concept in loinc)


def test_a_type_has_its_label_and_class() -> None:
    lab = codes.document_type(codes.LOINC, "11502-2")
    assert lab is not None
    assert (lab.display, lab.class_code, lab.by_patient) == ("CR d'examens biologiques", "10", False)
    assert codes.class_of(codes.TYPE, "EXPPAT_3") == "90"
    assert codes.class_of("urn:oid:1.2.250.1.213.1.1.4.12", "EXPPAT_3") == "90"
    assert codes.document_type(codes.TYPE, "11502-2") is None
    assert codes.document_type(codes.LOINC, "99999-9") is None
    assert codes.class_of(codes.LOINC, "99999-9") is None


def test_the_types_a_citizen_deposits() -> None:
    types = codes.table("document_types").concepts.values()
    mine = {c.code for c in types if isinstance(c, codes.DocumentType) and c.by_patient}
    assert mine == {f"DOCPAT0{n}" for n in range(1, 10)} | {"EXPPAT_1", "EXPPAT_2", "EXPPAT_3", "74465-6"}


def test_a_signature_has_its_own_class() -> None:
    astm = "https://mos.esante.gouv.fr/NOS/TRE_A12-NomenclatureASTM/FHIR/TRE-A12-NomenclatureASTM"
    urn = "https://mos.esante.gouv.fr/NOS/TRE_A10-NomenclatureURN/FHIR/TRE-A10-NomenclatureURN"
    class_code = codes.class_of(astm, "E1762")
    assert class_code is not None
    assert codes.document_class(urn, class_code) is not None


def test_facilities_settings_roles() -> None:
    assert codes.facility_type(codes.SECTOR, "SA25") is not None
    assert codes.facility_type("urn:oid:1.2.250.1.71.4.2.4", "SA25") is not None
    assert codes.facility_type(codes.SECTOR, "SA62") is None
    assert codes.facility_type(codes.PRODUCER, codes.PATIENT_PRODUCER) is not None
    assert codes.practice_setting(codes.SETTING, "HAD") is not None
    assert codes.practice_setting(codes.PRODUCER, "EXP_PATIENT") is not None
    assert codes.practice_setting(codes.SETTING, "SA25") is None
    doctor = codes.role(codes.PROFESSION, "10")
    assert doctor is not None
    assert doctor.display == "Médecin"
    trainee = codes.display(codes.PROFESSION.replace("G15-ProfessionSante", "G16-ProfessionFormation"), "10")
    assert trainee == "Médecin en formation"
    assert codes.role(codes.SECTOR, "10") is None


def test_confidentiality_and_visibility() -> None:
    for code in ("N", "R", "V", "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"):
        assert codes.confidentiality(code) is not None
    assert codes.confidentiality("MASQUE_PT") is None
    assert codes.confidentiality("n") is None
    assert codes.visibility("N") is None
    assert codes.visibility("MASQUE_PT") is not None
    assert codes.visibility("masque_ps") == codes.visibility("MASQUE_PS")


def test_registers_and_displays() -> None:
    assert codes.register(identifiers.PS_ID_NAT_SYSTEM, "810000005479") == "RPPS"
    assert codes.register(identifiers.STRUCT_ID_NAT_SYSTEM, "1750712184") == "FINESS"
    assert codes.register(identifiers.STRUCT_ID_NAT_SYSTEM, "") is None
    assert codes.display(codes.CLASS, "42") == "Prescription"
    assert codes.display(codes.CLASS, "00") is None


def test_the_ins_authorities_are_those_of_the_value_type() -> None:
    table = codes.table("ins_authorities").concepts.values()
    assert tuple(concept.display for concept in table) == identifiers.INS_OIDS
