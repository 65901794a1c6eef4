"""Masks, sections, default confidentiality and preferences, over HTTP."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from fhir import operation
from phr import masks, preferences
from phr.api import answers, described, parameters
from phr.api.asked import Asked
from phr.api.doors import Doors

CHOSEN = ("document", "section", "category", "all")


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("POST", "/Patient/{id:id}/$mask", described.taking([], described.RESOURCE))
    async def mask(asked: Asked, id: str) -> Response:
        """Keep documents, sections or categories from professionals; what is masked then."""
        found = await masks.change(asked.visit, id, await _chosen(asked), asked.base, masks=True)
        return answers.json_answer(asked, _told(found))

    @doors.opens("POST", "/Patient/{id:id}/$unmask", described.taking([], described.RESOURCE))
    async def unmask(asked: Asked, id: str) -> Response:
        """Show them again; what is masked then."""
        found = await masks.change(asked.visit, id, await _chosen(asked), asked.base, masks=False)
        return answers.json_answer(asked, _told(found))

    @doors.opens("GET", "/Patient/{id:id}/$preferences", described.taking([]))
    async def shown(asked: Asked, id: str) -> Response:
        """Every preference, as it holds now."""
        return answers.json_answer(asked, _listed(await preferences.shown(asked.visit, id)))

    @doors.opens("POST", "/Patient/{id:id}/$preferences", described.taking([], described.RESOURCE))
    async def prefer(asked: Asked, id: str) -> Response:
        """Change the preferences that are named; every preference, as it holds then."""
        given = await parameters.given(asked, preferences.PREFERENCES)
        wanted = {name: given.required(name, bool) for name in given.values}
        return answers.json_answer(asked, _listed(await preferences.prefer(asked.visit, id, wanted)))


async def _chosen(asked: Asked) -> masks.Chosen:
    given = await parameters.given(asked, CHOSEN)
    return masks.Chosen(
        documents=tuple(masks.document_id(_reference(one)) for one in given.every("document", object)),
        sections=given.every("section", str),
        categories=given.every("category", str),
        everything=bool(given.one("all", bool)),
    )


def _reference(value: Any) -> str:
    """A document as valueReference, or its reference as a string."""
    return str(value.get("reference") if isinstance(value, Mapping) else value)


def _told(found: masks.Masked) -> dict[str, Any]:
    listed = [{"name": "section", "valueCode": code} for code in found.sections]
    listed += [{"name": "category", "valueCode": code} for code in found.categories]
    whole = _listed({"all": found.everything, "default": found.new})
    return {**whole, "parameter": [*listed, *whole["parameter"]]}


def _listed(said: Mapping[str, bool]) -> dict[str, Any]:
    return operation.parameters(**said)
