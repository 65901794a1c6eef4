"""My journal: what was done in a record, by whom, when and why, for its person and who legally represents them.

The rule: the page says what the AuditEvents of the API say, in their own words, and nothing else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import unescape
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from auth.choices import RecordChoice
from auth.launches import PAGES
from auth.server import AuthServer
from phr.access.audit import SUCCESS, Group
from phr.access.journal import Tag
from phr.journal_words import day_of, texts_in
from phr.web.api import calling
from phr.web.asgi import streamed
from phr.web.mine import chosen_of, mark, records_of
from phr.web.pages import Pages, Pairs, go, query_of, to

HOME = "/me/journal"
COUNT = 50
FORMS = {"csv": "text/csv", "pdf": "application/pdf"}
_PARIS = ZoneInfo("Europe/Paris")
_SENTENCE = re.compile(r'<p><span class="moment">[^<]*</span>,? *(.*)</p>', re.DOTALL)
_REFUSED = "4"
_LOOKS = frozenset({Tag.READ, Tag.SEARCH, Tag.HISTORY, Tag.CONTENT, Tag.JOURNAL, Tag.NOTIFICATION, Tag.PREVENTION})
FOLDED = 2
"""As many of the reader's own looks on the pages, one after the other, make one line."""
_PASSED_ON = ("content-type", "content-disposition", "content-language", "content-length")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks: whose journal, which group, from which day to which, included; only what was refused."""

    chosen: RecordChoice
    group: str
    since: date | None
    until: date | None
    refused: bool
    cursor: str
    locales: str
    wrong: bool = False

    def pairs(self, **changes: str) -> Pairs:
        """The same address, changed, without what is empty; a change goes back to the newest."""
        found = {
            "record": "" if self.chosen.own else mark(self.chosen.record),
            "group": self.group,
            "since": "" if self.since is None else self.since.isoformat(),
            "until": "" if self.until is None else self.until.isoformat(),
            "refused": "yes" if self.refused else "",
            "ui_locales": self.locales,
            **changes,
        }
        return [(name, value) for name, value in found.items() if value]

    def search(self, language: str) -> str:
        """The search of the API for this page."""
        if self.cursor:
            return f"AuditEvent?{urlencode([('_cursor', self.cursor)])}"
        pairs = [("patient", self.chosen.record), ("_count", str(COUNT)), ("lang", language)]
        pairs += [("group", self.group)] if self.group else []
        pairs += [("outcome", _REFUSED)] if self.refused else []
        pairs += [("date", f"ge{_midnight(self.since)}")] if self.since else []
        pairs += [("date", f"lt{_midnight(self.until + timedelta(days=1))}")] if self.until else []
        return f"AuditEvent?{urlencode(pairs)}"


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as the page shows it. `time`: in Paris."""

    day: str
    time: str
    recorded: str
    sentence: str = field(repr=False)
    why: str
    motive: str = field(repr=False)
    software: str
    refused: bool
    looking: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Entries that follow each other. `folded`: they are the reader's own looking around, on one line."""

    lines: Sequence[Line]
    folded: bool


def router(server: AuthServer) -> APIRouter:
    """/me/journal and its export."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    @routes.get(HOME)
    async def journal(request: Request) -> Response:
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", [(name, value) for name, value in query_of(request) if name == "ui_locales"])
        choices = await records_of(server, visitor.account)
        if not choices:
            return _page(pages, request, None, choices, problem="journal_no_record")
        asked, language = _asked(request, choices), pages.language(request, query_of(request))
        async with calling(server, request, visitor, asked.chosen.record) as api:
            answer = await api.get(asked.search(language))
        if answer.status_code != 200:
            problem = "journal_not_yours" if answer.status_code == 403 else "journal_unavailable"
            return _page(pages, request, asked, choices, problem=problem, status=answer.status_code)
        return _page(pages, request, asked, choices, bundle=answer.json(), reader=str(visitor.account.id))

    @routes.get(f"{HOME}/export")
    async def export(request: Request) -> Response:
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", [])
        choices = await records_of(server, visitor.account)
        form = request.query_params.get("form", "")
        if not choices or form not in FORMS:
            return go(HOME, [])
        asked = _asked(request, choices)
        given = asked.pairs(record="", refused="", ui_locales="", lang=pages.language(request, query_of(request)))
        path = f"/fhir/Patient/{asked.chosen.record}/$journal"
        async with calling(server, request, visitor, asked.chosen.record) as api:
            answer = await streamed(
                request, path, given, {"authorization": f"Bearer {api.token}", "accept": FORMS[form]}
            )
        if answer.status != 200:
            return go(HOME, asked.pairs())
        headers = {name: value for name, value in answer.headers.items() if name in _PASSED_ON}
        return StreamingResponse(answer.body, answer.status, {"Cache-Control": "no-store", **headers})

    return routes


def _asked(request: Request, choices: Sequence[RecordChoice]) -> Asked:
    query = request.query_params
    (since, wrong), (until, wrong_too) = _day(query.get("since")), _day(query.get("until"))
    group = query.get("group", "")
    return Asked(
        chosen=chosen_of(choices, query.get("record")),
        group=group if group in set(Group) else "",
        since=since,
        until=until,
        refused="refused" in query,
        cursor=query.get("cursor", ""),
        locales=query.get("ui_locales", ""),
        wrong=wrong or wrong_too,
    )


def _day(text: str | None) -> tuple[date | None, bool]:
    """A day of a form, and whether what was given is none."""
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        return None, True
    # A day that no calendar of ours can add one to, or that is before any record.
    return (found, False) if found is None or 1900 <= found.year < 2400 else (None, True)


def _page(
    pages: Pages,
    request: Request,
    asked: Asked | None,
    choices: Sequence[RecordChoice],
    *,
    bundle: Json | None = None,
    reader: str = "",
    problem: str | None = None,
    status: int = 200,
) -> Response:
    query = query_of(request)
    language = pages.language(request, query)
    locales = [(name, value) for name, value in query if name == "ui_locales"]
    values: dict[str, object] = {"choices": choices, "mark": mark, "chosen": asked and asked.chosen, "exports": None}
    values |= {"problem": problem, "locales": dict(locales).get("ui_locales", ""), "account": to("/account", locales)}
    if asked is not None and bundle is not None:
        values |= _shown(asked, bundle, language, reader)
        values["problem"] = "journal_wrong_day" if asked.wrong else None
    return pages.page(request, "journal.html", values, status=status, script=True)


def _shown(asked: Asked, bundle: Json, language: str, reader: str) -> Mapping[str, object]:
    cursor = next((_cursor(link["url"]) for link in bundle["link"] if link["relation"] == "next"), "")
    listed = [entry["resource"] for entry in bundle.get("entry", ()) if entry["search"]["mode"] == "match"]
    lines = [_line(event, asked, language, reader) for event in listed]
    days = [
        {"name": day_of(day, language), "runs": _runs(found)}
        for day, found in groupby(lines, key=lambda line: line.day)
    ]
    own = asked.chosen.own
    tabs = [
        {"name": _tab(group, own), "address": to(HOME, asked.pairs(group=group)), "here": group == asked.group}
        for group in ("", *Group)
    ]
    return {
        "days": days,
        "tabs": tabs,
        "kept": [(name, value) for name, value in asked.pairs() if name not in ("since", "until", "refused")],
        "since": asked.since or "",
        "until": asked.until or "",
        "refused": asked.refused,
        "older": to(HOME, asked.pairs(cursor=cursor)) if cursor else "",
        "newest": to(HOME, asked.pairs()) if asked.cursor else "",
        "exports": {form: to(f"{HOME}/export", asked.pairs(refused="", form=form)) for form in FORMS},
        "colon": " : " if language == "fr" else ": ",
    }


def _runs(lines: Iterable[Line]) -> list[Run]:
    """A day's entries: the reader's own looking around does not bury what others did."""
    found: list[Run] = []
    for looking, some in groupby(lines, key=lambda line: line.looking):
        listed = tuple(some)
        folded = looking and len(listed) >= FOLDED
        found += [Run(listed, folded)] if folded else [Run((one,), folded) for one in listed]
    return found


def _tab(group: str, own: bool) -> str:
    name = f"journal_group_{group or 'all'}"
    return f"{name}_other" if group == Group.MINE and not own else name


def _cursor(url: str) -> str:
    return parse_qs(urlsplit(url).query)["_cursor"][0]


def _line(event: Json, asked: Asked, language: str, reader: str) -> Line:
    at = datetime.fromisoformat(event["recorded"]).astimezone(_PARIS)
    told = _SENTENCE.search(event["text"]["div"])
    sentence = unescape(told[1]) if told else ""
    requestor = next(agent for agent in event["agent"] if agent["requestor"])
    software = event["agent"][-1]["who"]["display"]
    return Line(
        day=f"{at:%Y-%m-%d}",
        time=f"{at:%H:%M}",
        recorded=event["recorded"],
        sentence=sentence[:1].upper() + sentence[1:],
        why=requestor.get("purposeOfUse", [{}])[0].get("text", ""),
        motive=event.get("purposeOfEvent", [{}])[0].get("text", ""),
        software=software,
        refused=event["outcome"] != SUCCESS,
        looking=event["outcome"] == SUCCESS
        and event["subtype"][0]["code"] in _LOOKS
        and software == texts_in(language)["software"][PAGES]
        and (reader == requestor.get("altId") or (asked.chosen.own and "reference" in requestor["who"])),
    )


def _midnight(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=_PARIS).astimezone(UTC).isoformat()
