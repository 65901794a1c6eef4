"""A message of a thread as a mail (RFC 5322): its text, and its attachments as files, through the lens it is given.

The rule: the subject says nothing of what is written; what is not in sight is not in the mail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from fhir.lens import Lens
from fhir.parameters import KINDS
from fhir.predicate import And, IdIn, KindIn, Within
from fhir.record import bucket_of
from fhir.search import all_of
from fhir.stored import Keyring, Stored
from phr import blobs
from phr.access.visit import Deed
from phr.core.identifiers import INS
from phr.messages.thread import Json
from phr.operated import keys_of

SUBJECT = "Message de votre patient"
"""Of every mail: a subject travels, and is shown, where the message is not."""
LEFT_OUT = "(Une pièce jointe n'est pas dans ce courrier : elle se consulte dans le dossier.)"
_OVERHEAD = 3 / 5
"""Of the largest mail, what its files may be: base64 takes a third more, and headers a little."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom, to whom, its Message-ID and those it follows (oldest first); `largest` in bytes."""

    author: str
    to: str
    id: str
    before: Sequence[str]
    sent: datetime
    largest: int


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    kind: str
    data: bytes


async def mail(deed: Deed, envelope: Envelope, body: Json, header: Json | None) -> EmailMessage:
    """The mail of a message (`body`) of a thread (`header`)."""
    made = EmailMessage(policy=SMTP)
    name, _, domain = envelope.author.rpartition("@")
    made["From"] = Address(str(body["sender"].get("display", "")), name, domain)
    made["To"] = envelope.to
    made["Subject"] = SUBJECT
    made["Date"] = format_datetime(envelope.sent)
    made["Message-ID"] = envelope.id
    if envelope.before:
        made["In-Reply-To"] = envelope.before[-1]
        made["References"] = " ".join(envelope.before)
    files, left, room = [], 0, int(envelope.largest * _OVERHEAD)
    for one in body.get("payload", ()):
        if "contentString" in one:
            continue
        file = await _file(deed, one, room)
        room -= 0 if file is None else len(file.data)
        left += file is None
        files += [] if file is None else [file]
    said = [one["contentString"] for one in body.get("payload", ()) if "contentString" in one]
    about = (header or {}).get("topic", {}).get("text", "")
    text = [*([f"Objet : {about}"] if about else []), *said, *([LEFT_OUT] if left else [])]
    made.set_content("\n\n".join(text) + "\n", charset="utf-8", cte="quoted-printable")
    for file in files:
        main, _, sub = file.kind.partition(";")[0].strip().partition("/")
        made.add_attachment(file.data, main, sub, filename=file.name)
    return made


def author_of(message: EmailMessage) -> str:
    """The address it is from."""
    return str(message["From"].addresses[0].addr_spec)


async def seen(deed: Deed, name: str) -> Json | None:
    """A resource of the record, by `Type/id`, if the reader sees it; the journal's entry names it then."""
    found = await _row(deed, name)
    if found is None:
        return None
    deed.touched.append(name)
    return found.json(deed.view.keyring)


async def ins_of(deed: Deed) -> str | None:
    """The INS the person's address is made of, whatever the reader sees: it is who writes."""
    keys = keys_of(deed)
    person = And((Within(bucket_of(keys.record) or 0, keys.record), KindIn(frozenset({"Patient"}))))
    rows = await deed.fetch(all_of(Lens(person), IdIn(frozenset({keys.record})), 1))
    known = Stored.from_row(rows[0]).json(Keyring({keys.record: keys})).get("identifier", ()) if rows else ()
    for oid in deed.visit.installation.settings.ins_oids:
        for one in known:
            if one.get("system") == f"urn:oid:{oid}":
                return INS.parse(one["value"], oid).value
    return None


async def _row(deed: Deed, name: str) -> Stored | None:
    kind, _, id = name.partition("/")  # noqa: A001
    if kind not in KINDS or KINDS[kind].commons:
        return None
    match = And((KindIn(frozenset({kind})), IdIn(frozenset({id}))))
    rows = await deed.fetch(all_of(deed.view.inside, match, 1))
    return Stored.from_row(rows[0]) if rows else None


async def _file(deed: Deed, payload: Json, room: int) -> _File | None:
    """What a payload attaches, as a file of at most `room` bytes; None when it is not in sight, or not a file."""
    attachment = payload.get("contentAttachment")
    if attachment is None:
        document = await seen(deed, str(payload.get("contentReference", {}).get("reference", "")))
        contents = (
            (document or {}).get("content", ()) if (document or {}).get("resourceType") == "DocumentReference" else ()
        )
        attachment = contents[0]["attachment"] if contents else {}
    name = str(attachment.get("url", ""))
    found = await _row(deed, name)
    if found is None or found.kind != "Binary":
        return None
    lens, keys = deed.view.inside, deed.view.keyring.of(found.record)
    blob = await blobs.blob_of(deed.session, lens, found.id, found.version)
    if blob.size > room:
        return None
    data = b"".join([await blobs.piece_of(deed.session, lens, keys, blob, n) for n in range(blob.chunks)])
    deed.touched.append(name)
    return _File(str(attachment.get("title", "")), str(attachment.get("contentType", "")), data)
