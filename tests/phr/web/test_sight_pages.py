"""The pages under /me, over the whole application: who sees a record, ending each, who acts for whom, choices."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from fhir.tables import record
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES, Actor, Terms
from phr.access.provision import Right
from phr.web import held
from phr.web.mine import HOME
from phr.web.sight import MOST
from phr.web.words import TEXTS
from tests import kin
from tests.house import House, observation
from tests.kin import Person
from tests.phr import portal
from tests.phr.care import DOCTOR, consents, finess, software
from tests.phr.web.household import CLINIC, SECTION, Browser, browser, doctor, family, populate, read, sections

FR, EN = TEXTS["fr"], TEXTS["en"]
ACCESS, PEOPLE, CHOICES = f"{HOME}/access", f"{HOME}/people", f"{HOME}/choices"


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


@pytest.fixture
async def tab(house: House, claire: Person) -> AsyncIterator[Browser]:
    async with browser(house, claire.account) as opened:
        yield opened


def spaced(text: str) -> str:
    """A text as `read` reads it: every space alike."""
    return text.replace("\u00a0", " ")


async def standing(who: Person, id: str) -> str:
    """The status of a Consent."""
    answer = await who.caller().get(f"Consent/{id}")
    return str(answer.json()["status"])


async def active(who: Person, right: Right) -> list[dict[str, Any]]:
    """The Consents in force about a right."""
    found = await consents(who.caller(), who.record)
    return [one for one in found if one["category"][0]["coding"][0]["code"] == right]


async def test_everybody_who_sees_is_listed_with_why_and_until_when(house: House, claire: Person, tab: Browser) -> None:
    await populate(house, claire)
    jeanne = await kin.person(house, "Jeanne", "Lefèvre")
    await kin.care(claire, jeanne, "consult", "agenda")
    await house.lend(claire.record, Terms(Right.PREFERENCE, purpose="BTG"))
    told = sections(await tab.get(ACCESS))
    assert list(told) == [
        "designated", "care", "emergencies", "leases", "codes", "delegates", "applications", "blocks",
    ]  # fmt: skip
    until = spaced(held.end(house.now() + timedelta(days=7), house.now(), "fr"))
    assert f"Lou Petit Clinique du Parc {FR['held_why_care-relation_care-team']} Depuis le" in told["care"]
    assert until in told["care"]
    assert f"Nadia Roux {FR['held_why_emergency_btg']} Motif indiqué : Patient inconscient" in told["emergencies"]
    assert f"Jean Morel {FR['held_why_code-lease']} {FR['held_lent_all']} Avec le code créé le" in told["leases"]
    assert FR["access_unnamed_access-code"] in told["codes"]
    assert FR["access_used_by"].format(names="Jean Morel") in told["codes"]
    assert f"Jeanne Lefèvre {FR['held_why_caregiver']} {FR['power_consult']}, {FR['power_agenda']}" in told["delegates"]
    assert "Anne Leroy" in told["designated"]
    assert "sans fin." in told["designated"]
    assert "Mon Suivi" in told["applications"]
    assert "Paul Blanc" in told["blocks"]
    async with browser(house, claire.account, "en") as other:
        english = sections(await other.get(ACCESS))
    assert EN["held_why_emergency_btg"] in english["emergencies"]
    assert "until" in english["care"]


async def test_who_sees_a_prescription_or_a_conversation_is_listed_once(
    house: House, claire: Person, tab: Browser
) -> None:
    """They see the record too, were it one piece of it: a page that says it names everybody names them."""
    pharmacy, petit = Actor(STRUCTURES, finess(8), "Pharmacie du Parc"), doctor(11, "Lou Petit")
    for _ in range(2):
        await house.lend(claire.record, Terms(Right.PRESCRIPTION, pharmacy, purpose="dispense"))
        await house.lend(claire.record, Terms(Right.CONVERSATION, petit))
    await house.lend(claire.record, Terms(Right.PRESCRIPTION, doctor(12, "Nadia Roux"), purpose="prescriber"))
    told = sections(await tab.get(ACCESS))["pieces"]
    assert told.count(f"Pharmacie du Parc {FR['held_why_prescription']}") == 1
    assert told.count(f"Lou Petit {FR['held_why_conversation']}") == 1
    home = read(await tab.get("/me"))
    assert FR["me_pieces_many"].format(n=2) in home
    assert FR["me_nobody"] not in home
    assert "Nadia Roux" not in told, "who prescribed sees what is dispensed only if the person agrees"
    await house.lend(claire.record, Terms(Right.PREFERENCE, purpose="tell-prescriber"))
    assert "Nadia Roux" in sections(await tab.get(ACCESS))["pieces"]
    consent = (await active(claire, Right.CONVERSATION))[0]
    assert FR["access_done_blocked"] in await tab.does(ACCESS, do="block", consent=consent["id"])
    assert await active(claire, Right.CONVERSATION) == []
    assert "Lou Petit" not in sections(await tab.get(ACCESS))["pieces"]


async def test_what_is_over_is_not_listed(house: House, claire: Person, tab: Browser) -> None:
    now = house.now()
    past = Terms(Right.CARE_RELATION, doctor(1, "Lou Petit"), since=now - timedelta(2), until=now - timedelta(1))
    await house.lend(claire.record, past)
    ended = await house.lend(claire.record, Terms(Right.CARE_RELATION, doctor(2, "Nadia Roux"), purpose="treating"))
    assert "Nadia Roux" in read(await tab.get(ACCESS))
    await house.end(claire.record, ended)
    page = read(await tab.get(ACCESS))
    assert "Lou Petit" not in page
    assert "Nadia Roux" not in page


async def test_a_long_list_is_whole_but_does_not_bury_the_next(house: House, claire: Person, tab: Browser) -> None:
    for n in range(MOST + 2):
        await house.lend(
            claire.record, Terms(Right.CARE_RELATION, doctor(100 + n, f"Docteur n{n}."), purpose="treating")
        )
    care = next(body for name, body in SECTION.findall((await tab.get(ACCESS)).text) if name == "care")
    before, summary, folded = care.partition(FR["access_others"].format(n=2))
    assert summary
    assert before.count('<li class="card">') == MOST
    assert folded.count('<li class="card">') == 2
    assert all(f"Docteur n{n}." in care for n in range(MOST + 2))


async def test_a_record_is_lent_by_who_may_alone(house: House) -> None:
    """A caregiver never shares: no form is shown that would be refused. A parent is told whose record it is."""
    claire, leo, jeanne = await family(house)
    async with browser(house, claire.account) as tab:
        answer = await tab.get(f"{HOME}/share?record={jeanne.record}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PEOPLE}?record={jeanne.record}")
        answer = await tab.http.post(f"{HOME}/share", data={"record": jeanne.record, "what": "all"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PEOPLE}?record={jeanne.record}")
        assert FR["share_title_other"] + "Léo" in read(await tab.get(f"{HOME}/share?record={leo.record}"))
        assert FR["share_title"] in read(await tab.get(f"{HOME}/share"))


async def test_every_page_of_consents_is_read(house: House, claire: Person, tab: Browser) -> None:
    for n in range(205):
        await house.lend(claire.record, Terms(Right.BLOCK, doctor(100 + n, f"Docteur n{n}."), False))
    page = read(await tab.get(ACCESS))
    assert all(f"Docteur n{n}." in page for n in range(205))


async def test_a_code_and_a_lease_say_what_they_lend(house: House, claire: Person, tab: Browser) -> None:
    shared = {"category": "BIOLOGIE", "minutes": 60}
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "category", "valueString": shared["category"]},
            {"name": "minutes", "valueInteger": shared["minutes"]},
            {"name": "profession", "valueCode": "60"},
        ],
    }
    assert (await claire.caller().post(f"{claire.patient}/$share", body)).status_code == 201
    data = tuple(f"{kind}/{claire.record[:4]}{uuid4().hex}" for kind in ("DocumentReference", "Binary"))
    await house.lend(claire.record, Terms(Right.CODE_LEASE, doctor(1, "Lou Petit"), data=data))
    told = sections(await tab.get(ACCESS))
    assert "Infirmier" in told["codes"]
    assert "Biologie" in told["codes"]
    assert FR["held_lent_documents_one"].format(n=1) in told["leases"]


ENDED = {
    "care": ("end", "ended"),
    "emergency": ("end", "ended"),
    "lease": ("end", "ended"),
    "treating": ("end", "ended"),
    "block": ("allow", "allowed"),
}


@pytest.mark.parametrize("name", ENDED)
async def test_each_has_a_button_that_ends_it(house: House, claire: Person, tab: Browser, name: str) -> None:
    made, (do, done) = await populate(house, claire), ENDED[name]
    assert f'name="do" value="{do}"' in (await tab.get(ACCESS)).text
    page = await tab.does(ACCESS, do=do, consent=made[name])
    assert FR[f"access_done_{done}"] in page
    assert {one: await standing(claire, made[one]) for one in made} == {
        one: "inactive" if one == name else "active" for one in made
    }


async def test_stopping_a_code_ends_what_it_opened(house: House, claire: Person, tab: Browser) -> None:
    made = await populate(house, claire)
    assert FR["access_done_revoked"] in await tab.does(ACCESS, do="revoke", consent=made["code"])
    assert [await standing(claire, made[name]) for name in ("code", "lease")] == ["inactive", "inactive"]


@pytest.mark.parametrize("what", ["block", "block-structure"])
async def test_blocking_somebody_in_the_list_ends_what_they_hold(
    house: House, claire: Person, tab: Browser, what: str
) -> None:
    made = await populate(house, claire)
    text = (await tab.get(ACCESS)).text
    assert text.index(FR[f"access_told_{what}"]) < text.index(f'value="{what}"')
    assert FR["access_done_blocked"] in await tab.does(ACCESS, do=what, consent=made["care"])
    assert await standing(claire, made["care"]) == "inactive"
    named = [one["provision"]["actor"][0]["reference"] for one in await active(claire, Right.BLOCK)]
    wanted = CLINIC if what == "block-structure" else doctor(11, "Lou Petit")
    assert {"identifier": {"system": wanted.system, "value": wanted.value}, "display": wanted.display} in named


async def test_a_professional_in_the_list_is_designated(house: House, claire: Person, tab: Browser) -> None:
    made = await populate(house, claire)
    assert FR["access_done_designated"] in await tab.does(ACCESS, do="treating-physician", consent=made["care"])
    assert await standing(claire, made["treating"]) == "inactive"
    [physician] = await active(claire, Right.TREATING_PHYSICIAN)
    assert physician["provision"]["actor"][0]["reference"]["display"] == "Lou Petit"
    await tab.does(ACCESS, do="administrator", consent=made["care"])
    assert len(await active(claire, Right.ADMINISTRATOR)) == 1
    told = sections(await tab.get(ACCESS))
    roles = [FR[f"access_do_{role}"] for role in ("treating-physician", "administrator")]
    assert [role in told["care"] for role in roles] == [False, False], "they are already"
    assert [role in told["leases"] for role in roles] == [True, True]


async def test_somebody_typed_is_blocked_and_allowed(house: House, claire: Person, tab: Browser) -> None:
    number = doctor(21, "").value.removeprefix("8")
    page = await tab.does(
        ACCESS, do="block-typed", what="professional", number=f" {number[:5]} {number[5:]}", name="Éva"
    )
    assert FR["access_done_blocked"] in page
    [made] = await active(claire, Right.BLOCK)
    assert made["provision"]["actor"][0]["reference"] == {
        "identifier": {"system": RPPS, "value": number},
        "display": "Éva",
    }
    await tab.does(ACCESS, do="allow", consent=made["id"])
    assert await active(claire, Right.BLOCK) == []
    await tab.does(ACCESS, do="block-typed", what="structure", number=CLINIC.value.removeprefix("1"), name="")
    [made] = await active(claire, Right.BLOCK)
    assert made["provision"]["actor"][0]["reference"]["identifier"]["system"] == FINESS
    assert CLINIC.value.removeprefix("1") in sections(await tab.get(ACCESS))["blocks"]
    await tab.does(ACCESS, do="allow", consent=made["id"])
    assert await active(claire, Right.BLOCK) == []


WRONG = {
    "block-typed": ({"what": "professional", "number": "12345678901"}, "me_rpps_wrong"),
    "block-typed structure": ({"what": "structure", "number": "123456789"}, "me_finess_wrong"),
    "designate-typed": ({"role": "administrator", "number": "12345678901"}, "me_rpps_wrong"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_number_is_told_beside_its_form_and_stays_there(claire: Person, tab: Browser, name: str) -> None:
    typed, problem = WRONG[name]
    answer = await tab.send(ACCESS, do=name.partition(" ")[0], name="Docteur Éva Roux", **typed)
    assert answer.status_code == 422
    opened = answer.text.partition('<details class="adding" open>')[2].partition("</details>")[0]
    assert FR[problem] in opened
    assert f'value="{typed["number"]}"' in opened
    assert 'value="Docteur Éva Roux"' in opened
    assert 'aria-invalid="true"' in opened
    assert f'value="{typed.get("what") or typed["role"]}" checked' in opened
    assert [await active(claire, right) for right in (Right.BLOCK, Right.ADMINISTRATOR)] == [[], []]


async def test_who_is_blocked_is_not_designated(house: House, claire: Person, tab: Browser) -> None:
    await populate(house, claire)
    number = doctor(15, "").value.removeprefix("8")
    answer = await tab.send(ACCESS, do="designate-typed", role="treating-physician", number=number, name="")
    assert answer.status_code == 409
    assert FR["me_conflict"] in read(answer)


async def test_an_application_is_withdrawn_and_says_its_purposes(house: House) -> None:
    ada = await portal.portal(house)
    app = portal.service(house)
    await ada.connect(app, "measures", "documents")
    async with browser(house, ada.account) as tab:
        page = await tab.get(ACCESS)
        assert page.text.count("<strong>Mon Suivi</strong>") == 1
        told = sections(page)["applications"]
        assert portal.MEASURES["label_fr"] in told
        assert portal.DOCUMENTS["label_fr"] in told
        [consent, *_] = await ada.consents()
        assert FR["access_done_withdrawn"] in await tab.does(ACCESS, do="withdraw", consent=consent["id"])
        assert await ada.consents() == []


async def test_deleting_what_an_application_wrote_is_asked_twice(house: House) -> None:
    ada = await portal.portal(house)
    app = portal.service(house)
    token = await ada.connect(app, "measures")
    written = await house.http.post(
        "/fhir/Observation",
        json=observation(ada.record),
        headers={"Authorization": f"Bearer {token['access_token']}", "Content-Type": "application/fhir+json"},
    )
    assert written.status_code == 201, written.text
    [consent] = await ada.consents()
    async with browser(house, ada.account) as tab:
        asked = await tab.send(ACCESS, do="erase", consent=consent["id"])
        assert asked.status_code == 200
        assert FR["access_erase"] in read(asked)
        assert len(await ada.consents()) == 1
        page = await tab.does(ACCESS, do="erase", consent=consent["id"], sure="yes")
        assert FR["access_done_erased"] in page
    assert await ada.consents() == []
    assert (await ada.caller().get("Observation")).json().get("entry") is None


async def test_an_application_of_somebody_else_is_theirs_to_withdraw(
    house: House, claire: Person, tab: Browser
) -> None:
    made = await populate(house, claire)
    answer = await tab.send(ACCESS, do="withdraw", consent=made["application"])
    assert answer.status_code == 409
    assert FR["access_app_not_mine"] in read(answer)


async def test_what_is_over_or_of_another_record_is_told_so(house: House, claire: Person, tab: Browser) -> None:
    other = await kin.person(house, "Zoé", "Blanc")
    theirs = await populate(house, other)
    mine = await populate(house, claire)
    await house.end(claire.record, mine["care"])
    for form in ({"do": "end", "consent": theirs["care"]}, {"do": "end", "consent": mine["care"]}, {"do": "nothing"}):
        answer = await tab.send(ACCESS, **form)
        assert answer.status_code == 404
        assert FR["me_over"] in read(answer)
    assert await standing(other, theirs["care"]) == "active"


@pytest.mark.parametrize("path", [ACCESS, PEOPLE, CHOICES])
async def test_a_form_of_another_site_does_nothing(house: House, claire: Person, tab: Browser, path: str) -> None:
    made = await populate(house, claire)
    form = {"do": "end", "consent": made["care"], "shown": "BTG", "was": "BTG", "csrf": "0" * 64}
    answer = await tab.http.post(path, data=form)
    assert answer.status_code == 403
    assert FR["expired"] in read(answer)
    assert await standing(claire, made["care"]) == "active"


@pytest.mark.parametrize("path", [HOME, ACCESS, PEOPLE, CHOICES])
async def test_the_pages_are_for_who_is_signed_in(house: House, path: str) -> None:
    answer = await house.http.get(path, params={"ui_locales": "en"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?ui_locales=en")
    answer = await house.http.post(path, data={"do": "end"})
    assert answer.status_code in (303, 405)


async def test_another_record_in_the_address_is_ones_own(house: House, claire: Person, tab: Browser) -> None:
    other = await kin.person(house, "Zoé", "Blanc")
    await populate(house, other)
    page = await tab.get(f"{ACCESS}?record={other.record}")
    assert "Anne Leroy" not in read(page)
    answer = await tab.send(f"{ACCESS}?record={other.record}", do="block-typed", number="", what="professional")
    assert answer.status_code == 422
    assert len(await active(other, Right.BLOCK)) == 1


async def test_a_closed_record_and_an_account_without_one(house: House, claire: Person, tab: Browser) -> None:
    server = house.parts.server
    records = server.records
    server.records = lambda *_: []
    for path in (HOME, ACCESS, PEOPLE, CHOICES):
        assert FR["me_none"] in read(await tab.get(path))
    server.records = records
    with Session(house.parts.engine) as session, session.begin():
        closed = {"closed": house.now(), "rights": record.c.rights + 1}
        session.execute(update(record).where(record.c.id == claire.record).values(closed))
    for path in (HOME, ACCESS, PEOPLE, CHOICES):
        page = await tab.get(path)
        assert (page.status_code, FR["me_unread"] in read(page)) == (404, True), path


async def test_home_counts_what_the_other_pages_list(house: House, claire: Person, tab: Browser) -> None:
    page = read(await tab.get(HOME))
    assert FR["me_nobody"] in page
    assert FR["me_no_code"] in page
    assert FR["me_seen_none"] in page
    await populate(house, claire)
    jeanne = await kin.person(house, "Jeanne", "Lefèvre")
    await kin.care(claire, jeanne)
    await kin.invite(jeanne.caller(), jeanne.patient, claire)
    page = read(await tab.get(HOME))
    assert "4 professionnels, 1 personne qui agit, 1 application" in page
    assert "1 code en cours" in page
    assert FR["me_waiting_one"] in page
    who = replace(DOCTOR, id=doctor(11, "").value)
    assert (await software(house, who).get(f"Observation?patient={claire.record}")).status_code == 200
    assert FR["me_seen_one"].format(n=1) in read(await tab.get(HOME))


async def test_pages_of_a_child_are_its_own(house: House) -> None:
    claire, leo, jeanne = await family(house)
    made = await house.relate(leo.record, doctor(1, "").value)
    async with browser(house, claire.account) as tab:
        assert "Carnet de Léo" in read(await tab.get(HOME))
        there = f"{ACCESS}?record={leo.record}"
        page = await tab.get(there)
        assert f'href="/me/people?record={leo.record}"' in page.text
        assert FR["held_you"] in sections(page)["delegates"]
        assert 'value="undelegate"' not in page.text
        assert FR["access_done_ended"] in await tab.does(there, do="end", consent=made)
        assert FR["access_title_other"] + "Léo" in read(await tab.get(there))
        assert jeanne.record not in page.text


async def test_a_caregiver_sees_nothing_of_sharing_and_leaves(house: House) -> None:
    claire, _, jeanne = await family(house)
    made = await populate(house, jeanne)
    async with browser(house, claire.account) as tab:
        there = f"{PEOPLE}?record={jeanne.record}"
        for path in (HOME, ACCESS, CHOICES):
            answer = await tab.get(f"{path}?record={jeanne.record}")
            assert (answer.status_code, answer.headers["location"]) == (303, there)
        page = read(await tab.get(there))
        assert FR["power_documents"] in page
        assert FR["people_invite_caregiver"] not in page
        for form in ({"do": "end", "consent": made["care"]}, {"do": "block-typed", "number": doctor(3, "").value}):
            await tab.http.post(f"{ACCESS}?record={jeanne.record}", data={"csrf": await token(tab, there), **form})
        on = {"do": "emergencies", "shown": "BTG", "was": "BTG", "csrf": await token(tab, there)}
        assert (await tab.http.post(f"{CHOICES}?record={jeanne.record}", data=on)).status_code in (303, 403)
        assert await standing(jeanne, made["care"]) == "active"
        assert len(await active(jeanne, Right.BLOCK)) == 1
        assert await active(jeanne, Right.PREFERENCE) == []
        [mandate] = await active(jeanne, Right.CAREGIVER)
        asked = await tab.send(there, do="leave", consent=mandate["id"])
        assert FR["people_leave_told"] in read(asked)
        assert await standing(jeanne, mandate["id"]) == "active"
        page = await tab.does(there, do="leave", consent=mandate["id"], sure="yes")
        assert FR["people_done_left"] in page
        assert "Jeanne" not in page
    assert await standing(jeanne, mandate["id"]) == "inactive"


async def token(tab: Browser, path: str) -> str:
    page = (await tab.get(path)).text
    return page.partition('name="csrf" value="')[2].partition('"')[0]


def typed(whom: Person, **more: Any) -> dict[str, Any]:
    """What a person types to invite another."""
    return {"given": whom.given, "family": whom.family, "birth": whom.born, "ins": whom.ins, **more}


async def test_a_caregiver_is_invited_answers_is_narrowed_and_ended(house: House, claire: Person, tab: Browser) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    end = (house.now() + timedelta(days=60)).date()
    form = typed(jeanne, power=["consult", "documents"], until=end.isoformat(), birth="02/11/1948")
    assert FR["people_done_invited"] in await tab.does(PEOPLE, do="invite-caregiver", **form)
    page = read(await tab.get(PEOPLE))
    assert f"Jeanne Lefèvre · {FR['people_waits']}" in page
    async with browser(house, jeanne.account) as hers:
        told = sections(await hers.get(PEOPLE))["received"]
        assert FR["people_received_caregiver"] in told
        assert FR["power_documents"] in told
        last = datetime(end.year, end.month, end.day, 22, 59, tzinfo=UTC)
        assert spaced(held.moment(last, house.now(), "fr")) in told
        [invitation] = [one["id"] for one in await consents(claire.caller(), claire.record, "proposed")]
        assert FR["people_done_accepted"] in await hers.does(PEOPLE, do="accept", consent=invitation)
        assert "Claire" in read(await hers.get(PEOPLE))
    sooner = (house.now() + timedelta(days=30)).date().isoformat()
    same = await tab.send(PEOPLE, do="change", consent=invitation, power=["consult", "agenda"], until=sooner)
    assert FR["people_not_narrower"] in read(same)
    assert f'value="{sooner}"' in same.text
    page = await tab.does(PEOPLE, do="change", consent=invitation, power="consult", until=sooner)
    assert FR["people_done_changed"] in page
    [body] = await active(claire, Right.CAREGIVER)
    assert [one["coding"][0]["code"] for one in body["provision"]["action"]] == ["consult"]
    assert FR["people_done_ended"] in await tab.does(PEOPLE, do="end", consent=invitation)
    assert await active(claire, Right.CAREGIVER) == []


async def test_an_invitation_is_refused_or_cancelled(house: House, claire: Person, tab: Browser) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    refused = await kin.invite(claire.caller(), claire.patient, jeanne)
    async with browser(house, jeanne.account) as hers:
        assert FR["people_done_refused"] in await hers.does(PEOPLE, do="refuse", consent=refused)
        assert "received" not in sections(await hers.get(PEOPLE))
        answer = await hers.send(PEOPLE, do="accept", consent=refused)
        assert FR["people_accept_refused"] in read(answer)
    cancelled = await kin.invite(claire.caller(), claire.patient, jeanne)
    assert FR["people_done_cancelled"] in await tab.does(PEOPLE, do="cancel", consent=cancelled)
    assert await standing(claire, cancelled) == "rejected"


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong INS": ({"ins": "123456789012345"}, "me_ins_wrong"),
    "no name": ({"family": " "}, "me_names_wrong"),
    "no such day": ({"birth": "31/02/1948"}, "me_names_wrong"),
    "past": ({"until": "2020-01-01"}, "me_until_wrong"),
    "no such end": ({"until": "demain"}, "me_until_wrong"),
    "no power": ({"power": []}, "people_no_power"),
}


@pytest.mark.parametrize("name", PROBLEMS)
async def test_a_refused_invitation_keeps_what_was_typed(house: House, claire: Person, tab: Browser, name: str) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    changed, problem = PROBLEMS[name]
    form = {**typed(jeanne, power=["documents"], until=""), **changed}
    answer = await tab.send(PEOPLE, do="invite-caregiver", **form)
    assert answer.status_code == 422
    opened = answer.text.partition('<details class="adding" open>')[2].partition("</details>")[0]
    assert FR[problem] in opened
    for field in ("given", "family", "birth", "ins", "until"):
        assert f'name="{field}" type="{"date" if field == "until" else "text"}" value="{form[field]}"' in opened
    assert ('value="documents" checked' in opened) is ("power" not in changed)
    assert await consents(claire.caller(), claire.record, "proposed") == []


async def test_somebody_is_not_invited_twice_nor_oneself(house: House, claire: Person, tab: Browser) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    await kin.invite(claire.caller(), claire.patient, jeanne)
    answer = await tab.send(PEOPLE, do="invite-caregiver", **typed(jeanne, power="consult"))
    assert (answer.status_code, FR["people_twice"] in read(answer)) == (409, True)
    answer = await tab.send(PEOPLE, do="invite-caregiver", **typed(claire, power="consult"))
    assert FR["me_ins_wrong"] in read(answer)
    for n in range(2):
        other = await kin.person(house, f"Ami{'x' * n}", "Lefèvre", "1948-11-02", account=False)
        await kin.invite(claire.caller(), claire.patient, other)
    answer = await tab.send(
        PEOPLE, do="invite-caregiver", **typed(replace(jeanne, ins=house.new_ins()), power="consult")
    )
    assert FR["people_full"] in read(answer)


async def test_the_other_parent_is_invited(house: House) -> None:
    claire, leo, _ = await family(house)
    marc = await kin.person(house, "Marc", "Petit", "1983-01-09")
    async with browser(house, claire.account) as tab:
        assert FR["people_invite_parent"] not in read(await tab.get(PEOPLE))
        there = f"{PEOPLE}?record={leo.record}"
        assert FR["people_done_invited"] in await tab.does(there, do="invite-parent", **typed(marc))
        told = sections(await tab.get(there))["parents"]
        assert "Marc Petit" in told
        assert FR["people_invite_parent"] not in told, "a child has two at most"
    async with browser(house, marc.account) as his:
        told = sections(await his.get(PEOPLE))["received"]
        assert FR["people_received_parent"] in told
        [invitation] = [one["id"] for one in await consents(claire.acting(leo.record), leo.record, "proposed")]
        await his.does(PEOPLE, do="accept", consent=invitation)
        assert FR["access_title_other"] in read(await his.get(f"{ACCESS}?record={leo.record}"))


async def preferences(who: Person) -> dict[str, bool]:
    found = (await who.caller().get(f"{who.patient}/$preferences")).json()["parameter"]
    return {one["name"]: one["valueBoolean"] for one in found}


async def test_preferences_are_switches(claire: Person, tab: Browser) -> None:
    before = await preferences(claire)
    page = (await tab.get(CHOICES)).text
    assert all(
        f'role="switch" name="on" value="{name}"{" checked" if on else ""}>' in page
        for name, on in before.items()
        if not name.startswith("push-")  # these are on /me/notifications
    )
    form = {
        "do": "emergencies",
        "shown": ["ETREAT", "BTG", "MASKED"],
        "was": ["ETREAT", "BTG"],
        "on": ["ETREAT", "MASKED"],
    }
    assert FR["choices_done_kept"] in await tab.does(CHOICES, **form)
    assert await preferences(claire) == {**before, "BTG": False, "MASKED": True}
    assert len(await active(claire, Right.PREFERENCE)) == 2, "what was not touched is not written"


async def test_an_old_page_does_not_undo_what_changed_since(claire: Person, tab: Browser) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "BTG", "valueBoolean": False}]}
    await claire.caller().post(f"{claire.patient}/$preferences", body)
    form = {"do": "emergencies", "shown": ["ETREAT", "BTG"], "was": ["ETREAT", "BTG"], "on": ["BTG"]}
    await tab.does(CHOICES, **form)
    after = await preferences(claire)
    assert (after["BTG"], after["ETREAT"]) == (False, False)


async def test_parts_are_masked_and_shown_again(claire: Person, tab: Browser) -> None:
    shown = ["all", "section:allergies", "section:results", "category:BIOLOGIE", "category:REMB"]
    on = ["section:results", "category:BIOLOGIE"]
    assert FR["choices_done_masked"] in await tab.does(CHOICES, do="masks", shown=shown, on=on)
    page = (await tab.get(CHOICES)).text
    assert {name for name in shown if f'value="{name}" checked' in page} == set(on)
    form = {"do": "masks", "shown": shown, "was": on, "on": ["all", "category:BIOLOGIE"]}
    await tab.does(CHOICES, **form)
    page = (await tab.get(CHOICES)).text
    assert {name for name in shown if f'value="{name}" checked' in page} == {"all", "category:BIOLOGIE"}
    assert len(await active(claire, Right.MASK)) == 2


async def test_what_no_switch_is_named_changes_nothing(claire: Person, tab: Browser) -> None:
    before = await preferences(claire)
    for name in ("section:nothing", "document:x", "nothing"):
        assert (await tab.send(CHOICES, do="masks", shown=[name], on=[name])).status_code == 303
    assert (await active(claire, Right.MASK), await preferences(claire)) == ([], before)


def test_moments_are_told_in_plain_words() -> None:
    now = datetime(2026, 2, 1, 12, tzinfo=UTC)
    midnight = datetime(2026, 3, 3, 23, tzinfo=UTC)
    assert spaced(held.end(midnight, now, "fr")) == "jusqu’au 3 mars à 23 h 59"
    assert held.end(midnight, now, "en") == "until 3 March at 23:59"
    assert spaced(held.end(midnight + timedelta(minutes=5), now, "fr")) == "jusqu’au 4 mars à 0 h 05"
    assert spaced(held.end(midnight + timedelta(days=365), now, "fr")) == "jusqu’au 3 mars 2027 à 23 h 59"
    assert held.end(None, now, "fr") == "sans fin"
    terms = Terms(Right.CARE_RELATION, Actor(PROFESSIONALS, "8"), since=now, until=midnight)
    assert spaced(held.period(terms, now, "fr")) == "Depuis le 1er février à 13 h 00, jusqu’au 3 mars à 23 h 59"


def test_every_text_is_in_both_languages() -> None:
    mine = {name for name in FR if name.split("_")[0] in ("me", "held", "power", "access", "people", "choices")}
    assert mine == {name for name in EN if name.split("_")[0] in ("me", "held", "power", "access", "people", "choices")}
