"""Sign in as a demo citizen in your browser, then read the newest document. Standard library only.

The name and the password are those `make run` printed; the code is at /sandbox/mail.
"""

import base64
import hashlib
import json
import secrets
import sys
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

CARNET = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
CLIENT, CALLBACK = "carnet-demo-app", "http://127.0.0.1:8765/callback"
answer: dict[str, list[str]] = {}


class Callback(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer.update(parse_qs(urlsplit(self.path).query))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Signed in: you can close this page.")

    def log_message(self, *_: Any) -> None:
        """A code is not something to print."""


def ask(path: str, form: dict[str, str] | None = None, **headers: str) -> bytes:
    body = urlencode(form).encode() if form else None
    with urlopen(Request(CARNET + path, body, headers)) as reply:
        return bytes(reply.read())


verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
wish = {"response_type": "code", "client_id": CLIENT, "redirect_uri": CALLBACK, "state": state}
wish |= {"scope": "patient/*.rs", "aud": f"{CARNET}/fhir", "code_challenge": challenge, "code_challenge_method": "S256"}
server = HTTPServer(("127.0.0.1", 8765), Callback)
print(
    f"Sign in here (your code will be at {CARNET}/sandbox/mail):\n{CARNET}/oauth/authorize?{urlencode(wish)}",
    flush=True,
)
webbrowser.open(f"{CARNET}/oauth/authorize?{urlencode(wish)}")
while "state" not in answer:
    server.handle_request()
if answer["state"] != [state] or "code" not in answer:
    sys.exit(f"Not signed in: {answer.get('error')}")
exchange = {"grant_type": "authorization_code", "code": answer["code"][0], "code_verifier": verifier}
token = json.loads(ask("/oauth/token", {**exchange, "client_id": CLIENT, "redirect_uri": CALLBACK}))
bearer = f"Bearer {token['access_token']}"
found = json.loads(ask("/fhir/DocumentReference?_sort=-date&_count=1", Authorization=bearer))
attachment = found["entry"][0]["resource"]["content"][0]["attachment"]
content = ask(f"/fhir/{attachment['url']}", Authorization=bearer)
print(f"{attachment['title']}: {len(content)} bytes of {attachment['contentType']}")
