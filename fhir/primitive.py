"""What each FHIR primitive must be in JSON, where the models are lenient (FHIR R4 §2.24.0.1).

TRAP: the models take "5" for a number, 1 for true, and a JSON text for an object.
Every check is `(value, scope) → faults or None`, and runs on every leaf of every write: keep it cheap.
"""

import binascii
import re
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from fhir import narrative

Fault = tuple[str, str, str]  # FHIRPath below the element, FHIR IssueType, diagnostics
Check = Callable[[Any, Any], list[Fault] | None]

EARLIEST, LATEST = "1850", "2200"
LARGEST = 100  # digits

_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]*")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+").fullmatch
_UUID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def fault(code: str, diagnostics: str) -> list[Fault]:
    """One fault of the element itself."""
    return [("", code, diagnostics)]


def wrong(expected: str) -> list[Fault]:
    """A JSON value of another type than the element's."""
    return fault("structure", f"Expected {expected}.")


def string(value: Any, _: Any) -> list[Fault] | None:
    """A text with something in it, and no control character but tab, carriage return and line feed."""
    if type(value) is not str:
        return wrong("a string")
    if not value or value.isspace():
        return fault("value", "An element is never empty.")
    if not value.isprintable() and not _TEXT.fullmatch(value):
        return fault("value", "Control characters are not allowed.")
    return None


def code(value: Any, _: Any) -> list[Fault] | None:
    """No white space at either end, single spaces within."""
    if type(value) is str and value and value.isprintable():
        if " " not in value or (value == value.strip() and "  " not in value):
            return None
        return fault("value", "A code has no white space at its ends, and single spaces within.")
    return string(value, _) or fault("value", "A code holds printable characters only.")


def uri(value: Any, _: Any) -> list[Fault] | None:
    """A URI, URL or canonical: no white space."""
    if type(value) is str and value and value.isprintable() and " " not in value:
        return None
    return string(value, _) or fault("value", "A URI holds no white space.")


def identity(value: Any, _: Any) -> list[Fault] | None:
    """An id: letters, digits, hyphen and point, 64 at most. TRAP: the models allow 255."""
    if type(value) is str and _ID(value):
        return None
    return string(value, _) or fault("value", "An id is 1 to 64 letters, digits, hyphens or points.")


def oid(value: Any, _: Any) -> list[Fault] | None:
    """urn:oid: and numbers."""
    if type(value) is str and _OID(value):
        return None
    return string(value, _) or fault("value", "An OID is written urn:oid:1.2.3.")


def uuid(value: Any, _: Any) -> list[Fault] | None:
    """urn:uuid: and a UUID."""
    if type(value) is str and _UUID(value):
        return None
    return string(value, _) or fault("value", "A UUID is written urn:uuid: and 36 characters.")


def moment(value: Any, _: Any) -> list[Fault] | None:
    """A date, dateTime or instant between 1850 and 2200; the models check the calendar."""
    if type(value) is not str:
        return wrong("a string")
    if EARLIEST <= value[:4] <= LATEST and value.isascii():
        return None
    return string(value, _) or fault("value", f"A date lies between {EARLIEST} and {LATEST}.")


def boolean(value: Any, _: Any) -> list[Fault] | None:
    """true or false."""
    return None if value is True or value is False else wrong("true or false")


def integer(value: Any, _: Any) -> list[Fault] | None:
    """A whole number without fraction or exponent; the models check its bounds."""
    return None if type(value) is int else wrong("a whole number")


def decimal(value: Any, _: Any) -> list[Fault] | None:
    """A finite number of a hundred digits at most before the point."""
    if type(value) is Decimal:
        fine = value.is_finite() and value.adjusted() < LARGEST
    elif type(value) is int or type(value) is float:
        fine = abs(value) < 10**LARGEST
    else:
        return wrong("a number")
    return None if fine else fault("value", "The number is out of range.")


def base64(value: Any, _: Any) -> list[Fault] | None:
    """RFC 4648 §4, white space allowed between characters."""
    if type(value) is not str:
        return wrong("a string")
    try:
        if not value or not binascii.a2b_base64(value, strict_mode=True):
            return fault("value", "An element is never empty.")
    except ValueError:
        compact = "".join(value.split())
        if len(compact) == len(value):
            return fault("value", "The base64 is not valid.")
        return base64(compact, _)
    return None


def xhtml(value: Any, _: Any) -> list[Fault] | None:
    """A narrative, see `fhir.narrative`."""
    found = string(value, _)
    if found is None and (diagnostics := narrative.judge(value)) is not None:
        return fault("value", diagnostics)
    return found


CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        "base64Binary": base64,
        "boolean": boolean,
        "canonical": uri,
        "code": code,
        "date": moment,
        "dateTime": moment,
        "decimal": decimal,
        "id": identity,
        "instant": moment,
        "integer": integer,
        "markdown": string,
        "oid": oid,
        "positiveInt": integer,
        "string": string,
        "time": string,
        "unsignedInt": integer,
        "uri": uri,
        "url": uri,
        "uuid": uuid,
        "xhtml": xhtml,
    }
)
