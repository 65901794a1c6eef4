"""Who asks, as closed kinds of reader, made from verified claims. A claim that fits no kind makes no reader."""

from dataclasses import dataclass

from auth.claims import Claims
from phr.core.errors import forbidden


@dataclass(frozen=True, slots=True)
class Citizen:
    """A person in their own record, through an app they consented to."""

    client: str
    account: str
    record: str


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


Reader = Citizen | Depositor | Operator | System


def identity(reader: Reader) -> str:
    """The name an author is known by; stored only as a keyed hash under the record's key."""
    match reader:
        case Citizen(account=account):
            return f"account:{account}"
        case _:
            return f"client:{reader.client}"


def reader_of(claims: Claims) -> Reader:
    """The reader these claims make. Raises DomainError FORBIDDEN."""
    match claims.kind:
        case "citizen-app" if claims.record is not None:
            return Citizen(claims.client, claims.subject, claims.record)
        case "deposit":
            return Depositor(claims.client)
        case "operator":
            return Operator(claims.client)
    raise forbidden("This token gives no access here.")
