"""`python -m phr medicines`, run against a real database: what is loaded, what is refused, who sees what meanwhile."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner, Result

from phr.commands.medicines import medicines_cli
from phr.core.database import psycopg_url
from phr.core.vault import KeyFile
from phr.medicines import loading, tables
from phr.medicines.source import Source
from tests.medicines import bdpm_files as made

Run = Callable[..., Result]
_NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """A sandbox that has been started before."""
    KeyFile.create(tmp_path / "keys" / "kek.json", "sandbox-1")
    return {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(tmp_path), "PHR_DATABASE_URL": database_url, "COLUMNS": "300"}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    cli = typer.Typer()
    cli.add_typer(medicines_cli, name="medicines")
    return lambda *arguments: CliRunner().invoke(cli, ["medicines", *map(str, arguments)], env=environment)


@pytest.fixture
def engine(database_url: str) -> Engine:
    return create_engine(psycopg_url(database_url), poolclass=NullPool)


def count(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            one.name: connection.execute(select(func.count()).select_from(one)).scalar_one()
            for one in (tables.release, *tables.FILLED)
        }


def names(engine: Engine) -> set[str]:
    """What a reader reads: the newest release alone."""
    with engine.connect() as connection:
        number = connection.execute(select(func.max(tables.release.c.number))).scalar_one()
        rows = connection.execute(select(tables.medicine.c.name).where(tables.medicine.c.release == number))
        return set(rows.scalars())


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
def test_the_files_are_loaded_whatever_their_encoding(run: Run, tmp_path: Path, encoding: str) -> None:
    folder = made.write(tmp_path / "bdpm", encoding)
    supplied = made.interactions(tmp_path / "own.csv", encoding=encoding)
    result = run("load", folder, "--interactions", supplied)
    assert result.exit_code == 0, result.output
    assert "Release 1 of " in result.stdout
    assert "8 medicine, " in result.stdout
    assert "15 ingredient, 5 condition, 1 generic, 3 class, 4 interaction." in result.stdout
    for path in (*folder.iterdir(), supplied):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in result.stdout
    assert "names of the interactions" not in result.stdout
    shown = run("show", made.CLAV)
    assert shown.exit_code == 0, shown.output
    assert "CLAVUFICTIF ÉLAN 1 g/125 mg" in shown.stdout
    assert "FT 90004 CLAVULANIQUE (ACIDE) 125 mg / une gélule" in shown.stdout


def test_one_file_may_be_in_another_encoding_than_the_rest(run: Run, tmp_path: Path) -> None:
    folder = made.write(tmp_path / "bdpm", "cp1252")
    path = folder / "CIS_bdpm.txt"
    path.write_bytes(path.read_bytes().decode("cp1252").encode())
    assert run("load", folder).exit_code == 0
    shown = run("show", "kétofictif").stdout
    assert "KÉTOFICTIF" in shown
    assert "KÉTOPROFÈNE" in shown


def test_loading_the_same_files_again_changes_nothing(run: Run, tmp_path: Path, engine: Engine) -> None:
    folder = made.write(tmp_path / "bdpm")
    assert run("load", folder).exit_code == 0
    before = count(engine)
    result = run("load", folder)
    assert "loaded already: nothing was changed. Release 1 of " in result.stdout
    assert count(engine) == before
    assert "said not to be checked" in result.stdout


def test_a_new_set_replaces_the_whole_one(run: Run, tmp_path: Path, engine: Engine) -> None:
    folder = made.write(tmp_path / "bdpm")
    supplied = made.interactions(tmp_path / "own.csv")
    assert run("load", folder, "--interactions", supplied).exit_code == 0
    for n in range(3):
        made.write(folder, medicines=[made.medicine(made.IBU, f"NOUVEAU {n}")])
        result = run("load", folder)
        assert result.exit_code == 0, result.output
        assert names(engine) == {f"NOUVEAU {n}"}
    assert "0 class, 0 interaction." in result.stdout
    # The one before stays for who was reading it; no other.
    assert (count(engine)["medicine_release"], count(engine)["medicine"]) == (2, 2)
    assert refused(run("show", made.AMOXI)) == "No medicine that is loaded has this code or these words in its name."


def test_a_line_about_a_medicine_that_is_not_there_is_left_out_and_counted(run: Run, tmp_path: Path) -> None:
    conditions = [*made.CONDITIONS, ["60000000", "liste I"], [made.IBU, ""]]
    result = run("load", made.write(tmp_path / "bdpm", conditions=conditions))
    assert result.exit_code == 0, result.output
    [row] = [line for line in result.stdout.splitlines() if "CIS_CPD" in line]
    assert row.split("│")[3].strip() == "1"


def test_what_is_said_twice_is_kept_once(run: Run, tmp_path: Path) -> None:
    result = run(
        "load",
        made.write(tmp_path / "bdpm", boxes=[*made.BOXES, *made.BOXES], generics=[*made.GENERICS, *made.GENERICS]),
    )
    assert "2 presentation, " in result.stdout


def test_conditions_and_generics_may_be_missing(run: Run, tmp_path: Path) -> None:
    folder = made.write(tmp_path / "bdpm")
    (folder / "CIS_CPD_bdpm.txt").unlink()
    (folder / "CIS_GENER_bdpm.txt").unlink()
    assert "0 condition, 0 generic" in run("load", folder).stdout


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        ("CIS_bdpm.txt", "<html><body>Erreur 404</body></html>", "12 columns are expected, there are 1"),
        ("CIS_bdpm.txt", "\t".join(made.medicine("1234", "COURT")), "a CIS code of 8 digits is expected"),
        ("CIS_bdpm.txt", "\t".join(made.medicine(made.IBU, "DEUX FOIS")), "this CIS code is on a line before"),
        ("CIS_bdpm.txt", "\t".join(made.medicine("60000009", "%")), "the name is missing, or too long"),
        ("CIS_bdpm.txt", "\t".join([*made.medicine("60000009", "LONG"), "", "plus"]), "12 columns are expected"),
        ("CIS_CIP_bdpm.txt", "\t".join(made.box(made.IBU, "340099000001", "x")), "a CIP13 code of 13 digits"),
        ("CIS_COMPO_bdpm.txt", "\t".join(made.holds(made.IBU, "", "X", "1 mg")), "the substance is missing"),
        ("CIS_COMPO_bdpm.txt", "\t".join(made.holds(made.IBU, "1", "X", "1 mg", "XX")), "SA, FT or ST is expected"),
        ("CIS_CPD_bdpm.txt", "liste I", "2 columns are expected, there are 1"),
        ("CIS_CPD_bdpm.txt", f"{made.IBU}\tliste\0", "this is not text"),
    ],
)
def test_a_malformed_file_is_named_with_its_line_and_changes_nothing(
    run: Run, tmp_path: Path, engine: Engine, name: str, line: str, why: str
) -> None:
    assert run("load", made.write(tmp_path / "bdpm")).exit_code == 0
    before = count(engine)
    folder = made.write(tmp_path / "other", medicines=[*made.MEDICINES, made.medicine("60000001", "AUTRE")])
    path = folder / name
    written = path.read_bytes()
    path.write_bytes(written + line.encode() + b"\n")
    number = written.count(b"\n") + 1
    said = refused(run("load", folder))
    assert said.startswith(f"Nothing was changed: {name}, line {number}: {why}")
    assert count(engine) == before


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("x;y;z\n", 1, "the first line is a;b;level;text"),
        ("a;b;level;text\nx;y;grave;z\n", 2, "the level is class, or one of the four of the ANSM"),
        ("a;b;level;text\nx;y;class\n", 2, "4 columns are expected, there are 3"),
        ("a;b;level;text\n;y;contre-indication;\n", 2, "a and b are the names of substances or classes"),
        ('a;b;level;text\nx;y;contre-indication;"z\n', 2, "the quotes do not match"),
        ("a;b;level;text\nx;y;class;\nw;x;class;\n", 3, "a class is made of substances, not of classes"),
        ("", 1, "the first line is a;b;level;text"),
    ],
)
def test_a_malformed_file_of_interactions(
    run: Run, tmp_path: Path, engine: Engine, text: str, line: int, why: str
) -> None:
    supplied = made.interactions(tmp_path / "own.csv", text)
    said = refused(run("load", made.write(tmp_path / "bdpm"), "--interactions", supplied))
    assert said == f"Nothing was changed: own.csv, line {line}: {why}."
    assert count(engine)["medicine_release"] == 0


def test_names_of_interactions_that_are_nothing_s_are_told(run: Run, tmp_path: Path) -> None:
    text = f"{made.INTERACTIONS}ibuprofène;méthotrexate;contre-indication;\n"
    result = run("load", made.write(tmp_path / "bdpm"), "--interactions", made.interactions(tmp_path / "own.csv", text))
    assert "1 names of the interactions are of no substance loaded: methotrexate." in result.stdout


def test_a_folder_without_the_files(run: Run, tmp_path: Path) -> None:
    assert "does not have CIS_bdpm.txt, CIS_CIP_bdpm.txt, CIS_COMPO_bdpm.txt." in refused(run("load", tmp_path))
    folder = made.write(tmp_path / "bdpm")
    assert "cannot be read" in refused(run("load", folder, "--interactions", tmp_path / "no.csv"))
    assert refused(run("show", "x")) == "No medicines are loaded: `medicines load` does it."


def test_a_name_shows_the_list_of_what_it_may_be(run: Run, tmp_path: Path) -> None:
    run("load", made.write(tmp_path / "bdpm"))
    listed = run("show", "comprimé").stdout
    assert all(name in listed for name in ("CLAVUFICTIF", "IBUFICTIF", "KÉTOFICTIF", "PERIFICTIF"))
    assert "→ narcotic" in run("show", made.MORPH).stdout
    assert "AMOXIFICTIF" in run("show", made.BOX).stdout
    assert made.CLAV in run("show", "élan", "clavu").stdout


def test_readers_neither_wait_nor_see_half_of_it(engine: Engine, tmp_path: Path) -> None:
    """Stopped in the middle of a loading, its rows written: reading still gives the set before, at once."""
    load = loading.load
    first = loading.find(made.write(tmp_path / "bdpm"))
    load(engine, first, _NOW, lambda source, line: None)
    other = loading.find(made.write(tmp_path / "other", medicines=[made.medicine(made.IBU, "NOUVEAU")]))
    inside, go_on = threading.Event(), threading.Event()

    def stop(source: Source, line: int) -> None:
        if source.path.name == "CIS_COMPO_bdpm.txt":
            inside.set()
            assert go_on.wait(20)

    worker = threading.Thread(target=load, args=(engine, other, _NOW, stop))
    worker.start()
    try:
        assert inside.wait(20)
        assert len(names(engine)) == len(made.MEDICINES)
    finally:
        go_on.set()
        worker.join()
    assert names(engine) == {"NOUVEAU"}


def test_a_large_set_is_loaded(engine: Engine, tmp_path: Path) -> None:
    medicines = [made.medicine(f"6{n:07d}", f"GRANDFICTIF {n} mg, gélule") for n in range(12_000)]
    made.write(tmp_path / "bdpm", medicines=medicines, boxes=[], compositions=[], conditions=[], generics=[])
    told: list[int] = []
    done = loading.load(engine, loading.find(tmp_path / "bdpm"), _NOW, lambda source, line: told.append(line))
    assert done.rows["medicine"] == 12_000
    assert told[:2] == sorted(told[:2])
    assert max(told) == 12_001


def test_the_real_command(environment: dict[str, str], tmp_path: Path) -> None:
    folder = made.write(tmp_path / "bdpm")
    command = [sys.executable, "-m", "phr", "medicines", "load", str(folder)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Loaded. Release 1 of " in done.stdout
