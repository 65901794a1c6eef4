"""The interactions on one resource over HTTP: versions, conditions and preferences."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest

from fhir import wire
from fhir.validation import validate
from tests.house import FHIR_JSON, Caller, House, observation
from tests.phr.api.asking import NEVER, created, identified, refused


async def test_create_says_where_and_which_version(app: Caller, record: str) -> None:
    answer = await app.post("Observation", {**observation(record), "id": "mine", "meta": {"versionId": "9"}})
    assert answer.status_code == 201
    body = answer.json()
    assert body["id"] != "mine"
    assert body["meta"]["versionId"] == "1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["location"] == f"http://carnet.test/fhir/Observation/{body['id']}/_history/1"
    assert answer.headers["last-modified"].endswith("GMT")
    assert answer.headers["cache-control"] == "no-store"
    again = await app.get(f"Observation/{body['id']}")
    assert again.content == answer.content
    assert again.headers["etag"] == 'W/"1"'


async def test_what_is_given_comes_back_digit_for_digit(app: Caller, record: str) -> None:
    texts = ["1.10", "0.000", "-0.50", "1E+3", "123456789012345678901234567890.123", "1.0"]
    raw = wire.encode({**observation(record), "note": [{"text": "Été 😀 \u200f مرحبا"}]}).decode()
    for text in texts:
        body = raw.replace("71.5", text)
        answer = await app.ask("POST", "Observation", {"Content-Type": FHIR_JSON}, content=body)
        assert answer.status_code == 201, answer.text
        for form in ("", "?_pretty=true"):
            read = await app.get(f"Observation/{answer.json()['id']}{form}")
            assert str(wire.restore(read.content)["valueQuantity"]["value"]) == str(Decimal(text))
            assert wire.restore(read.content)["note"][0]["text"] == "Été 😀 \u200f مرحبا"


async def test_versions_are_kept_and_read(app: Caller, record: str) -> None:
    body = await created(app, observation(record))
    where = f"Observation/{body['id']}"
    changed = await app.put(where, {**body, "status": "amended"})
    assert changed.status_code == 200
    assert changed.headers["etag"] == 'W/"2"'
    assert changed.json()["meta"]["versionId"] == "2"
    assert (await app.get(f"{where}/_history/1")).json() == body
    assert (await app.get(f"{where}/_history/2")).json() == changed.json()
    for version in ("3", "0", "x", "99999999999999999999", "٣"):
        refused(await app.get(f"{where}/_history/{version}"), 404)
    assert (await app.delete(where)).status_code == 204
    assert refused(await app.get(where), 410)["code"] == "deleted"
    refused(await app.get(f"{where}/_history/3"), 410)
    assert (await app.get(f"{where}/_history/1")).json() == body
    history = (await app.get(f"{where}/_history")).json()
    assert validate("Bundle", history) == ()
    assert [e["request"]["method"] for e in history["entry"]] == ["DELETE", "PUT", "POST"]
    assert "resource" not in history["entry"][0]
    assert [e["response"]["etag"] for e in history["entry"]] == ['W/"3"', 'W/"2"', 'W/"1"']
    back = await app.put(where, {**body, "status": "final"})
    assert back.status_code == 201
    assert back.headers["etag"] == 'W/"4"'
    refused(await app.get(f"Observation/{NEVER}/_history"), 404)


async def test_history_pages_and_starts_where_it_is_told(app: Caller, record: str) -> None:
    body = await created(app, observation(record))
    where = f"Observation/{body['id']}"
    for n in range(4):
        body = (await app.put(where, {**body, "note": [{"text": f"n{n}"}]})).json()
    await created(app, observation(record))
    seen: list[str] = []
    url = f"{where}/_history?_count=2"
    while url:
        page = (await app.get(url)).json()
        seen += [entry["resource"]["meta"]["versionId"] for entry in page["entry"]]
        url = next((one["url"].partition("/fhir/")[2] for one in page["link"] if one["relation"] == "next"), "")
    assert seen == ["5", "4", "3", "2", "1"]
    page = (await app.get(f"{where}/_history?_since=2100")).json()
    assert "entry" not in page
    assert {"relation": "self", "url": f"http://carnet.test/fhir/{where}/_history?_since=2100"} in page["link"]
    since = body["meta"]["lastUpdated"].replace("+00:00", "Z")
    late = (await app.get(f"{where}/_history?_since={since}")).json()
    assert [entry["resource"]["meta"]["versionId"] for entry in late["entry"]] == ["5"]
    whole = (await app.get("Observation/_history")).json()
    assert len(whole["entry"]) == 6
    refused(await app.get(f"{where}/_history?_since=yesterday"), 400)
    refused(await app.get(f"{where}/_history?_count=x"), 400)
    refused(await app.get(f"{where}/_history?_at=2020", Prefer="handling=strict"), 400)
    other = (await app.get("Observation/_history?_count=2")).json()["link"][1]["url"].partition("_cursor=")[2]
    refused(await app.get(f"{where}/_history?_cursor={other}"), 400)


async def test_what_never_existed_and_what_is_anothers_answer_alike(app: Caller, house: House, record: str) -> None:
    other = await house.open_record()
    theirs = await created(house.citizen(other), observation(other))
    for identifier in (NEVER, theirs["id"], "mine", "x" * 64):
        where = f"Observation/{identifier}"
        read, deleted = await app.get(where), await app.delete(where)
        put = await app.put(where, {**observation(record), "id": identifier})
        patched = await app.patch(where, [{"op": "remove", "path": "/note"}])
        assert refused(read, 404) == refused(deleted, 404) == refused(patched, 404)
        assert refused(put, 405)["code"] == "not-supported"
        assert "allow" in put.headers
    assert (await house.citizen(other).get(f"Observation/{theirs['id']}")).json() == theirs


async def test_an_id_of_another_type_is_nothing(app: Caller, record: str) -> None:
    body = await created(app, observation(record))
    refused(await app.get(f"Condition/{body['id']}"), 404)
    refused(await app.delete(f"Condition/{body['id']}"), 404)


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', "*", 'W/"7", W/"1"'])
async def test_if_match_lets_the_current_version_change(app: Caller, record: str, tag: str) -> None:
    body = await created(app, observation(record))
    where = f"Observation/{body['id']}"
    assert (await app.put(where, body, If_Match=tag)).status_code == 200
    assert (await app.patch(where, [{"op": "replace", "path": "/status", "value": "amended"}])).status_code == 200
    stale = 'W/"1"'
    for answer in (
        await app.put(where, body, If_Match=stale),
        await app.patch(where, [{"op": "replace", "path": "/status", "value": "final"}], If_Match=stale),
        await app.delete(where, If_Match=stale),
        await app.put(where, body, If_Match="3"),
    ):
        refused(answer, 412)
    assert (await app.get(where)).headers["etag"] == 'W/"3"'


async def test_two_writers_who_read_the_same_version_do_not_both_win(app: Caller, record: str) -> None:
    import asyncio

    body = await created(app, observation(record))
    where = f"Observation/{body['id']}"
    answers = await asyncio.gather(*[app.put(where, body, If_Match='W/"1"') for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]


async def test_what_is_known_is_not_sent_again(app: Caller, record: str) -> None:
    body = await created(app, observation(record))
    where = f"Observation/{body['id']}"
    for headers in ({"If_None_Match": 'W/"1"'}, {"If_None_Match": 'W/"8", W/"1"'}, {"If_None_Match": "*"}):
        answer = await app.get(where, **headers)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == 'W/"1"'
    assert (await app.get(where, If_None_Match='W/"2"')).status_code == 200
    modified = (await app.get(where)).headers["last-modified"]
    assert (await app.get(where, If_Modified_Since=modified)).status_code == 304
    earlier = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert (await app.get(where, If_Modified_Since=earlier)).status_code == 200
    assert (await app.get(where, If_Modified_Since="whenever")).status_code == 200


async def test_prefer_chooses_what_a_write_answers(app: Caller, record: str) -> None:
    minimal = await app.post("Observation", observation(record), Prefer="return=minimal")
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal.headers["location"]
    told = await app.post("Observation", observation(record), Prefer='handling=lenient; return="OperationOutcome"')
    assert told.json()["resourceType"] == "OperationOutcome"
    assert told.status_code == 201
    whole = await app.post("Observation", observation(record), Prefer="return=representation")
    assert whole.json()["resourceType"] == "Observation"


async def test_json_patch(app: Caller, record: str) -> None:
    body = await created(app, observation(record))
    where = f"Observation/{body['id']}"
    answer = await app.patch(where, [{"op": "replace", "path": "/valueQuantity/value", "value": 70}])
    assert answer.json()["valueQuantity"]["value"] == 70
    assert answer.headers["etag"] == 'W/"2"'
    refused(await app.patch(where, [{"op": "test", "path": "/status", "value": "amended"}]), 422)
    refused(await app.patch(where, [{"op": "remove", "path": "/status"}]), 422)
    refused(await app.patch(where, [{"op": "frobnicate", "path": "/status"}]), 400)
    refused(await app.patch(where, [{"op": "replace", "path": "/id", "value": "x"}]), 422)
    wrong = await app.ask("PATCH", where, {"Content-Type": FHIR_JSON}, content=b"[]")
    refused(wrong, 415)
    assert wrong.headers["accept-patch"] == "application/json-patch+json"
    assert (await app.get(where)).headers["etag"] == 'W/"2"'


async def test_conditional_create(app: Caller, record: str) -> None:
    unless = "identifier=urn:example:scale|w-1"
    first = await app.post("Observation", identified(record), If_None_Exist=unless)
    again = await app.post("Observation", identified(record), If_None_Exist=unless)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    await created(app, identified(record))
    refused(await app.post("Observation", identified(record), If_None_Exist=unless), 412)
    for unreadable in ("", "colour=blue", "identifier=x&colour=blue", "date=yesterday", "_sort=date"):
        refused(await app.post("Observation", identified(record), If_None_Exist=unreadable), 400)


async def test_conditional_create_is_done_once_whoever_comes_together(app: Caller, record: str) -> None:
    import asyncio

    unless = {"If_None_Exist": "identifier=urn:example:scale|w-1"}
    answers = await asyncio.gather(*[app.post("Observation", identified(record), **unless) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_conditional_update(app: Caller, record: str) -> None:
    where = "Observation?identifier=urn:example:scale|w-1"
    made = await app.put(where, identified(record))
    assert made.status_code == 201
    changed = await app.put(where, identified(record, status="amended"))
    assert changed.status_code == 200
    assert (changed.json()["id"], changed.headers["etag"]) == (made.json()["id"], 'W/"2"')
    assert (await app.put(where, changed.json())).status_code == 200
    refused(await app.put(where, {**identified(record), "id": "another"}), 400)
    refused(await app.put("Observation?identifier=none", {**identified(record), "id": "another"}), 405)
    refused(await app.put(where, identified(record), If_Match='W/"1"'), 412)
    await created(app, identified(record))
    refused(await app.put(where, identified(record)), 412)
    refused(await app.put("Observation", identified(record)), 400)


async def test_software_updates_by_condition_in_the_record_its_content_names(house: House, record: str) -> None:
    software = house.depositor()
    where = "Observation?identifier=urn:example:scale|w-1"
    made = await software.put(where, identified(record))
    assert made.status_code == 201, made.text
    assert (await software.put(where, identified(record))).status_code == 200


async def test_conditional_patch_and_delete(app: Caller, record: str) -> None:
    await created(app, identified(record))
    where = "Observation?identifier=urn:example:scale|w-1"
    patch = [{"op": "replace", "path": "/status", "value": "amended"}]
    assert (await app.patch(where, patch)).json()["status"] == "amended"
    refused(await app.patch("Observation?identifier=none", patch), 404)
    assert (await app.delete("Observation?identifier=none")).status_code == 204
    second = await created(app, identified(record))
    refused(await app.delete(where), 412)
    assert (await app.delete(f"Observation/{second['id']}")).status_code == 204
    assert (await app.delete(f"Observation/{second['id']}")).status_code == 204
    assert (await app.delete(where)).status_code == 204
    assert (await app.get("Observation?_summary=count")).json()["total"] == 0
    refused(await app.delete("Observation"), 400)


async def test_a_record_is_opened_once(house: House) -> None:
    number = house.new_ins()
    await house.open_record(number)
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.10", "value": number}]}
    refused(await house.operator().post("Patient", patient), 409)
