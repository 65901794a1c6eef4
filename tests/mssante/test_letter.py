"""Mails as they come: read into what they say, or refused; never an accident."""

import random
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from phr.core.settings import Mssante
from phr.messages import text as told
from phr.mssante import bounce, enclosures, letter, plaintext
from phr.mssante.letter import LetterError, read, returned
from tests.deposit import PDF
from tests.mssante.medium import DOCTOR, Mail, Report, xdm_file

HEAD = f"From: Dr <{DOCTOR}>\r\nTo: x@patient.test\r\nSubject: Objet\r\n"


def made(rest: str) -> bytes:
    return (HEAD + rest).encode()


def test_a_mail_says_who_what_and_which_files() -> None:
    found = read(Mail("x@patient.test", files=[("a.pdf", "application/pdf", PDF)], answers="<a@b>").bytes())
    assert (found.sender, found.subject) == (DOCTOR, "Vos résultats")
    assert found.text.startswith("Bonjour,")
    assert found.answers == ("<a@b>",)
    [file] = found.files
    assert (file.name, file.content_type, file.data) == ("a.pdf", "application/pdf", PDF)
    assert not found.automatic


@pytest.mark.parametrize(
    "head",
    [
        "Subject: x\r\n",
        f"From: {DOCTOR}, autre@cabinet.test\r\n",
        f"From: {DOCTOR}\r\nFrom: autre@cabinet.test\r\n",
        "From: nobody\r\n",
        "From: \r\n",
        "From: <>\r\n",
        f"From: groupe: {DOCTOR}, a@cabinet.test;\r\n",
    ],
)
def test_a_mail_has_one_author(head: str) -> None:
    with pytest.raises(LetterError):
        read(f"{head}\r\nBonjour".encode())


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"\r\n",
        b"x" * 200_000,
        b"X: " + b"a" * 100_000 + b"\r\n\r\nx",
        made("Content-Type: multipart/mixed; boundary=a\r\n\r\n" + "--a\r\nboundary=\r\n" * 70),
        made("Content-Type: message/rfc822\r\n\r\nFrom: a@b.test\r\n\r\nx"),
        made("Content-Type: text/plain; charset=no-such\r\n\r\n\xe9"),
        made("Content-Type: application/pdf\r\nContent-Disposition: attachment\r\n\r\n"),
    ],
)
def test_what_cannot_be_read_is_refused(given: bytes) -> None:
    with pytest.raises(LetterError):
        read(given)


def test_nested_parts_end() -> None:
    inner = "Content-Type: multipart/mixed; boundary=a{0}\r\n\r\n--a{0}\r\n"
    with pytest.raises(LetterError):
        read(made("".join(inner.format(n) for n in range(enclosures.MOST_PARTS + 5))))


def test_nothing_makes_it_stumble() -> None:
    """Any bytes are read or refused; what is read can be stored as a message."""
    chance = random.Random(7)
    whole = Mail("x@patient.test", files=[("a.pdf", "application/pdf", PDF), xdm_file(Report())]).bytes()
    html = Mail("x@patient.test", html="<p>Un<b>deux<a href='http://x'>x").bytes()
    read_some = 0
    for n in range(1500):
        data = bytearray(html if n % 2 else whole)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        try:
            found = read(bytes(data))
        except LetterError:
            continue
        read_some += 1
        told.lines(found.text, "text")
        for file in found.files:
            told.line(file.name, "name")
        if found.subject:
            told.line(found.subject, "subject")
    assert read_some > 100


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Un<p>Deux", "Un\nDeux"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>x</style><script>y</script><!-- z -->ok", "ok"),
        ("<svg><text>x</text></svg>ok", "ok"),
        ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
        ("<table><tr><td>1<td>2</tr></table>", "1 2"),
        ("<a href='https://a.test'>b</a>", "b <https://a.test>"),
        ("<a href='data:text/html,x'>b</a>", "b"),
        ("a\u202eb\u200bc\x07d", "abcd"),
        ("<scr<script>ipt>x", "ipt>x"),
        ("a<!-- <b>x</b> -->b<!doctype html>c<?xml ?>d", "abcd"),
        ("<p title='a>b'>c</p>", "c"),
        ("<p it's>c</p>", "c"),
        ("1 < 2 <3 &amp; 4>3", "1 < 2 <3 & 4>3"),
        ("<script>if (a<b) {'</div>'}</SCRIPT>ok", "ok"),
        ("ok<script>never ends", "ok"),
        ("ok<a href='never ends", "ok"),
        ("<template><a href='https://x.test'>x</a></template>ok", "ok"),
    ],
)
def test_html_becomes_what_a_person_would_read(html: str, text: str) -> None:
    assert plaintext.of_html(html) == text


@pytest.mark.parametrize(
    "start", ["<a ", "<a/", "<a\t", "<a href='", "<a b=c ", "<a =", "<!--", "<!", "</", "<?", "&", "<script>", "<a>"]
)
def test_html_that_never_ends_is_read_once(start: str) -> None:
    """`html.parser` takes seconds for 16 KiB of these, and hours for what is read here."""
    began = time.process_time()
    plaintext.of_html(start * (plaintext.LARGEST // len(start)))
    assert time.process_time() - began < 5


def test_html_as_large_as_a_book_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        plaintext.of_html("x" * (plaintext.LARGEST + 1))
    with pytest.raises(LetterError):
        read(Mail("x", html="<p>" * plaintext.LARGEST).bytes())


def test_other_forms_and_signatures_are_no_files() -> None:
    message = EmailMessage()
    message["From"] = DOCTOR
    message.set_content("texte")
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(b"sig", "application", "pkcs7-signature", filename="smime.p7s")
    message.add_attachment("Une note en latin-1 : é", subtype="plain", charset="iso-8859-1", filename="note.txt")
    message.add_attachment(PDF, "application", "octet-stream", filename="C:\\docs\\a.pdf")
    found = read(message.as_bytes())
    assert found.text == "texte"
    assert [(one.name, one.content_type) for one in found.files] == [
        ("note.txt", "text/plain"),
        ("a.pdf", "application/pdf"),
    ]
    assert found.files[0].data.decode().strip() == "Une note en latin-1 : é"


def test_a_mail_without_text_or_subject_can_be_filed() -> None:
    found = read(Mail("x", text="", subject="", files=[xdm_file(Report())]).bytes())
    assert found.text == letter.NO_TEXT
    assert found.subject == ""
    assert len(found.documents) == 1


def test_a_notice_tells_which_mail_failed() -> None:
    settings = Mssante("patient.test", "", 0, Path(), None, None, None, 1)
    notice = bounce.composed(settings, DOCTOR, ["a@patient.test"], "<a@b>", datetime.now(UTC)).as_bytes()
    assert returned(notice) == "<a@b>"
    assert returned(notice.replace(b"Action: failed", b"Action: delayed")) is None
    assert returned(Mail("x").bytes()) is None
    assert returned(b"") is None
    assert returned(notice + bytes(letter.LARGEST_NOTICE)) is None
