"""What is in force in a record, read from its Consents: who sees it, since when, until when and why, in plain words.

The rule: a page says what the Consents of the API say; what is over is not shown, begun or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from phr import journal_words
from phr.access.consent import Actor, Terms, right_of, terms_of
from phr.access.provision import DELEGATIONS, Right
from phr.delegation import EXPIRES
from phr.emergencies import MOTIVE
from phr.masks import CATEGORIES
from phr.web.api import Api
from phr.web.words import TEXTS

Json = dict[str, Any]
_PARIS = ZoneInfo("Europe/Paris")
_MOST_PAGES = 50


class Unread(Exception):  # noqa: N818
    """The record's Consents could not be read: the status of the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Held:
    """A right that is in force, or an invitation that waits (`terms.status` proposed) until it `expires`.

    `own`: it is about who reads the page.
    """

    id: str
    terms: Terms
    own: bool = False
    motive: str = ""
    expires: datetime | None = None

    @property
    def right(self) -> Right:
        """What it is about."""
        return self.terms.right

    @property
    def who(self) -> str:
        """Whom it is about: a name, else a number."""
        return shown(self.terms.actor)

    def since(self) -> datetime:
        """When it began; an invitation, when it was sent."""
        return self.terms.since or datetime.min.replace(tzinfo=UTC)


async def searched(api: Api, path: str | None) -> list[Json]:
    """What a search finds, page after page. Raises Unread."""
    found: list[Json] = []
    for _ in range(_MOST_PAGES):
        if path is None:
            break
        answer = await api.get(path)
        if answer.status_code != 200:
            raise Unread(answer.status_code)
        bundle = answer.json()
        found += [one["resource"] for one in bundle.get("entry", ()) if one["search"]["mode"] == "match"]
        path = next((_below(link["url"]) for link in bundle["link"] if link["relation"] == "next"), None)
    return found


async def held(api: Api, record: str, account: UUID, now: datetime) -> list[Held]:
    """Every right of a record that is not over, newest first, and the invitations that wait; as an account reads them.

    Raises Unread.
    """
    consents = await searched(api, f"Consent?patient={record}&status=active,proposed&_count=200")
    found = [_held(one, account) for one in consents if right_of(one) is not None]
    if not found:  # a search finds nothing in a record that is closed: it is read, to tell which
        answer = await api.get(f"Patient/{record}")
        if answer.status_code != 200:
            raise Unread(answer.status_code)
    standing = [one for one in found if _stands(one, now)]
    return sorted(standing, key=Held.since, reverse=True)


def of(found: Sequence[Held], *rights: Right, status: str = "active") -> list[Held]:
    """Those about these rights, in the order of the rights."""
    return [one for right in rights for one in found if one.right is right and one.terms.status == status]


def mandate(found: Sequence[Held]) -> Held | None:
    """What the reader acts under as a caregiver, if they do."""
    return next((one for one in of(found, Right.CAREGIVER) if one.own), None)


def shown(actor: Actor | None) -> str:
    """What an actor is called: their name, else their number; an account without a name has none to show."""
    if actor is None or actor.display:
        return "" if actor is None else actor.display
    return "" if actor.value.startswith("urn:uuid:") else actor.value


def reason(one: Held, language: str) -> str:
    """Why somebody sees the record: « Relation de soins : donne des soins »."""
    texts = TEXTS[language]
    named = f"held_why_{one.right}_{one.terms.purpose.lower()}" if one.terms.purpose else f"held_why_{one.right}"
    return texts.get(named) or texts.get(f"held_why_{one.right}", "")


def lent(terms: Terms, language: str) -> str:
    """What a code or a lease is narrowed to, in words."""
    texts = TEXTS[language]
    if terms.data:
        many = sum(name.startswith("DocumentReference/") for name in terms.data)
        return counted("held_lent_documents", many, language)
    parts = [part for part in CATEGORIES.values() if part.codes and set(part.codes) <= set(terms.codes)]
    if parts:
        return ", ".join(plain(part.fr if language == "fr" else part.en) for part in parts)
    return texts["held_lent_types" if terms.codes or terms.kinds else "held_lent_all"]


def period(terms: Terms, now: datetime, language: str) -> str:
    """Since when and until when: « Depuis le 3 mars à 14 h 12, jusqu’au 5 mars à 23 h 59 »."""
    texts = TEXTS[language]
    begun = texts["held_since"].format(moment=moment(terms.since or now, now, language))
    return f"{begun}, {end(terms.until, now, language)}"


def end(until: datetime | None, now: datetime, language: str) -> str:
    """Until when: « jusqu’au 3 mars à 23 h 59 », « sans fin ». Midnight is the last minute of the day before."""
    if until is None:
        return TEXTS[language]["held_endless"]
    last = until - timedelta(minutes=1) if f"{until.astimezone(_PARIS):%H:%M}" == "00:00" else until
    return TEXTS[language]["held_until"].format(moment=moment(last, now, language))


def moment(at: datetime, now: datetime, language: str) -> str:
    """A day and a time in Paris, with the year when it is another one: « 3 mars à 14 h 12 »."""
    there = at.astimezone(_PARIS)
    day = journal_words.day_of(there.date().isoformat(), language)
    if there.year == now.astimezone(_PARIS).year:
        day = day.removesuffix(f" {there.year}")
    return TEXTS[language]["held_moment"].format(day=day, hour=there.hour, minute=f"{there:%M}")


def counted(name: str, n: int, language: str) -> str:
    """A text with a number in it: `name_one`, or `name_many`."""
    return TEXTS[language][f"{name}_{'one' if n == 1 else 'many'}"].format(n=n)


def plain(label: str) -> str:
    """A label of a table, with the apostrophe of print."""
    return label.replace("'", "’")


def _held(consent: Json, account: UUID) -> Held:
    said: Mapping[str, Json] = {one.get("url", ""): one for one in consent.get("extension", ())}
    expires, terms = said.get(EXPIRES, {}).get("valueDateTime"), terms_of(consent)
    return Held(
        id=str(consent["id"]),
        terms=terms,
        own=terms.actor is not None and terms.actor.name == Actor.account(account).name,
        motive=str(said.get(MOTIVE, {}).get("valueString", "")),
        expires=None if expires is None else datetime.fromisoformat(expires),
    )


def _stands(one: Held, now: datetime) -> bool:
    invited = one.right in DELEGATIONS and one.terms.status == "proposed"
    until = one.expires if invited else one.terms.until
    return (invited or one.terms.status == "active") and (until is None or now < until)


def _below(url: str) -> str:
    """The path of a link of ours below /fhir."""
    parts = urlsplit(url)
    return f"{parts.path.rpartition('/fhir/')[2]}?{parts.query}"
