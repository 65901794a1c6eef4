"""Every way out shows a resource to a reader exactly when the oracle says so; the list of ways out is complete."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from phr import codes
from phr.app import create_app
from tests.access import city as cities
from tests.access import ways_out
from tests.access.city import HIDDEN, SYSTEM, City, Someone, Thing, encounter, labelled
from tests.access.doors import DOORS
from tests.house import House, observation


@pytest.fixture
async def city(house: House) -> City:
    """Two people, two depositors and some forty resources."""
    return await cities.build(house)


def someone(city: City, name: str) -> Someone:
    return next(who for who in city.readers() if who.name == name)


ADA, HOSPITAL = "ada", "hospital system/*.cruds"
WRITERS = (ADA, HOSPITAL, "laboratory system/*.cruds", "mum", "doctor", "doctor at ada's")


async def test_every_way_out_shows_what_the_oracle_says(city: City) -> None:
    await ways_out.check(city)


async def test_the_city_holds_something_to_hide(city: City) -> None:
    """So that the test above means something."""
    ada = someone(city, ADA)
    for kind in ("Observation", "Encounter", "DiagnosticReport", "DocumentReference", "Binary"):
        shown = {ada.sees(thing, "r") for thing in city.among(kind) if thing.record == city.ada}
        assert shown == {True, False}


async def test_counts_count_what_is_seen(city: City) -> None:
    for who in city.readers():
        for kind in ways_out.SEARCHED:
            person = f"_id={city.ada}" if kind == "Patient" else f"patient={city.ada}"
            inside = [thing for thing in city.among(kind) if thing.record == city.ada]
            expected = sum(who.sees(thing, "s") for thing in inside)
            for asked in ("_total=accurate&_count=1", "_summary=count", "_total=accurate&_count=0"):
                answer = await who.caller.get(f"{kind}?{person}&{asked}")
                if answer.status_code == 403:
                    assert expected == 0
                    continue
                assert answer.json()["total"] == expected, (who.name, kind, asked)


# Writing: a condition, or a reference, must not tell what a search would not.


async def test_a_conditional_create_finds_only_what_is_seen(city: City) -> None:
    for name in WRITERS:
        who = someone(city, name)
        for thing in city.among("Observation"):
            if thing.record != city.ada:
                continue
            condition = f"identifier={SYSTEM}|{thing.mark}"
            answer = await who.caller.post("Observation", observation(city.ada), If_None_Exist=condition)
            seen = who.sees(thing, "s")
            assert answer.status_code == (200 if seen else 201), (name, thing.name)
            assert (answer.json()["id"] == thing.id) is seen


async def test_a_reference_points_only_to_what_is_seen(city: City) -> None:
    never = f"{city.ada[:3]}-{'0' * 32}"
    for name in WRITERS:
        who = someone(city, name)
        answers: dict[bool, set[tuple[int, str]]] = {True: set(), False: set()}
        for thing in city.among("Observation", "Encounter"):
            if thing.record != city.ada:
                continue
            element = {"Observation": "hasMember", "Encounter": "encounter"}[thing.kind]
            to: Any = {"reference": thing.address}
            to = [to] if thing.kind == "Observation" else to
            answer = await who.caller.post("Observation", observation(city.ada, **{element: to}))
            seen = who.sees(thing, "r")
            assert answer.status_code == (201 if seen else 422), (name, thing.name)
            if not seen:
                answers[False].add((answer.status_code, answer.text))
        to = {"reference": f"Encounter/{never}"}
        answer = await who.caller.post("Observation", observation(city.ada, encounter=to))
        assert answers[False] == {(answer.status_code, answer.text)}


def _unseen(city: City, who: Someone) -> Iterator[Thing]:
    for thing in city.among("Observation"):
        if not who.sees(thing, "r"):
            yield thing


async def test_what_is_not_seen_cannot_be_touched(city: City) -> None:
    never = Thing("never", "Observation", f"{city.ada[:3]}-{'0' * 32}", "", None, "", frozenset())
    strangers = ("bob", "bob's mum", "doctor at bob's", "stranger system/*.cruds", "operator")
    for name in (*WRITERS[2:], ADA, "ada, vital signs", *strangers):
        who = someone(city, name)
        answers = []
        for thing in (*_unseen(city, who), never):
            body = {**observation(city.ada), "id": thing.id}
            patch = [{"op": "replace", "path": "/status", "value": "amended"}]
            made = [
                await who.caller.put(thing.address, body),
                await who.caller.put(thing.address, body, If_Match='W/"1"'),
                await who.caller.patch(thing.address, patch),
                await who.caller.delete(thing.address),
                await who.caller.delete(f"Observation?patient={city.ada}&identifier={SYSTEM}|{thing.mark or 'x'}"),
            ]
            answers.append([(answer.status_code, answer.text) for answer in made])
        assert all(answer == answers[-1] for answer in answers), name
        assert [status for status, _ in answers[-1]][:4] == [405, 405, 404, 404]
    hospital = someone(city, HOSPITAL)
    for thing in city.among("Observation"):
        if thing.author == "client:hospital":
            assert thing.mark in (await hospital.caller.get(thing.address)).text


async def test_a_conditional_update_of_what_is_not_seen_creates(city: City) -> None:
    who, hidden = someone(city, ADA), city.things["hospital hidden"]
    where = f"Observation?identifier={SYSTEM}|{hidden.mark}"
    answer = await who.caller.put(where, observation(city.ada))
    assert answer.status_code == 201
    assert answer.json()["id"] != hidden.id
    patch = [{"op": "replace", "path": "/status", "value": "amended"}]
    assert (await who.caller.patch(where, patch)).status_code == 404


async def test_a_transaction_sees_no_more(city: City) -> None:
    who, hidden = someone(city, ADA), city.things["hospital hidden"]
    body = {**observation(city.ada), "id": hidden.id}
    condition = f"identifier={SYSTEM}|{hidden.mark}"

    async def carried(request: dict[str, str], resource: Any = None) -> tuple[int, str]:
        entry = {"request": request, **({} if resource is None else {"resource": resource})}
        answer = await who.caller.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        return answer.status_code, answer.text

    never = f"Observation/{city.ada[:3]}-{'0' * 32}"
    for method in ("PUT", "DELETE"):
        answers = [
            await carried({"method": method, "url": url}, {**body, "id": url.partition("/")[2]})
            for url in (hidden.address, never)
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] in (404, 405, 422)
    status, text = await carried({"method": "DELETE", "url": f"Observation?{condition}"})
    assert (status, "204" in text) == (200, True)
    created = {"method": "POST", "url": "Observation", "ifNoneExist": condition}
    status, text = await carried(created, observation(city.ada))
    assert (status, hidden.id in text, '"201"' in text) == (200, False, True)
    pointing = observation(city.ada, hasMember=[{"reference": f"Observation?{condition}"}])
    assert (await carried({"method": "POST", "url": "Observation"}, pointing))[0] == 422
    assert hidden.mark in (await someone(city, HOSPITAL).caller.get(hidden.address)).text


async def test_nobody_writes_out_of_their_own_sight(city: City) -> None:
    ada = someone(city, ADA)
    assert (await ada.caller.post("Observation", labelled(observation(city.ada), [HIDDEN]))).status_code == 403
    own = city.things["own observation"]
    body = labelled({**observation(city.ada), "id": own.id}, [HIDDEN])
    assert (await ada.caller.put(own.address, body)).status_code == 403
    assert (await ada.caller.post("Observation", observation(city.bob))).status_code == 422
    operator = someone(city, "operator")
    assert (await operator.caller.post("Observation", observation(city.ada))).status_code == 403


async def test_the_content_of_a_hidden_document_stays_hidden_when_replaced(city: City) -> None:
    """PUT of the Binary by its author: a new version of the bytes is under the document's visibility still."""
    hospital, ada = someone(city, HOSPITAL), someone(city, ADA)
    binary = city.things["hospital hidden document content"]
    body = {"resourceType": "Binary", "id": binary.id, "contentType": "text/plain", "data": "d3cwMDB3dyBuZXc="}
    answer = await hospital.caller.put(binary.address, body)
    assert answer.status_code in (200, 409)
    assert (await ada.caller.get(binary.address)).status_code == 404


async def test_hiding_a_document_hides_its_content_and_its_past(city: City) -> None:
    hospital, ada = someone(city, HOSPITAL), someone(city, ADA)
    shown, binary = city.things["hospital plain document"], city.things["hospital plain document content"]
    assert (await ada.caller.get(shown.address)).status_code == 200
    assert (await ada.caller.get(binary.address)).status_code == 200
    label = {"coding": [{"system": codes.VISIBILITY, "code": HIDDEN}]}
    patch = [{"op": "add", "path": "/securityLabel/-", "value": label}]
    answer = await hospital.caller.patch(shown.address, patch)
    assert answer.status_code == 200, answer.text
    for path in (
        shown.address,
        binary.address,
        f"{shown.address}/_history",
        f"{shown.address}/_history/1",
        f"{binary.address}/_history/1",
    ):
        assert (await ada.caller.get(path)).status_code == 404, path
        assert (await hospital.caller.get(path)).status_code == 200, path


async def test_a_deletion_does_not_show_to_who_did_not_see(city: City) -> None:
    hospital, ada, bob = (someone(city, name) for name in (HOSPITAL, ADA, "bob"))
    for name, status in (("hospital hidden", 404), ("hospital plain", 410)):
        thing = city.things[name]
        # A report refers to it still: the past stays, so nothing dangles.
        assert (await hospital.caller.delete(thing.address)).status_code == 204
        assert (await hospital.caller.get(thing.address)).status_code == 410
        assert (await ada.caller.get(thing.address)).status_code == status
        assert (await bob.caller.get(thing.address)).status_code == 404
        assert (await ada.caller.get(f"{thing.address}/_history")).status_code == (200 if status == 410 else 404)
    assert (await hospital.caller.post("Observation", observation(city.ada))).status_code == 201
    assert (await hospital.caller.post("Encounter", encounter(city.ada))).status_code == 201


# The list.


def routes_of(routes: list[Any]) -> Iterator[tuple[str, str]]:
    for route in routes:
        inside = getattr(route, "original_router", None)
        if inside is not None:
            yield from routes_of(inside.routes)
            continue
        assert isinstance(route, Route | APIRoute), f"{route} is no route: say here what it opens"
        for method in (route.methods or set()) - {"HEAD"}:
            yield method, getattr(route, "path_format", route.path)


async def test_the_list_of_doors_is_complete(house: House) -> None:
    app: Any = create_app(house.settings, house.parts)
    while not hasattr(app, "routes"):
        app = app._app if hasattr(app, "_app") else app.app
    routes = list(routes_of(app.routes))
    assert set(routes) == set(DOORS)


async def test_no_door_under_fhir_opens_without_a_token(house: House) -> None:
    for (method, path), door in DOORS.items():
        if not path.startswith("/fhir"):
            continue
        address = (
            path.replace("{rest}", "x/y/z/a")
            .replace("{kind}", "Observation")
            .replace("{id}", "x")
            .replace("{version}", "1")
        )
        for authorization in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eA=="}):
            answer = await house.http.request(method, address, headers=authorization)
            assert (answer.status_code == 401) is (door.reader == "bearer"), (method, path)
            assert door.reader == "bearer" or answer.status_code == 200
