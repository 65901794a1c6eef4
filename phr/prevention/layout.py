"""Where things are on the drawn schedule: an age on its scale, a bar and its caption in a row of its lane.

The rule: nothing covers anything else, and nothing runs off the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from phr.prevention.calendar import LIFE, Bar, Lane

_Part = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in pixels. `gutter`: room for the lanes' titles on the left; 0: they are above their bars."""

    width: int
    gutter: int
    row: int = 22

    @property
    def parts(self) -> tuple[_Part, _Part, _Part]:
        """The three scales, as (month, month, width): first two years, until twenty, until a hundred."""
        room = self.width - self.gutter - 16
        return (0.0, 24.0, room * 0.36), (24.0, 240.0, room * 0.24), (240.0, LIFE, room * 0.40)

    def x(self, month: float) -> float:
        """Where an age is."""
        x = float(self.gutter)
        for start, end, width in self.parts:
            if month <= end:
                return x + (month - start) / (end - start) * width
            x += width
        return x


WIDE = Layout(1200, 236)
NARROW = Layout(380, 8, 20)
LETTER = 6.9
"""The width of a letter of 12 pixels: that of a wide font."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A bar in a row of its lane, and its caption beside it, or below."""

    bar: Bar
    row: int
    caption: str
    x: float
    anchor: str
    below: bool


def numbered(lane: Lane) -> bool:
    """Very many bars are numbered, one caption stands for them all."""
    return len(lane.bars) > 8 and all(not one.doses for one in lane.bars)


def place(lane: Lane, layout: Layout) -> list[Placed]:
    """Each bar in the first row where it and its caption touch nothing; the caption is on the side with room."""
    ends: list[list[tuple[float, float]]] = []
    found = []
    for n, bar in enumerate(lane.bars, 1):
        x0, x1 = layout.x(bar.start) - (8 if bar.doses else 0), right(bar, layout)
        x1 = max([x1, *(layout.x(one) + 8 for one in bar.doses)])
        caption = bar.caption
        if numbered(lane):
            caption = f"{n}, once each" if n == len(lane.bars) else ""
            x1 -= 3
        length = len(caption) * LETTER + 6 if caption else 0
        taken, below = (x0, x1 + length), False
        x, anchor = x1 + 6, "start"
        if x1 + length > layout.width and x0 - length >= layout.gutter:
            taken, x, anchor = (x0 - length, x1), x0 - 6, "end"
        elif x1 + length > layout.width:
            x, below = max(float(layout.gutter), min(x0, layout.width - length)), True
            taken = (min(x0, x), max(x1, x + length))
        row = next(r for r in range(len(ends) + 1) if all(_free(taken, ends, r + n) for n in range(below + 1)))
        ends += [[] for _ in range(row + below + 1 - len(ends))]
        for one in range(row, row + below + 1):
            ends[one].append(taken)
        found.append(Placed(bar, row, caption, x, anchor, below))
    return found


def _free(taken: tuple[float, float], ends: Sequence[Sequence[tuple[float, float]]], row: int) -> bool:
    return row >= len(ends) or all(taken[1] <= start or end <= taken[0] for start, end in ends[row])


def right(bar: Bar, layout: Layout) -> float:
    """Where a bar ends: it is never too short to be seen."""
    return max(layout.x(bar.end), layout.x(bar.start) + 4)
