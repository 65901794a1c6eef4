"""What a mail encloses (MIME, RFC 2045): its text, and its files with a type that their bytes can be held to.

The rule: another form of the text is not a file, and nothing is opened here.
"""

from email.message import EmailMessage, MIMEPart

from phr.content import HEAD, TEXT, sniff
from phr.messages.attachments import File
from phr.messages.text import LONGEST_NAME
from phr.mssante import plaintext

MOST_PARTS = 60
UNTOLD = "application/octet-stream"
NO_NAME = "Fichier"
_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"})
"""Of the mail itself: the circle of trust is known by its certificates, and these say nothing to a reader."""
_FORMS = frozenset({"text/plain", "text/html"})


class EnclosureError(Exception):
    """Parts that are not accepted; the message says why."""


def body(message: EmailMessage) -> MIMEPart | None:
    """The part that is read: plain text rather than HTML."""
    found: MIMEPart | None = message.get_body(("plain", "html"))
    return found


def files(message: EmailMessage) -> list[File]:
    """Every other part, but signatures and other forms of the text. Raises EnclosureError."""
    found: list[File] = []
    text = body(message)
    for n, part in enumerate(message.walk()):
        if n >= MOST_PARTS:
            raise EnclosureError("The mail has too many parts.")
        kind = part.get_content_type()
        if part is text or kind in _SIGNATURES or kind.startswith("multipart/"):
            continue
        if part.is_multipart():
            raise EnclosureError("A mail in a mail is not accepted.")
        attached = part.get_filename() is not None or part.get_content_disposition() == "attachment"
        if attached or kind not in _FORMS:
            found.append(_file(part, kind))
    return found


def _file(part: MIMEPart, kind: str) -> File:
    data = part.get_content().encode() if kind == TEXT else part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data:
        raise EnclosureError("A file is empty.")
    name = plaintext.line((part.get_filename() or "").replace("\\", "/").rpartition("/")[2], LONGEST_NAME)
    return File(name or NO_NAME, (sniff(data[:HEAD]) or kind) if kind == UNTOLD else kind, data)
