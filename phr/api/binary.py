"""Documents over HTTP: raw bytes up and down (FHIR R4 Binary §2.44), ranges, and the FHIR JSON form on request."""

import base64
import re
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from fhir.parameters import KINDS
from fhir.stored import Stored
from fhir.view import View
from phr import blobs, reading, writing
from phr.access.journal import Tag
from phr.access.reader import Person
from phr.access.scope import CREATE
from phr.api import answers, faults
from phr.api.asked import JSON_TYPES, Asked, content_type
from phr.core.errors import DomainError, Issue, Reason, malformed
from phr.writing import Written

_RANGE = re.compile(r"bytes=([0-9]{0,12})-([0-9]{0,12})", re.IGNORECASE)
_EXTENSIONS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg", "text/plain": "txt"}


def as_json(request: Request) -> bool:
    """Whether the FHIR form is asked rather than the bytes."""
    accept = request.headers.get("accept", "")
    wanted = request.query_params.get("_format", "")
    return any(kind in accept for kind in JSON_TYPES) or wanted in ("json", *JSON_TYPES)


def is_json(request: Request) -> bool:
    """Whether a Binary comes in its FHIR form."""
    return content_type(request) in JSON_TYPES


async def _found(asked: Asked, identifier: str, version: str | None = None) -> tuple[Stored, View, blobs.Blob]:
    if version is None:
        row, view = await reading.read(asked.visit, KINDS["Binary"], identifier, Tag.CONTENT)
    else:
        row, view = await reading.vread(asked.visit, KINDS["Binary"], identifier, version)
    async with asked.visit.installation.database.session() as session:
        blob = await blobs.blob_of(session, view.inside, row.id, row.version)
    return row, view, blob


async def download(asked: Asked, identifier: str) -> Response:
    """The bytes, or the range asked (RFC 9110 §14), streamed piece by piece; 304 when the caller has them."""
    row, view, blob = await _found(asked, identifier)
    # What was declared was judged without its parameters: only what was judged goes into a header.
    media = str(row.json(view.keyring).get("contentType", "")).partition(";")[0].strip().lower()
    extension = _EXTENSIONS.get(media, "xml")
    headers = {
        **answers.PRIVATE,
        **answers.version_headers(row),
        "Accept-Ranges": "bytes",
        "Content-Type": f"{media}; charset=utf-8" if media == "text/plain" else media,
        "Content-Disposition": f'attachment; filename="{row.id}.{extension}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if answers.unchanged(asked, row):
        return Response(status_code=304, headers=headers)
    start, stop, status = _range(asked, row, blob.size)
    if status == 416:
        error = DomainError(Reason.RANGE, Issue("value", "The range is outside the content."))
        answer = faults.answer(asked.request, faults.STATUS[error.reason], error.issues)
        answer.headers["Content-Range"] = f"bytes */{blob.size}"
        return answer
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    headers["Content-Length"] = str(stop - start)
    keys = view.keyring.of(row.record)
    body = blobs.stream(asked.visit, view.inside, keys, blob, start, stop)
    return StreamingResponse(body, status, headers)


def _range(asked: Asked, row: Stored, size: int) -> tuple[int, int, int]:
    """[start, stop) and the status. Several ranges, none that is one, a stale If-Range: the whole (RFC 9110 §14.2)."""
    condition = asked.header("if-range")
    match = _RANGE.fullmatch((asked.header("range") or "").replace(" ", ""))
    if match is None or match.group(1) == match.group(2) == "" or condition not in (None, row.etag):
        return 0, size, 200
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return 0, size, 200
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    return start, stop, 206 if start < stop else 416


async def read_as_json(asked: Asked, identifier: str, version: str | None = None) -> Response:
    """The FHIR form, its bytes in base64, as it stands or in one version."""
    row, view, blob = await _found(asked, identifier, version)
    keys = view.keyring.of(row.record)
    data = b"".join([piece async for piece in blobs.stream(asked.visit, view.inside, keys, blob, 0, blob.size)])
    body = {**row.json(view.keyring), "data": base64.b64encode(data).decode()}
    return answers.json_answer(asked, body, 200, answers.version_headers(row))


async def upload(asked: Asked) -> Written:
    """Raw bytes become a Binary, judged as they arrive. Whose: X-Security-Context, a Patient (R4 §2.44.3)."""
    visit, binary = asked.visit, KINDS["Binary"]
    reading.require(visit, CREATE, binary)
    body: dict[str, Any] = {"resourceType": "Binary", "contentType": asked.header("content-type") or ""}
    home = _home(asked)
    if home is not None:
        body["securityContext"] = {"reference": f"Patient/{home}"}
    limits = visit.installation.settings
    length = asked.header("content-length") or ""
    if length.isdecimal() and int(length[:20]) > limits.document_bytes:
        raise blobs.too_large(limits.document_bytes)
    # Nothing of the database is held while bytes arrive, however slowly.
    content = await blobs.receive(asked.request.stream(), body["contentType"], limits)
    return await writing.create(visit, binary, body, asked.base, content=content)


def _home(asked: Asked) -> str | None:
    own = asked.visit.reader.record if isinstance(asked.visit.reader, Person) else None
    context = asked.header("x-security-context")
    if context is None:
        return own
    kind, _, identifier = context.removeprefix(f"{asked.base}/").partition("/")
    if kind != "Patient":
        raise malformed("X-Security-Context names the Patient whose record this goes to.")
    return identifier
