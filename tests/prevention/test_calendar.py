"""The drawn schedule shows every rule once, where the rule says, and does not run off the paper."""

import re
import xml.etree.ElementTree as ET
from datetime import date

import pytest

from phr.prevention import calendar
from phr.prevention.calendar import Bar
from phr.prevention.calendar_page import page
from phr.prevention.drawing import drawn
from phr.prevention.layout import LETTER, NARROW, WIDE, Layout
from phr.prevention.rule import Rules
from phr.prevention.rulebook import RULES

ON = calendar.day_of(RULES)
LANES = calendar.lanes(RULES, ON)
BARS = {bar.rule.id: bar for lane in LANES for bar in lane.bars}
SVG = "{http://www.w3.org/2000/svg}"


def test_every_rule_in_force_has_one_bar() -> None:
    listed = [bar.rule.id for lane in LANES for bar in lane.bars]
    assert sorted(listed) == sorted(rule.id for rule in RULES.all if rule.at(ON) is not None)


def test_what_is_not_in_force_yet_is_not_drawn() -> None:
    listed = {bar.rule.id for lane in calendar.lanes(RULES, date(1990, 1, 1)) for bar in lane.bars}
    assert listed == {rule.id for rule in RULES.all if rule.at(date(1990, 1, 1)) is not None}


@pytest.mark.parametrize(
    ("rule", "start", "end", "doses"),
    [
        ("breast-cancer-screening", 600, 900, ()),
        ("vaccine-hexavalent", 2, 72, (2, 4, 11)),
        ("vaccine-dtp-adult", 540, 1200, (540, 780, 900, 1020, 1140)),
        ("vaccine-hpv", 132, 324, (132, 138)),
        ("vaccine-zoster-65", 780, 1200, (780, 782)),
        ("vaccine-rsv-pregnancy", 180, 660, ()),
    ],
)
def test_a_bar_is_where_the_rule_says(rule: str, start: float, end: float, doses: tuple[float, ...]) -> None:
    bar = BARS[rule]
    assert (bar.start, bar.end, bar.doses) == (start, end, doses)


def test_a_cohort_moves_with_the_day() -> None:
    """Born from 2018 on: in 2020 nobody of three is."""
    [bar] = [
        bar
        for lane in calendar.lanes(RULES, date(2020, 1, 1))
        for bar in lane.bars
        if bar.rule.id == "vaccine-hexavalent"
    ]
    assert bar.end == pytest.approx(24, abs=0.1)


def test_what_is_done_for_several_rules_is_one_lane() -> None:
    [lane] = [lane for lane in LANES if "vaccine-influenza-65" in {bar.rule.id for bar in lane.bars}]
    assert {bar.rule.id for bar in lane.bars} == {rule.id for rule in RULES.all if "vaccine-influenza" in rule.id}
    [examinations] = [lane for lane in LANES if lane.theme == "child-health"]
    assert len(examinations.bars) == 20


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_drawing_is_sound_and_says_itself(layout: Layout) -> None:
    text = drawn(LANES, layout, "The schedule & all")
    root = ET.fromstring(text)
    ids = {one.get("id"): one for one in root.iter() if one.get("id")}
    named = (root.get("aria-labelledby") or "").split()
    assert [ids[name].tag for name in named] == [f"{SVG}title", f"{SVG}desc"]
    assert ids[named[0]].text == "The schedule & all"
    told = [mark.find(f"{SVG}title") for mark in root.iter(f"{SVG}g") if "mark" in (mark.get("class") or "")]
    said = sorted((one.text or "").partition(":")[0] for one in told if one is not None)
    assert said == sorted(bar.rule.title.en.partition(":")[0] for bar in BARS.values())
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_word_runs_off_the_paper(layout: Layout) -> None:
    root = ET.fromstring(drawn(LANES, layout, "By age"))
    for one in root.iter(f"{SVG}text"):
        if one.get("class") in ("lane", "theme", "title", "number"):
            continue
        x, length = float(one.get("x", "")), len(one.text or "") * LETTER
        start = {"end": x - length, "middle": x - length / 2}.get(one.get("text-anchor") or "", x)
        assert start >= -4, one.text
        assert start + length <= layout.width + 4, one.text


def test_captions_do_not_touch() -> None:
    root = ET.fromstring(drawn(LANES, NARROW, "By age"))
    rows: dict[str, list[tuple[float, float, str]]] = {}
    for mark in root.iter(f"{SVG}g"):
        caption = [one for one in mark.findall(f"{SVG}text") if one.get("class") is None]
        if "mark" in (mark.get("class") or "") and caption:
            [one] = caption
            x, length = float(one.get("x", "")), len(one.text or "") * LETTER
            start = x - length if one.get("text-anchor") == "end" else x
            rows.setdefault(one.get("y", ""), []).append((start, start + length, one.text or ""))
    for row in rows.values():
        for before, after in zip(sorted(row), sorted(row)[1:], strict=False):
            assert before[1] <= after[0] + 1, (before, after)


def test_the_page_says_in_its_table_what_it_draws() -> None:
    html = page(LANES, ON)
    assert sorted(re.findall(r'<th scope="row"><a href="([a-z0-9-]+)\.md">', html)) == sorted(BARS)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert "<script" not in html
    assert not re.search(r'(?:src|href)="https?:', html)


def test_nothing_to_draw_is_drawn() -> None:
    assert calendar.lanes(Rules("none", ()), ON) == []
    ET.fromstring(drawn([], WIDE, "Nothing"))


def test_bars_are_within_a_life() -> None:
    def inside(bar: Bar) -> bool:
        return 0 <= bar.start < bar.end <= calendar.LIFE and all(bar.start <= one <= calendar.LIFE for one in bar.doses)

    assert [bar.rule.id for bar in BARS.values() if not inside(bar)] == []
