"""The policy, one sentence at a time, over plain dictionaries. The judge of the real one, and written without it.

A reader: {"is": citizen | delegate | professional | depositor | operator | system, "name": who signs,
"record": the person's own, the one a delegate represents the person of, or the one a professional's software opened}.
A resource: {"record": id or None for the commons, "type": …, "author": who signed it, "labels": a set of codes,
"codes": what it is searched by, a set of (parameter, system or "", code)}; perhaps "id", "until": when what awaits its
announcement shows by itself; "content of": (system, code), for a Binary, the document type or the resource type, and
"content of id", which one.
A right: {"right": …, "about": a name or None, "permits": bool, "since": …, "until": … or None, "purpose": …, and what
it is narrowed to, or masks: "types", "codes" (system, code), "ids"; "powers": a caregiver's}.
A matrix: profession (table, code) to {"every": bool, "documents": {(system, code)}, "types": {…}}.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

Reader = dict[str, Any]
Resource = dict[str, Any]
Right = dict[str, Any]
Matrix = dict[tuple[str, str], dict[str, Any]]
SHOWING = ("care-relation", "emergency", "code-lease", "treating-physician", "administrator")
SHOWN_ALONE = ("prescription", "conversation")
PHARMACIST = ("TRE_G15", "21")
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
ASKABLE = ("category", "identifier", "status", "_tag", "type")
"""The parameters that a scope's query may use, among those the tests do."""


def sees(
    reader: Reader,
    scopes: list[str],
    verb: str,
    resource: Resource,
    closed: datetime | None,
    now: datetime,
    rights: Sequence[Right] = (),
    matrix: Matrix | None = None,
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
    running = [one for one in rights if one["since"] <= now and (one["until"] is None or now < one["until"])]
    # The citizen sees their own record, except what awaits its announcement.
    if reader["is"] == "citizen":
        return bool(reader["record"] == resource["record"]) and not _awaits(resource, now)
    # Who acts for the person sees what the person does, except what is kept from them.
    if reader["is"] == "delegate":
        return reader["record"] == resource["record"] and _shown_to_delegate(reader, resource, running, now)
    # A professional sees what they deposited, in any record, whoever of their software or assistants wrote it.
    # Software that deposits sees what it deposited, whatever its labels, and nothing else; an import likewise.
    if reader["is"] in ("professional", "depositor", "system") and reader["name"] == resource["author"]:
        return True
    if reader["is"] == "professional":
        return any(_shows(one, reader, resource, running, matrix or {}) for one in running)
    # The operator never sees inside a record. Nor does anybody else.
    return False


def _awaits(resource: Resource, now: datetime) -> bool:
    # Told in person first; or by itself once its time has come.
    until = resource.get("until")
    return "INVISIBLE_PATIENT" in resource["labels"] and (until is None or now < until)


def _shown_to_delegate(reader: Reader, resource: Resource, running: list[Right], now: datetime) -> bool:
    mandates = [r for r in running if r["right"] in ("caregiver", "legal-representative") and _about(r, reader)]
    # Nobody acts for a person without a mandate; two that conflict are none.
    if len(mandates) != 1 or not mandates[0]["permits"]:
        return False
    mandate = mandates[0]
    # Neither what awaits its announcement, nor what is kept from representatives.
    if _awaits(resource, now) or "INVISIBLE_REPRESENTANTS_LEGAUX" in resource["labels"]:
        return False
    # A legal representative stands in the person's place.
    if mandate["right"] == "legal-representative":
        return True
    # A caregiver sees their own mandate. Who else may see is no business of theirs.
    if resource.get("id") == mandate["id"]:
        return True
    # A caregiver who may consult sees the rest; one who may not, what they wrote.
    if "consult" in mandate["powers"]:
        return resource["type"] not in ("Consent", "RelatedPerson")
    return bool(resource["author"] == reader["name"])


def _about(right: Right, reader: Reader) -> bool:
    return right["about"] is not None and right["about"] == reader["name"]


def _shows(right: Right, reader: Reader, resource: Resource, running: list[Right], matrix: Matrix) -> bool:
    """Whether this right, of this professional, shows the resource."""
    kind = right["right"]
    if kind in SHOWN_ALONE:
        return _shows_alone(right, reader, resource, running)
    if kind not in SHOWING or not _about(right, reader) or not right["permits"]:
        return False
    # A block of the professional, or of their structure, ends all but the emergency. So does any right refused to them.
    me = [reader["name"], *([reader["structure"]] if reader.get("structure") else [])]
    blocked = any(r["about"] in me and (r["right"] == "block" or not r["permits"]) for r in running)
    if blocked and kind != "emergency":
        return False
    # An emergency is what the person made of it.
    if kind == "emergency" and _prefers(running, right["purpose"]) is False:
        return False
    # Only a physician is a treating physician.
    if kind == "treating-physician" and reader["profession"] != ("TRE_G15", "10"):
        return False
    # Who holds a right sees the right itself.
    if resource.get("id") == right["id"]:
        return True
    # What the profession is not entitled to is not seen, whoever lends it.
    if not _entitled(reader, resource, matrix):
        return False
    # What the right is narrowed to; and always whom it is about.
    if not _chosen(right, resource) and resource["type"] != "Patient":
        return False
    # The treating physician and the administrator see what is masked; an emergency if the person said so.
    if kind in ("treating-physician", "administrator") or (kind == "emergency" and _prefers(running, "MASKED")):
        return True
    masks = [r for r in running if r["right"] == "mask"]
    return "MASQUE_PS" not in resource["labels"] and not any(_chosen(r, resource) for r in masks)


def _shows_alone(right: Right, reader: Reader, resource: Resource, running: list[Right]) -> bool:
    """Whether a prescription, or a thread, shown to this professional or to their structure has the resource."""
    me = [reader["name"], *([reader["structure"]] if reader.get("structure") else [])]
    if right["about"] not in me or not right["permits"]:
        return False
    if any(r["about"] in me and (r["right"] == "block" or not r["permits"]) for r in running):
        return False
    # A pharmacist dispenses. Who prescribed knows what was dispensed if the person said so.
    if right["right"] == "prescription" and right["purpose"] == "dispense" and reader["profession"] != PHARMACIST:
        return False
    if right["right"] == "prescription" and right["purpose"] != "dispense" and not _prefers(running, "tell-prescriber"):
        return False
    if resource.get("id") == right["id"]:
        return True
    # What belongs to it, whatever the profession and the masks; and nothing else of the record.
    if resource.get("id") in right["ids"] or resource.get("content of id") in right["ids"]:
        return True
    return bool(_codes_of(resource, "_tag") & right["codes"])


def _prefers(running: list[Right], purpose: str) -> bool | None:
    said = [r["permits"] for r in running if r["right"] == "preference" and r["purpose"] == purpose]
    return None if not said else all(said)


def _entitled(reader: Reader, resource: Resource, matrix: Matrix) -> bool:
    line = matrix.get(reader["profession"])
    if line is None:
        return False
    if resource["type"] == "Binary":
        content = resource.get("content of")
        # What is the content of nothing yet is nobody's to see; else it goes with what it is the content of.
        if content is None:
            return False
        if content[0] == RESOURCE_TYPES:
            return content[1] in line["types"]
        return (content not in line["documents"]) if line["every"] else (content in line["documents"])
    if resource["type"] == "DocumentReference":
        listed = bool(_codes_of(resource, "type") & line["documents"])
        return not listed if line["every"] else listed
    return resource["type"] in line["types"]


def _chosen(right: Right, resource: Resource) -> bool:
    if not (right["types"] or right["codes"] or right["ids"]):
        return True
    if resource["type"] in right["types"] or resource.get("id") in right["ids"]:
        return True
    # The content of a document goes with it and with its type; that of another resource with that resource.
    content = resource.get("content of")
    if resource.get("content of id") in right["ids"]:
        return True
    if resource["type"] == "Binary" and right["types"] & {"DocumentReference", "Binary"}:
        return True
    if content is not None and (content in right["codes"] or content in {(RESOURCE_TYPES, t) for t in right["types"]}):
        return True
    return bool((_codes_of(resource, "type") | _codes_of(resource, "category")) & right["codes"])


def _codes_of(resource: Resource, name: str) -> set[tuple[str, str]]:
    return {(system, code) for parameter, system, code in resource.get("codes", set()) if parameter == name}


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
