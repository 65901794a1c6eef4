"""The mails a person gets. The rule: a mail says what happened and what to do if it was not you, and nothing else.

No full name, no health data, no name of a disease. Each mail is a file of `auth/mails`, in French and in English, and
is stored in the outbox by the transaction that causes it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from phr.core import outbox
from phr.core.keys import SystemKeys

KIND = "mail"
LANGUAGES = ("fr", "en")

_FOLDER = Path(__file__).parent / "mails"
_PARIS = ZoneInfo("Europe/Paris")
_MONTHS = (
    ("janvier", "January"), ("février", "February"), ("mars", "March"), ("avril", "April"), ("mai", "May"),
    ("juin", "June"), ("juillet", "July"), ("août", "August"), ("septembre", "September"), ("octobre", "October"),
    ("novembre", "November"), ("décembre", "December"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """A mail in one language, its `{names}` to be filled."""

    subject: str
    body: str

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Subject and text. Raises ValueError unless the values are exactly those the template names."""
        named = {name for part in (self.subject, self.body) for _, name, _, _ in Formatter().parse(part) if name}
        if named != values.keys():
            raise ValueError(f"this mail takes {sorted(named)}, not {sorted(values)}")
        return self.subject.format_map(values), self.body.format_map(values)


@cache
def written(name: str, language: str) -> Template:
    """A mail by the name of its file, without `.toml`. Raises FileNotFoundError, KeyError."""
    content = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))[language]
    return Template(content["subject"], content["body"])


def send(
    session: Session,
    keys: SystemKeys,
    to: str,
    template: str,
    language: str,
    now: datetime,
    **values: str,
) -> None:
    """Put a mail in the outbox as {"to", "subject", "text"}. Raises ValueError if `values` are not the template's."""
    subject, text = written(template, language if language in LANGUAGES else LANGUAGES[0]).filled(values)
    outbox.put(session, keys, KIND, {"to": to, "subject": subject, "text": text}, now)


def moment(at: datetime, language: str) -> str:
    """A day and a time as a mail tells them, in Paris: « le 22 novembre 2026 à 14 h 42 (heure de Paris) »."""
    local = at.astimezone(_PARIS)
    month = _MONTHS[local.month - 1]
    if language == "en":
        return f"on {local.day} {month[1]} {local.year} at {local:%H:%M} (Paris time)"
    day = "1er" if local.day == 1 else str(local.day)
    return f"le {day} {month[0]} {local.year} à {local.hour} h {local:%M} (heure de Paris)"
