"""What /openapi.json says of the FHIR routes, for people and for tools: bodies, headers, parameters, answers.

The CapabilityStatement is the contract; this only spares a reader from guessing.
"""

from typing import Any

from phr.api.faults import FHIR_JSON

Json = dict[str, Any]

BEARER = "accessToken"

RESOURCE: Json = {"type": "object", "properties": {"resourceType": {"type": "string"}}, "required": ["resourceType"]}
PATCH: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
        "required": ["op", "path"],
    },
}
FORM: Json = {"type": "object", "additionalProperties": {"type": "string"}}


def _one(where: str, name: str, text: str, schema: Json | None = None) -> Json:
    return {"in": where, "name": name, "description": text, "schema": schema or {"type": "string"}}


SHAPE = [
    _one("query", "_summary", "Less of each resource.", {"enum": ["true", "text", "data", "count", "false"]}),
    _one("query", "_elements", "Element names, comma-separated: nothing but these and what is mandatory."),
    _one("query", "_pretty", "Indented for people.", {"enum": ["true", "false"]}),
    _one("query", "_format", "json; XML is not spoken."),
]
PAGING = [
    _one("query", "_count", "Entries of a page, 200 at most.", {"type": "integer", "minimum": 0}),
    _one("query", "_cursor", "From a next link; never made by hand."),
]
SEARCH = [
    _one("query", "_sort", "Date parameters, _lastUpdated or _id; a minus for the newest first."),
    _one("query", "_total", "Whether to count.", {"enum": ["none", "estimate", "accurate"]}),
    *PAGING,
    *SHAPE,
    _one("header", "Prefer", "handling=strict refuses what is not understood."),
]
SINCE = [_one("query", "_since", "An instant: nothing older."), *PAGING]
KNOWN = [
    _one("header", "If-None-Match", "An ETag: 304 when it still is the version."),
    _one("header", "If-Modified-Since", "An HTTP date."),
]
MATCH = [_one("header", "If-Match", "The ETag that was read: 412 when it is not the version any more.")]
PREFER = [_one("header", "Prefer", "return=minimal, return=representation or return=OperationOutcome.")]
CHANGE = [*PREFER, *MATCH]
UNLESS = [_one("header", "If-None-Exist", "A search: nothing is created when it finds one resource.")]
FAILED: dict[int | str, Json] = {
    "4XX": {"description": "An OperationOutcome that says what to change.", "content": {FHIR_JSON: {}}},
}


def taking(parameters: list[Json], body: Json | None = None, *media: str) -> Json:
    """`openapi_extra` of a route: its parameters, and its body when it has one, FHIR JSON unless said."""
    told: Json = {"parameters": parameters, "security": [{BEARER: []}]}
    if body is not None:
        told["requestBody"] = {"required": True, "content": {name: {"schema": body} for name in media or (FHIR_JSON,)}}
    return told


def secured(document: Json) -> Json:
    """The same document, with what `security` refers to."""
    scheme = {"type": "http", "scheme": "bearer", "description": "See /fhir/.well-known/smart-configuration."}
    document.setdefault("components", {})["securitySchemes"] = {BEARER: scheme}
    return document
