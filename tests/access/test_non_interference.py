"""The same request in two twin worlds, with and without what the reader may not see: status, body and headers alike."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from fhir.record import new_id
from phr import codes as tables
from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.provision import Right
from phr.core.identifiers import INS_NIR_TEST
from tests.access.city import (
    FROM_PROXIES,
    HIDDEN,
    LOINC,
    MASKED,
    SYSTEM,
    as_professional,
    coded,
    delegate,
    document,
    encounter,
    labelled,
    professional,
    report,
)
from tests.access.worlds import DOCTOR
from tests.access.worlds import professional as identity
from tests.house import Caller, House, account_of, observation

Json = dict[str, Any]

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|\+00:00)")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_CURSOR = re.compile(r"_cursor=[A-Za-z0-9_\-%]+")
_AUDIT = re.compile(r"AuditEvent/[0-9a-f]{32}|\"id\":\"[0-9a-f]{32}\"")


@dataclass(slots=True)
class Twin:
    """One world: a person, what everybody sees, and the ids of what is hidden (or of nothing, in the other twin)."""

    house: House
    record: str = ""
    ins: str = ""
    names: dict[str, str] = field(default_factory=dict)

    def id(self, name: str) -> str:
        return self.names[name]

    def plain(self, answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers with ids, instants and cursors replaced by what they stand for."""
        headers = {name: self._named(value) for name, value in answer.headers.items()}
        return answer.status_code, self._named(answer.text), headers

    def _named(self, text: str) -> str:
        for name, identifier in self.names.items():
            text = text.replace(identifier, f"<{name}>")
        text = text.replace(self.ins, "<ins>")
        for pattern, word in ((_INSTANT, "<at>"), (_HTTP_DATE, "<date>"), (_CURSOR, "<cursor>"), (_AUDIT, "<audit>")):
            text = pattern.sub(word, text)
        return text


async def post(caller: Caller, body: Json) -> Json:
    answer = await caller.post(body["resourceType"], body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def known(body: Json, name: str) -> Json:
    """With an identifier of its own."""
    return {**body, "identifier": [{"system": SYSTEM, "value": name}]}


async def twins_of(house: House, hider: str, labels: list[str]) -> tuple[Twin, Twin]:
    """Two worlds, with and without what is hidden; the professionals are the same."""
    operator = house.operator()
    commons = [
        (await post(operator, {"resourceType": kind, **more}))["id"]
        for kind, more in (("Organization", {"name": "CHU"}), ("PractitionerRole", {}))
    ]
    return (
        await build(house, hider, labels, commons, hide=True),
        await build(house, hider, labels, commons, hide=False),
    )


async def _let_in(twin: Twin) -> None:
    """Those who see something of the person: who represents them, a caregiver, and a professional in relation."""
    for name, right in (("mum", Right.LEGAL_REPRESENTATIVE), ("dad", Right.CAREGIVER)):
        powers = ("consult",) if right is Right.CAREGIVER else ()
        terms = Terms(right, Actor.account(account_of(name)), powers=powers)
        twin.names[name] = await twin.house.lend(twin.record, terms)
    twin.names["relation"] = await twin.house.relate(twin.record, TREATING.id)


TREATING = identity("810021")
"""A physician with a care relation."""


async def build(house: House, hider: str, labels: list[str], commons: list[str], *, hide: bool) -> Twin:
    """`hider` deposits what is hidden, under `labels`, if `hide`; what is visible comes before, between and after."""
    twin = Twin(house, ins=house.new_ins())
    twin.record = twin.names["person"] = await house.open_record(twin.ins)
    await _let_in(twin)
    hospital, other = house.depositor(), house.depositor(hider)
    record = twin.record
    org, role = commons

    async def visible(name: str, body: Json) -> None:
        twin.names[name] = (await post(hospital, known(body, name)))["id"]

    async def hidden(name: str, body: Json) -> None:
        if hide:
            made = await post(other, labelled(known(body, name), labels))
            twin.names[name] = made["id"]
            if body["resourceType"] == "DocumentReference":
                twin.names[f"{name} content"] = made["content"][0]["attachment"]["url"].removeprefix("Binary/")
        else:
            twin.names[name] = new_id(int(record[:3], 16))
            twin.names[f"{name} content"] = new_id(int(record[:3], 16))

    await visible("first", observation(record, effectiveDateTime="2026-01-01"))
    await hidden("secret", observation(record, effectiveDateTime="2026-01-02"))
    await visible("place", encounter(record))
    await hidden("secret place", encounter(record))
    await visible("there", observation(record, encounter={"reference": f"Encounter/{twin.id('place')}"}))
    first = observation(record, hasMember=[{"reference": f"Observation/{twin.id('first')}"}])
    if not labels:  # another's deposit cannot point at what the other does not see
        first = observation(record)
    await hidden("secret pointing", first)
    own_report = {name: value for name, value in report(record, []).items() if name != "result"}
    await hidden("secret report", own_report)
    document_ = document(record, org, role, "to be announced", {"description": "to be announced"})
    document_["securityLabel"] += [coded(tables.VISIBILITY, label) for label in labels]
    await hidden("secret document", document_)
    open_ = document(record, org, role, "nothing special", {"masterIdentifier": {"system": SYSTEM, "value": "1"}})
    made = await post(hospital, open_)
    twin.names["document"] = made["id"]
    twin.names["content"] = made["content"][0]["attachment"]["url"].removeprefix("Binary/")
    await hidden("last secret", observation(record, effectiveDateTime="2026-06-01"))
    await visible("last", observation(record, effectiveDateTime="2026-05-01"))
    return twin


def questions(twin: Twin) -> list[tuple[str, str, dict[str, str], Any]]:
    """Everything that may be asked, of what is there and of what is not: (method, path, headers, body)."""
    record, of = twin.record, f"patient={twin.record}"
    gets = [
        *(f"{kind}/{twin.id(name)}{suffix}" for kind, name in _SECRETS for suffix in ("", "/_history", "/_history/1")),
        *(f"{kind}?{of}{more}" for kind in _KINDS for more in ("", "&_total=accurate", "&_summary=count", "&_count=2")),
        *(f"{kind}/_history?{of}" for kind in _KINDS),
        *(f"Observation?{of}&identifier={SYSTEM}|{name}" for name in ("secret", "first")),
        *(f"Observation?{of}&_id={twin.id(name)}" for name in ("secret", "first")),
        f"Observation?{of}&_sort=date&_count=1",
        f"Observation?{of}&_sort=-date&_count=1",
        f"Observation?{of}&_sort=-_lastUpdated&_count=2",
        f"Observation?{of}&_include=*&_revinclude=DiagnosticReport:result&_revinclude=Observation:has-member",
        f"Observation?{of}&encounter={twin.id('secret place')}",
        f"Observation?{of}&encounter:Encounter.identifier={SYSTEM}|secret place",
        f"Observation?{of}&_has:Observation:has-member:identifier={SYSTEM}|secret pointing",
        f"Encounter?{of}&_has:Observation:encounter:code=29463-7&_total=accurate",
        f"Observation?{of}&date=2026-01-02",
        f"Observation?{of}&date:missing=true&_total=accurate",
        f"Observation?{of}&_security=INVISIBLE_PATIENT",
        f"Observation?{of}&nothing=x",
        f"Observation?patient.identifier=urn:oid:{INS_NIR_TEST}|{twin.ins}&_total=accurate",
        f"Patient/{record}/$everything",
        f"Patient/{record}/$everything?_count=2",
        f"Patient/{record}/$everything?_type=DiagnosticReport",
        f"Patient/{record}",
    ]
    asked: list[tuple[str, str, dict[str, str], Any]] = [("GET", path, {}, None) for path in gets]
    secret = f"Observation/{twin.id('secret')}"
    for match in (
        {"If-None-Match": "*"},
        {"If-None-Match": 'W/"1"'},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    ):
        asked.append(("GET", secret, match, None))
    content = f"Binary/{twin.id('secret document content')}"
    asked += [
        ("GET", content, {"Accept": "*/*"}, None),
        ("GET", content, {"Accept": "*/*", "Range": "bytes=0-3"}, None),
    ]
    asked.append(("GET", content, {"Accept": "*/*", "Range": "bytes=900-"}, None))
    body = {**observation(record), "id": twin.id("secret")}
    patch = [{"op": "test", "path": "/status", "value": "final"}]
    asked += [("PUT", secret, {}, body), ("PUT", secret, {"If-Match": 'W/"1"'}, body), ("DELETE", secret, {}, None)]
    asked += [("PATCH", secret, {"Content-Type": "application/json-patch+json"}, patch)]
    asked += [("DELETE", f"Observation?{of}&identifier={SYSTEM}|secret", {}, None)]
    pointing = observation(record, hasMember=[{"reference": secret}])
    asked += [("POST", "Observation", {}, pointing), ("POST", "Observation/$validate", {}, pointing)]
    deleted = {"request": {"method": "DELETE", "url": secret}}
    read = {"request": {"method": "GET", "url": secret}}
    asked += [("POST", "", {}, {"resourceType": "Bundle", "type": "transaction", "entry": [deleted]})]
    asked += [("POST", "", {}, {"resourceType": "Bundle", "type": "batch", "entry": [deleted, read]})]
    return asked


_KINDS = ("Observation", "Encounter", "DiagnosticReport", "DocumentReference")
_SECRETS = (
    ("Observation", "secret"),
    ("Encounter", "secret place"),
    ("DiagnosticReport", "secret report"),
    ("DocumentReference", "secret document"),
    ("Binary", "secret document content"),
    ("Observation", "last secret"),
    ("Condition", "secret"),
)


async def answer(caller: Caller, asked: tuple[str, str, dict[str, str], Any]) -> httpx.Response:
    method, path, headers, body = asked
    sent = {"Content-Type": "application/fhir+json", **headers} if body is not None else headers
    return await caller.ask(method, path, sent, **({} if body is None else {"json": body}))


async def compare(one: Twin, other: Twin, caller_of: Callable[[Twin], Caller]) -> None:
    """Ask both worlds everything, page after page, and find no difference."""
    for left, right in zip(questions(one), questions(other), strict=True):
        callers = caller_of(one), caller_of(other)
        answers = [await answer(callers[0], left), await answer(callers[1], right)]
        for page in range(30):
            found = one.plain(answers[0]), other.plain(answers[1])
            assert found[0] == found[1], (left, page)
            nexts = [_next(one_answer) for one_answer in answers]
            assert (nexts[0] is None) is (nexts[1] is None)
            if nexts[0] is None:
                break
            answers = [await caller.get(str(path)) for caller, path in zip(callers, nexts, strict=True)]


def _next(found: httpx.Response) -> str | None:
    if found.status_code != 200 or "json" not in found.headers.get("content-type", ""):
        return None
    links = {link["relation"]: link["url"] for link in found.json().get("link", ())}
    return str(links["next"]).partition("/fhir/")[2] if "next" in links else None


async def test_a_citizen_cannot_tell_what_awaits_its_announcement(house: House) -> None:
    twins = await twins_of(house, "hospital", [HIDDEN])
    await compare(*twins, lambda twin: house.citizen(twin.record))


async def test_a_delegate_cannot_tell_what_is_kept_from_them(house: House) -> None:
    twins = await twins_of(house, "hospital", [FROM_PROXIES])
    await compare(*twins, lambda twin: delegate(house, twin.record))


async def test_a_delegate_cannot_tell_what_awaits_its_announcement(house: House) -> None:
    twins = await twins_of(house, "hospital", [HIDDEN])
    await compare(*twins, lambda twin: delegate(house, twin.record))


async def test_a_caregiver_cannot_tell_what_is_kept_from_them(house: House) -> None:
    for label in (FROM_PROXIES, HIDDEN):
        twins = await twins_of(house, "hospital", [label])
        await compare(*twins, lambda twin: delegate(house, twin.record, name="dad"))


async def test_a_professional_in_relation_cannot_tell_what_is_masked(house: House) -> None:
    """One by one, by a label; or by sections."""
    twins = await twins_of(house, "hospital", [MASKED])
    await compare(*twins, lambda twin: as_professional(house, TREATING))
    kinds = ("Encounter", "DiagnosticReport", "Observation")
    masked = Terms(Right.MASK, permits=False, kinds=kinds, codes=((LOINC, "11502-2"),))
    twins = await twins_of(house, "laboratory", [])
    for twin in twins:
        await house.lend(twin.record, masked)
    await compare(*twins, lambda twin: as_professional(house, TREATING))


async def test_a_professional_cannot_tell_that_they_are_blocked(house: House) -> None:
    """From one who never had a relation: to the byte, whatever they ask and deposit."""
    twins = await twins_of(house, "laboratory", [])
    block = Terms(Right.BLOCK, Actor(PROFESSIONALS, DOCTOR.id), permits=False)
    await house.lend(twins[0].record, block)
    await compare(*twins, lambda twin: professional(house))


async def test_a_professional_cannot_tell_what_others_deposited(house: House) -> None:
    """Whatever their software was opened on: the record itself, or none."""
    twins = await twins_of(house, "laboratory", [])
    await compare(*twins, lambda twin: professional(house))
    await compare(*twins, lambda twin: professional(house, twin.record, ("patient/*.cruds",)))


async def test_a_depositor_cannot_tell_what_others_deposited(house: House) -> None:
    twins = await twins_of(house, "laboratory", [])
    await compare(*twins, lambda twin: house.depositor())


async def test_nobody_can_tell_what_is_in_a_record_that_is_not_theirs(house: House) -> None:
    twins = await twins_of(house, "laboratory", [])
    bob = await house.open_record()
    opened = professional(house, bob, ("patient/*.cruds", "user/*.cruds"))
    others = (house.citizen(bob), delegate(house, bob), opened, house.operator(), house.depositor("stranger"))
    for caller in others:
        await compare(*twins, lambda _, caller=caller: caller)  # type: ignore[misc]


def _about(person: str) -> list[str]:
    of = f"patient={person}"
    return [
        f"Patient/{person}",
        f"Patient/{person}/_history",
        f"Patient/{person}/$everything",
        f"Patient/{person}/$everything?_type=Observation",
        f"Patient?_id={person}",
        f"Observation?{of}",
        f"Observation?{of}&_total=accurate",
        f"Observation?{of}&_summary=count",
        f"Observation?{of}&encounter.status=finished",
        f"Observation/_history?{of}",
        f"AuditEvent?{of}",
        f"Encounter?subject=Patient/{person}&_include=Encounter:subject",
    ]


@pytest.mark.parametrize("who", ["citizen", "delegate", "professional", "operator", "stranger"])
async def test_a_person_who_exists_and_one_who_does_not_answer_alike(house: House, who: str) -> None:
    person, nobody = await house.open_record(), new_id(0x123)
    await post(house.depositor(), observation(person))
    bob = await house.open_record()
    callers = {"citizen": house.citizen(bob), "operator": house.operator(), "stranger": house.depositor("stranger")}
    callers |= {"delegate": delegate(house, bob), "professional": professional(house, bob)}
    caller = callers[who]
    one, other = Twin(house, ins="-", names={"x": person}), Twin(house, ins="-", names={"x": nobody})
    for left, right in zip(_about(person), _about(nobody), strict=True):
        assert one.plain(await caller.get(left)) == other.plain(await caller.get(right)), left


async def test_a_citizen_cannot_tell_whether_someone_has_a_record(house: House) -> None:
    """By INS: the number of someone with a record, and one of nobody."""
    own, taken, free = house.new_ins(), house.new_ins(), house.new_ins()
    record = await house.open_record(own)
    await house.open_record(taken)
    citizen = house.citizen(record)
    await post(citizen, observation(record))
    one, other = Twin(house, ins=taken), Twin(house, ins=free)
    for path in (
        "Patient?identifier={}",
        "Observation?patient.identifier={}",
        "Observation?subject:Patient.identifier={}",
        "Observation?patient:identifier={}",
        "Observation?patient.identifier={}&_total=accurate",
    ):
        answers = [
            twin.plain(await citizen.get(path.format(f"urn:oid:{INS_NIR_TEST}|{twin.ins}"))) for twin in (one, other)
        ]
        assert answers[0] == answers[1], path


async def test_hidden_absent_and_never_there_are_one_404(house: House) -> None:
    """To the byte: nothing is replaced here."""
    record, bob = await house.open_record(), await house.open_record()
    hospital, citizen = house.depositor(), house.citizen(record)
    hidden = (await post(hospital, labelled(observation(record), [HIDDEN])))["id"]
    others = (await post(hospital, observation(bob)))["id"]
    shown = (await post(hospital, observation(record)))["id"]
    paths = [f"Observation/{one}" for one in (hidden, others, new_id(int(record[:3], 16)), new_id(0), "x")]
    paths += [f"Condition/{shown}", f"Observation/{shown}/_history/9", f"Observation/{hidden}/_history/1"]
    answers = [await citizen.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1


async def test_the_journal_does_not_tell_either(house: House) -> None:
    """Pages of the citizen's journal, whatever was hidden between."""
    pages = []
    for hide in (True, False):
        record = await house.open_record()
        hospital, citizen = house.depositor(), house.citizen(record)
        for n in range(6):
            if n % 2 == 0:
                await post(hospital, observation(record))
            elif hide:
                await post(hospital, labelled(observation(record), [HIDDEN]))
        path: str | None = f"AuditEvent?patient={record}&_count=2"
        sizes = []
        while path is not None:
            found = await citizen.get(path)
            assert found.status_code == 200
            listed = [entry["resource"] for entry in found.json().get("entry", ())]
            tags = [event["subtype"][0]["code"] for event in listed]
            sizes.append([tag for tag in tags if tag != "journal"])
            path = _next(found)
        pages.append(sizes)
    assert pages[0] == pages[1]
