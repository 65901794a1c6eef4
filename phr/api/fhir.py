"""The FHIR REST routes: each reads what is asked, calls one feature, and shapes the answer. Nothing is decided here."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from fhir import wire
from fhir.outcome import outcome
from fhir.parameters import KINDS, Kind
from phr import batches, reading, trails, transactions, writing
from phr.access.scope import CREATE, READ
from phr.api import answers, binary
from phr.api.asked import (
    FORM,
    PATCH_TYPES,
    Asked,
    body_of,
    content_type,
    kind_named,
    limit_for,
    negotiate,
    pairs_of,
    resource_of,
)
from phr.api.faults import STATUS
from phr.core.errors import DomainError, Issue, Reason, malformed
from phr.plan import judge

Named = Annotated[str, Path(pattern=r"^[A-Za-z]{1,64}$")]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
LARGEST_FORM = 65_536
Pairs = tuple[tuple[str, str], ...]


def router(visiting: Callable[..., Awaitable[Asked]]) -> APIRouter:
    """All interactions on resources. `visiting` makes the Asked, or refuses."""
    routes = APIRouter(prefix="/fhir", tags=["fhir"])
    asking = Annotated[Asked, Depends(visiting)]

    @routes.post("")
    async def bundle(asked: asking) -> Response:
        negotiate(asked.request)
        body = await resource_of(asked, asked.visit.installation.settings.transaction_bytes)
        return await _bundle(asked, body)

    @routes.get("/{kind}")
    async def search(kind: Named, asked: asking) -> Response:
        negotiate(asked.request)
        return await _search(asked, kind_named(kind), asked.pairs)

    @routes.post("/{kind}/_search")
    async def search_by_post(kind: Named, asked: asking) -> Response:
        negotiate(asked.request)
        form = (await body_of(asked.request, LARGEST_FORM)).decode(errors="replace")
        if form and content_type(asked.request) != FORM:
            raise DomainError(Reason.MEDIA_TYPE, Issue("not-supported", f"The body is {FORM}."))
        return await _search(asked, kind_named(kind), (*asked.pairs, *pairs_of(form)))

    @routes.get("/{kind}/_history")
    async def history_of_type(kind: Named, asked: asking) -> Response:
        negotiate(asked.request)
        found, _ = await reading.history(asked.visit, stored(kind), None, asked.pairs)
        return answers.history_bundle(asked, found, f"{kind}/_history")

    @routes.post("/{kind}/$validate")
    async def validate(kind: Named, asked: asking) -> Response:
        return await _validate(asked, kind_named(kind))

    @routes.post("/{kind}/{id}/$validate")
    async def validate_instance(kind: Named, id: Id, asked: asking) -> Response:
        return await _validate(asked, kind_named(kind))

    @routes.get("/Patient/{id}/$everything")
    async def everything(id: Id, asked: asking) -> Response:
        negotiate(asked.request)
        found = await reading.everything(asked.visit, id, asked.pairs)
        return answers.searchset(asked, found, f"Patient/{id}/$everything")

    @routes.get("/{kind}/{id}/_history")
    async def history(kind: Named, id: Id, asked: asking) -> Response:
        negotiate(asked.request)
        found, _ = await reading.history(asked.visit, stored(kind), id, asked.pairs)
        return answers.history_bundle(asked, found, f"{kind}/{id}/_history")

    @routes.get("/{kind}/{id}/_history/{version}")
    async def vread(kind: Named, id: Id, version: Id, asked: asking) -> Response:
        negotiate(asked.request)
        row, view = await reading.vread(asked.visit, stored(kind), id, version)
        return answers.resource(asked, row, view)

    @routes.get("/{kind}/{id}")
    async def read(kind: Named, id: Id, asked: asking) -> Response:
        found = kind_named(kind)
        if found.name == "Binary" and not binary.as_json(asked.request):
            return await binary.download(asked, id)
        negotiate(asked.request)
        return await _read(asked, found, id)

    @routes.post("/{kind}")
    async def create(kind: Named, asked: asking) -> Response:
        found = stored(kind)
        if found.name == "Binary" and not binary.is_json(asked.request):
            return answers.wrote(asked, await binary.upload(asked))
        negotiate(asked.request)
        body = await resource_of(asked, limit_for(asked, found))
        _same_type(found, body)
        unless = pairs_of(asked.header("if-none-exist") or "")
        return answers.wrote(asked, await writing.create(asked.visit, found, body, asked.base, unless=unless))

    @routes.put("/{kind}/{id}")
    async def update(kind: Named, id: Id, asked: asking) -> Response:
        negotiate(asked.request)
        return await _put(asked, stored(kind), id)

    @routes.put("/{kind}")
    async def conditional_update(kind: Named, asked: asking) -> Response:
        negotiate(asked.request)
        found = stored(kind)
        identifier = await writing.conditional(asked.visit, found, asked.pairs, asked.base)
        return await _put(asked, found, identifier)

    @routes.patch("/{kind}/{id}")
    async def patch(kind: Named, id: Id, asked: asking) -> Response:
        negotiate(asked.request)
        return await _patch(asked, stored(kind), id)

    @routes.patch("/{kind}")
    async def conditional_patch(kind: Named, asked: asking) -> Response:
        negotiate(asked.request)
        found = stored(kind)
        return await _patch(asked, found, await writing.conditional(asked.visit, found, asked.pairs, asked.base))

    @routes.delete("/{kind}/{id}")
    async def delete(kind: Named, id: Id, asked: asking) -> Response:
        version = await writing.delete(asked.visit, stored(kind), id, asked.header("if-match"))
        return Response(status_code=204, headers={**answers.PRIVATE, "ETag": f'W/"{version}"'})

    @routes.delete("/{kind}")
    async def conditional_delete(kind: Named, asked: asking) -> Response:
        found = stored(kind)
        identifier = await writing.conditional(asked.visit, found, asked.pairs, asked.base)
        if identifier is not None:
            await writing.delete(asked.visit, found, identifier, asked.header("if-match"))
        return Response(status_code=204, headers=answers.PRIVATE)

    return routes


def stored(name: str) -> Kind:
    """A type that is stored: all but the journal. Raises DomainError METHOD for the journal's."""
    kind = kind_named(name)
    if kind.name == trails.KIND:
        raise DomainError(Reason.METHOD, Issue("not-supported", "The journal is read and searched only."))
    return kind


async def _bundle(asked: Asked, body: dict[str, Any]) -> Response:
    if body.get("resourceType") != "Bundle" or body.get("type") not in ("batch", "transaction"):
        raise malformed("A batch or a transaction Bundle is expected here.", "Bundle.type")
    base = asked.base
    if body["type"] == "transaction":
        made = await transactions.transact(asked.visit, body, base)
        lines = [batches.transaction_line(one, base) for one in made]
    else:

        async def search(kind: Kind, pairs: Pairs) -> Any:
            return wire.restore(bytes((await _search(asked, kind, pairs)).body))

        lines = await batches.batch(asked.visit, body, base, lambda error: STATUS[error.reason], search)
    answer = {"resourceType": "Bundle", "type": f"{body['type']}-response", **({"entry": lines} if lines else {})}
    return answers.json_answer(asked, answer)


async def _search(asked: Asked, kind: Kind, pairs: Pairs) -> Response:
    if kind.name == trails.KIND:
        found = await trails.search(asked.visit, pairs, asked.base)
        return answers.json_answer(asked, found)
    if trails.looks_up(asked.visit, kind, pairs):
        return answers.json_answer(asked, await trails.lookup_bundle(asked.visit, pairs, asked.base))
    return answers.searchset(
        asked, await reading.search(asked.visit, kind, pairs, asked.base, strict=asked.strict), kind.name
    )


async def _read(asked: Asked, kind: Kind, identifier: str) -> Response:
    if kind.name == trails.KIND:
        return answers.json_answer(asked, await trails.read(asked.visit, identifier))
    if kind.name == "Binary":
        return await binary.read_as_json(asked, identifier)
    row, view = await reading.read(asked.visit, kind, identifier)
    return answers.resource(asked, row, view)


async def _put(asked: Asked, kind: Kind, identifier: str | None) -> Response:
    body = await resource_of(asked, limit_for(asked, kind))
    _same_type(kind, body)
    if identifier is None:
        return answers.wrote(asked, await writing.create(asked.visit, kind, body, asked.base))
    if asked.request.path_params.get("id") is None:
        body = {**body, "id": identifier}
    if_match = asked.header("if-match")
    return answers.wrote(asked, await writing.update(asked.visit, kind, identifier, body, asked.base, if_match))


async def _patch(asked: Asked, kind: Kind, identifier: str | None) -> Response:
    if content_type(asked.request) not in PATCH_TYPES:
        raise DomainError(Reason.MEDIA_TYPE, Issue("not-supported", "The body is application/json-patch+json."))
    if identifier is None:
        raise DomainError(Reason.ABSENT, Issue("not-found", "Nothing matches the condition."))
    operations = await body_of(asked.request, asked.visit.installation.settings.resource_bytes)
    if_match = asked.header("if-match")
    made = await writing.patched(asked.visit, kind, identifier, operations, asked.base, if_match)
    return answers.wrote(asked, made)


async def _validate(asked: Asked, kind: Kind) -> Response:
    """R4 Resource-validate: what a create would say of the content, nothing stored, always 200."""
    reading.require(asked.visit, CREATE, kind)
    body = await resource_of(asked, limit_for(asked, kind))
    if body.get("resourceType") == "Parameters":
        named = [
            p.get("resource") for p in body.get("parameter", []) if isinstance(p, dict) and p.get("name") == "resource"
        ]
        body = named[0] if named and isinstance(named[0], dict) else {}
    try:
        _same_type(kind, body)
        judge(kind, body, kind.name)
    except DomainError as error:
        return answers.json_answer(asked, outcome(error.issues))
    return answers.json_answer(asked, outcome(()))


def _same_type(kind: Kind, body: dict[str, Any]) -> None:
    if body.get("resourceType") != kind.name:
        raise malformed("The resource is not of the type in the address.", "resourceType")


__all__ = ["KINDS", "READ", "router"]
