"""People of a house in their browsers: signed in, over ASGI or served to a real one, with a record that others see."""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from typing import Any, TypeVar
from uuid import UUID

import httpx
import uvicorn
from sqlalchemy.orm import Session

from auth import accounts, sessions, terms
from auth.sessions import Proof
from phr.access.consent import CLIENT, PROFESSIONALS, STRUCTURES, Actor, Terms
from phr.access.provision import Right
from phr.app import create_app
from phr.core.settings import Settings
from tests import kin
from tests.house import House
from tests.kin import Person
from tests.phr.care import finess, rpps

T = TypeVar("T")
SECTION = re.compile(r'<section aria-labelledby="([a-z-]+)">(.*?)</section>', re.DOTALL)


def session_of(house: House, account: UUID) -> str:
    """The secret of a new browser session of an account, terms accepted."""
    server = house.parts.server
    with Session(server.engine) as session, session.begin():
        now = server.clock()
        terms.accepted(session, server.keys, account, house.settings.terms_version, now)
        who = accounts.find(session, server.keys, account)
        assert who is not None
        return sessions.start(session, server.keys, who, Proof(("pwd", "otp", "mfa"), "mfa", now), "Firefox", now)[1]


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser where somebody is signed in, without scripts: what its pages say, and sending their forms."""

    http: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def send(self, path: str, **form: Any) -> httpx.Response:
        """Post a form with the token of its page."""
        page = await self.http.get(path)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert token is not None, page.text
        return await self.http.post(path, data={"csrf": token[1], **form})

    async def does(self, path: str, **form: Any) -> str:
        """Send a form that is granted: the page it leads to, as it is read."""
        answer = await self.send(path, **form)
        assert answer.status_code == 303, read(answer)
        return read(await self.http.get(answer.headers["location"]))


@asynccontextmanager
async def browser(house: House, account: UUID, language: str = "fr") -> AsyncIterator[Browser]:
    """The browser of an account, over the whole application."""
    there = httpx.ASGITransport(app=create_app(house.settings, house.parts))
    told = {"Accept-Language": language}
    async with httpx.AsyncClient(transport=there, base_url=house.settings.issuer, headers=told) as http:
        http.cookies.set("carnet_session", session_of(house, account))
        yield Browser(http)


def read(page: httpx.Response) -> str:
    """What a person reads on a page."""
    body = page.text.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def sections(page: httpx.Response) -> dict[str, str]:
    """What a person reads in each section of a page, by its name."""
    found = SECTION.findall(page.text)
    return {name: " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split()) for name, body in found}


def doctor(n: int, name: str) -> Actor:
    """A professional with a number whose check digit is right."""
    return Actor(PROFESSIONALS, rpps(n), name)


CLINIC = Actor(STRUCTURES, finess(7), "Clinique du Parc")


async def populate(house: House, who: Person) -> dict[str, str]:
    """One right of each kind in a record, the ids of their Consents by name."""
    now = house.now()
    code = await house.lend(who.record, Terms(Right.ACCESS_CODE, until=now + timedelta(hours=1)))
    petit, roux = doctor(11, "Lou Petit"), doctor(12, "Nadia Roux")
    reason = {"url": "https://carnet.example/StructureDefinition/motive", "valueString": "Patient inconscient"}
    week = now + timedelta(days=7)
    listed = {
        "care": Terms(Right.CARE_RELATION, petit, purpose="care-team", until=week, organization=CLINIC),
        "emergency": Terms(Right.EMERGENCY, roux, purpose="BTG", until=week, extension=(reason,)),
        "lease": Terms(Right.CODE_LEASE, doctor(13, "Jean Morel"), until=week, source=code),
        "treating": Terms(Right.TREATING_PHYSICIAN, doctor(14, "Anne Leroy")),
        "block": Terms(Right.BLOCK, doctor(15, "Paul Blanc"), False),
        "application": Terms(Right.APPLICATION, Actor(CLIENT, "app", "Mon Suivi"), purpose="measures"),
    }
    return {"code": code, **{name: await house.lend(who.record, terms) for name, terms in listed.items()}}


@dataclass(slots=True)
class Served:
    """The whole application on a port, in a thread with a loop of its own."""

    house: House
    issuer: str
    loop: asyncio.AbstractEventLoop

    def wait(self, work: Awaitable[T]) -> T:
        """Run there what is asynchronous."""

        async def done() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(120)


@contextmanager
def serving(settings: Settings, url: str) -> Iterator[Served]:
    """A house served on localhost."""
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = f"http://localhost:{listener.getsockname()[1]}"
    began, over, found = threading.Event(), threading.Event(), list[Served]()

    async def serve() -> None:
        async with House.build(replace(settings, issuer=issuer), url) as house:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(house.settings, house.parts), log_config=None, access_log=False, lifespan="off"
                )
            )
            running = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(0.01)
            found.append(Served(house, issuer, asyncio.get_running_loop()))
            began.set()
            await asyncio.to_thread(over.wait)
            server.should_exit = True
            await running

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        assert began.wait(60)
        yield found[0]
    finally:
        over.set()
        thread.join(30)
        listener.close()


async def family(house: House) -> tuple[Person, Person, Person]:
    """Claire, her child Léo, and Jeanne, whom she cares for."""
    claire = await kin.person(house, "Claire", "Moreau")
    leo = await kin.person(house, "Léo", "Moreau", kin.minor(days=400), account=False)
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    await kin.represent(leo, claire)
    await kin.care(jeanne, claire, "consult", "documents")
    return claire, leo, jeanne
