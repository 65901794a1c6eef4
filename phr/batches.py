"""A FHIR batch: each entry on its own, in its own transaction, with its own answer.

The rule: an entry is the same interaction as over HTTP, through the same functions; one failing changes no other.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl

from fhir.outcome import ALL_OK, outcome
from phr import documents, writing
from phr.access.visit import Visit
from phr.core.errors import DomainError
from phr.transactions import METHODS, Entry, entry_of, listed_entries
from phr.writing import Written

Json = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]
Get = Callable[[str, Pairs, dict[str, str]], Awaitable[Json]]
"""Answers a GET: its path, its parameters and its conditional headers give a response entry."""

_CONDITIONS = {"ifNoneMatch": "if-none-match", "ifModifiedSince": "if-modified-since"}


def line(made: Written | None, base: str, wanted: str | None) -> Json:
    """The response entry of a write. `wanted`: what Prefer: return= asks for; the facts alone by default."""
    if made is None:
        return {"response": {"status": "204"}}
    if made.draft is None and made.stored is None:
        return {"response": {"status": "204", "etag": made.etag}}
    response: Json = {
        "status": "201" if made.created else "200",
        "location": f"{base}/{made.kind.name}/{made.id}/_history/{made.version}",
        "etag": made.etag,
        "lastModified": made.updated.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    told: Json = {"fullUrl": f"{base}/{made.kind.name}/{made.id}"}
    if wanted == "representation":
        told["resource"] = made.json()
    elif wanted == "OperationOutcome":
        response["outcome"] = outcome([ALL_OK])
    return {**told, "response": response}


async def batch(
    visit: Visit, bundle: Json, base: str, wanted: str | None, status: Callable[[DomainError], int], get: Get
) -> list[Json]:
    """Carry out each entry. Returns the response entries, in order."""
    lines = []
    for n, entry in enumerate(listed_entries(bundle, visit.installation.settings.transaction_entries)):
        try:
            lines.append(await _one(visit, n, entry, base, wanted, get))
        except DomainError as error:
            failed = {"status": str(status(error)), "outcome": outcome(error.issues)}
            lines.append({"response": failed})
    return lines


async def _one(visit: Visit, n: int, raw: Any, base: str, wanted: str | None, get: Get) -> Json:
    request = raw.get("request") if isinstance(raw, dict) else None
    if isinstance(request, dict) and request.get("method") == "GET":
        path, _, query = str(request.get("url", "")).partition("?")
        conditions = {header: str(request[name]) for name, header in _CONDITIONS.items() if name in request}
        return await get(path.strip("/"), tuple(parse_qsl(query, keep_blank_values=True)), conditions)
    return line(await _write(visit, entry_of(n, raw, METHODS), base), base, wanted)


async def _write(visit: Visit, entry: Entry, base: str) -> Written | None:
    kind, identifier, body, if_match = entry.kind, entry.id, entry.body or {}, entry.if_match
    if entry.method == "POST":
        return await writing.create(visit, kind, body, base, unless=entry.unless)
    if entry.method == "DELETE":
        if identifier is None:
            return await writing.delete_where(visit, kind, entry.query, base, if_match)
        version = await writing.delete(visit, kind, identifier, if_match)
        return Written(kind, identifier, version, False)
    if entry.method == "PUT":
        if identifier is None:
            return await writing.update_where(visit, kind, entry.query, body, base, if_match)
        return await writing.update(visit, kind, identifier, {**body, "id": identifier}, base, if_match)
    if identifier is None:
        identifier = await writing.only(visit, kind, entry.query, base)
    operations = documents.decode(body.get("data"), f"{entry.where}.data")
    return await writing.patched(visit, kind, identifier, operations, base, if_match)
