"""The circle of trust: TLS both ways, and a domain believed from its own operator alone."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from phr.core.settings import Mssante
from phr.mssante import relay, server
from tests.auth.certificates import Authority, root
from tests.mssante.circle import Circle, Sink, listening, threads
from tests.mssante.medium import DOCTOR, Mail

NOW = datetime.now(UTC)


def pem(path: Path, *held: Authority, private: bool = True) -> Path:
    """Certificates, and the first one's key."""
    parts = [one.certificate.public_bytes(Encoding.PEM) for one in held]
    if private:
        parts.append(held[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.write_bytes(b"".join(parts))
    return path


@dataclass
class Papers:
    """The authority of the circle, our certificate, and how to have others."""

    folder: Path
    authority: Authority
    ours: Path
    trusted: Path

    def certificate(self, *names: str, by: Authority | None = None) -> Path:
        """A client's certificate of these names."""
        made = (by or self.authority).issue(NOW, *map(x509.DNSName, names), dn=f"CN={names[0]}")
        return pem(self.folder / f"{names[0]}{'' if by is None else '-elsewhere'}.pem", made)

    def context(self, certificate: Path | None) -> ssl.SSLContext:
        """An operator's side."""
        found = ssl.create_default_context(cafile=str(self.trusted))
        if certificate is not None:
            found.load_cert_chain(certificate)
        return found


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    authority = root(NOW)
    ours = authority.issue(NOW, x509.DNSName("localhost"), usage=ExtendedKeyUsageOID.SERVER_AUTH)
    trusted = pem(tmp_path / "authority.pem", authority, private=False)
    return Papers(tmp_path, authority, pem(tmp_path / "ours.pem", ours), trusted)


@asynccontextmanager
async def gate(circle: Circle, papers: Papers, **more: Any) -> AsyncIterator[None]:
    async with listening(circle.house, certificate=papers.ours, ca_file=papers.trusted, **more) as port:
        circle.port = port
        yield


async def give(circle: Circle, context: ssl.SSLContext, mail: Mail) -> None:
    client = aiosmtplib.SMTP(hostname="localhost", port=circle.port, start_tls=True, tls_context=context, timeout=10)
    async with client:
        await client.sendmail(mail.sender, [mail.to], mail.message().as_bytes())


async def test_an_operator_is_heard_for_its_own_domains(circle: Circle, papers: Papers) -> None:
    record, address = await circle.person()
    operator = papers.context(papers.certificate("mx.operateur.test"))
    async with gate(circle, papers):
        await give(circle, operator, Mail(address))
        for certificate in (papers.certificate("mx.autre.test"), papers.certificate("operateur.test")):
            with pytest.raises(aiosmtplib.SMTPSenderRefused):
                await give(circle, papers.context(certificate), Mail(address))
        # The envelope of its own domain, the author of another's.
        mail = replace(Mail(address, sender="accueil@hopital.test"))
        async with aiosmtplib.SMTP(hostname="localhost", port=circle.port, tls_context=operator) as client:
            with pytest.raises(aiosmtplib.SMTPDataError):
                await client.sendmail(DOCTOR, [address], mail.message().as_bytes())
    assert await circle.mails() == []
    assert len(await threads(circle.house.citizen(record), record)) == 1


async def test_without_a_certificate_of_the_circle_nothing_is_said(circle: Circle, papers: Papers) -> None:
    _, address = await circle.person()
    stranger = papers.certificate("mx.operateur.test", by=root(NOW, "CN=Une autre autorité"))
    async with gate(circle, papers):
        for certificate in (None, stranger):
            with pytest.raises((aiosmtplib.SMTPException, OSError)):
                await give(circle, papers.context(certificate), Mail(address))
    assert await circle.settle() == 0


async def test_nothing_is_taken_in_clear(circle: Circle, papers: Papers) -> None:
    _, address = await circle.person()
    async with gate(circle, papers):
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as caught:
            await circle.send(Mail(address))
    assert caught.value.code == 530


async def test_what_was_said_before_tls_is_forgotten(circle: Circle, papers: Papers) -> None:
    """RFC 3207 §6: commands slipped in after STARTTLS, in clear, are not carried out under TLS."""
    operator = papers.context(papers.certificate("mx.operateur.test"))
    async with gate(circle, papers):
        reader, writer = await asyncio.open_connection("localhost", circle.port)
        await reader.readline()
        writer.write(b"EHLO x\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
        writer.write(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<dr.petit@cabinet.test>\r\n")
        assert (await reader.readline()).startswith(b"220")
        await writer.start_tls(operator, server_hostname="localhost")
        writer.write(b"RCPT TO:<x@patient.test>\r\n")
        assert (await reader.readline()).startswith(b"503"), "nobody said hello yet"
        writer.close()
        await writer.wait_closed()


async def test_the_relay_is_shown_our_certificate_and_shows_one(circle: Circle, papers: Papers) -> None:
    sink, loop = Sink(), asyncio.get_running_loop()
    theirs = papers.authority.issue(NOW, x509.DNSName("localhost"), usage=ExtendedKeyUsageOID.SERVER_AUTH)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(papers.trusted))
    context.load_cert_chain(pem(papers.folder / "relay.pem", theirs))
    context.verify_mode = ssl.CERT_REQUIRED
    make = partial(SMTP, sink, loop=loop, hostname="localhost", tls_context=context, require_starttls=True)
    client = papers.certificate("gateway.test")
    async with await loop.create_server(make, "127.0.0.1", 0) as listener:
        url = f"smtp+starttls://localhost:{listener.sockets[0].getsockname()[1]}"
        made = replace(circle.settings, smtp=url, certificate=client, ca_file=papers.trusted)
        await relay.send(made, f"x@{made.domain}", DOCTOR, Mail(DOCTOR).message())
        assert len(sink.mails) == 1
        elsewhere = pem(papers.folder / "elsewhere.pem", root(NOW, "CN=Une autre autorité"), private=False)
        for wrong in (replace(made, ca_file=elsewhere), replace(made, smtp=url.replace("localhost", "127.0.0.1"))):
            with pytest.raises((OSError, aiosmtplib.SMTPException)):
                await relay.send(wrong, f"x@{made.domain}", DOCTOR, Mail(DOCTOR).message())
    assert len(sink.mails) == 1


def test_old_tls_is_not_spoken(papers: Papers) -> None:
    settings = Mssante("p.test", "127.0.0.1", 0, papers.ours, papers.ours, papers.trusted, None, 1)
    context = server.tls_of(settings, ssl.Purpose.CLIENT_AUTH)
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
