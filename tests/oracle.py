"""The policy, one sentence at a time, over plain dictionaries. The judge of the real one, and written without it.

A reader: {"is": citizen | depositor | operator | system, "name": who signs, "record": the citizen's own}.
A resource: {"record": id or None for the commons, "type": …, "author": who signed it, "labels": a set of codes}.
"""

from datetime import datetime
from typing import Any

Reader = dict[str, Any]
Resource = dict[str, Any]


def sees(
    reader: Reader, scopes: list[str], verb: str, resource: Resource, closed: datetime | None, now: datetime
) -> bool:
    """Whether the reader may learn that the resource exists; `closed`: when its record was closed, if it was."""
    # Scopes only narrow.
    if not scoped(reader, scopes, verb, resource["type"]):
        return False
    # The commons are open to everybody a scope lets ask.
    if resource["record"] is None:
        return True
    # A closed record shows nothing to anybody.
    if closed is not None and closed <= now:
        return False
    # The citizen sees their own record, except what awaits its announcement.
    if reader["is"] == "citizen":
        return bool(reader["record"] == resource["record"]) and "INVISIBLE_PATIENT" not in resource["labels"]
    # Software that deposits sees what it deposited, whatever its labels, and nothing else; an import likewise.
    if reader["is"] in ("depositor", "system"):
        return bool(reader["name"] == resource["author"])
    # The operator never sees inside a record. Nor does anybody else.
    return False


def scoped(reader: Reader, scopes: list[str], verb: str, type_: str) -> bool:
    """Whether one of the SMART scopes (`context/type.cruds`) gives the verb on the type, in the reader's context."""
    context = "patient" if reader["is"] == "citizen" else "system"
    for scope in scopes:
        head, _, verbs = scope.partition(".")
        if verb in verbs and head in (f"{context}/*", f"{context}/{type_}"):
            return True
    return False
