"""The notice that a mail could not be delivered (RFC 3464), and how mail leaves the gateway.

The rule: it says the same of an address that has no record, of one that is closed and of one that takes no mail from
this sender. It goes to the circle of trust alone, never in answer to a notice, and returns nothing of the mail.
"""

from collections.abc import Sequence
from datetime import datetime
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from phr.core.settings import Mssante

KIND = "mssante-bounce"
"""The kind of a notice that waits: {"to", "failed", "id", "at"}."""

_SUBJECT = "Message non remis / Undelivered message"
_TEXT = """\
Votre message n'a pas pu être remis à :
{failed}

Cette adresse n'existe pas, n'est plus en service, ou ne reçoit pas de message de votre part.
Aucune autre précision ne peut être donnée. Joignez la personne par un autre moyen.

Your message could not be delivered to the address above: it does not exist, is closed, or does not
take messages from you. Nothing more can be said. Please reach the person in another way.
"""


def composed(settings: Mssante, to: str, failed: Sequence[str], about: str, now: datetime) -> Message:
    """The notice to a sender that their mail `about` could not be delivered to these addresses."""
    notice = MIMEMultipart("report", report_type="delivery-status", policy=SMTP)
    notice["From"] = f"postmaster@{settings.domain}"
    notice["To"] = to
    notice["Subject"] = _SUBJECT
    notice["Date"] = format_datetime(now)
    notice["Message-ID"] = make_msgid(domain=settings.domain)
    notice["In-Reply-To"] = about
    notice["Auto-Submitted"] = "auto-replied"
    notice.attach(MIMEText(_TEXT.format(failed="\n".join(failed)), "plain", "utf-8", policy=SMTP))
    status = MIMENonMultipart("message", "delivery-status", policy=SMTP)
    status.set_payload([_fields(("Reporting-MTA", f"dns; {settings.domain}")), *map(_failure, failed)])
    notice.attach(status)
    original = MIMENonMultipart("text", "rfc822-headers", policy=SMTP)
    original.set_payload(f"Message-ID: {about}\r\n")
    notice.attach(original)
    return notice


def _failure(address: str) -> Message:
    return _fields(("Final-Recipient", f"rfc822; {address}"), ("Action", "failed"), ("Status", "5.1.1"))


def _fields(*pairs: tuple[str, str]) -> Message:
    made = Message(policy=SMTP)
    for name, value in pairs:
        made[name] = value
    return made
