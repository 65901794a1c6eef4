"""Reading the campaigns: one file each, in `campaigns/`, in a closed vocabulary.

The rule: a file that says anything else, or names a rule that is not there, is refused with the line of each fault.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Sequence
from datetime import date, time
from pathlib import Path
from typing import Literal

import msgspec

from phr.prevention import places
from phr.prevention.campaign import Campaign, Programme, named
from phr.prevention.dates import EVER, NEVER
from phr.prevention.form import Days, WordsForm
from phr.prevention.rule import Channel, Rule, Rules, Season, Theme, Words
from phr.prevention.rulebook import RULES, RuleError

FOLDER = Path(__file__).with_name("campaigns")
_HOUR = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
_Fault = Callable[[str, str], None]
"""How a fault is told: the key it is at, and what it is."""

Spoken = Literal["overdue", "due", "soon", "ask"]


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but what is listed."""


class _Hours(_Form, frozen=True, rename={"start": "from"}):
    """{ from = "20:00", before = "08:00" }"""

    start: str
    before: str


class _CampaignForm(_Form, frozen=True, rename={"start": "from", "without": "except"}):
    """A whole file."""

    id: str
    title: WordsForm
    rules: list[str] = []
    themes: list[Theme] = []
    without: list[str] = []
    statuses: tuple[Spoken, ...] = ("overdue", "due")
    channels: tuple[Channel, ...] = ("inbox", "email")
    start: date = EVER
    before: date = NEVER
    season: Days | None = None
    per_week: int = 1
    quiet: _Hours = _Hours(start="20:00", before="08:00")
    stop_after_declined: bool = True


def load(folder: Path = FOLDER, rules: Rules = RULES) -> Programme:
    """Every campaign of a folder. Raises RuleError, with the faults of all of them."""
    found, faults, texts = [], [], [rules.version]
    for path in sorted(folder.glob("*.toml")):
        text = path.read_text("utf-8")
        texts.append(text)
        try:
            found.append(_read(path, text, rules))
        except RuleError as error:
            faults.append(str(error))
    if faults:
        raise RuleError("\n".join(faults))
    mark = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    spoken = frozenset[str]().union(*(one.rules for one in found))
    return Programme(named(rules, spoken), tuple(found), mark)


def _read(path: Path, text: str, rules: Rules) -> Campaign:
    lines, faults = places.places(text), list[str]()

    def fault(key: str, what: str) -> None:
        faults.append(f"{path.name}:{places.line_of(lines, (key,))}: {what}")

    try:
        read = msgspec.convert(tomllib.loads(text), _CampaignForm)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{path.name}: {error}") from None
    except msgspec.ValidationError as error:
        where, what = places.refused(error)
        raise RuleError(f"{path.name}:{places.line_of(lines, where)}: {what}") from None
    if read.id != path.stem:
        fault("id", f"the id is the file's name, {path.stem}")
    if not read.rules and not read.themes:
        fault("rules", "a campaign names rules or themes")
    if "inbox" not in read.channels:
        fault("channels", "what an e-mail announces is in the inbox: channels has it")
    if read.start >= read.before:
        fault("from", "this campaign is over before it begins")
    if read.per_week < 1:
        fault("per_week", "at least 1")
    chosen = _chosen(read, rules.all, fault)
    season = _season_of(read.season, fault)
    quiet = [_HOUR.fullmatch(one) for one in (read.quiet.start, read.quiet.before)]
    if None in quiet or read.quiet.start == read.quiet.before:
        fault("quiet", "quiet hours are from an hour to another, such as 20:00 and 08:00")
    if faults:
        raise RuleError("\n".join(faults))
    return Campaign(
        read.id,
        Words(read.title.fr, read.title.en),
        chosen,
        frozenset(read.statuses),
        frozenset(read.channels),
        read.start,
        read.before,
        season,
        read.per_week,
        (time.fromisoformat(read.quiet.start), time.fromisoformat(read.quiet.before)),
        read.stop_after_declined,
    )


def _chosen(read: _CampaignForm, rules: Sequence[Rule], fault: _Fault) -> frozenset[str]:
    known = {one.id for one in rules}
    for key, names in (("rules", read.rules), ("except", read.without)):
        for name in sorted(set(names) - known):
            fault(key, f"{name} is not a rule of rules/")
    themed = {one.id for one in rules if one.theme in read.themes}
    return frozenset(known & (themed | set(read.rules)) - set(read.without))


def _season_of(read: Days | None, fault: _Fault) -> Season | None:
    if read is None:
        return None
    try:
        return read.season()
    except ValueError:
        fault("season", "a season is from a month-day to another, such as 10-01 and 11-01")
        return None
