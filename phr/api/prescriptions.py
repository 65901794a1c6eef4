"""Prescriptions, over HTTP: deposited, shown, sent, dispensed.

The rule: a code and a secret travel in a body, never in an address; each move may be sent again under its key.
"""

from typing import Any

from fastapi.responses import Response

from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.api.prescriptions_shown import drawn, parts, shown
from phr.prescription import deposit, dispensing, handing, moves, opening
from phr.prescription import shown as reading

Json = dict[str, Any]
KEY = "idempotency-key"
TASK = "/Task/{id:id}"


def open_doors(doors: Doors) -> None:
    """$prescribe, and the operations of a prescription's Task."""
    taking = described.taking([], described.RESOURCE)

    @doors.opens("POST", "/Patient/{id:id}/$prescribe", taking, status_code=201)
    async def prescribe(asked: Asked, id: str) -> Response:
        """Deposit a prescription: its lines and its paper, signed."""
        said = await given(asked, ("prescription", "signature"))
        bundle, signed = said.required("prescription", dict), said.required("signature", str)
        made = await deposit.prescribe(asked.visit, id, bundle, signed, asked.header(KEY), asked.base)
        return answers.json_answer(asked, parts(**made), 201, {"Location": f"{asked.base}/Task/{made['task']['id']}"})

    @doors.opens("POST", "/Task/$open-prescription", taking)
    async def open_prescription(asked: Asked) -> Response:
        """Open a prescription by its code: that prescription, and nothing else."""
        typed = (await given(asked, {"code"})).required("code", str)
        return await _shown(asked, await opening.open_by_code(asked.visit, typed))

    @doors.opens("GET", f"{TASK}/$prescription", described.taking([]))
    async def prescription(asked: Asked, id: str) -> Response:
        """A prescription: its lines, what was dispensed, what is left, what may be dispensed now."""
        return await _shown(asked, id)

    @doors.opens("POST", f"{TASK}/$accept", taking)
    async def accept(asked: Asked, id: str) -> Response:
        """A pharmacy takes it on, and is given a secret."""
        typed = (await given(asked, {"code"})).one("code", str)
        return _answer(asked, await moves.accept(asked.visit, id, typed, asked.header(KEY)))

    @doors.opens("POST", f"{TASK}/$dispense", taking)
    async def dispense(asked: Asked, id: str) -> Response:
        """Record what is dispensed of its lines, or not and why."""
        said = await given(asked, ("secret", "dispense"))
        secret, listed = said.required("secret", str), said.every("dispense", dict)
        await dispensing.dispense(asked.visit, id, secret, listed, asked.header(KEY), asked.base)
        return await _shown(asked, id)

    @doors.opens("POST", f"{TASK}/$release", taking)
    async def release(asked: Asked, id: str) -> Response:
        """The pharmacy lets it go, for another to go on."""
        secret = (await given(asked, {"secret"})).required("secret", str)
        return _answer(asked, await moves.release(asked.visit, id, secret, asked.header(KEY)))

    @doors.opens("POST", f"{TASK}/$reject", taking)
    async def reject(asked: Asked, id: str) -> Response:
        """The pharmacy does not dispense it, and says why."""
        said = await given(asked, ("secret", "reason"))
        reason = said.coded("reason") or said.required("reason", str)
        return _answer(asked, await moves.reject(asked.visit, id, said.one("secret", str), reason, asked.header(KEY)))

    @doors.opens("POST", f"{TASK}/$complete", taking)
    async def complete(asked: Asked, id: str) -> Response:
        """Nothing more will be dispensed of it."""
        secret = (await given(asked, {"secret"})).required("secret", str)
        return _answer(asked, await moves.complete(asked.visit, id, secret, asked.header(KEY)))

    @doors.opens("POST", f"{TASK}/$cancel", taking)
    async def cancel(asked: Asked, id: str) -> Response:
        """Who prescribed takes it back."""
        said = await given(asked, {"reason"})
        reason = said.coded("reason") or said.required("reason", str)
        return _answer(asked, await moves.cancel(asked.visit, id, reason, asked.header(KEY)))

    @doors.opens("GET", f"{TASK}/$code", described.taking([]))
    async def code(asked: Asked, id: str) -> Response:
        """The code to show, as 20 characters and as a drawing."""
        return answers.json_answer(asked, drawn(*await handing.code(asked.visit, id)))

    @doors.opens("POST", f"{TASK}/$renew-code", taking)
    async def renew_code(asked: Asked, id: str) -> Response:
        """Another code; the one before opens nothing any more."""
        await given(asked, ())
        return answers.json_answer(asked, drawn(*await handing.code(asked.visit, id, renew=True)))

    @doors.opens("POST", f"{TASK}/$send", taking)
    async def send(asked: Asked, id: str) -> Response:
        """Send it to a pharmacy of the directory."""
        said = await given(asked, ("pharmacy", "share"))
        pharmacy, shares = str(said.required("pharmacy", dict).get("reference", "")), said.one("share", bool) is True
        return _answer(asked, {"task": await handing.send(asked.visit, id, pharmacy, asked.base, shares=shares)})

    @doors.opens("POST", f"{TASK}/$take-back", taking)
    async def take_back(asked: Asked, id: str) -> Response:
        """Take it back from the pharmacy that did not accept it yet."""
        await given(asked, ())
        return _answer(asked, {"task": await handing.take_back(asked.visit, id)})

    @doors.opens("GET", "/Patient/{id:id}/$usual-pharmacy", described.taking([]))
    async def usual_pharmacy(asked: Asked, id: str) -> Response:
        """The pharmacy the person usually goes to."""
        return answers.json_answer(asked, _usual(await handing.usual(asked.visit, id, None, asked.base)))

    @doors.opens("POST", "/Patient/{id:id}/$usual-pharmacy", taking)
    async def set_usual_pharmacy(asked: Asked, id: str) -> Response:
        """Say which one."""
        pharmacy = str((await given(asked, {"pharmacy"})).required("pharmacy", dict).get("reference", ""))
        return answers.json_answer(asked, _usual(await handing.usual(asked.visit, id, pharmacy, asked.base)))


async def _shown(asked: Asked, id: str) -> Response:
    return answers.json_answer(asked, shown(await reading.read(asked.visit, id)))


def _answer(asked: Asked, said: Json) -> Response:
    return answers.json_answer(asked, parts(**said))


def _usual(team: Json | None) -> Json:
    return parts(pharmacy=None if team is None else {"valueReference": team["participant"][0]["member"]})
