"""The journal as a file to keep: CSV for a spreadsheet, streamed as it is read; PDF to print or to hand over.

The rule: exporting is reading. Who may not read the journal exports nothing, and each export is an entry of it.
"""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fhir.parameters import KINDS
from phr.access.audit import Group
from phr.access.journal import Tag
from phr.access.scope import SEARCH
from phr.access.visit import Visit, asked_of
from phr.core.errors import absent, invalid, malformed
from phr.journal_paper import Paper
from phr.journal_reading import EVER, LAST, Trail, Wanted, admitted, not_admitted, record_of
from phr.journal_words import Told, moment_of, preferred, texts_in
from phr.reading import require

PARAMETERS = ("group", "since", "until", "lang", "_format")
MOST_PRINTED = 5_000
"""The longest PDF, some three hundred pages: its pages are in memory until it is whole."""
_AT_ONCE = 200
_PARIS = ZoneInfo("Europe/Paris")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
"""How a cell begins that a spreadsheet would run (CWE-1236)."""
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Export:
    """One export under way: which entries, in which language, for whom."""

    visit: Visit
    trail: Trail
    wanted: Wanted
    language: str
    heading: tuple[str, ...]

    async def batches(self) -> AsyncIterator[Sequence[Told]]:
        """The entries, newest first, some at a time, a connection held for each batch only."""
        below: int | None = LAST
        while below is not None:
            async with self.visit.installation.database.session() as session:
                acts, below = await self.trail.page(session, self.wanted, below, _AT_ONCE)
                told = await self.trail.tell(session, acts, self.language)
            yield [words for _, _, words in told]

    async def csv(self) -> AsyncIterator[bytes]:
        """RFC 4180, in UTF-8 after a byte order mark, which spreadsheets want; no cell is a formula."""
        columns = texts_in(self.language)["export"]["columns"]
        yield (_BOM + _lines([columns])).encode()
        async for batch in self.batches():
            if batch:
                yield _lines([_row(one) for one in batch]).encode()

    async def pdf(self) -> bytes:
        """A4 pages, by day; the newest MOST_PRINTED entries, and a word when there are more."""
        texts = texts_in(self.language)["export"]
        paper = Paper(self.language, texts, self.heading, self.visit.now)
        async for batch in self.batches():
            room = MOST_PRINTED - paper.entries
            # Laying out is slow: elsewhere, so that other requests go on.
            await asyncio.to_thread(paper.add, batch[:room])
            if len(batch) > room:
                await asyncio.to_thread(paper.say, texts["longer"].format(n=MOST_PRINTED))
                break
        return await asyncio.to_thread(paper.finished)


async def begin(visit: Visit, record: str, pairs: Sequence[tuple[str, str]], accepted: str | None) -> Export:
    """Open an export of the journal of `record`, and journal it. Raises ABSENT, FORBIDDEN, CONTENT (422), SYNTAX.

    `group`: one of the groups; `since` and `until`: days in Paris, the last included, or instants, [since, until).
    """
    require(visit, SEARCH, KINDS["AuditEvent"])
    if record_of(visit) != record:
        raise absent()
    asked = _once(pairs)
    language = preferred(asked.get("lang"), accepted)
    since, until = asked.get("since"), asked.get("until")
    window = (_instant("since", since, 0) or EVER[0], _instant("until", until, 1) or EVER[1])
    group = asked.get("group")
    if group and group not in set(Group):
        raise invalid(f"group is one of: {', '.join(Group)}.")
    # Not beyond now: the export is not in itself, whatever is written while it is read.
    facets = (("group", frozenset({group})),) if group else ()
    wanted = Wanted(window[0], min(window[1], visit.now), facets=facets)
    async with visit.act(record, SEARCH, Tag.JOURNAL, asked_of(("Patient", record, "$journal"))) as deed:
        trail = admitted(deed)
        if trail is not None:
            deed.touched.append(f"Patient/{record}")
    if trail is None:
        raise not_admitted()
    heading = _heading(trail, language, window, visit.now, group)
    return Export(visit, trail, wanted, language, heading)


def _once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in PARAMETERS:
            raise invalid(f"The parameters of this operation are: {', '.join(PARAMETERS)}.")
        if name in found:
            raise invalid(f"{name} is given once.")
        found[name] = value
    return found


def _instant(name: str, text: str | None, days: int) -> datetime | None:
    """An instant with its zone, or a day in Paris: its first instant, or (`days`: 1) the first of the next."""
    if not text:
        return None
    try:
        if "T" in text:
            found = datetime.fromisoformat(text.replace(" ", "+"))
            if found.tzinfo is None:
                raise ValueError
            return found.astimezone(UTC)
        day = date.fromisoformat(text) + timedelta(days=days)
        return datetime(day.year, day.month, day.day, tzinfo=_PARIS).astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed(f"{name} is a day, or an instant with its time zone.") from None


def _heading(
    trail: Trail, language: str, window: tuple[datetime, datetime], now: datetime, group: str | None
) -> tuple[str, ...]:
    """What the first page says: which period, which group, made when."""
    texts = texts_in(language)
    since = f"{window[0].astimezone(_PARIS):%d/%m/%Y}" if window[0] > EVER[0] else ""
    last = window[1] - timedelta(microseconds=1)
    until = f"{last.astimezone(_PARIS):%d/%m/%Y}" if window[1] < EVER[1] else ""
    key = "between" if since and until else "since" if since else "until" if until else "whole"
    period = texts["export"][key].format(since=since, until=until)
    named: Any = texts["groups"].get(group or "", "")
    shown = named if isinstance(named, str) else named[trail.viewer.represents]
    made = texts["export"]["made"].format(moment=moment_of(now, language))
    return tuple(filter(None, (period, shown, made)))


def _row(told: Told) -> list[str]:
    return [
        told.day,
        told.time,
        told.who,
        told.capacity,
        told.structure,
        told.did,
        told.why,
        told.motive,
        told.software,
        told.verdict,
        told.reason,
    ]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([[_cell(text) for text in row] for row in rows])
    return written.getvalue()


def _cell(text: str) -> str:
    """One line of text that no spreadsheet takes for a formula."""
    plain = _CONTROL.sub(" ", text)
    return f"'{plain}" if _FORMULA.match(plain) else plain
