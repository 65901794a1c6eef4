"""The policy, one sentence at a time, over plain dictionaries. The judge of the real one, and written without it.

A reader: {"is": citizen | delegate | professional | depositor | operator | system, "name": who signs,
"record": the person's own, the one a delegate represents the person of, or the one a professional's software opened}.
A resource: {"record": id or None for the commons, "type": …, "author": who signed it, "labels": a set of codes,
"codes": what it is searched by, a set of (parameter, system or "", code)}.
"""

from datetime import datetime
from typing import Any

Reader = dict[str, Any]
Resource = dict[str, Any]
ASKABLE = ("category", "identifier", "status", "_tag", "type")
"""The parameters that a scope's query may use, among those the tests do."""


def sees(
    reader: Reader, scopes: list[str], verb: str, resource: Resource, closed: datetime | None, now: datetime
) -> bool:
    """Whether the reader may learn that the resource exists; `closed`: when its record was closed, if it was."""
    # Scopes only narrow.
    codes = resource.get("codes", set())
    if not scoped(reader, scopes, verb, resource["type"], record=resource["record"], codes=codes):
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
    # Who represents the person sees what the person does, except what is kept from them.
    if reader["is"] == "delegate":
        kept = {"INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"} & resource["labels"]
        return bool(reader["record"] == resource["record"]) and not kept
    # A professional sees what they deposited, in any record, whoever of their software or assistants wrote it.
    # Software that deposits sees what it deposited, whatever its labels, and nothing else; an import likewise.
    if reader["is"] in ("professional", "depositor", "system"):
        return bool(reader["name"] == resource["author"])
    # The operator never sees inside a record. Nor does anybody else.
    return False


def scoped(
    reader: Reader,
    scopes: list[str],
    verb: str,
    type_: str,
    *,
    record: str | None = None,
    codes: set[tuple[str, str, str]] | None = None,
) -> bool:
    """Whether one of the SMART scopes gives the verb on the type to the reader, in the record (None: in none).

    `codes`: on a resource that is searched by these; None: on some resource.
    """
    return any(_gives(reader, scope, verb, type_, record, codes) for scope in scopes)


def _gives(
    reader: Reader, scope: str, verb: str, type_: str, record: str | None, codes: set[tuple[str, str, str]] | None
) -> bool:
    context, _, rest = scope.partition("/")
    kind, _, rest = rest.partition(".")
    verbs, _, query = rest.partition("?")
    # The words of SMART's first version.
    verbs = {"read": "rs", "write": "cud", "*": "cruds"}.get(verbs, verbs)
    if verb not in verbs or kind not in ("*", type_) or not _in_context(reader, context, record):
        return False
    if not query:
        return True
    # A query is of one type, and asks only for codes; else the scope is worth nothing.
    asked = [part.partition("=") for part in query.split("&")]
    if kind == "*" or any(name not in ASKABLE for name, _, _ in asked):
        return False
    # All that it asks is to be met; of several values, one is enough.
    return codes is None or all(any(_is(codes, name, one) for one in value.split(",")) for name, _, value in asked)


def _in_context(reader: Reader, context: str, record: str | None) -> bool:
    # `patient/` is for a person, and their representative.
    if reader["is"] in ("citizen", "delegate"):
        return context == "patient"
    # `user/` is for a professional; `patient/` too, in the record their software opened and in what is nobody's.
    if reader["is"] == "professional":
        opened = reader["record"] is not None and record in (None, reader["record"])
        return context == "user" or (context == "patient" and opened)
    # `system/` is for software alone.
    return context == "system"


def _is(codes: set[tuple[str, str, str]], name: str, asked: str) -> bool:
    """Whether `code`, `|code`, `system|code` or `system|` is among the codes."""
    if "|" not in asked:
        return any(parameter == name and code == asked for parameter, _, code in codes)
    system, _, code = asked.partition("|")
    return any(c[0] == name and c[1] == system and code in ("", c[2]) for c in codes)
