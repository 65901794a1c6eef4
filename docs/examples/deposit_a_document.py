"""Deposit a text document for a demo citizen, as the demo hospital: private_key_jwt, look-up by INS, ITI-105.

Needs joserfc (it is in Carnet's own environment: .venv/bin/python docs/examples/deposit_a_document.py).
"""

import base64
import json
import sys
import time
import uuid
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from joserfc import jwt
from joserfc.jwk import ECKey

CARNET = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
NOS = "https://mos.esante.gouv.fr/NOS"


def ask(path: str, body: bytes | None = None, **headers: str) -> Any:
    try:
        with urlopen(Request(CARNET + path, body, headers)) as reply:
            return json.loads(reply.read())
    except HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode()}")  # an OperationOutcome says what is wrong, and where


sandbox = ask("/sandbox")
hospital = next(one for one in sandbox["clients"] if one["client_id"] == "carnet-demo-hospital")
now, name = int(time.time()), hospital["client_id"]
claims = {"iss": name, "sub": name, "aud": sandbox["endpoints"]["token"], "iat": now, "exp": now + 60}
key = ECKey.import_key(hospital["private_jwk"])
assertion = jwt.encode({"alg": "ES256"}, {**claims, "jti": str(uuid.uuid4())}, key)
form = {"grant_type": "client_credentials", "scope": "system/Patient.s system/DocumentReference.cr system/Binary.c"}
form |= {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
token = ask("/oauth/token", urlencode({**form, "client_assertion": assertion}).encode())
bearer = {"Authorization": f"Bearer {token['access_token']}", "Content-Type": "application/fhir+json"}

ins = sandbox["citizens"][0]["ins"]
found = ask(f"/fhir/Patient?identifier={quote(ins['system'] + '|' + ins['value'])}", **bearer)
patient = f"Patient/{found['entry'][0]['resource']['id']}"
text = "Compte rendu de consultation. Tout va bien."
document = {
    "resourceType": "DocumentReference",
    "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
    "status": "current",
    "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
    "category": [
        {"coding": [{"system": f"{NOS}/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument", "code": "10"}]},
    ],
    "subject": {"reference": patient},
    "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
    "contained": [
        {"resourceType": "Practitioner", "id": "author", "name": [{"family": "Perrin", "given": ["Camille"]}]},
        {"resourceType": "Organization", "id": "custodian", "name": "Centre hospitalier des Terreaux"},
    ],
    "author": [{"reference": "#author"}],
    "custodian": {"reference": "#custodian"},
    "content": [
        {
            "attachment": {
                "contentType": "text/plain",
                "language": "fr-FR",
                "title": "Compte rendu de consultation",
                "data": base64.b64encode(text.encode()).decode(),
            }
        }
    ],
    "context": {
        "period": {"start": time.strftime("%Y-%m-%d", time.gmtime(now))},
        "facilityType": {
            "coding": [{"system": f"{NOS}/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite", "code": "SA01"}]
        },
        "practiceSetting": {
            "coding": [{"system": f"{NOS}/TRE_A01-CadreExercice/FHIR/TRE-A01-CadreExercice", "code": "ETABLISSEMENT"}]
        },
    },
}
made = ask("/fhir/DocumentReference", json.dumps(document).encode(), **bearer)
print(f"Deposited {made['id']}, version {made['meta']['versionId']}")
