"""Citizens who come from a provider like FranceConnect: what is asked of it, and which account its word opens.

The rule: an identity signs in to the account of the one record its traits match, or to none; below the level that the
operator set, to none. What is told does not say which of these it was. Not verified: encrypted (JWE) id_tokens, which
FranceConnect+ offers as an option, are not read here.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import accounts, enrolment, tickets
from auth.accounts import Account
from auth.relying import Arrived
from auth.tables import federated_account
from auth.traits import Traits
from phr.core.keys import SystemKeys
from phr.core.settings import EIDAS
from phr.core.vault import keyed_uuid, subkey

SCOPE = "openid profile birth identite_pivot"


class Unopened(Enum):
    """Why an identity opened nothing. For the journal of an operator's eyes at most, never for the person's page."""

    UNMATCHED = "unmatched"
    ANOTHER = "another"
    DISABLED = "disabled"


def request(level: str) -> dict[str, str]:
    """The parameters of the authorization request. Without `acr_values` this provider means eidas3."""
    return {"scope": SCOPE, "acr_values": level}


def enough(acr: str, lowest: str) -> bool:
    """Whether an eIDAS level reaches the lowest that opens a record. An unknown one never does."""
    return acr in EIDAS and EIDAS.index(acr) >= EIDAS.index(lowest)


def identity(keys: SystemKeys, issuer: str, sub: str) -> UUID:
    """The mark of one identity at one provider."""
    return keyed_uuid(subkey(keys.get("lookup"), "federated account"), f"{issuer}\n{sub}")


def open_account(
    session: Session, keys: SystemKeys, arrived: Arrived, record: str | None, now: datetime
) -> Account | Unopened | None:
    """The account this identity signs in to, linked at its first visit. None: the record's person has none yet.

    `record`: the only one the traits match. An identity linked to somebody else's account opens nothing.
    """
    if record is None:
        return Unopened.UNMATCHED
    mark = identity(keys, arrived.issuer, arrived.claims["sub"])
    linked: UUID | None = session.execute(
        select(federated_account.c.account).where(federated_account.c.hash == mark)
    ).scalar_one_or_none()
    owner = accounts.of_record(session, keys, record)
    if linked is None and owner is None:
        return None
    account = accounts.find(session, keys, linked or owner)  # type: ignore[arg-type]  # one of them is there
    if account is None or account.record != record:
        return Unopened.ANOTHER
    if account.disabled:
        return Unopened.DISABLED
    if linked is None:
        row = {"hash": mark, "account": account.id, "created": now}
        session.execute(insert(federated_account).values(row).on_conflict_do_nothing())
    return account


def hand_over(session: Session, keys: SystemKeys, arrived: Arrived, record: str, traits: Traits, now: datetime) -> str:
    """The secret of an enrolment ticket: the identity proves whose record it is, the person chooses the rest."""
    given = str(arrived.userinfo["given_name"]).split()[0]
    used = arrived.userinfo.get("preferred_username") or arrived.userinfo["family_name"]
    email = arrived.userinfo.get("email")
    values: dict[str, Any] = {
        "record": record,
        "via": "franceconnect",
        "invitation": None,
        "federated": identity(keys, arrived.issuer, arrived.claims["sub"]).hex,
        "given": given,
        "family": str(used),
        "birth": traits.birth,
    }
    said: Mapping[str, Any] = {"email": email} if isinstance(email, str) else {}
    return tickets.issue(session, keys, enrolment.PURPOSE, {**values, **said}, enrolment.LIFETIME, now)
