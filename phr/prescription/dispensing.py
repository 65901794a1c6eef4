"""Dispensing: what a pharmacist hands over of each line, or does not and why; within what is left, and the law.

The rule: all of it or nothing, judged in the transaction that writes it; outside of what may be dispensed the answer
says which rule, and what still may be.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from fhir.parameters import KINDS
from phr import idempotence, notices, operated
from phr.access.consent import PROFESSIONALS, STRUCTURES
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.core.errors import DomainError, Issue, Reason, invalid
from phr.operated import PRESCRIPTION
from phr.plan import Item, Plan
from phr.prescription import ledger, limits, remaining, supply, task
from phr.prescription.held import Held, Json, holding
from phr.prescription.life import Move
from phr.prescription.moves import check_mine, close
from phr.prescription.pharmacies import pharmacist
from phr.prescription.supply import Given
from phr.prevention.dates import day
from phr.reading import require

DISPENSE = KINDS["MedicationDispense"]
STATUSES = ("completed", "declined")
NOTHING_MORE = "declined"


async def dispense(visit: Visit, id: str, secret: str, given: Sequence[Json], key: str | None, base: str) -> None:
    """Record what is dispensed. Raises FORBIDDEN (403), CONFLICT (409), GONE (410), CONTENT (422) with the rule."""
    pharmacist(visit)
    require(visit, CREATE, DISPENSE)
    async with holding(visit, id, Move.DISPENSE) as held:
        body = {"secret": secret, "dispense": list(given)}
        if await idempotence.repeated(held.deed, key, f"{id} dispense", body) is not None:
            return
        check_mine(held, Move.DISPENSE, secret)
        held.legal(Move.DISPENSE)
        await _dispense(held, given, base)
        await idempotence.keep(held.deed, key, f"{id} dispense", body, {"task": held.task})


async def _dispense(held: Held, given: Sequence[Json], base: str) -> None:
    lines, before = await remaining.of(held.deed, held.number)
    if not given:
        raise invalid("What is dispensed is one MedicationDispense for each line.", _at(0), "required")
    listed = {str(one["id"]): one for one in lines}
    done = remaining.given(before)
    plan = Plan(held.deed, base, operated=True)
    written, bodies = [], []
    for at, one in enumerate(given):
        line = _line(one, listed, at)
        _check(held, one, line, done, at)
        id = plan.new_id(DISPENSE)  # noqa: A001
        body = operated.labelled(held.deed, _completed(held, one, line), line)
        await plan.add(Item(DISPENSE, id, body, f"Parameters.parameter[{at}].resource"))
        written.append((f"MedicationDispense/{id}", str(one["status"])))
        bodies.append(body)
        done += remaining.given([body])
    await plan.store()
    held.task = task.dispensed(held.task, written)
    if supply.finished(remaining.supplied(lines), done):
        await close(held, Move.DISPENSE)
        return
    until = remaining.expiry(lines, [*before, *bodies])
    await ledger.last(held.deed.session, held.known, until)
    state = held.legal(Move.DISPENSE) if task.begun(held.task) else held.state
    await held.become(state, task.lasting(held.task, until))
    await notices.tell(held.deed, "prescription", about=held.reference)


def _line(one: Json, listed: Mapping[str, Json], at: int) -> Json:
    """The line a dispense is of. Raises CONTENT."""
    named = [str(ref.get("reference", "")) for ref in one.get("authorizingPrescription", ()) if isinstance(ref, dict)]
    found = listed.get(named[0].removeprefix("MedicationRequest/")) if len(named) == 1 else None
    if one.get("resourceType") != "MedicationDispense" or found is None:
        raise invalid("A MedicationDispense is of one line of this prescription.", _at(at, "authorizingPrescription"))
    return found


def _check(held: Held, one: Json, line: Json, done: Sequence[Given], at: int) -> None:
    if "id" in one or "meta" in one or one.get("status") not in STATUSES:
        raise invalid("A dispense is new, and completed or declined.", _at(at, "status"))
    if one["status"] == NOTHING_MORE:
        if not one.get("statusReasonCodeableConcept"):
            raise invalid("Why a line is not dispensed is said.", _at(at, "statusReasonCodeableConcept"), "required")
        if "quantity" in one:
            raise invalid("Nothing is dispensed of a line that is declined.", _at(at, "quantity"))
        return
    replaced = one.get("substitution", {}).get("wasSubstituted") is True
    if replaced and line.get("substitution", {}).get("allowedBoolean") is False:
        raise invalid(
            "Who prescribed said that this line is not substituted.", _at(at, "substitution"), "business-rule"
        )
    [wanted] = remaining.supplied([line])
    mine = [given for given in done if given.line == wanted.id]
    allowed = limits.allowed(wanted, mine, day(held.deed.visit.now))
    quantity = one.get("quantity", {})
    if wanted.quantity is None:  # not counted; the law may still say no
        _within(allowed, Decimal(1), at)
        return
    if quantity.get("unit", wanted.unit) != wanted.unit:
        raise invalid(f"Counted in the unit of the line: {wanted.unit}.", _at(at, "quantity.unit"))
    value = Decimal(str(quantity.get("value", 0)))
    if value <= 0:
        raise invalid("How much is dispensed is more than nothing.", _at(at, "quantity.value"))
    _within(allowed, value, at)


def _within(allowed: limits.Allowance, value: Decimal, at: int) -> None:
    """Raises CONTENT (422): which rule, and what may still be dispensed."""
    if allowed.quantity is None or value <= allowed.quantity:
        return
    rule = allowed.rule or "prescription"
    told = f"{rule}: {allowed.why.en} {allowed.why.fr} Still: {allowed.quantity.normalize():f}."
    raise DomainError(Reason.CONTENT, Issue("business-rule", told, _at(at, "quantity.value")))


def _completed(held: Held, one: Json, line: Json) -> Json:
    """The dispense as it is kept: whose, by whom, where and when, as the server knows it."""
    who, pharmacy = pharmacist(held.deed.visit)
    at = held.deed.visit.now.isoformat(timespec="milliseconds")
    by = {"identifier": {"system": PROFESSIONALS, "value": who.id}, "display": who.name}
    place = {"identifier": {"system": STRUCTURES, "value": pharmacy.value}, "display": pharmacy.display}
    body = {
        **one,
        "subject": dict(line["subject"]),
        "performer": [{"actor": by}, {"actor": place}],
        **({"whenHandedOver": at} if one["status"] == "completed" else {}),
    }
    if "medicationCodeableConcept" not in one:
        body["medicationCodeableConcept"] = line["medicationCodeableConcept"]
    return operated.tagged(body, PRESCRIPTION, held.number)


def _at(at: int, name: str = "") -> str:
    return f"Parameters.parameter.where(name = 'dispense')[{at}].resource" + (f".{name}" if name else "")
