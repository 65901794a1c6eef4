"""How mail leaves: by the operator's relay, over TLS both ways.

The rule: what the other end refuses for good is told apart from what may go better later.
"""

import ssl
from email.message import Message
from email.policy import SMTP
from urllib.parse import urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPRecipientsRefused, SMTPResponseException

from phr.core.settings import Mssante
from phr.mssante.server import tls_of

SECONDS = 30.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class RefusedError(Exception):
    """Refused for good (a 5xx answer): trying again changes nothing."""


async def send(settings: Mssante, sender: str, to: str, message: Message) -> None:
    """Hand one mail to the relay. Raises RefusedError, or OSError and aiosmtplib.SMTPException: later.

    `sender`: the envelope's; empty for a notice, which nothing answers.
    """
    url = urlsplit(settings.smtp or "")
    client = aiosmtplib.SMTP(
        hostname=url.hostname,
        port=url.port or _PORTS[url.scheme],
        use_tls=url.scheme == "smtps",
        start_tls=url.scheme == "smtp+starttls",
        tls_context=tls_of(settings, ssl.Purpose.SERVER_AUTH),
        timeout=SECONDS,
    )
    try:
        async with client:
            await client.sendmail(sender, [to], message.as_bytes(policy=SMTP))
    except SMTPRecipientsRefused as error:
        if all(one.code >= 500 for one in error.recipients):
            raise RefusedError from None
        raise
    except SMTPResponseException as error:
        if error.code >= 500:
            raise RefusedError from None
        raise
