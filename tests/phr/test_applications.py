"""What a person grants an application, written in their record; taking it back at once; deleting all that it wrote."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from auth import grants
from auth.purposes import Direction, Purpose
from phr import applications, codes
from phr.access.consent import CLIENT, Terms, consent_of
from phr.access.provision import Right
from tests.agenda.diary import ahead, parts, remind, rows, tell, wish
from tests.auth.city import hidden
from tests.deposit import Clinic, clinic, coded, document, inline
from tests.house import ALL, FHIR_JSON, Caller, House, observation
from tests.messages.post import PHARMACIST, PHARMACY, file, pharmacy, start, texts
from tests.phr.care import software
from tests.phr.portal import (
    DOCUMENTS,
    MEASURES,
    SERVICE,
    Portal,
    describe,
    portal,
    sent_back,
    service,
    text_of,
)

WITHDRAW = "$withdraw-application"


@pytest.fixture
async def ada(house: House) -> AsyncIterator[Portal]:
    found = await portal(house)
    async with found.browser:
        yield found


def body(**values: object) -> dict[str, object]:
    """A Parameters resource."""
    kinds = {bool: "valueBoolean", str: "valueString"}
    listed = [{"name": name, kinds[type(value)]: value} for name, value in values.items()]
    return {"resourceType": "Parameters", "parameter": listed}


async def withdrawn(caller: Caller, record: str, app: str, *, erase: bool = False) -> dict[str, int]:
    answer = await caller.post(f"Patient/{record}/{WITHDRAW}", body(client=app, erase=erase))
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["valueInteger"] for one in answer.json()["parameter"]}


def own_paper(record: str, by: Clinic) -> dict[str, Any]:
    """A document of the person's own expression."""
    made = document(record, by, type=coded(codes.TYPE, "EXPPAT_2"), category=[coded(codes.CLASS, "90")])
    patient = coded(codes.PRODUCER, codes.PATIENT_PRODUCER)
    made["context"] |= {"facilityType": patient, "practiceSetting": patient}
    return {**made, "author": [{"reference": f"Patient/{record}"}]}


async def wrote(caller: Caller, record: str, **more: object) -> str:
    answer = await caller.post("Observation", observation(record, **more))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def acting(house: House, record: str, account: str, app: str) -> Caller:
    """An application of who acts for the person of a record."""
    claims = house.claims("citizen-app", app, ALL, record, subject=account)
    return house.caller(replace(claims, actor=account))


async def test_each_purpose_granted_is_a_consent_and_gives_its_scopes_alone(house: House, ada: Portal) -> None:
    app = service(house)
    token = await ada.connect(app, "measures", "documents")
    # patient/*.cruds was asked: what is granted is what the two purposes declare of it.
    assert set(token["scope"].split()) == {
        *("openid", "launch/patient", "offline_access"),
        *("patient/Observation.rs", "patient/Observation.crs", "patient/DocumentReference.rs"),
    }
    found = await ada.consents()
    assert await ada.purposes() == ["documents", "measures"]
    for one in found:
        actor = one["provision"]["actor"][0]["reference"]
        assert actor == {"identifier": {"system": CLIENT, "value": app.id}, "display": "Mon Suivi"}
        period = one["provision"]["period"]
        lasts = datetime.fromisoformat(period["end"]) - datetime.fromisoformat(period["start"])
        assert lasts == timedelta(days=395)
    mine = Caller(house, token["access_token"])
    assert (await mine.get("Observation?_count=1")).status_code == 200
    assert (await mine.get("Condition?_count=1")).status_code == 403
    journal = (await ada.caller().get(f"AuditEvent?patient={ada.record}&_count=50")).text
    assert "application" in journal


@pytest.mark.parametrize(
    ("duration", "kept", "lasts"),
    [
        ("once", False, timedelta(minutes=16)),
        ("", False, timedelta(minutes=16)),
        ("for-ever", False, timedelta(minutes=16)),
        ("12-hours", False, timedelta(minutes=16)),
        ("13-months", True, timedelta(days=395)),
        ("until-withdrawn", True, None),
    ],
)
async def test_for_how_long(house: House, ada: Portal, duration: str, kept: bool, lasts: timedelta | None) -> None:
    """A native app is not offered twelve hours: what was not offered, or not chosen, lasts once."""
    app = service(house)
    token = await ada.connect(app, "measures", duration=duration)
    assert ("refresh_token" in token) is kept
    (one,) = await ada.consents()
    period = one["provision"]["period"]
    if lasts is None:
        assert "end" not in period
        for _ in range(2):
            token = (await ada.refresh(app, token)).json()
        assert "access_token" in token
    else:
        assert datetime.fromisoformat(period["end"]) - datetime.fromisoformat(period["start"]) == lasts


async def test_a_public_page_in_a_browser_is_offered_twelve_hours(house: House, ada: Portal) -> None:
    web = service(house, metadata={"application_type": "web", "service": SERVICE})
    page = (await ada.page(web)).text
    assert 'value="12-hours"' in page
    assert 'value="13-months"' not in page
    token = await ada.connect(web, "measures", duration="until-withdrawn")
    assert "refresh_token" not in token


async def test_nothing_is_ticked_before_the_person_does_unless_there_is_one_purpose(house: House, ada: Portal) -> None:
    page = (await ada.page(service(house))).text
    assert " checked" not in page
    only = service(house, {**SERVICE, "purposes": [MEASURES]})
    assert (await ada.page(only)).text.count(" checked") == 1


async def test_nothing_ticked_is_nothing_granted(house: House, ada: Portal) -> None:
    app = service(house)
    denied = {"purpose": ["measures"], "decision": "deny"}
    for form in ({}, {"purpose": ["unknown"]}, {"scope": ["patient/*.cruds"]}, denied):
        assert sent_back(await ada.choose(app, form))["error"] == "access_denied"
    assert await ada.consents() == []


async def test_an_application_that_declares_nothing_still_connects(house: House, ada: Portal) -> None:
    app = service(house, None)
    token = await ada.connect(app, scope=["patient/Observation.rs", "offline_access"])
    assert token["scope"] == "offline_access patient/Observation.rs"
    (one,) = await ada.consents()
    assert "purpose" not in one["provision"]


async def test_asked_again_when_the_purposes_change(house: House, ada: Portal) -> None:
    app = service(house)
    token = await ada.connect(app, "measures", "documents")
    token = (await ada.refresh(app, token)).json()
    assert "changé" not in text_of(await ada.page(app))
    more = {**MEASURES, "description_fr": "Des courbes, montrées à votre assureur."}
    describe(house, app, purposes=[more, {**DOCUMENTS, "code": "papers"}])
    refused = await ada.refresh(app, token)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert "consent again" in refused.json()["error_description"]
    page = text_of(await ada.page(app))
    for said in (
        "a changé ce qu’elle demande",
        "ne demande plus certaines",
        "(modifié depuis",
        "(nouveau)",
    ):
        assert said in page
    again = await ada.connect(app, "measures")
    assert (await ada.refresh(app, again)).status_code == 200
    # What was agreed to before is over: its tokens, and its Consents.
    assert (await Caller(house, token["access_token"]).get("Observation")).status_code == 401
    assert await ada.purposes() == ["measures"]
    assert await ada.purposes("inactive") == ["documents", "measures"]


async def test_a_code_is_not_worth_purposes_that_changed_since(house: House, ada: Portal) -> None:
    app = service(house)
    code = sent_back(await ada.choose(app, {"purpose": ["measures"], "duration": "once"}))["code"]
    describe(house, app, purposes=[DOCUMENTS])
    answer = await ada.tokens(app, grant_type="authorization_code", code=code)
    assert answer.json()["error"] == "invalid_grant"


async def test_withdrawn_at_once_on_every_worker(house: House, ada: Portal, database_url: str) -> None:
    app, other = service(house), service(house)
    token, kept = await ada.connect(app, "measures"), await ada.connect(other, "measures")
    async with House.build(house.settings, database_url) as elsewhere:
        works = [Caller(one, token["access_token"]) for one in (house, elsewhere)]
        for caller in works:
            assert (await caller.get("Observation")).status_code == 200
        assert await withdrawn(ada.caller(), ada.record, app.id) == {"ended": 1}
        for caller in works:
            assert (await caller.get("Observation")).status_code == 401
        assert (await Caller(elsewhere, kept["access_token"]).get("Observation")).status_code == 200
    assert (await ada.refresh(app, token)).json()["error"] == "invalid_grant"
    (over,) = await ada.consents("inactive")
    assert over["provision"]["actor"][0]["reference"]["identifier"]["value"] == app.id
    assert over["extension"][-1]["valueCoding"]["code"] == "withdrawn"
    assert await withdrawn(ada.caller(), ada.record, app.id) == {"ended": 0}
    assert (await ada.refresh(other, kept)).status_code == 200


async def test_an_application_withdraws_itself(house: House, ada: Portal) -> None:
    app = service(house, None)
    token = await ada.connect(app, scope=["patient/*.cruds"])
    mine = Caller(house, token["access_token"])
    assert await withdrawn(mine, ada.record, app.id) == {"ended": 1}
    assert (await mine.get("Observation")).status_code == 401


async def test_who_may_not_withdraw(house: House, ada: Portal) -> None:
    app = service(house)
    token = await ada.connect(app, "measures")
    aunt, mum = f"{uuid4()}", f"{uuid4()}"
    await house.represent(ada.record, aunt, "consult", "documents")
    await house.represent(ada.record, mum)
    for account, status in ((aunt, 403), (mum, 200)):
        caller = acting(house, ada.record, account, "app")
        answer = await caller.post(f"Patient/{ada.record}/{WITHDRAW}", body(client=app.id))
        assert answer.status_code == status, answer.text
    # A parent ends what they connected themselves, not what the person did.
    assert (await Caller(house, token["access_token"]).get("Observation")).status_code == 200
    assert await ada.purposes() == ["measures"]
    another = await house.open_record()
    for caller in (ada.caller(), house.depositor()):
        answer = await caller.post(f"Patient/{another}/{WITHDRAW}", body(client=app.id))
        assert answer.status_code in (403, 404)
    few = house.caller(house.claims("citizen-app", "x", ("patient/*.rs",), ada.record, subject=str(ada.account)))
    assert (await few.post(f"Patient/{ada.record}/{WITHDRAW}", body(client=app.id))).status_code == 403


async def test_the_account_page_ends_the_consents_too(house: House, ada: Portal) -> None:
    app, other = service(house), service(house)
    token = await ada.connect(app, "measures", "documents")
    await ada.connect(other, "measures", duration="until-withdrawn")
    page = await ada.browser.get("/account")
    assert "9999" not in page.text
    with Session(house.parts.server.engine) as session:
        server = house.parts.server
        held = grants.of_account(session, server.keys, ada.account, server.clock())
    grant = next(one.id for one in held if one.client == app.id)
    answer = await ada.browser.post("/account/end", data={"csrf": hidden(page), "grant": str(grant)})
    assert answer.status_code == 303
    assert await ada.purposes() == ["measures"]
    assert (await Caller(house, token["access_token"]).get("Observation")).status_code == 401
    await ada.browser.post("/account/end", data={"csrf": hidden(page), "all": "yes"})
    assert await ada.purposes() == []


async def test_what_cannot_be_written_in_the_record_is_not_connected(house: House) -> None:
    """An account whose record is not there: no code, no grant."""
    nobody, app = await portal(house, f"00a-{uuid4().hex}"), service(house)
    async with nobody.browser:
        answer = await nobody.choose(app, {"purpose": ["measures"], "duration": "once"})
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    with Session(house.parts.server.engine) as session:
        server = house.parts.server
        assert grants.of_account(session, server.keys, nobody.account, server.clock()) == []


async def test_the_server_alone_says_which_application_wrote(house: House, ada: Portal) -> None:
    spoofed = {"meta": {"tag": [{"system": CLIENT, "code": "innocent"}, {"system": "urn:x", "code": "kept"}]}}
    one = await wrote(ada.caller("writer"), ada.record, **spoofed)
    mine = (await ada.caller().get(f"Observation/{one}")).json()
    assert mine["meta"]["tag"] == [{"system": "urn:x", "code": "kept"}, {"system": CLIENT, "code": "writer"}]
    two = await wrote(house.depositor(), ada.record, **spoofed)
    assert (await ada.caller().get(f"Observation/{two}")).json()["meta"]["tag"] == [{"system": "urn:x", "code": "kept"}]
    found = (await ada.caller().get(f"Observation?_tag={CLIENT}|writer")).json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [one]
    said = (await ada.caller().get(f"Observation/{one}/$provenance")).json()
    assert said["resourceType"] == "Provenance"
    assert said["target"] == [{"reference": f"Observation/{one}/_history/1"}]
    assert said["agent"][0]["who"]["identifier"] == {"system": CLIENT, "value": "writer"}
    assert said["agent"][0]["onBehalfOf"] == {"reference": f"Patient/{ada.record}"}
    # Another application that only masks writes no word of it; one that changes it does.
    by = ada.caller("editor")
    mask = {"system": codes.VISIBILITY, "code": "MASQUE_PS"}
    masked = {**mine, "meta": {**mine["meta"], "security": [mask]}}
    answer = await by.put(f"Observation/{one}", masked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["meta"]["tag"][-1]["code"] == "writer"
    answer = await by.put(f"Observation/{one}", {**masked, "status": "amended"})
    assert answer.json()["meta"]["tag"][-1]["code"] == "editor"
    # On what somebody else wrote, masking leaves no name.
    theirs = (await ada.caller().get(f"Observation/{two}")).json()
    answer = await by.put(f"Observation/{two}", {**theirs, "meta": {**theirs["meta"], "security": [mask]}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["meta"]["tag"] == [{"system": "urn:x", "code": "kept"}]


async def test_all_that_an_application_wrote_is_deleted_as_a_whole(
    house: House, ada: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applications, "BATCH", 3)
    mine, others = ada.caller("regretted"), ada.caller("kept")
    written = [await wrote(mine, ada.record) for _ in range(7)]
    paper = await mine.post("DocumentReference", inline(own_paper(ada.record, await clinic(house))))
    assert paper.status_code == 201, paper.text
    binary = paper.json()["content"][0]["attachment"]["url"].rpartition("/")[2]
    spoof = {"meta": {"tag": [{"system": CLIENT, "code": "regretted"}]}}
    stays = [await wrote(others, ada.record), await wrote(house.depositor(), ada.record, **spoof)]
    parent = f"{uuid4()}"
    await house.represent(ada.record, parent)
    stays.append(await wrote(acting(house, ada.record, parent, "regretted"), ada.record))
    assert await withdrawn(ada.caller(), ada.record, "regretted", erase=True) == {"ended": 0, "erased": 8}
    for one in written:
        assert (await ada.caller().get(f"Observation/{one}")).status_code == 410
    assert (await ada.caller().get(f"DocumentReference/{paper.json()['id']}")).status_code == 410
    assert (await ada.caller().get(f"Binary/{binary}", Accept=FHIR_JSON)).status_code == 410
    for one in stays:
        assert (await ada.caller().get(f"Observation/{one}")).status_code == 200
    history = (await ada.caller().get(f"Observation/{written[0]}/_history")).json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "POST"]
    assert await withdrawn(ada.caller(), ada.record, "regretted", erase=True) == {"ended": 0, "erased": 0}


async def test_reminders_go_and_letters_stay(house: House, ada: Portal) -> None:
    """A reminder is the person's alone; what was sent to somebody is theirs too, and keeps nothing else from going."""
    await pharmacy(house)
    mine, by = ada.caller("regretted"), ada.caller("kept")
    weight = await wrote(mine, ada.record)
    reminders = [await remind(mine, ada.record, at=ahead(house, day).isoformat()) for day in (2, 3)]
    theirs = (await remind(by, ada.record, at=ahead(house, 2).isoformat()))["id"]
    assert [tag["code"] for tag in reminders[0]["meta"]["tag"] if tag["system"] == CLIENT] == ["regretted"]
    # Who changes its words is who wrote it; who puts it off, or ends it, changes none.
    taken = reminders.pop()["id"]
    changed = wish(title="Autre chose", at=ahead(house, 4).isoformat())
    assert (await by.post(f"Task/{taken}/$change-reminder", changed)).status_code == 200
    assert (await by.post(f"Task/{reminders[0]['id']}/$end-reminder", wish())).status_code == 200
    said = (await by.get(f"Task/{taken}/$provenance")).json()
    assert said["agent"][0]["who"]["identifier"]["value"] == "kept"
    thread = await start(mine, ada.record, PHARMACY, text="Avez-vous ce vaccin ?", attachment=[file()])
    assert await withdrawn(by, ada.record, "regretted", erase=True) == {"ended": 0, "erased": 2}
    for path in (f"Observation/{weight}", f"Task/{reminders[0]['id']}"):
        assert (await by.get(path)).status_code == 410, path
    for path in (f"Task/{theirs}", f"Task/{taken}"):
        assert (await by.get(path)).status_code == 200, path
    assert await texts(by, thread) == await texts(software(house, PHARMACIST), thread) == ["Avez-vous ce vaccin ?"]
    assert {one["task"]["id"] for one in await parts(by, ada.record)} == {theirs, taken}
    await tell(house, ahead(house, 10))  # and nobody is told of what is gone
    assert set(rows(house)) & {reminders[0]["id"]} == set()


async def test_what_the_operations_write_says_which_application_asked(house: House, ada: Portal) -> None:
    told = ada.caller("writer")
    answer = await told.post(f"Patient/{ada.record}/$preferences", body(BTG=False))
    assert answer.status_code == 200, answer.text
    [said] = (await told.get(f"Consent?patient={ada.record}&status=active&category=preference")).json()["entry"]
    shown = (await told.get(f"Consent/{said['resource']['id']}/$provenance")).json()
    assert shown["agent"][0]["who"]["identifier"] == {"system": CLIENT, "value": "writer"}


async def test_a_right_an_application_wrote_is_not_erased(house: House, ada: Portal) -> None:
    said = Terms(Right.PREFERENCE, permits=False, purpose="BTG")
    right = consent_of(said, ada.record, datetime.now(UTC))
    made = await ada.caller("regretted").post("Consent", right)
    assert made.status_code == 201, made.text
    assert await withdrawn(ada.caller(), ada.record, "regretted", erase=True) == {"ended": 0, "erased": 0}
    assert (await ada.caller().get(f"Consent/{made.json()['id']}")).json()["status"] == "active"


async def test_erasing_needs_the_scopes_to_delete(house: House, ada: Portal) -> None:
    held = ("patient/*.rs", "patient/Consent.u", "patient/Observation.d")
    few = house.caller(house.claims("citizen-app", "x", held, ada.record, subject=str(ada.account)))
    for erase, status in ((True, 403), (False, 200)):
        answer = await few.post(f"Patient/{ada.record}/{WITHDRAW}", body(client="regretted", erase=erase))
        assert answer.status_code == status


def test_a_purpose_gives_no_more_than_is_asked_and_declared() -> None:
    def given(declared: str, asked: str) -> tuple[str, ...]:
        said = dict.fromkeys(("label_fr", "label_en", "description_fr", "description_en"), "x")
        one = Purpose(code="x", direction=Direction.BOTH, scopes=tuple(declared.split()), **said)
        return one.narrowed(tuple(asked.split()))

    assert given("patient/*.rs", "patient/Observation.rs") == ("patient/Observation.rs",)
    assert given("patient/Observation.rs", "patient/*.cruds") == ("patient/Observation.rs",)
    assert given("patient/Observation.rs", "patient/Condition.rs openid profile") == ()
    assert given("patient/Observation.rs profile", "profile") == ("profile",)
    assert given("patient/Observation.rs?category=a", "patient/Observation.r?code=b") == (
        "patient/Observation.r?code=b&category=a",
    )
    assert given("patient/Observation.c", "patient/Observation.rs") == ()
    assert given("patient/Observation.read", "patient/Observation.read") == ("patient/Observation.read",)
