"""Mail, handed to an SMTP server (RFC 5321). Called by the outbox, which tries again whatever fails here.

The rule: nothing of a message, an address or an answer of the server goes into an exception's type, which alone is
logged; a server asked for TLS and without it is given nothing.
"""

import smtplib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any
from urllib.parse import unquote, urlsplit

from phr.core.settings import Mail, Settings

SECONDS = 20.0
"""For the connection and for each answer."""

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def deliverer(settings: Settings, context: ssl.SSLContext | None = None) -> Callable[[dict[str, Any]], None]:
    """What sends one mail {"to", "subject", "text"}. Raises ValueError when the settings name no server.

    The function raises OSError (no server, no TLS) or smtplib.SMTPException (refused). `context`: whose certificates
    are believed, the system's authorities by default.
    """
    server, sender = settings.mail, settings.mail_from
    if server is None:
        raise ValueError("PHR_SMTP is not set")
    trusted = context or ssl.create_default_context()

    def deliver(mail: dict[str, Any]) -> None:
        message = composed(mail, sender, datetime.now(UTC))
        with _connected(server, trusted) as smtp:
            smtp.send_message(message, sender, [mail["to"]])

    return deliver


def composed(mail: dict[str, Any], sender: str, now: datetime) -> EmailMessage:
    """The message (RFC 5322), in UTF-8. Raises ValueError when a header holds a line break.

    `Auto-Submitted` (RFC 3834 §5) asks automatic responders to be silent.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Carnet <{sender}>"
    message["To"] = mail["to"]
    message["Subject"] = mail["subject"]
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail["text"], charset="utf-8", cte="quoted-printable")
    return message


def _connected(mail: Mail, context: ssl.SSLContext) -> smtplib.SMTP:
    """A session with the server, encrypted when its URL says so, signed in when it names a user."""
    url = urlsplit(mail.url)
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    if url.scheme == "smtps":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    else:
        smtp = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        if url.scheme == "smtp+starttls":
            smtp.starttls(context=context)
        if url.username:
            smtp.login(unquote(url.username), mail.password)
    except BaseException:
        smtp.close()
        raise
    return smtp
