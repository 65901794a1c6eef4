"""Caregivers and legal representatives, over HTTP."""

from typing import Any

from fastapi.responses import Response

from fhir.operation import parameters
from phr import delegation_invitations as invitations
from phr import mandates
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import Given, given
from phr.delegation_invitations import Invited
from phr.writing import written

WHO = ("identifier", "family", "given", "birthDate")


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens(
        "POST", "/Patient/{id:id}/$invite-caregiver", described.taking([], described.RESOURCE), status_code=201
    )
    async def invite_caregiver(asked: Asked, id: str) -> Response:
        """Invite somebody to act for the person, with the powers chosen. The answer does not say who is known here."""
        found = await given(asked, {*WHO, "power", "until"})
        powers, until = found.every("power", str), found.instant("until")
        made = await invitations.invite_caregiver(asked.visit, id, _invited(found), powers, until)
        return answers.wrote(asked, written(made, created=True))

    @doors.opens("POST", "/Patient/{id:id}/$invite-parent", described.taking([], described.RESOURCE), status_code=201)
    async def invite_parent(asked: Asked, id: str) -> Response:
        """Invite a child's other parent."""
        made = await invitations.invite_parent(asked.visit, id, _invited(await given(asked, WHO)))
        return answers.wrote(asked, written(made, created=True))

    @doors.opens("GET", "/Patient/{id:id}/$invitations", described.taking([]))
    async def pending(asked: Asked, id: str) -> Response:
        """The invitations that wait for this person's answer."""
        found = [_part(one) for one in await invitations.pending(asked.visit, id)]
        return answers.json_answer(asked, {**parameters(), "parameter": found} if found else _NOTHING)

    @doors.opens("POST", "/Patient/{id:id}/$answer-invitation", described.taking([], described.RESOURCE))
    async def answer(asked: Asked, id: str) -> Response:
        """Accept or refuse an invitation to act for somebody."""
        found = await given(asked, {"consent", "accept"})
        consent, accept = found.required("consent", str), found.required("accept", bool)
        status = await invitations.answer(asked.visit, id, consent, accept, asked.base)
        return answers.json_answer(asked, parameters(consent=consent, status=status))

    @doors.opens("POST", "/Patient/{id:id}/$change-delegation", described.taking([], described.RESOURCE))
    async def change(asked: Asked, id: str) -> Response:
        """Narrow what a caregiver may do, or until when."""
        found = await given(asked, {"consent", "power", "until"})
        consent, powers, until = found.required("consent", str), found.every("power", str), found.instant("until")
        made = await mandates.change(asked.visit, id, consent, powers, until, asked.base)
        return answers.wrote(asked, written(made, created=False))

    @doors.opens("POST", "/Patient/{id:id}/$end-delegation", described.taking([], described.RESOURCE))
    async def end(asked: Asked, id: str) -> Response:
        """End a delegation, or withdraw an invitation; a caregiver leaves so."""
        consent = (await given(asked, {"consent"})).required("consent", str)
        made = await mandates.end(asked.visit, id, consent, asked.base)
        return answers.wrote(asked, written(made, created=False))


_NOTHING = {"resourceType": "Parameters"}


def _invited(found: Given) -> Invited:
    names = (found.required(name, str) for name in ("family", "given", "birthDate"))
    return Invited.of(found.required("identifier", dict), *names)


def _part(invitation: dict[str, Any]) -> dict[str, Any]:
    powers = [{"name": "power", "valueCode": power} for power in invitation.pop("powers")]
    return {"name": "invitation", "part": [*parameters(**invitation)["parameter"], *powers]}
