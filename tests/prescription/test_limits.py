"""What may be dispensed on a day: each boundary of the law, a day before and a day after, and a naive evaluator."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phr.prescription import law, limits, supply
from phr.prescription.limits import Allowance, allowed, expiry
from phr.prescription.supply import Given, Line
from phr.prevention.dates import day
from tests.prescription import plainly
from tests.prescription.plainly import Plain, Taken

WRITTEN = date(2026, 1, 15)
DOCS = Path(__file__).parents[2] / "docs" / "dispensing-limits.md"
DATA = Path(law.__file__).with_name("limits.toml")


def line(
    *regulations: str,
    quantity: str | None = "30",
    duration: int | None = 30,
    repeats: int = 0,
    authored: date = WRITTEN,
    until: date | None = None,
) -> Line:
    number = None if quantity is None else Decimal(quantity)
    end = until or authored + limits.LONGEST
    return Line("a", number, "tablet", repeats, duration, authored, end, frozenset(regulations))


def gave(on: date, quantity: str | None = "30", days: int | None = None) -> Given:
    return Given("a", None if quantity is None else Decimal(quantity), on, days)


def after(days: int, start: date = WRITTEN) -> date:
    return start + timedelta(days=days)


def told(found: Allowance) -> tuple[object, object]:
    return found.quantity, found.rule


def whole(found: Allowance) -> tuple[object, object, object]:
    return found.quantity, found.until, found.rule


# Each boundary


@pytest.mark.parametrize(
    ("written", "last"),
    [
        (date(2026, 1, 15), date(2026, 4, 14)),
        (date(2025, 11, 29), date(2026, 2, 28)),  # 29 February 2026 is 1 March: not included
        (date(2025, 11, 30), date(2026, 2, 28)),
        (date(2023, 11, 29), date(2024, 2, 28)),
        (date(2023, 11, 30), date(2024, 2, 29)),
        (date(2024, 2, 29), date(2024, 5, 28)),
    ],
)
def test_the_first_dispensing_is_within_three_months(written: date, last: date) -> None:
    asked = line("list-i", repeats=5, authored=written)
    for on in (after(-1, last), last):
        found = allowed(asked, [], on)
        assert whole(found) == (30, last, None)
    late = allowed(asked, [], after(1, last))
    assert whole(late) == (0, None, "first-dispensing")
    assert "3 mois" in late.why.fr
    assert expiry([asked], [], written) == last
    began = [gave(last)]
    assert allowed(asked, began, after(40, last)).quantity == 30


@pytest.mark.parametrize(
    ("written", "last"),
    [
        (date(2026, 1, 15), date(2027, 1, 14)),
        (date(2024, 2, 29), date(2025, 2, 28)),
        (date(2023, 3, 1), date(2024, 2, 29)),
    ],
)
def test_nothing_is_dispensed_twelve_months_after_writing(written: date, last: date) -> None:
    asked, began = line(repeats=20, authored=written), [gave(written)]
    assert expiry([asked], began, written) == last
    for on in (after(-1, last), last):
        found = allowed(asked, began, on)
        assert whole(found) == (30, last, None)
    late = allowed(asked, began, after(1, last))
    assert whole(late) == (0, None, "twelve-months")


def test_the_prescription_may_end_before_the_law() -> None:
    asked = line(until=after(10))
    assert told(allowed(asked, [], after(10))) == (30, None)
    late = allowed(asked, [], after(11))
    assert whole(late) == (0, None, None)
    assert late.why == law.LAW.say["ended"]


def test_nothing_before_it_was_written() -> None:
    found = allowed(line(), [], after(-1))
    assert whole(found) == (0, date(2026, 4, 14), None)
    assert told(allowed(line(), [], WRITTEN)) == (30, None)


@pytest.mark.parametrize(
    ("days", "left"),
    [(0, 28), (1, 28), (3, 28), (4, 24), (5, 23), (27, 1)],
)
def test_a_narcotic_presented_late_gives_what_is_left_to_run(days: int, left: int) -> None:
    asked = line("narcotic", quantity="28", duration=28)
    found = allowed(asked, [], after(days))
    assert told(found) == (left, "narcotic-presentation" if left < 28 else None)
    assert found.until == after(27)
    # What is not left is not given on another day either.
    taken = [gave(after(days), str(left))]
    assert allowed(asked, taken, after(days)).quantity == 0
    assert allowed(asked, taken, after(days + 1)).quantity == 0
    assert allowed(asked, taken, after(days)).until is None
    assert expiry([asked], taken, WRITTEN) == after(days)


def test_a_narcotic_gives_nothing_once_its_days_have_run() -> None:
    asked = line("narcotic", quantity="28", duration=28)
    late = allowed(asked, [], after(28))
    assert whole(late) == (0, None, "narcotic-presentation")
    assert expiry([asked], [], WRITTEN) == after(27)


def test_the_rest_of_a_narcotic_is_given_within_its_days() -> None:
    asked, began = line("narcotic", quantity="28", duration=28), [gave(after(2), "14")]
    assert told(allowed(asked, began, after(3))) == (14, None)
    assert told(allowed(asked, began, after(16))) == (14, None)
    assert told(allowed(asked, began, after(17))) == (13, "narcotic-presentation")
    assert told(allowed(asked, began, after(29))) == (1, "narcotic-presentation")
    assert told(allowed(asked, began, after(30))) == (0, "narcotic-presentation")


def test_the_fractions_of_a_narcotic_follow_each_other() -> None:
    asked, began = line("narcotic", quantity="14", duration=14, repeats=1), [gave(after(2), "14")]
    early = allowed(asked, began, after(15))
    assert whole(early) == (0, after(29), "narcotic-next")
    assert "31 janvier 2026" in early.why.fr
    assert "31 January 2026" in early.why.en
    assert told(allowed(asked, began, after(16))) == (14, None)
    assert told(allowed(asked, began, after(19))) == (14, None)
    assert told(allowed(asked, began, after(20))) == (10, "narcotic-presentation")
    assert told(allowed(asked, began, after(29))) == (1, "narcotic-presentation")
    assert told(allowed(asked, began, after(30))) == (0, "narcotic-presentation")


def test_a_fraction_shorter_than_its_three_days_waits_for_them() -> None:
    asked = line("narcotic", quantity="2", duration=2)
    assert told(allowed(asked, [], after(3))) == (2, None)
    assert told(allowed(asked, [], after(4))) == (0, "narcotic-presentation")
    assert expiry([asked], [], WRITTEN) == after(3)


@pytest.mark.parametrize(("code", "days"), [("narcotic", 28), ("narcotic-14", 14), ("narcotic-7", 7)])
def test_a_narcotic_is_for_so_many_days_at_most(code: str, days: int) -> None:
    rule = "narcotic-28" if code == "narcotic" else code
    exact, more = (line("narcotic", code, quantity=str(n), duration=n) for n in (days, days + 1))
    assert told(allowed(exact, [], WRITTEN)) == (days, None)
    assert told(allowed(more, [], WRITTEN)) == (Decimal(days), rule)
    assert expiry([more], [], WRITTEN) == after(days - 1)


def test_a_narcotic_without_a_duration_is_given_within_three_days_or_not() -> None:
    asked = line("narcotic", duration=None)
    assert told(allowed(asked, [], after(3))) == (30, None)
    assert told(allowed(asked, [], after(4))) == (0, "narcotic-presentation")
    free = line("narcotic", quantity=None, duration=None)
    assert told(allowed(free, [], after(3))) == (None, None)
    assert told(allowed(free, [], after(4))) == (0, "narcotic-presentation")


@pytest.mark.parametrize(("code", "days"), [("hypnotic", 28), ("anxiolytic", 84), ("isotretinoin", 31)])
def test_a_treatment_is_limited_in_all(code: str, days: int) -> None:
    exact, more = (line(code, quantity=str(n), duration=n) for n in (days, days + 1))
    assert told(allowed(exact, [], after(50))) == (days, None)
    assert told(allowed(more, [], after(50))) == (days, code)
    taken = [gave(after(50), str(days))]
    spent = allowed(more, taken, after(51))
    assert whole(spent)[:2] == (0, None)
    began = [gave(after(50), "1")]
    assert allowed(more, began, after(50 + days - 1)).quantity == min(days - 1, days)
    assert told(allowed(more, began, after(50 + days))) == (0, code)


def test_repeats_do_not_lengthen_a_treatment() -> None:
    asked = line("anxiolytic", quantity="28", duration=28, repeats=11)
    taken: list[Given] = []
    for on in (after(0), after(28), after(56)):
        assert told(allowed(asked, taken, on)) == (28, None)
        taken.append(gave(on, "28"))
    assert told(allowed(asked, taken, after(80))) == (0, "anxiolytic")


def test_a_dispensing_covers_three_months_at_most() -> None:
    assert told(allowed(line(quantity="92", duration=92), [], WRITTEN)) == (92, None)
    assert told(allowed(line(quantity="93", duration=93), [], WRITTEN)) == (92, "supply-at-once")
    assert told(allowed(line(quantity="93", duration=None), [], WRITTEN)) == (93, None)


def test_a_renewal_waits_until_the_supply_is_nearly_used() -> None:
    asked, began = line(repeats=2), [gave(after(5))]
    early = allowed(asked, began, after(27))
    assert told(early) == (0, "renewal")
    assert "12 février 2026" in early.why.fr
    assert told(allowed(asked, began, after(28))) == (30, None)
    # What is early is not lost: the supply ends 30 days after the one before.
    twice = [*began, gave(after(28))]
    assert told(allowed(asked, twice, after(57))) == (0, "renewal")
    assert told(allowed(asked, twice, after(58))) == (30, None)


def test_the_rest_of_a_dispensing_is_given_at_any_time() -> None:
    asked, began = line(repeats=1), [gave(WRITTEN, "20")]
    assert told(allowed(asked, began, WRITTEN)) == (10, "renewal")
    assert told(allowed(asked, began, after(12))) == (10, "renewal")
    assert told(allowed(asked, began, after(13))) == (30, None)


def test_what_the_pharmacist_says_it_lasts_is_believed() -> None:
    asked = line(repeats=1)
    assert told(allowed(asked, [gave(WRITTEN, "30", days=60)], after(52))) == (0, "renewal")
    assert told(allowed(asked, [gave(WRITTEN, "30", days=60)], after(53))) == (30, None)


@pytest.mark.parametrize(("duration", "opens"), [(3, 3), (4, 3), (20, 15), (28, 21), (40, 33)])
def test_a_short_supply_is_renewed_in_its_last_quarter(duration: int, opens: int) -> None:
    asked, began = line(quantity="10", duration=duration, repeats=3), [gave(WRITTEN, "10")]
    assert told(allowed(asked, began, after(opens - 1))) == (0, "renewal")
    assert told(allowed(asked, began, after(opens))) == (10, None)


def test_a_line_without_quantity_is_limited_in_days_only() -> None:
    asked = line("list-i", quantity=None, duration=None, repeats=1)
    taken = [gave(WRITTEN, "500"), gave(after(1), None)]
    found = allowed(asked, taken, after(2))
    assert whole(found) == (None, date(2027, 1, 14), None)
    assert found.why == law.LAW.say["uncounted"]
    assert allowed(asked, [], date(2026, 4, 15)).quantity == 0


def test_a_quantity_is_cut_below_its_unit_and_rounded_down() -> None:
    assert allowed(line("hypnotic", quantity="1", duration=30), [], WRITTEN).quantity == Decimal("0.933")
    assert allowed(line("hypnotic", quantity="2.50", duration=30), [], WRITTEN).quantity == Decimal("2.33333")


def test_a_whole_prescription_lasts_as_long_as_its_longest_line() -> None:
    slow, narcotic = line(), Line("b", Decimal(7), "patch", 0, 7, WRITTEN, after(366), frozenset({"narcotic"}))
    assert expiry([slow, narcotic], [], WRITTEN) == date(2026, 4, 14)
    done = [gave(after(3))]
    assert expiry([slow, narcotic], done, WRITTEN) == after(6)
    assert expiry([slow], done, WRITTEN) == after(3)
    assert expiry([narcotic], [Given("b", Decimal(7), after(2))], WRITTEN) == after(2)
    assert expiry([slow, narcotic], [Given("other", Decimal(1), after(50))], WRITTEN) == date(2026, 4, 14)


def test_days_are_of_paris_across_both_changes_of_the_clock() -> None:
    for instant, on in (
        ("2026-03-28T22:59:59+00:00", date(2026, 3, 28)),
        ("2026-03-28T23:00:00+00:00", date(2026, 3, 29)),
        ("2026-03-29T21:59:59+00:00", date(2026, 3, 29)),
        ("2026-10-24T22:00:00+00:00", date(2026, 10, 25)),
        ("2026-10-25T22:59:59+00:00", date(2026, 10, 25)),
    ):
        assert day(datetime.fromisoformat(instant)) == on
    asked = line("narcotic", quantity="28", duration=28, authored=date(2026, 3, 26))
    assert told(allowed(asked, [], date(2026, 3, 29))) == (28, None)
    assert told(allowed(asked, [], date(2026, 3, 30))) == (24, "narcotic-presentation")


# Against the naive evaluator

SORTS = st.sampled_from(
    [(), ("list-i",), ("narcotic",), ("narcotic-14",), ("narcotic", "narcotic-7"), ("hypnotic",), ("anxiolytic",),
     ("isotretinoin",), ("narcotic", "hypnotic"), ("hypnotic", "anxiolytic")]
)  # fmt: skip
AMOUNTS = st.sampled_from(["1", "7", "10", "28", "30", "2.5", "90", "0.25"])
DATES = st.dates(date(2023, 1, 1), date(2028, 12, 31))


@st.composite
def lines(draw: st.DrawFn) -> Line:
    return line(
        *draw(SORTS),
        quantity=draw(st.none() | AMOUNTS) if draw(st.integers(0, 5)) == 0 else draw(AMOUNTS),
        duration=draw(st.sampled_from([None, 1, 2, 3, 4, 7, 14, 20, 28, 30, 60, 91, 93, 120])),
        repeats=draw(st.integers(0, 4)),
        authored=draw(DATES | st.sampled_from([date(2024, 2, 29), date(2023, 11, 30)])),
    )


@st.composite
def histories(draw: st.DrawFn, asked: Line) -> list[Given]:
    """Dispensings of any size, on days in order."""
    days = sorted(draw(st.lists(st.integers(0, 120) | st.integers(0, 10), max_size=5)))
    return [gave(after(n, asked.authored), draw(AMOUNTS), draw(st.none() | st.integers(1, 40))) for n in days]


def plain(asked: Line) -> Plain:
    digits = 0 if asked.quantity is None else max(-int(asked.quantity.as_tuple().exponent), 0)
    quantity = None if asked.quantity is None else Fraction(asked.quantity)
    step = Fraction(1, 10 ** (digits + 3))
    return Plain(quantity, step, asked.repeats, asked.duration, asked.authored, asked.until, asked.regulations)


def taken_of(given: Sequence[Given]) -> list[Taken]:
    return [Taken(Fraction(one.quantity or 0), one.on, one.days) for one in given]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_naive_evaluator_agrees(data: st.DataObject) -> None:
    asked = data.draw(lines())
    history = data.draw(histories(asked))
    start = max([one.on for one in history], default=asked.authored)
    on = after(data.draw(st.integers(0 if history else -2, 40) | st.integers(0, 400)), start)
    found, wanted = allowed(asked, history, on), plainly.may(plain(asked), taken_of(history), on)
    assert (None if found.quantity is None else Fraction(found.quantity)) == wanted.quantity
    assert found.rule in wanted.rules
    assert None not in wanted.rules or found.rule is None
    assert found.until == plainly.last(plain(asked), taken_of(history), on)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_dividing_a_dispensing_gains_nothing(data: st.DataObject) -> None:
    asked = data.draw(lines().filter(lambda one: one.quantity is not None))
    history = data.draw(histories(asked))
    start = max([one.on for one in history], default=asked.authored)
    on = after(data.draw(st.integers(0, 40)), start)
    before = allowed(asked, history, on).quantity or Decimal(0)
    if not before:
        return
    taken = before * data.draw(st.integers(1, 100)) / 100
    then = allowed(asked, [*history, gave(on, str(taken), data.draw(st.none() | st.integers(1, 9)))], on)
    assert then.quantity is not None
    assert 0 <= then.quantity <= before - taken


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_line_dispensed_to_its_end_never_gives_more_than_it_has(data: st.DataObject) -> None:
    asked = data.draw(lines().filter(lambda one: one.quantity is not None))
    history: list[Given] = []
    on = asked.authored
    for _ in range(8):
        on = after(data.draw(st.integers(0, 35)), on)
        found = allowed(asked, history, on)
        assert found.quantity is not None
        assert found.until is None or found.until >= on
        assert (found.until is None) <= (found.quantity == 0)
        if found.quantity:
            history.append(gave(on, str(found.quantity)))
    assert supply.dispensed(asked, history) + (supply.remaining(asked, history) or 0) == (asked.quantity or 0) * (
        1 + asked.repeats
    )
    last = expiry([asked], history, asked.authored)
    assert all(allowed(asked, history, after(n, last)).quantity == 0 for n in (1, 2, 30))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_more_dispensed_at_once_leaves_no_more(data: st.DataObject) -> None:
    asked = data.draw(lines().filter(lambda one: one.quantity is not None))
    history = data.draw(histories(asked))
    on = after(data.draw(st.integers(0, 60)), max([one.on for one in history], default=asked.authored))
    if not history:
        return
    *earlier, latest = history
    more = Given("a", (latest.quantity or Decimal(0)) + data.draw(st.integers(1, 20)), latest.on, latest.days)
    less, then = allowed(asked, history, on).quantity, allowed(asked, [*earlier, more], on).quantity
    assert less is not None
    assert then is not None
    assert 0 <= then <= less


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_day_in_the_past_is_never_negative(data: st.DataObject) -> None:
    asked = data.draw(lines())
    history = data.draw(histories(asked))
    found = allowed(asked, list(reversed(history)), after(data.draw(st.integers(-5, 130)), asked.authored))
    assert found.quantity is None or found.quantity >= 0


# The data


def test_every_rule_says_where_it_comes_from() -> None:
    for versions in law.LAW.limits.values():
        for one in versions:
            assert one.article
            assert one.link.startswith("http")
            assert not one.verified  # until somebody reads the texts at the issuing authority
            assert len(one.words.fr) < 200
            assert len(one.words.en) < 200


def test_the_page_tells_every_rule_and_no_other() -> None:
    table = [row for row in DOCS.read_text().splitlines() if row.startswith("| `")]
    told = {name for row in table for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}
    assert told == set(law.LAW.limits)
    for row in table:
        names, _, article, in_force, _ = (cell.strip() for cell in row.strip("|").split("|"))
        for name in re.findall(r"`([\w-]+)`", names):
            [version] = law.LAW.limits[name]
            assert version.in_force.isoformat() == in_force
            assert article.startswith("CSP") == version.article.startswith("CSP")
            assert not article.startswith("CSP") or article == version.article


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('what = "first"', 'what = "second"', "second"),
        ('lasts = "28d"', 'lasts = "1m"', "days"),
        ('lasts = "3m"', 'lasts = "soon"', "soon"),
        ('regulations = ["hypnotic"]', 'regulations = ["sleep"]', "sleep"),
        ('link = "https://lemoniteur', 'link = "lemoniteur', "link"),
        ("verified = false", "", "verified"),
        ('article = "CSP R5132-22"', 'article = "CSP R5132-22"\npage = 3', "page"),
        ("[say.spent]", "[say.gone]", "say"),
        ('what = "all"', 'what = "treatment"', "days"),
        ('id = "narcotic-7"', 'id = "narcotic-14"', "versions"),
        ('lasts = "92d"', 'lasts = "92d"\nregulations = ["hypnotic"]', "every medicine"),
    ],
)
def test_a_word_that_is_not_known_is_an_error(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = DATA.read_text("utf-8")
    assert old in text
    wrong = tmp_path / "limits.toml"
    wrong.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ValueError, match=told):
        law.load(wrong)


def test_the_version_in_force_on_the_day_of_writing_applies(tmp_path: Path) -> None:
    text = DATA.read_text("utf-8")
    block = text[text.index('[[limit]]\nid = "hypnotic"') : text.index('[[limit]]\nid = "anxiolytic"')]
    newer = block.replace("1991-10-07", "2026-01-15").replace('"4w"', '"2w"')
    changed = tmp_path / "limits.toml"
    changed.write_text(text.replace(block, block + newer), "utf-8")
    found = law.load(changed)
    for authored, days in ((after(-1), 28), (WRITTEN, 14), (date(1980, 1, 1), 28)):
        assert law.governing(line("hypnotic", authored=authored), found)["treatment"].lasts.days == days
