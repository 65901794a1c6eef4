"""Passkeys (Web Authentication Level 2): registered while signed in, then a second factor, or both factors alone.

The rule: the authenticator must verify the person each time, a challenge serves once, and a signature count that does
not move on is refused (§7.2 step 21): somebody may hold a copy. Nothing is asked about the make of the device.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, generate_challenge
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from auth import factors, tickets
from auth.accounts import Account
from auth.factors import Kind
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

LIFETIME = timedelta(minutes=10)
_REGISTER, _AUTHENTICATE = "passkey registration", "passkey authentication"
_VERIFIED = UserVerificationRequirement.REQUIRED


class PasskeyRefusal(Enum):
    """Why a passkey is not accepted. The values are the names of page texts."""

    EXPIRED = "passkey_expired"
    REFUSED = "passkey_refused"
    KNOWN = "passkey_known"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the browser's authenticator is asked: the ticket to bring back, and the options as JSON."""

    ticket: str
    options: str

    def document(self) -> dict[str, Any]:
        """For the script of the page."""
        return {"ticket": self.ticket, "options": json.loads(self.options)}


def registration(session: Session, keys: SystemKeys, issuer: str, account: Account, now: datetime) -> Challenge:
    """What to ask to make a passkey. The user handle is the account's id, which says nothing of the person."""
    challenge = generate_challenge()
    options = webauthn.generate_registration_options(
        rp_id=_host(issuer),
        rp_name="Carnet",
        user_id=account.id.bytes,
        user_name=account.login,
        user_display_name=account.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=_VERIFIED
        ),
        exclude_credentials=_descriptors(session, keys, account.id),
    )
    kept = {"challenge": bytes_to_base64url(challenge), "account": str(account.id)}
    ticket = tickets.issue(session, keys, _REGISTER, kept, LIFETIME, now)
    return Challenge(ticket, webauthn.options_to_json(options))


def register(
    session: Session, keys: SystemKeys, issuer: str, account: UUID, answer: str, label: str, now: datetime
) -> UUID | PasskeyRefusal:
    """Keep the passkey that `answer` ({"ticket", "credential"} as JSON) shows; its factor's id."""
    asked = _asked(session, keys, _REGISTER, answer, now)
    if asked is None or asked[0]["account"] != str(account):
        return PasskeyRefusal.EXPIRED
    kept, credential = asked
    try:
        shown = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(kept["challenge"]),
            expected_rp_id=_host(issuer),
            expected_origin=issuer,
            require_user_verification=True,
        )
    except Exception:  # whatever a stranger's bytes raise in the parsers: no passkey
        return PasskeyRefusal.REFUSED
    id = _id(keys, shown.credential_id)  # noqa: A001
    values = {
        "label": factors.named(label),
        "credential": bytes_to_base64url(shown.credential_id),
        "public_key": bytes_to_base64url(shown.credential_public_key),
    }
    try:
        with session.begin_nested():
            factors.add(session, keys, account, id, Kind.PASSKEY, values, shown.sign_count, now)
    except IntegrityError:
        return PasskeyRefusal.KNOWN
    return id


def authentication(session: Session, keys: SystemKeys, issuer: str, account: UUID | None, now: datetime) -> Challenge:
    """What to ask to see a passkey: of this account, or any the authenticator offers when nobody is known yet."""
    challenge = generate_challenge()
    options = webauthn.generate_authentication_options(
        rp_id=_host(issuer),
        challenge=challenge,
        allow_credentials=[] if account is None else _descriptors(session, keys, account),
        user_verification=_VERIFIED,
    )
    kept = {"challenge": bytes_to_base64url(challenge), "account": None if account is None else str(account)}
    ticket = tickets.issue(session, keys, _AUTHENTICATE, kept, LIFETIME, now)
    return Challenge(ticket, webauthn.options_to_json(options))


def authenticate(
    session: Session, keys: SystemKeys, issuer: str, account: UUID | None, answer: str, now: datetime
) -> UUID | PasskeyRefusal:
    """The account whose passkey `answer` ({"ticket", "credential"} as JSON) shows; `account` must be it, when given."""
    asked = _asked(session, keys, _AUTHENTICATE, answer, now)
    if asked is None or asked[0]["account"] != (None if account is None else str(account)):
        return PasskeyRefusal.EXPIRED
    kept, credential = asked
    try:
        parsed = webauthn.helpers.parse_authentication_credential_json(credential)
        handle = parsed.response.user_handle
        # §7.2 step 6: without a known account the user handle names it; with one, a handle must agree.
        owner = account if handle is None else UUID(bytes=handle)
        if owner is None or account not in (None, owner):
            return PasskeyRefusal.REFUSED
        found = factors.find(session, keys, owner, _id(keys, parsed.raw_id))
        if found is None or found.kind is not Kind.PASSKEY:
            return PasskeyRefusal.REFUSED
        shown = webauthn.verify_authentication_response(
            credential=parsed,
            expected_challenge=base64url_to_bytes(kept["challenge"]),
            expected_rp_id=_host(issuer),
            expected_origin=issuer,
            credential_public_key=base64url_to_bytes(found.values["public_key"]),
            credential_current_sign_count=found.counter,
            require_user_verification=True,
        )
    except Exception:  # whatever a stranger's bytes raise in the parsers: no passkey
        return PasskeyRefusal.REFUSED
    count = shown.new_sign_count
    if count:
        moved = factors.advance(session, owner, found.id, count, now)
    else:
        moved = factors.touch(session, owner, found.id, now)
    return owner if moved else PasskeyRefusal.REFUSED


def _asked(
    session: Session, keys: SystemKeys, purpose: str, answer: str, now: datetime
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What was asked, taken, and the credential that answers."""
    try:
        given = json.loads(answer)
        ticket, credential = given["ticket"], given["credential"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(ticket, str) or not isinstance(credential, dict):
        return None
    kept = tickets.take(session, keys, purpose, ticket.encode(errors="replace").decode(), now)
    return None if kept is None else (kept, credential)


def _descriptors(session: Session, keys: SystemKeys, account: UUID) -> list[PublicKeyCredentialDescriptor]:
    mine = (one for one in factors.of_account(session, keys, account) if one.kind is Kind.PASSKEY)
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.values["credential"])) for one in mine]


def _host(issuer: str) -> str:
    return urlsplit(issuer).hostname or ""


def _id(keys: SystemKeys, credential: bytes) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "passkey"), credential.hex())
