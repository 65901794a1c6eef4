"""The demo world as it is loaded into a sandbox: the commons, and each person with their transaction and account."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from phr.demo import benali, lefevre, moreau
from phr.demo.clinic import commons_transaction
from phr.demo.dossier import Dossier


@dataclass(frozen=True, slots=True)
class Person:
    """Who can sign in, and the FHIR transaction that opens their record. The password is meant to be read."""

    login: str
    password: str
    display_name: str
    email: str
    ins: str
    transaction: dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """The commons as transaction entries, and the people. Read only: it is made once and shared."""

    commons: tuple[dict[str, Any], ...]
    people: tuple[Person, ...]


@lru_cache(maxsize=2)
def world(today: date) -> World:
    """The world as it stands on that day: the same day gives the same bytes, and nothing in it is later."""
    dossiers = (
        moreau.mother(today),
        moreau.father(today),
        moreau.daughter(today),
        lefevre.grandmother(today),
        benali.father(today),
        benali.teenager(today),
    )
    return World(tuple(commons_transaction()["entry"]), tuple(_person(dossier) for dossier in dossiers))


def _person(dossier: Dossier) -> Person:
    who = dossier.who
    return Person(who.login, who.password, who.display, who.email, who.ins, dossier.transaction)
