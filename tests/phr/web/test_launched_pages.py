"""The page that a card's SMART link opens: from a call of a hook to a professional's word in the record, over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy.orm import Session

from auth import clients
from auth.clients import Kind
from phr.prevention.dates import add, day
from phr.web import launched, professional
from phr.web.words import TEXTS
from tests import kin
from tests.house import House
from tests.kin import Person
from tests.phr.care import DOCTOR, STRANGER, software
from tests.phr.test_cds_hooks import KEY as SIGNING
from tests.phr.test_cds_hooks import SELECT, VIEW, body, orders, ours, request, signed
from tests.phr.test_prevention import BREAST, no_risk, post
from tests.phr.web.dispensary import counter_browser
from tests.phr.web.household import Browser, read

FR, EN = TEXTS["fr"], TEXTS["en"]
APP = "/pro/prevention"
TITLE = "Dépistage du cancer du sein"
Json = dict[str, Any]


@pytest.fixture
async def nadia(house: House) -> Person:
    """A woman of 52, a patient of the doctor's."""
    born, name = add(day(house.now()), -52 * 12 - 2).isoformat(), [{"family": "Benali", "given": ["Nadia"]}]
    record = await house.open_record(name=name, birthDate=born, gender="female")
    account = await kin.enroll(house, record, "Nadia Benali", "nadia@poste.test", born)
    found = Person(house, "", "Nadia", "Benali", born, record, account, "nadia@poste.test")
    await post(house.depositor(), no_risk(found.record, add(day(house.now()), -1).isoformat()))
    await house.relate(found.record, DOCTOR.id)
    return found


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Browser]:
    """The doctor's browser."""
    async with counter_browser(house, DOCTOR) as opened:
        yield opened


@pytest.fixture(autouse=True)
def registered(house: House) -> None:
    """The doctor's software, and its key."""
    jwks = {"keys": [SIGNING.as_dict(private=False)]}
    with Session(house.parts.engine) as session, session.begin():
        known: Json = {"scopes": ["user/*.cruds"], "jwks": jwks, "now": house.now()}
        clients.register(session, id="software", name="software", kind=Kind.PROFESSIONAL, **known)


async def links(house: House, who: Person, service: str = VIEW, **context: Any) -> dict[str, Json]:
    """The SMART link of each card of the doctor's software, by the rule it is about."""
    said = body(service, **ours(house, software(house), who.record, **context))
    header = {"Authorization": signed(house, service)}
    answer = await house.http.post(f"/cds-services/{service}", json=said, headers=header)
    assert answer.status_code == 200, answer.text
    return {
        card["source"].get("topic", {"code": "questions"})["code"]: link
        for card in answer.json()["cards"]
        for link in card["links"]
        if link["type"] == "smart"
    }


async def handed(house: House, desk: Browser, record: str, context: str = "", **form: str) -> httpx.Response:
    """A launch context, as the doctor's software asks for it."""
    asked = {"client_id": "carnet-pages", "patient": record, "appContext": context, **form}
    bearer = {"Authorization": f"Bearer {software(house).token}"}
    return await desk.http.post("/oauth/launch", data=asked, headers=bearer)


async def opens(house: House, desk: Browser, record: str, context: str = "") -> httpx.Response:
    """The launch URL, with the parameters of a new launch."""
    made = (await handed(house, desk, record, context)).json()
    return await desk.get(f"{APP}?{urlencode({'iss': made['iss'], 'launch': made['launch']})}")


def page_of(who: Person) -> str:
    return f"/pro/record/{who.record}/prevention"


def card(page: httpx.Response, rule: str = BREAST) -> str:
    """What is read in the card of one recommendation."""
    return read(replaced(page, page.text.partition(f'id="{rule}"')[2].partition('<details class="wide">')[0]))


def replaced(page: httpx.Response, text: str) -> httpx.Response:
    return httpx.Response(page.status_code, text=f"<main>{text}")


# The launch


async def test_a_card_leads_to_the_page_of_what_it_is_about(house: House, nadia: Person, desk: Browser) -> None:
    found = await links(house, nadia)
    assert set(found) >= {BREAST, "questions"}
    assert {link["url"] for link in found.values()} == {f"{house.settings.issuer}{APP}"}
    assert found[BREAST]["label"] == "Ouvrir la prévention de cette personne dans Carnet"
    assert json.loads(found[BREAST]["appContext"]) == {"rule": BREAST}
    mammography = orders(request("mammography"))
    assert list(await links(house, nadia, SELECT, **mammography)) == [BREAST]
    there = await opens(house, desk, nadia.record, found[BREAST]["appContext"])
    assert (there.status_code, there.headers["location"]) == (303, f"{page_of(nadia)}#{BREAST}")
    page = await desk.get(page_of(nadia))
    assert page.status_code == 200
    assert "Nadia Benali" in read(page)
    assert "En retard : à faire depuis le" in card(page)
    there = await opens(house, desk, nadia.record, found["questions"]["appContext"])
    assert there.headers["location"] == page_of(nadia)


async def test_what_the_facts_that_were_sent_say_opens_nothing(house: House, nadia: Person) -> None:
    """A patient who is not in a record of ours has no page here."""
    patient = {"resourceType": "Patient", "id": "p", "birthDate": nadia.born, "gender": "female"}
    nothing = dict.fromkeys(("immunizations", "conditions", "observations", "procedures"))
    said = body(prefetch={"patient": patient, **nothing})
    header = {"Authorization": signed(house)}
    found = (await house.http.post(f"/cds-services/{VIEW}", json=said, headers=header)).json()["cards"]
    assert found
    assert {link["type"] for one in found for link in one.get("links", ())} == {"absolute"}


async def test_a_launch_is_good_once_and_for_who_made_it(house: House, nadia: Person, desk: Browser) -> None:
    made = (await handed(house, desk, nadia.record)).json()
    here = {"iss": made["iss"], "launch": made["launch"]}
    async with counter_browser(house, STRANGER) as other:
        spoiled = (await handed(house, desk, nadia.record)).json()["launch"]
        refused = await other.get(f"{APP}?{urlencode({**here, 'launch': spoiled})}")
        assert (refused.status_code, FR["launched_over"] in read(refused)) == (400, True)
    elsewhere = await desk.get(f"{APP}?{urlencode({**here, 'iss': 'https://ehr.test/fhir'})}")
    assert (elsewhere.status_code, FR["launched_elsewhere"] in read(elsewhere)) == (400, True)
    assert (await desk.get(f"{APP}?{urlencode(here)}")).status_code == 303
    for again in (f"{APP}?{urlencode(here)}", f"{APP}?iss={here['iss']}", f"{APP}?iss={here['iss']}&launch=x"):
        refused = await desk.get(again)
        assert (refused.status_code, FR["launched_over"] in read(refused)) == (400, True), again
    assert (await desk.get(APP)).status_code == 400


async def test_who_is_not_signed_in_signs_in_and_comes_back(house: House, nadia: Person, desk: Browser) -> None:
    made = (await handed(house, desk, nadia.record)).json()
    query = [("iss", made["iss"]), ("launch", made["launch"]), ("ui_locales", "en")]
    desk.http.cookies.clear()
    there = await desk.get(f"{APP}?{urlencode(query)}")
    assert there.headers["location"] == f"/signin/professional?{urlencode([('next', APP), *query])}"
    assert professional._after([("next", APP), *query, ("other", "x")]) == f"{APP}?{urlencode(query)}"
    assert (await desk.get(page_of(nadia))).headers["location"] == "/signin/professional"
    assert (await desk.http.post(page_of(nadia), data={})).headers["location"] == "/signin/professional"


@pytest.mark.parametrize(
    "context", ["", "x", "[]", "{}", '{"rule": 7}', '{"rule": "a b"}', '{"rule": "\u00e9"}', "{" * 999]
)
async def test_a_context_that_says_nothing_leads_to_the_page(
    house: House, nadia: Person, desk: Browser, context: str
) -> None:
    assert (await opens(house, desk, nadia.record, context)).headers["location"] == page_of(nadia)


async def test_a_launch_opens_nothing_by_itself(house: House, nadia: Person, desk: Browser) -> None:
    stranger = await house.open_record()
    never = f"{stranger[:3]}-{'0' * 32}"
    told = []
    for record in (stranger, never):
        there = await opens(house, desk, record)
        assert there.status_code == 303
        page = await desk.get(there.headers["location"])
        told.append((page.status_code, read(page)))
    assert told[0] == told[1] == (404, read(await desk.get("/pro/record/x/prevention")))
    assert (await opens(house, desk, "../x")).status_code == 404
    assert (await desk.get(page_of(nadia))).status_code == 200


# The page


async def test_a_professional_says_otherwise_and_takes_it_back(house: House, nadia: Person, desk: Browser) -> None:
    page = page_of(nadia)
    await desk.does(page, rule=BREAST, said="contraindicated", reason="Surveillance spécialisée")
    told = card(await desk.get(f"{page}?done=said"))
    assert f"{TITLE} Ne concerne pas cette personne. Contre-indication notée le" in told
    assert f"({DOCTOR.given} {DOCTOR.family}). Raison : Surveillance spécialisée" in told
    [task] = (await nadia.caller().get(f"Task?patient={nadia.record}")).json()["entry"]
    assert task["resource"]["statusReason"]["text"] == "Surveillance spécialisée"
    sent = await desk.send(page, rule=BREAST, undo="1")
    assert sent.headers["location"] == f"{page}?done=undone#{BREAST}"
    assert "En retard" in card(await desk.get(page))
    again = await desk.send(page, rule=BREAST, undo="1")
    assert (again.status_code, FR["launched_undo_gone"] in read(again)) == (404, True)


async def test_what_is_refused_is_given_back(house: House, nadia: Person, desk: Browser) -> None:
    page = page_of(nadia)
    for form, status, problem in (
        ({"said": "indicated", "reason": "  "}, 422, "launched_reason_missing"),
        ({"said": "indicated", "reason": "r" * 1001}, 422, "launched_reason_missing"),
        ({"said": "declined", "reason": "Un motif"}, 400, "launched_said_missing"),
        ({"reason": "Un motif"}, 400, "launched_said_missing"),
    ):
        refused = await desk.send(page, rule=BREAST, **form)
        assert (refused.status_code, FR[problem] in card(refused)) == (status, True), form
        assert form["reason"] in refused.text
    assert (await desk.send(page, rule="nothing", said="indicated", reason="x")).status_code == 404
    forged = await desk.http.post(page, data={"csrf": "0", "rule": BREAST, "said": "indicated", "reason": "Un motif"})
    assert (forged.status_code, FR["expired"] in card(forged), "Un motif" in forged.text) == (403, True, True)
    assert "entry" not in (await nadia.caller().get(f"Task?patient={nadia.record}")).json()


async def test_what_the_person_masks_changes_nothing_on_the_page(house: House, nadia: Person, desk: Browser) -> None:
    bare = read(await desk.get(page_of(nadia)))
    vaccine = {"resourceType": "Immunization", "status": "completed", "vaccineCode": {"text": "REPEVAX"}}
    vaccine |= {"patient": {"reference": nadia.patient}, "occurrenceDateTime": "2025-06-01"}
    await post(nadia.caller(), vaccine)
    assert read(await desk.get(page_of(nadia))) != bare
    section = {"resourceType": "Parameters", "parameter": [{"name": "section", "valueCode": "vaccinations"}]}
    assert (await nadia.caller().post(f"{nadia.patient}/$mask", section)).status_code == 200
    assert read(await desk.get(page_of(nadia))) == bare


async def test_in_english(house: House, nadia: Person) -> None:
    async with counter_browser(house, DOCTOR, "en") as desk:
        assert EN["launched_intro"] in read(await desk.get(page_of(nadia)))


def test_every_text_is_said_on_a_page() -> None:
    """None is left over, none is missing."""
    here = Path(launched.__file__).parent
    pages = "".join(path.read_text(encoding="utf-8") for path in here.glob("templates/launched*.html"))
    pages += Path(launched.__file__).read_text(encoding="utf-8")
    for name in (one for one in FR if one.startswith("launched_")):
        stem = name.rpartition("_")[0]
        assert name in pages or f"{stem}_" in pages, name
    assert {one for one in FR if one.startswith("launched_")} == {one for one in EN if one.startswith("launched_")}
