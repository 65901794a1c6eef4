"""What prescriptions are measured on: pharmacies with few and with many open ones, in the records of a town.

The rule: what is measured is deposited by the operation, whole. The crowd around it is written by the functions of the
operations, each in one transaction: the rows `$prescribe` and `$send` leave, but for the paper and the signature.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from fpdf import FPDF
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from auth import clients
from auth.claims import Claims
from auth.professionals import Professional as Identity
from auth.rfc9068 import mint
from auth.scopes import Scope
from auth.server import AuthServer
from bench.town import BASE, settle
from fhir.parameters import KINDS
from phr import operated
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.provision import DISPENSE, PRESCRIBER
from phr.access.reader import Professional
from phr.access.scope import CREATE
from phr.access.visit import Deed, Visit
from phr.imports import visit_of
from phr.operated import PRESCRIPTION
from phr.plan import Item, Plan
from phr.prescription import deposit, ledger, number, showing, signature, task, waiting
from phr.prescription.life import State
from phr.transactions import transact

Json = dict[str, Any]
SOFTWARE = "carnet-bench-practice"
KEY = ECKey.generate_key("P-256", {"kid": "bench"}, private=True, auto_kid=False)
DOCTOR = Identity("810000000001", "PETIT", "Lou", "10", "C", "", "1690000001", "Cabinet", "SA07", "L")
_REQUEST, _TASK = KINDS["MedicationRequest"], KINDS["Task"]
_SCOPES = ("user/*.cruds",)
_FIRST, _FRESH = 4 * 10**9, 5 * 10**9


@dataclass(frozen=True, slots=True)
class Pharmacy:
    """A pharmacy of the directory, with one pharmacist's token. `id`: of its Organization."""

    id: str
    actor: Actor
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deposited:
    """A prescription of one line: the id of its Task and of its line, and its code."""

    task: str
    line: str
    code: str = field(repr=False)


async def pharmacy(installation: Installation, server: AuthServer, n: int) -> Pharmacy:
    """Open the pharmacy number `n`."""
    actor = Actor(STRUCTURES, f"16900001{n:02d}", f"Pharmacie {n}")
    sector = {"system": "https://mos.esante.gouv.fr/NOS/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite"}
    body = {
        "resourceType": "Organization",
        "active": True,
        "identifier": [{"system": STRUCTURES, "value": actor.value}],
        "name": actor.display,
        "type": [{"coding": [{**sector, "code": "SA33"}]}],
    }
    entry = {"fullUrl": f"urn:uuid:{uuid4()}", "resource": body, "request": {"method": "POST", "url": "Organization"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    [made] = await transact(visit_of(installation, "bench", datetime.now(UTC)), bundle, BASE)
    if made is None:
        raise RuntimeError("the pharmacy is not in the directory")
    place = {"structure": actor.value, "structure_name": actor.display, "sector": "SA33"}
    who = replace(DOCTOR, id=f"8100000001{n:02d}", profession="21", **place)
    until = datetime.now(UTC) + timedelta(hours=2)
    claims = Claims("bench-pharmacy", "pharmacy", who.id, None, _SCOPES, str(uuid4()), None, until, professional=who)
    return Pharmacy(made.id, actor, mint(server.issuer, server.signing, server.subjects, claims, claims.client, _now()))


async def crowd(installation: Installation, to: Pharmacy, start: int, many: int) -> None:
    """Leave `many` prescriptions at a pharmacy, each of somebody else: sent to it, and not accepted yet."""
    for n in range(start, start + many):
        record = (await settle(installation, _FIRST + n, 1)).record
        async with _visit(installation).act(record, CREATE, Tag.PRESCRIPTION, "bench", deciding=True) as deed:
            await _left(deed, record, to)


async def deposited(installation: Installation, n: int, many: int) -> list[Deposited]:
    """Deposit prescriptions in a record of their own, as software does."""
    record, found = (await settle(installation, _FRESH + n, 1)).record, []
    for _ in range(many):
        drawn, paper = number.draw(), _paper()
        lines = [_line(record, drawn, _now())]
        content = signature.canonical(record, DOCTOR.id, drawn, lines, paper)
        signed = jws.serialize_compact({"alg": "ES256", "kid": KEY.kid}, content, KEY)
        made = await deposit.prescribe(_visit(installation), record, _bundle(lines, paper), signed, None, BASE)
        written = str(made["task"]["input"][0]["valueReference"]["reference"])
        found.append(Deposited(made["task"]["id"], written, made["code"]))
    return found


def register(server: AuthServer) -> None:
    """Register the prescribing software, with the key it signs with."""
    with Session(server.engine) as session, session.begin():
        clients.register(
            session,
            id=SOFTWARE,
            name="Bench",
            kind=clients.Kind.PROFESSIONAL,
            scopes=_SCOPES,
            now=server.clock(),
            jwks={"keys": [KEY.as_dict(private=False)]},
            metadata={"token_endpoint_auth_method": "private_key_jwt"},
        )


async def _left(deed: Deed, record: str, to: Pharmacy) -> None:
    drawn, now, keys = number.draw(), deed.visit.now, deed.visit.installation.system_keys
    line, plan = _line(record, drawn, now), Plan(deed, BASE, operated=True)
    made = plan.new_id(_REQUEST)
    await plan.add(Item(_REQUEST, made, operated.tagged(line, PRESCRIPTION, drawn), f"MedicationRequest/{made}"))
    await plan.store()
    until = now + timedelta(days=90)
    lines, paper = [f"MedicationRequest/{made}"], f"DocumentReference/{plan.new_id(KINDS['DocumentReference'])}"
    person = {**line["subject"], "display": "Ada Habitant"}
    body = task.held_by(task.new(person, drawn, line["requester"], lines, paper, now, until), to.actor)
    follows = await operated.create(deed, _TASK, operated.tagged(body, PRESCRIPTION, drawn))
    await ledger.keep(deed.session, number.mark(keys, drawn), record, follows.id, until)
    await showing.show(deed, Actor(PROFESSIONALS, DOCTOR.id, DOCTOR.name), PRESCRIBER, drawn)
    await showing.show(deed, to.actor, DISPENSE, drawn, until)
    await waiting.put(deed, to.actor, follows.id, State.READY)


def _line(record: str, drawn: str, now: datetime) -> Json:
    """A MedicationRequest of thirty tablets, once."""
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "groupIdentifier": {"system": PRESCRIPTION, "value": drawn},
        "subject": {"reference": f"Patient/{record}"},
        "authoredOn": now.isoformat(timespec="seconds"),
        "requester": {"identifier": {"system": PROFESSIONALS, "value": DOCTOR.id}, "display": DOCTOR.name},
        "medicationCodeableConcept": {"text": "Amlodipine 5 mg"},
        "dosageInstruction": [{"text": "1 comprimé le matin"}],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 0,
            "quantity": {"value": 30, "unit": "comprimé"},
            "expectedSupplyDuration": {"value": 30, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
        },
    }


def _bundle(lines: Sequence[Json], paper: bytes) -> Json:
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(paper).decode()}
    listed: Iterable[Json] = (*lines, binary)
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in listed]}


def _paper() -> bytes:
    pdf = FPDF(format="A4")
    pdf.add_page()
    pdf.set_font("Helvetica", size=14)
    pdf.cell(0, 10, "Ordonnance")
    return bytes(pdf.output())


def _visit(installation: Installation) -> Visit:
    reader = Professional(SOFTWARE, DOCTOR, None, None)
    return Visit(installation, reader, (Scope("user", "*", frozenset("cruds")),), (), _now())


def _now() -> datetime:
    return datetime.now(UTC)
