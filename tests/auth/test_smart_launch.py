"""SMART App Launch 2.2: standalone launch, the record chosen, and the context a practice's software hands over."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
from joserfc import jws
from sqlalchemy.orm import Session

from auth import accounts, grants
from auth.choices import RecordChoice
from auth.clients import Client
from tests.auth.browsing import DOCTOR, PRACTICE, REGISTERED, code_for, consented, entered, refreshed, tokens
from tests.auth.city import City, Person, allow, asked, returned

RECORD = f"0a1-{uuid4().hex}"


async def launched(city: City, token: str, app: Client, patient: str = RECORD, **more: str) -> httpx.Response:
    async with city.browser() as http:
        form = {"client_id": app.id, "patient": patient, **more}
        return await http.post("/oauth/launch", data=form, headers={"Authorization": f"Bearer {token}"})


async def handed(city: City, app: Client, **more: str) -> str:
    """A launch context made by the doctor's software."""
    software = city.citizen_app(**PRACTICE)
    first = await launched_token(city, software)
    answer = await launched(city, first, app, **more)
    assert answer.status_code == 201, answer.text
    assert answer.json()["iss"] == f"{city.issuer}/fhir"
    launch: str = answer.json()["launch"]
    return launch


async def launched_token(city: City, software: Client) -> str:
    """A token of the doctor's own software."""
    access: str = (await tokens(city, software, DOCTOR, scope="user/Patient.s"))["access_token"]
    return access


async def test_2_0_4_the_context_opens_the_right_record(city: City) -> None:
    """The roadmap's "contexte patient": no search again."""
    app = city.citizen_app(**PRACTICE)
    token = await tokens(city, app, DOCTOR, scope="launch patient/Observation.rs", launch=await handed(city, app))
    assert token["patient"] == RECORD
    assert token["scope"] == "launch patient/Observation.rs"
    claims = city.server.verifier.verify(token["access_token"], city.clock())
    assert (claims.record, claims.subject, claims.professional) == (RECORD, DOCTOR.id, DOCTOR)


async def test_a_context_serves_once_for_one_app_and_one_professional(city: City) -> None:
    app, other = city.citizen_app(**PRACTICE), city.citizen_app(**PRACTICE)
    scope = "launch patient/Observation.rs"
    launch = await handed(city, app)
    somebody = replace(DOCTOR, id="899700218904", family="Autre")
    for who, client in ((DOCTOR, other), (somebody, app)):
        spoiled = await handed(city, app)
        assert returned(await consented(city, client, who, scope=scope, launch=spoiled))["error"] == "invalid_request"
    assert "code" in returned(await consented(city, app, DOCTOR, scope=scope, launch=launch))
    assert returned(await consented(city, app, DOCTOR, scope=scope, launch=launch))["error"] == "invalid_request"


async def test_what_a_card_says_to_the_app_comes_with_its_first_token(city: City) -> None:
    """CDS Hooks 2.0, Link: "sent to the SMART app as part of the OAuth 2.0 access token response"."""
    app, said = city.citizen_app(**PRACTICE), '{"rule": "é"}'
    scope = "launch patient/Observation.rs offline_access"
    first = await tokens(city, app, DOCTOR, scope=scope, launch=await handed(city, app, appContext=said))
    assert first["appContext"] == said
    assert "appContext" not in (await refreshed(city, app, first["refresh_token"])).json()
    assert "appContext" not in await tokens(city, app, DOCTOR, scope=scope, launch=await handed(city, app))
    long = await launched(city, await launched_token(city, city.citizen_app(**PRACTICE)), app, appContext="x" * 1001)
    assert (long.status_code, long.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["aud", "resource"])
async def test_2_0_4_the_app_says_which_fhir_server_it_means(city: City, name: str) -> None:
    """ "aud: URL of the EHR resource server from which the app wishes to retrieve FHIR data"; RFC 8707 §2."""
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    for right in (f"{city.issuer}/fhir", f"{city.issuer}/fhir/"):
        assert "code" in returned(await consented(city, app, lucie, **{name: right}, form=None))
    wrong = await consented(city, app, lucie, **{name: "https://counterfeit.test/fhir"}, form=None)
    assert returned(wrong)["error"] == "invalid_target"


async def test_a_professional_is_offered_only_what_can_be_granted(city: City) -> None:
    app = city.citizen_app(**PRACTICE)
    async with city.browser() as browser:
        entered(city, browser, DOCTOR)
        query = urlencode(asked(app, scope="openid user/Patient.s patient/Observation.rs"))
        page = await browser.get(f"/oauth/authorize?{query}")
    assert 'value="user/Patient.s"' in page.text
    assert 'value="patient/Observation.rs"' not in page.text


async def test_a_context_expires(city: City) -> None:
    app = city.citizen_app(**PRACTICE)
    launch = await handed(city, app)
    city.clock.pass_by(minutes=5, seconds=1)
    answer = await consented(city, app, DOCTOR, scope="launch patient/Observation.rs", launch=launch)
    assert returned(answer)["error"] == "invalid_request"


@pytest.mark.parametrize("changes", [{"scope": "launch patient/Observation.rs"}, {"launch": "x"}])
async def test_the_launch_scope_and_parameter_go_together(city: City, changes: dict[str, str]) -> None:
    app = city.citizen_app(**PRACTICE)
    answer = await consented(city, app, DOCTOR, form=None, **({"scope": "user/Patient.s"} | changes))
    assert returned(answer)["error"] == "invalid_request"


async def test_without_a_context_no_scope_of_a_record_is_granted(city: City) -> None:
    app = city.citizen_app(**PRACTICE)
    token = await tokens(city, app, DOCTOR, scope="user/Patient.s patient/Observation.rs")
    assert token["scope"] == "user/Patient.s"
    assert "patient" not in token


async def test_only_a_professional_hands_a_context_over(city: City) -> None:
    app, citizen = city.citizen_app(**PRACTICE), city.citizen_app(**REGISTERED)
    token = await tokens(city, citizen, city.person())
    refused = await launched(city, token["access_token"], app)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert (await launched(city, "garbage", app)).status_code == 401
    mine = await launched_token(city, city.citizen_app(**PRACTICE))
    assert (await launched(city, mine, citizen)).status_code == 400


async def test_a_revoked_token_hands_nothing_over(city: City) -> None:
    """RFC 7009 §2: a revoked token is nothing at its next use, here as everywhere."""
    app, software = city.citizen_app(**PRACTICE), city.citizen_app(**PRACTICE)
    token = await launched_token(city, software)
    assert (await launched(city, token, app)).status_code == 201
    assert (await city.post("/oauth/revoke", {"token": token, "client_id": software.id})).status_code == 200
    refused = await launched(city, token, app)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


async def test_a_citizen_app_is_not_for_a_professional_nor_the_other_way_round(city: City) -> None:
    app, software = city.citizen_app(**REGISTERED), city.citizen_app(**PRACTICE)
    async with city.browser() as browser:
        entered(city, browser, DOCTOR)
        to_citizens = await browser.get(f"/oauth/authorize?{urlencode(asked(app))}")
        assert to_citizens.headers["location"].startswith("/signin?")
        entered(city, browser, city.person())
        query = urlencode(asked(software, scope="user/Patient.s"))
        to_professionals = await browser.get(f"/oauth/authorize?{query}")
        assert to_professionals.headers["location"].startswith("/signin/professional?")


def choosing(city: City, child: str) -> None:
    """From now on everybody in this city is also a parent of `child`."""

    def records(session: Session, keys: Any, account: accounts.Account, now: Any) -> list[RecordChoice]:
        assert account.record is not None
        return [RecordChoice(account.record, account.name, own=True), RecordChoice(child, "Léo", own=False)]

    city.server.records = records


async def page_of(city: City, browser: httpx.AsyncClient, app: Client, person: Person) -> httpx.Response:
    entered(city, browser, person)
    return await browser.get(f"/oauth/authorize?{urlencode(asked(app))}")


async def test_a_parent_chooses_for_whom(city: City) -> None:
    """The token's `patient` is the record chosen, and `act` says who acts (RFC 8693 §4.1)."""
    app, parent = city.citizen_app(**REGISTERED), city.person()
    choosing(city, RECORD)
    async with city.browser() as browser:
        page = await page_of(city, browser, app, parent)
        assert "Léo" in page.text
        assert page.text.count('type="radio"') == 2
        back = returned(await allow(browser, page, record=RECORD))
    token = (await city.redeem(app, back["code"])).json()
    assert token["patient"] == RECORD
    said = jws.extract_compact(token["access_token"].encode()).payload.decode()
    subject = city.server.subjects.of(parent.id, app.sector)
    assert f'"act":{{"sub":"{subject}"}}' in said
    claims = city.server.verifier.verify(token["access_token"], city.clock())
    assert (claims.record, claims.actor) == (RECORD, str(parent.id))


async def test_their_own_record_needs_no_actor(city: City) -> None:
    app, parent = city.citizen_app(**REGISTERED), city.person()
    choosing(city, RECORD)
    token = await tokens(city, app, parent, form={"record": parent.record})
    claims = city.server.verifier.verify(token["access_token"], city.clock())
    assert (claims.record, claims.actor) == (parent.record, None)


async def test_whose_record_is_not_open_grants_nothing_of_a_record(city: City) -> None:
    app, somebody = city.citizen_app(**REGISTERED), city.person()
    city.server.records = lambda *_: []
    answer = await consented(city, app, somebody, scope="openid patient/Observation.rs")
    assert returned(answer)["error"] == "access_denied"


@pytest.mark.parametrize("record", ["", "0a1-00000000000000000000000000000000"])
async def test_nobody_chooses_what_was_not_offered(city: City, record: str) -> None:
    app, parent = city.citizen_app(**REGISTERED), city.person()
    choosing(city, RECORD)
    answer = await consented(city, app, parent, form={"record": record})
    assert returned(answer)["error"] == "invalid_request"


async def test_a_representation_that_ended_refreshes_nothing(city: City) -> None:
    """A child comes of age: nobody revoked anything, and yet nothing more is given."""
    app, parent = city.citizen_app(**REGISTERED), city.person()
    choosing(city, RECORD)
    first = await tokens(city, app, parent, form={"record": RECORD}, scope="offline_access patient/Observation.rs")
    second = await refreshed(city, app, first["refresh_token"])
    assert second.json()["patient"] == RECORD
    city.server.records = lambda session, keys, account, now: []
    assert (await refreshed(city, app, second.json()["refresh_token"])).status_code == 400
    claims = city.server.verifier.verify(second.json()["access_token"], city.clock())
    with Session(city.engine) as session:
        assert grants.is_revoked(session, [UUID(claims.grant or "")])


async def test_a_scope_the_policy_cannot_express_is_refused(city: City) -> None:
    """Refused at minting, never ignored."""
    app = city.citizen_app(**REGISTERED)
    answer = await consented(city, app, city.person(), scope="patient/Observation.rs?category=vital-signs")
    assert returned(answer)["error"] == "invalid_scope"
    city.server.expressible = lambda scope: True
    assert "code" in returned(
        await consented(city, app, city.person(), scope="patient/Observation.rs?category=vital-signs")
    )
    assert await code_for(city, app, city.person(), scope="patient/Observation.read")
