"""`python -m phr rules` as its owner uses it: what it prints, what it refuses, and its exit codes."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from phr.commands.rules import rules_cli
from phr.prevention import simulation
from phr.prevention.advice import Status
from phr.prevention.engine import advise
from phr.prevention.rulebook import RULES, RULES_FOLDER

BREAST = "breast-cancer-screening"


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"}).invoke(rules_cli, words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two rules in a folder of their own."""
    for name in (BREAST, "vaccine-hpv"):
        shutil.copy(RULES_FOLDER / f"{name}.toml", tmp_path)
    return tmp_path


def rewrite(path: Path, here: str, there: str) -> int:
    """Change the first `here` of a file; its line."""
    text = path.read_text()
    assert here in text
    path.write_text(text.replace(here, there, 1))
    return text[: text.index(here)].count("\n") + 1


def test_the_rules_we_ship_are_sound() -> None:
    done = run("check")
    assert done.exit_code == 0, done.output
    assert f"{len(RULES.all)} rules, " in done.output
    assert "0 faults." in done.output
    assert all(rule.id in done.output for rule in RULES.all)


def test_a_fault_is_told_with_its_file_and_line(folder: Path) -> None:
    line = rewrite(folder / f"{BREAST}.toml", 'sex = "female"', 'sex = "f"')
    done = run("check", "--folder", str(folder))
    assert done.exit_code == 1
    assert f"{BREAST}.toml:{line}: " in done.stderr
    assert "vaccine-hpv" in done.stdout  # the sound ones are told all the same
    assert "1 rules, " in done.stdout


@pytest.mark.parametrize(
    ("here", "there", "wrong"),
    [
        ('status = "due"', 'status = "soon"', "status is due, not soon"),
        ('why = "due"', 'why = "soon"', "why is due, not soon"),
        ("due = 2026-05-17", "due = 2026-05-18", "due is 2026-05-17, not 2026-05-18"),
    ],
)
def test_an_example_that_does_not_hold_is_a_fault(folder: Path, here: str, there: str, wrong: str) -> None:
    path = folder / f"{BREAST}.toml"
    first = path.read_text().index("[[example]]")
    line = path.read_text()[:first].count("\n") + 1
    rewrite(path, here, there)
    done = run("check", "--folder", str(folder))
    assert done.exit_code == 1
    assert f"{BREAST}.toml:{line}: “The day of fifty”: {wrong}" in done.stderr


def test_a_stale_source_is_listed_after_400_days(folder: Path) -> None:
    rewrite(folder / f"{BREAST}.toml", "checked = 2026-11-22", "checked = 2025-01-01")
    on_the_day = run("check", "--stale", "--folder", str(folder), "--on", "2026-02-05")
    after = run("check", "--stale", "--folder", str(folder), "--on", "2026-02-06")
    assert BREAST not in on_the_day.output
    assert "0 sources" in on_the_day.output
    assert BREAST in after.output
    assert "vaccine-hpv" not in after.output
    assert after.exit_code == 0


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    assert run("check", "--folder", str(tmp_path)).exit_code == 2
    assert run("pages", "--folder", str(tmp_path), "--out", str(tmp_path / "out")).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_rule_is_shown_whole() -> None:
    done = run("show", "vaccine-hpv", "--lang", "fr")
    rule = RULES.get("vaccine-hpv")
    assert rule is not None
    assert done.exit_code == 0
    for version in rule.versions:
        assert version.say.fr in done.output
        assert version.source.link in done.output
        assert version.source.quote in done.output
        assert str(version.in_force) in done.output
    assert "ATC J07BM" in done.output
    assert "Dose 3 of 3" in done.output
    assert "NOT VERIFIED" in done.output


def test_every_rule_can_be_shown() -> None:
    for rule in RULES.all:
        for lang in ("fr", "en"):
            done = run("show", rule.id, "--lang", lang)
            assert done.exit_code == 0, done.output


def test_an_unknown_rule_is_refused_with_the_nearest() -> None:
    done = run("show", "breast-cancer")
    assert done.exit_code == 2
    assert BREAST in done.stderr


def explained(*words: str) -> Result:
    return run("explain", "--born", "1974-03-02", "--sex", "female", "--on", "2026-11-22", "--rule", BREAST, *words)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), Status.ASK),
        (("--fact", "breast-high-risk=yes"), Status.NOT_CONCERNED),
        (("--fact", "breast-high-risk=no"), Status.OVERDUE),
        (("--fact", "breast-high-risk=no", "--event", "mammography=2025-05-01"), Status.DONE),
        (("--fact", "breast-high-risk=no", "--event", "mammography=2024-11-30"), Status.SOON),
    ],
)
def test_somebody_is_explained(words: tuple[str, ...], status: Status) -> None:
    done = explained(*words)
    assert done.exit_code == 0, done.output
    assert f"1 {status}." in done.output


def test_an_explanation_gives_the_reason_the_question_and_the_next_change() -> None:
    done = explained("--fact", "breast-high-risk=no", "--event", "mammography=2025-05-01", "--lang", "fr")
    assert "C’est fait : le 1er mai 2025. Prochaine fois : 1er mai 2027." in done.output
    assert "2027-04-01" in done.output
    assert "BRCA" in explained("--lang", "fr").output


def test_a_pregnancy_is_explained() -> None:
    rule = "vaccine-pertussis-pregnancy"
    words = ("explain", "--born", "1994-03-02", "--sex", "female", "--on", "2026-11-22", "--rule", rule)
    assert "1 due." in run(*words, "--pregnancy", "2026-06-01").output


def test_what_does_not_concern_is_hidden_unless_asked() -> None:
    words = ("explain", "--born", "2000-01-01", "--sex", "male", "--on", "2026-11-22")
    assert BREAST not in run(*words).output
    assert BREAST in run(*words, "--all").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--event", "mammografy=2024-05-01"), "mammography"),
        (("--event", "mammography=May"), "mammography=YYYY-MM-DD"),
        (("--event", "mammography"), "mammography=YYYY-MM-DD"),
        (("--fact", "smoke=yes"), "smoker"),
        (("--fact", "smoker=perhaps"), "smoker=yes or smoker=no"),
        (("--fact", "sex=yes"), "There is no fact sex"),
    ],
)
def test_what_is_not_understood_is_refused(words: tuple[str, ...], said: str) -> None:
    done = explained(*words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_crowd_is_counted_and_a_seed_is_a_crowd() -> None:
    words = ("simulate", "--people", "40", "--on", "2026-11-22")
    done = run(*words, "--seed", "7")
    assert done.exit_code == 0, done.output
    assert all(rule.id in done.output for rule in RULES.all)
    assert run(*words, "--seed", "7").output == done.output
    assert run(*words, "--seed", "8").output != done.output
    by_age = run(*words, "--by-age").output
    assert "female" in by_age
    assert "0–9" in by_age


def test_the_tally_is_that_of_the_plain_engine() -> None:
    on = date(2026, 11, 22)
    people = list(simulation.people(25, RULES, on, 3))
    *_, tally = simulation.simulate(RULES, 25, on, 3)
    for n, rule in enumerate(RULES.all):
        found = [advise(RULES, person, on)[n].status for person in people] if n % 9 == 0 else []
        for status in Status if found else ():
            assert tally.rules[rule.id, status] == found.count(status), rule.id
    assert sum(tally.rules.values()) == 25 * len(RULES.all)
    assert sum(tally.heads.values()) == tally.people == 25
    assert all(event.on <= on for person in people for event in person.events)


def test_the_calendar_is_drawn(tmp_path: Path) -> None:
    done = run("calendar", "--out", str(tmp_path / "docs"))
    assert done.exit_code == 0, done.output
    assert {one.name for one in (tmp_path / "docs").iterdir()} == {"calendar.svg", "calendar.html"}


def test_pages_are_written_and_those_of_rules_gone_removed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "docs"
    assert run("pages", "--folder", str(folder), "--out", str(out)).exit_code == 0
    (out / "coverage.md").write_text("by hand")
    (folder / "vaccine-hpv.toml").unlink()
    done = run("pages", "--folder", str(folder), "--out", str(out))
    assert "2 pages" in done.output
    assert "1 removed" in done.output
    assert {one.name for one in out.iterdir()} == {"index.md", f"{BREAST}.md", "coverage.md"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--born", "2030-01-01"), "--born 2030-01-01: that is after 2026-01-01."),
        (("--born", "1990-01-01", "--event", "mmr=1989-12-31"), "1989-12-31 is before the birth."),
        (("--born", "1990-01-01", "--pregnancy", "1989-12-31"), "1989-12-31 is before the birth."),
    ],
)
def test_a_date_that_cannot_be_is_refused(words: tuple[str, ...], said: str) -> None:
    done = run("explain", *words, "--on", "2026-01-01")
    assert (done.exit_code, done.stderr.strip()) == (2, said)


def test_an_id_is_whole_however_narrow_the_terminal() -> None:
    for words in (("check",), ("simulate", "--people", "5"), ("check", "--stale", "--on", "2030-01-01")):
        done = CliRunner(env={"COLUMNS": "60", "NO_COLOR": "1"}).invoke(rules_cli, words)
        assert done.exit_code == 0, done.output
        assert "…" not in done.stdout, words
