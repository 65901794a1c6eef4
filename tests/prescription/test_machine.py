"""Any life of a prescription, at any hour, over HTTP: two pharmacies, who prescribed, the person, and a naive model.

The model knows no Task: it keeps who has the prescription, what was given and when, and says what each answer must be.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from phr.core.settings import Settings
from tests.house import Caller, House
from tests.prescription.rx import Counter, every, handed, said, state

Json = dict[str, Any]
START = datetime(2026, 3, 27, 11, 59, tzinfo=UTC)
"""Two days before summer time."""
WAITS = (1, 20, 24, 27, 60, 100)


@dataclass(slots=True)
class Known:
    """What the model remembers. `opened`: the pharmacies it was opened at, and when."""

    task: str = ""
    code: str = ""
    holder: str = ""
    over: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    given: list[tuple[datetime, int]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Tablets: three times thirty, less what was given."""
        return 90 - sum(quantity for _, quantity in self.given)


def machine_of(house: House, runner: asyncio.Runner) -> type[RuleBasedStateMachine]:
    """The machine over this installation: each run has a record of its own."""
    pharmacies = st.sampled_from(("park", "station"))

    class Prescriptions(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.now = START
            house.parts.server.clock = lambda: self.now
            self.counter: Counter = runner.run(Counter.open(house))
            self.known = Known()
            self.known.task, self.known.code = runner.run(self.counter.prescribed())

        def who(self, name: str) -> Caller:
            found: Caller = getattr(self.counter, name)
            return found

        def move(self, who: Caller, name: str, **values: Any) -> httpx.Response:
            return runner.run(self.counter.move(who, self.known.task, name, **values))

        @rule(days=st.sampled_from(WAITS))
        def wait(self, days: int) -> None:
            self.now += timedelta(days=days)

        @rule(name=pharmacies)
        def accept(self, name: str) -> None:
            answer = self.move(self.who(name), "accept", code=self.known.code)
            if self.lapsed() or self.known.over:
                assert answer.status_code == 410
            elif self.known.holder not in ("", name):
                assert answer.status_code == 409
                assert "accepted" in answer.text or "partially-dispensed" in answer.text
            else:
                assert answer.status_code == 200, answer.text
                self.known.holder, self.known.secrets[name] = name, str(said(answer, "secret"))

        @rule(name=pharmacies, quantity=st.sampled_from((1, 10, 30, 91)))
        def dispense(self, name: str, quantity: int) -> None:
            secret = self.known.secrets.get(name, "0" * 26)
            shown = runner.run(self.counter.person.get(f"Task/{self.known.task}/$prescription"))
            [line] = every(shown, "line")
            allowed = line["allowed"][0]["value"]
            given = handed(line["request"][0]["id"], quantity)
            answer = self.move(self.who(name), "dispense", secret=secret, dispense=given)
            mine = self.known.holder == name and not self.lapsed() and not self.known.over
            if mine and quantity <= min(allowed, self.known.left):
                assert answer.status_code == 200, answer.text
                self.known.given.append((self.now, quantity))
                if self.known.left == 0:
                    self.known.over, self.known.holder = "completed", ""
            elif mine:
                assert answer.status_code == 422
            else:
                assert answer.status_code in (403, 404, 409, 410)

        @rule(name=pharmacies)
        def release(self, name: str) -> None:
            answer = self.move(self.who(name), "release", secret=self.known.secrets.get(name, "0" * 26))
            if self.known.holder == name and not self.lapsed():
                assert answer.status_code == 200
                self.known.holder = ""
            else:
                assert answer.status_code in (403, 404, 409, 410)

        @rule(name=pharmacies)
        def complete(self, name: str) -> None:
            answer = self.move(self.who(name), "complete", secret=self.known.secrets.get(name, "0" * 26))
            if self.known.holder == name and not self.lapsed():
                assert answer.status_code == (200 if self.known.given else 409)
                if self.known.given:
                    self.known.over, self.known.holder = "completed", ""
            else:
                assert answer.status_code in (403, 404, 409, 410)

        @rule()
        def cancel(self) -> None:
            answer = self.move(self.counter.doctor, "cancel", reason="treatment-stopped")
            if self.known.over == "cancelled" or (not self.known.over and self.lapsed()):
                assert answer.status_code == 410
            elif self.known.over or self.known.holder:
                assert answer.status_code == 409
            else:
                assert answer.status_code == 200
                self.known.over = "cancelled"

        @rule()
        def renew(self) -> None:
            answer = runner.run(self.counter.move(self.counter.person, self.known.task, "renew-code"))
            if self.known.over or self.lapsed():
                assert answer.status_code == 410
                return
            before, self.known.code = self.known.code, str(said(answer, "code"))
            assert self.known.code != before
            opened = runner.run(self.counter.park.post("Task/$open-prescription", _code(before)))
            assert opened.status_code == 403

        def lapsed(self) -> bool:
            shown = runner.run(self.counter.person.get(f"Task/{self.known.task}")).json()
            return not self.known.over and self.now >= datetime.fromisoformat(shown["restriction"]["period"]["end"])

        @invariant()
        def nothing_is_dispensed_twice(self) -> None:
            shown = runner.run(self.counter.person.get(f"Task/{self.known.task}/$prescription"))
            [line] = every(shown, "line")
            assert line["remaining"][0]["value"] == self.known.left >= 0
            assert len(line.get("dispense", ())) == len(self.known.given)
            if self.known.over:
                assert state(said(shown, "task")) == self.known.over
            elif not self.known.holder:
                assert state(said(shown, "task")) in ("ready", "expired")

    return Prescriptions


def _code(code: str) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "code", "valueString": code}]}


@pytest.fixture
def lived(settings: Settings, database_url: str) -> Iterator[tuple[House, asyncio.Runner]]:
    """An installation on an event loop that the machine drives."""
    with asyncio.Runner() as runner:
        built = House.build(settings, database_url)
        house = runner.run(built.__aenter__())
        yield house, runner
        runner.run(built.__aexit__(None, None, None))


def test_no_life_of_a_prescription_surprises(lived: tuple[House, asyncio.Runner]) -> None:
    house, runner = lived
    run_state_machine_as_test(
        machine_of(house, runner),
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
