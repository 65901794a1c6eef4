"""What is measured on: records of a known size, written through the same code as any deposit."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from phr import imports
from phr.access.installation import Installation
from phr.access.visit import Visit
from phr.transactions import transact

Json = dict[str, Any]
BASE = "http://127.0.0.1/fhir"
_PDF = b"%PDF-1.4 a small document\n"
_LOINC = ("11502-2", "11490-0", "57833-6", "18748-4")


@dataclass(frozen=True, slots=True)
class Seeded:
    """One record: its id and those of its documents."""

    record: str
    documents: tuple[str, ...]


def _document(n: int, record: str) -> Json:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": _LOINC[n % 4], "display": "Compte rendu"}]},
        "subject": {"reference": record},
        "date": f"20{10 + n % 15}-0{1 + n % 9}-1{n % 9}T10:00:00+01:00",
        "description": f"Compte rendu numéro {n}, établi après la consultation de suivi.",
        "author": [{"display": "Dr Camille Perrin"}],
        "custodian": {"display": "Centre hospitalier des Terreaux"},
        "content": [
            {
                "attachment": {
                    "contentType": "application/pdf",
                    "language": "fr-FR",
                    "title": f"Compte rendu {n}",
                    "size": len(_PDF),
                    "hash": base64.b64encode(hashlib.sha1(_PDF, usedforsecurity=False).digest()).decode(),
                }
            }
        ],
        "context": {"period": {"start": f"20{10 + n % 15}-0{1 + n % 9}-10"}},
    }


def _patient(n: int) -> Json:
    name = {"use": "official", "family": f"Habitant{n}", "given": ["Ada"]}
    return {"resourceType": "Patient", "name": [name], "gender": "female", "birthDate": "1980-02-03"}


def _bundle(resources: Iterable[tuple[str, Json]]) -> Json:
    entries = [
        {"fullUrl": url, "resource": body, "request": {"method": "POST", "url": body["resourceType"]}}
        for url, body in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def bundle_of(n: int, documents: int) -> Json:
    """A transaction that opens record number `n` with this many documents."""
    url = f"urn:uuid:00000000-0000-4000-8000-{n:012d}"
    named = ((f"{url[:-12]}{10**11 + k}", _document(k, url)) for k in range(documents))
    return _bundle(chain([(url, _patient(n))], named))


async def settle(installation: Installation, n: int, documents: int, batch: int = 2500) -> Seeded:
    """Open a record and fill it with this many documents."""
    first = await transact(_visit(installation), bundle_of(n, min(documents, batch)), BASE)
    record, *found = [one.id for one in first if one is not None]
    for start in range(batch, documents, batch):
        numbers = range(start, min(documents, start + batch))
        rest = ((f"urn:uuid:00000000-0000-4000-9000-{k:012d}", _document(k, f"Patient/{record}")) for k in numbers)
        found += [one.id for one in await transact(_visit(installation), _bundle(rest), BASE) if one is not None]
    return Seeded(record, tuple(found))


def _visit(installation: Installation) -> Visit:
    return imports.visit_of(installation, "bench", datetime.now(UTC))
