"""Requests that schemathesis makes of /openapi.json, sound and unsound, as each reader: none fails the server."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from phr.core.settings import Settings
from tests.house import Caller, House, observation

Json = dict[str, Any]
EXAMPLES = 8
KNOWN = ("method", "url", "headers", "files", "data", "params", "auth", "cookies", "json")


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

    @property
    def addresses(self) -> list[Json]:
        """Path parameters that lead somewhere."""
        return [
            {"kind": "Observation", "id": self.observation, "version": "1"},
            {"kind": "Patient", "id": self.record, "version": "1"},
            {"kind": "AuditEvent", "id": self.observation, "version": "1"},
        ]

    def close(self) -> None:
        self.runner.run(self._building.__aexit__(None, None, None))
        self.runner.close()

    def send(self, caller: Caller, request: requests.PreparedRequest) -> Any:
        """The request as a PreparedRequest has it, with the caller's token; whatever cannot be a header is `?`."""
        headers = [
            (str(name).encode(), value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"))
            for name, value in request.headers.items()
            if str(name).lower() != "authorization"
        ]
        body: Any = request.body
        sent = self.house.http.request(
            str(request.method),
            str(request.url),
            headers=[*headers, (b"authorization", f"Bearer {caller.token}".encode())],
            content=body.encode() if isinstance(body, str) else bytes(body or b""),
        )
        return self.runner.run(sent)


@pytest.fixture
def street(settings: Settings, database_url: str) -> Iterator[Street]:
    found = Street(settings, database_url)
    yield found
    found.close()


def asked(street: Street, caller: Caller, operation: Any, mode: GenerationMode, path: Json | None) -> set[int]:
    """The statuses of EXAMPLES requests of one operation, at one address when `path` says which."""
    statuses: set[int] = set()

    @seed(20261122)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **({"path_parameters": path} if path else {})))
    def ask(case: Any) -> None:
        kwargs = case.as_transport_kwargs(base_url=street.house.settings.issuer)
        request = requests.Request(**{k: v for k, v in kwargs.items() if k in KNOWN}).prepare()
        answer = street.send(caller, request)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (request.method, request.url, request.body, answer.text)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing of it can be wrong
    return statuses


@pytest.mark.parametrize("reader", ["citizen", "depositor"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_fails_the_server(street: Street, reader: str, mode: GenerationMode) -> None:
    house = street.house
    caller = house.citizen(street.record) if reader == "citizen" else house.depositor()
    document = street.runner.run(house.http.get("/openapi.json")).json()
    seen: dict[str, set[int]] = {}
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # an unsound document raises here
        names = re.findall(r"{(\w+)}", operation.path)
        for path in (None, *({name: real[name] for name in names} for real in street.addresses if names)):
            seen.setdefault(operation.label, set()).update(asked(street, caller, operation, mode, path))
    assert len(seen) > 20
    assert {200, 400, 404} <= set.union(*seen.values())
    again = street.runner.run(house.citizen(street.record).get(f"Observation/{street.observation}"))
    assert again.status_code in (200, 410)
