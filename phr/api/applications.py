"""The catalogue of referenced services and what a person granted them, over HTTP."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from auth.server import AuthServer
from fhir.operation import parameters
from phr import applications, catalogue, provenance, reading
from phr.api import answers, described
from phr.api.asked import Asked, kind_named
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.core.errors import absent

_CACHED = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("POST", "/Patient/{id:id}/$withdraw-application", described.taking([], described.RESOURCE))
    async def withdraw(asked: Asked, id: str) -> Response:
        """Take back an application's access (`client`), and delete what it wrote if asked (`erase`).

        Rights stay, and are ended; letters that were sent stay: they are their recipients' too.
        """
        told = await given(asked, {"client", "erase"})
        client, erase = told.required("client", str), told.one("erase", bool) is True
        done = await applications.withdraw(asked.visit, id, client, erase=erase)
        return answers.json_answer(asked, parameters(ended=done.ended, erased=done.erased))

    @doors.opens("GET", "/{kind:type}/{id:id}/$provenance", described.taking([]))
    async def show_provenance(asked: Asked, kind: str, id: str) -> Response:
        """Which application wrote the current version of a resource, as a FHIR Provenance."""
        row, view = await reading.read(asked.visit, kind_named(kind), id)
        if row.record is None:
            raise absent()
        return answers.json_answer(asked, provenance.provenance_of(row.json(view.keyring), row.record))


def router(server: AuthServer, words: Callable[[str, str], str]) -> APIRouter:
    """/catalogue, open to all. `words`: a scope and a language, to a sentence for people."""
    routes = APIRouter(tags=["catalogue"])

    @routes.get("/catalogue")
    def listed() -> JSONResponse:
        """Every referenced service."""
        with Session(server.engine) as session:
            found = [catalogue.entry(one, words) for one in catalogue.listed(session)]
        return JSONResponse({"services": found}, headers=_CACHED)

    @routes.get("/catalogue/{id:path}")
    def one(id: str) -> JSONResponse:
        """One referenced service."""
        with Session(server.engine) as session:
            found: Any = catalogue.find(session, id)
        if found is None:
            raise absent()
        return JSONResponse(catalogue.entry(found, words), headers=_CACHED)

    return routes
