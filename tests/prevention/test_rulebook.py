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
}


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


def test_every_faulty_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a-rule.toml").write_text(SOUND.replace('"female"', '"f"'))
    (tmp_path / "b-rule.toml").write_text("id = ")
    with pytest.raises(RuleError) as caught:
        load(tmp_path)
    assert {one.partition(":")[0] for one in str(caught.value).splitlines()} == {"a-rule.toml", "b-rule.toml"}
