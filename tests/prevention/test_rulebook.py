"""A file that says anything it should not is refused, with its name and the line; a sound one is read whole."""

from datetime import date
from pathlib import Path

import pytest

from phr.prevention.rulebook import RuleError, load, read, stale

SOUND = """\
id = "a-rule"
theme = "screening"
title = { fr = "Un examen", en = "A test" }

[[version]]
in_force = 2024-01-01
requirement = "recommended"
say = { fr = "À faire.", en = "To do." }
do = "book"
channels = ["inbox"]

[version.source]
title = "A source"
link = "https://example.org"
quote = "50 to 74"
checked = 2026-01-01
verified = false

[version.who]
sex = "female"
age = { from = "50y", before = "75y" }

[version.schedule]
shape = "every"
hold = [{ by = ["hpv"], for = "2y" }]

[[example]]
name = "the day before fifty"
on = 2026-05-16
born = 1976-05-17
status = "soon"

[[example]]
name = "fifty"
on = 2026-05-17
born = 1976-05-17
status = "ask"

[[example]]
name = "the day before seventy-five"
on = 2026-05-16
born = 1951-05-17
status = "ask"

[[example]]
name = "seventy-five"
on = 2026-05-17
born = 1951-05-17
status = "not-concerned"
"""

FAULTS = {
    "an unknown field": ('do = "book"', 'do = "book"\nurgent = true', 10, "unknown field `urgent`"),
    "an unknown word": ('sex = "female"', 'sex = "f"', 20, "'f'"),
    "a number for a text": ('title = "A source"', "title = 3", 13, "Expected `str`, got `int`"),
    "a missing field": ('quote = "50 to 74"\n', "", 12, "required field `quote`"),
    "an unknown value set": ('by = ["hpv"]', 'by = ["hpw"]', 25, "hpw is not a value set"),
    "an unknown fact": ('sex = "female"', 'all = ["smokes"]', 19, "smokes is not a fact"),
    "an empty range": ('from = "50y", before = "75y"', 'from = "75y", before = "50y"', 21, "this range is empty"),
    "no duration": ('for = "2y"', 'for = "2 years"', 25, "'2 years' is not a duration"),
    "a saying too long": ('fr = "À faire."', f'fr = "{"x" * 281}"', 8, "fr has 281 characters"),
    "another's id": ('id = "a-rule"', 'id = "another"', 1, "the id is the file's name, a-rule"),
    "a hold that is not of its shape": ('shape = "every"', 'shape = "once"', 25, '"hold" goes with shape = "every"'),
    "a season that is not of its shape": (
        'sex = "female"',
        'season = { from = "10-15", before = "02-01" }',
        19,
        'a season goes with each = "season", or "pregnancy"',
    ),
    "a bound without its example": ("on = 2026-05-17\nborn = 1951", "on = 2026-05-18\nborn = 1951", 27, "day of 75y"),
    "a link in clear": ("https://example.org", "http://example.org", 14, "begins with https://"),
    "a source without words": ('quote = "50 to 74"', 'quote = " "', 15, "a source has a quote"),
    "a saying of nothing": ('fr = "À faire."', 'fr = " "', 8, "fr has 1 characters: 1 to 280"),
    "a title of nothing": ('fr = "Un examen"', 'fr = ""', 3, "a title in both languages"),
    "no channel": ('channels = ["inbox"]', "channels = []", 10, "one channel at least"),
    "a channel twice": ('channels = ["inbox"]', 'channels = ["inbox", "inbox"]', 10, "each of them once"),
    "a journey nobody knows": ('theme = "screening"', 'theme = "screening"\njourney = "cancer"', 3, "'cancer'"),
    "a fact both ways": ('sex = "female"', 'all = ["smoker"]\nnone = ["smoker"]', 19, "smoker is asked to be true"),
    "a day of no year": (
        'sex = "female"',
        'season = { from = "10-15", before = "02-30" }',
        20,
        "a season is from a month-day to another",
    ),
    "weeks of no pregnancy": ('sex = "female"', 'pregnancy = { from = "45w" }', 20, "no pregnancy is so long"),
    "a hold of nothing": ('by = ["hpv"]', "by = []", 25, "by names a value set"),
    "a hold of no time": ('for = "2y"', 'for = "0d"', 25, "holds for some time"),
    "a window outside of the ages": (
        'shape = "every"\nhold = [{ by = ["hpv"], for = "2y" }]',
        'shape = "each"\neach = "age"\nages = ["49y", "60y"]\nby = ["hpv"]',
        26,
        "49y is not an age that it is for",
    ),
    "a window at the end of the ages": (
        'shape = "every"\nhold = [{ by = ["hpv"], for = "2y" }]',
        'shape = "each"\neach = "age"\nages = ["60y", "75y"]\nby = ["hpv"]',
        26,
        "75y is not an age that it is for",
    ),
    "a course too late to begin": (
        'shape = "every"\nhold = [{ by = ["hpv"], for = "2y" }]',
        'shape = "series"\nby = ["hpv"]\n\n[[version.course]]\nstart = { from = "75y" }\ndose = [{}]',
        28,
        "this course begins when it is over",
    ),
    "a dose too late to come": (
        'shape = "every"\nhold = [{ by = ["hpv"], for = "2y" }]',
        'shape = "series"\nby = ["hpv"]\n\n[[version.course]]\nbefore = "60y"\ndose = [{}, { age = "60y" }]',
        29,
        "a dose comes when it is over",
    ),
    "what is not TOML": ('theme = "screening"', "theme", 2, "Expected '=' after a key"),
    "a file that stops": ('title = { fr = "Un examen", en = "A test" }', 'title = "', 3, "Illegal character"),
}
BOUNDS = {
    "birth 2000-01-01": "born = { from = 2000-01-01, before = 2010-01-01 }",
    "birth 2010-01-01": "born = { from = 2000-01-01, before = 2010-01-01 }",
    "week 20 of pregnancy": 'pregnancy = { from = "20w" }',
    "10-15": 'season = { from = "10-15", before = "02-01" }',
    "02-01": 'season = { from = "10-15", before = "02-01" }',
}
"""Bounds that SOUND has no example of, and what of `who` writes each."""


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a-rule.toml"
    path.write_text(SOUND)
    rule = read(path).rule
    assert (rule.id, rule.versions[0].schedule.holds[0].lasts.months) == ("a-rule", 24)
    [(found, version)] = stale(load(tmp_path), date(2027, 3, 1))
    assert (found.id, version.source.checked) == ("a-rule", date(2026, 1, 1))
    assert stale(load(tmp_path), date(2027, 2, 5)) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    here, there, line, what = FAULTS[name]
    assert here in SOUND
    path = tmp_path / "a-rule.toml"
    path.write_text(SOUND.replace(here, there, 1))
    with pytest.raises(RuleError) as caught:
        load(tmp_path)
    assert any(one.startswith(f"a-rule.toml:{line}: ") and what in one for one in str(caught.value).splitlines()), str(
        caught.value
    )


@pytest.mark.parametrize("told", BOUNDS)
def test_every_bound_has_its_examples(told: str, tmp_path: Path) -> None:
    (tmp_path / "a-rule.toml").write_text(SOUND.replace('sex = "female"', BOUNDS[told]))
    with pytest.raises(RuleError, match=f"an example on the day of {told} and one on the day before"):
        load(tmp_path)


def test_a_bound_of_a_course_is_shown_by_a_dose_too(tmp_path: Path) -> None:
    course = '[[version.course]]\nstart = { from = "55y" }\nbefore = "70y"\ndose = [{}]'
    path = tmp_path / "a-rule.toml"
    every = SOUND[SOUND.index('shape = "every"') : SOUND.index("[[example]]")]
    text = SOUND.replace(every, f'shape = "series"\nby = ["hpv"]\n\n{course}\n\n')
    path.write_text(text)
    with pytest.raises(RuleError) as caught:
        read(path)
    assert [line.partition("the day of ")[2][:3] for line in str(caught.value).splitlines()] == ["55y", "70y"]
    shown = "".join(
        f'\n[[example]]\nname = "{on}"\non = 2026-05-17\nborn = 1956-05-17\n'
        f'events = [{{ by = "hpv", on = {on} }}]\nstatus = "done"\n'
        for on in ("2011-05-16", "2011-05-17", "2026-05-16")
    )
    path.write_text(text + shown)
    assert read(path).rule.id == "a-rule"


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "a-rule.toml").write_bytes(SOUND.encode().replace("À".encode(), b"\xc0"))
    with pytest.raises(RuleError, match=r"^a-rule\.toml:8: this is not UTF-8$"):
        load(tmp_path)


def test_every_faulty_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a-rule.toml").write_text(SOUND.replace('"female"', '"f"'))
    (tmp_path / "b-rule.toml").write_text("id = ")
    with pytest.raises(RuleError) as caught:
        load(tmp_path)
    assert {one.partition(":")[0] for one in str(caught.value).splitlines()} == {"a-rule.toml", "b-rule.toml"}
