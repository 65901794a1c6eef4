"""A PDF opened to have something laid over each of its pages.

The rule: what was there is neither read nor changed, only drawn first; and a hostile file is refused, soon.
"""

import logging
import time
from collections.abc import Callable
from io import BytesIO
from itertools import count

from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, PdfObject, StreamObject

from phr.core.errors import DomainError, invalid

PAGES = 50
BYTES = 10 * 2**20
SECONDS = 5.0
"""The most that a PDF may be, and about the most it may take."""
_OBJECTS = 20_000
"""Those packed in streams, which are read without the file's clock."""

# What is found in a file must not be told in a log.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def overlay(pdf: bytes, form: Callable[[PdfWriter], StreamObject], matrix: Callable[[PageObject], str]) -> bytes:
    """The PDF with one drawing on each page. `form`: the drawing, for this file; `matrix`: where on a page.

    Raises CONTENT (422): encrypted, broken, too long. CPU-bound: to be called in a thread.
    """
    if len(pdf) > BYTES:
        raise invalid(f"The PDF of a prescription has {BYTES >> 20} MiB at most.", code="too-long")
    try:
        return _laid(_opened(_Clocked(pdf, time.monotonic() + SECONDS)), form, matrix)
    except DomainError:
        raise
    except Exception:  # whatever reading a broken file raises
        raise invalid("This PDF cannot be read.") from None


def _laid(writer: PdfWriter, form: Callable[[PdfWriter], StreamObject], matrix: Callable[[PageObject], str]) -> bytes:
    drawing = writer._add_object(form(writer))
    before, after = (writer._add_object(stream(drawn)) for drawn in (b"q\n", b"\nQ\n"))
    for page in writer.pages:
        drawn = f"q {matrix(page)} cm {_name(page, drawing)} Do Q\n".encode("ascii")
        page[NameObject("/Contents")] = ArrayObject(
            [before, *_contents(page), after, writer._add_object(stream(drawn))]
        )
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


def stream(data: bytes) -> StreamObject:
    """A stream of these bytes."""
    made = StreamObject()
    made.set_data(data)
    return made


class _Clocked(BytesIO):
    """Bytes that refuse to be read after an instant of the monotonic clock."""

    def __init__(self, data: bytes, end: float) -> None:
        super().__init__(data)
        self._end = end

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._end:
            raise TimeoutError
        return super().read(size)


def _opened(file: BytesIO) -> PdfWriter:
    reader = PdfReader(file, xref_stream_maximum_entries=_OBJECTS)
    if reader.is_encrypted:
        raise invalid("The PDF of a prescription is not encrypted.")
    if not 0 < len(reader.pages) <= PAGES:
        raise invalid(f"The PDF of a prescription has 1 to {PAGES} pages.", code="too-long")
    return PdfWriter(clone_from=reader)


def _contents(page: PageObject) -> list[PdfObject]:
    """The streams that a page draws."""
    if "/Contents" not in page:
        return []
    found = page["/Contents"]
    if isinstance(found, ArrayObject):
        return list(found)
    return [page.raw_get("/Contents")] if isinstance(found, StreamObject) else []


def _name(page: PageObject, form: PdfObject) -> str:
    """The name under which this page now knows the stamp; what it shares with others is left as it is."""
    resources = _copy(page, "/Resources")
    known = _copy(resources, "/XObject")
    name = next(name for n in count() if (name := f"/Carnet{n}") not in known)
    known[NameObject(name)] = form
    resources[NameObject("/XObject")] = known
    page[NameObject("/Resources")] = resources
    return name


def _copy(owner: DictionaryObject, name: str) -> DictionaryObject:
    found = owner.get(name)
    whole = None if found is None else found.get_object()
    return DictionaryObject(whole if isinstance(whole, DictionaryObject) else {})
