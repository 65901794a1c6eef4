"""What an authorization request asks a person, and what they answer.

The rule: nobody is granted more than is asked, declared and ticked; what was not chosen lasts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from authlib.oauth2.rfc6749 import InvalidScopeError

from auth import agreements, purposes, scopes
from auth.agreements import Agreement, Duration
from auth.choices import RecordChoice
from auth.clients import Client
from auth.grants import Grant
from auth.purposes import Purpose


@dataclass(frozen=True, slots=True)
class Offered:
    """A purpose to grant or not. `scopes`: what it needs of what is asked; `since`: "new" or "changed" since the
    person last agreed with this service."""

    purpose: Purpose
    scopes: tuple[str, ...]
    since: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A valid authorization request. `sign_in`: the person must prove who they are (again) before deciding.

    `records`: for whom a citizen may answer; `professional`: it is a professional who is asked. `purposes`: what a
    service that declares its purposes may be granted, and `basics` the scopes that come with any; `durations`: for how
    long; `dropped`: how many purposes it no longer has, of those it had when the person last agreed.
    """

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    sign_in: bool
    professional: bool
    records: tuple[RecordChoice, ...]
    purposes: tuple[Offered, ...] = ()
    basics: tuple[str, ...] = ()
    durations: tuple[Duration, ...] = ()
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person left ticked: scopes, or purposes and for how long; and the record they chose."""

    scopes: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    duration: str = ""
    record: str | None = None


def by_purpose(asked: Asked, declared: Sequence[Purpose], latest: Grant | None) -> Asked:
    """The same request, as purposes: each with the scopes it needs, and nothing that no purpose needs."""
    now = {purpose.code: purpose.digest for purpose in declared}
    before = now if latest is None else latest.agreement.declared
    every = [Offered(purpose, purpose.narrowed(asked.scopes), _since(purpose, before)) for purpose in declared]
    offered = tuple(one for one in every if any(map(scopes.parse, one.scopes)))
    if not offered:
        raise InvalidScopeError("No declared purpose of this service needs these.", redirect_uri=asked.redirect_uri)
    needed = dict.fromkeys(scope for one in offered for scope in one.scopes)
    basics = tuple(one for one in asked.scopes if one in scopes.PLAIN and one not in (scopes.OFFLINE, scopes.PROFILE))
    offline = scopes.OFFLINE in asked.scopes and asked.client.check_grant_type("refresh_token")
    durations = agreements.durations(asked.client) if offline else (Duration.ONCE,)
    narrowed = (*basics, *needed, *((scopes.OFFLINE,) if offline else ()))
    dropped = len(before.keys() - now.keys())
    return replace(asked, scopes=narrowed, purposes=offered, basics=basics, durations=durations, dropped=dropped)


def _since(purpose: Purpose, before: Mapping[str, str]) -> str:
    if purpose.code not in before:
        return "new"
    return "" if before[purpose.code] == purpose.digest else "changed"


def agreed(asked: Asked, choice: Choice) -> tuple[frozenset[str], Agreement]:
    """The scopes that the person's choice gives, and what is sealed of it. Nothing chosen lasts once."""
    if not asked.purposes:
        return choice.scopes.intersection(asked.scopes), Agreement()
    ticked = [one for one in asked.purposes if one.purpose.code in choice.purposes]
    duration = next((one for one in asked.durations if one == choice.duration), Duration.ONCE)
    given = {scope for one in ticked for scope in one.scopes}
    if given:
        given.update(asked.basics, () if duration is Duration.ONCE else (scopes.OFFLINE,))
    codes = tuple(one.purpose.code for one in ticked)
    return frozenset(given), Agreement(codes, duration, purposes.digests(asked.client.service))
