"""The journal as a file: whole, read as it is sent, never a formula, never more than its reader sees, and journaled."""

import csv
import io
import re
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from auth.scopes import parse
from phr import journal_export
from phr.access.journal import Tag, read_note
from phr.access.reader import Citizen, System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.journal_export import _cell
from phr.journal_paper import _latin
from tests.access.city import FROM_PROXIES, delegate, professional
from tests.access.test_chain import entries, findings, keys_of
from tests.access.test_journal import many
from tests.access.worlds import DOCTOR
from tests.house import Caller, House, account_of, observation


async def lived(house: House) -> str:
    """A record that its person, a professional and software went into."""
    name = await house.open_record()
    await house.relate(name, DOCTOR.id)
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    await professional(house).get(f"Observation/{made}")
    await house.depositor().post("Observation", observation(name))
    return name


async def export(caller: Caller, name: str, asked: str = "", accept: str = "text/csv") -> httpx.Response:
    return await caller.get(f"Patient/{name}/$journal{asked}", Accept=accept)


def table(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of a CSV answer, which begins with a byte order mark."""
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    text = answer.content.decode("utf-8-sig")
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def words(answer: httpx.Response) -> str:
    """What a PDF answer says."""
    assert answer.status_code == 200, answer.text
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))


async def test_a_spreadsheet_of_the_whole_journal(house: House) -> None:
    name = await lived(house)
    before = len(entries(house, name))
    answer = await export(house.citizen(name), name)
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert re.fullmatch(
        r'attachment; filename="carnet-journal-\d{4}-\d\d-\d\d.csv"', answer.headers["content-disposition"]
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-language"] == "fr"
    rows = table(answer)
    assert len(rows) == before
    doctor = next(row for row in rows if row["Qui"] == "Lou PETIT")
    assert doctor["En qualité de"] == "médecin"
    assert doctor["Structure"] == "Cabinet"
    assert doctor["Pourquoi"] == "Relation de soins"
    assert doctor["Logiciel"] == "software"
    assert doctor["Résultat"] == "Fait"
    assert doctor["Quoi"].startswith("le Dr Lou PETIT (médecin, Cabinet) a consulté 1 résultat ou mesure")
    english = table(await export(house.citizen(name), name, "?lang=en&_format=csv", "*/*"))
    assert {"Who", "Why", "Result"} <= set(english[0])


async def test_an_export_is_an_entry_of_the_journal_and_not_of_itself(house: House) -> None:
    name = await lived(house)
    for form, accept in (("csv", "text/csv"), ("pdf", "application/pdf")):
        before = len(entries(house, name))
        answer = await export(house.citizen(name), name, accept=accept)
        (row,) = entries(house, name)[before:]
        assert (row.tag, row.resources) == ("journal", [f"Patient/{name}"])
        note = read_note(keys_of(house, name), name, row.id, row.sealed)
        assert (note.asked, note.refused) == (f"Patient/{name}/$journal", "")
        told = (await house.citizen(name).get(f"AuditEvent/{row.id.hex}")).json()["text"]["div"]
        assert "vous avez téléchargé le journal" in told
        if form == "csv":
            assert len(table(answer)) == before
    assert await findings(house) == []


async def test_groups_and_days_are_chosen(house: House) -> None:
    name = await lived(house)
    citizen, today = house.citizen(name), datetime.now(UTC).date()
    everything = len(table(await export(citizen, name)))
    services = {row["Qui"] for row in table(await export(citizen, name, "?group=services"))}
    assert "le logiciel hospital" in services
    assert "Lou PETIT" not in services
    assert {row["Qui"] for row in table(await export(citizen, name, "?group=professionals"))} == {"Lou PETIT"}
    assert table(await export(citizen, name, f"?until={today - timedelta(days=2)}")) == []
    assert table(await export(citizen, name, f"?since={today + timedelta(days=2)}")) == []
    around = f"?since={today - timedelta(days=1)}&until={today + timedelta(days=1)}"
    assert len(table(await export(citizen, name, around))) >= everything
    for bad in ("?since=x", "?until=2026-02-30", "?since=2026-03-01T10:00:00"):
        assert (await export(citizen, name, bad)).status_code == 400
    for bad in ("?group=x", "?colour=x", "?group=mine&group=mine"):
        assert (await export(citizen, name, bad)).status_code == 422
    assert (await export(citizen, name, "?_format=xml")).status_code == 406
    assert (await export(citizen, name, accept="image/png")).status_code == 406
    narrow = house.citizen(name, ["patient/Observation.rs"])
    assert (await export(narrow, name)).status_code == 403


async def test_what_is_kept_from_a_parent_is_in_no_file_of_theirs(house: House) -> None:
    name = await lived(house)
    await house.represent(name, account_of("mum"))
    secretly = {"carnet-confidentiality": FROM_PROXIES}
    await professional(house).get(f"Patient/{name}", **secretly)
    theirs = table(await export(house.citizen(name), name, "?group=professionals"))
    hers = table(await export(delegate(house, name), name, "?group=professionals"))
    assert (len(theirs), len(hers)) == (2, 1)
    for caller in (house.depositor(), house.operator(), professional(house)):
        assert (await export(caller, name)).status_code == 403
    assert (await export(house.citizen(await house.open_record()), name)).status_code == 404


async def test_a_motive_is_no_formula(house: House) -> None:
    name = await house.open_record()
    visit = Visit(house.parts.installation, System("=2+5"), (), (), datetime.now(UTC))
    motives = ('=cmd|"/C calc"!A0', "+33", "-1", "@SUM(1)", "\t=1", "\r\n=1", " =1", 'dit "vite", é')
    for motive in motives:
        async with visit.act(name, CREATE, Tag.ACCESS, f"Patient/{name}/$open-access") as deed:
            deed.refused, deed.motive = "blocked", motive
    rows = [row for row in table(await export(house.citizen(name), name)) if row["Motif indiqué"]]
    found = [row["Motif indiqué"] for row in reversed(rows)]
    assert found == [f"'{re.sub('[' + chr(9) + chr(13) + chr(10) + ']+', ' ', one)}" for one in motives[:-1]] + [
        motives[-1]
    ]
    assert all(not cell.lstrip().startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert {row["Logiciel"] for row in rows} == {"'=2+5"}
    assert {row["Résultat"] for row in rows} == {"Refusé"}
    assert {row["Raison du refus"] for row in rows} == {"vous l’avez bloqué"}


@pytest.mark.parametrize("text", ["=1", "＝1", "+1", "-1", "@x", "\t=1", "\x00=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert _cell(text).startswith("'")
    assert _cell(f"a{text}") in (f"a{text}", "a =1")


async def test_a_document_to_print(house: House) -> None:
    name = await lived(house)
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
    async with visit.act(name, CREATE, Tag.ACCESS, f"Patient/{name}/$open-access") as deed:
        deed.refused, deed.motive = "blocked", "cœur – urgence “vitale” 漢"
    answer = await export(house.citizen(name), name, "?since=2026-01-01&group=&lang=fr", "application/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    document, said = PdfReader(io.BytesIO(answer.content)), words(answer)
    assert document.metadata is not None
    assert document.metadata.title == "Journal des accès"
    assert str(document.root_object["/Lang"]) == "fr"
    for told in (
        "Journal des accès",
        "Depuis le 01/01/2026",
        "Établi le",
        "Page 1 sur 1",
        "Le Dr Lou PETIT (médecin, Cabinet) a consulté 1 résultat ou mesure, au titre d'une relation de soins",
        "refusé, vous l'avez bloqué.",
        'Motif indiqué : coeur - urgence "vitale" ?',
    ):
        assert told in said, (told, said)
    empty = words(await export(house.citizen(name), name, "?until=2020-01-01&lang=en&_format=pdf", "*/*"))
    assert "No access in this period." in empty
    assert "Until 01/01/2020 included" in empty


def test_a_letter_that_core_fonts_lack_is_its_plain_one() -> None:
    assert _latin("Œuvre d’Élise à Łódź — 漢\t!") == "OEuvre d'Élise à ?ódz - ? !"


async def test_thousands_of_entries_are_sent_as_they_are_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    await many(house, name, made, 3_000)
    sizes: list[int] = []
    monkeypatch.setattr(journal_export, "_lines", _measured(sizes))
    assert len(table(await export(citizen, name))) == len(entries(house, name)) - 1
    assert max(sizes) <= journal_export._AT_ONCE
    assert len(sizes) > 10
    monkeypatch.undo()
    monkeypatch.setattr(journal_export, "MOST_PRINTED", 500)
    answer = await export(citizen, name, accept="application/pdf")
    document = PdfReader(io.BytesIO(answer.content))
    assert 10 < len(document.pages) < 40
    assert f"Page 2 sur {len(document.pages)}" in document.pages[1].extract_text()
    last = re.sub(r"\s+", " ", document.pages[-1].extract_text())
    assert "Ce document s'arrête à 500 lignes" in last


def _measured(sizes: list[int]) -> Any:
    lines = journal_export._lines

    def measured(rows: Any) -> str:
        sizes.append(len(rows))
        return lines(rows)

    return measured


async def test_memory_does_not_grow_with_the_journal(house: House) -> None:
    name = await house.open_record()
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    peaks = []
    for n in (1_000, 5_000):
        await many(house, name, made, n)
        begun = await journal_export.begin(_visit(house, name), name, (), None)
        tracemalloc.start()
        async for _ in begun.csv():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 1_000_000, peaks


def _visit(house: House, name: str) -> Visit:
    scope = parse("patient/*.cruds")
    assert scope is not None
    reader = Citizen("app", account_of(name), name)
    return Visit(house.parts.installation, reader, (scope,), (), datetime.now(UTC))
