"""Access codes over HTTP: what is lent and what is then seen, who may, until when, and what the journal says."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from auth.professionals import Professional
from auth.sandbox import people
from auth.scopes import parse
from auth.sweep import sweep
from auth.tables import attempt
from fhir.record import COMMONS
from phr import codes, redeeming, sharing
from phr.access.consent import PROFESSIONALS, RPPS, Actor, Terms
from phr.access.journal import Note, Tag, chain_of_client, journal, read_note
from phr.access.matrix import Matrix
from phr.access.provision import Right
from phr.access.reader import Professional as Reader
from phr.access.visit import Visit
from phr.core.errors import DomainError, Reason
from phr.sharing import access_code
from tests.access.city import delegate
from tests.access.worlds import DOCTOR
from tests.access.worlds import professional as someone
from tests.deposit import bytes_of, clinic, coded, deposited, document, ids
from tests.house import Caller, House, account_of, observation

Json = dict[str, Any]
NURSE = someone("810060", "60")
OTHER = someone(people.rpps(77))
NOBODY = someone("810099", "")


@dataclass(frozen=True, slots=True)
class Shelf:
    """A record with a biology report, an imaging report and a weight; its person, and a doctor they never saw."""

    house: House
    record: str
    me: Caller
    doctor: Caller
    biology: Json
    imaging: Json

    async def share(self, **wish: Any) -> Json:
        """A code, made by the person: the values answered, by name."""
        answer = await self.me.post(f"Patient/{self.record}/$share", body(**(wish or {"all": True})))
        assert answer.status_code == 201, answer.text
        return told(answer.json())

    async def seen(self, by: Caller | None = None) -> tuple[bool, bool, bool]:
        """Whether the biology report, the imaging report and the weight are seen; contents as their documents."""
        caller = by or self.doctor
        documents = ids(await caller.get(f"DocumentReference?patient={self.record}"))
        for one in (self.biology, self.imaging):
            content = await caller.get(bytes_of(one), Accept="*/*")
            assert (content.status_code == 200) is (one["id"] in documents)
        weights = ids(await caller.get(f"Observation?patient={self.record}"))
        return self.biology["id"] in documents, self.imaging["id"] in documents, bool(weights)


def body(**values: Any) -> Json:
    """Parameters: a list repeats its name."""
    listed = []
    for name, many in values.items():
        for value in many if isinstance(many, list) else [many]:
            kinds = {bool: "valueBoolean", int: "valueInteger", dict: "valueIdentifier"}
            listed.append({"name": name, kinds.get(type(value), "valueString"): value})
    return {"resourceType": "Parameters", "parameter": listed}


def told(parameters: Json) -> Json:
    """Names to values."""
    return {
        one["name"]: next(value for name, value in one.items() if name != "name") for one in parameters["parameter"]
    }


def software(house: House, who: Professional = DOCTOR) -> Caller:
    """A professional's software."""
    claims = house.claims("professional", "software", ("user/*.cruds",), subject=who.id)
    return house.caller(replace(claims, professional=who))


async def redeemed(caller: Caller, code: str) -> Any:
    return await caller.post("Patient/$redeem", body(code=code))


def notes(house: House, record: str | None = None) -> list[tuple[str, Note]]:
    """Tags and notes of a record's chain, or of the professional's software's, oldest first."""
    installation = house.parts.installation
    if record is None:
        keys, chain = installation.commons, chain_of_client("software")[1]
    else:
        opened = installation.remembered(record, datetime.now(UTC))
        assert opened is not None
        keys, chain = opened.keys, record
    with Session(house.parts.engine) as session:
        rows = session.execute(select(journal).where(journal.c.chain == chain).order_by(journal.c.seq)).all()
    return [(row.tag, read_note(keys, chain, row.id, row.sealed)) for row in rows]


def move(house: House, **values: Any) -> None:
    """Change every row of the table of codes."""
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(access_code).values(**values))


def counts(house: House) -> tuple[int, int]:
    with Session(house.parts.engine) as session:
        row = session.execute(select(access_code.c.wrong, access_code.c.uses)).one()
    return row.wrong, row.uses


@pytest.fixture
async def shelf(house: House) -> Shelf:
    by, hospital = await clinic(house), house.depositor()
    record = await house.open_record()
    biology = await deposited(hospital, document(record, by))
    imaging = await deposited(
        hospital,
        document(record, by, type=coded(codes.LOINC, "18748-4"), category=[coded(codes.CLASS, "31")]),
    )
    assert (await hospital.post("Observation", observation(record))).status_code == 201
    return Shelf(house, record, house.citizen(record), software(house), biology, imaging)


NOTHING, BIOLOGY, EVERYTHING = (False, False, False), (True, False, False), (True, True, True)


async def test_the_whole_record_is_lent(shelf: Shelf) -> None:
    assert await shelf.seen() == NOTHING
    made = await shelf.share(all=True)
    assert await shelf.seen() == NOTHING
    answer = await redeemed(shelf.doctor, made["code"])
    assert answer.status_code == 201, answer.text
    lease = answer.json()
    assert answer.headers["location"].endswith(f"/fhir/Consent/{lease['id']}/_history/1")
    assert lease["category"][0]["coding"][0]["code"] == "code-lease"
    actor = lease["provision"]["actor"][0]["reference"]
    assert actor["identifier"] == {"system": PROFESSIONALS, "value": DOCTOR.id}
    assert actor["display"] == DOCTOR.name
    assert lease["sourceReference"]["reference"] == f"Consent/{made['consent']['id']}"
    assert lease["organization"][0]["identifier"]["value"] == DOCTOR.structure
    assert lease["provision"]["period"]["end"] == made["consent"]["provision"]["period"]["end"]
    assert datetime.fromisoformat(made["until"]) == datetime.fromisoformat(lease["provision"]["period"]["end"])
    assert await shelf.seen() == EVERYTHING
    assert (await shelf.doctor.get(f"Consent/{lease['id']}")).status_code == 200
    assert (await shelf.doctor.get(f"Patient/{shelf.record}")).status_code == 200
    assert await shelf.seen(software(shelf.house, OTHER)) == NOTHING


async def test_what_the_answer_holds(shelf: Shelf) -> None:
    answer = await shelf.me.post(f"Patient/{shelf.record}/$share", body(all=True))
    made = told(answer.json())
    left, right = made["code"].split("-")
    assert len(left) == len(right) == 4
    assert set(left + right) <= set(sharing.ALPHABET)
    assert made["link"] == f"{shelf.house.settings.issuer}/pro/redeem#{left}{right}"
    assert made["svg"].startswith("<svg ")
    assert "<script" not in made["svg"]
    assert base64.b64decode(made["png"]).startswith(b"\x89PNG")
    assert answer.headers["location"].endswith(f"/fhir/Consent/{made['consent']['id']}")
    consent = (await shelf.me.get(f"Consent/{made['consent']['id']}")).json()
    assert consent == made["consent"]
    assert consent["category"][0]["coding"][0]["code"] == "access-code"
    assert left not in str(consent) or right not in str(consent)
    with Session(shelf.house.parts.engine) as session:
        row = session.execute(select(access_code)).one()
    assert (row.record, row.consent, row.wrong, row.uses, row.most_uses) == (shelf.record, consent["id"], 0, 0, 1)
    day = timedelta(hours=24)
    assert abs(row.until - datetime.now(UTC) - day) < timedelta(minutes=1)
    assert row.until == datetime.fromisoformat(consent["provision"]["period"]["end"])


def test_a_code_has_forty_bits_and_is_read_as_people_type() -> None:
    assert len(set(sharing.ALPHABET)) == 32
    assert not set("ILOU") & set(sharing.ALPHABET)
    assert sharing.shown("AB12CD34") == "AB12-CD34"
    for typed in ("AB12-CD34", "ab12cd34", " ab12 – cd34 ", "ABI2.CD34", "aBl2cd34"):
        assert sharing.plain(typed) == "AB12CD34"
    assert sharing.plain("OOOO-oooo") == "00000000"
    assert len(sharing.plain("A" * 10_000)) == 100


async def test_a_category_is_lent_whatever_the_system_is_written_as(shelf: Shelf) -> None:
    made = await shelf.share(category=["10"])
    lent = [one["coding"][0] for one in made["consent"]["provision"]["code"]]
    assert {"system": codes.LOINC, "code": "11502-2"} in lent
    assert {"system": "urn:oid:2.16.840.1.113883.6.1", "code": "11502-2"} in lent
    assert {"system": codes.LOINC, "code": "18748-4"} not in lent
    await redeemed(shelf.doctor, made["code"])
    assert await shelf.seen() == BIOLOGY
    assert (await shelf.doctor.get(f"Patient/{shelf.record}")).status_code == 200
    # The person's own categories, which are not the classes; several at once.
    other = software(shelf.house, OTHER)
    await redeemed(other, (await shelf.share(category=["RADIO_SC", "CAR_VAC"]))["code"])
    assert await shelf.seen(other) == (False, True, False)


async def test_chosen_documents_are_lent_with_their_contents(shelf: Shelf) -> None:
    name = f"DocumentReference/{shelf.biology['id']}"
    made = await shelf.share(document=[name])
    data = [one["reference"]["reference"] for one in made["consent"]["provision"]["data"]]
    assert data == [name, bytes_of(shelf.biology)]
    await redeemed(shelf.doctor, made["code"])
    assert await shelf.seen() == BIOLOGY


async def test_a_masked_document_is_not_lent(shelf: Shelf) -> None:
    name = f"DocumentReference/{shelf.biology['id']}"
    other = await shelf.house.open_record()
    theirs = await deposited(shelf.house.depositor(), document(other, await clinic(shelf.house)))
    absent = (f"DocumentReference/{other[:3]}-{'0' * 32}", f"DocumentReference/{theirs['id']}")
    answers = [await shelf.me.post(f"Patient/{shelf.record}/$share", body(document=[one])) for one in absent]
    mask = Terms(Right.MASK, permits=False, codes=((codes.LOINC, "11502-2"),))
    await shelf.house.lend(shelf.record, mask)
    answers.append(await shelf.me.post(f"Patient/{shelf.record}/$share", body(document=[name])))
    labels = [{"op": "add", "path": "/securityLabel/-", "value": coded(codes.VISIBILITY, "MASQUE_PS")}]
    labelled = f"DocumentReference/{shelf.imaging['id']}"
    assert (await shelf.me.patch(labelled, labels)).status_code == 200
    answers.append(await shelf.me.post(f"Patient/{shelf.record}/$share", body(document=[labelled])))
    assert {(one.status_code, one.text) for one in answers} == {(422, answers[0].text)}
    # The whole record is lent without what is masked.
    made = await shelf.share(all=True)
    await redeemed(shelf.doctor, made["code"])
    assert await shelf.seen() == (False, False, True)


WRONG_WISHES: tuple[Json, ...] = (
    {"all": False},
    {"all": True, "category": ["10"]},
    {"category": ["10"], "document": ["DocumentReference/x"]},
    {"category": ["10", "999"]},
    {"document": ["Observation/x"]},
    {"document": [f"DocumentReference/000-{n:032x}" for n in range(101)]},
    {"all": True, "minutes": 14},
    {"all": True, "minutes": 43201},
    {"all": True, "minutes": -60},
    {"all": True, "minutes": 2**31 - 1},
    {"all": True, "until": "2020-01-01T00:00:00Z"},
    {"all": True, "until": "2999-01-01T00:00:00Z"},
    {"all": True, "until": "tomorrow"},
    {"all": True, "minutes": 60, "until": "2999-01-01T00:00:00Z"},
    {"all": True, "profession": "999"},
    {"all": True, "profession": "10", "professional": {"system": RPPS, "value": OTHER.id[1:]}},
    {"all": True, "professional": {"system": "urn:x", "value": "1"}},
    {"all": True, "professional": {"system": "https://finess.esante.gouv.fr", "value": "690000001"}},
    {"all": True, "professional": {"system": RPPS}},
    {"all": True, "professional": {"system": RPPS, "value": "10001234567"}},
    {"all": True, "nonsense": True},
)


@pytest.mark.parametrize("wish", WRONG_WISHES, ids=str)
async def test_a_wish_that_cannot_be_granted(house: House, wish: Json) -> None:
    record = await house.open_record()
    answer = await house.citizen(record).post(f"Patient/{record}/$share", body(**wish))
    assert answer.status_code == 422, answer.text
    with Session(house.parts.engine) as session:
        assert session.execute(select(access_code)).all() == []


@pytest.mark.parametrize("minutes", [15, 43200])
async def test_how_long(shelf: Shelf, minutes: int) -> None:
    made = await shelf.share(all=True, minutes=minutes)
    span = datetime.fromisoformat(made["until"]) - datetime.now(UTC)
    assert timedelta(0) <= timedelta(minutes=minutes) - span < timedelta(minutes=1)
    until = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    again = datetime.fromisoformat((await shelf.share(all=True, until=until))["until"])
    assert again == datetime.fromisoformat(until).replace(microsecond=again.microsecond)


async def test_who_may_share(shelf: Shelf) -> None:
    house, record = shelf.house, shelf.record
    path = f"Patient/{record}/$share"
    stranger = house.citizen(await house.open_record())
    assert (await stranger.post(path, body(all=True))).status_code == 404
    for caller in (shelf.doctor, house.depositor(), house.operator()):
        assert (await caller.post(path, body(all=True))).status_code == 403
    few = house.citizen(record, ("patient/DocumentReference.cruds", "patient/Consent.rs"))
    assert (await few.post(path, body(all=True))).status_code == 403
    await house.represent(record, account_of("mum"))
    await house.represent(record, account_of("carer"), "consult", "documents")
    mum, carer = delegate(house, record), delegate(house, record, name="carer")
    code = told((await mum.post(path, body(all=True))).json())
    refused = await carer.post(path, body(all=True))
    revoked = await carer.post(f"Patient/{record}/$revoke-code", body(consent=code["consent"]["id"]))
    assert (refused.status_code, revoked.status_code) == (403, 403)
    assert (await redeemed(shelf.doctor, code["code"])).status_code == 201
    for name in ("aunt", "nobody"):
        assert (await delegate(house, record, name=name).post(path, body(all=True))).status_code == 404
    shares = [note for tag, note in notes(house, record) if tag == "share" and note.client != "tests"]
    assert [note.refused for note in shares] == ["", *["not-entitled"] * 4]


async def test_for_a_profession_or_for_one(shelf: Shelf) -> None:
    nurse, other = software(shelf.house, NURSE), software(shelf.house, OTHER)
    for_nurses = await shelf.share(all=True, profession="60", once=False)
    for_other = await shelf.share(all=True, professional={"system": RPPS, "value": OTHER.id[1:]})
    student = software(shelf.house, someone("810061", "60", category="E"))
    for caller, made in ((shelf.doctor, for_nurses), (shelf.doctor, for_other), (nurse, for_other)):
        assert (await redeemed(caller, made["code"])).status_code == 404
    # Who learns is no nurse, whatever the matrix lets them see.
    installation = shelf.house.parts.installation
    lines = installation.matrix.lines
    installation.matrix = Matrix({**lines, ("TRE_G16", "60", ""): lines["TRE_G15", "60", ""]})
    assert (await redeemed(student, for_nurses["code"])).status_code == 404
    assert (await redeemed(nurse, for_nurses["code"])).status_code == 201
    assert (await redeemed(other, for_other["code"])).status_code == 201


async def test_once_or_several_times(shelf: Shelf) -> None:
    other = software(shelf.house, OTHER)
    once = await shelf.share(all=True)
    first = await redeemed(shelf.doctor, once["code"])
    again = await redeemed(shelf.doctor, once["code"].lower().replace("-", " "))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert again.headers["location"].startswith(first.headers["location"].partition("/_history")[0])
    assert counts(shelf.house) == (0, 1)
    assert (await redeemed(other, once["code"])).status_code == 404
    many = await shelf.share(all=True, once=False)
    for caller in (shelf.doctor, other):
        assert (await redeemed(caller, many["code"])).status_code == 201


async def test_every_refusal_is_alike_and_the_person_reads_the_true_one(shelf: Shelf) -> None:
    house, record = shelf.house, shelf.record

    async def refused(code: str) -> tuple[int, str, Json]:
        answer = await redeemed(shelf.doctor, code)
        return answer.status_code, answer.text, dict(answer.headers)

    answers = [await refused("0000-0000"), await refused("x"), await refused("")]
    assert answers.pop()[0] == 422
    made = await shelf.share(all=True)
    left, right = made["code"].split("-")
    wrong = "0000" if right != "0000" else "1111"
    answers.append(await refused(f"{left}-{wrong}"))
    move(house, uses=1)
    answers.append(await refused(made["code"]))
    move(house, uses=0, wrong=5)
    answers.append(await refused(made["code"]))
    now = datetime.now(UTC)
    move(house, wrong=0, since=now - timedelta(days=2), until=now)
    answers.append(await refused(made["code"]))
    move(house, until=now + timedelta(days=1), revoked=now)
    answers.append(await refused(made["code"]))
    other = await shelf.share(all=True, professional={"system": RPPS, "value": OTHER.id[1:]})
    answers.append(await refused(other["code"]))
    block = await house.lend(record, Terms(Right.BLOCK, Actor(PROFESSIONALS, DOCTOR.id), permits=False))
    third = await shelf.share(all=True)
    answers.append(await refused(third["code"]))
    assert block
    assert {(status, text) for status, text, _ in answers} == {(404, answers[0][1])}
    assert len({tuple(sorted(headers)) for _, _, headers in answers}) == 1
    assert len({tuple(sorted(headers.values())) for _, _, headers in answers}) == 1
    redeems = [note for tag, note in notes(house, record) if tag == Tag.REDEEM]
    assert [one.refused for one in redeems] == ["spent", "locked", "expired", "revoked", "not-for-you", "blocked"]
    assert all(one.actors[0].id == DOCTOR.id for one in redeems)
    assert [note.refused for tag, note in notes(house) if tag == Tag.REDEEM] == ["unknown", "unknown", "unknown"]
    assert await shelf.seen() == NOTHING


async def test_a_blocked_structure_redeems_nothing(shelf: Shelf) -> None:
    made = await shelf.share(all=True)
    structure = Actor("urn:oid:1.2.250.1.71.4.2.2", DOCTOR.structure)
    await shelf.house.lend(shelf.record, Terms(Right.BLOCK, structure, permits=False))
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 404
    assert counts(shelf.house) == (0, 0)


async def test_a_code_expires_at_the_second(shelf: Shelf) -> None:
    made = await shelf.share(all=True, minutes=15)
    end = datetime.fromisoformat(made["until"])
    reader = Reader("software", DOCTOR, None, None)

    def visit(now: datetime) -> Visit:
        scope = parse("user/*.cruds")
        assert scope is not None
        return Visit(shelf.house.parts.installation, reader, (scope,), (), now)

    with pytest.raises(DomainError) as refused:
        await redeeming.redeem(visit(end), made["code"])
    assert refused.value.reason is Reason.ABSENT
    lease = await redeeming.redeem(visit(end - timedelta(milliseconds=1)), made["code"])
    assert lease.created
    assert lease.json()["provision"]["period"]["end"] == made["consent"]["provision"]["period"]["end"]


async def test_wrong_rests_end_a_code_for_ever(shelf: Shelf) -> None:
    made, other = await shelf.share(all=True), await shelf.share(all=True)
    left, right = made["code"].split("-")
    for n in range(5):
        rest = f"000{n}" if right[:3] != "000" else f"111{n}"
        assert (await redeemed(software(shelf.house, someone(f"82000{n}")), f"{left}-{rest}")).status_code == 404
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 404
    assert (await redeemed(shelf.doctor, other["code"])).status_code == 201
    with Session(shelf.house.parts.engine) as session:
        assert sorted(session.execute(select(access_code.c.wrong)).scalars()) == [0, 5]


async def test_twenty_wrong_codes_a_day_for_one_professional(shelf: Shelf) -> None:
    made = await shelf.share(all=True)
    for n in range(19):
        assert (await redeemed(shelf.doctor, f"0000-{n:04d}")).status_code == 404
    # A right code is not counted: there is one wrong try left.
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 201
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 200
    assert (await redeemed(shelf.doctor, "0000-9999")).status_code == 404
    late = [await redeemed(shelf.doctor, code) for code in ("0000-9998", made["code"])]
    assert {(one.status_code, one.text) for one in late} == {(429, late[0].text)}
    assert {tuple(sorted(one.headers.items())) for one in late} == {tuple(sorted(late[0].headers.items()))}
    assert (await redeemed(software(shelf.house, OTHER), "0000-9999")).status_code == 404
    assert [note.refused for _, note in notes(shelf.house)].count("too-many") == 2
    with Session(shelf.house.parts.engine) as session, session.begin():
        row = session.execute(select(attempt).order_by(attempt.c.tries.desc())).first()
        assert row is not None
        assert row.tries == 20
        # What the authorization server sweeps away every few minutes leaves a day's count alone.
        sweep(session, datetime.now(UTC) + timedelta(hours=23))
        assert session.execute(select(attempt.c.tries).where(attempt.c.hash == row.hash)).scalar_one() == 20
        sweep(session, datetime.now(UTC) + timedelta(hours=24, minutes=1))
        assert session.execute(select(attempt).where(attempt.c.hash == row.hash)).one_or_none() is None


async def test_the_count_begins_again_after_a_day(shelf: Shelf) -> None:
    for n in range(21):
        answer = await redeemed(shelf.doctor, f"0000-{n:04d}")
    assert answer.status_code == 429
    with Session(shelf.house.parts.engine) as session, session.begin():
        session.execute(update(attempt).values(opened=attempt.c.opened - timedelta(hours=23, minutes=59)))
    assert (await redeemed(shelf.doctor, "0000-0000")).status_code == 429
    with Session(shelf.house.parts.engine) as session, session.begin():
        session.execute(update(attempt).values(opened=attempt.c.opened - timedelta(minutes=1)))
    assert (await redeemed(shelf.doctor, "0000-0000")).status_code == 404
    with Session(shelf.house.parts.engine) as session:
        assert session.execute(select(attempt.c.tries)).scalar_one() == 1


async def test_who_redeems(shelf: Shelf) -> None:
    made = await shelf.share(all=True)
    assert (await redeemed(software(shelf.house, NOBODY), made["code"])).status_code == 403
    assert (await redeemed(software(shelf.house, NOBODY), "0000-0000")).status_code == 403
    for caller in (shelf.me, shelf.house.depositor(), shelf.house.operator()):
        assert (await redeemed(caller, made["code"])).status_code == 403
    claims = shelf.house.claims("professional", "software", ("user/DocumentReference.rs",), subject=DOCTOR.id)
    reader = shelf.house.caller(replace(claims, professional=DOCTOR))
    assert (await redeemed(reader, made["code"])).status_code == 403
    assert counts(shelf.house) == (0, 0)
    assert [note.refused for _, note in notes(shelf.house)] == ["no-profession", "no-profession"]


async def test_a_code_is_ended_with_what_it_opened(shelf: Shelf) -> None:
    house, record = shelf.house, shelf.record
    path = f"Patient/{record}/$revoke-code"
    kept, made = await shelf.share(all=True, once=False), await shelf.share(all=True, once=False)
    other = software(house, OTHER)
    await redeemed(shelf.doctor, made["code"])
    await redeemed(other, kept["code"])
    answer = await shelf.me.post(path, body(consent=made["consent"]["id"]))
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "inactive"
    assert answer.json()["extension"][0]["valueCoding"]["code"] == "code-revoked"
    assert await shelf.seen() == NOTHING
    assert await shelf.seen(other) == EVERYTHING
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 404
    again = await shelf.me.post(path, body(consent=made["consent"]["id"]))
    assert (again.status_code, again.json()) == (200, answer.json())
    assert (await redeemed(software(house, someone(people.rpps(78))), kept["code"])).status_code == 201
    # The code alone, then what it had opened.
    await shelf.me.post(path, body(consent=kept["consent"]["id"], leases=False))
    assert await shelf.seen(other) == EVERYTHING
    assert (await redeemed(shelf.doctor, kept["code"])).status_code == 404
    await shelf.me.post(path, body(consent=kept["consent"]["id"]))
    assert await shelf.seen(other) == NOTHING
    found = (await shelf.me.get(f"Consent?patient={record}&status=active")).json()
    assert "entry" not in found


async def test_only_a_code_of_ones_own_is_ended(shelf: Shelf) -> None:
    house, record = shelf.house, shelf.record
    path = f"Patient/{record}/$revoke-code"
    relation = await house.relate(record, OTHER.id)
    stranger = await house.open_record()
    theirs = told((await house.citizen(stranger).post(f"Patient/{stranger}/$share", body(all=True))).json())
    for consent in (relation, theirs["consent"]["id"], f"{record[:3]}-{'0' * 32}"):
        assert (await shelf.me.post(path, body(consent=consent))).status_code == 404
    assert (await redeemed(shelf.doctor, theirs["code"])).status_code == 201
    assert (await house.citizen(stranger).post(path, body(consent=relation))).status_code == 404
    assert (await shelf.doctor.post(path, body(consent=relation))).status_code == 403
    assert [note.refused for _, note in notes(house, record) if note.asked.endswith("$revoke-code")] == ["absent"] * 3


async def test_a_code_does_not_end_by_plain_rest(shelf: Shelf) -> None:
    made = await shelf.share(all=True)
    consent = made["consent"]
    answer = await shelf.me.put(f"Consent/{consent['id']}", {**consent, "status": "inactive"})
    assert answer.status_code == 403
    assert (await shelf.me.delete(f"Consent/{consent['id']}")).status_code == 403
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 201


async def test_a_blocked_professional_loses_the_lease(shelf: Shelf) -> None:
    made = await shelf.share(all=True, once=False)
    await redeemed(shelf.doctor, made["code"])
    await shelf.house.lend(shelf.record, Terms(Right.BLOCK, Actor(PROFESSIONALS, DOCTOR.id), permits=False))
    assert await shelf.seen() == NOTHING
    assert (await redeemed(shelf.doctor, made["code"])).status_code == 404


async def test_a_secret_session_is_kept_from_representatives(shelf: Shelf) -> None:
    made = await shelf.share(all=True)
    header = {"carnet_confidentiality": "INVISIBLE_REPRESENTANTS_LEGAUX"}
    lease = (await shelf.doctor.post("Patient/$redeem", body(code=made["code"]), **header)).json()
    await shelf.house.represent(shelf.record, account_of("mum"))
    mum = delegate(shelf.house, shelf.record)
    assert (await shelf.me.get(f"Consent/{lease['id']}")).status_code == 200
    assert (await mum.get(f"Consent/{lease['id']}")).status_code == 404


async def test_the_journal_of_a_code_redeemed(shelf: Shelf) -> None:
    made = await shelf.share(all=True)
    lease = (await redeemed(shelf.doctor, made["code"])).json()
    tag, note = notes(shelf.house, shelf.record)[-1]
    assert (tag, note.refused, note.asked) == ("redeem", "", "Patient/$redeem")
    assert note.actors[0].name == DOCTOR.name
    with Session(shelf.house.parts.engine) as session:
        listed = session.execute(
            select(journal.c.resources).where(journal.c.chain == shelf.record).order_by(journal.c.seq.desc())
        ).first()
    assert listed is not None
    assert set(listed.resources) == {f"Consent/{made['consent']['id']}", f"Consent/{lease['id']}"}


def rows(house: House, ages: list[timedelta]) -> Iterator[Json]:
    now = datetime.now(UTC)
    for age in ages:
        handle, hash = sharing.marks(house.parts.server.keys, str(age))  # noqa: A001
        yield {
            "handle": handle, "hash": hash, "bucket": 0, "record": COMMONS, "consent": "x", "since": now - age,
            "until": now - age, "wrong": 0, "uses": 0,
        }  # fmt: skip


async def test_rows_are_forgotten_a_month_after_their_end(house: House) -> None:
    made = list(rows(house, [timedelta(days=31), timedelta(days=29), -timedelta(days=1)]))
    with Session(house.parts.engine) as session, session.begin():
        session.execute(insert(access_code), made)
        sharing.forget(session, datetime.now(UTC))
        kept = set(session.execute(select(access_code.c.hash)).scalars())
    assert kept == {one["hash"] for one in made[1:]}
