"""The access matrix: complete, sourced cell by cell, refused when a word is not known, swapped without code."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auth.professionals import Professional
from fhir.parameters import KINDS
from fhir.predicate import Nothing
from fhir.tokens import coded as token
from phr import codes
from phr.access import matrix
from phr.access.matrix import FILE, UNGIVEN, Line, Matrix, document_types, load
from phr.core.settings import Settings
from phr.prevention.canonical import ANSWER
from tests.access.worlds import DOCTOR, KEYS, TRAINEE, professional
from tests.deposit import bytes_of, clinic, coded, deposited, document, ids
from tests.house import Caller, House, observation

MATRIX = load()
TYPES = [(forms[0], code) for forms, code in document_types()]
OURS = (UNGIVEN - {"DocumentReference", "Binary"}) | {
    *("Provenance", "RelatedPerson", "Communication", "CommunicationRequest", "Appointment", "Task", "List"),
    *("Coverage", "Claim", "ExplanationOfBenefit", "Composition", "Bundle", "QuestionnaireResponse"),
}


CHECK_UP = ("10", "21", "50", "60", "69")
"""Physicians, pharmacists, midwives, nurses: who holds the key-age check-ups."""


def sees(code: str, type_: str, table: str = "TRE_G15") -> tuple[bool, bool]:
    """Whether a profession sees a type, and whether that is ours to say."""
    system = next(system for system, known in TYPES if known == type_)
    cell = MATRIX.lines[table, code, ""].cell(system, type_)
    assert cell is not None
    return cell.sees, cell.source.ours


def test_every_profession_has_a_line_but_trainees() -> None:
    said = {(table, code) for table, code, _ in MATRIX.lines}
    known = codes.table("roles").concepts
    wanted = {
        (system.split("/NOS/")[1].partition("-")[0], code) for system, code in known if system.startswith("https:")
    }
    assert {table for table, _ in wanted - said} == {"TRE_A00", "TRE_G16"}
    assert said <= wanted
    assert MATRIX.line(TRAINEE) is None


def test_every_cell_has_a_source_and_none_of_ours_passes_for_the_texts() -> None:
    known = defaulted = 0
    for line in MATRIX.lines.values():
        for system, code in TYPES:
            cell = line.cell(system, code)
            assert cell is not None
            assert cell.sees is (((system, code) in line.types) is not line.every)
            assert cell.source.title
            assert not cell.source.verified  # no text was read: this file may not say so
            known, defaulted = known + (not cell.source.ours), defaulted + cell.source.ours
    assert (len(MATRIX.lines), len(TYPES)) == (47, 108)
    assert (known, defaulted) == (295, 4781)


def test_what_is_known_is_kept() -> None:
    for system, code in TYPES:
        assert sees("10", code) == (code != "ATTEST-RESID", False), system
    for nurse in ("60", "69"):
        for no in ("75496-0", "68599-0", "83901-9", "68817-6", "89601-9"):
            assert sees(nurse, no) == (False, False)
        for yes in ("11490-0", "11502-2", "56445-0", "PROT_ALD", "88348-8"):
            assert sees(nurse, yes) == (True, False)
        assert sees(nurse, "51969-4") == (False, True)
    for no in ("80788-3", "75496-0", "83981-1", "83901-9", "68599-0"):
        assert sees("40", no) == (False, False)
    assert sees("21", "57833-6") == (True, True)
    assert sees("93", "83901-9", "TRE_R95") == (False, True)


def test_other_resources_are_said_kind_by_kind() -> None:
    of_records = {name for name, kind in KINDS.items() if not kind.commons} - {"DocumentReference", "Binary"}
    assert MATRIX.lines["TRE_G15", "10", ""].kinds == of_records - OURS
    answers = frozenset({("Task", token("business-status", ANSWER, ""))})
    assert {key for key, line in MATRIX.lines.items() if line.coded} == {("TRE_G15", code, "") for code in CHECK_UP}
    assert {line.coded for line in MATRIX.lines.values()} == {frozenset(), answers}
    for line in MATRIX.lines.values():
        assert not line.kinds & OURS
        assert "Patient" in line.kinds or not (line.kinds or line.types)


def test_an_empty_line_is_no_line() -> None:
    assert MATRIX.line(professional("810009", "36")) is None
    assert MATRIX.line(professional("810009", "93")) is None
    assert MATRIX.line(DOCTOR) is not None


def test_a_skill_comes_before_its_profession() -> None:
    skilled, plain = Line(False, frozenset(), frozenset({"Patient"})), Line(True, frozenset(), frozenset())
    found = Matrix({("TRE_G15", "10", ""): plain, ("TRE_G15", "10", "SM42"): skilled})
    assert found.line(professional("810009", skill="SM42")) is skilled
    assert found.line(professional("810009", skill="SM26")) is plain


CHANGES: dict[str, tuple[str, str, str]] = {
    "no date": ("date = 2026-11-22\n\n#", "#", "the file: date is missing"),
    "a source without a date": (
        'nurses"\ndate = 2023-10-29',
        'nurses"',
        "sources.nurses: date is missing",
    ),
    "a source without a title": ('title = "infirmiers.com', 'titre = "infirmiers.com', "sources.nurses: 'titre'"),
    "ours, and verified": ("verified = false\nours", "verified = true\nours", "sources.carnet: what is ours"),
    "a line without a source": (
        'codes = ["70"]\ndocuments = "none"\nsource = "carnet"',
        'codes = ["70"]\ndocuments = "none"',
        "(Masseur-kinésithérapeute): source is missing",
    ),
    "an unknown source": ('source = "roles"', 'source = "rumour"', "no source is named 'rumour'"),
    "an unknown profession": ('codes = ["40"]', 'codes = ["400"]', "'400' is no profession of 'TRE_G15'"),
    "a profession of another table": ('codes = ["99"]', 'codes = ["10"]', "'10' is no profession of 'TRE_R291'"),
    "a profession said twice": ('codes = ["40"]', 'codes = ["40", "21"]', "21 of TRE_G15 has a line already"),
    "an unknown skill": ('codes = ["40"]', 'codes = ["40"]\nskills = ["surgery"]', "'surgery' is no code of a skill"),
    "an unknown type": ("loinc|83836-7", "loinc|83836-8", "(Chirurgien-dentiste).cell[1]: 'loinc|83836-8' is none"),
    "a type of another system": ("tre_a05|IMG-KOS", "loinc|IMG-KOS", "'loinc|IMG-KOS' is none of the types"),
    "an unknown class": ('types = ["tre_a05|ATTEST-RESID"]', 'classes = ["96"]', "'96' is none of the classes"),
    "an unknown system": ("tre_a05|ATTEST-RESID", "tre_a50|ATTEST-RESID", "no code system is named 'tre_a50'"),
    "a form missing": (', "urn:oid:2.16.840.1.113883.6.1"]', "]", "systems.loinc: not all the forms"),
    "a type said twice": ('"loinc|83836-7"', '"loinc|83836-7", "loinc|68599-0"', "'68599-0' is said twice"),
    "an unknown kind": ('["Patient"]', '["Patients"]', "kinds.identity: 'Patients' is no resource type of a record"),
    "a kind of the commons": ('["Patient"]', '["Slot"]', "'Slot' is no resource type of a record"),
    "a kind never given": ('["Patient"]', '["Consent"]', "'Consent' is never given to a profession"),
    "a kind by no parameter": ("Task?business-status=", "Task?colour=", "kinds.answers: 'Task?colour=https"),
    "a kind by a date": ("Task?business-status=", "Task?authored-on=", "is not written Type?parameter=system|"),
    "a kind by one code": ("prevention-answer|", "prevention-answer|done", "is not written Type?parameter=system|"),
    "a kind by any system": ("https://carnet.example/CodeSystem/prevention-answer|", "|", "is not written Type"),
    "an unknown group": ('kinds = ["identity", "family"]', 'kinds = ["identity", "famly"]', "no group of kinds"),
    "an unknown default": ('documents = "every"', 'documents = "all"', "documents is every or none, not 'all'"),
    "a word misspelt": ("sees = false", "see = false", "(Médecin).cell[0]: 'see' is not understood"),
    "no TOML": ("[kinds]", "[kinds", "matrix.toml: "),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_understood_stops_the_start_and_is_named(name: str, tmp_path: Path) -> None:
    old, new, told = CHANGES[name]
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "matrix.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError) as raised:
        load(path)
    assert str(raised.value).startswith("matrix.toml: ")
    assert told in str(raised.value)


def test_a_type_named_is_said_again_after_its_class(tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"
    text = FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('types = ["tre_a05|ATTEST-RESID"]', 'classes = ["95"]') + MORE, encoding="utf-8")
    line = load(path).lines["TRE_G15", "10", ""]
    assert (codes.TYPE, "ATTEST-DROITS-AM") in line.types
    surgeon = load(path).lines["TRE_G15", "10", "SM04"]
    assert {code for _, code in surgeon.types} == {"11490-0", "11488-4"}
    assert {system for system, _ in surgeon.types} == {codes.LOINC, "urn:oid:2.16.840.1.113883.6.1"}


MORE = """
[[profession]]
name = "Cardiologue"
system = "TRE_G15"
codes = ["10"]
skills = ["SM04"]
documents = "none"
source = "carnet"
kinds = ["identity"]
[[profession.cell]]
sees = false
source = "carnet"
classes = ["10"]
[[profession.cell]]
sees = true
source = "nurses"
types = ["loinc|11490-0", "loinc|11488-4"]
"""


def table() -> str:
    """Professions by classes, as docs/access-matrix.md shows them: seen of all."""
    classes = sorted({group for group in document_types().values() if group.isdecimal()})
    rows = [f"| | {' | '.join(classes)} |", f"|---|{'---|' * len(classes)}"]
    for (system, code, _), line in sorted(MATRIX.lines.items()):
        if not (line.every or line.types):
            continue
        name = next(one.display for (url, known), one in ROLES.items() if known == code and f"/{system}-" in url)
        cells = []
        for group in classes:
            of_class = [(forms[0], one) for (forms, one), known in document_types().items() if known == group]
            seen = sum(((pair in line.types) is not line.every) for pair in of_class)
            cells.append("all" if seen == len(of_class) else f"{seen}/{len(of_class)}" if seen else "·")
        rows.append(f"| {name} ({code}) | {' | '.join(cells)} |")
    return "\n".join(rows)


ROLES = codes.table("roles").concepts


def test_the_page_shows_the_matrix_as_it_is() -> None:
    page = Path(matrix.__file__).parents[2] / "docs" / "access-matrix.md"
    assert table() in page.read_text(encoding="utf-8")


NURSE = professional("899000000060", "60")


def caller(house: House, who: Professional) -> Caller:
    claims = house.claims("professional", "software", ("user/*.cruds",), subject=who.id)
    return house.caller(replace(claims, professional=who))


async def test_a_profession_sees_what_its_line_gives_under_either_form(house: House) -> None:
    record, by, hospital = await house.open_record(), await clinic(house), house.depositor()
    await house.relate(record, NURSE.id)
    oid = "urn:oid:2.16.840.1.113883.6.1"
    shown = [
        await deposited(hospital, document(record, by)),
        await deposited(hospital, document(record, by, type=coded(oid, "11502-2"))),
    ]
    kept = [
        await deposited(
            hospital, document(record, by, type=coded(system, "68599-0"), category=[coded(codes.CLASS, "11")])
        )
        for system in (codes.LOINC, oid)
    ]
    weight = (await hospital.post("Observation", observation(record))).json()
    nurse = caller(house, NURSE)
    found = await nurse.get(f"DocumentReference?patient={record}&_total=accurate")
    assert set(ids(found)) == {one["id"] for one in shown}
    assert found.json()["total"] == 2
    for one in shown:
        assert (await nurse.get(bytes_of(one), Accept="*/*")).status_code == 200
    for one in kept:
        assert (await nurse.get(f"DocumentReference/{one['id']}")).status_code == 404
        assert (await nurse.get(bytes_of(one), Accept="*/*")).status_code == 404
    assert (await nurse.get(f"Observation/{weight['id']}")).status_code == 200


async def test_the_matrix_is_swapped_without_code(settings: Settings, database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = FILE.read_text(encoding="utf-8")
    text = text.replace('"loinc|11490-0", "loinc|18761-7"', '"loinc|18761-7"')
    path.write_text(text.replace('measures = ["Observation"]', 'measures = ["Goal"]'), encoding="utf-8")
    for file, expected in ((None, 200), (path, 404)):
        async with House.build(replace(settings, access_matrix=file), database_url) as house:
            record = await house.open_record(None if file is None else OTHER)
            hospital, nurse = house.depositor(), caller(house, NURSE)
            await house.relate(record, NURSE.id)
            sent = await deposited(hospital, document(record, await clinic(house), type=coded(codes.LOINC, "11490-0")))
            weight = (await hospital.post("Observation", observation(record))).json()
            assert (await nurse.get(f"DocumentReference/{sent['id']}")).status_code == expected
            assert (await nurse.get(f"Observation/{weight['id']}")).status_code == expected
            assert (await nurse.get(f"Patient/{record}")).status_code == 200


OTHER = "255082A00412369"


def test_today() -> None:
    """The file is dated, and not of tomorrow."""
    assert all(
        cell.source.date <= datetime.now(UTC).date()
        for line in MATRIX.lines.values()
        for cell in (line.default, *line.cells.values())
        if cell is not None
    )


def test_a_profession_without_a_line_sees_nothing() -> None:
    assert load().entitled(professional("810099", "0"), KEYS.hashed) == Nothing()
