"""The strings that are hashed into a row's tokens: one vocabulary for what is indexed and what is asked.

A token is `parameter`, U+001F, form. The rule: a form is injective. `|` inside a system or a code is escaped, so that
no code can pass for a pair (FHIR R4 §3.1.1.4.10, §3.1.1.4.12).
"""

import re
from typing import Any

MARK = "\x1f"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
"""The system of resource types as codes (FHIR R4 resource-types)."""

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_CONTACT = frozenset(("phone", "fax", "email", "pager", "url", "sms", "other"))


def escape(part: str) -> str:
    """A system, code or value that cannot be confused with a pair."""
    if "|" in part or "\\" in part:
        return part.replace("\\", "\\\\").replace("|", "\\|")
    return part


def presence(parameter: str) -> str:
    """The token of a parameter that has any value, for `:missing`."""
    return parameter + MARK


def coded(parameter: str, system: str | None, code: str | None) -> str:
    """The token for `system|code` (both), `|code` (system is ""), `code` (system is None), `system|` (no code)."""
    left = "" if system is None else escape(system) + "|"
    return parameter + MARK + left + escape(code or "")


def of_type(parameter: str, system: str, code: str, value: str) -> str:
    """The token of an identifier with its type, for `:of-type`."""
    return f"{parameter}:of-type{MARK}{escape(system)}|{escape(code)}|{escape(value)}"


def literal(parameter: str, value: str) -> str:
    """The token of a URI or of a reference: `Type/id`, `id`, an absolute URL, a urn."""
    return parameter + MARK + value


def logical(parameter: str) -> str:
    """The parameter name under which the identifiers of references stand, for `:identifier`."""
    return parameter + ":identifier"


def category(system: str, code: str) -> str:
    """What is hashed for the category column: the document type, `system|code`."""
    return f"{escape(system)}|{escape(code)}"


def local(reference: str, base: str | None = None) -> tuple[str, str] | None:
    """(type, id) of a reference to this server, relative or under `base`, its version dropped; None for another."""
    if base and reference.startswith(base.rstrip("/") + "/"):
        reference = reference[len(base.rstrip("/")) + 1 :]
    match = _LOCAL.fullmatch(reference)
    return (match[1], match[2]) if match else None


def _pair(into: set[str], parameter: str, system: Any, code: Any) -> None:
    """`system|code`, `code`, `system|`; or `|code`. Written out: it runs for every code that is stored."""
    start = parameter + MARK
    left = escape(system) if isinstance(system, str) else ""
    if isinstance(code, str) and code:
        right = escape(code)
        into.add(start + right)
        into.add(f"{start}{left}|{right}")
    if left:
        into.add(f"{start}{left}|")


def _identifier(into: set[str], parameter: str, identifier: dict[str, Any]) -> None:
    system, value = identifier.get("system"), identifier.get("value")
    if isinstance(system, str) and system in _CONTACT:
        # A ContactPoint: its namespace is its use (FHIR R4 §3.1.1.4.10).
        _pair(into, parameter, identifier.get("use"), value)
        return
    _pair(into, parameter, system, value)
    type_ = identifier.get("type")
    if isinstance(type_, dict) and isinstance(value, str) and isinstance(type_.get("coding"), list):
        for coding in type_["coding"]:
            if isinstance(coding, dict) and isinstance(coding.get("code"), str):
                into.add(of_type(parameter, str(coding.get("system") or ""), coding["code"], value))


def add_tokens(into: set[str], parameter: str, value: Any) -> None:
    """Add the tokens of a Coding, CodeableConcept, Identifier, ContactPoint, code, string, id, uri or boolean."""
    if isinstance(value, str):
        _pair(into, parameter, None, value)
    elif isinstance(value, bool):
        into.add(coded(parameter, None, "true" if value else "false"))
    elif isinstance(value, dict):
        codings = value.get("coding")
        if isinstance(codings, list):
            for coding in codings:
                if isinstance(coding, dict):
                    _pair(into, parameter, coding.get("system"), coding.get("code"))
        elif "code" in value:
            _pair(into, parameter, value.get("system"), value["code"])
        else:
            _identifier(into, parameter, value)


def add_uris(into: set[str], parameter: str, value: Any) -> None:
    """Add the tokens of a uri, url or canonical: itself, and a canonical without its version."""
    if isinstance(value, str):
        into.add(literal(parameter, value))
        if "|" in value:
            into.add(literal(parameter, value.partition("|")[0]))


def add_references(into: set[str], parameter: str, value: Any, base: str | None = None) -> None:
    """Add the tokens of a Reference (literal and identifier) or of a canonical. A contained one has no token."""
    if not isinstance(value, dict):
        add_uris(into, parameter, value)
        return
    reference = value.get("reference")
    if isinstance(reference, str) and not reference.startswith("#"):
        found = local(reference, base)
        if found is None:
            into.add(parameter + MARK + reference)
        else:
            into.add(f"{parameter}{MARK}{found[0]}/{found[1]}")
            into.add(parameter + MARK + found[1])
    if "identifier" in value and isinstance(value["identifier"], dict):
        _identifier(into, logical(parameter), value["identifier"])
