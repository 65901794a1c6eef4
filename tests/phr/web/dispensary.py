"""A person with prescriptions and the pharmacies of their town, in browsers: signed in, over ASGI or served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from sqlalchemy.orm import Session

from auth import sessions
from auth.professionals import Professional
from auth.sessions import Proof
from phr.access.consent import STRUCTURES
from phr.app import create_app
from phr.codes import SECTOR
from tests.house import House
from tests.kin import Person
from tests.phr.web.household import Browser
from tests.prescription.rx import PARK, Counter, registered


def practising(house: House, who: Professional) -> str:
    """The secret of a new browser session of a professional."""
    server = house.parts.server
    with Session(server.engine) as session, session.begin():
        now = server.clock()
        proof = Proof(("pwd", "otp", "mfa"), "eidas1", now)
        return sessions.start(session, server.keys, who, proof, "Firefox", now)[1]


@asynccontextmanager
async def counter_browser(house: House, who: Professional = PARK, language: str = "fr") -> AsyncIterator[Browser]:
    """The browser of a professional, without scripts."""
    there = httpx.ASGITransport(app=create_app(house.settings, house.parts))
    told = {"Accept-Language": language}
    async with httpx.AsyncClient(transport=there, base_url=house.settings.issuer, headers=told) as http:
        http.cookies.set("carnet_session", practising(house, who))
        yield Browser(http)


def visits(who: Person) -> Counter:
    """A prescriber and two pharmacies, about this person's record."""
    registered(who.house)
    return Counter(who.house, who.record)


async def listed(house: House, who: Professional = PARK, city: str = "Lyon", sector: str = "SA33") -> str:
    """The structure of a professional, in the directory; the id of its Organization."""
    body = {
        "resourceType": "Organization",
        "identifier": [{"system": STRUCTURES, "value": who.structure}],
        "active": True,
        "type": [{"coding": [{"system": SECTOR, "code": sector}]}],
        "name": who.structure_name,
        "address": [{"line": ["12 rue des Lilas"], "postalCode": "69003", "city": city}],
    }
    answer = await house.operator().post("Organization", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
