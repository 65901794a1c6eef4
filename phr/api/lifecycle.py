"""Closing, reopening and destroying a record, over HTTP."""

from fastapi.responses import Response

from fhir.operation import parameters
from phr import closing
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.lifecycle import Life

_TOLD = described.taking([], described.RESOURCE)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("POST", "/Patient/{id:id}/$close", _TOLD, fresh=True)
    async def close(asked: Asked, id: str) -> Response:
        """Close one's own record."""
        said = await given(asked, {"reason"})
        return _told(asked, await closing.close(asked.visit, id, said.one("reason", str) or ""))

    @doors.opens("POST", "/Patient/{id:id}/$reopen", _TOLD, fresh=True)
    async def reopen(asked: Asked, id: str) -> Response:
        """Open it again, before it is destroyed."""
        await given(asked, ())
        return _told(asked, await closing.reopen(asked.visit, id))

    @doors.opens("POST", "/Patient/{id:id}/$erase", _TOLD, fresh=True)
    async def erase(asked: Asked, id: str) -> Response:
        """Ask that it be destroyed, in a month."""
        await given(asked, ())
        return _told(asked, await closing.erase(asked.visit, id))


def _told(asked: Asked, life: Life) -> Response:
    """`state` open or closed; `until`: the instant it is destroyed, if it is."""
    until = None if life.until is None else {"valueInstant": life.until.isoformat(timespec="milliseconds")}
    state = {"valueCode": "open" if life.closed is None else "closed"}
    return answers.json_answer(asked, parameters(state=state, until=until))
