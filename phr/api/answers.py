"""Resources and Bundles as HTTP answers: ETag, Last-Modified, Location, Prefer, _summary, _elements, _pretty."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi.responses import Response

from fhir import summary, wire
from fhir.outcome import ALL_OK, outcome
from fhir.stored import Stored
from fhir.view import View
from phr.api.asked import Asked
from phr.api.faults import FHIR_JSON
from phr.core.errors import Issue, malformed
from phr.inbox import Page
from phr.reading import Found
from phr.writing import Written

Json = dict[str, Any]
MEDIA = f"{FHIR_JSON}; charset=utf-8"
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def json_answer(asked: Asked | None, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Any JSON value, never cached."""
    pretty = asked is not None and asked.pretty
    return Response(wire.encode(body, pretty), status, {**PRIVATE, **(headers or {})}, media_type=MEDIA)


def version_headers(stored: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {"ETag": stored.etag, "Last-Modified": _http_date(stored.updated)}


def _http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


def unchanged(asked: Asked, stored: Stored) -> bool:
    """If-None-Match, else If-Modified-Since: whether the caller has this version already."""
    tags = asked.header("if-none-match")
    if tags is not None:
        return any(tag.strip() in (stored.etag, stored.etag.removeprefix("W/"), "*") for tag in tags.split(","))
    since = asked.header("if-modified-since")
    try:
        return since is not None and stored.updated.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False


def shaped(asked: Asked, stored: Stored, view: View) -> Any:
    """The stored JSON as asked: whole (its very bytes), or less of it."""
    mode, names = asked.first("_summary"), asked.first("_elements")
    if mode in (None, "false", "count") and not names:
        return msgspec.Raw(stored.raw(view.keyring))
    return reduced(stored.json(view.keyring), mode, names.split(",") if names else [])


def reduced(resource: Json, mode: str | None, names: Iterable[str]) -> Json:
    """`_summary`, then `_elements`."""
    listed = list(names)
    if mode not in (None, "count"):
        resource = summary.summarise(resource, mode)
    return summary.select(resource, listed) if listed else resource


def line(answered: Response, base: str) -> Json:
    """An answer to a GET, as the entry of a batch-response."""
    response: Json = {"status": str(answered.status_code)}
    if "etag" in answered.headers:
        response["etag"] = answered.headers["etag"]
    if answered.status_code == 304:
        return {"response": response}
    body = wire.restore(bytes(answered.body))
    modified = body.get("meta", {}).get("lastUpdated")
    if modified is not None:
        response["lastModified"] = modified
    full = {"fullUrl": f"{base}/{body['resourceType']}/{body['id']}"} if "id" in body else {}
    return {**full, "resource": body, "response": response}


def resource(asked: Asked, stored: Stored, view: View) -> Response:
    """One resource, or 304."""
    headers = version_headers(stored)
    if asked.first("_summary") == "count":
        raise malformed("_summary=count is for searches.")
    if unchanged(asked, stored):
        return Response(status_code=304, headers={**PRIVATE, **headers})
    body = shaped(asked, stored, view)
    if isinstance(body, msgspec.Raw) and not asked.pretty:
        return Response(bytes(body), 200, {**PRIVATE, **headers}, media_type=MEDIA)
    return json_answer(asked, wire.restore(bytes(body)) if isinstance(body, msgspec.Raw) else body, 200, headers)


def wrote(asked: Asked, made: Written) -> Response:
    """The answer to a write, as Prefer: return= asks (representation by default)."""
    headers = {"ETag": made.etag, "Last-Modified": _http_date(made.updated)}
    if made.created or made.draft is None:
        headers["Location"] = f"{asked.base}/{made.kind.name}/{made.id}/_history/{made.version}"
    status = 201 if made.created else 200
    wanted = asked.prefer.get("return")
    if wanted == "minimal":
        return Response(status_code=status, headers={**PRIVATE, **headers})
    return json_answer(asked, outcome([ALL_OK]) if wanted == "OperationOutcome" else made.json(), status, headers)


def inbox(asked: Asked, page: Page, path: str) -> Response:
    """A page of what waits for who asks, in whatever record, as a searchset."""
    entries = [
        {"fullUrl": f"{asked.base}/{path}/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in page.found
    ]
    body: Json = {"resourceType": "Bundle", "type": "searchset"}
    if page.next is not None:
        body["link"] = [{"relation": "next", "url": f"{asked.base}/{path}?{urlencode({'_cursor': page.next})}"}]
    return json_answer(asked, body | ({"entry": entries} if entries else {}))


def searchset(asked: Asked, found: Found, path: str) -> Response:
    """A page of a search: matches, what was brought along, and what was not understood, said."""
    query, base = found.query, asked.base
    counting = query.counting
    entries: list[Any] = []
    for rows, mode in ((found.matches, "match"), (found.included, "include")):
        for row in [] if counting else rows:
            shape = _shape_in(query.summary, query.elements if mode == "match" else (), row, found.view)
            full = f"{base}/{row.kind}/{row.id}"
            entries.append({"fullUrl": full, "resource": shape, "search": {"mode": mode}})
    if query.ignored:
        issues = [Issue("not-supported", f"{name}: {why}", severity="warning") for name, why in query.ignored]
        entries.append({"resource": outcome(issues), "search": {"mode": "outcome"}})
    links = [{"relation": "self", "url": _link(base, path, query.understood)}]
    if found.next is not None:
        links.append({"relation": "next", "url": _link(base, path, (("_cursor", found.next),))})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if found.total is not None:
        bundle["total"] = found.total
    bundle["link"] = links
    if entries:
        bundle["entry"] = entries
    return json_answer(asked, _plain(bundle) if asked.pretty else bundle)


def _plain(bundle: Json) -> Json:
    return wire.restore(wire.encode(bundle))


def _shape_in(mode: str | None, elements: tuple[str, ...], row: Stored, view: View) -> Any:
    if mode in (None, "false") and not elements:
        return msgspec.Raw(row.raw(view.keyring))
    return reduced(row.json(view.keyring), mode, elements)


def _link(base: str, path: str, pairs: Iterable[tuple[str, str]]) -> str:
    text = urlencode(list(pairs))
    return f"{base}/{path}?{text}" if text else f"{base}/{path}"


def history_bundle(asked: Asked, found: Found, path: str) -> Response:
    """A page of versions, newest first (R4 §3.1.0.9)."""
    entries = []
    for row in found.matches:
        method = "DELETE" if row.gone else "POST" if row.version == 1 else "PUT"
        url = f"{row.kind}/{row.id}" if method != "POST" else row.kind
        status = {"DELETE": "204", "POST": "201", "PUT": "200"}[method]
        entry: Json = {"fullUrl": f"{asked.base}/{row.kind}/{row.id}"}
        if not row.gone:
            entry["resource"] = msgspec.Raw(row.raw(found.view.keyring))
        entry["request"] = {"method": method, "url": url}
        modified = row.updated.astimezone(UTC).isoformat(timespec="milliseconds")
        entry["response"] = {"status": status, "etag": row.etag, "lastModified": modified}
        entries.append(entry)
    links = [{"relation": "self", "url": _link(asked.base, path, found.query.understood)}]
    if found.next is not None:
        links.append({"relation": "next", "url": _link(asked.base, path, (("_cursor", found.next),))})
    bundle = {"resourceType": "Bundle", "type": "history", "link": links}
    if entries:
        bundle["entry"] = entries
    return json_answer(asked, _plain(bundle) if asked.pretty else bundle)
