"""What the prescribing software signs: the prescription in one canonical form, so that any change to it shows.

The rule: a JWS (RFC 7515) by a key the software registered, over the canonical JSON (RFC 8785) of the lines, of who
prescribes to whom, and of the hash of the paper; it is kept whole, and read again whenever the lines are shown.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import rfc8785
from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import String, bindparam, select

from auth.clients import keys
from auth.tables import client
from phr.core.database import Session, compile_query
from phr.core.errors import DomainError, invalid

Json = dict[str, Any]
ALGORITHMS = ("ES256", "ES384", "PS256", "EdDSA")
TYPE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1", "display": "Author's Signature"}
FORMAT = "application/jose"
LARGEST = 400_000
_WHERE = "Parameters.parameter.where(name = 'signature')"
_KEYS = compile_query(select(client.c.jwks).where(client.c.id == bindparam("id", type_=String())))
_WRITTEN_BY_US = frozenset({"id", "meta", "text"})


def canonical(record: str, requester: str, number: str, lines: Sequence[Mapping[str, Any]], pdf: bytes) -> bytes:
    """The bytes that are signed. `lines`: MedicationRequests; `requester`: the national id of who prescribes."""
    return _encoded(record, requester, number, lines, _paper(pdf))


def _encoded(
    record: str, requester: str, number: str, lines: Sequence[Mapping[str, Any]], paper: Mapping[str, Any]
) -> bytes:
    written = [{name: value for name, value in line.items() if name not in _WRITTEN_BY_US} for line in lines]
    subject = {"patient": f"Patient/{record}", "requester": requester, "number": number}
    return rfc8785.dumps(_plain({**subject, "lines": written, "document": dict(paper)}))


async def check(session: Session, software: str, signed: str, content: bytes) -> None:
    """Raises CONTENT (422) unless `signed` is by a key of this software, over this content."""
    row = await session.one(_KEYS, {"id": software})
    if row is None or row["jwks"] is None:
        raise invalid("This software has registered no key to sign with.", _WHERE, "business-rule")
    try:
        # TRAP: the driver gives JSON as text.
        registered = keys(json.loads(row["jwks"]))
        found = jws.deserialize_compact(signed[:LARGEST], registered, algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, TypeError, RecursionError):
        raise invalid("The signature is not by a key of this software.", _WHERE) from None
    if found.payload != content:
        raise invalid("What is signed is not this prescription, in canonical form (RFC 8785).", _WHERE)


def provenance(record: str, requester: Mapping[str, Any], targets: Sequence[str], signed: str, at: str) -> Json:
    """The Provenance that keeps the signature beside the lines."""
    return {
        "resourceType": "Provenance",
        "target": [{"reference": one} for one in (f"Patient/{record}", *targets)],
        "recorded": at,
        "agent": [{"who": dict(requester)}],
        "signature": [
            {
                "type": [TYPE],
                "when": at,
                "who": dict(requester),
                "sigFormat": FORMAT,
                "data": base64.b64encode(signed.encode()).decode("ascii"),
            }
        ],
    }


def covers(provenance: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these lines are still, to the letter, those that were signed: the signature was checked when kept."""
    try:
        signed = base64.b64decode(provenance["signature"][0]["data"]).decode("ascii")
        said = _payload(signed)
        again = _encoded(
            said["patient"].removeprefix("Patient/"), said["requester"], said["number"], lines, said["document"]
        )
        return again == rfc8785.dumps(said)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, DomainError):
        return False


def _payload(signed: str) -> Json:
    middle = signed.split(".")[1]
    said: Json = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return said


def _paper(pdf: bytes) -> Json:
    digest = base64.b64encode(hashlib.sha256(pdf).digest()).decode("ascii")
    return {"contentType": "application/pdf", "sha256": digest, "size": len(pdf)}


def _plain(value: Any) -> Any:
    """The same value with the numbers of JSON: canonical form knows no other (RFC 8785 §3.2.2.3)."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case Decimal():
            return float(value)
    return value
