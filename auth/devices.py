"""Whether this browser has signed in to this account before, and a mail when it has not.

The rule: nothing is stored. A cookie of one year holds keyed marks, one for each of the last five accounts, which only
we can make; they open nothing.
"""

import hmac
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from auth import mail
from auth.accounts import Account
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

COOKIE = "carnet_device"
LIFETIME = timedelta(days=365)
ACCOUNTS = 5

_ENTRY = re.compile(r"([0-9a-f]{1,8})-([0-9a-f]{16})-([0-9a-f]{32})")
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def greet(
    session: Session,
    keys: SystemKeys,
    account: Account,
    cookie: str | None,
    agent: str,
    language: str,
    now: datetime,
    first: bool = False,
) -> str:
    """What the cookie becomes after a sign-in; a browser new to the account is told to the person by mail.

    `first`: the account has just been opened with this browser, which is no news.
    """
    kept = list(_honest(cookie, now))
    mine = [entry for entry in kept if _marks(keys, entry, account.id)]
    if not mine and not first:
        values = {"moment": mail.moment(now, language), "browser": named(agent, language)}
        mail.send(session, keys, account.email, "new_device", language, now, **values)
    others = [entry for entry in kept if entry not in mine]
    return ".".join([_made(keys, account.id, now), *others][:ACCOUNTS])


def named(agent: str, language: str) -> str:
    """A browser as a person would name it, from its User-Agent: « Firefox sur Android ». Never more than that."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    unknown = "an unknown browser" if language == "en" else "un navigateur inconnu"
    if browser is None or system is None:
        return browser or system or unknown
    return f"{browser} on {system}" if language == "en" else f"{browser} sur {system}"


def _honest(cookie: str | None, now: datetime) -> Iterator[str]:
    """The entries of a cookie that are written as ours are and not too old."""
    today = _day(now)
    for entry in (cookie or "").split(".")[:ACCOUNTS]:
        found = _ENTRY.fullmatch(entry)
        if found is not None and today - LIFETIME.days <= int(found[1], 16) <= today:
            yield entry


def _marks(keys: SystemKeys, entry: str, account: UUID) -> bool:
    day, salt, mark = entry.split("-")
    return hmac.compare_digest(mark, _mark(keys, day, salt, account))


def _made(keys: SystemKeys, account: UUID, now: datetime) -> str:
    day, salt = f"{_day(now):x}", secrets.token_hex(8)
    return f"{day}-{salt}-{_mark(keys, day, salt, account)}"


def _mark(keys: SystemKeys, day: str, salt: str, account: UUID) -> str:
    return keyed_uuid(subkey(keys.get("lookup"), "device"), f"{day}|{salt}|{account}").hex


def _day(now: datetime) -> int:
    return int(now.timestamp()) // 86_400
