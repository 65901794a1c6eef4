"""Prescribe two lines as the demo practice, then dispense one as the demo pharmacy: a code goes from one to the other.

Needs httpx, joserfc and rfc8785 (they are in Carnet's own environment: .venv/bin/python docs/examples/prescribe.py).
Your browser opens twice: pick Hélène Garnier, then Yanis Cohen.
"""

import base64
import hashlib
import secrets
import sys
import time
import uuid
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import rfc8785
from joserfc import jws, jwt
from joserfc.jwk import ECKey

Json = dict[str, Any]
CARNET = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
NUMBERS = "https://carnet.example/prescription"
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
sandbox = httpx.get(f"{CARNET}/sandbox").json()
ends = sandbox["endpoints"]


answer: dict[str, list[str]] = {}


class Callback(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer.clear()
        answer.update(parse_qs(urlsplit(self.path).query))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Signed in: you can close this page.")

    def log_message(self, *_: Any) -> None:
        """A code is not something to print."""


class Software:
    """Registered software, in which one professional signs in."""

    def __init__(self, name: str, who: str, scope: str) -> None:
        client = next(one for one in sandbox["clients"] if one["client_id"] == name)
        self.name, self.key = name, ECKey.import_key(client["private_jwk"])
        callback, verifier, state = client["redirect_uris"][0], secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        wish = {"response_type": "code", "client_id": name, "redirect_uri": callback, "state": state, "scope": scope}
        # The browser may still have the session of who signed in before: prompt=login asks again.
        wish |= {"prompt": "login", "code_challenge": challenge, "code_challenge_method": "S256"}
        with HTTPServer(("127.0.0.1", urlsplit(callback).port or 80), Callback) as server:
            print(f"Sign in here, as {who}:\n{ends['authorize']}?{urlencode(wish)}", flush=True)
            webbrowser.open(f"{ends['authorize']}?{urlencode(wish)}")
            while answer.get("state") != [state]:
                server.handle_request()
        if "code" not in answer:
            sys.exit(f"Not signed in: {answer.get('error')}")
        now = int(time.time())
        claims = {"iss": name, "sub": name, "aud": ends["token"], "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
        form = {"grant_type": "authorization_code", "redirect_uri": callback, "code": answer["code"][0]}
        form |= {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
        form |= {"client_assertion": jwt.encode({"alg": "ES256"}, claims, self.key), "code_verifier": verifier}
        token = httpx.post(ends["token"], data=form).raise_for_status().json()
        bearer = {"Authorization": f"Bearer {token['access_token']}", "Content-Type": "application/fhir+json"}
        self.http = httpx.Client(base_url=ends["fhir"], headers=bearer, timeout=30)

    def ask(self, method: str, path: str, body: Json | None = None, **more: Any) -> Json:
        # A request that got no answer is sent again with the same Idempotency-Key: it is done once.
        headers = {"Idempotency-Key": str(uuid.uuid4())} if body else {}
        reply = self.http.request(method, path, json=body, headers=headers, **more)
        if reply.is_error:
            sys.exit(f"{reply.status_code}: {reply.text}")  # an OperationOutcome says what is wrong, and where
        said: Json = reply.json()
        return said


def parameters(*listed: tuple[str, str, Any]) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": name, kind: value} for name, kind, value in listed]}


def every(said: Json, name: str) -> list[Any]:
    """The values of a parameter, or of a part of one."""
    parts = said["parameter"] if "parameter" in said else said["part"]
    found = [one for one in parts if one["name"] == name]
    return [one if "part" in one else next(value for key, value in one.items() if key != "name") for one in found]


def paper(*lines: str) -> bytes:
    """A page of A4, by hand; yours comes from your software."""
    text = f"BT /F1 12 Tf 72 770 Td 20 TL {' '.join(f'({line}) Tj T*' for line in lines)} ET".encode("cp1252")
    page = b"/Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >>"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page %s >>" % page,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
    )
    made, at = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        at.append(b"%010d 00000 n \n" % len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(at)
    return made + table + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(made)


# The practice: who the patient is, what is prescribed, the paper, and the signature over all of it.
practice = Software(
    "carnet-demo-practice",
    "Hélène Garnier",
    "openid profile user/Patient.s user/MedicationRequest.c user/DocumentReference.c user/Binary.c",
)
doctor = practice.ask("GET", ends["userinfo"])
ins = sandbox["citizens"][0]["ins"]
found = practice.ask("GET", "/Patient", params={"identifier": f"{ins['system']}|{ins['value']}"})
patient = f"Patient/{found['entry'][0]['resource']['id']}"
number = "".join(secrets.choice(LETTERS) for _ in range(8))
lines: list[Json] = [
    {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "groupIdentifier": {"system": NUMBERS, "value": number},
        "subject": {"reference": patient},
        "authoredOn": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "requester": {
            "identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": doctor["preferred_username"]},
            "display": doctor["name"],
        },
        "medicationCodeableConcept": {"text": medicine},
        "dosageInstruction": [{"text": taken}],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": repeats,
            "quantity": {"value": quantity, "unit": "comprimé"},
            "expectedSupplyDuration": {"value": days, "system": "http://unitsofmeasure.org", "code": "d", "unit": "d"},
        },
    }
    for medicine, taken, quantity, days, repeats in (
        ("Amlodipine 5 mg, comprimé", "1 comprimé le matin", 30, 30, 2),
        ("Paracétamol 1 g, comprimé", "1 comprimé si douleur, 3 par jour au plus", 24, 8, 0),
    )
]
pdf = paper(doctor["name"], *(f"{one['medicationCodeableConcept']['text']}" for one in lines))
digest = base64.b64encode(hashlib.sha256(pdf).digest()).decode()
signed = {
    "patient": patient,
    "requester": doctor["preferred_username"],
    "number": number,
    "lines": lines,
    "document": {"contentType": "application/pdf", "sha256": digest, "size": len(pdf)},
}
header = {"alg": "ES256", "kid": practice.key.kid}
signature = jws.serialize_compact(header, rfc8785.dumps(signed), practice.key)
binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(pdf).decode()}
bundle = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": one} for one in (*lines, binary)],
}
body = parameters(("prescription", "resource", bundle), ("signature", "valueString", signature))
[code] = every(practice.ask("POST", f"/{patient}/$prescribe", body), "code")
print(f"Prescribed: {code}")

# The pharmacy: what the code opens, accepted; a line handed over; what is left.
pharmacy = Software(
    "carnet-demo-pharmacy",
    "Yanis Cohen",
    "user/Task.ru user/MedicationRequest.r user/MedicationDispense.cr",
)
opened = pharmacy.ask("POST", "/Task/$open-prescription", parameters(("code", "valueString", code)))
task = f"/Task/{every(opened, 'task')[0]['id']}"
accepted = pharmacy.ask("POST", f"{task}/$accept", parameters(("code", "valueString", code)))
[secret] = every(accepted, "secret")
first = every(opened, "line")[0]
[request] = every(first, "request")
handed = {
    "resourceType": "MedicationDispense",
    "status": "completed",
    "authorizingPrescription": [{"reference": f"MedicationRequest/{request['id']}"}],
    "medicationCodeableConcept": request["medicationCodeableConcept"],
    "quantity": every(first, "allowed")[0],
    "daysSupply": {"value": 30, "unit": "d"},
}
body = parameters(("secret", "valueString", secret), ("dispense", "resource", handed))
for line in every(pharmacy.ask("POST", f"{task}/$dispense", body), "line"):
    [name], [left], [now] = (every(line, part) for part in ("request", "remaining", "allowed"))
    print(f"{name['medicationCodeableConcept']['text']}: {left['value']} left, {now['value']} of them now")
