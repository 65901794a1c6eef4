"""A prescriber, two pharmacies and a person, in tests: prescriptions deposited and moved over HTTP."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from fpdf import FPDF
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import delete
from sqlalchemy.orm import Session

from auth import clients, tables
from auth.clients import Kind
from auth.professionals import Professional as Identity
from phr.operated import PRESCRIPTION
from phr.prescription import number, signature
from tests.house import Caller, House
from tests.phr.care import DOCTOR, PS, software, who

Json = dict[str, Any]
KEY = ECKey.generate_key("P-256", {"kid": "signing-1"}, private=True, auto_kid=False)
PARK = who(31, "21", family="Duval", sector="SA33", structure_name="Pharmacie du Parc")
STATION = who(32, "21", family="Roche", sector="SA33", structure_name="Pharmacie de la Gare")
COLLEAGUE = who(33, "21", family="Vidal", sector="SA33", structure=PARK.structure, structure_name="Pharmacie du Parc")
STATE = "https://carnet.example/CodeSystem/prescription-state"


def pdf(text: str = "Ordonnance") -> bytes:
    """A page of A4."""
    made = FPDF(format="A4")
    made.add_page()
    made.set_font("Helvetica", size=14)
    made.cell(0, 10, text)
    return bytes(made.output())


def line(record: str, number: str, now: datetime, by: Identity = DOCTOR, **more: Any) -> Json:
    """A MedicationRequest of thirty tablets, to be renewed twice."""
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "groupIdentifier": {"system": PRESCRIPTION, "value": number},
        "subject": {"reference": f"Patient/{record}"},
        "authoredOn": now.isoformat(timespec="seconds"),
        "requester": {"identifier": {"system": PS, "value": by.id}, "display": "Dr Petit"},
        "medicationCodeableConcept": {"text": "Amlodipine 5 mg"},
        "dosageInstruction": [{"text": "1 comprimé le matin"}],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 2,
            "quantity": {"value": 30, "unit": "comprimé"},
            "expectedSupplyDuration": {"value": 30, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
        },
        **more,
    }


def parameters(**values: Any) -> Json:
    """A Parameters body: resources, references (dict), booleans, strings; a list says a name several times."""
    listed = [(name, one) for name, value in values.items() for one in (value if isinstance(value, list) else [value])]
    return {"resourceType": "Parameters", "parameter": [_part(*one) for one in listed]}


def _part(name: str, value: Any) -> Json:
    if isinstance(value, dict):
        return {"name": name, "resource": value} if "resourceType" in value else {"name": name, "valueReference": value}
    return {"name": name, ("valueBoolean" if isinstance(value, bool) else "valueString"): value}


def said(answer: httpx.Response, name: str) -> Any:
    """The first value of a parameter of an answer."""
    return next(iter(every(answer, name)), None)


def every(answer: httpx.Response, name: str) -> list[Any]:
    """All its values; of a parameter with parts, {name: [values]}."""
    found = []
    for one in answer.json().get("parameter", ()):
        if one["name"] == name:
            found.append(_parts(one["part"]) if "part" in one else _value(one))
    return found


def _parts(listed: list[Json]) -> Json:
    made: Json = {}
    for one in listed:
        made.setdefault(one["name"], []).append(_value(one))
    return made


def _value(one: Json) -> Any:
    return next(value for key, value in one.items() if key != "name")


def state(task: Json) -> str:
    """Where a prescription is."""
    return str(task["businessStatus"]["coding"][0]["code"])


@dataclass(slots=True)
class Counter:
    """A house, a person's record, and who comes to it. `at`: the clock, which tests move."""

    house: House
    record: str

    @classmethod
    async def open(cls, house: House) -> "Counter":
        """Register the software's key and open a record."""
        registered(house)
        return cls(house, await house.open_record())

    # A token lasts minutes, and these tests months: each is made when it is needed.

    @property
    def person(self) -> Caller:
        """The person, in their own record."""
        return self.house.citizen(self.record)

    @property
    def doctor(self) -> Caller:
        """Who prescribes."""
        return software(self.house)

    @property
    def park(self) -> Caller:
        """A pharmacist, in their pharmacy."""
        return software(self.house, PARK)

    @property
    def station(self) -> Caller:
        """Another, in another."""
        return software(self.house, STATION)

    def wait(self, **spent: float) -> None:
        """Let time go by: from now on it is that much later."""
        before = self.house.parts.server.clock
        self.house.parts.server.clock = lambda: before() + timedelta(**spent)

    @property
    def now(self) -> datetime:
        """The time it is."""
        return self.house.parts.server.clock()

    async def deposit(self, *lines: Json, by: Identity = DOCTOR, **headers: str) -> httpx.Response:
        """Prescribe these lines; one of thirty tablets when none is said."""
        made = number.draw() if not lines else lines[0]["groupIdentifier"]["value"]
        listed = list(lines) or [line(self.record, made, self.now, by)]
        return await self.send(listed, pdf(), by, **headers)

    async def send(self, lines: list[Json], paper: bytes, by: Identity = DOCTOR, **headers: str) -> httpx.Response:
        """Send a deposit, signed as it is."""
        body = parameters(prescription=bundle(lines, paper), signature=signed(self.record, by, lines, paper))
        caller = self.doctor if by is DOCTOR else software(self.house, by)
        return await caller.post(f"Patient/{self.record}/$prescribe", body, **headers)

    async def prescribed(self, *lines: Json) -> tuple[str, str]:
        """A prescription just deposited: the id of its Task, and its code."""
        answer = await self.deposit(*lines)
        assert answer.status_code == 201, answer.text
        return said(answer, "task")["id"], said(answer, "code")

    async def move(self, who: Caller, task: str, name: str, **values: Any) -> httpx.Response:
        """Make a move."""
        key = values.pop("key", None)
        headers = {} if key is None else {"idempotency_key": key}
        return await who.post(f"Task/{task}/${name}", parameters(**values), **headers)

    async def accepted(self, who: Caller, task: str, code: str) -> str:
        """Accept it; the secret."""
        answer = await self.move(who, task, "accept", code=code)
        assert answer.status_code == 200, answer.text
        return str(said(answer, "secret"))

    async def lines(self, who: Caller, task: str) -> list[Json]:
        """The lines of a prescription, as somebody sees them."""
        answer = await who.get(f"Task/{task}/$prescription")
        assert answer.status_code == 200, answer.text
        return every(answer, "line")

    async def dispensed(self, who: Caller, task: str, secret: str, quantity: float, **more: Any) -> httpx.Response:
        """Dispense so much of the first line."""
        [first, *_] = await self.lines(who, task)
        given = handed(first["request"][0]["id"], quantity)
        return await self.move(who, task, "dispense", secret=secret, dispense=given, **more)


def handed(line: str, quantity: float, unit: str = "comprimé", **more: Any) -> Json:
    """A MedicationDispense of a line."""
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "authorizingPrescription": [{"reference": f"MedicationRequest/{line}"}],
        "quantity": {"value": quantity, "unit": unit},
        "daysSupply": {"value": quantity, "unit": "d"},
        **more,
    }


def registered(house: House, client: str = "software") -> None:
    """The prescribing software, with the key it signs with."""
    with Session(house.parts.engine) as session, session.begin():
        session.execute(delete(tables.client).where(tables.client.c.id == client))
        jwks = {"keys": [KEY.as_dict(private=False)]}
        scopes = ("openid", "user/*.cruds")
        found = {"token_endpoint_auth_method": "private_key_jwt"}
        clients.register(
            session,
            id=client,
            name="Logiciel",
            kind=Kind.PROFESSIONAL,
            scopes=scopes,
            now=house.now(),
            jwks=jwks,
            metadata=found,
        )


def bundle(lines: list[Json], paper: bytes) -> Json:
    """What is deposited."""
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(paper).decode()}
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{uuid4()}", "resource": one} for one in (*lines, binary)],
    }


def signed(record: str, by: Identity, lines: list[Json], paper: bytes, key: ECKey = KEY) -> str:
    """The JWS of the software."""
    content = signature.canonical(record, by.id, lines[0]["groupIdentifier"]["value"], lines, paper)
    return jws.serialize_compact({"alg": "ES256", "kid": key.kid}, content, key)
