"""A request under /me: who is there, whose record they look at, and asking the public API what a form asks.

The rule: a page shows and does what the API shows and does to the person signed in, and nothing else; what it refuses
is told in plain words beside the form, and nothing typed is lost.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth.accounts import Account
from auth.choices import RecordChoice
from auth.server import AuthServer
from auth.sessions import Visitor
from phr.web.api import Api, calling
from phr.web.held import Held, Unread, held, mandate
from phr.web.pages import Pages, Pairs, go, query_of, to

HOME = "/me"
Json = dict[str, Any]

_REFUSALS = (
    ("'professional'", "me_rpps_wrong"),
    ("'structure'", "me_finess_wrong"),
    ("'name'", "me_name_long"),
    ("identifier", "me_ins_wrong"),
    ("family", "me_names_wrong"),
    ("birthDate", "me_names_wrong"),
    ("given", "me_names_wrong"),
    ("until", "me_until_wrong"),
)
"""What is wrong, by where the API says it is; the first that fits."""
_STATUSES = {403: "me_forbidden", 404: "me_over", 409: "me_conflict", 429: "me_too_many"}


@dataclass(frozen=True, slots=True)
class Mine:
    """Who is there, the records they may open, and the one they mean (None: they have none)."""

    server: AuthServer
    pages: Pages
    request: Request
    visitor: Visitor
    choices: Sequence[RecordChoice]
    chosen: RecordChoice

    @property
    def language(self) -> str:
        """French or English."""
        return self.pages.language(self.request, query_of(self.request))

    @property
    def record(self) -> str:
        """The id of the record they mean."""
        return self.chosen.record

    @property
    def locales(self) -> str:
        """The language the address asks, if it does."""
        return dict(query_of(self.request)).get("ui_locales", "")

    def at(self, path: str, *more: tuple[str, str], record: str | None = None) -> str:
        """An address that keeps the language and the record; `record`: of another one."""
        return to(path, [*self._kept(record), *more])

    def go(self, path: str, done: str = "") -> Response:
        """On to a page, which says what was done."""
        kept = self._kept(None)
        return go(path, [*kept, ("done", done)] if done else kept)

    def done(self, known: Collection[str]) -> str:
        """What the address says was done, if it is known."""
        said = dict(query_of(self.request)).get("done", "")
        return said if said in known else ""

    def unread(self, unread: Unread) -> Response:
        """The page of a record that cannot be read now."""
        return self.page("me_unread.html", {}, status=unread.status)

    def calling(self) -> AbstractAsyncContextManager[Api]:
        """The API as this person, in this record."""
        return calling(self.server, self.request, self.visitor, self.record)

    def page(self, template: str, values: Mapping[str, object], status: int = 200) -> Response:
        """A page of this record, with what its navigation needs."""
        kept = self._kept(None)
        known = {"chosen": self.chosen, "locales": self.locales, "mine": self}
        return self.pages.page(self.request, template, {**known, **values}, status=status, query=kept)

    async def held(self, api: Api) -> list[Held]:
        """What is in force in the record, and the invitations that wait. Raises Unread."""
        return await held(api, self.record, self.visitor.subject, self.server.clock())

    def mandate(self, found: Sequence[Held]) -> Held | None:
        """What this person acts under as a caregiver; None when they decide here."""
        return None if self.chosen.own else mandate(found)

    def _kept(self, record: str | None) -> Pairs:
        wanted = record if record is not None else "" if self.chosen.own else self.record
        return [(name, value) for name, value in (("record", wanted), ("ui_locales", self.locales)) if value]


async def opened(server: AuthServer, pages: Pages, request: Request) -> Mine | Response:
    """Who is there; or where they are sent: to sign in, or told that their account has no record."""
    visitor, query = await pages.visitor(request), query_of(request)
    if visitor is None or visitor.account is None:
        return go("/signin", [(name, value) for name, value in query if name == "ui_locales"])
    choices = await records_of(server, visitor.account)
    if not choices:
        return pages.page(request, "me_none.html", {})
    return Mine(server, pages, request, visitor, choices, chosen_of(choices, dict(query).get("record")))


async def answered(server: AuthServer, pages: Pages, request: Request, shows: "Shows") -> Response:
    """What `shows` makes for who is there, of the record they mean; a page that says so when it cannot be read."""
    mine = await opened(server, pages, request)
    if isinstance(mine, Response):
        return mine
    async with mine.calling() as api:
        try:
            return await shows(mine, api)
        except Unread as unread:
            return mine.unread(unread)


Shows = Callable[[Mine, Api], Awaitable[Response]]
"""A page of one record, made of what the API answers. May raise Unread."""


def problem_of(answer: httpx.Response) -> str | None:
    """What the API refused, as the name of a text; None: it was done."""
    if answer.is_success:
        return None
    if answer.status_code != 422:
        return _STATUSES.get(answer.status_code, "me_unavailable")
    issue = answer.json()["issue"][0]
    where = "".join(issue.get("expression", ()))
    return next((text for part, text in _REFUSALS if part in where), "me_refused")


async def records_of(server: AuthServer, account: Account) -> Sequence[RecordChoice]:
    """The records a citizen may open: their own, then those of the people they act for."""

    def read() -> Sequence[RecordChoice]:
        with Session(server.engine) as session:
            return server.records(session, server.keys, account, server.clock())

    return await run_in_threadpool(read)


def chosen_of(choices: Sequence[RecordChoice], named: str | None) -> RecordChoice:
    """The record an address means, by its id or by its mark; the first of them otherwise."""
    return next((one for one in choices if named in (one.record, mark(one.record))), choices[0])


def mark(record: str) -> str:
    """How an address of ours names a record without its id, for addresses are kept by browsers and proxies."""
    return hashlib.sha256(record.encode()).hexdigest()[:12]
