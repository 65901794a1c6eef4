"""The page of a pharmacist with only a browser: the prescriptions sent to their pharmacy, a code typed or scanned.

The rule: the page shows what the API shows this pharmacist, and nothing else; a code is posted, never in an address,
and the fragment of a link never leaves the browser; a picture is read and forgotten.
"""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from auth.server import AuthServer
from fhir.operation import parameters
from phr.access.consent import STRUCTURES
from phr.web import counter, scan
from phr.web.api import Api
from phr.web.moves import problem_of
from phr.web.pages import PRIVATE, Pages, form_of, to
from phr.web.practising import Practising, languages, practising
from phr.web.prescribed import Prescription, prescription_of
from phr.web.prescribed_lines import values_of
from phr.web.professional import SIGN_IN
from phr.web.redeem import resources

HOME = counter.PHARMACY
SCAN = f"{HOME}/scan"
LINK = "/p"
"""Where the QR of a prescription leads."""
TOKEN = "Carnet-Form"  # noqa: S105
"""The header by which the script that scans shows the token of its page."""
_DONE = ("release", "reject")


def router(server: AuthServer) -> APIRouter:
    """/pro/pharmacy, and /p for who scans a code with anything else."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def shown(here: Practising, problem: str = "", status: int = 200) -> Response:
        async with here.calling() as api:
            inbox = await _inbox(here, api) if here.pharmacist else []
        done = here.done(_DONE)
        values = {
            "pharmacist": here.pharmacist,
            "inbox": inbox,
            "problem": problem,
            "done": f"pharmacy_done_{done}" if done and not problem else "",
        }
        return here.page("pharmacy.html", {**values, "scan": SCAN, "token": TOKEN, "at": here.at}, status)

    def stranger(request: Request, template: str, status: int = 200) -> Response:
        # No redirect: a browser would carry the fragment, and the code in it, to the provider's address.
        kept = languages(request)
        values = {"sign_in": to(SIGN_IN, [("next", HOME), *kept]), "pharmacy": to(HOME, kept), "pharmacist": False}
        return pages.page(request, template, values, status=status, query=kept, script=True)

    @routes.get(HOME)
    async def home(request: Request) -> Response:
        here = await practising(server, pages, request)
        return stranger(request, "pharmacy_closed.html") if here is None else await shown(here)

    @routes.post(HOME)
    async def open_code(request: Request) -> Response:
        form, here = await form_of(request), await practising(server, pages, request)
        if here is None:
            return stranger(request, "pharmacy_closed.html", 401)
        if not pages.honest(request, form):
            return await shown(here, "expired", 403)
        async with here.calling() as api:
            answer = await api.post("Task/$open-prescription", parameters(code=dict(form).get("code", "")))
        problem = problem_of(answer, "pharmacy")
        if problem is not None:
            wrong = answer.status_code == 422  # nothing typed
            return await shown(here, "pharmacy_problem_403" if wrong else problem, answer.status_code)
        return here.go(f"{HOME}/{values_of(answer.json()['parameter'])['task']['id']}")

    @routes.post(SCAN)
    async def read_picture(request: Request) -> Response:
        """The code in a PNG: 200 with it, 204 when there is none to read, 413, 415."""
        here = await practising(server, pages, request)
        if here is None or not pages.honest(request, [("csrf", request.headers.get(TOKEN, ""))]):
            return Response(status_code=403, headers=PRIVATE)
        picture = bytearray()
        async for chunk in request.stream():
            picture += chunk
            if len(picture) > scan.LARGEST:
                return Response(status_code=413, headers=PRIVATE)
        try:
            code = await run_in_threadpool(scan.code_in, bytes(picture))
        except ValueError:
            return Response(status_code=415, headers=PRIVATE)
        return (
            Response(status_code=204, headers=PRIVATE) if code is None else JSONResponse({"code": code}, 200, PRIVATE)
        )

    @routes.get(LINK)
    async def link(request: Request) -> Response:
        here = await practising(server, pages, request)
        if here is None or not here.pharmacist:
            return stranger(request, "prescription_link.html")
        return here.page("prescription_link.html", {"pharmacist": True, "pharmacy": here.at(HOME)})

    routes.include_router(counter.router(server))  # last: its addresses would take /pro/pharmacy/scan for an id
    return routes


async def _inbox(here: Practising, api: Api) -> list[Prescription]:
    """What was sent to this pharmacy, or is in its hands, the newest first."""
    asked = {"owner:identifier": f"{STRUCTURES}|{here.who.structure}", "_count": "50"}
    answer = await api.get(f"Task?{urlencode(asked)}")
    found = resources(answer.json()) if answer.status_code == 200 else []
    return [prescription_of(one, here.language) for one in found]
