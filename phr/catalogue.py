"""The catalogue of referenced services: what the operator wrote of each, and what anybody may read of it.

The rule: what a person is asked to agree to is public, word for word, before they are asked.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from auth import clients, purposes, scopes
from auth.clients import Client, Kind
from auth.purposes import Purpose, Service
from phr.access.scope import expressible

Json = dict[str, Any]
Words = Callable[[str, str], str]
"""A scope and a language, to a sentence for people."""


def services_in(path: Path) -> list[tuple[str, Service]]:
    """The services of a TOML file: `[[service]]` with its `client`, each with its `[[service.purposes]]`.

    Raises ValueError, saying which service and what is wrong with it.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ValueError(f"{path} cannot be read as TOML") from None
    listed = said.get("service")
    if set(said) != {"service"} or not isinstance(listed, list) or not listed:
        raise ValueError(f"{path} holds one or more [[service]], and nothing else")
    return list(map(_service, listed))


def _service(said: Json) -> tuple[str, Service]:
    client = said.get("client")
    if not isinstance(client, str):
        raise ValueError("each [[service]] says its client")
    try:
        found = purposes.read({name: value for name, value in said.items() if name != "client"})
    except ValueError as error:
        raise ValueError(f"{client}: {error.args[0]}") from None
    for purpose in found.purposes:
        for scope in filter(None, map(scopes.parse, purpose.scopes)):
            if not expressible(scope):
                raise ValueError(f"{client}: {scope} could never be granted: the access policy cannot enforce it")
    return client, found


def listed(session: Session) -> list[Client]:
    """The applications of citizens that the catalogue describes, by id."""
    return [one for one in clients.list_all(session) if _public(one)]


def find(session: Session, id: str) -> Client | None:
    """One of them."""
    return next((one for one in listed(session) if one.id == id), None)


def _public(client: Client) -> bool:
    return client.service is not None and client.kind is Kind.CITIZEN_APP


def entry(client: Client, words: Words) -> Json:
    """What is public of a service: who publishes it, where it stands, and what each purpose reads and writes."""
    service = client.service
    if service is None:
        raise ValueError("the catalogue says nothing of this client")
    terms = {} if service.terms is None else {"terms": service.terms}
    return {
        "client": client.id,
        "name": client.name,
        "publisher": service.publisher,
        "description": {"fr": service.description_fr, "en": service.description_en},
        "status": service.status.value,
        "version": service.version,
        **terms,
        "purposes": [_purpose(one, words) for one in service.purposes],
    }


def _purpose(purpose: Purpose, words: Words) -> Json:
    return {
        "code": purpose.code,
        "label": {"fr": purpose.label_fr, "en": purpose.label_en},
        "description": {"fr": purpose.description_fr, "en": purpose.description_en},
        "direction": purpose.direction.value,
        "data": {language: [words(one, language) for one in purpose.scopes] for language in ("fr", "en")},
        "scopes": list(purpose.scopes),
    }
