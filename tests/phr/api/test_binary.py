"""Bytes over HTTP: what is let in, streaming up without holding the database, streaming down with ranges, antivirus."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from phr.blobs import PIECE
from phr.core.settings import Settings
from tests.deposit import PDF, attachment, clinic, deposited, document, inline, submission
from tests.house import Caller, House
from tests.phr.test_antivirus import EICAR, Clamd, answering, serving

CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>CR</title></ClinicalDocument>'
DOCTYPE = b'<!DOCTYPE ClinicalDocument [<!ENTITY x "y">]>' + CDA.partition(b"?>")[2]
LATE_ENTITY = CDA.replace(b"CR", b"CR" * 9000 + b"&x;")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
JPEG = b"\xff\xd8\xff\xe0" + bytes(50)
BIG = b"%PDF-1.7\n" + bytes(range(256)) * (3 * PIECE // 256)


async def post(caller: Caller, record: str, data: Any, kind: str = "application/pdf", **headers: str) -> httpx.Response:
    sent = {"Content-Type": kind, "X-Security-Context": f"Patient/{record}", **headers}
    return await caller.ask("POST", "Binary", sent, content=data)


async def kept(caller: Caller, record: str, data: bytes, kind: str = "application/pdf") -> str:
    answer = await post(caller, record, data, kind)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


async def test_what_is_accepted_and_what_is_not(house: House, record: str) -> None:
    hospital = house.depositor()
    for data, kind, status in (
        (PDF, "application/pdf", 201),
        (PNG, "image/png", 201),
        (JPEG, "image/jpeg", 201),
        ("Réconfort".encode(), "text/plain; charset=utf-8", 201),
        ("Réconfort".encode(), "text/plain", 201),
        (CDA, "text/xml", 201),
        (CDA, "application/xml", 201),
        (PDF, "image/png", 415),
        (PNG, "application/pdf", 415),
        (CDA, "text/plain", 415),
        (b"<html><body>x</body></html>", "text/html", 415),
        (b"<html><body>x</body></html>", "text/xml", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
        (b"PK\x03\x04", "application/zip", 415),
        (b"MZ\x90\x00", "application/pdf", 415),
        (DOCTYPE, "text/xml", 415),
        (DOCTYPE, "application/cda+xml", 415),
        (DOCTYPE, "TEXT/XML", 415),
        (LATE_ENTITY, "application/hl7-v3+xml", 415),
        (CDA[:-1], "text/xml", 415),
        ("Réconfort".encode("latin-1"), "text/plain", 415),
        (b"a" * 9000 + b"\xff", "text/plain", 415),
        (b"a" * 9000 + "é".encode()[:1], "text/plain", 415),
        (b"a" * 9000 + b"\x00", "text/plain", 415),
        (PDF, "", 415),
        (b"", "application/pdf", 422),
    ):
        answer = await post(hospital, record, data, kind)
        assert answer.status_code == status, (data[:40], kind, answer.text)
        in_json = {"resourceType": "Binary", "contentType": kind, "data": base64.b64encode(data).decode()}
        context = {"securityContext": {"reference": f"Patient/{record}"}}
        answer = await hospital.post("Binary", {**in_json, **context})
        assert answer.status_code == (422 if kind == "" else status), (data[:40], kind, answer.text)


async def test_inline_content_is_judged_too(house: House, record: str) -> None:
    hospital, by = house.depositor(), await clinic(house)
    for data, kind, status in ((PDF, "image/png", 415), (DOCTYPE, "text/xml", 415), (CDA, "text/xml", 201)):
        described = document(record, by, data, kind)
        assert (await hospital.post("DocumentReference", inline(described, data))).status_code == status
        expected = 200 if status == 201 else status
        assert (await hospital.post("", submission([described], [data]))).status_code == expected


async def test_too_large(settings: Settings, database_url: str) -> None:
    small = replace(settings, document_bytes=10_000)
    async with House.build(small, database_url) as house:
        record, hospital = await house.open_record(), house.depositor()
        assert (await post(hospital, record, b"%PDF-" + bytes(9_995))).status_code == 201
        for data in (b"%PDF-" + bytes(9_996), _pieces(b"%PDF-" + bytes(50_000), 1000)):
            answer = await post(hospital, record, data)
            assert answer.status_code == 413, answer.text
        described = document(record, await clinic(house), b"%PDF-" + bytes(9_996))
        answer = await hospital.post("DocumentReference", inline(described, b"%PDF-" + bytes(9_996)))
        assert answer.status_code == 413


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_the_default_limit_is_25_mib(settings: Settings) -> None:
    assert settings.document_bytes == 25 * 1024 * 1024


async def test_raw_bytes_say_whose_they_are(house: House, record: str) -> None:
    hospital = house.depositor()
    headers = {"Content-Type": "application/pdf"}
    assert (await hospital.ask("POST", "Binary", headers, content=PDF)).status_code == 422
    for context in ("Patient/nobody", f"Observation/{record}"):
        sent = {**headers, "X-Security-Context": context}
        assert (await hospital.ask("POST", "Binary", sent, content=PDF)).status_code in (400, 422)
    own = await house.citizen(record).ask("POST", "Binary", headers, content=PDF)
    assert own.status_code == 201, own.text
    other = await house.open_record()
    sent = {**headers, "X-Security-Context": f"Patient/{other}"}
    elsewhere = await house.citizen(record).ask("POST", "Binary", sent, content=PDF)
    assert elsewhere.status_code in (403, 404, 422), "a citizen writes in their own record only"
    reader = house.depositor(scopes=("system/*.rs",))
    assert (await post(reader, record, PDF)).status_code == 403


async def test_a_slow_upload_holds_no_connection(settings: Settings, database_url: str) -> None:
    released = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield PDF[:10]
        await released.wait()
        yield PDF[10:]

    async with House.build(replace(settings, pool=2), database_url) as house:
        record, hospital = await house.open_record(), house.depositor()
        uploads = [asyncio.create_task(post(hospital, record, slow())) for _ in range(5)]
        async with asyncio.timeout(10):
            await asyncio.sleep(0.05)
            assert (await house.citizen(record).get("DocumentReference")).status_code == 200
            released.set()
            assert {answer.status_code for answer in await asyncio.gather(*uploads)} == {201}


async def test_bytes_come_back_whole_or_by_range(house: House, record: str) -> None:
    hospital, citizen = house.depositor(), house.citizen(record)
    name = f"Binary/{await kept(hospital, record, BIG)}"
    whole = await citizen.get(name, Accept="application/pdf")
    assert whole.content == BIG
    assert whole.headers["content-length"] == str(len(BIG))
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert whole.headers["cache-control"] == "no-store"
    disposition = f'attachment; filename="{name.partition("/")[2]}.pdf"'
    assert whole.headers["content-disposition"] == disposition
    size = len(BIG)
    for asked, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, size),
        ("bytes=100-199", 100, 200),
        (f"bytes={PIECE - 1}-{PIECE}", PIECE - 1, PIECE + 1),
        (f"bytes={PIECE}-{2 * PIECE - 1}", PIECE, 2 * PIECE),
        (f"bytes=10-{3 * PIECE}", 10, 3 * PIECE + 1),
        (f"bytes={size - 1}-", size - 1, size),
        (f"bytes={size - 5}-{size + 1000}", size - 5, size),
        ("bytes=-1", size - 1, size),
        (f"bytes=-{PIECE + 3}", size - PIECE - 3, size),
        (f"bytes=-{size * 2}", 0, size),
        ("BYTES=0-1", 0, 2),
    ):
        answer = await citizen.get(name, Accept="*/*", Range=asked)
        assert answer.status_code == 206, asked
        assert answer.content == BIG[start:stop], asked
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["content-length"] == str(stop - start)
    for asked in ("bytes=5-2", "bytes=-", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes", "bytes=0-1-2"):
        answer = await citizen.get(name, Accept="*/*", Range=asked)
        assert (answer.status_code, len(answer.content)) == (200, size), asked
    for asked in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0", "bytes=999999999999-"):
        answer = await citizen.get(name, Accept="*/*", Range=asked)
        assert answer.status_code == 416, asked
        assert answer.headers["content-range"] == f"bytes */{size}"


async def test_conditions(house: House, record: str) -> None:
    citizen = house.citizen(record)
    name = f"Binary/{await kept(house.depositor(), record, PDF)}"
    tag = (await citizen.get(name, Accept="*/*")).headers["etag"]
    for headers in ({"If_None_Match": tag}, {"If_None_Match": "*"}, {"If_None_Match": f'"x", {tag}'}):
        answer = await citizen.get(name, Accept="*/*", **headers)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert (await citizen.get(name, Accept="*/*", If_None_Match='"9"')).status_code == 200
    for condition, status in ((tag, 206), ('W/"7"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)):
        answer = await citizen.get(name, Accept="*/*", Range="bytes=0-3", If_Range=condition)
        assert answer.status_code == status, condition
    assert (
        await house.citizen(await house.open_record()).get(name, Accept="*/*", If_None_Match=tag)
    ).status_code == 404


async def test_the_fhir_form(house: House, record: str) -> None:
    citizen = house.citizen(record)
    identifier = await kept(house.depositor(), record, BIG)
    for path, accept in (
        (f"Binary/{identifier}", "application/fhir+json"),
        (f"Binary/{identifier}?_format=json", "*/*"),
    ):
        answer = await citizen.get(path, Accept=accept)
        assert answer.headers["content-type"].startswith("application/fhir+json")
        found = answer.json()
        assert (found["resourceType"], found["id"], found["contentType"]) == ("Binary", identifier, "application/pdf")
        assert base64.b64decode(found["data"]) == BIG


async def test_every_kind_of_bytes_is_named_by_its_type(house: House, record: str) -> None:
    citizen = house.citizen(record)
    for data, kind, extension in ((CDA, "text/xml", "xml"), (PNG, "image/png", "png"), (b"a", "text/plain", "txt")):
        identifier = await kept(house.depositor(), record, data, kind)
        answer = await citizen.get(f"Binary/{identifier}", Accept="*/*")
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert answer.headers["content-disposition"].endswith(f'{identifier}.{extension}"')


@pytest.fixture
def guarded(settings: Settings, database_url: str) -> Callable[[str], Any]:
    """A house whose antivirus is at this address."""
    return lambda address: House.build(replace(settings, clamd=address), database_url)


async def test_every_way_in_is_scanned(guarded: Callable[[str], Any]) -> None:
    infected = PDF + EICAR
    async with serving(Clamd()) as address, guarded(address) as house:
        record, hospital, by = await house.open_record(), house.depositor(), await clinic(house)
        for data, status in ((PDF, 201), (infected, 422)):
            described = document(record, by, data)
            in_json: dict[str, Any] = {"resourceType": "Binary", "contentType": "application/pdf"}
            in_json |= {"data": base64.b64encode(data).decode()}
            in_json |= {"securityContext": {"reference": f"Patient/{record}"}}
            for answer in (
                await post(hospital, record, data),
                await post(hospital, record, _pieces(data, 7)),
                await hospital.post("Binary", in_json),
                await hospital.post("DocumentReference", inline(described, data)),
                await hospital.post("", submission([described], [data])),
            ):
                assert answer.status_code in (status, status - 1), answer.text
                if status == 422:
                    assert answer.json()["issue"][0]["code"] == "security"
        found = await house.citizen(record).get("DocumentReference?_total=accurate")
        assert found.json()["total"] == 2


async def test_clamd_sees_bytes_as_they_arrive(guarded: Callable[[str], Any]) -> None:
    clamd = Clamd()
    async with serving(clamd) as address, guarded(address) as house:
        record = await house.open_record()

        async def watched() -> AsyncIterator[bytes]:
            yield PDF[:20]
            for _ in range(500):
                if clamd.received:
                    break
                await asyncio.sleep(0.01)
            assert clamd.received == PDF[:20]
            yield PDF[20:]

        assert (await post(house.depositor(), record, watched())).status_code == 201
        assert clamd.received == PDF


@pytest.mark.parametrize("answered", [b"", b"stream: temporary ERROR\0", None])
async def test_no_answer_is_not_a_clean_answer(guarded: Callable[[str], Any], answered: bytes | None) -> None:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(answering(answered or b"")))
        house = await stack.enter_async_context(guarded("127.0.0.1:1" if answered is None else address))
        record, hospital = await house.open_record(), house.depositor()
        for answer in (
            await post(hospital, record, PDF),
            await hospital.post("DocumentReference", inline(document(record, await clinic(house)))),
        ):
            assert answer.status_code == 503, answer.text
            assert "retry-after" in answer.headers
        assert "entry" not in (await house.citizen(record).get("DocumentReference")).json()


async def test_altered_bytes_do_not_open(house: House, record: str) -> None:
    """A piece moved, cut off or changed on disk never comes back as if it were whole."""
    identifier = await kept(house.depositor(), record, BIG)
    citizen = house.citizen(record)
    connection = await house.parts.installation.database._pool.acquire()
    try:
        await connection.execute("UPDATE blob SET size = size - $1, chunks = chunks - 1", len(BIG) - 3 * PIECE)
    finally:
        await house.parts.installation.database._pool.release(connection)
    answer = await citizen.get(f"Binary/{identifier}")
    assert answer.status_code == 503, "the last piece knows it is the last"


async def test_documents_keep_their_bytes_through_a_whole_deposit(house: House, record: str) -> None:
    by, hospital = await clinic(house), house.depositor()
    stored = await deposited(hospital, document(record, by, BIG), BIG)
    assert stored["content"][0]["attachment"]["size"] == attachment(BIG)["size"]
    answer = await house.citizen(record).get(stored["content"][0]["attachment"]["url"], Accept="*/*")
    assert answer.content == BIG


async def test_what_is_declared_does_not_write_headers(house: House, record: str) -> None:
    hospital, citizen = house.depositor(), house.citizen(record)
    for declared in ("application/pdf;a\nSet-Cookie:x=y", "Application/PDF ; version=1", "application/pdf\r"):
        held = {"resourceType": "Binary", "contentType": declared, "data": base64.b64encode(PDF).decode()}
        answer = await hospital.post("Binary", {**held, "securityContext": {"reference": f"Patient/{record}"}})
        if answer.status_code == 201:
            found = await citizen.get(f"Binary/{answer.json()['id']}", Accept="*/*")
            assert found.headers["content-type"] == "application/pdf"
            assert "set-cookie" not in found.headers
    identifier = await kept(hospital, record, CDA.decode().encode("utf-16"), "text/xml")
    found = await citizen.get(f"Binary/{identifier}", Accept="*/*")
    assert found.headers["content-type"] == "text/xml", "its own encoding is its own to say"


async def test_versions_of_bytes_that_are_no_documents(house: House, record: str) -> None:
    hospital = house.depositor()
    identifier = await kept(hospital, record, PDF)
    held = (await hospital.get(f"Binary/{identifier}")).json()
    new = {**held, "contentType": "text/plain", "data": base64.b64encode(b"new").decode()}
    answer = await hospital.put(f"Binary/{identifier}", new)
    assert answer.status_code == 200, answer.text
    assert (await hospital.get(f"Binary/{identifier}", Accept="*/*")).content == b"new"
    for version, data in (("1", PDF), ("2", b"new")):
        found = await hospital.get(f"Binary/{identifier}/_history/{version}")
        assert base64.b64decode(found.json()["data"]) == data
