"""A population pyramid in SVG 1.1: women on the left, men on the right, a bar for each band of ages.

The rule: it says in words all that it draws (title, description, a figure at each bar); small counts are one length.
"""

from collections.abc import Mapping
from html import escape

from phr.prevention.rehearsal import BAND, LAST, SMALL, Cell, about, band, told

_WIDTH, _ROW, _TOP, _BAR, _MIDDLE = 720, 22, 64, 250, 60


def drawn(title: str, cells: Mapping[Cell, int]) -> str:
    """The drawing, a whole SVG document."""
    most = max([SMALL, *cells.values()])
    starts = range(LAST, -1, -BAND)
    height = _TOP + _ROW * len(starts) + 40
    women, men = (sum(count for (_, found), count in cells.items() if found == sex) for sex in ("female", "male"))
    rest = sum(cells.values()) - sum(cells.get((start, sex), 0) for start in starts for sex in ("female", "male"))
    described = f"Women: {about(women)}. Men: {about(men)}. Age or sex not known: {told(rest)}."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(described)}</desc>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _words(_WIDTH // 2, 24, title, "middle", 'font-size="16" font-weight="600"'),
        _words(_WIDTH // 2 - _MIDDLE // 2, 48, "Women", "end"),
        _words(_WIDTH // 2 + _MIDDLE // 2, 48, "Men", "start"),
    ]
    for n, start in enumerate(starts):
        y = _TOP + n * _ROW
        parts.append(_words(_WIDTH // 2, y + 14, band(start), "middle"))
        for sex, side, colour in (("female", -1, "#6b3fa0"), ("male", 1, "#00695c")):
            parts += _bar(cells.get((start, sex), 0), most, side, colour, y)
    parts.append(_words(_WIDTH // 2, height - 14, described, "middle"))
    return "\n".join([*parts, "</svg>", ""])


def _bar(count: int, most: int, side: int, colour: str, y: int) -> list[str]:
    if count == 0:
        return []
    length = max(1, round(_BAR * max(count, SMALL) / most))
    edge = _WIDTH // 2 + side * _MIDDLE // 2
    x = edge if side > 0 else edge - length
    end = edge + side * (length + 6)
    return [
        f'<rect x="{x}" y="{y}" width="{length}" height="{_ROW - 4}" fill="{colour}"/>',
        _words(end, y + 14, told(count), "start" if side > 0 else "end"),
    ]


def _words(x: int, y: int, text: str, anchor: str, more: str = "") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#1b1b1b"{" " + more if more else ""}>{escape(text)}</text>'
    )
