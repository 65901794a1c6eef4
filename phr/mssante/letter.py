"""A mail that came in (RFC 5322), read into plain values: who, what, which files. Nothing is looked up.

The rule: whatever cannot be kept is refused before the mail is accepted, for every address alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import SMTP
from hashlib import sha256

from phr.messages.attachments import MOST as MOST_FILES
from phr.messages.attachments import File
from phr.messages.text import LONGEST_SUBJECT, LONGEST_TEXT
from phr.mssante import archive, enclosures, filing, plaintext, xdm
from phr.mssante.archive import ArchiveError
from phr.mssante.ebrim import MetadataError
from phr.mssante.enclosures import EnclosureError
from phr.mssante.xdm import Document

LARGEST_HEADERS = 64 << 10
MOST_REFERENCES = 50
LONGEST_ID = 998
LARGEST_NOTICE = 256 << 10
NO_TEXT = "(Message sans texte.)"


class LetterError(Exception):
    """A mail that is not accepted; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail. `id`: its Message-ID, or a digest of it when it has none; `answers`: the ids it refers to, latest first.

    `automatic`: no person wrote it (RFC 3834 §5), and no notice answers it.
    """

    sender: str
    subject: str
    text: str
    id: str
    answers: tuple[str, ...]
    files: tuple[File, ...]
    documents: tuple[Document, ...]
    automatic: bool = False

    @property
    def ins(self) -> str | None:
        """The INS of the person its documents are about, when they say it."""
        return next((one.ins for one in self.documents if one.ins), None)


def read(content: bytes) -> Letter:
    """The mail in these bytes. Raises LetterError."""
    head = content[: LARGEST_HEADERS + 4]
    if b"\r\n\r\n" not in head and b"\n\n" not in head:
        raise LetterError("The headers are too long.")
    if content.count(b"boundary=") > enclosures.MOST_PARTS:
        raise LetterError("The mail has too many parts.")
    try:
        return _letter(_parsed(content), content)
    except (ArchiveError, MetadataError, EnclosureError) as error:
        raise LetterError(str(error)) from None
    except (RecursionError, LookupError, AttributeError, ValueError):
        raise LetterError("The mail cannot be read.") from None


def _letter(message: EmailMessage, content: bytes) -> Letter:
    files, documents = _sorted(enclosures.files(message))
    if len({one.ins for one in documents}) > 1:
        raise LetterError("The documents are not all about one person.")
    why = next((why for one in documents if (why := filing.refused(one)) is not None), None)
    if why is not None:
        raise LetterError(why)
    given = _ids(message, "Message-ID")
    return Letter(
        sender=_author(message).addr_spec.lower(),
        subject=plaintext.line(str(message.get("Subject", "")), LONGEST_SUBJECT),
        text=_text(message),
        id=given[0] if given else f"<{sha256(content).hexdigest()}@none>",
        answers=tuple(dict.fromkeys([*_ids(message, "In-Reply-To"), *reversed(_ids(message, "References"))])),
        files=files,
        documents=documents,
        automatic=str(message.get("Auto-Submitted", "no")).lower() != "no",
    )


def returned(content: bytes) -> str | None:
    """The Message-ID of the mail that a notice (RFC 3464) says was not delivered; None when it says no such thing."""
    if len(content) > LARGEST_NOTICE:
        return None
    try:
        message = _parsed(content)
        if message.get_content_type() != "multipart/report":
            return None
        failed, ids = False, []
        for part in message.walk():
            failed |= "failed" in str(part.get("Action", "")).lower()
            if part.get_content_type() == "text/rfc822-headers":
                ids += _ids(_parsed(part.get_content().encode()), "Message-ID")
            elif part is not message:
                ids += _ids(part, "Message-ID")
        return ids[0] if failed and ids else None
    except (RecursionError, LookupError, AttributeError, ValueError):
        return None


def _parsed(content: bytes) -> EmailMessage:
    made = BytesParser(policy=SMTP).parsebytes(content)
    if not isinstance(made, EmailMessage):
        raise TypeError("this policy makes EmailMessages")
    return made


def _sorted(given: Sequence[File]) -> tuple[tuple[File, ...], tuple[Document, ...]]:
    """The files that are kept as they are, and the documents of those that are XDM media."""
    files: list[File] = []
    documents: list[Document] = []
    for file in given:
        if not archive.is_zip(file.data):
            files.append(file)
            continue
        unpacked = archive.unpacked(file.data)
        if not xdm.is_xdm(unpacked):
            raise LetterError("A zip is accepted as an IHE XDM medium only.")
        documents += xdm.documents(unpacked)
    if len(files) > MOST_FILES:
        raise LetterError("The mail has too many files.")
    return tuple(files), tuple(documents)


def _author(message: EmailMessage) -> Address:
    """The one author: RFC 5322 allows several, and then nobody knows who speaks."""
    found = message.get_all("From", [])
    addresses: Sequence[Address] = found[0].addresses if len(found) == 1 else ()
    author = addresses[0] if len(addresses) == 1 else None
    if author is None or not author.domain or not author.username:
        raise LetterError("The mail does not have one author.")
    return author


def _text(message: EmailMessage) -> str:
    body = enclosures.body(message)
    if body is None:
        return NO_TEXT
    written = body.get_content()
    text = plaintext.of_html(written) if body.get_content_type() == "text/html" else plaintext.cleaned(written)
    if len(text) > LONGEST_TEXT:
        raise LetterError("The text is too long.")
    return text or NO_TEXT


def _ids(message: Message, header: str) -> list[str]:
    """The message ids of a header, in order."""
    text = " ".join(str(one) for one in message.get_all(header, []))
    found = [f"<{part.partition('>')[0]}>" for part in text.split("<")[1:] if ">" in part]
    return [one for one in found if len(one) <= LONGEST_ID][-MOST_REFERENCES:]
