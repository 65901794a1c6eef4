"""A FHIR batch: each entry on its own, in its own transaction, with its own answer.

The rule: an entry is the same interaction as over HTTP, through the same functions; one failing changes no other.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from fhir.outcome import outcome
from fhir.parameters import KINDS, Kind
from phr import documents, reading, writing
from phr.access.visit import Visit
from phr.core.errors import DomainError, malformed
from phr.transactions import METHODS, entry_of, listed_entries
from phr.writing import Written

Json = dict[str, Any]
Search = Callable[[Kind, tuple[tuple[str, str], ...]], Awaitable[Any]]


def _line(made: Written, base: str) -> Json:
    response: Json = {"status": "201" if made.created else "200", "etag": made.etag}
    if made.created:
        response["location"] = f"{base}/{made.kind.name}/{made.id}/_history/{made.version}"
    return response


def transaction_line(made: Written | None, base: str) -> Json:
    """The response entry of one transaction entry."""
    if made is None or (made.draft is None and made.stored is None):
        return {"response": {"status": "204"}}
    return {"fullUrl": f"{base}/{made.kind.name}/{made.id}", "response": _line(made, base)}


async def batch(
    visit: Visit, bundle: Json, base: str, status: Callable[[DomainError], int], search: Search
) -> list[Json]:
    """Carry out each entry; `search` answers a GET that searches. Returns the response entries, in order."""
    lines = []
    for n, entry in enumerate(listed_entries(bundle, visit.installation.settings.transaction_entries)):
        try:
            lines.append(await _one(visit, n, entry, base, search))
        except DomainError as error:
            failed = {"status": str(status(error)), "outcome": outcome(error.issues)}
            lines.append({"response": failed})
    return lines


async def _one(visit: Visit, n: int, raw: Any, base: str, search: Search) -> Json:
    request = raw.get("request") if isinstance(raw, dict) else None
    if isinstance(request, dict) and request.get("method") == "GET":
        return await _get(visit, str(request.get("url", "")), search)
    entry = entry_of(n, raw, METHODS)
    kind, identifier = entry.kind, entry.id
    if identifier is None and entry.method != "POST":
        identifier = await writing.conditional(visit, kind, entry.query, base)
    body = entry.body or {}
    if entry.method == "POST":
        made = await writing.create(visit, kind, body, base, unless=entry.unless)
    elif entry.method == "PUT" and identifier is None:
        made = await writing.create(visit, kind, body, base)
    elif identifier is None:
        return {"response": {"status": "204"}}
    elif entry.method == "PUT":
        made = await writing.update(visit, kind, identifier, {**body, "id": identifier}, base, entry.if_match)
    elif entry.method == "PATCH":
        operations = documents.decode(body.get("data"), f"Bundle.entry[{n}].resource.data")
        made = await writing.patched(visit, kind, identifier, operations, base, entry.if_match)
    else:
        version = await writing.delete(visit, kind, identifier, entry.if_match)
        return {"response": {"status": "204", "etag": f'W/"{version}"'}}
    return {"fullUrl": f"{base}/{kind.name}/{made.id}", "resource": made.json(), "response": _line(made, base)}


async def _get(visit: Visit, url: str, search: Search) -> Json:
    path, _, query = url.partition("?")
    name, _, identifier = path.strip("/").partition("/")
    kind = KINDS.get(name)
    if kind is None or "/" in identifier:
        raise malformed("A batch reads Type/id or searches Type?….")
    if not identifier:
        found = await search(kind, tuple(parse_qsl(query, keep_blank_values=True)))
        return {"resource": found, "response": {"status": "200"}}
    stored, view = await reading.read(visit, kind, identifier)
    line = {"status": "200", "etag": stored.etag, "lastModified": stored.updated.isoformat(timespec="milliseconds")}
    return {"fullUrl": f"{name}/{identifier}", "resource": stored.json(view.keyring), "response": line}
