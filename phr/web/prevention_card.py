"""The vaccination card and the child's examinations: what the record holds of each, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from phr.web.api import Api
from phr.web.held import searched
from phr.web.prevention_plan import EXAMINATION, Plan, Recommendation

VACCINATION = "vaccination"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dose:
    """An Immunization of the record, as its author wrote it. `declared`: on somebody's word."""

    on: date | None
    product: str
    against: str
    lot: str
    declared: bool


async def doses(api: Api, record: str) -> list[Dose]:
    """Every vaccination given, the newest first. Raises Unread."""
    found = await searched(api, f"Immunization?patient={record}&_count=200")
    given = [_dose(one) for one in found if one["status"] == "completed"]
    return sorted(given, key=lambda one: (one.on or date.min, one.product), reverse=True)


def card(plan: Plan) -> Sequence[Recommendation]:
    """The vaccinations that concern the person, or will soon enough, or that they had: those to do first."""
    vaccines = plan.of(VACCINATION)
    near = {one.id for one in vaccines.near}
    mine = [one for one in vaccines.all if one.done or one.id in near]
    return sorted(mine, key=lambda one: (one.status not in ("overdue", "due"), one.title))


def examinations(plan: Plan) -> Sequence[Recommendation]:
    """The child's examinations, in the order of their ids, which is that of the ages."""
    return [one for one in plan.all if one.id.startswith(EXAMINATION)]


def _dose(immunization: Json) -> Dose:
    at = immunization.get("occurrenceDateTime", "")
    targets = [
        _named(one) for applied in immunization.get("protocolApplied", ()) for one in applied.get("targetDisease", ())
    ]
    return Dose(
        on=date.fromisoformat(at[:10]) if len(at) >= 10 else None,
        product=_named(immunization["vaccineCode"]),
        against=", ".join(dict.fromkeys(filter(None, targets))),
        lot=immunization.get("lotNumber", ""),
        declared=immunization.get("primarySource") is False,
    )


def _named(concept: Json) -> str:
    """A concept as people read it: its text, else a display, else a code."""
    codings = concept.get("coding", ())
    shown = [one.get("display") for one in codings] + [one.get("code") for one in codings]
    return concept.get("text") or next(filter(None, shown), "")
