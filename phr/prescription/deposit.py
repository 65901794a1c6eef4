"""Depositing a prescription: its lines, its paper with the code on it, its signature and its Task, in one transaction.

The rule: only who may prescribe, signed in, with software that signs; a number serves once (décret 2023-1222).
"""

from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool

from auth.professionals import Professional as Identity
from fhir.parameters import KINDS
from phr import codes, delegation, idempotence, notices, operated, paper
from phr.access.consent import PROFESSIONALS, Actor
from phr.access.journal import Tag
from phr.access.provision import PRESCRIBER
from phr.access.reader import Professional, identity
from phr.access.scope import CREATE
from phr.access.visit import Deed, Visit, asked_of
from phr.attestation import name_of
from phr.core.errors import DomainError, Issue, Reason, forbidden
from phr.events import Topic, emit
from phr.medicines import safety
from phr.operated import PRESCRIPTION
from phr.paper import Paper
from phr.plan import Item, Plan
from phr.prescription import ledger, lines, number, remaining, showing, signature, stamp, task
from phr.prescription.lines import Deposit
from phr.reading import require

Json = dict[str, Any]
PRESCRIBERS = frozenset({"10", "40", "50"})
"""Physicians, dentists, midwives (TRE_G15). Others prescribe closed lists, which nothing here checks."""
TYPE, FAMILY = "57833-6", "42"
"""LOINC: Prescription de produits de santé; its class in JDV_J57."""
REQUEST, TASK, PROVENANCE = KINDS["MedicationRequest"], KINDS["Task"], KINDS["Provenance"]


async def prescribe(visit: Visit, record: str, bundle: Json, signed: str, key: str | None, base: str) -> Json:
    """`Patient/{id}/$prescribe`: the parts of the answer, the same for the same request under the same key.

    Raises FORBIDDEN (who may not prescribe), CONTENT (422), CONFLICT (the number was used), ABSENT.
    """
    who = prescriber(visit)
    require(visit, CREATE, REQUEST)
    read = lines.read(bundle, record, identity(visit.reader), visit.now)
    asked = asked_of(("Patient", record, "$prescribe"))
    code = number.grouped(number.code(visit.installation.system_keys, read.number, 1))
    url = number.url(visit.installation.settings.issuer, code)
    sheet = await run_in_threadpool(stamp.stamp, read.pdf, code, url)
    async with visit.act(record, CREATE, Tag.PRESCRIPTION, asked, deciding=True) as deed:
        body = {"bundle": bundle, "signature": signed}
        known = await idempotence.repeated(deed, key, asked, body)
        if known is not None:
            return known | {"code": code, "url": url}
        content = signature.canonical(record, who.id, read.number, read.lines, read.pdf)
        await signature.check(deed.session, visit.reader.client, signed, content)
        answer = await _deposit(deed, who, read, signed, sheet, base)
        await idempotence.keep(deed, key, asked, body, answer)
        return answer | {"code": code, "url": url}


def prescriber(visit: Visit) -> Identity:
    """The professional who prescribes. Raises FORBIDDEN."""
    reader = visit.reader
    if not isinstance(reader, Professional) or reader.assistant is not None:
        raise forbidden("A prescription is deposited by who prescribes, in person.")
    who = reader.identity
    if who.system != "TRE_G15" or who.profession not in PRESCRIBERS:
        raise forbidden("This profession does not prescribe here.")
    return who


async def _deposit(deed: Deed, who: Identity, read: Deposit, signed: str, sheet: bytes, base: str) -> Json:
    visit, record = deed.visit, operated.keys_of(deed).record
    keys = visit.installation.system_keys
    until = expiry(read)
    plan = Plan(deed, base, operated=True)
    written = [(plan.new_id(REQUEST), one) for one in read.lines]
    for made, line in written:
        body = operated.tagged(line, PRESCRIPTION, read.number)
        await plan.add(Item(REQUEST, made, body, f"MedicationRequest/{made}"))
    document, kind = _document(visit, record, who, sheet, read.number), KINDS["DocumentReference"]
    filed = plan.new_id(kind)
    await plan.add(Item(kind, filed, document, "DocumentReference"))
    await plan.store()
    references = [f"MedicationRequest/{made}" for made, _ in written]
    requester = read.lines[0]["requester"]
    proof = signature.provenance(record, requester, references, signed, visit.now.isoformat(timespec="milliseconds"))
    await operated.create(deed, PROVENANCE, _belongs(deed, proof, read.number), own=True)
    person = {"reference": f"Patient/{record}", "display": name_of(await delegation.person_of(deed))}
    body = task.new(person, read.number, requester, references, f"DocumentReference/{filed}", visit.now, until)
    follows = await operated.create(deed, TASK, _belongs(deed, body, read.number))
    if not await ledger.keep(deed.session, number.mark(keys, read.number), record, follows.id, until):
        raise DomainError(Reason.CONFLICT, Issue("duplicate", "This number was used already: draw another one."))
    # What was dispensed shows to who prescribed for as long as the person prefers so (`phr.access.sight`).
    await showing.show(deed, Actor(PROFESSIONALS, who.id, who.name), PRESCRIBER, read.number)
    checked = await safety.check(deed, read.lines)
    await notices.tell(deed, "prescription", about=follows.reference)
    await emit(deed, Topic.PRESCRIPTION, follows.reference)
    return {
        "task": follows.json,
        "number": read.number,
        "document": f"DocumentReference/{filed}",
        "finding": safety.findings_of(checked),
        "unchecked": list(checked.unchecked),
    }


def expiry(read: Deposit) -> datetime:
    """The instant a prescription expires if nothing is dispensed of it: the end of its last day, in Paris."""
    listed = [{**line, "id": str(at)} for at, line in enumerate(read.lines)]
    return remaining.expiry(listed, ())


def _belongs(deed: Deed, body: Json, number: str) -> Json:
    return operated.labelled(deed, operated.tagged(body, PRESCRIPTION, number))


def _document(visit: Visit, record: str, who: Identity, sheet: bytes, number: str) -> Json:
    sector = (codes.SECTOR, who.sector)
    author = {"identifier": {"system": PROFESSIONALS, "value": who.id}, "display": who.name}
    body = paper.document(
        Paper(
            sheet,
            title="Ordonnance",
            type=TYPE,
            family=FAMILY,
            subject={"reference": f"Patient/{record}"},
            author=author,
            at=visit.now,
            facility=sector if codes.facility_type(*sector) else (codes.SECTOR, "SA07"),
            practice=(codes.SETTING, "AMBULATOIRE"),
            custodian=visit.installation.settings.issuer,
        )
    )
    return operated.tagged(body, PRESCRIPTION, number)
