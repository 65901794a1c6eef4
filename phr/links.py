"""The links between the entries of a transaction: whatever names another entry becomes its `Type/id`.

FHIR R4 §3.1.0.11.2: references, elements of type uri, url, oid and uuid, and the links of narratives; neither
canonicals nor identifiers. A document Bundle is sealed as one piece: what is inside it is its own.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

LITERALS = ("reference", "url", "uri", "valueUri", "valueUrl", "valueOid", "valueUuid")
_REST = re.compile(r"(https?://.+/)[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_HTML = re.compile(r"""((?:href|src)\s*=\s*)(["'])([^"'<>]+)\2""")


def holders(node: Any) -> Iterator[Json]:
    """Every object of a JSON value, the entries of a document Bundle left alone."""
    pending = [node]
    while pending:
        element = pending.pop()
        if isinstance(element, dict):
            yield element
            sealed = element.get("resourceType") == "Bundle"
            pending += [v for k, v in element.items() if isinstance(v, dict | list) and not (sealed and k == "entry")]
        elif isinstance(element, list):
            pending += [value for value in element if isinstance(value, dict | list)]


def copied(node: Any) -> Any:
    """A deep copy of JSON, its numbers and texts shared."""
    if isinstance(node, dict):
        return {key: copied(value) if isinstance(value, dict | list) else value for key, value in node.items()}
    return [copied(value) if isinstance(value, dict | list) else value for value in node]


def root_of(full_url: str | None) -> str | None:
    """The base that an entry's relative references are relative to (R4 §2.36.4.1), None when there is none."""
    match = _REST.fullmatch(full_url) if full_url else None
    return match[1] if match else None


def resolve(body: Json, names: Mapping[str, str], root: str | None = None) -> Iterator[Json]:
    """Rewrite in place what `names` knows; yields the References by condition (`Type?…`) that it does not."""
    for element in holders(body):
        for key in LITERALS:
            text = element.get(key)
            if not isinstance(text, str):
                continue
            if text in names:
                element[key] = names[text]
            elif key != "reference":
                continue
            elif root is not None and root + text in names:
                element[key] = names[root + text]
            elif "?" in text:
                yield element
        if "div" in element and isinstance(element["div"], str):
            element["div"] = _HTML.sub(lambda m: f"{m[1]}{m[2]}{names.get(m[3], m[3])}{m[2]}", element["div"])


def relative(body: Json, base: str) -> Json:
    """The body with the absolute references to this server made relative (`base` is its own address)."""
    whole: Json = copied(body)
    start = f"{base}/"
    for element in holders(whole):
        for key in ("reference", "url"):
            text = element.get(key)
            if isinstance(text, str) and text.startswith(start) and (key == "reference" or "/Binary/" in text):
                element[key] = text.removeprefix(start)
    return whole
