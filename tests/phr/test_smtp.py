"""Mail against real SMTP servers: what they receive, over which channel, and what happens when they are not there."""

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from smtplib import SMTPException, SMTPNotSupportedError
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as DatabaseSession

from phr.core import outbox
from phr.core.database import psycopg_url
from phr.core.keys import PURPOSES, SystemKeys
from phr.core.settings import Mail, Settings
from phr.core.vault import new_key
from phr.mail import composed, deliverer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MAIL = {
    "to": "lucie@poste.test",
    "subject": "Votre code à vous",
    "text": "Bonjour,\n\n    123456\n\n.\nÉté à l’œuvre " * 9,
}
USER, PASSWORD = "carnet", "a password in a file"


class Inbox:
    """Keeps what it is given; refuses what it is told to."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.envelopes: list[tuple[str | None, list[str], bool]] = []
        self.refusing = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refusing:
            return self.refusing
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, session.ssl is not None))
        return "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Start = Callable[..., Controller]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def serve(inbox: Inbox) -> Iterator[Start]:
    """Starts servers that put what they get in the inbox."""
    started: list[Controller] = []

    def start(port: int = 0, **options: Any) -> Controller:
        controller = Controller(inbox, "127.0.0.1", port or free_port(), **options)
        controller.start()
        started.append(controller)
        return controller

    yield start
    for controller in started:
        controller.stop(no_assert=True)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context, of a certificate made for this test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, private)
    return server, ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def to(settings: Settings) -> Callable[..., Settings]:
    def at(url: str, password: str = "") -> Settings:
        return replace(settings, mail=Mail(url, password), mail_from="carnet@carnet.test")

    return at


def test_a_message_is_what_rfc_5322_and_rfc_3834_ask() -> None:
    """RFC 5322 §3.6: Date and From are required, Message-ID should be there; RFC 3834 §5: Auto-Submitted."""
    message = composed(MAIL, "carnet@carnet.test", NOW)
    assert message["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert message["From"] == "Carnet <carnet@carnet.test>"
    assert message["To"] == MAIL["to"]
    assert message["Message-ID"].endswith("@carnet.test>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert bytes(message).isascii()
    assert all(len(line) <= 998 for line in bytes(message).splitlines())


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_line_break_in_a_header_is_refused(field: str) -> None:
    with pytest.raises(ValueError):
        composed(MAIL | {field: "x@x.test\r\nBcc: everyone@x.test"}, "carnet@carnet.test", NOW)


def test_over_plain_smtp(serve: Start, inbox: Inbox, to: Callable[..., Settings]) -> None:
    server = serve()
    deliverer(to(f"smtp://127.0.0.1:{server.port}"))(MAIL)
    (message,) = inbox.received
    assert message["Subject"] == MAIL["subject"]
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == MAIL["text"].rstrip("\n")
    assert inbox.envelopes == [("carnet@carnet.test", [MAIL["to"]], False)]


def test_over_starttls_with_a_password(
    serve: Start, inbox: Inbox, to: Callable[..., Settings], tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    seen: list[bytes] = []

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
        seen.append(data.login + b" " + data.password)
        return AuthResult(success=data.password.decode() == PASSWORD)

    server = serve(tls_context=tls[0], require_starttls=True, authenticator=check, auth_required=True)
    url = f"smtp+starttls://{USER}@localhost:{server.port}"
    deliverer(to(url, PASSWORD), tls[1])(MAIL)
    assert inbox.envelopes == [("carnet@carnet.test", [MAIL["to"]], True)]
    assert seen == [f"{USER} {PASSWORD}".encode()]
    with pytest.raises(SMTPException):
        deliverer(to(url, "another"), tls[1])(MAIL)
    assert len(inbox.received) == 1


def test_over_smtps(
    serve: Start, inbox: Inbox, to: Callable[..., Settings], tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server = serve(ssl_context=tls[0])
    deliverer(to(f"smtps://localhost:{server.port}"), tls[1])(MAIL)
    assert len(inbox.received) == 1
    with pytest.raises(ssl.SSLCertVerificationError):
        deliverer(to(f"smtps://localhost:{server.port}"))(MAIL)


def test_nothing_goes_to_a_server_that_cannot_be_believed(
    serve: Start, inbox: Inbox, to: Callable[..., Settings], tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """A certificate nobody vouches for, another host's, or no TLS where it was asked."""
    server, plain = serve(tls_context=tls[0]), serve()
    with pytest.raises(ssl.SSLCertVerificationError):
        deliverer(to(f"smtp+starttls://localhost:{server.port}"))(MAIL)
    with pytest.raises(ssl.SSLCertVerificationError):
        deliverer(to(f"smtp+starttls://127.0.0.1:{server.port}"), tls[1])(MAIL)
    with pytest.raises(SMTPNotSupportedError):
        deliverer(to(f"smtp+starttls://localhost:{plain.port}"), tls[1])(MAIL)
    assert inbox.received == []


def test_a_sandbox_without_a_server_has_no_deliverer(settings: Settings) -> None:
    with pytest.raises(ValueError, match="PHR_SMTP"):
        deliverer(settings)


def test_it_is_sent_once_the_server_is_back(
    serve: Start, inbox: Inbox, to: Callable[..., Settings], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Down, then refusing, then well: the mail waits in the outbox, goes once, and the log says nothing of it."""
    port = free_port()
    engine = create_engine(psycopg_url(database_url))
    keys = SystemKeys({purpose: new_key() for purpose in PURPOSES})
    deliver = {"mail": deliverer(to(f"smtp://127.0.0.1:{port}"))}
    caplog.set_level(logging.DEBUG)

    def waiting() -> int:
        with DatabaseSession(engine) as session:
            return len(outbox.waiting(session, keys, "mail"))

    with DatabaseSession(engine) as session, session.begin():
        outbox.put(session, keys, "mail", MAIL, NOW)
    assert outbox.send_one(engine, keys, deliver, NOW)
    assert not outbox.send_one(engine, keys, deliver, NOW), "later, not at once"
    inbox.refusing = "451 lucie@poste.test: try later"
    serve(port)
    now = NOW + timedelta(minutes=1)
    assert outbox.send_one(engine, keys, deliver, now)
    assert (waiting(), inbox.received) == (1, [])
    inbox.refusing = ""
    now += timedelta(minutes=5)
    assert outbox.send_one(engine, keys, deliver, now)
    assert not outbox.send_one(engine, keys, deliver, now + timedelta(days=1))
    engine.dispose()
    assert len(inbox.received) == 1
    told = [record.getMessage() for record in caplog.records if record.name == "carnet.outbox"]
    assert told == ["mail not sent, later: ConnectionRefusedError", "mail not sent, later: SMTPDataError"]
    assert "poste.test" not in "".join(told)
