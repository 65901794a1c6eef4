"""The FHIR REST routes: each reads what is asked, calls one feature, and shapes the answer. Nothing is decided here."""

from dataclasses import replace
from typing import Any

from fastapi.responses import Response

from fhir.criterion import LOGICAL_ID
from fhir.outcome import outcome
from fhir.parameters import Kind
from phr import batches, checkups, reading, trails, transactions, writing
from phr.access.scope import CREATE
from phr.api import answers, binary, described, subscriptions
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
from phr.api.doors import Doors
from phr.api.faults import STATUS
from phr.core.errors import DomainError, Issue, Reason, malformed
from phr.prescription import waiting
from phr.prevention import plandefinition
from phr.questionnaires import QUESTIONNAIRES

LARGEST_FORM = 65_536
EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Pairs = tuple[tuple[str, str], ...]


def open_doors(doors: Doors) -> None:
    """All interactions on resources."""

    # Routes are tried in order: what is asked most comes first.
    @doors.opens("GET", "/{kind:type}/{id:id}", described.taking([*described.SHAPE, *described.KNOWN]), spoken=False)
    async def read(asked: Asked, kind: str, id: str) -> Response:
        """A resource as it stands; the bytes of a Binary, unless JSON is asked."""
        found = kind_named(kind)
        if found.name == "Binary" and not binary.as_json(asked.request):
            return await binary.download(asked, id)
        negotiate(asked.header("accept"), asked.first("_format"))
        return await _read(asked, found, id)

    @doors.opens("GET", "/{kind:type}", described.taking(described.SEARCH))
    async def search(asked: Asked, kind: str) -> Response:
        """Search a type, by the parameters of the CapabilityStatement. A record's types need its person named."""
        return await _search(asked, kind_named(kind))

    @doors.opens("POST", "/")
    @doors.opens("POST", "", described.taking(described.PREFER, described.RESOURCE))
    async def bundle(asked: Asked) -> Response:
        """A batch or a transaction."""
        return await _bundle(asked, await resource_of(asked, asked.visit.installation.settings.transaction_bytes))

    @doors.opens("POST", "/{kind:type}/_search", described.taking(described.SEARCH, described.FORM, FORM), spoken=False)
    async def search_by_post(asked: Asked, kind: str) -> Response:
        """Search with the parameters in a form, so that no address holds them."""
        return await _search(await _with_form(asked), kind_named(kind))

    @doors.opens("GET", "/{kind:type}/_history", described.taking(described.SINCE))
    async def history_of_type(asked: Asked, kind: str) -> Response:
        """All versions of a type in one record."""
        return await _history(asked, stored(kind), None)

    @doors.opens("POST", "/{kind:type}/$validate", described.taking([], described.RESOURCE))
    async def validate(asked: Asked, kind: str) -> Response:
        """What a create would say; nothing is stored."""
        return await _validate(asked, stored(kind))

    @doors.opens("POST", "/{kind:type}/{id:id}/$validate", described.taking([], described.RESOURCE))
    async def validate_instance(asked: Asked, kind: str, id: str) -> Response:
        """The same, at the address of a resource."""
        return await _validate(asked, stored(kind))

    @doors.opens("GET", "/Patient/{id:id}/$everything", described.taking(described.SINCE))
    async def everything(asked: Asked, id: str) -> Response:
        """The whole record, as far as the reader sees it."""
        return await _everything(asked, id)

    @doors.opens("GET", "/{kind:type}/{id:id}/_history", described.taking(described.SINCE))
    async def history(asked: Asked, kind: str, id: str) -> Response:
        """All versions of a resource."""
        return await _history(asked, stored(kind), id)

    @doors.opens("GET", "/{kind:type}/{id:id}/_history/{version}", described.taking(described.KNOWN))
    async def vread(asked: Asked, kind: str, id: str, version: str) -> Response:
        """One version of a resource."""
        return await _vread(asked, stored(kind), id, version)

    @doors.opens(
        "POST",
        "/{kind:type}",
        described.taking([*described.PREFER, *described.UNLESS], described.RESOURCE),
        status_code=201,
    )
    async def create(asked: Asked, kind: str) -> Response:
        """Create a resource; a Binary's bytes may come as they are."""
        found = stored(kind)
        if found.name == "Binary" and not binary.is_json(asked.request):
            return answers.wrote(asked, await binary.upload(asked))
        return await _create(asked, found)

    @doors.opens("PUT", "/{kind:type}/{id:id}", described.taking(described.CHANGE, described.RESOURCE))
    async def update(asked: Asked, kind: str, id: str) -> Response:
        """Replace a resource."""
        return await _put(asked, stored(kind), id)

    @doors.opens("PUT", "/{kind:type}", described.taking(described.CHANGE, described.RESOURCE))
    async def conditional_update(asked: Asked, kind: str) -> Response:
        """Replace the resource that a search finds, or create it."""
        return await _put_where(asked, stored(kind))

    @doors.opens("PATCH", "/{kind:type}/{id:id}", described.taking(described.CHANGE, described.PATCH, *PATCH_TYPES))
    async def patch(asked: Asked, kind: str, id: str) -> Response:
        """Change a resource by a JSON Patch."""
        return await _patch(asked, stored(kind), id)

    @doors.opens("PATCH", "/{kind:type}", described.taking(described.CHANGE, described.PATCH, *PATCH_TYPES))
    async def conditional_patch(asked: Asked, kind: str) -> Response:
        """Change the resource that a search finds."""
        return await _patch(asked, stored(kind), None)

    @doors.opens("DELETE", "/{kind:type}/{id:id}", described.taking(described.MATCH), status_code=204)
    async def delete(asked: Asked, kind: str, id: str) -> Response:
        """Delete a resource; its past stays in its history."""
        version = await writing.delete(asked.visit, stored(kind), id, asked.header("if-match"))
        return Response(status_code=204, headers={**answers.PRIVATE, "ETag": f'W/"{version}"'})

    @doors.opens("DELETE", "/{kind:type}", described.taking(described.MATCH), status_code=204)
    async def conditional_delete(asked: Asked, kind: str) -> Response:
        """Delete the resource that a search finds; several: 412."""
        await writing.delete_where(asked.visit, stored(kind), asked.pairs, asked.base, asked.header("if-match"))
        return Response(status_code=204, headers=answers.PRIVATE)


def close_doors(doors: Doors) -> None:
    """After every other route: whatever none of them takes."""

    @doors.opens(EVERY, "", spoken=False)
    @doors.opens(EVERY, "/{rest:path}", spoken=False)
    async def nowhere(asked: Asked, rest: str = "") -> Response:
        """Whatever no other route takes: known to none without a token."""
        raise nothing_at(rest)


def stored(name: str) -> Kind:
    """A type that is stored: all but the journal, and subscriptions. Raises DomainError METHOD for these."""
    kind = kind_named(name)
    if subscriptions.is_ours(kind):
        raise DomainError(Reason.METHOD, Issue("not-supported", "This is not done with a Subscription."))
    if kind.name == trails.KIND:
        raise DomainError(Reason.METHOD, Issue("not-supported", "The journal is read and searched only."))
    return kind


def nothing_at(path: str) -> DomainError:
    """Why an address does not answer: the type is not served, the method is not, or there is no such address."""
    name, _, rest = path.partition("/")
    if name.isalpha():
        kind_named(name)
    known = not rest or LOGICAL_ID.fullmatch(rest) or "_history" in rest or "_search" in rest or "$" in rest
    if not path or (name.isalpha() and known):
        return DomainError(Reason.METHOD, Issue("not-supported", "This interaction is not supported here."))
    return DomainError(Reason.ABSENT, Issue("not-found", "No such address."))


async def _with_form(asked: Asked) -> Asked:
    form = (await body_of(asked.request, LARGEST_FORM)).decode(errors="replace")
    if form and content_type(asked.request) != FORM:
        raise DomainError(Reason.MEDIA_TYPE, Issue("not-supported", f"The body is {FORM}."))
    whole = replace(asked, pairs=(*asked.pairs, *pairs_of(form)))
    negotiate(whole.header("accept"), whole.first("_format"))
    return whole


async def _bundle(asked: Asked, body: dict[str, Any]) -> Response:
    if body.get("resourceType") != "Bundle" or body.get("type") not in ("batch", "transaction"):
        raise malformed("A batch or a transaction Bundle is expected here.", "Bundle.type")
    base, wanted = asked.base, asked.prefer.get("return")
    if body["type"] == "transaction":
        lines = [batches.line(one, base, wanted) for one in await transactions.transact(asked.visit, body, base)]
    else:

        async def get(path: str, pairs: Pairs, conditions: dict[str, str]) -> dict[str, Any]:
            headers = {"prefer": asked.header("prefer") or "", **conditions}
            return answers.line(await _get(replace(asked, pairs=pairs, headers=headers), path), base)

        lines = await batches.batch(asked.visit, body, base, wanted, lambda error: STATUS[error.reason], get)
    answer = {"resourceType": "Bundle", "type": f"{body['type']}-response", **({"entry": lines} if lines else {})}
    return answers.json_answer(asked, answer)


async def _get(asked: Asked, path: str) -> Response:
    """The GET of a batch's entry: as its address alone would answer."""
    match path.split("/"):
        case [kind]:
            return await _search(asked, kind_named(kind))
        case [kind, "_history"]:
            return await _history(asked, stored(kind), None)
        case ["Patient", identifier, "$everything"]:
            return await _everything(asked, identifier)
        case [kind, identifier]:
            return await _read(asked, kind_named(kind), identifier)
        case [kind, identifier, "_history"]:
            return await _history(asked, stored(kind), identifier)
        case [kind, identifier, "_history", version]:
            return await _vread(asked, stored(kind), identifier, version)
    raise nothing_at(path)


async def _search(asked: Asked, kind: Kind) -> Response:
    visit, pairs, strict = asked.visit, asked.pairs, asked.strict
    if subscriptions.is_ours(kind):
        return await subscriptions.search(asked)
    if kind.name == trails.KIND:
        accepted = asked.header("accept-language")
        found = await trails.search(visit, pairs, asked.base, strict=strict, accepted=accepted)
        return answers.json_answer(asked, found)
    if trails.looks_up(visit, kind, pairs):
        return answers.json_answer(asked, await trails.lookup_bundle(visit, pairs, asked.base, strict=strict))
    if kind.name == "Task" and waiting.is_asked(visit, pairs):
        return answers.inbox(asked, await waiting.search(visit, pairs, asked.base), kind.name)
    if kind.name == plandefinition.KIND:
        return answers.searchset(asked, await plandefinition.search(visit, pairs, asked.base, strict=strict), kind.name)
    page = await reading.search(visit, kind, pairs, asked.base, strict=strict)
    return answers.searchset(asked, page, kind.name)


async def _everything(asked: Asked, identifier: str) -> Response:
    found = await reading.everything(asked.visit, identifier, asked.pairs, strict=asked.strict)
    return answers.searchset(asked, found, f"Patient/{identifier}/$everything")


async def _history(asked: Asked, kind: Kind, identifier: str | None) -> Response:
    found = await reading.history(asked.visit, kind, identifier, asked.pairs, asked.base, strict=asked.strict)
    path = f"{kind.name}/_history" if identifier is None else f"{kind.name}/{identifier}/_history"
    return answers.history_bundle(asked, found, path)


async def _read(asked: Asked, kind: Kind, identifier: str) -> Response:
    if kind.name == trails.KIND:
        accepted = asked.header("accept-language")
        return answers.json_answer(asked, await trails.read(asked.visit, identifier, asked.pairs, accepted=accepted))
    if kind.name == "Binary":
        return await binary.read_as_json(asked, identifier)
    if subscriptions.is_ours(kind):
        return await subscriptions.read(asked, identifier)
    if kind.name == plandefinition.KIND and plandefinition.is_rule(identifier):
        return answers.resource(asked, *await plandefinition.read(asked.visit, identifier, asked.base))
    if kind.name == "Questionnaire" and identifier in QUESTIONNAIRES:
        return answers.resource(asked, *await checkups.questionnaire(asked.visit, identifier))
    row, view = await reading.read(asked.visit, kind, identifier)
    return answers.resource(asked, row, view)


async def _vread(asked: Asked, kind: Kind, identifier: str, version: str) -> Response:
    if kind.name == "Binary":
        return await binary.read_as_json(asked, identifier, version)
    row, view = await reading.vread(asked.visit, kind, identifier, version)
    return answers.resource(asked, row, view)


async def _create(asked: Asked, kind: Kind) -> Response:
    body = await resource_of(asked, limit_for(asked, kind))
    same_type(kind, body)
    header = asked.header("if-none-exist")
    if header is not None and not pairs_of(header):
        raise malformed("If-None-Exist holds no condition.")
    unless = pairs_of(header or "")
    return answers.wrote(asked, await writing.create(asked.visit, kind, body, asked.base, unless=unless))


async def _put(asked: Asked, kind: Kind, identifier: str) -> Response:
    body = await resource_of(asked, limit_for(asked, kind))
    same_type(kind, body)
    if_match = asked.header("if-match")
    return answers.wrote(asked, await writing.update(asked.visit, kind, identifier, body, asked.base, if_match))


async def _put_where(asked: Asked, kind: Kind) -> Response:
    body = await resource_of(asked, limit_for(asked, kind))
    same_type(kind, body)
    if_match = asked.header("if-match")
    return answers.wrote(asked, await writing.update_where(asked.visit, kind, asked.pairs, body, asked.base, if_match))


async def _patch(asked: Asked, kind: Kind, identifier: str | None) -> Response:
    if content_type(asked.request) not in PATCH_TYPES:
        raise DomainError(Reason.MEDIA_TYPE, Issue("not-supported", "The body is application/json-patch+json."))
    operations = await body_of(asked.request, asked.visit.installation.settings.resource_bytes)
    if identifier is None:
        identifier = await writing.only(asked.visit, kind, asked.pairs, asked.base)
    if_match = asked.header("if-match")
    return answers.wrote(asked, await writing.patched(asked.visit, kind, identifier, operations, asked.base, if_match))


async def _validate(asked: Asked, kind: Kind) -> Response:
    """R4 Resource-validate: what a create would say of the content, nothing stored, always 200."""
    reading.require(asked.visit, CREATE, kind)
    body = await resource_of(asked, limit_for(asked, kind))
    if body.get("resourceType") == "Parameters":
        listed = body.get("parameter")
        named = [p for p in listed if isinstance(p, dict)] if isinstance(listed, list) else []
        body = next((p["resource"] for p in named if isinstance(p.get("resource"), dict)), {})
    try:
        same_type(kind, body)
        writing.judge_alone(asked.visit, kind, body)
    except DomainError as error:
        return answers.json_answer(asked, outcome(error.issues))
    return answers.json_answer(asked, outcome(()))


def same_type(kind: Kind, body: dict[str, Any]) -> None:
    """Raises DomainError SYNTAX when the body is another resource than the address says."""
    if body.get("resourceType") != kind.name:
        raise malformed("The resource is not of the type in the address.", "resourceType")
