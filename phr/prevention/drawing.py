"""The schedule as SVG 1.1: a life from left to right, its first two years and its childhood magnified.

The rule: colour says the sex and the pattern how strongly it is recommended, but words say it too; it follows the
light or dark of whoever looks; each bar has its title.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from phr.prevention.calendar import LIFE, Lane
from phr.prevention.layout import LETTER, Layout, Placed, numbered, place, right
from phr.prevention.words import audience

THEME_TITLES = {
    "vaccination": "Vaccines",
    "screening": "Screening",
    "child-health": "Children’s examinations",
    "check-up": "Check-ups",
    "dental": "Teeth",
    "campaign": "Campaigns",
}
SEXES = {"all": "Everybody", "female": "Women", "male": "Men"}
REQUIREMENTS = {
    "mandatory": "mandatory",
    "recommended": "recommended",
    "targeted": "for people at risk",
    "proposed": "proposed",
    "information": "information",
}
STYLE = """
.calendar { --ink: #1d2430; --soft: #5a6475; --line: #d9dee7; --paper: #ffffff; --tint: #f3f6fb; --head: #e6ecf5;
  --all: #1f5fa8; --female: #a3246f; --male: #00695c; font: 12px system-ui, sans-serif; }
.calendar text { fill: var(--ink); } .calendar .soft { fill: var(--soft); }
.calendar .theme { font-size: 15px; font-weight: 700; } .calendar .lane { font-weight: 600; }
.calendar .title { font-size: 20px; font-weight: 700; } .calendar .number { font-size: 9px; font-weight: 700; }
.calendar .paper { fill: var(--paper); } .calendar .tint { fill: var(--tint); } .calendar .head { fill: var(--head); }
.calendar .rule { stroke: var(--line); stroke-width: 1; } .calendar .edge { stroke: var(--soft); stroke-width: 1; }
.calendar .all { --own: var(--all); } .calendar .female { --own: var(--female); }
.calendar .male { --own: var(--male); }
.calendar .bar { stroke: var(--own); stroke-width: 1.5; fill: var(--own); }
.calendar .recommended .bar { fill-opacity: .38; } .calendar .proposed .bar { fill: var(--paper); }
.calendar .information .bar { fill: var(--paper); stroke-dasharray: 2 3; }
.calendar .targeted .bar { fill: var(--paper); } .calendar .hatch { stroke: var(--own); stroke-width: 1.5; }
.calendar .dose { fill: var(--paper); stroke: var(--own); stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  .calendar { --ink: #e8ecf3; --soft: #a7b1c2; --line: #333d4d; --paper: #12171f; --tint: #19212c; --head: #222c3a;
    --all: #7db4f0; --female: #f08cc6; --male: #5fd0bf; } }
"""


def drawn(lanes: Sequence[Lane], layout: Layout, title: str, name: str = "calendar") -> str:
    """The drawing, a whole SVG document. `name`: what its ids begin with, when a page holds several."""
    parts: list[str] = []
    y = 92.0 if layout.gutter > 100 else 136.0
    top = y
    for theme, listed in groupby(lanes, key=lambda one: one.theme):
        parts.append(f'<rect class="head" x="0" y="{y:.0f}" width="{layout.width}" height="24"/>')
        parts.append(_words(8, y + 17, THEME_TITLES[theme], "theme"))
        y += 24
        for lane in listed:
            drawing, height = _lane(lane, layout, y)
            parts += drawing
            y += height
    bottom = y
    count = sum(len(one.bars) for one in lanes)
    described = (
        f"{count} recommendations by age, from birth to a hundred years. The first two years and childhood are "
        "magnified. Each bar has its own title; the same is told in the table of the calendar’s page."
    )
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="calendar" viewBox="0 0 {layout.width} {bottom + 34:.0f}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(described)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{layout.width}" height="{bottom + 34:.0f}"/>',
        _words(8, 28, title, "title"),
        *_legend(layout),
        *_scale(layout, top, bottom),
    ]
    return "\n".join([*head, *parts, *_ages(layout, bottom + 14), "</svg>", ""])


def _legend(layout: Layout) -> Iterator[str]:
    x, y = 8.0, 50.0
    shown = [(sex, "recommended", told) for sex, told in SEXES.items()]
    shown += [("all", requirement, told) for requirement, told in REQUIREMENTS.items()]
    for sex, requirement, told in shown:
        length = 28 + len(told) * LETTER + 16
        if x + length > layout.width:
            x, y = 8.0, y + 18
        yield f'<g class="{sex} {requirement}">{_shape(x, y - 9, 20, 10, requirement)}</g>'
        yield _words(x + 26, y, told)
        x += length


def _scale(layout: Layout, top: float, bottom: float) -> Iterator[str]:
    for n, (start, end, width) in enumerate(layout.parts):
        if n != 1:
            box = f'x="{layout.x(start):.1f}" y="{top:.0f}" width="{width:.1f}" height="{bottom - top:.0f}"'
            yield f'<rect class="tint" {box}/>'
        x = layout.x(end)
        yield f'<line class="edge" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 26:.0f}" y2="{bottom:.0f}"/>'
    wide = layout.gutter > 100
    for month, _ in _ticks(wide):
        x = layout.x(month)
        yield f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{bottom:.0f}"/>'
    names = ("Months of age", "Years", "Years") if wide else ("Months", "Years", "Years")
    for (start, _, _), name in zip(layout.parts, names, strict=True):
        yield _words(layout.x(start) + 4, top - 20, name, "soft")
    yield from _ages(layout, top - 5)


def _ages(layout: Layout, y: float) -> Iterator[str]:
    for month, text in _ticks(layout.gutter > 100):
        yield _words(layout.x(month), y, text, "soft", "end" if month == LIFE else "middle")


def _ticks(wide: bool) -> list[tuple[float, str]]:
    """Each tick, and what stands there: months, then years."""
    months = range(0, 24, 2) if wide else range(0, 24, 6)
    years = [*(range(2, 20, 2) if wide else (2, 8, 14)), *(range(20, 101, 10) if wide else (20, 40, 60, 80, 100))]
    return [*((float(n), str(n)) for n in months), *((n * 12.0, str(n)) for n in years)]


def _lane(lane: Lane, layout: Layout, y: float) -> tuple[list[str], float]:
    """What is drawn of a lane, and how high it is."""
    placed = place(lane, layout)
    beside = layout.gutter > 100
    titles = _folded(lane.title, int(((layout.gutter if beside else layout.width) - 20) / 7.5))
    first = y + (3 if beside else 5 + 15 * len(titles))
    rows = max(one.row + one.below for one in placed) + 1
    height = max(first - y + rows * layout.row, len(titles) * 15 + 9) + 3
    found = [f'<line class="rule" x1="0" x2="{layout.width}" y1="{y:.0f}" y2="{y:.0f}"/>']
    found += [_words(8, y + 17 + n * 15, told, "lane") for n, told in enumerate(titles)]
    for n, one in enumerate(placed, 1):
        found += _bar(one, layout, first + one.row * layout.row, n if numbered(lane) else None)
    return found, height


def _bar(placed: Placed, layout: Layout, y: float, number: int | None) -> Iterator[str]:
    bar, version = placed.bar, placed.bar.version
    x, width = layout.x(bar.start), right(bar, layout) - layout.x(bar.start) - 1.5
    told = f"{bar.rule.title.en}: {audience(version, 'en')}; {REQUIREMENTS[version.requirement]}"
    yield f'<g class="mark {version.who.sex or "all"} {version.requirement}"><title>{escape(told)}</title>'
    yield _shape(x, y + 3, width, layout.row - 10, version.requirement)
    for at, count, ordinal in _merged(bar.doses, layout):
        text = f"{count}×" if count > 1 else str(ordinal) if version.schedule.courses and len(bar.doses) > 1 else ""
        yield f'<circle class="dose" cx="{at:.1f}" cy="{y + layout.row / 2 - 2:.1f}" r="6.7"/>'
        if text:
            yield _words(at, y + layout.row / 2 + 1.4, text, "number", "middle")
    if number is not None and width >= 12:
        yield f'<circle class="dose" cx="{x + width / 2:.1f}" cy="{y + layout.row / 2 - 2:.1f}" r="6.7"/>'
        yield _words(x + width / 2, y + layout.row / 2 + 1.4, str(number), "number", "middle")
    if placed.caption:
        middle = y + layout.row / 2 + 2 + (layout.row - 4 if placed.below else 0)
        yield _words(placed.x, middle, placed.caption, "", placed.anchor)
    yield "</g>"


def _merged(doses: Sequence[float], layout: Layout) -> Iterator[tuple[float, int, int]]:
    """Where, how many and from which: doses that would touch are one circle."""
    waiting: list[tuple[float, int]] = []
    for n, month in enumerate(doses, 1):
        x = layout.x(month)
        if waiting and x - waiting[-1][0] > 13.5:
            yield waiting[0][0], len(waiting), waiting[0][1]
            waiting = []
        waiting.append((x, n))
    if waiting:
        yield waiting[0][0], len(waiting), waiting[0][1]


def _shape(x: float, y: float, width: float, height: float, requirement: str) -> str:
    box = f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="2"/>'
    if requirement != "targeted":
        return box
    steps = (x + n * 6 for n in range(1, int((width + 3) / 6) + 1))
    lines = (f"M{min(at, x + width):.1f} {y:.1f}L{max(at - 6, x):.1f} {y + height:.1f}" for at in steps)
    return f'{box}<path class="hatch" d="{"".join(lines)}"/>'


def _folded(text: str, most: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _words(x: float, y: float, text: str, named: str = "", anchor: str = "start") -> str:
    style = f' class="{named}"' if named else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}{where}>{escape(text)}</text>'
