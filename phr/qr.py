"""The QR code of an address, drawn as SVG for pages and as PNG for paper.

The rule: black on white with its quiet zone of four modules, in light and dark, so that every camera reads it.
"""

from io import BytesIO

import segno

_QUIET = 4


def svg(text: str, *, alone: bool = True) -> str:
    """An SVG element, attributes only, as pages allow no inline style. `alone`: it may also be a file of its own."""
    drawn = BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, nl=False, omitsize=True, border=_QUIET, svgns=alone,
        svgclass="qr", lineclass=None, dark="#000", light="#fff",
    )  # fmt: skip
    return drawn.getvalue().decode()


def png(text: str, scale: int = 8) -> bytes:
    """A PNG; `scale`: pixels of a module."""
    drawn = BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="png", scale=scale, border=_QUIET)
    return drawn.getvalue()
