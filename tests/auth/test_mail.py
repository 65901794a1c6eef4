"""Mails: what each says, in both languages, and what none says."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

import pytest
from sqlalchemy.orm import Session

from auth import mail
from phr.core import outbox
from tests.auth.city import City

FILES = sorted(Path(mail.__file__).parent.joinpath("mails").glob("*.toml"))
SAID = {"code", "link", "moment", "browser", "what", "left", "login"}
"""The values a mail may hold: no name, nothing of a record."""


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_mail_is_whole_in_both_languages(path: Path) -> None:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["fr", "en"]
    asked = [names(content[language]["subject"] + content[language]["body"]) for language in mail.LANGUAGES]
    assert asked[0] == asked[1]
    assert asked[0] <= SAID
    for language in mail.LANGUAGES:
        subject, body = content[language]["subject"], content[language]["body"]
        assert set(content[language]) == {"subject", "body"}
        assert "\n" not in subject
        assert not names(subject), "a subject shows on a locked telephone, and in mail servers' logs"
        assert body.strip().endswith("Carnet")


def test_values_are_exactly_those_the_mail_takes(city: City) -> None:
    with Session(city.engine) as session:
        for values in ({}, {"code": "1", "more": "2"}, {"kode": "1"}):
            with pytest.raises(ValueError, match="this mail takes"):
                mail.send(session, city.keys, "a@x.test", "code", "fr", city.clock(), **values)
        with pytest.raises(FileNotFoundError):
            mail.send(session, city.keys, "a@x.test", "no such mail", "fr", city.clock())


def test_a_value_is_not_a_template() -> None:
    subject, text = mail.Template("s", "{code}").filled({"code": "{0} {code.__class__} %s"})
    assert (subject, text) == ("s", "{0} {code.__class__} %s")


def test_it_waits_sealed_with_what_causes_it(city: City) -> None:
    lucie = city.person()
    with Session(city.engine) as session:
        with session.begin():
            mail.send(session, city.keys, lucie.email, "code", "en", city.clock(), code="123456")
        mail.send(session, city.keys, lucie.email, "code", "en", city.clock(), code="654321")
        session.rollback()
        row = session.execute(outbox.outbox.select().order_by(outbox.outbox.c.created.desc())).first()
    (sent,) = city.mails(lucie.email)
    assert sent["subject"] == "Your Carnet code"
    assert "123456" in sent["text"]
    assert row is not None
    assert lucie.email.encode() not in row.sealed


@pytest.mark.parametrize(
    ("at", "french", "english"),
    [
        (datetime(2026, 1, 1, 23, 5, tzinfo=UTC), "le 2 janvier 2026 à 0 h 05", "on 2 January 2026 at 00:05"),
        (datetime(2026, 8, 1, 10, 0, tzinfo=UTC), "le 1er août 2026 à 12 h 00", "on 1 August 2026 at 12:00"),
    ],
)
def test_moments_are_told_in_paris(at: datetime, french: str, english: str) -> None:
    assert mail.moment(at, "fr") == f"{french} (heure de Paris)"
    assert mail.moment(at, "en") == f"{english} (Paris time)"
