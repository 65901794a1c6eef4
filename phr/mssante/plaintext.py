"""HTML of a mail as plain text: what a person would read of it, and nothing that runs, loads or hides.

The rule: no markup goes further than here; where a link leads is written out, so that it cannot lie.
"""

import re
import unicodedata
from collections.abc import Iterator
from html import unescape

LARGEST = 512 << 10
"""Characters of HTML that are read."""

_RAW = frozenset({"script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp"})
"""Elements whose content is no markup, up to their own end tag."""
_SILENT = frozenset({"template", "noscript", "svg", "math", "object"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2", "h3"}
    | {"h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"}
)
_ENDS = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+)>")
_HREF = re.compile(r"\shref\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of the characters that nobody sees, those that turn the direction of writing among them (UAX #9)."""
_JOINERS = frozenset("\n\t\u200c\u200d")


def cleaned(text: str) -> str:
    """The text without the characters nobody sees, lines ended by \\n, at most one empty line in a row."""
    seen = "".join(one for one in _ended(text) if one in _JOINERS or unicodedata.category(one) not in _UNSEEN)
    return re.sub("\n{3,}", "\n\n", "\n".join(line.rstrip() for line in seen.split("\n"))).strip()


def line(text: str, most: int) -> str:
    """The same, on one line of at most so many characters."""
    return " ".join(cleaned(text).split())[:most].strip()


def _ended(text: str) -> str:
    return re.sub("\r\n|[\r\x85\u2028\u2029]", "\n", text)


def of_html(html: str) -> str:
    """The text of an HTML page. Raises ValueError when it is too large to be a letter."""
    if len(html) > LARGEST:
        raise ValueError("The HTML is too large.")
    parts: list[str] = []
    silent, leads = 0, list[str]()
    for tag, closing, said in _tokens(html):
        if not tag:
            parts.append("" if silent else re.sub(r"\s+", " ", unescape(said)))
        elif tag in _SILENT:
            silent = max(0, silent - 1) if closing else silent + 1
        elif tag in _BLOCKS:
            parts.append("\n- " if tag == "li" and not closing else "\n")
        elif tag in ("td", "th"):
            parts.append(" ")
        elif tag == "a" and not closing:
            leads.append(_lead(said))
        elif tag == "a" and leads:
            lead = leads.pop()
            parts.append(f" <{lead}>" if lead and not silent else "")
    return cleaned("".join(parts))


def _tokens(html: str) -> Iterator[tuple[str, bool, str]]:
    """Tags (name, whether it closes, attributes) and texts (no name), in one pass.

    TRAP: `html.parser` of Python 3.11 takes the square of the length on a tag that does not end: seconds for 16 KiB.
    What does not end here ends the page, as HTML says (WHATWG §13.2.5, "EOF in tag").
    """
    at = 0
    while (opened := html.find("<", at)) >= 0:
        yield "", False, html[at:opened]
        tag, after = _TAG.match(html, opened), html[opened + 1 : opened + 2]
        if tag is not None:
            name, closing, at = tag.group(2).lower(), bool(tag.group(1)), tag.end()
            yield name, closing, tag.group(3)
            if name in _RAW and not closing:
                ends = _ENDS[name].search(html, at)
                if ends is None:
                    return
                at = ends.start()
        elif after in ("/", "!", "?"):
            end = "-->" if html.startswith("<!--", opened) else ">"
            found = html.find(end, opened + 1)
            if found < 0:
                return
            at = found + len(end)
        elif after.isascii() and after.isalpha():
            return
        else:
            yield "", False, "<"
            at = opened + 1
    yield "", False, html[at:]


def _lead(attributes: str) -> str:
    """Where a link leads, if it is to the web."""
    found = _HREF.search(attributes)
    lead = unescape(next((one for one in found.groups() if one is not None), "")) if found else ""
    return lead if lead.startswith(("http://", "https://")) else ""
