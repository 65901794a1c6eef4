"""Care relations, emergencies, blocks and designations, over HTTP."""

from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response

from fhir.outcome import ALL_OK, outcome
from phr import blocks, emergencies, inbox, records, relations
from phr.access.consent import Actor
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import Given, given
from phr.core.errors import invalid
from phr.writing import Written

ACCESS = ("basis", "informed", "motive")


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
    taking = described.taking(described.PREFER, described.RESOURCE)

    @doors.opens("POST", "/Patient/{id:id}/$open-access", taking, status_code=201)
    async def open_access(asked: Asked, id: str) -> Response:
        """A professional opens an access: in care, or in an emergency."""
        return answers.wrote(asked, await _opened(asked, id, await given(asked, ACCESS)))

    @doors.opens("POST", "/Patient/$open-access", taking, status_code=201)
    async def open_access_by_ins(asked: Asked) -> Response:
        """The same, of a person named by their INS."""
        said = await given(asked, (*ACCESS, "identifier"))
        identifier, installation = said.required("identifier", dict), asked.visit.installation
        system, value = str(identifier.get("system", "")), str(identifier.get("value", ""))
        async with installation.database.session() as session:
            record = await records.find(session, installation, system, value)
        return answers.wrote(asked, await _opened(asked, record, said))

    @doors.opens("POST", "/Patient/{id:id}/$end-access", taking)
    async def end_access(asked: Asked, id: str) -> Response:
        """End an access or a designation, by the id of its Consent."""
        said = await given(asked, ("consent",))
        return answers.wrote(asked, await relations.end_access(asked.visit, id, said.required("consent", str)))

    @doors.opens("POST", "/Patient/{id:id}/$block", taking, status_code=201)
    async def block(asked: Asked, id: str) -> Response:
        """Keep a professional or a structure out."""
        made = await blocks.block(asked.visit, id, _actor(await given(asked, ("professional", "structure", "name"))))
        return _done(asked) if made is None else answers.wrote(asked, made)

    @doors.opens("POST", "/Patient/{id:id}/$allow", taking)
    async def allow(asked: Asked, id: str) -> Response:
        """Lift a block; nothing that it ended comes back."""
        await blocks.allow(asked.visit, id, _actor(await given(asked, ("professional", "structure", "name"))))
        return _done(asked)

    @doors.opens("POST", "/Patient/{id:id}/$designate", taking, status_code=201)
    async def designate(asked: Asked, id: str) -> Response:
        """Name the treating physician, or an administrator."""
        said = await given(asked, ("role", "professional", "name"))
        role = said.coded("role") or said.required("role", str)
        return answers.wrote(asked, await blocks.designate(asked.visit, id, role, _actor(said)))

    @doors.opens("GET", "/Patient/$relations", described.taking(described.PAGING))
    async def open_relations(asked: Asked) -> Response:
        """A professional's open accesses: their Consents, each read in its own record."""
        page = await inbox.relations(asked.visit, asked.pairs)
        entries = [{"fullUrl": f"{asked.base}/Consent/{one['id']}", "resource": one} for one in page.found]
        return _collection(asked, "$relations", entries, page.next)

    @doors.opens("GET", "/Patient/$told", described.taking(described.PAGING))
    async def told(asked: Asked) -> Response:
        """The emergencies a treating physician is told of: whose record, and when."""
        page = await inbox.told(asked.visit, asked.pairs)
        entries = [{"resource": _emergency(one)} for one in page.found]
        return _collection(asked, "$told", entries, page.next)


async def _opened(asked: Asked, record: str | None, said: Given) -> Written:
    basis = said.coded("basis") or said.required("basis", str)
    motive, informed = said.one("motive", str), said.one("informed", bool) is True
    if basis in emergencies.PURPOSES:
        return await emergencies.open_access(asked.visit, record, basis, motive)
    return await relations.open_access(asked.visit, record, basis, informed=informed)


def _actor(said: Given) -> Actor:
    """The professional or the structure that is named: one of them."""
    found = [(what, said.one(what, dict)) for what in ("professional", "structure")]
    named = [(what, identifier) for what, identifier in found if identifier is not None]
    if len(named) != 1:
        raise invalid("One professional is named, or one structure.", "Parameters.parameter", "required")
    return blocks.named(*named[0], said.one("name", str) or "")


def _emergency(one: dict[str, Any]) -> dict[str, Any]:
    patient = {"name": "patient", "valueReference": {"reference": f"Patient/{one['patient']}"}}
    at = {"name": "at", "valueInstant": one["at"].isoformat(timespec="milliseconds")}
    return {"resourceType": "Parameters", "parameter": [patient, at]}


def _collection(asked: Asked, name: str, entries: list[dict[str, Any]], cursor: str | None) -> Response:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    if cursor is not None:
        link = f"{asked.base}/Patient/{name}?{urlencode({'_cursor': cursor})}"
        bundle["link"] = [{"relation": "next", "url": link}]
    return answers.json_answer(asked, bundle | ({"entry": entries} if entries else {}))


def _done(asked: Asked) -> Response:
    return answers.json_answer(asked, outcome([ALL_OK]))
