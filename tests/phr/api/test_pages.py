"""Searching, page by page: order, counts, links, cursors, and what is not understood."""

import asyncio
from urllib.parse import quote

import pytest

from fhir.validation import validate
from tests.house import INS_SYSTEM, Caller, House, observation
from tests.phr.api.asking import NEVER, created, found, identified, matches, pages, refused, told


async def test_order(app: Caller, record: str) -> None:
    bare = {key: value for key, value in observation(record).items() if key != "effectiveDateTime"}
    ids = [(await created(app, {**bare, "effectiveDateTime": f"2024-0{month}"}))["id"] for month in (2, 1, 3)]
    undated = (await created(app, bare))["id"]
    second, first, third = ids
    for query, expected in {
        "_sort=date": [first, second, third, undated],
        "_sort=-date": [third, second, first, undated],
        "_sort=_lastUpdated": [second, first, third, undated],
        "_sort=-_lastUpdated": [undated, third, first, second],
        "_sort=_id": [second, first, third, undated],
        "_sort=date,-_lastUpdated": [first, second, third, undated],
        "": [undated, third, first, second],
    }.items():
        assert await pages(app, f"Observation?{query}") == [expected], query
        assert await pages(app, f"Observation?{query}&_count=1") == [[one] for one in expected], query
    assert await told(app, "Observation?_sort=code") != []


@pytest.mark.parametrize("order", ["", "_sort=date", "_sort=-date", "_sort=_id", "_sort=-_lastUpdated"])
async def test_pages_are_stable_while_others_write(app: Caller, record: str, order: str) -> None:
    dates = [f"2024-01-{n % 5 + 1:02d}" for n in range(12)]
    there = [(await created(app, observation(record, effectiveDateTime=date)))["id"] for date in dates]
    seen: list[str] = []
    path = f"Observation?{order}&_count=3"
    removed: set[str] = set()
    while path:
        page = (await app.get(path)).json()
        seen += [one["id"] for one in matches(page)]
        await created(app, observation(record, effectiveDateTime="2024-01-03"))
        if len(removed) < 2:
            removed.add(seen[0 if not removed else -1])
            for each in removed:
                await app.delete(f"Observation/{each}")
        path = next((one["url"].partition("/fhir/")[2] for one in page["link"] if one["relation"] == "next"), "")
        assert len(seen) < 40
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)


async def test_counts(app: Caller, record: str) -> None:
    await asyncio.gather(*[app.post("Observation", observation(record)) for _ in range(4)])
    for query in ("_summary=count", "_count=0", "_count=0&_include=*"):
        page = (await app.get(f"Observation?{query}")).json()
        assert (page["total"], page.get("entry"), len(page["link"])) == (4, None, 1)
    page = (await app.get("Observation?_total=accurate&_count=2")).json()
    assert (page["total"], len(page["entry"])) == (4, 2)
    assert (await app.get("Observation?_total=estimate")).json()["total"] == 4
    assert "total" not in (await app.get("Observation")).json()
    assert (await app.get("Observation?patient=" + NEVER + "&_summary=count")).json()["total"] == 0
    for bad in ("_count=-1", "_count=x", "_count=", "_total=maybe", "_summary=most", "_count=99999999999999999999"):
        refused(await app.get(f"Observation?{bad}"), 400)
    assert len((await app.get("Observation?_count=1000")).json()["entry"]) == 4


async def test_links_are_absolute_and_say_what_was_understood(app: Caller, record: str) -> None:
    await created(app, observation(record))
    await created(app, observation(record))
    page = (await app.get("Observation?code=http://loinc.org|29463-7&_count=1&colour=blue")).json()
    links = {one["relation"]: one["url"] for one in page["link"]}
    assert links["self"] == "http://carnet.test/fhir/Observation?code=http%3A%2F%2Floinc.org%7C29463-7&_count=1"
    assert links["next"].startswith("http://carnet.test/fhir/Observation?_cursor=")
    assert "29463" not in links["next"]
    assert page["entry"][0]["fullUrl"].startswith("http://carnet.test/fhir/Observation/")


async def test_a_cursor_is_for_its_reader_and_its_search(house: House, app: Caller, record: str) -> None:
    for _ in range(3):
        await created(app, observation(record))
    page = (await app.get("Observation?_count=1")).json()
    cursor = page["link"][1]["url"].partition("_cursor=")[2]
    assert (await app.get(f"Observation?_cursor={cursor}")).status_code == 200
    other = house.citizen(await house.open_record())
    flipped = cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]
    for caller, path in (
        (app, f"Observation?_cursor={flipped}"),
        (app, "Observation?_cursor=AAAA"),
        (app, "Observation?_cursor=é"),
        (app, "Observation?_cursor="),
        (app, f"Condition?_cursor={cursor}"),
        (app, f"AuditEvent?_cursor={cursor}"),
        (app, f"Observation/_history?_cursor={cursor}"),
        (app, f"Patient/{record}/$everything?_cursor={cursor}"),
        (other, f"Observation?_cursor={cursor}"),
    ):
        refused(await caller.get(path), 400)


async def test_what_is_not_understood_is_named_or_refused(app: Caller, record: str) -> None:
    one = await created(app, observation(record))
    for name in (
        "colour=blue", "code:above=x", "code:text=x", "_text=x", "_content=x", "_filter=x", "_revinclude=*",
        "value-quantity=gt5", "date:not=2024", "_include=Observation:colour", "_sort=code", "encounter.colour=x",
        "_id:not=x", "_query=x", "subject:Patient.name=x", "_has:Goal:colour:x=y",
        "_revinclude=AuditEvent:patient", "code:missing.x=true", "_list=x",
        "_contained=true", "_containedType=container",
    ):  # fmt: skip
        page = (await app.get(f"Observation?{name}")).json()
        assert [each["id"] for each in matches(page)] == [one["id"]], name
        issue = matches(page, "outcome")[0]["issue"][0]
        assert issue["severity"] == "warning"
        assert issue["diagnostics"].startswith(name.partition("=")[0])
        assert validate("Bundle", page) == ()
        strict = refused(await app.get(f"Observation?{name}", Prefer="handling=strict"), 400)
        assert strict["code"] == "not-supported"


async def test_what_cannot_be_read_is_refused_and_not_repeated(app: Caller, record: str) -> None:
    for query in (
        "date=zq7secret", "date=2024-13", "date=", "code=", "code=|", "code=a|b|zq7secret", "_id=zq7 secret",
        "code:missing=zq7secret", "patient=zq7 secret", "_lastUpdated=zq7secret", "identifier:of-type=zq7secret",
        "code=zq7secret%00", "_has:x=zq7secret", "code:=zq7secret", "code=%ff", "patient=a&patient=b",
        "encounter.part-of.part-of.part-of.part-of.part-of.status=zq7secret",
    ):  # fmt: skip
        answer = await app.get(f"Observation?{query}")
        if answer.status_code != 400:
            raise AssertionError(query, answer.status_code, answer.text)
        refused(answer, 400)
        assert "zq7" not in answer.text
    refused(await app.get("Observation?" + "&".join(["code=x"] * 101)), 400)
    refused(await app.get("Observation?" + "&".join(["code=x"] * 1000)), 400)


async def test_forms_are_forms(app: Caller, record: str) -> None:
    await created(app, observation(record))
    path = "Observation/_search"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(await app.ask("POST", path, {"Content-Type": "application/json"}, content=b"{}"), 415)
    refused(await app.ask("POST", path, form, content=b"x=" + b"y" * 70_000), 413)
    refused(await app.ask("POST", path, form, content=b"_format=xml"), 406)
    pretty = await app.ask("POST", path, form, content=b"_pretty=true&_format=json")
    assert b'\n  "' in pretty.content
    both = await app.ask("POST", path + "?code=29463-7", form, content=b"status=amended")
    assert matches(both.json()) == []
    assert len(matches((await app.ask("POST", path)).json())) == 1


async def test_less_of_each(app: Caller, record: str) -> None:
    await created(app, observation(record, note=[{"text": "x"}]))
    (one,) = matches((await app.get("Observation?_summary=true")).json())
    assert "note" not in one
    assert "SUBSETTED" in {tag["code"] for tag in one["meta"]["tag"]}
    page = (await app.get("Observation?_elements=note&_include=Observation:subject")).json()
    assert set(matches(page)[0]) == {"resourceType", "id", "meta", "status", "code", "note"}
    assert "birthDate" in matches(page, "include")[0]
    refused(await app.get("Observation?_elements=a%20b"), 400)


async def test_software_names_the_person(house: House, record: str) -> None:
    software, number = house.depositor(), house.new_ins()
    mine = await house.open_record(number)
    kept = await created(software, identified(mine))
    assert refused(await software.get("Observation"), 422)["code"] == "required"
    refused(await software.get("Observation/_history"), 422)
    for query in (
        f"patient={mine}", f"subject=Patient/{mine}", f"subject:Patient={mine}", f"subject={mine}",
        f"patient=http://carnet.test/fhir/Patient/{mine}",
        f"patient.identifier={quote(INS_SYSTEM)}|{number}",
        f"subject:Patient.identifier={quote(INS_SYSTEM)}|{number}",
    ):  # fmt: skip
        assert await found(software, f"Observation?{query}") == {kept["id"]}, query
    assert await found(software, f"Observation?patient={record}") == set()
    assert await found(software, f"Observation?patient={NEVER}") == set()
    assert await found(software, f"Observation?patient.identifier={quote(INS_SYSTEM)}|{house.new_ins()}") == set()
    refused(await software.get(f"Observation?patient={mine}&subject={record}"), 400)
    history = (await software.get(f"Observation/_history?patient={mine}")).json()
    assert [one["resource"]["id"] for one in history["entry"]] == [kept["id"]]
    assert await found(house.depositor("clinic"), f"Observation?patient={mine}") == set()
    assert await found(house.operator(), f"Observation?patient={mine}") == set()


async def test_a_person_is_looked_up_by_ins_and_nothing_else_is_learnt(house: House) -> None:
    number = house.new_ins()
    record = await house.open_record(number)
    asked = f"Patient?identifier={quote(INS_SYSTEM)}|{number}"
    for caller in (house.depositor(), house.operator()):
        page = (await caller.get(asked)).json()
        (patient,) = matches(page)
        assert patient["id"] == record
        assert set(patient) == {"resourceType", "id", "meta", "identifier", "active"}
        assert "SUBSETTED" in {tag["code"] for tag in patient["meta"]["tag"]}
        assert matches((await caller.get(asked[:-1] + "x")).json()) == []
        page = (await caller.get(asked + "&birthdate=1985")).json()
        assert matches(page, "outcome")[0]["issue"][0]["diagnostics"].startswith("birthdate")
        refused(await caller.get(asked + "&birthdate=1985", Prefer="handling=strict"), 400)
        refused(await caller.get("Patient?birthdate=1985-05-17"), 422)
        refused(await caller.get("Patient"), 422)
        refused(await caller.get("Patient?identifier=123"), 400)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        by_post = await caller.ask("POST", "Patient/_search", form, content=asked.partition("?")[2].encode())
        assert [one["id"] for one in matches(by_post.json())] == [record]
    other = house.citizen(await house.open_record())
    assert await found(other, asked) == set()


async def test_the_journal_is_searched_by_what_it_declares(app: Caller, record: str) -> None:
    for _ in range(5):
        await app.get("Observation")
    path = "AuditEvent?_count=2"
    events = [one for page in await pages(app, path) for one in page]
    assert len(events) == len(set(events)) >= 5
    assert await found(app, f"AuditEvent?_id={events[0]},{events[1]}") == set(events[:2])
    assert (await app.get(f"AuditEvent/{events[0]}")).json()["id"] == events[0]
    assert await found(app, "AuditEvent?date=lt2020") == set()
    assert await found(app, "AuditEvent?date=gt2020&date=lt2020-02") == set()
    assert len(await found(app, f"AuditEvent?date=ge2020&patient={record}")) > 5
    assert await found(app, f"AuditEvent?patient={NEVER}") == set()
    for name in ("colour=x", "date=ne2020", "_sort=date", "entity=x"):
        assert (await told(app, f"AuditEvent?{name}"))[0].startswith(name.partition("=")[0])
        refused(await app.get(f"AuditEvent?{name}", Prefer="handling=strict"), 400)
    for bad in ("date=x", "_count=0", "_count=x", "_cursor=x", "_count=" + "9" * 5000):
        assert (await app.get(f"AuditEvent?{bad}")).status_code in (200, 400)
    refused(await app.get("AuditEvent?date=x"), 400)
    refused(await app.get("AuditEvent/nothing"), 404)
    refused(await app.get(f"AuditEvent/{events[0]}/_history"), 405)


async def test_what_is_brought_along_has_an_end_that_is_told(
    app: Caller, record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fhir import joins

    monkeypatch.setattr(joins, "MOST_INCLUDED", 2)
    for _ in range(3):
        await created(app, observation(record))
    page = (await app.get("Patient?_revinclude=Observation:subject")).json()
    assert len(matches(page, "include")) == 2
    assert matches(page, "outcome")[0]["issue"][0]["diagnostics"].startswith("_include")
