"""Requests that schemathesis makes of /openapi.json, sound and unsound, as each reader: none fails the server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from phr.core.settings import Settings
from tests.house import Caller, House, observation

Json = dict[str, Any]
EXAMPLES = 10


class Street:
    """A house and the event loop it lives in, for tests that are not coroutines themselves."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.runner = asyncio.Runner()
        self._building = House.build(settings, url)
        self.house = self.runner.run(self._building.__aenter__())
        self.record = self.runner.run(self.house.open_record())
        app = self.house.citizen(self.record)
        kept = self.runner.run(app.post("Observation", observation(self.record)))
        self.observation = str(kept.json()["id"])

    def close(self) -> None:
        self.runner.run(self._building.__aexit__(None, None, None))
        self.runner.close()

    def send(self, caller: Caller, request: requests.PreparedRequest) -> Any:
        headers = {**dict(request.headers), "Authorization": f"Bearer {caller.token}"}
        headers = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in headers.items()}
        sent = self.house.http.request(
            request.method or "GET",
            str(request.url),
            headers={name: value.encode("latin-1", "replace") for name, value in headers.items()},
            content=request.body if isinstance(request.body, bytes) else (request.body or "").encode(),
        )
        return self.runner.run(sent)


@pytest.fixture
def street(settings: Settings, database_url: str) -> Iterator[Street]:
    found = Street(settings, database_url)
    yield found
    found.close()


def told(street: Street) -> Json:
    """The OpenAPI document, its path parameters led to what is there as often as to what is not."""
    document: Json = street.runner.run(street.house.http.get("/openapi.json")).json()
    real = {"kind": ["Observation", "Patient", "AuditEvent", "Practitioner", "Binary"], "version": ["1", "2"],
            "id": [street.observation, street.record]}  # fmt: skip
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in real:
                    parameter["schema"] = {"anyOf": [{"enum": real[parameter["name"]]}, parameter["schema"]]}
    return document


@pytest.mark.parametrize("reader", ["citizen", "depositor"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_fails_the_server(street: Street, reader: str, mode: GenerationMode) -> None:
    house = street.house
    caller = house.citizen(street.record) if reader == "citizen" else house.depositor()
    schema = schemathesis.openapi.from_dict(told(street))
    schema.config.generation.update(modes=[mode])
    seen: dict[str, set[int]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(20261122)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any, label: str = operation.label) -> None:
            kwargs = case.as_transport_kwargs(base_url=house.settings.issuer)
            kwargs.pop("timeout", None)
            request = requests.Request(**{k: v for k, v in kwargs.items() if k in _KNOWN}).prepare()
            answer = street.send(caller, request)
            seen.setdefault(label, set()).add(answer.status_code)
            assert answer.status_code < 500, (request.method, request.url, request.body, answer.text)

        ask()
    assert len(seen) > 15
    again = street.runner.run(house.citizen(street.record).get(f"Observation/{street.observation}"))
    assert again.status_code in (200, 410)


_KNOWN = ("method", "url", "headers", "files", "data", "params", "auth", "cookies", "json")
