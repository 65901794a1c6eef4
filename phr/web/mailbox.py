"""GET /sandbox/mail: the mails waiting in the outbox, so that people and scripts read their codes without a server.

The rule: in a sandbox only; the router refuses to be made elsewhere.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth.mail import KIND
from auth.server import AuthServer
from phr.core import outbox
from phr.core.settings import Settings, UnsafeSettingsError
from phr.web.pages import PRIVATE, Pages


def router(server: AuthServer, settings: Settings) -> APIRouter:
    """/sandbox/mail. Raises UnsafeSettingsError outside of a sandbox."""
    if not settings.sandbox:
        raise UnsafeSettingsError("The sandbox's mailbox exists in a sandbox only.")
    routes = APIRouter(tags=["sandbox"])
    pages = Pages(server)

    def waiting(to: str | None) -> list[dict[str, str]]:
        with Session(server.engine) as session:
            found = outbox.waiting(session, server.keys, KIND)
        mails = [{name: str(one.get(name, "")) for name in ("to", "subject", "text")} for one in found]
        return [one for one in mails if to is None or one["to"].casefold() == to.casefold()]

    @routes.get("/sandbox/mail")
    async def mail(request: Request, to: str | None = None) -> Response:
        """The mails not sent, oldest first; `to`: of one address. A page when the browser asks for one."""
        mails = await run_in_threadpool(waiting, to)
        if "text/html" in request.headers.get("accept", ""):
            return pages.page(request, "mailbox.html", {"mails": list(reversed(mails))})
        return JSONResponse(mails, headers=dict(PRIVATE))

    return routes
