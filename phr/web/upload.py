"""A posted form that may hold files, read in memory: what a person sends never waits on a disk in clear.

The rule: it is as large as the API takes, and no larger; what cannot be read has no fields, so it is refused as a form
that is not ours.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from phr.web.pages import Pairs, form_of

MOST_FILES = 5
_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that was chosen: its name and type as the browser says, its bytes."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


async def upload_of(request: Request, most: int) -> tuple[Pairs, list[Uploaded]]:
    """The fields and the files of a form of at most so many bytes; none when it cannot be read."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await form_of(request), []
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return [], []
    try:
        parser = MultiPartParser(request.headers, _once(bytes(body)), max_files=MOST_FILES, max_fields=_FIELDS)
        parser.spool_max_size = most + 1  # never rolled over to a file
        form = await parser.parse()
    except MultiPartException:
        return [], []
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    chosen = [value for _, value in form.multi_items() if isinstance(value, UploadFile) and value.filename]
    files = [Uploaded(one.filename or "", one.content_type or "", await one.read()) for one in chosen]
    await form.close()
    return fields, files


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
