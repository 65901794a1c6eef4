"""Reading the code of a prescription from a picture of its QR, in memory: nothing is kept, nothing is logged.

The rule: one format, a bounded size, known before the picture is decoded; what is not one of our codes is nothing.
"""

import re
from io import BytesIO

import zxingcpp
from PIL import Image, UnidentifiedImageError

LARGEST = 4 << 20
"""Bytes of a PNG."""
WIDEST = 1280
"""Pixels of a side: a camera's frame, as the page's script reduces it."""
_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_CODE = re.compile(r"(?:https?://[^\s#]+/p#)?([0-9A-Za-z-]{20,24})")


def code_in(picture: bytes) -> str | None:
    """The code in the QR of a PNG, if there is one. Raises ValueError: not a PNG, or too large a one."""
    try:
        with Image.open(BytesIO(picture), formats=["PNG"]) as opened:
            if max(opened.size) > WIDEST:
                raise ValueError("too wide")
            grey = opened.convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("not a picture") from error
    found = zxingcpp.read_barcodes(grey, formats=_FORMATS)
    read = (_CODE.fullmatch(one.text) for one in found)
    return next((match[1].replace("-", "") for match in read if match), None)
