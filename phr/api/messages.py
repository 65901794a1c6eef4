"""Messages, over HTTP."""

from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response

from fhir.outcome import ALL_OK, outcome
from phr.api import answers, described
from phr.api.asked import Asked, resource_of
from phr.api.doors import Doors
from phr.api.message_answers import drafted, marked, read_thread, recipient_list, resource, sent, thread_list
from phr.api.parameters import Given, given
from phr.api.parameters import read as given_in
from phr.core.errors import invalid
from phr.documents import decode
from phr.messages import (
    across,
    closing,
    correspondents,
    drafts,
    filing,
    listing,
    openness,
    parties,
    reports,
    sending,
    showing,
)
from phr.messages.attachments import AT, File, referred
from phr.messages.drafts import Draft
from phr.messages.sending import Wish

_THREAD = {"in": "query", "name": "thread", "description": "The thread it answers.", "schema": {"type": "string"}}
_NAME = {"in": "query", "name": "name", "description": "Letters of a name.", "schema": {"type": "string"}}
_SEND = ("thread", "to", "subject", "text", "attachment", "with-person", "professional-only")


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
    taking, paging = described.taking([], described.RESOURCE), described.taking(described.PAGING)

    @doors.opens("POST", "/Patient/{id:id}/$send-message", taking, status_code=201)
    async def send_message(asked: Asked, id: str) -> Response:
        """Write in a thread, or start one."""
        body = await resource_of(asked, asked.visit.installation.settings.transaction_bytes)
        wish, key = _wish(asked, given_in(body, _SEND)), asked.header("idempotency-key")
        found = await sending.send(asked.visit, id, wish, asked.base, key, body)
        return answers.json_answer(asked, sent(found, kept=wish.professional_only), 201)

    @doors.opens("GET", "/Patient/{id:id}/$threads", paging)
    async def threads(asked: Asked, id: str) -> Response:
        """The threads of a record."""
        found, cursor = await listing.threads(asked.visit, id, asked.pairs)
        return answers.json_answer(asked, thread_list(found, _link(asked, f"Patient/{id}/$threads", cursor)))

    @doors.opens("GET", "/Communication/$threads", paging)
    async def own_threads(asked: Asked) -> Response:
        """A professional's threads, in every record."""
        found, cursor = await across.threads(asked.visit, asked.pairs)
        return answers.json_answer(asked, thread_list(found, _link(asked, "Communication/$threads", cursor)))

    @doors.opens("GET", "/Communication/{id:id}/$thread", paging)
    async def thread(asked: Asked, id: str) -> Response:
        """A thread with its messages."""
        found = await listing.read(asked.visit, id, asked.pairs)
        return answers.json_answer(asked, read_thread(found, _link(asked, f"Communication/{id}/$thread", found.next)))

    @doors.opens("POST", "/Communication/{id:id}/$read-thread", taking)
    async def read(asked: Asked, id: str) -> Response:
        """A thread was read up to its last message, or is to be read again."""
        wanted = (await given(asked, ("read",))).one("read", bool)
        return answers.json_answer(asked, marked(await filing.keep_read(asked.visit, id, read=wanted is not False)))

    @doors.opens("POST", "/Communication/{id:id}/$archive-thread", taking)
    async def archive(asked: Asked, id: str) -> Response:
        """Put a thread away; want no news of it."""
        said = await given(asked, ("archived", "unsubscribed"))
        away, silent = said.one("archived", bool), said.one("unsubscribed", bool)
        kept = await filing.put_away(asked.visit, id, archived=away, unsubscribed=silent)
        return answers.json_answer(asked, marked(kept))

    @doors.opens("POST", "/Communication/{id:id}/$close-thread", taking)
    async def close(asked: Asked, id: str) -> Response:
        """Close a thread: it accepts nothing more."""
        await given(asked, ())
        return answers.json_answer(asked, resource("thread", await closing.close(asked.visit, id)))

    @doors.opens("POST", "/Communication/{id:id}/$show-thread", taking)
    async def show(asked: Asked, id: str) -> Response:
        """Show the person a thread that professionals kept for themselves."""
        await given(asked, ())
        return answers.json_answer(asked, resource("thread", await showing.show(asked.visit, id, asked.base)))

    @doors.opens("POST", "/Communication/{id:id}/$recall-message", taking)
    async def recall(asked: Asked, id: str) -> Response:
        """Take one's own message back."""
        await given(asked, ())
        return answers.json_answer(asked, resource("message", await closing.recall(asked.visit, id)))

    @doors.opens("POST", "/Communication/{id:id}/$report-message", taking)
    async def report(asked: Asked, id: str) -> Response:
        """Report a message as an abuse."""
        said = await given(asked, ("reason",))
        await reports.report(asked.visit, id, said.coded("reason") or said.required("reason", str))
        return _done(asked)

    @doors.opens("GET", "/Patient/{id:id}/$draft-message", described.taking([_THREAD]))
    async def draft(asked: Asked, id: str) -> Response:
        """One's own draft, of an answer or of a new thread."""
        return answers.json_answer(asked, drafted(await drafts.read(asked.visit, id, asked.first("thread") or "")))

    @doors.opens("POST", "/Patient/{id:id}/$draft-message", taking)
    async def save_draft(asked: Asked, id: str) -> Response:
        """Keep a draft; an empty one is dropped."""
        said = await given(asked, ("thread", "subject", "text"))
        subject, text = said.one("subject", str) or "", said.one("text", str) or ""
        await drafts.save(asked.visit, id, said.one("thread", str) or "", Draft(subject, text))
        return _done(asked)

    @doors.opens("GET", "/Patient/{id:id}/$recipients", described.taking([_NAME]))
    async def recipients(asked: Asked, id: str) -> Response:
        """Whom a person may write to first, by name."""
        found = await correspondents.named(asked.visit, id, asked.first("name") or "", asked.base)
        return answers.json_answer(asked, recipient_list(found))

    @doors.opens("POST", "/Communication/$allow-messages", taking)
    async def allow(asked: Asked) -> Response:
        """Let people write first, or not any more."""
        said = await given(asked, ("allow", "structure"))
        structure = said.one("structure", bool) is True
        await openness.allow(asked.visit, wanted=said.required("allow", bool), structure=structure)
        return _done(asked)


def _done(asked: Asked) -> Response:
    return answers.json_answer(asked, outcome([ALL_OK]))


def _wish(asked: Asked, said: Given) -> Wish:
    return Wish(
        text=said.required("text", str),
        thread=said.one("thread", str) or "",
        to=parties.named(said.every("to", dict)),
        subject=said.one("subject", str) or "",
        references=tuple(referred(one, asked.base) for one in said.every("attachment", dict) if "reference" in one),
        files=tuple(_file(one) for one in said.every("attachment", dict) if "reference" not in one),
        with_person=said.one("with-person", bool) is not False,
        professional_only=said.one("professional-only", bool) is True,
    )


def _file(attachment: dict[str, Any]) -> File:
    name, kind = attachment.get("title"), attachment.get("contentType")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise invalid("A file has a title and a contentType.", AT, "required")
    return File(name, kind, decode(attachment.get("data"), AT))


def _link(asked: Asked, path: str, cursor: str | None) -> str | None:
    return None if cursor is None else f"{asked.base}/{path}?{urlencode({'_cursor': cursor})}"
