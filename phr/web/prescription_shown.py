"""What the pages of a person's prescriptions show and do: the list, one of them, its code, a new one, taking it back.

The rule: a code is on its own page and nowhere else: no address, no cookie; what was refused is told where it stands.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi.responses import Response

from fhir.operation import parameters
from fhir.parameters import KINDS
from phr.access.right import ALLOWED, may_act_for
from phr.prescription.life import OVER, STATUS
from phr.prescription.task import CODE as TASK
from phr.prescription.task import FOLLOWS
from phr.web import papers, sending
from phr.web.api import Api
from phr.web.held import Unread, searched
from phr.web.mine import HOME, Mine
from phr.web.moves import KEY, move, new_key, problem_of
from phr.web.pages import Pairs, query_of
from phr.web.prescribed import Prescription, answered, prescription_of
from phr.web.prescribed_lines import values_of

PRESCRIPTIONS = f"{HOME}/prescriptions"
CODE = f"{TASK}|{FOLLOWS}"
_OVER, _CURRENT = (
    ",".join(sorted(status for state, status in STATUS.items() if (state in OVER) is over)) for over in (True, False)
)
_MOST = 20
"""Prescriptions that are over, on a page: the rest on asking."""
_DONE = frozenset({"renewed", "sent", "taken-back", "usual"})


async def _acts(mine: Mine, api: Api) -> bool:
    """Whether who is there may do anything with the prescriptions they read: a caregiver, with a power over them."""
    own = None if mine.chosen.own else mine.mandate(await mine.held(api))
    return own is None or may_act_for(frozenset(own.terms.powers), KINDS["Task"]) is ALLOWED


async def home(mine: Mine, api: Api) -> Response:
    """Every prescription: the current ones whole, then those that are over."""
    asked = {"patient": mine.record, "code": CODE, "_sort": "-authored-on", "_count": "100"}
    current = await searched(api, f"Task?{urlencode({**asked, 'status': _CURRENT})}")
    if not current and (await api.get(f"Patient/{mine.record}")).status_code != 200:
        raise Unread(404)
    over = await searched(api, f"Task?{urlencode({**asked, 'status': _OVER})}")
    every = "all" in dict(query_of(mine.request))
    values = {
        "current": [await _read(mine, api, one["id"]) for one in current],
        "over": [prescription_of(one, mine.language) for one in (over if every else over[:_MOST])],
        "more": mine.at(PRESCRIPTIONS, ("all", "yes")) if len(over) > _MOST and not every else "",
        "usual": await sending.usual(mine, api),
        "choose": mine.at(f"{PRESCRIPTIONS}/pharmacy"),
        "acts": await _acts(mine, api),
    }
    return _page(mine, "prescriptions.html", values)


async def one(mine: Mine, api: Api, id: str, problem: str = "", status: int = 200) -> Response:
    """One of them, whole."""
    found = await _read(mine, api, id)
    values = {"one": found, "problem": problem, "acts": await _acts(mine, api)}
    return _page(mine, "prescription.html", values, status)


async def paper(mine: Mine, api: Api, id: str) -> Response:
    """Its PDF."""
    document = (await _read(mine, api, id)).document
    return (document and await papers.paper(api, document)) or absent(mine)


async def code(mine: Mine, api: Api, id: str, problem: str = "", status: int = 200) -> Response:
    """Its code, large, to be shown or printed."""
    answer = await api.get(f"Task/{id}/$code")
    if answer.status_code != 200:
        return await one(mine, api, id, problem_of(answer, "prescription") or "", answer.status_code)
    said = values_of(answer.json()["parameter"])
    found = await _read(mine, api, id)
    values = {"one": found, "groups": said["code"].split("-"), "drawing": said["svg"], "problem": problem}
    return _page(mine, "prescription_code.html", values, status, script=True)


async def renew(mine: Mine, api: Api, id: str, form: Pairs) -> Response:
    """Make it another code."""
    answer = await move(api, f"Task/{id}/$renew-code", parameters(), dict(form).get(KEY, ""))
    problem = problem_of(answer, "prescription")
    if problem is not None:
        return await code(mine, api, id, problem, answer.status_code)
    return mine.go(f"{PRESCRIPTIONS}/{id}/code", "renewed")


async def take_back(mine: Mine, api: Api, id: str, form: Pairs) -> Response:
    """Take it back from the pharmacy it was sent to."""
    answer = await move(api, f"Task/{id}/$take-back", parameters(), dict(form).get(KEY, ""))
    problem = problem_of(answer, "prescription")
    if problem is not None:
        return await one(mine, api, id, problem, answer.status_code)
    return mine.go(f"{PRESCRIPTIONS}/{id}", "taken-back")


async def _read(mine: Mine, api: Api, id: str) -> Prescription:
    """One prescription, with its lines. Raises Unread."""
    answer = await api.get(f"Task/{id}/$prescription")
    found = answered(answer, mine.language)
    if found is None:
        raise Unread(answer.status_code)
    return found


def _page(
    mine: Mine, template: str, values: Mapping[str, object], status: int = 200, *, script: bool = False
) -> Response:
    done = mine.done(_DONE)
    known = {
        "done": f"prescription_done_{done}" if done and not values.get("problem") else "",
        "problem": "",
        "at": lambda *path: mine.at("/".join((PRESCRIPTIONS, *path))),
        "key": new_key(),
        "chosen": mine.chosen,
        "locales": mine.locales,
    }
    kept = [(name, value) for name, value in query_of(mine.request) if name in ("record", "ui_locales")]
    return mine.pages.page(mine.request, template, {**known, **values}, status=status, query=kept, script=script)


def absent(mine: Mine) -> Response:
    """The page of a prescription that is not there, or not theirs to see."""
    return _page(mine, "prescription_absent.html", {}, 404)
