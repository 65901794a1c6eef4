"""A life of rights over HTTP, at any hour: after each step, everybody sees what the oracle says of what was decided.

The model knows nothing of Consents: it keeps what was asked and answered, and the oracle's sentences judge it.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from phr.core.settings import Settings
from tests import oracle
from tests.access import city as cities
from tests.access.city import HIDDEN, MASKED, delegate, labelled
from tests.access.rights import LINES, MATRIX, read_as
from tests.access.test_rights_doors import consents_of
from tests.access.worlds import professional as identity
from tests.house import ALL, Caller, House, account_of, observation

Json = dict[str, Any]
PARIS = ZoneInfo("Europe/Paris")
PEOPLE = {
    "doctor": identity("899700000005", sector="SA07"),
    "colleague": identity("899700000013", sector="SA07", structure="1690000077"),
    "nurse": identity("899700000021", "60", sector="SA07"),
}
WAITS = (1, 16 * 60, 86_400, 3 * 86_400, 40 * 86_400, 91 * 86_400)
START = datetime(2026, 3, 27, 11, 59, tzinfo=UTC)
"""Two days before summer time."""


def last_midnight(now: datetime, days: int) -> datetime:
    """The midnight in Paris at which the days-th day after today's is over."""
    day: date = now.astimezone(PARIS).date() + timedelta(days=days + 1)
    return datetime(day.year, day.month, day.day, tzinfo=PARIS)


@dataclass(slots=True)
class Life:
    """One person's record, and what the model remembers of it."""

    house: House
    runner: asyncio.Runner
    record: str
    now: datetime = START
    rights: list[Json] = field(default_factory=list)
    things: dict[str, Json] = field(default_factory=dict)
    codes: list[Json] = field(default_factory=list)

    def ask(self, caller: Caller, method: str, path: str, body: Json | None = None) -> Any:
        """One request, now."""
        sent = {"Content-Type": "application/fhir+json"} if body is not None else {}
        more = {} if body is None else {"json": body}
        return self.runner.run(caller.ask(method, path, sent, **more))

    def operate(self, caller: Caller, name: str, *parameters: Json, on: str | None = "") -> Any:
        """One operation on the record."""
        body = {"resourceType": "Parameters", "parameter": list(parameters)}
        where = "Patient" if on is None else f"Patient/{self.record}"
        return self.ask(caller, "POST", f"{where}/${name}", body)

    def professional(self, name: str) -> Caller:
        """Their software, with a fresh token."""
        return cities.as_professional(self.house, PEOPLE[name])

    @property
    def ada(self) -> Caller:
        """The person's application."""
        return self.house.citizen(self.record)

    def readers(self) -> Iterator[tuple[str, Caller, Json]]:
        """Everybody, and as the oracle reads them."""
        ada, mum = f"account:{account_of(self.record)}", f"account:{account_of('mum')}"
        yield "ada", self.ada, {"is": "citizen", "name": ada, "record": self.record}
        yield "mum", delegate(self.house, self.record), {"is": "delegate", "name": mum, "record": self.record}
        for name, who in PEOPLE.items():
            yield name, self.professional(name), read_as(who)


def who(name: str) -> Json:
    return {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": PEOPLE[name].id}


def right(kind: str, about: str | None, since: datetime, until: datetime | None, **more: Any) -> Json:
    plain = {"types": set(), "codes": set(), "ids": set(), "powers": set(), "purpose": "", "permits": True}
    return {**plain, "id": "", "right": kind, "about": about, "since": since, "until": until, **more}


def machine_of(house: House, runner: asyncio.Runner) -> type[RuleBasedStateMachine]:
    """The machine over this installation: each run has a record of its own."""
    names, docs = st.sampled_from(sorted(PEOPLE)), st.sampled_from(("plain", "masked", "hidden"))

    class Rights(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.life = Life(house, runner, "")
            house.parts.server.clock = lambda: self.life.now
            self.life.record = runner.run(house.open_record())
            consent = runner.run(house.represent(self.life.record, account_of("mum")))
            name = f"account:{account_of('mum')}"
            self.life.rights.append(right("legal-representative", name, START, None, id=consent))
            for name, labels in (("plain", []), ("masked", [MASKED]), ("hidden", [HIDDEN])):
                body = labelled(observation(self.life.record), labels)
                answer = self.life.ask(house.depositor(), "POST", "Observation", body)
                assert answer.status_code == 201, answer.text
                awaits = START.replace(month=4)  # a month after 27 March is 27 April
                kept = {"record": self.life.record, "type": "Observation", "author": "client:hospital"}
                self.life.things[name] = {**kept, "labels": set(labels), "id": answer.json()["id"], "until": awaits}

        def _running(self, kind: str, about: str) -> list[Json]:
            now = self.life.now
            return [
                one
                for one in self.life.rights
                if one["right"] == kind and one["about"] == about and (one["until"] is None or now < one["until"])
            ]

        @rule(seconds=st.sampled_from(WAITS))
        def time_passes(self, seconds: int) -> None:
            self.life.now += timedelta(seconds=seconds)

        @rule(name=names, basis=st.sampled_from(("treating", "care-team", "explicit-consent")))
        def a_professional_opens(self, name: str, basis: str) -> None:
            life, about = self.life, f"professional:{PEOPLE[name].id}"
            given: list[Json] = [{"name": "basis", "valueCode": basis}, {"name": "informed", "valueBoolean": True}]
            answer = life.operate(life.professional(name), "open-access", *given)
            if self._running("block", about):
                assert answer.status_code == 404
                return
            held = self._running("care-relation", about)
            until = last_midnight(life.now, 90)
            longest = max((one["until"] for one in held), default=life.now)
            assert answer.status_code in (200, 201), answer.text
            if answer.status_code == 201:
                assert longest < until
                ends = datetime.fromisoformat(answer.json()["provision"]["period"]["end"])
                assert abs(ends - until) <= timedelta(days=1)  # whether today counts is the operation's to say
                life.rights.append(right("care-relation", about, life.now, ends, id=answer.json()["id"]))
            else:
                assert held

        @rule(name=names)
        def the_person_blocks(self, name: str) -> None:
            life, about = self.life, f"professional:{PEOPLE[name].id}"
            answer = life.operate(life.ada, "block", {"name": "professional", "valueIdentifier": who(name)})
            assert answer.status_code in (200, 201), answer.text
            life.rights[:] = [one for one in life.rights if one["about"] != about]
            life.rights.append(right("block", about, life.now, None, permits=False))

        @rule(name=names)
        def the_person_allows(self, name: str) -> None:
            life, about = self.life, f"professional:{PEOPLE[name].id}"
            answer = life.operate(life.ada, "allow", {"name": "professional", "valueIdentifier": who(name)})
            assert answer.status_code == 200, answer.text
            life.rights[:] = [one for one in life.rights if one["about"] != about or one["right"] != "block"]

        @rule(name=names)
        def the_person_ends_a_relation(self, name: str) -> None:
            life = self.life
            for one in self._running("care-relation", f"professional:{PEOPLE[name].id}"):
                answer = life.operate(life.ada, "end-access", {"name": "consent", "valueString": one["id"]})
                assert answer.status_code == 200, answer.text
                life.rights.remove(one)

        @rule(name=names)
        def the_person_designates(self, name: str) -> None:
            life, about = self.life, f"professional:{PEOPLE[name].id}"
            role = {"name": "role", "valueCode": "treating-physician"}
            named = {"name": "professional", "valueIdentifier": who(name)}
            answer = life.operate(life.ada, "designate", role, named)
            assert answer.status_code in (200, 201, 404, 409, 422), answer.text
            if answer.status_code in (200, 201):
                life.rights[:] = [one for one in life.rights if one["right"] != "treating-physician"]
                life.rights.append(right("treating-physician", about, life.now, None, id=_id_in(answer.json())))

        @rule(once=st.booleans(), minutes=st.sampled_from((15, 60, 43_200)))
        def the_person_shares(self, once: bool, minutes: int) -> None:
            life = self.life
            answer = life.operate(
                life.ada,
                "share",
                {"name": "all", "valueBoolean": True},
                {"name": "minutes", "valueInteger": minutes},
                {"name": "once", "valueBoolean": once},
            )
            assert answer.status_code == 201, answer.text
            code = next(one["valueString"] for one in answer.json()["parameter"] if one["name"] == "code")
            until = life.now + timedelta(minutes=minutes)
            life.codes.append({"code": code, "until": until, "left": 1 if once else None})

        @rule(name=names, data=st.data())
        def a_professional_redeems(self, name: str, data: st.DataObject) -> None:
            life, about = self.life, f"professional:{PEOPLE[name].id}"
            if not life.codes:
                return
            code = data.draw(st.sampled_from(life.codes))
            answer = life.operate(
                life.professional(name), "redeem", {"name": "code", "valueString": code["code"]}, on=None
            )
            mine = [one for one in self._running("code-lease", about) if one["code"] == code["code"]]
            alive = life.now < code["until"] and not self._running("block", about)
            if alive and mine:
                assert answer.status_code in (200, 201), answer.text
            elif alive and code["left"] != 0:
                assert answer.status_code == 201, answer.text
                code["left"] = None if code["left"] is None else code["left"] - 1
                made = right("code-lease", about, life.now, code["until"], id=answer.json()["id"], code=code["code"])
                life.rights.append(made)
            else:
                assert answer.status_code == 404

        @rule(name=docs, mask=st.booleans())
        def the_person_labels(self, name: str, mask: bool) -> None:
            life, thing = self.life, self.life.things[name]
            address = f"Observation/{thing['id']}"
            found = life.ask(life.ada, "GET", address)
            if found.status_code == 404:
                return
            body = found.json()
            labels = [MASKED] * mask + [HIDDEN] * (name == "hidden")
            del body["meta"]
            body = labelled(body, labels)
            assert life.ask(life.ada, "PUT", address, body).status_code == 200
            thing["labels"] = (thing["labels"] - {MASKED}) | ({MASKED} if mask else set())

        @invariant()
        def everybody_sees_what_the_oracle_says(self) -> None:
            life = self.life
            for name, caller, plain in life.readers():
                scopes = list(ALL if plain["is"] != "professional" else ("user/*.cruds",))
                for label, thing in life.things.items():
                    status = life.ask(caller, "GET", f"Observation/{thing['id']}").status_code
                    expected = oracle.sees(plain, scopes, "r", thing, None, life.now, life.rights, LINES)
                    assert (status == 200) is expected, (name, label, life.now)

        def teardown(self) -> None:
            held, rebuilt = runner.run(consents_of(house, self.life.record))
            assert held == rebuilt

    return Rights


def _id_in(answer: Json) -> str:
    return str(answer.get("id", ""))


def test_a_life_of_rights(settings_here: Settings, database_url: str) -> None:
    with asyncio.Runner() as runner:
        building = House.build(settings_here, database_url)
        house = runner.run(building.__aenter__())
        house.parts.installation.matrix = MATRIX
        try:
            run_state_machine_as_test(
                machine_of(house, runner),
                settings=settings(
                    max_examples=12,
                    stateful_step_count=14,
                    deadline=None,
                    phases=(Phase.explicit, Phase.generate),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(building.__aexit__(None, None, None))


@pytest.fixture
def settings_here(settings: Settings) -> Settings:
    """The settings of the test's own folder."""
    return settings
