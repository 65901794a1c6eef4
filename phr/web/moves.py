"""Asking for a move of a prescription over the public API, and what it refuses, in plain words.

The rule: every form carries a key of its own, so that who presses twice, or goes back, has asked once.
"""

from uuid import uuid4

import httpx

from fhir import wire
from phr.web.api import FHIR, Api, Json
from phr.web.words import TEXTS

KEY = "key"
"""The field of a form that carries its key."""
LONGEST_KEY = 64


def new_key() -> str:
    """A key for a form."""
    return uuid4().hex


async def move(api: Api, path: str, body: Json, key: str) -> httpx.Response:
    """POST below /fhir, once for each key (`Idempotency-Key`)."""
    headers = {"Accept": FHIR, "Content-Type": FHIR, "Authorization": f"Bearer {api.token}"}
    if key:
        headers["Idempotency-Key"] = key[:LONGEST_KEY]
    return await api.http.post(f"/fhir/{path}", content=wire.encode(body), headers=headers)


def problem_of(answer: httpx.Response, who: str) -> str | None:
    """What was refused, as the name of a text of these pages (`who`: prescription, or pharmacy). None: it was done."""
    if answer.is_success:
        return None
    named = f"{who}_problem_{answer.status_code}"
    return named if named in TEXTS["fr"] else f"{who}_problem"
