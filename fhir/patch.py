"""JSON Patch (RFC 6902) of a resource: all operations or none, on a copy, never its type or id.

TRAP: `copy` doubles what it copies, so a small patch could grow without end: what is copied is bounded.
"""

from copy import deepcopy
from typing import Any

from jsonpatch import InvalidJsonPatch, JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException, resolve_pointer

from fhir import wire
from phr.core.errors import invalid, malformed

MOST_OPERATIONS = 1000
MOST_COPIED = 1024 * 1024  # bytes
DEPTH = 50

OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})


def apply(resource: dict[str, Any], patch_bytes: bytes, depth: int = DEPTH) -> dict[str, Any]:
    """The resource with the patch applied; the one given is left as it was, decimals keep their digits.

    Raises DomainError: 400 for bytes that are not a JSON Patch of at most 1000 operations, 422 for a failed test,
    a path that is not there, a result that is too deep or large, another resourceType or another id.
    """
    operations = _read(patch_bytes, depth)
    state: Any = deepcopy(resource)
    copied = 0
    for index, operation in enumerate(operations):
        try:
            if operation["op"] == "copy":
                copied += len(wire.encode(resolve_pointer(state, operation["from"])))
                if copied > MOST_COPIED:
                    raise invalid("The patch copies too much.", code="too-costly")
            state = JsonPatch([operation]).apply(state, in_place=True)
        except InvalidJsonPatch:
            raise malformed(f"Operation {index} of the patch is not valid.") from None
        except (JsonPatchException, JsonPointerException, LookupError, TypeError, ValueError, AttributeError):
            raise invalid(f"Operation {index} of the patch cannot be applied.", code="processing") from None
        except RecursionError:
            raise invalid("The patched resource is nested too deep.", code="too-costly") from None
    return _same(resource, state, depth)


def _read(patch_bytes: bytes, depth: int) -> list[dict[str, Any]]:
    operations = wire.decode_value(patch_bytes, depth)
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise malformed("A JSON Patch is an array of operations.")
    if len(operations) > MOST_OPERATIONS:
        raise malformed(f"A JSON Patch has at most {MOST_OPERATIONS} operations.")
    for index, operation in enumerate(operations):
        name = operation.get("op")
        if type(name) is not str or name not in OPERATIONS:
            raise malformed(f"Operation {index} of the patch is not one of RFC 6902.")
        if name in ("add", "replace", "test") and "value" not in operation:
            raise malformed(f"Operation {index} of the patch has no value.")
        if name in ("copy", "move") and type(operation.get("from")) is not str:
            raise malformed(f"Operation {index} of the patch has no from.")
    try:
        JsonPatch(operations)
    except (JsonPatchException, JsonPointerException, TypeError, ValueError):
        raise malformed("The JSON Patch is not valid.") from None
    return operations


def _same(before: dict[str, Any], after: Any, depth: int) -> dict[str, Any]:
    """The result, if it still is the same resource."""
    if not isinstance(after, dict):
        raise invalid("The patch leaves no resource.")
    for name in ("resourceType", "id"):
        if after.get(name) != before.get(name) or (name in after) != (name in before):
            raise invalid("A patch changes neither the type nor the id of a resource.", f"Resource.{name}")
    if wire.measure(after, depth) is None:
        raise invalid("The patched resource is nested too deep.", code="too-costly")
    return after
