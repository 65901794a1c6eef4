"""A prescription as its reader sees it: its lines, what was dispensed of each, what is left, and what may be given now.

The rule: what is answered comes through the reader's lens; what is left is worked out of everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from fhir.criteria import TokenAny
from fhir.predicate import And, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr.access.journal import Tag
from phr.access.reader import Professional
from phr.access.scope import READ
from phr.access.visit import Deed, Visit, asked_of
from phr.medicines import safety
from phr.operated import PRESCRIPTION, keys_of, mark
from phr.prescription import limits, remaining, signature, supply, task
from phr.prescription.held import TASK, Held, find
from phr.prescription.life import OVER
from phr.prescription.pharmacies import PHARMACIST
from phr.prevention.dates import day
from phr.reading import home_of, require

Json = dict[str, Any]
_KINDS = frozenset({"MedicationRequest", "MedicationDispense", "DocumentReference"})
_SIGNED = frozenset({"Provenance"})


@dataclass(frozen=True, slots=True)
class LineShown:
    """One line. `remaining`: of all of it, None without a quantity; `allowed`: today, and `rule` is what limits it."""

    request: Json = field(repr=False)
    unit: str
    remaining: Decimal | None
    allowed: Decimal | None
    until: date | None
    rule: str | None
    why_fr: str
    why_en: str
    dispenses: tuple[Json, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prescription:
    """The whole. `signed`: the lines are still those that were signed; `unchecked`: of what no check was made."""

    task: Json = field(repr=False)
    lines: tuple[LineShown, ...] = field(repr=False)
    document: str | None
    signed: bool
    findings: tuple[Json, ...] = field(repr=False)
    unchecked: tuple[str, ...] = ()


async def read(visit: Visit, id: str) -> Prescription:
    """The prescription that this Task follows. Raises ABSENT."""
    require(visit, READ, TASK)
    record = await home_of(visit, TASK, id)
    async with visit.act(record, READ, Tag.PRESCRIPTION, asked_of(("Task", id, "$prescription"))) as deed:
        held = await find(deed, id)
        seen = await _seen(deed, held.number, _KINDS)
        lines, dispenses = await remaining.of(deed, held.number)
        deed.touched += [f"{one['resourceType']}/{one['id']}" for one in seen]
        requests = [one for one in seen if one["resourceType"] == "MedicationRequest"]
        documents = [f"DocumentReference/{one['id']}" for one in seen if one["resourceType"] == "DocumentReference"]
        # A pharmacist is told of what dispensing would meet; a person has their prescriber and their pharmacist.
        reader = visit.reader
        asks = isinstance(reader, Professional) and (reader.identity.system, reader.identity.profession) == PHARMACIST
        checked = await safety.check(deed, requests) if asks and held.state not in OVER else None
        return Prescription(
            held.task,
            _lines(held, seen, lines, dispenses),
            next(iter(documents), None),
            await _is_signed(deed, held.number, lines),
            () if checked is None else tuple(safety.findings_of(checked)),
            () if checked is None else checked.unchecked,
        )


async def _seen(deed: Deed, number: str, kinds: frozenset[str], *, every: bool = False) -> list[Json]:
    """What belongs to a prescription and the reader sees."""
    belongs = TokenAny(frozenset({mark(keys_of(deed), PRESCRIPTION, number)}))
    lens = deed.every(*kinds) if every else deed.view.inside
    rows = await deed.fetch(all_of(lens, And((KindIn(kinds), belongs)), remaining.MOST))
    return [Stored.from_row(row).json(deed.view.keyring) for row in rows]


def _lines(held: Held, seen: Sequence[Json], lines: Sequence[Json], dispenses: Sequence[Json]) -> tuple[LineShown, ...]:
    today = day(held.deed.visit.now)
    done, order = remaining.given(dispenses), task.named(held.task, "input")
    quantities = {one.id: one for one in remaining.supplied(lines)}
    shown = []
    for request in sorted(
        (one for one in seen if one["resourceType"] == "MedicationRequest"),
        key=lambda one: order.index(f"MedicationRequest/{one['id']}"),
    ):
        line = quantities[request["id"]]
        mine = [one for one in done if one.line == line.id]
        allowed = limits.allowed(line, mine, today)
        over = held.state in OVER
        shown.append(
            LineShown(
                request,
                line.unit,
                supply.remaining(line, mine),
                Decimal(0) if over and allowed.quantity is not None else allowed.quantity,
                allowed.until,
                allowed.rule,
                allowed.why.fr,
                allowed.why.en,
                tuple(one for one in seen if _of(one, request["id"])),
            )
        )
    return tuple(shown)


def _of(one: Json, line: str) -> bool:
    named = [ref.get("reference") for ref in one.get("authorizingPrescription", ())]
    return one["resourceType"] == "MedicationDispense" and f"MedicationRequest/{line}" in named


async def _is_signed(deed: Deed, number: str, lines: Sequence[Json]) -> bool:
    found = await _seen(deed, number, _SIGNED, every=True)
    return len(found) == 1 and signature.covers(found[0], lines)
