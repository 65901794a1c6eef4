"""Assistants: named by a professional, of the same structure, with at most their rights, until the naming ends."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from auth import assistants, grants, provider_sessions, sessions, tables
from auth.assistants import MOST, Naming, NamingRefusal, Offer
from auth.professionals import Professional
from auth.psc import professionals
from auth.sandbox import people
from auth.sessions import Visitor
from tests.auth.city import City, hidden
from tests.auth.elsewhere import Elsewhere, arrive

GP, SECRETARY = people.rpps(11), "ANS20260000000041"
HOME = "/professional/assistants"


@pytest.fixture
def elsewhere(city: City, tmp_path: Path) -> Elsewhere:
    with Session(city.engine) as session, session.begin():
        session.execute(delete(tables.assistant))
    return Elsewhere(city, tmp_path)


def who(elsewhere: Elsewhere, person: str) -> Professional:
    return professionals(elsewhere.psc.people[person].userinfo, sandbox=True)[0]


def name(elsewhere: Elsewhere, person: str, number: str, **how: Any) -> Naming | NamingRefusal:
    city = elsewhere.city
    with Session(city.engine) as session, session.begin():
        return assistants.name(
            session, city.keys, who(elsewhere, person), number, city.clock(), **({"sandbox": True} | how)
        )


def offered(elsewhere: Elsewhere, person: str) -> list[Offer]:
    city = elsewhere.city
    with Session(city.engine) as session:
        return assistants.offers(session, city.keys, [who(elsewhere, person)])


def test_naming_is_offered_to_the_one_named(elsewhere: Elsewhere) -> None:
    assert isinstance(name(elsewhere, "gp", f" {SECRETARY[:3]} {SECRETARY[3:]} "), Naming)
    assert isinstance(name(elsewhere, "gp", SECRETARY), Naming)
    [own, other] = offered(elsewhere, "secretary")
    assert (own.professional, own.person.id) == (None, SECRETARY)
    assert other.professional == who(elsewhere, "gp")
    assert len(offered(elsewhere, "nurse")) == 1


def test_who_works_elsewhere_is_not_offered_it(elsewhere: Elsewhere) -> None:
    assert isinstance(name(elsewhere, "gp", people.rpps(31)), Naming)
    assert len(offered(elsewhere, "nurse")) == 1


@pytest.mark.parametrize(
    ("person", "number", "how", "refusal"),
    [
        ("gp", "nonsense", {}, NamingRefusal.MALFORMED),
        ("gp", "", {}, NamingRefusal.MALFORMED),
        ("gp", SECRETARY, {"sandbox": False}, NamingRefusal.MALFORMED),
        ("gp", GP, {}, NamingRefusal.ONESELF),
        ("trainee", SECRETARY, {}, NamingRefusal.NOT_ENTITLED),
        ("secretary", GP, {}, NamingRefusal.NOT_ENTITLED),
    ],
)
def test_a_naming_refused(
    elsewhere: Elsewhere, person: str, number: str, how: dict[str, bool], refusal: NamingRefusal
) -> None:
    assert name(elsewhere, person, number, **how) is refusal
    with Session(elsewhere.city.engine) as session:
        assert session.execute(select(tables.assistant)).all() == []


def test_without_a_structure_there_is_no_same_structure(elsewhere: Elsewhere) -> None:
    city, lone = elsewhere.city, Professional(GP, "A", "B", "10", "C", "", "", "", "", "")
    with Session(city.engine) as session:
        made = assistants.name(session, city.keys, lone, SECRETARY, city.clock(), sandbox=True)
    assert made is NamingRefusal.NO_STRUCTURE


def test_fifty_are_enough(elsewhere: Elsewhere) -> None:
    for n in range(MOST):
        assert isinstance(name(elsewhere, "gp", f"ANS{n:05}"), Naming)
    assert name(elsewhere, "gp", SECRETARY) is NamingRefusal.TOO_MANY


def test_the_database_holds_no_number(elsewhere: Elsewhere) -> None:
    name(elsewhere, "gp", SECRETARY)
    with Session(elsewhere.city.engine) as session:
        [row] = session.execute(select(tables.assistant)).all()
    assert SECRETARY.encode() not in row.sealed
    assert b"GARNIER" not in row.sealed


async def sign_in(browser: httpx.AsyncClient, person: str, chosen: str = "0") -> httpx.Response:
    await arrive(browser, person)
    page = await browser.get("/signin/professional/activity")
    form = {"csrf": hidden(page), "activity": chosen}
    answer = await browser.post("/signin/professional/activity", data=form)
    return answer if answer.status_code != 303 else await browser.get(answer.headers["location"])


def visitor(city: City, browser: httpx.AsyncClient) -> Visitor | None:
    return city.server.visitor(browser.cookies.get("__Host-carnet_session"))


async def test_from_naming_to_dismissal_in_two_browsers(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as doctor, city.browser() as helper:
        page = await sign_in(doctor, "gp")
        assert "Vous n’avez désigné personne" in page.text
        wrong = await doctor.post(HOME, data={"csrf": hidden(page), "number": "<b>"})
        assert wrong.status_code == 400
        assert 'aria-invalid="true"' in wrong.text
        assert "&lt;b&gt;" in wrong.text
        await doctor.post(HOME, data={"csrf": hidden(wrong), "number": SECRETARY})
        page = await doctor.get(HOME)
        assert SECRETARY in page.text

        await arrive(helper, "secretary")
        choices = await helper.get("/signin/professional/activity")
        assert "Pour Hélène GARNIER" in choices.text
        page_of_helper = await sign_in(helper, "secretary", "1")
        assert "Seul le professionnel" in page_of_helper.text
        found = visitor(city, helper)
        assert found is not None
        assert found.professional is not None
        assert found.assistant is not None
        assert (found.professional.id, found.assistant.id) == (GP, SECRETARY)
        assert found.name == "Maud TESSIER"

        grant = _grant(city, found)
        ended = re.search(r'name="end" value="([0-9a-f-]+)"', page.text)
        assert ended is not None
        forged = await doctor.post(HOME, data={"csrf": "0" * 64, "end": ended[1]})
        assert forged.status_code == 400
        await doctor.post(HOME, data={"csrf": hidden(page), "end": ended[1]})
        assert visitor(city, helper) is None
        assert visitor(city, doctor) is not None
        with Session(city.engine) as session:
            assert grants.is_revoked(session, [grant])
        await arrive(helper, "secretary")
        assert "Pour Hélène" not in (await helper.get("/signin/professional/activity")).text


def _grant(city: City, found: Visitor) -> UUID:
    """A grant given in this session, as the consent page writes it."""
    row = {
        "id": found.id, "account": found.subject, "client": "x", "sealed": b"", "created": city.clock(),
        "session": found.id,
    }  # fmt: skip
    with Session(city.engine) as session, session.begin():
        session.execute(insert(tables.grant).values(row))
    return found.id


async def test_signing_out_ends_the_session_here(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as browser:
        page = await sign_in(browser, "gp")
        secret = browser.cookies.get("__Host-carnet_session")
        forged = await browser.post(HOME, data={"csrf": "0" * 64, "leave": "yes"})
        assert forged.status_code == 400
        assert city.server.visitor(secret) is not None
        answer = await browser.post(HOME, data={"csrf": hidden(page), "leave": "yes"})
        assert "Vous êtes déconnecté" in answer.text
        assert "__Host-carnet_session" not in browser.cookies
    assert city.server.visitor(secret) is None


async def test_an_assistant_names_nobody(elsewhere: Elsewhere) -> None:
    name(elsewhere, "gp", SECRETARY)
    async with elsewhere.city.browser() as helper:
        await sign_in(helper, "secretary", "1")
        token = hidden(await helper.get("/signin?ui_locales=fr"))
        answer = await helper.post(HOME, data={"csrf": token, "number": people.rpps(31)})
    assert answer.status_code == 400
    with Session(elsewhere.city.engine) as session:
        assert len(session.execute(select(tables.assistant)).all()) == 1


async def test_a_naming_ended_while_choosing_is_not_chosen(elsewhere: Elsewhere) -> None:
    city, naming = elsewhere.city, name(elsewhere, "gp", SECRETARY)
    assert isinstance(naming, Naming)
    async with city.browser() as helper:
        await arrive(helper, "secretary")
        page = await helper.get("/signin/professional/activity")
        with Session(city.engine) as session, session.begin():
            assert assistants.dismiss(session, city.keys, naming.professional, naming.id, city.clock())
        form = {"csrf": hidden(page), "activity": "1"}
        answer = await helper.post("/signin/professional/activity", data=form)
        assert answer.status_code == 400
        assert "plus possible" in answer.text
        assert visitor(city, helper) is None


async def test_nobody_reads_the_page_without_signing_in(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        assert (await browser.get(HOME)).headers["location"] == "/signin/professional"
        assert (await browser.post(HOME, data={"end": "x"})).headers["location"] == "/signin/professional"


def test_a_session_begun_while_the_naming_ends_does_not_outlive_it(elsewhere: Elsewhere) -> None:
    """Either the session is refused, or it is ended: whatever comes first, on two real connections."""
    city = elsewhere.city
    for _ in range(10):
        naming = name(elsewhere, "gp", SECRETARY)
        assert isinstance(naming, Naming)
        offer, start = Offer(who(elsewhere, "secretary"), naming.professional), Barrier(2)

        def begin(offer: Offer = offer, start: Barrier = start) -> str | None:
            holder = offer.professional
            assert holder is not None
            start.wait()
            with Session(city.engine) as session, session.begin():
                if not assistants.holds(session, city.keys, offer):
                    return None
                proof = sessions.Proof((), "eidas1", city.clock())
                made, secret = sessions.start(session, city.keys, holder, proof, "", city.clock(), offer.person)
                mark = provider_sessions.assistance(city.keys, holder.id, offer.person.id)
                until = city.clock() + sessions.PROFESSIONAL_LIFETIME
                provider_sessions.bind_session(session, [mark], made, holder.subject(city.keys), until)
                return secret

        def stop(naming: Naming = naming, start: Barrier = start) -> None:
            start.wait()
            with Session(city.engine) as session, session.begin():
                assistants.dismiss(session, city.keys, naming.professional, naming.id, city.clock())

        with ThreadPoolExecutor(2) as pool:
            begun, stopped = pool.submit(begin), pool.submit(stop)
            stopped.result()
            assert city.server.visitor(begun.result()) is None


def test_naming_for_another_structure_moves_the_naming(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    naming = name(elsewhere, "gp", SECRETARY)
    assert isinstance(naming, Naming)
    holder, helper = naming.professional, who(elsewhere, "secretary")
    with Session(city.engine) as session, session.begin():
        proof = sessions.Proof((), "eidas1", city.clock())
        made, secret = sessions.start(session, city.keys, holder, proof, "", city.clock(), helper)
        mark = provider_sessions.assistance(city.keys, holder.id, helper.id)
        until = city.clock() + sessions.PROFESSIONAL_LIFETIME
        provider_sessions.bind_session(session, [mark], made, holder.subject(city.keys), until)
    assert isinstance(name(elsewhere, "gp", SECRETARY), Naming)
    assert city.server.visitor(secret) is not None
    with Session(city.engine) as session, session.begin():
        moved = replace(holder, structure="1690991028")
        assert isinstance(assistants.name(session, city.keys, moved, SECRETARY, city.clock(), sandbox=True), Naming)
    assert city.server.visitor(secret) is None
    assert len(offered(elsewhere, "secretary")) == 1
