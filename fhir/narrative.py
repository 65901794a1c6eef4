"""The XHTML of a narrative: words and their layout, nothing that acts (FHIR R4 §2.4.0, invariants txt-1 and txt-2).

What is not on the lists is refused. TRAP: what an XML parser calls a comment or CDATA, a browser may run.
"""

import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

NAMESPACE = "{http://www.w3.org/1999/xhtml}"

ELEMENTS = frozenset(
    re.findall(
        r"\S+",
        "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 "
        "h3 h4 h5 h6 hr i img kbd li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr "
        "tt ul var",
    )
)
_XML = "{http://www.w3.org/XML/1998/namespace}"
ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        "abbr align alt axis border cellpadding cellspacing char charoff cite class colspan dir frame headers "
        "height href hreflang id lang name nowrap rel rowspan rules scope span src start style summary title "
        "type valign width",
    )
) | {f"{_XML}lang", f"{_XML}space"}

_PLAIN = re.compile(r'<div xmlns="http://www\.w3\.org/1999/xhtml">[^<>&]*[^<>&\s][^<>&]*</div>')
_LINK = re.compile(r"(https?://|mailto:|tel:|urn:|#|(?!//)[A-Za-z0-9./][A-Za-z0-9./?=&_\-]*$)\S*", re.IGNORECASE)
_STYLE = re.compile(r"[\w\s.,:;#%!()'\"+/-]*")
_ACTIVE_STYLE = re.compile(r"url|expression|import|behaviou?r|binding|/\*|position", re.IGNORECASE)


def judge(div: str) -> str | None:
    """What is wrong with a Narrative.div, or None. Never repeats its content."""
    if _PLAIN.fullmatch(div):
        return None
    if "<!" in div or "<?" in div:
        return "A narrative holds no comment, CDATA, declaration or processing instruction."
    try:
        root = fromstring(div, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return "A narrative is well-formed XHTML."
    if root.tag != f"{NAMESPACE}div":
        return "A narrative is one div in the XHTML namespace."
    for element in root.iter():
        if (found := _element(element)) is not None:
            return found
    if not any(text.strip() for text in root.itertext()) and root.find(f".//{NAMESPACE}img") is None:
        return "A narrative has some text or an image."
    return None


def _element(element: Element) -> str | None:
    name = element.tag.removeprefix(NAMESPACE)
    if name not in ELEMENTS or name == element.tag:
        return "A narrative holds only the basic formatting elements of XHTML."
    for key, value in element.attrib.items():
        if key not in ATTRIBUTES:
            return "A narrative holds only formatting attributes, and no event."
        if key == "src" and not (name == "img" and value.startswith("#")):
            return "A narrative shows only images of the resource itself."
        if key in ("href", "cite") and not _LINK.fullmatch(value):
            return "A narrative links only to web, mail and telephone addresses, or inside itself."
        if key == "style" and (not _STYLE.fullmatch(value) or _ACTIVE_STYLE.search(value)):
            return "A narrative's styles are plain."
    return None
