"""Texts about prevention: their files, whose they are, and what a reader is offered through their own eyes."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from phr.access.journal import Tag
from phr.prevention.canonical import FACT
from phr.prevention.contents import CONTENTS, FOLDER, load, offered
from phr.prevention.person import Answer, Person
from tests.house import House
from tests.kin import parameters, person, represent
from tests.phr.care import DOCTOR, notes, software

ON = date(2026, 11, 22)
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
HPV = "+++\ntitle = \"T\"\nupdated = 2026-11-22\naudience = [{ age = { from = \"11y\", before = \"27y\" } }]\n[source]\ntitle = \"S\"\nlink = \"https://x.test\"\nverified = false\n+++\nTexte."  # fmt: skip  # noqa: E501


def ids(person: Person, on: date = ON) -> tuple[set[str], set[str]]:
    found = offered(CONTENTS.values(), person, on)
    return {one.id for one in found.for_me}, {one.id for one in found.could_interest}


def aged(years: int, **more: Any) -> Person:
    return Person(date(ON.year - years, 1, 1), **{"sex": "female", **more})


def yes(*names: str) -> dict[str, tuple[Answer, ...]]:
    return {name: (Answer(value=True),) for name in names}


def no(*names: str) -> dict[str, tuple[Answer, ...]]:
    return {name: (Answer(value=False),) for name in names}


def test_there_are_a_dozen_short_ones_in_both_languages() -> None:
    assert 10 <= len(CONTENTS) <= 14
    for one in CONTENTS.values():
        for text in (one.text.fr, one.text.en):
            assert 80 <= len(text.split()) <= 260, one.id
        assert one.text.fr != one.text.en
        assert one.title.fr != one.title.en
    assert len(list(FOLDER.iterdir())) == 2 * len(CONTENTS)


def test_for_me_is_sure_and_could_interest_is_not() -> None:
    mine, near = ids(aged(60, answers=no("breast-high-risk", "colorectal-high-risk", "no-cervix")))
    assert {"breast", "colorectal", "cervical", "heart"} <= mine
    assert "hpv" not in mine | near
    mine, near = ids(aged(60))
    assert "breast" in near - mine
    assert "breast" not in set().union(*ids(aged(60, answers=yes("breast-high-risk"))))
    assert "breast" not in set().union(*ids(aged(60, sex="male")))
    assert "breast" in ids(aged(60, sex=None))[1]
    assert "tobacco" in ids(aged(30))[1]
    assert "tobacco" in ids(aged(30, answers=yes("smoker")))[0]
    assert "tobacco" not in set().union(*ids(aged(30, answers=no("smoker"))))
    assert ids(Person(None, None))[0] == set()


@pytest.mark.parametrize(
    ("years", "where"), [(0, "mine"), (7, None), (30, "near"), (54, "near"), (55, None), (88, None)]
)
def test_the_first_months_of_a_baby_are_not_for_a_grandmother(years: int, where: str | None) -> None:
    mine, near = ids(aged(years))
    assert ("mine" if "first-months" in mine else "near" if "first-months" in near else None) == where
    assert "first-months" in ids(aged(30, answers=yes("pregnant")))[0]


@pytest.mark.parametrize(
    ("born", "where"),
    [
        ("2020-11-23", None), ("2020-11-22", "near"), ("2015-11-23", "near"), ("2015-11-22", "mine"),
        ("1999-11-23", "mine"), ("1999-11-22", "near"), ("1994-11-23", "near"), ("1994-11-22", None),
    ],
)  # fmt: skip
def test_near_is_five_years_before_or_after(born: str, where: str | None) -> None:
    mine, near = ids(Person(date.fromisoformat(born), "male"))
    assert ("mine" if "hpv" in mine else "near" if "hpv" in near else None) == where


def test_html_is_never_let_through(tmp_path: Path) -> None:
    (tmp_path / "a.fr.md").write_text(f"{HPV} <script>x</script> [y](javascript:alert(1)) **z**", "utf-8")
    (tmp_path / "a.en.md").write_text('+++\ntitle = "E"\n+++\nText.', "utf-8")
    html = load(tmp_path)["a"].html("fr")
    assert "<script>" not in html
    assert "href" not in html
    assert "<strong>z</strong>" in html


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("updated", "updatd", "unknown field"),
        ("updated = 2026-11-22", 'updated = 2026-11-22\nrules = ["nowhere"]', "nowhere"),
        ('{ from = "11y", before = "27y" }', '{ from = "11 years" }', "not a duration"),
        ("audience = [{ age", 'audience = [{ all = ["rich"], age', "rich is not a fact"),
        ("audience = [{ age", 'audience = [{ all = ["sex"], age', "sex is not a fact"),
        ("audience = [{ age", 'audience = [{ pregnancy = { from = "20w" }, age', "an audience is"),
        ("https://", "http://", "an https link"),
        ("Texte.", "", "then the text"),
        ("+++\n", "", "a.fr.md"),
    ],
)
def test_a_file_that_says_anything_else_is_refused(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    assert was in HPV
    (tmp_path / "a.fr.md").write_text(HPV.replace(was, becomes), "utf-8")
    (tmp_path / "a.en.md").write_text('+++\ntitle = "E"\n+++\nText.', "utf-8")
    with pytest.raises(ValueError, match=re.escape(told)):
        load(tmp_path)


def test_a_text_is_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "a.fr.md").write_text(HPV, "utf-8")
    with pytest.raises(ValueError, match=re.escape("a.en.md")):
        load(tmp_path)


def told(answer: Any) -> dict[str, set[str]]:
    assert answer.status_code == 200, answer.text
    found: dict[str, set[str]] = {"for-me": set(), "could-interest": set()}
    for one in answer.json().get("parameter", ()):
        found[one["name"]].add(next(part["valueId"] for part in one["part"] if part["name"] == "id"))
    return found


async def test_they_are_offered_through_the_reader_s_eyes(house: House) -> None:
    sarah = await person(house, "Sarah", "Benali", f"{datetime.now(UTC).year - 30}-01-02")
    asked, app = f"{sarah.patient}/$contents", sarah.caller()
    found = await app.get(f"{asked}?lang=en")
    assert "tobacco" in told(found)["could-interest"]
    assert found.headers["content-language"] == "en"
    [sleep] = [one for one in found.json()["parameter"] if one["part"][0]["valueId"] == "sleep"]
    assert {"name": "title", "valueString": "Sleeping better"} in sleep["part"]
    # She smokes: the text is hers; a doctor from whom she masks her answers is not told so.
    smokes = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "social-history"}]}],
        "code": {"coding": [{"system": FACT, "code": "smoker"}]},
        "subject": {"reference": sarah.patient},
        "effectiveDateTime": "2026-01-01",
        "valueBoolean": True,
    }
    assert (await app.post("Observation", smokes)).status_code == 201
    assert "tobacco" in told(await app.get(asked))["for-me"]
    doctor = software(house, DOCTOR)
    assert (await doctor.get(asked)).status_code == 404
    await house.relate(sarah.record, DOCTOR.id)
    assert "tobacco" in told(await doctor.get(asked))["for-me"]
    await app.post(f"{sarah.patient}/$mask", parameters(section="lifestyle"))
    assert "tobacco" in told(await doctor.get(asked))["could-interest"]
    stranger = await person(house)
    assert (await stranger.caller().get(asked)).status_code == 404
    assert {tag for tag, note in notes(house, sarah.record) if note.asked.endswith("$contents")} == {Tag.PREVENTION}


async def test_a_parent_reads_those_of_their_child(house: House) -> None:
    claire = await person(house)
    child = await person(house, "Léo", "Moreau", f"{datetime.now(UTC).year - 5}-01-02", account=False)
    await represent(child, claire)
    assert "screens" in told(await claire.acting(child.record).get(f"{child.patient}/$contents"))["for-me"]
