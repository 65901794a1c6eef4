"""CDS Hooks 2.0: who may call, whose facts the cards are made of, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy.orm import Session

from auth import clients, grants
from auth.clients import Kind
from phr.access.consent import PROFESSIONALS
from phr.prevention.cards import LONGEST
from tests.access.city import as_professional
from tests.access.test_chain import entries
from tests.access.worlds import professional
from tests.house import Caller, House
from tests.phr.test_forecast import vaccine
from tests.phr.test_prevention import BREAST, concept, mammography, no_risk, post
from tests.signing_in import client as demo

Json = dict[str, Any]
DOCTOR = professional("810901")
VIEW, SELECT = "carnet-prevention-patient-view", "carnet-prevention-order-select"
KEY, RSA = ECKey.generate_key("P-384", auto_kid=True), RSAKey.generate_key(2048, auto_kid=True)
SMALL = ECKey.generate_key("P-256", auto_kid=True)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def software(house: House) -> None:
    """On a known day, a practice's software and its keys; the keys of an application of people's, too."""
    house.parts.server.clock = lambda: NOW
    jwks = {"keys": [key.as_dict(private=False) for key in (KEY, RSA, SMALL)]}
    known: dict[str, Any] = {"scopes": ["user/*.cruds"], "jwks": jwks, "now": NOW}
    with Session(house.parts.engine) as session, session.begin():
        for name in ("software", "other", "out"):
            clients.register(session, id=name, name=name, kind=Kind.PROFESSIONAL, **known)
        clients.disable(session, "out")
        back = {**known, "scopes": ["system/Patient.s"]}
        clients.register(session, id="laboratory", name="Laboratory", kind=Kind.DEPOSIT, **back)


def signed(house: House, service: str = VIEW, key: Any = KEY, alg: str = "ES384", **changed: Any) -> str:
    """The Authorization header of a call; what is changed to None is left out. `header_…`: of the JWT's header."""
    now = int(house.now().timestamp())
    aud = f"{house.settings.issuer}/cds-services/{service}"
    said = {"iss": "software", "aud": aud, "iat": now, "exp": now + 60, "jti": uuid4().hex, **changed}
    header = {"alg": alg, "typ": "JWT", "kid": key.kid}
    for name in [name for name in said if name.startswith("header_")]:
        header[name.removeprefix("header_")] = said.pop(name)
    kept = {name: value for name, value in said.items() if value is not None}
    header = {name: value for name, value in header.items() if value is not None}
    return "Bearer " + jwt.encode(header, kept, key, algorithms=[alg])


def bundle(*resources: Json) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def prefetched(*resources: Json, patient: str = "p", **more: Any) -> Json:
    """What a client fetched before it calls: a woman of 52, and what is known of her."""
    person = {"resourceType": "Patient", "id": patient, "birthDate": "1974-05-17", "gender": "female"}

    def of(*kinds: str) -> Json:
        return bundle(*(one for one in resources if one["resourceType"] in kinds))

    found: Json = {"patient": person, "immunizations": of("Immunization"), "conditions": None}
    return {**found, "observations": of("Observation"), "procedures": of("Procedure"), **more}


def body(service: str = VIEW, **more: Any) -> Json:
    hook = "patient-view" if service == VIEW else "order-select"
    context: Json = {"userId": "Practitioner/1", "patientId": "p", **more.pop("context", {})}
    return {"hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "context": context, **more}


def ours(house: House, caller: Caller, record: str, **more: Any) -> Json:
    """The members of a call that carries a token of ours."""
    given = {
        "access_token": caller.token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "",
        "subject": "software",
    }
    place = {"fhirServer": f"{house.settings.issuer}/fhir", "fhirAuthorization": given}
    return {**place, "context": {"patientId": record, **more}}


async def call(
    house: House, said: Json, service: str = VIEW, header: str | None = "", **headers: str
) -> httpx.Response:
    sent = {} if header is None else {"Authorization": header or signed(house, service)}
    return await house.http.post(f"/cds-services/{service}", json=said, headers={**sent, **headers})


async def cards(house: House, said: Json, service: str = VIEW, **headers: str) -> dict[str, Json]:
    """The cards, by the rule each is about."""
    answer = await call(house, said, service, **headers)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    found = {}
    for one in answer.json()["cards"]:
        assert 0 < len(one["summary"]) <= LONGEST < 140
        assert one["indicator"] in ("info", "warning")
        assert one["source"]["label"]
        for link in one.get("links", ()):
            assert (link["type"], "appContext" in link) in {("absolute", False), ("smart", True)}
            assert link["url"].startswith("https://" if link["type"] == "absolute" else house.settings.issuer)
        found[one["source"].get("topic", {"code": "questions"})["code"]] = one
    assert len({one["uuid"] for one in found.values()}) == len(found) == len(answer.json()["cards"])
    return found


# Discovery


async def test_what_is_offered(house: House) -> None:
    answer = await house.http.get("/cds-services")
    assert answer.status_code == 200
    services = {one["id"]: one for one in answer.json()["services"]}
    assert {name: one["hook"] for name, one in services.items()} == {VIEW: "patient-view", SELECT: "order-select"}
    for one in services.values():
        assert one["title"]
        assert one["description"]
        assert list(one["prefetch"]) == ["patient", "immunizations", "conditions", "observations", "procedures"]
        assert one["prefetch"]["patient"] == "Patient/{{context.patientId}}"
        assert all("{{context.patientId}}" in template for template in one["prefetch"].values())


async def test_our_own_server_answers_the_prefetch_templates(house: House) -> None:
    """Whoever keeps records here can prefetch from here."""
    record = await house.open_record()
    templates = (await house.http.get("/cds-services")).json()["services"][0]["prefetch"]
    for template in templates.values():
        path = template.replace("{{context.patientId}}", record)
        answer = await house.citizen(record).get(path, Prefer="handling=strict")
        assert answer.status_code == 200, (path, answer.text)


# Who calls


@pytest.mark.parametrize(("key", "alg"), [(KEY, "ES384"), (RSA, "RS384"), (SMALL, "ES256")])
async def test_registered_software_is_heard(house: House, key: Any, alg: str) -> None:
    header = signed(house, key=key, alg=alg)
    assert (await call(house, body(prefetch=prefetched()), header=header)).status_code == 200


STRANGER = ECKey.generate_key("P-384", auto_kid=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "nobody"},
        {"iss": "out"},
        {"iss": "laboratory"},
        {"iss": None},
        {"iss": ["software"]},
        {"aud": "http://carnet.test/cds-services"},
        {"aud": "http://carnet.test/cds-services/carnet-prevention-order-select"},
        {"aud": "http://carnet.test/fhir"},
        {"aud": None},
        {"aud": ["http://carnet.test/cds-services/carnet-prevention-patient-view", "https://other.test"]},
        {"exp": None},
        {"exp": int(NOW.timestamp())},
        {"exp": int(NOW.timestamp()) + 400},
        {"exp": "soon"},
        {"iat": None},
        {"iat": int(NOW.timestamp()) + 60},
        {"jti": None},
        {"jti": ""},
        {"key": STRANGER},
        {"key": STRANGER, "header_kid": KEY.kid},
        {"header_kid": None},
        {"header_typ": ""},
        {"header_typ": "at+jwt"},
        {"header_jku": "https://elsewhere.test/jwks"},
        {"key": RSA, "alg": "RS256"},
        {"key": RSA, "alg": "PS384"},
    ],
    ids=lambda changed: " and ".join(changed),
)
async def test_anything_else_is_refused_alike(house: House, changed: dict[str, Any]) -> None:
    answer = await call(house, body(prefetch=prefetched()), header=signed(house, **changed))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "A JWT signed by registered software is required."
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_neither_nothing_nor_nonsense_nor_a_token_of_ours_opens(house: House) -> None:
    record = await house.open_record()
    doctor = as_professional(house, DOCTOR)
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoiMSJ9." + "e30."
    for header in (None, "Bearer x", "Bearer a.b.c", f"Bearer {unsigned}", "Basic eA==", f"Bearer {doctor.token}"):
        answer = await call(house, body(**ours(house, doctor, record)), header=header)
        assert answer.status_code == 401, header


async def test_a_jwt_is_good_once(house: House) -> None:
    header = signed(house)
    assert (await call(house, body(prefetch=prefetched()), header=header)).status_code == 200
    assert (await call(house, body(prefetch=prefetched()), header=header)).status_code == 401


# What is asked


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({**body(prefetch=prefetched()), "hook": "order-select"}, 400),
        ({**body(prefetch=prefetched()), "hookInstance": None}, 400),
        (body(prefetch=prefetched(), context={"patientId": ""}), 400),
        (body(prefetch=prefetched(), context={"userId": None}), 400),
        ([], 400),
        (body(), 412),
        (body(prefetch={}), 412),
        (body(prefetch={**prefetched(), "patient": None}), 412),
        (body(prefetch=prefetched(patient="q")), 412),
        (body(prefetch={name: one for name, one in prefetched().items() if name != "procedures"}), 412),
        (body(prefetch=prefetched(conditions="x")), 412),
        (body(prefetch=prefetched(mammography("p"), mammography("q"))), 412),
        (body(prefetch=prefetched(vaccine("mmr", "2020-01-01", "q"))), 412),
        (body(prefetch=prefetched(conditions={"resourceType": "OperationOutcome"})), 412),
        (body(prefetch=prefetched(procedures={**bundle(), "link": [{"relation": "next", "url": "x"}]})), 412),
    ],
)
async def test_what_cannot_be_answered(house: House, said: Any, status: int) -> None:
    answer = await call(house, said)
    assert (answer.status_code, answer.json()["status"]) == (status, status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_service_that_is_not_is_404_and_an_order_has_its_orders(house: House) -> None:
    assert (await call(house, body(prefetch=prefetched()), "nothing")).status_code == 404
    assert (await call(house, body(SELECT, prefetch=prefetched()), SELECT)).status_code == 400
    odd = body(SELECT, prefetch=prefetched(), context={"draftOrders": {}, "selections": 1})
    assert (await call(house, odd, SELECT)).status_code == 400
    text = await house.http.post(
        f"/cds-services/{VIEW}", content=b"{}", headers={"Authorization": signed(house), "Content-Type": "text/plain"}
    )
    assert text.status_code == 415


# What is said


async def test_what_is_overdue_is_told_with_its_source(house: House) -> None:
    found = await cards(house, body(prefetch=prefetched(no_risk("p", "2026-01-01"), mammography("p", "2023-01-10"))))
    card = found[BREAST]
    assert card["summary"] == "Dépistage du cancer du sein : en retard, à faire depuis le 10 janvier 2025"
    assert card["indicator"] == "warning"
    assert card["source"]["url"] in card["detail"]
    assert card["links"] == [{"label": "Lire la recommandation", "url": card["source"]["url"], "type": "absolute"}]
    assert {one["code"] for one in card["overrideReasons"]} >= {"done", "declined", "contraindicated"}
    assert found["questions"]["indicator"] == "info"
    assert found["questions"]["detail"].startswith("- ")
    done = await cards(house, body(prefetch=prefetched(no_risk("p", "2026-01-01"), mammography("p"))))
    assert BREAST not in done


async def test_what_was_sent_of_no_day_is_not_known(house: House) -> None:
    """What is sent is not validated, and many write 9999-12-31 where there is no end."""
    endless = no_risk("p", "2026-01-01") | {"effectivePeriod": {"start": "2026-01-01", "end": "9999-12-31"}}
    del endless["effectiveDateTime"]
    never = mammography("p", "9999-12-31")
    assert BREAST in await cards(house, body(prefetch=prefetched(endless, never, vaccine("mmr", "0001-01-01"))))


async def test_in_english(house: House) -> None:
    said = body(prefetch=prefetched(no_risk("p", "2026-01-01"), mammography("p", "2023-01-10")))
    found = await cards(house, said, **{"Accept-Language": "en"})
    assert found[BREAST]["summary"] == "Breast cancer screening: overdue, to be done since 10 January 2025"


async def test_nothing_is_said_of_the_dead(house: House) -> None:
    assert await cards(house, body(prefetch=prefetched(patient="p") | {"patient": dead()})) == {}


def dead() -> Json:
    return {**prefetched()["patient"], "deceasedBoolean": True}


# Orders


def orders(*resources: Json) -> Json:
    listed = [{**one, "id": str(n)} for n, one in enumerate(resources, 1)]
    selections = [f"{one['resourceType']}/{one['id']}" for one in listed]
    return {"draftOrders": bundle(*listed), "selections": selections}


def request(name: str) -> Json:
    return {"resourceType": "ServiceRequest", "status": "draft", "intent": "order", "code": concept(name)}


def prescription(name: str) -> Json:
    coded = {"medicationCodeableConcept": concept(name)}
    return {"resourceType": "MedicationRequest", "status": "draft", "intent": "order", **coded}


async def ordering(house: House, known: Json, *resources: Json, **context: Any) -> dict[str, Json]:
    return await cards(house, body(SELECT, prefetch=known, context={**orders(*resources), **context}), SELECT)


async def test_what_was_done_six_months_ago_is_told_to_who_orders_it(house: House) -> None:
    known = prefetched(no_risk("p", "2026-01-01"), mammography("p", "2026-05-22"))
    found = await ordering(house, known, request("mammography"))
    assert list(found) == [BREAST]
    assert found[BREAST]["summary"] == (
        "Dépistage du cancer du sein : déjà fait le 22 mai 2026, à refaire à partir du 22 mai 2028"
    )
    assert found[BREAST]["indicator"] == "warning"


async def test_a_vaccine_too_early_is_told_and_one_that_is_due_too(house: House) -> None:
    baby = {**prefetched()["patient"], "birthDate": "2026-07-10"}
    known = prefetched(vaccine("hexavalent", "2026-09-12"), patient="p") | {"patient": baby}
    found = await ordering(house, known, prescription("hexavalent"))
    card = found["vaccine-hexavalent"]
    assert (card["summary"].partition(" : ")[2], card["indicator"]) == ("à faire", "info")
    later = prefetched(vaccine("hexavalent", "2026-09-12"), vaccine("hexavalent", "2026-11-12")) | {"patient": baby}
    found = await ordering(house, later, prescription("hexavalent"))
    assert list(found) == ["vaccine-hexavalent"]
    card = found["vaccine-hexavalent"]
    assert card["summary"].endswith("trop tôt, dose suivante à partir du 10 juin 2027")
    assert card["indicator"] == "warning"


async def test_only_what_is_ordered_and_selected_is_spoken_of(house: House) -> None:
    known = prefetched(no_risk("p", "2026-01-01"))
    both = (request("mammography"), prescription("dtp-reduced"))
    assert set(await ordering(house, known, *both)) == {BREAST, "vaccine-dtp-adult"}
    assert set(await ordering(house, known, *both, selections=["ServiceRequest/1"])) == {BREAST}
    inside = {"resourceType": "Medication", "id": "m", "code": concept("dtp-reduced")}
    pointing = {"resourceType": "MedicationRequest", "contained": [inside], "medicationReference": {"reference": "#m"}}
    assert set(await ordering(house, known, pointing)) == {"vaccine-dtp-adult"}
    potassium = {
        "resourceType": "ServiceRequest",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
    }
    assert await ordering(house, known, potassium) == {}


async def test_of_what_is_called_for_no_other_rule_is_heard_but_a_contraindication(house: House) -> None:
    child = {**prefetched()["patient"], "birthDate": "2010-01-01"}
    found = await ordering(house, prefetched() | {"patient": child}, prescription("influenza"))
    assert {rule: one["indicator"] for rule, one in found.items()} == {"vaccine-influenza-2-17": "info"}
    born = {**prefetched()["patient"], "birthDate": "2026-11-20"}
    found = await ordering(house, prefetched() | {"patient": born}, prescription("mmr"))
    assert list(found) == ["vaccine-mmr-child"]
    assert found["vaccine-mmr-child"]["summary"].endswith("trop tôt, à faire à partir du 20 novembre 2027")
    record = await house.open_record(birthDate="1955-05-17")
    await house.relate(record, DOCTOR.id)
    doctor = as_professional(house, DOCTOR)
    values = {"rule": ("Code", "vaccine-influenza-65"), "said": ("Code", "contraindicated"), "reason": ("String", "x")}
    said = [{"name": name, f"value{kind}": value} for name, (kind, value) in values.items()]
    parameters = {"resourceType": "Parameters", "parameter": said}
    assert (await doctor.post(f"Patient/{record}/$answer-prevention", parameters)).status_code == 201
    call_ = body(SELECT, **ours(house, doctor, record, **orders(prescription("influenza"))))
    card = (await cards(house, call_, SELECT))["vaccine-influenza-65"]
    assert card["summary"].endswith("contre-indication notée le 22 novembre 2026")
    assert card["indicator"] == "warning"


async def test_orders_of_any_shape_do_no_harm(house: House) -> None:
    for odd in ({"entry": "x"}, {"entry": [1, {"resource": []}, {"resource": {"code": "x", "contained": 1}}]}, {}):
        said = body(SELECT, prefetch=prefetched(), context={"draftOrders": odd, "selections": [1]})
        assert await cards(house, said, SELECT) == {}


# Whose facts


async def relation(house: House) -> tuple[str, Caller]:
    record = await house.open_record(birthDate="1974-05-17")
    await post(house.depositor(), no_risk(record, "2026-01-01"))
    await house.relate(record, DOCTOR.id)
    return record, as_professional(house, DOCTOR)


async def test_with_a_token_of_ours_the_facts_are_those_of_the_record_and_journaled_there(house: House) -> None:
    record, doctor = await relation(house)
    before = len(entries(house, record))
    said = body(**ours(house, doctor, record))
    assert BREAST in await cards(house, said)
    [entry] = entries(house, record)[before:]
    assert (entry.tag, list(entry.resources)) == ("prevention", [f"Patient/{record}"])
    await post(house.depositor(), mammography(record))
    # What the software sends beside is not looked at.
    brought = prefetched(no_risk(record, "2026-01-01"), patient=record)
    assert BREAST in await cards(house, body(context={"patientId": record}, prefetch=brought))
    assert BREAST not in await cards(house, {**said, "prefetch": brought})


async def test_without_one_nothing_of_ours_is_read_whatever_the_patient(house: House) -> None:
    record, doctor = await relation(house)
    await post(house.depositor(), mammography(record))
    before = len(entries(house, record))
    brought = prefetched(no_risk(record, "2026-01-01"), patient=record)
    elsewhere = {**ours(house, doctor, record), "fhirServer": "https://elsewhere.test/fhir"}
    others = house.caller(replace(house.claims("professional", "other", ("user/*.cruds",)), professional=DOCTOR))
    citizen, forged = house.citizen(record), replace(doctor, token=doctor.token[:-4] + "AAAA")
    bound = house.claims("professional", "software", ("user/*.cruds",), subject=DOCTOR.id, jti=str(uuid4()))
    to_a_key = house.caller(replace(bound, professional=DOCTOR, jkt="x" * 43))
    for more in (
        {"context": {"patientId": record}},
        elsewhere,
        *(ours(house, one, record) for one in (others, citizen, forged, to_a_key)),
    ):
        assert BREAST in await cards(house, body(**more, prefetch=brought)), more
        assert (await call(house, body(**more))).status_code == 412
    assert len(entries(house, record)) == before


async def test_a_token_that_was_revoked_is_not_there(house: House) -> None:
    record, _ = await relation(house)
    claims = house.claims("professional", "software", ("user/*.cruds",), subject=DOCTOR.id)
    doctor = house.caller(replace(claims, professional=DOCTOR))
    assert (await call(house, body(**ours(house, doctor, record)))).status_code == 200
    with Session(house.parts.engine) as session, session.begin():
        grants.revoke_token(session, UUID(claims.jti), claims.expires)
    assert (await call(house, body(**ours(house, doctor, record)))).status_code == 412


async def test_a_record_that_is_not_theirs_answers_as_one_that_is_not(house: House) -> None:
    record, doctor = await relation(house)
    stranger = await house.open_record()
    named = {"resourceType": "Parameters", "parameter": [block()]}
    assert (await house.citizen(record).post(f"Patient/{record}/$block", named)).status_code < 300
    never = f"{record[:3]}-{'0' * 32}"
    told = [await call(house, body(**ours(house, doctor, one))) for one in (record, stranger, never, "../x")]
    assert {(one.status_code, one.text) for one in told} == {(412, told[0].text)}


def block() -> Json:
    return {"name": "professional", "valueIdentifier": {"system": PROFESSIONALS, "value": DOCTOR.id}}


@pytest.mark.parametrize("service", [VIEW, SELECT])
async def test_what_a_citizen_masks_changes_no_byte(house: House, service: str) -> None:
    record, doctor = await relation(house)
    said = body(service, **ours(house, doctor, record, **orders(prescription("dtp-reduced"), request("mammography"))))
    bare = (await call(house, said, service)).content
    await post(house.depositor(), vaccine("dtp-reduced", "2026-06-01", record))
    assert (await call(house, said, service)).content != bare
    section = {"resourceType": "Parameters", "parameter": [{"name": "section", "valueCode": "vaccinations"}]}
    assert (await house.citizen(record).post(f"Patient/{record}/$mask", section)).status_code == 200
    assert (await call(house, said, service)).content == bare


# Feedback, and web clients


async def test_feedback_is_counted_and_not_kept(house: House, caplog: pytest.LogCaptureFixture) -> None:
    card = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-11-22T09:00:00Z"}
    path, header = f"/cds-services/{VIEW}/feedback", signed(house, f"{VIEW}/feedback")
    caplog.set_level("INFO", "carnet")
    answer = await house.http.post(path, json={"feedback": [card]}, headers={"Authorization": header})
    assert (answer.status_code, answer.json()) == (200, {})
    assert f"cards of {VIEW}: 0 accepted, 1 overridden" in caplog.text
    assert card["card"] not in caplog.text
    malformed: list[Json] = [{}, {"feedback": []}, {"feedback": card}, {"feedback": [card, 1]}]
    malformed += [
        {"feedback": [card, {**card, "outcome": "ignored"}]},
        {"feedback": [{**card, "outcome": ["accepted"]}]},
    ]
    malformed += [{"feedback": [{**card, name: None}]} for name in card]
    for wrong in malformed:
        again = {"Authorization": signed(house, f"{VIEW}/feedback")}
        assert (await house.http.post(path, json=wrong, headers=again)).status_code == 400
    assert (await house.http.post(path, json={"feedback": [card]})).status_code == 401


async def test_web_clients_of_other_origins_may_call(house: House) -> None:
    asking = {"Origin": "https://ehr.test", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = {**asking, "Access-Control-Request-Method": "POST"}
    answer = await house.http.options(f"/cds-services/{VIEW}", headers=preflight)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    for one in (
        await house.http.get("/cds-services", headers=asking),
        await call(house, body(), header=None, Origin="https://ehr.test"),
    ):
        assert one.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in one.headers


# Over HTTP


def test_a_client_on_a_served_sandbox(carnet: str) -> None:
    """As the practice's software does: discover, sign, call."""
    practice = demo(carnet, "carnet-demo-practice")
    key = ECKey.import_key(practice["private_jwk"])
    key.ensure_kid()
    [service] = [one for one in httpx.get(f"{carnet}/cds-services").json()["services"] if one["hook"] == "patient-view"]
    url, now = f"{carnet}/cds-services/{service['id']}", int(datetime.now(UTC).timestamp())
    said = {"iss": practice["client_id"], "aud": url, "iat": now, "exp": now + 60, "jti": uuid4().hex}
    token = jwt.encode({"alg": "ES256", "typ": "JWT", "kid": key.kid}, said, key)
    sent = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(url, json=body(prefetch=prefetched()), headers=sent)
    assert answer.status_code == 200, answer.text
    assert any(one["source"]["url"].startswith("https://") for one in answer.json()["cards"] if "url" in one["source"])
    assert httpx.post(url, json=body(prefetch=prefetched()), headers=sent).status_code == 401
