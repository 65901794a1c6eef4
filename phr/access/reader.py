"""Who asks, as closed kinds of reader, made from verified claims. A claim that fits no kind makes no reader."""

from dataclasses import dataclass

from auth import professionals
from auth.claims import Claims
from phr.core.errors import forbidden

SELF = "carnet"
"""The installation's own name, as the client of what it does by itself."""


@dataclass(frozen=True, slots=True)
class Citizen:
    """A person in their own record, through an app they consented to."""

    client: str
    account: str
    record: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """A person acting for another, as a parent does: in the record of the person represented, and in no other."""

    client: str
    account: str
    record: str


@dataclass(frozen=True, slots=True)
class Professional:
    """A professional, through their software. `record`: the patient context it handed over at launch, if any.

    `assistant`: who really acts, in the professional's name and with at most their rights.
    """

    client: str
    identity: professionals.Professional
    record: str | None
    assistant: professionals.Professional | None


@dataclass(frozen=True, slots=True)
class Depositor:
    """Software that may look a person up, deposit, and see and correct what it deposited."""

    client: str


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's software: opens records and keeps the commons; never sees inside a record."""

    client: str


@dataclass(frozen=True, slots=True)
class System:
    """This installation itself, from its command line: imports on behalf of `client`."""

    client: str


Person = Citizen | Delegate
"""Who has one record and writes there as its holder: for `isinstance`. What each sees of it is not the same."""

Reader = Person | Professional | Depositor | Operator | System


def identity(reader: Reader) -> str:
    """The name an author is known by; stored only as a keyed hash under the record's key.

    What an assistant writes is the professional's.
    """
    match reader:
        case Citizen(account=account) | Delegate(account=account):
            return f"account:{account}"
        case Professional():
            return f"professional:{reader.identity.id}"
        case _:
            return f"client:{reader.client}"


def names(reader: Reader) -> tuple[str, ...]:
    """The names a right may be about this reader by: their own, then their structure's. Hashed before they are kept."""
    own = identity(reader)
    if isinstance(reader, Professional) and reader.identity.structure:
        return own, f"structure:{reader.identity.structure}"
    return (own,)


def reader_of(claims: Claims) -> Reader:
    """The reader these claims make. Raises DomainError FORBIDDEN.

    `act` (RFC 8693 §4.1) that does not say the same as the rest of the token makes no reader.
    """
    match claims.kind:
        case "citizen-app" if claims.record is not None:
            if claims.actor is None:
                return Citizen(claims.client, claims.subject, claims.record)
            if claims.actor == claims.subject:
                return Delegate(claims.client, claims.actor, claims.record)
        case "professional" | "pharmacy" if claims.professional is not None:
            if claims.actor == (claims.assistant.id if claims.assistant is not None else None):
                return Professional(claims.client, claims.professional, claims.record, claims.assistant)
        case "pharmacy" if claims.actor is None and all(scope.startswith("system/") for scope in claims.scopes):
            return Depositor(claims.client)
        case "deposit":
            return Depositor(claims.client)
        case "operator":
            return Operator(claims.client)
    raise forbidden("This token gives no access here.")
