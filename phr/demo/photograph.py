"""A photograph a citizen took of a paper: a slip on a table, slightly askew, as PNG, the same bytes each time."""

import hashlib
import io
import unicodedata

from PIL import Image, ImageDraw, ImageFont

SIZE = (620, 820)


def photograph(title: str, lines: tuple[str, ...]) -> bytes:
    """The PNG of a slip with that title and those lines, accents dropped: the font has none."""
    table = Image.new("RGB", SIZE, (122, 92, 66))
    grain = ImageDraw.Draw(table)
    for y in range(0, SIZE[1], 9):
        tint = hashlib.sha256(b"grain%d" % y).digest()[0] % 16 - 8
        grain.line([(0, y), (SIZE[0], y + 14)], fill=(118 + tint, 88 + tint, 62 + tint), width=9)
    slip = Image.new("RGBA", (480, 680), (250, 248, 240, 255))
    pen = ImageDraw.Draw(slip)
    pen.rectangle([(14, 14), (465, 665)], outline=(60, 90, 140, 255), width=2)
    pen.text((36, 40), _plain(title), font=ImageFont.load_default(28), fill=(40, 60, 110, 255))
    pen.line([(36, 84), (444, 84)], fill=(60, 90, 140, 255), width=2)
    for number, line in enumerate(lines):
        y = 112 + number * 50
        pen.text((38, y), _plain(line), font=ImageFont.load_default(21), fill=(35, 40, 95, 255))
        pen.line([(36, y + 34), (444, y + 34)], fill=(190, 200, 215, 255), width=1)
    turned = slip.rotate(3.5, expand=True, resample=Image.Resampling.BICUBIC)
    shadow = Image.new("RGBA", turned.size, (30, 20, 12, 110))
    table.paste(shadow, (64, 70), turned.getchannel("A").point(lambda alpha: alpha // 2))
    table.paste(turned, (54, 58), turned)
    held = io.BytesIO()
    table.quantize(96, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    return held.getvalue()


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
