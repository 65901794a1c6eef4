"""POSTing to a stranger's address: what is refused, that what was checked is what is connected to, and the bounds."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from phr.core import egress
from phr.core.egress import RefusedError, TransportError
from tests.notifications.sink import Sink, listening

NAME = "push.test"
INSIDE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.8", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200"),
    *("169.254.169.254", "192.0.0.192", "168.63.129.16", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:0:7f00:1::"),
]
OUTSIDE = ["8.8.8.8", "2a00:1450:4007:80e::2003"]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with listening() as found:
        yield found


@pytest.fixture(autouse=True)
def empty(sink: Sink) -> None:
    sink.received.clear()
    sink.status, sink.location = 201, ""


class Resolver:
    """Says one thing, then another, as whoever rebinds a name does; remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, int]]()

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that were connected to; none is."""
    found: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        assert 0 < timeout <= egress.SECONDS
        found.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    return found


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("sandbox", [True, False])
def test_what_is_inside_is_never_connected_to(connected: list[tuple[str, int]], address: str, sandbox: bool) -> None:
    if sandbox and address in ("127.0.0.1", "127.8.8.8", "::1"):
        return
    for answer in ([address], [OUTSIDE[0], address], [address, *OUTSIDE]):
        with pytest.raises(RefusedError) as caught:
            egress.post(f"https://{NAME}/x", b"", {}, sandbox=sandbox, resolve=Resolver(answer))
        assert address not in str(caught.value)
        assert NAME not in str(caught.value)
    assert connected == []


@pytest.mark.parametrize("literal", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"])
def test_no_spelling_of_the_loopback_passes(connected: list[tuple[str, int]], literal: str) -> None:
    with pytest.raises((RefusedError, TransportError)):
        egress.post(f"https://{literal}/", b"", {}, sandbox=False)
    assert connected == []


def test_what_is_public_is_connected_to_by_number_each_address_in_turn(connected: list[tuple[str, int]]) -> None:
    resolve = Resolver(OUTSIDE)
    with pytest.raises(TransportError):
        egress.post(f"https://{NAME}:8443/x", b"", {}, sandbox=False, resolve=resolve)
    assert connected == [(one, 8443) for one in OUTSIDE]
    assert resolve.asked == [(NAME, 8443)]


@pytest.mark.parametrize(
    "url",
    [
        *("http://push.test/", "ftp://push.test/", "file:///etc/passwd", "//push.test/", "push.test", ""),
        *(
            "https:///x",
            "https://a:b@push.test/",
            "https://a@push.test/",
            "https://push.test:0/",
            "https://push.test:x/",
        ),
        *("https://push.test/a b", "https://push.test/a\r\nHost: x", "https://push.test/\x00", "https://pùsh.test/"),
        "https://[::1/",
    ],
)
def test_what_is_not_the_url_of_a_public_server_is_refused(connected: list[tuple[str, int]], url: str) -> None:
    resolve = Resolver(OUTSIDE)
    with pytest.raises(RefusedError):
        egress.post(url, b"", {}, sandbox=False, resolve=resolve)
    assert (connected, resolve.asked) == ([], [])


def test_plain_http_and_the_loopback_are_for_the_sandbox(sink: Sink) -> None:
    with pytest.raises(RefusedError):
        egress.post(sink.url(), b"x", {}, sandbox=False)
    with pytest.raises(RefusedError):
        egress.post(f"https://{NAME}/", b"x", {}, sandbox=False, resolve=Resolver(["127.0.0.1"]))
    assert sink.received == []
    assert egress.post(sink.url("/p?q=1"), b"x", {"TTL": "60"}, sandbox=True) == 201
    [received] = sink.received
    assert (received.path, received.body, received.headers["ttl"]) == ("/p?q=1", b"x", "60")
    assert received.headers["host"] == f"127.0.0.1:{sink.port}"


def test_a_name_that_changes_its_mind_leads_nowhere_else(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def lookup(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    rebinding = Resolver(["8.8.8.8"], ["127.0.0.1"])
    tried: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(TransportError):
        egress.post(f"http://{NAME}:{sink.port}/", b"", {}, sandbox=True, resolve=rebinding)
    assert (tried, rebinding.asked, asked, sink.received) == (["8.8.8.8"], [(NAME, sink.port)], [], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_inside_is_told_and_not_followed(sink: Sink, status: int) -> None:
    with listening() as inside:
        sink.status, sink.location = status, inside.url("/latest/meta-data")
        assert egress.post(sink.url(), b"x", {}, sandbox=True) == status
        assert inside.received == []
    assert len(sink.received) == 1


def test_no_proxy_of_the_environment_is_used(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert egress.post(sink.url(), b"x", {}, sandbox=True) == 201
        assert proxy.received == []


def test_over_tls_the_name_is_verified_and_the_number_connected_to(tmp_path: Path) -> None:
    pem = certificate(tmp_path, NAME)
    trusted = ssl.create_default_context(cafile=str(pem))
    with listening(pem) as sink:

        def sent(host: str, context: ssl.SSLContext | None) -> int:
            url, resolve = sink.url("/x", "https", host), Resolver(["127.0.0.1"])
            return egress.post(url, b"hello", {}, sandbox=True, resolve=resolve, trusted=context)

        assert sent(NAME, trusted) == 201
        for host, context in (("other.test", trusted), (NAME, None)):
            with pytest.raises(TransportError):
                sent(host, context)
        [received] = sink.received
    assert (received.headers["host"], received.body) == (f"{NAME}:{sink.port}", b"hello")


def test_a_header_that_would_make_two_is_refused(sink: Sink) -> None:
    with pytest.raises(RefusedError):
        egress.post(sink.url(), b"", {"Topic": "x\r\nHost: y"}, sandbox=True)
    with pytest.raises(RefusedError):
        egress.post(sink.url(), bytes(egress.LARGEST_BODY + 1), {}, sandbox=True)
    assert sink.received == []


def answering(*pieces: bytes, forever: bool = False) -> int:
    """A port that answers these bytes to whoever connects, then closes, or goes on one byte at a time."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, server:
            connection.recv(65536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                while forever:
                    connection.sendall(b"x")
                    connection.settimeout(0.05)
                    try:
                        if not connection.recv(1):
                            return
                    except TimeoutError:
                        continue
            except OSError:
                return

    Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def test_one_deadline_for_all_of_it_and_little_is_read() -> None:
    slow = answering(b"HTTP/1.1 200 OK\r\nX: ", forever=True)
    began = datetime.now(UTC)
    with pytest.raises(TransportError):
        egress.post(f"http://127.0.0.1:{slow}/", b"", {}, sandbox=True, seconds=0.4)
    assert datetime.now(UTC) - began < timedelta(seconds=3)
    long = answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 4 * egress.LARGEST_ANSWER)
    with pytest.raises(TransportError):
        egress.post(f"http://127.0.0.1:{long}/", b"", {}, sandbox=True)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"\x00" * 64])
def test_what_is_no_answer_is_a_failure(answer: bytes) -> None:
    with pytest.raises(TransportError):
        egress.post(f"http://127.0.0.1:{answering(answer)}/", b"", {}, sandbox=True)


def test_an_informational_answer_is_not_the_answer() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 9999999\r\n\r\nab"
    assert egress.post(f"http://127.0.0.1:{answering(early)}/", b"", {}, sandbox=True) == 410


def test_a_signature_says_when_and_what() -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    first = egress.signature(b"secret", b"{}", at)
    assert first.startswith(f"t={int(at.timestamp())},v1=")
    others = {
        egress.signature(b"other", b"{}", at),
        egress.signature(b"secret", b"{ }", at),
        egress.signature(b"secret", b"{}", at + timedelta(seconds=1)).partition(",")[2],
    }
    assert not any(first.endswith(one) for one in others)


def certificate(folder: Path, name: str) -> Path:
    """A key and its own certificate for a name, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path
