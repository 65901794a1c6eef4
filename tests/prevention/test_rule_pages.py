"""The pages in docs are those of the rules as they are now, and say what the rules say."""

import re
from pathlib import Path

from phr.prevention import calendar, calendar_page, drawing, layout, pages
from phr.prevention.rulebook import RULES, read_all

DOCS = Path(__file__).parents[2] / "docs" / "prevention"
READ = read_all()
MADE = pages.pages(READ)
AGAIN = "run `python -m phr rules pages` and `python -m phr rules calendar`"


def test_the_docs_are_those_of_the_rules() -> None:
    stale = [name for name, text in MADE.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != text]
    assert stale == [], AGAIN
    assert {one.name for one in DOCS.glob("*.md")} == {*MADE, "coverage.md"}, AGAIN


def test_the_drawings_are_those_of_the_rules() -> None:
    on = calendar.day_of(RULES)
    lanes = calendar.lanes(RULES, on)
    title = "Prevention, from birth to a hundred years"
    assert (DOCS / "calendar.svg").read_text() == drawing.drawn(lanes, layout.WIDE, title), AGAIN
    assert (DOCS / "calendar.html").read_text() == calendar_page.page(lanes, on), AGAIN


def test_a_page_says_where_it_comes_from_and_whether_that_was_verified() -> None:
    for one in READ:
        page, source = MADE[f"{one.rule.id}.md"], one.rule.versions[0].source
        assert source.link in page
        assert source.quote in page
        assert ("> **Not verified.**" in page) is not source.verified
        assert all(example.name.replace("|", "&#124;") in page for example in one.examples)
        assert all(f"| {version.in_force} |" in page for version in one.rule.versions)
        for words in (one.rule.title, one.rule.versions[0].say):
            assert words.fr in page
            assert words.en in page


def test_a_table_has_as_many_cells_in_each_line() -> None:
    for name, page in MADE.items():
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            assert len({line.count("|") for line in table.splitlines()}) == 1, name


def test_the_coverage_names_every_rule_and_no_other() -> None:
    named = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", (DOCS / "coverage.md").read_text()))
    assert named == {rule.id for rule in RULES.all}
