"""What a proxy says is believed of the proxies named, and of nobody else; over a real server and over ASGI."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from phr.proxy import Proxied, certificate

HEADER = "Client-Cert"
PROXY = "10.1.2.3"
STRANGER = "203.0.113.9"


def _made() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=cabinet.test")
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


CERTIFICATE = _made()
DER = CERTIFICATE.public_bytes(Encoding.DER)
PEM = CERTIFICATE.public_bytes(Encoding.PEM).decode()
RFC9440 = f":{base64.b64encode(DER).decode()}:"
NGINX = quote(PEM, safe="")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """What the application behind sees."""
    request = Request(scope)
    found = scope["state"]["client_certificate"]
    seen = {
        "client": request.client.host if request.client else None,
        "scheme": request.url.scheme,
        "headers": sorted({name.decode().lower() for name, _ in scope["headers"]}),
        "certificate": None if found is None else base64.b64encode(found).decode(),
        "state": sorted(scope["state"]),
    }
    await JSONResponse(seen)(scope, receive, send)


async def asked(
    *headers: tuple[str, str],
    peer: str = PROXY,
    networks: tuple[str, ...] = ("10.0.0.0/8",),
    header: str | None = HEADER,
) -> dict[str, Any]:
    transport = httpx.ASGITransport(app=Proxied(echo, networks, header), client=(peer, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://carnet.test") as http:
        found: dict[str, Any] = (await http.get("/", headers=list(headers))).json()
        return found


@pytest.mark.parametrize("value", [RFC9440, NGINX, quote(PEM), f" {RFC9440} "])
async def test_a_trusted_proxy_passes_the_certificate_in_either_form(value: str) -> None:
    seen = await asked((HEADER, value))
    assert seen["certificate"] == base64.b64encode(DER).decode()
    assert "client-cert" not in seen["headers"]


@pytest.mark.parametrize("peer", [STRANGER, "11.1.2.3", "::1", "not-an-address", "::ffff:10.1.2.3"])
async def test_nobody_else_can_set_it(peer: str) -> None:
    """RFC 9440 §4: "MUST be removed from … requests" of others: who reads it must never see a client's own."""
    seen = await asked((HEADER, RFC9440), ("cLiEnT-cErT", NGINX), peer=peer)
    assert seen["certificate"] is None
    assert "client-cert" not in seen["headers"]


async def test_without_trusted_networks_there_is_no_proxy() -> None:
    seen = await asked((HEADER, RFC9440), ("X-Forwarded-For", "198.51.100.7"), networks=())
    assert (seen["certificate"], seen["client"]) == (None, PROXY)


async def test_without_a_header_configured_there_is_no_certificate() -> None:
    seen = await asked((HEADER, RFC9440), header=None)
    assert seen["certificate"] is None


@pytest.mark.parametrize(
    "value",
    [
        "rubbish",
        "::",
        ":AAAA:",
        RFC9440[:-1],
        RFC9440 + ", " + RFC9440,
        NGINX + NGINX,
        NGINX[:200],
        "%ff%fe",
        ":" + "A" * 20_000 + ":",
    ],
)
async def test_an_unreadable_certificate_is_none_and_says_so_without_content(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = await asked((HEADER, value))
    assert seen["certificate"] is None
    said = [record.getMessage() for record in caplog.records if record.name == "carnet.proxy"]
    assert said == ["a trusted proxy passed a client certificate that cannot be read"]


async def test_a_repeated_header_is_no_certificate(caplog: pytest.LogCaptureFixture) -> None:
    seen = await asked((HEADER, RFC9440), (HEADER, RFC9440))
    assert seen["certificate"] is None
    assert len(caplog.records) >= 1


async def test_a_client_without_a_certificate_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    assert (await asked((HEADER, "")))["certificate"] is None
    assert [record for record in caplog.records if record.name == "carnet.proxy"] == []


async def test_the_address_and_scheme_come_from_a_trusted_proxy_only() -> None:
    forwarded = (("X-Forwarded-For", f"6.6.6.6, {STRANGER}"), ("X-Forwarded-Proto", "https"))
    trusted = await asked(*forwarded)
    assert (trusted["client"], trusted["scheme"]) == (STRANGER, "https"), "what the client itself wrote is not believed"
    spoofed = await asked(*forwarded, peer=STRANGER)
    assert (spoofed["client"], spoofed["scheme"]) == (STRANGER, "http")


async def test_the_certificate_is_believed_of_the_peer_not_of_the_forwarded_address() -> None:
    seen = await asked((HEADER, RFC9440), ("X-Forwarded-For", PROXY), peer=STRANGER)
    assert (seen["certificate"], seen["client"]) == (None, STRANGER)
    assert (await asked((HEADER, RFC9440), ("X-Forwarded-For", STRANGER)))["certificate"] is not None


async def test_the_state_of_the_server_is_kept_and_not_written_to() -> None:
    shared = {"pool": 1}
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "http", "headers": [], "client": (PROXY, 1), "state": shared}
    await Proxied(app, ["10.0.0.0/8"], HEADER)(scope, None, None)  # type: ignore[arg-type]
    assert seen[0]["state"] == {"pool": 1, "client_certificate": None}
    assert shared == {"pool": 1}


def test_a_certificate_is_read_from_one_value() -> None:
    assert certificate(RFC9440.encode()) == certificate(NGINX.encode()) == DER
    assert certificate(b"") is None


@asynccontextmanager
async def served(networks: tuple[str, ...]) -> AsyncIterator[str]:
    """A real uvicorn, as the application is served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = Proxied(echo, networks, HEADER)
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off", proxy_headers=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        await running


async def test_over_a_real_server() -> None:
    headers = {HEADER: NGINX, "X-Forwarded-For": STRANGER, "X-Forwarded-Proto": "https"}
    async with served(("127.0.0.1",)) as url, httpx.AsyncClient() as http:
        seen = (await http.get(url, headers=headers)).json()
    assert (seen["client"], seen["scheme"]) == (STRANGER, "https")
    assert seen["certificate"] == base64.b64encode(DER).decode()
    async with served(("10.0.0.0/8",)) as url, httpx.AsyncClient() as http:
        seen = (await http.get(url, headers=headers)).json()
    assert (seen["client"], seen["scheme"], seen["certificate"]) == ("127.0.0.1", "http", None)
    assert "client-cert" not in seen["headers"]
