"""Choosing a pharmacy in the directory: to send it a prescription in one act, or as the usual one.

The rule: the pharmacy sees the prescription it was sent; it sees the record for three days only if that box is ticked,
and it never is at first.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi.responses import Response

from fhir.criterion import LOGICAL_ID
from fhir.operation import parameters
from phr.web.api import Api
from phr.web.held import Unread
from phr.web.mine import HOME, Json, Mine
from phr.web.moves import KEY, move, new_key, problem_of
from phr.web.pages import Pairs
from phr.web.prescribed import Prescription, prescription_of
from phr.web.prescribed_lines import values_of
from phr.web.redeem import resources

SECTOR = "SA33"
"""TRE_R02: a pharmacy."""
_MOST = 20
_AT = f"{HOME}/prescriptions"
_SHORTEST = 3
"""Letters of a name or a town: fewer find half of the country."""


@dataclass(frozen=True, slots=True)
class Pharmacy:
    """One of the directory. `id`: of its Organization."""

    id: str
    name: str
    address: str = ""


async def usual(mine: Mine, api: Api) -> Pharmacy | None:
    """The person's usual pharmacy, if they set one."""
    answer = await api.get(f"Patient/{mine.record}/$usual-pharmacy")
    if answer.status_code != 200:
        return None
    named = values_of(answer.json().get("parameter", ())).get("pharmacy") or {}
    reference = str(named.get("reference", ""))
    if not reference:
        return None
    found = await api.get(reference)
    if found.status_code == 200:
        return _pharmacy(found.json())
    return Pharmacy(reference.removeprefix("Organization/"), named.get("display", ""))


async def choosing(mine: Mine, api: Api, task: str = "") -> Response:
    """The page, for a prescription (its Task's id), or for the usual pharmacy."""
    return await _page(mine, api, task, [])


async def chosen(mine: Mine, api: Api, form: Pairs, task: str = "") -> Response:
    """What the form asks: a search, or the act itself."""
    given = dict(form)
    if given.get("do") == "search":
        return await _page(mine, api, task, form)
    pharmacy = given.get("pharmacy", "")
    if LOGICAL_ID.fullmatch(pharmacy) is None:
        return await _page(mine, api, task, form, "prescription_no_pharmacy", 422)
    reference = {"valueReference": {"reference": f"Organization/{pharmacy}"}}
    key = given.get(KEY, "")
    if task:
        wish = parameters(pharmacy=reference, share="share" in given)
        answer = await move(api, f"Task/{task}/$send", wish, key)
    else:
        answer = await move(api, f"Patient/{mine.record}/$usual-pharmacy", parameters(pharmacy=reference), key)
    problem = problem_of(answer, "prescription")
    if problem is not None:
        return await _page(mine, api, task, form, problem, answer.status_code)
    return mine.go(f"{_AT}/{task}" if task else _AT, "sent" if task else "usual")


async def _page(mine: Mine, api: Api, task: str, form: Pairs, problem: str = "", status: int = 200) -> Response:
    given = dict(form)
    words = given.get("name", "").strip()
    found = await _found(api, words) if len(words) >= _SHORTEST else []
    known = await usual(mine, api)
    first = [known] if known is not None and task else []
    values = {
        "one": await _sent(mine, api, task) if task else None,
        "first": first,
        "found": [one for one in found if one not in first],
        "asked": words,
        "short": bool(words) and len(words) < _SHORTEST,
        "many": len(found) >= _MOST,
        "picked": given.get("pharmacy") or (known.id if first and known else ""),
        "share": "share" in given,
        "problem": problem,
        "key": new_key(),
        "action": mine.at(f"{_AT}/{task}/send" if task else f"{_AT}/pharmacy"),
        "back": mine.at(f"{_AT}/{task}" if task else _AT),
    }
    return mine.page("prescription_send.html", values, status=status)


async def _found(api: Api, words: str) -> list[Pharmacy]:
    """Pharmacies by a word of their name, or their town."""
    listed: dict[str, Pharmacy] = {}
    for by in ("name:contains", "address-city"):
        asked = {by: words, "type": SECTOR, "_count": str(_MOST)}
        answer = await api.get(f"Organization?{urlencode(asked)}")
        found = resources(answer.json()) if answer.status_code == 200 else []
        listed |= {one["id"]: _pharmacy(one) for one in found}
    return sorted(listed.values(), key=lambda one: one.name)


async def _sent(mine: Mine, api: Api, task: str) -> Prescription:
    answer = await api.get(f"Task/{task}")
    if answer.status_code != 200:
        raise Unread(answer.status_code)
    return prescription_of(answer.json(), mine.language)


def _pharmacy(body: Json) -> Pharmacy:
    where: Json = next(iter(body.get("address", ())), {})
    town = f"{where.get('postalCode', '')} {where.get('city', '')}".strip()
    address = ", ".join(filter(None, (*where.get("line", ()), town)))
    return Pharmacy(body["id"], str(body.get("name") or body["id"]), address)
