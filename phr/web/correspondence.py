"""What the pages of messages read of the API and ask of it: threads, messages, documents to attach, a message to send.

The rule: a text is shown as it was written, letter by letter; what a reader may not open is not offered to be opened.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx

from fhir import tokens
from phr.access.right import MASK
from phr.documents import labels
from phr.messages.text import LONGEST_TEXT
from phr.messages.thread import OPEN, RECALL, RECALLED
from phr.web import redeem
from phr.web.account import moment
from phr.web.api import Api
from phr.web.held import Unread
from phr.web.mine import HOME, Json, Mine
from phr.web.moves import KEY, move, new_key
from phr.web.pages import Pairs
from phr.web.upload import Uploaded
from phr.web.words import TEXTS

MESSAGES = f"{HOME}/messages"
LARGEST = 40 << 20
"""Bytes of a form: a document of the largest size, and more."""
_DOCUMENTS = 30
_PROBLEMS = {403: "messages_forbidden", 409: "messages_conflict", 413: "messages_large", 415: "messages_type"}
_PARTS = (("'to'", "messages_to"), ("'subject'", "messages_subject"), ("'text'", "messages_text"))


@dataclass(frozen=True, slots=True)
class Line:
    """A thread in the list. `whom`: with whom, in words."""

    id: str
    subject: str
    whom: str
    last: str
    unread: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Attached:
    """What goes with a message: a title, and where it is read; no address when the reader does not see it."""

    title: str
    address: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message, as a page shows it. `text`: None when it was taken back."""

    id: str
    whom: str
    moment: str
    text: str | None
    attached: Sequence[Attached]
    mine: bool
    unread: bool
    may_recall: bool


async def told(api: Api, path: str) -> list[Json]:
    """The parameters of an answer. Raises Unread."""
    answer = await api.get(path)
    if answer.status_code != 200:
        raise Unread(answer.status_code)
    found: list[Json] = answer.json().get("parameter", [])
    return found


def line(mine: Mine, parameter: Json) -> Line:
    """A thread of the list."""
    parts = {one["name"]: one for one in parameter["part"]}
    header, last = parts["header"]["resource"], datetime.fromisoformat(parts["last"]["valueInstant"])
    whom, unread = parties(mine, header), parts["unread"]["valueInteger"]
    said = moment(last, mine.language)
    return Line(header["id"], header["topic"]["text"], whom, said, unread, header["status"] == OPEN)


def parties(mine: Mine, header: Json) -> str:
    """With whom a thread is, but for the person."""
    named = [header["sender"], *header.get("recipient", ())]
    others = [who(mine, one) for one in named if not str(one.get("reference", "")).startswith("Patient/")]
    return ", ".join(dict.fromkeys(others)) or TEXTS[mine.language]["messages_nobody"]


def who(mine: Mine, reference: Json) -> str:
    """What somebody is called: a name, else a number."""
    unnamed = TEXTS[mine.language]["messages_unnamed"].format(number=reference.get("identifier", {}).get("value", ""))
    return str(reference.get("display") or unnamed)


async def said(mine: Mine, api: Api, parameter: Json, now: datetime) -> Said:
    """A message of a thread, with what goes with it as the reader sees it."""
    parts = {one["name"]: one for one in parameter["part"]}
    body, own = parts["communication"]["resource"], parts["mine"]["valueBoolean"]
    at = datetime.fromisoformat(body["sent"])
    words = [one["contentString"] for one in body.get("payload", ()) if "contentString" in one]
    found = [await _attached(mine, api, body["id"], one) for one in body.get("payload", ())]
    return Said(
        id=body["id"],
        whom=TEXTS[mine.language]["messages_you"] if own else who(mine, body["sender"]),
        moment=moment(at, mine.language),
        text=None if body["status"] == RECALLED else "\n".join(words),
        attached=[one for one in found if one is not None],
        mine=own,
        unread=parts["unread"]["valueBoolean"],
        may_recall=own and body["status"] != RECALLED and now - at < RECALL - timedelta(seconds=2),
    )


async def _attached(mine: Mine, api: Api, message: str, payload: Json) -> Attached | None:
    file, reference = payload.get("contentAttachment"), payload.get("contentReference", {}).get("reference")
    if file is not None:
        named = tokens.local(file["url"])
        return Attached(file["title"], mine.at(f"{MESSAGES}/{message}/file/{named[1]}" if named else ""))
    if reference is None:
        return None
    answer = await api.get(reference) if str(reference).startswith("DocumentReference/") else None
    if answer is None or answer.status_code != 200:
        return Attached(TEXTS[mine.language]["messages_not_seen"], "")
    document = redeem.document(answer.json(), mine.language)
    address = mine.at(f"{MESSAGES}/{message}/file/{document.content}") if document.content else ""
    return Attached(document.title, address)


def cursor(told: Iterable[Json]) -> str:
    """Where the next page of an answer begins; empty when there is none."""
    link = next((one["valueUrl"] for one in told if one["name"] == "next"), "")
    return dict(parse_qsl(urlsplit(link).query)).get("_cursor", "")


def takes_part(header: Json) -> bool:
    """Whether the person takes part in a thread, and does not only read it."""
    named = [header["sender"], *header.get("recipient", ())]
    return any(str(one.get("reference", "")).startswith("Patient/") for one in named)


def recipient(parameter: Json) -> Mapping[str, str]:
    """Somebody who may be written to, as the form offers them."""
    parts = {one["name"]: one for one in parameter["part"]}
    identifier = parts["identifier"]["valueIdentifier"]
    value = f"{identifier['system']}|{identifier['value']}"
    return {"value": value, "name": parts["name"]["valueString"], "what": parts["what"]["valueCode"]}


async def sending(mine: Mine, api: Api, form: Pairs | None) -> Mapping[str, object]:
    """What a form that sends shows: the latest documents to choose from, those chosen, a key of its own."""
    answer = await api.get(f"DocumentReference?patient={mine.record}&status=current&_sort=-date&_count={_DOCUMENTS}")
    entries = answer.json().get("entry", ()) if answer.status_code == 200 else ()
    found = [one["resource"] for one in entries if one["search"]["mode"] == "match"]
    listed = [(redeem.document(one, mine.language), MASK in labels(one)) for one in found]
    given = form or []
    chosen = {value for name, value in given if name == "document"}
    key = dict(given).get(KEY) or new_key()
    return {"documents": listed, "chosen_documents": chosen, "key": key, "longest": LONGEST_TEXT}


async def send(mine: Mine, api: Api, form: Pairs, files: Iterable[Uploaded]) -> httpx.Response:
    """Send what a form says: in a `thread`, or to whom `to` names (`system|value`), about a `subject`."""
    given = dict(form)
    listed: list[Json] = [{"name": "text", "valueString": given.get("text", "")}]
    listed += [{"name": name, "valueString": given[name]} for name in ("thread", "subject") if given.get(name)]
    if given.get("to"):
        system, _, value = given["to"].rpartition("|")
        listed.append({"name": "to", "valueIdentifier": {"system": system, "value": value}})
    references = [value for name, value in form if name == "document"]
    listed += [{"name": "attachment", "valueReference": {"reference": one}} for one in references]
    for one in files:
        attachment = {"title": one.name, "contentType": one.content_type, "data": b64encode(one.data).decode()}
        listed.append({"name": "attachment", "valueAttachment": attachment})
    body = {"resourceType": "Parameters", "parameter": listed}
    return await move(api, f"Patient/{mine.record}/$send-message", body, given.get(KEY, ""))


def problem_of(answer: httpx.Response) -> str:
    """What the API refused, as the name of a text; empty: it was done."""
    if answer.is_success:
        return ""
    if answer.status_code != 422:
        general = {404: "me_over", 429: "messages_many"}.get(answer.status_code, "me_unavailable")
        return _PROBLEMS.get(answer.status_code, general)
    where = "".join(answer.json()["issue"][0].get("expression", ()))
    return next((name for part, name in _PARTS if part in where), "messages_refused")
