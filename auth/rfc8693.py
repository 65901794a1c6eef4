"""RFC 8693, token exchange: a professional's token from their provider becomes one of ours, for one hour.

The rule: the provider is asked whether the token holds and who it is, at each exchange; it was given to software that
this client registered; the identity and the activity are frozen in our token, which is bound to a key.
Source: the French specification of "API Pro Santé Connectées" (IG-securisation-transport-api-rest).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants.base import BaseGrant, TokenEndpointMixin

from auth import assistants, codes, exchanged_tokens, grants, provider_sessions, psc, rfc8705, rfc9068, scopes
from auth.assistants import Offer
from auth.claims import Claims
from auth.professionals import Professional
from auth.provider_sessions import Bound
from auth.providers import SKEW, Failure, Provider, ProviderError
from auth.rfc7519 import instant

if TYPE_CHECKING:
    from auth.clients import Client
    from auth.exchange import Confirmation, Exchange

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
JWT = "urn:ietf:params:oauth:token-type:jwt"
_AUTH_METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
_AT_ONCE = 6
"""Exchanges waiting for the provider: each holds a database connection, and others need some too."""


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]
    """§2.2.2: the resource or audience is not ours."""

    error = "invalid_target"


class TemporarilyUnavailableError(OAuth2Error):  # type: ignore[misc]
    """RFC 6749 §4.1.2.1's word for it: the provider does not answer, so nothing is known, so nothing is given."""

    error = "temporarily_unavailable"
    status_code = 503


@dataclass(frozen=True, slots=True)
class Federation:
    """Whose tokens are exchanged here."""

    provider: Provider
    sandbox: bool
    _room: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_AT_ONCE), repr=False, compare=False)

    @contextmanager
    def room(self) -> Iterator[None]:
        """Wait for a place among those who ask the provider. Raises TemporarilyUnavailableError after five seconds."""
        if not self._room.acquire(timeout=5):
            raise TemporarilyUnavailableError("The identity provider is slow to answer.")
        try:
            yield
        finally:
            self._room.release()


@dataclass(frozen=True, slots=True)
class Presented:
    """A provider's token that holds, what its introspection says, and everyone its owner can be."""

    token: str
    said: Mapping[str, Any]
    activities: tuple[Professional, ...]


class TokenExchange(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """§2: the grant. Extension parameter `activity`: which of the person's activities, by structure id or position."""

    GRANT_TYPE = GRANT_TYPE
    TOKEN_ENDPOINT_AUTH_METHODS = _AUTH_METHODS

    def validate_token_request(self) -> None:
        """§2.1, from what costs least to what asks the provider. Raises OAuth2Error."""
        exchange: Exchange = self.server
        asked = self.request.payload.data
        client: Client = self.authenticate_token_endpoint_client()
        self.request.client = client
        if exchange.federation is None or not client.check_grant_type(GRANT_TYPE):
            raise UnauthorizedClientError("This client does not exchange tokens here.")
        _check_types(asked)
        for name in ("resource", "audience"):
            if asked.get(name, rfc9068.audience(exchange.issuer)) != rfc9068.audience(exchange.issuer):
                raise InvalidTargetError(f"{name} must be the FHIR base of this server.")
        self.granted = client.get_allowed_scope(asked.get("scope"))
        if self.granted is None:
            raise InvalidScopeError("scope is mandatory, and within this client's bounds.")
        exchange.validate_requested_scope(self.granted)
        self.confirmation = _confirmed(exchange, client, asked.get("cnf"))
        with exchange.federation.room():
            self.subject = _presented(exchange, client, asked["subject_token"])
            actor = asked.get("actor_token")
            self.actor = None if actor is None else _presented(exchange, client, actor)
        self.offer = _offer(exchange, self.subject, self.actor, asked.get("activity"))

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """§2.2.1: our token, and what will end it: the provider's word, or the end of an assistant's naming."""
        exchange: Exchange = self.server
        client: Client = self.request.client
        expires = (exchange.now + grants.EXCHANGED_TOKEN_LIFETIME).replace(microsecond=0)
        holder = self.offer.professional or self.offer.person
        helper = None if self.offer.professional is None else self.offer.person
        said = self.subject.said
        claims = Claims(
            client=client.id,
            kind=client.kind.value,
            subject=holder.id,
            record=None,
            scopes=scopes.split(self.granted),
            jti=codes.new_jti(),
            grant=None,
            expires=expires,
            actor=None if helper is None else helper.id,
            jkt=self.confirmation.jkt,
            x5t=self.confirmation.x5t,
            acr=said["acr"] if isinstance(said.get("acr"), str) else None,
            auth_time=said["auth_time"] if type(said.get("auth_time")) is int else None,
            professional=holder,
            assistant=helper,
        )
        jti, session, keys = UUID(claims.jti), exchange.session, exchange.keys
        issuer = exchange.federation.provider.issuer if exchange.federation is not None else ""
        shown = [self.subject] if self.actor is None else [self.subject, self.actor]
        exchanged_tokens.keep(session, keys, jti, [one.token for one in shown], expires, exchange.now)
        for one in shown:
            provider_sessions.bind(
                session, provider_sessions.marks(keys, issuer, _of_session(one.said)), Bound.TOKEN, jti, expires
            )
        if helper is not None:
            mark = provider_sessions.assistance(keys, holder.id, helper.id)
            provider_sessions.bind(session, [mark], Bound.TOKEN, jti, expires)
        response = exchange.token_response(claims, client.sector)
        return 200, {**response, "issued_token_type": ACCESS_TOKEN}, self.TOKEN_RESPONSE_HEADER


def _check_types(asked: Mapping[str, str]) -> None:
    """§2.1: subject_token and its type are required; the actor's come together or not at all."""
    if "subject_token" not in asked or asked.get("subject_token_type") not in (ACCESS_TOKEN, JWT):
        raise InvalidRequestError("subject_token must be the provider's access token, typed access_token or jwt.")
    if ("actor_token" in asked) != ("actor_token_type" in asked):
        raise InvalidRequestError("actor_token and actor_token_type go together.")
    if asked.get("actor_token_type", JWT) not in (ACCESS_TOKEN, JWT):
        raise InvalidRequestError("actor_token must be the provider's access token, typed access_token or jwt.")
    if asked.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise InvalidRequestError("Only an access token is issued.")


def _confirmed(exchange: "Exchange", client: "Client", cnf: str | None) -> "Confirmation":
    """What our token is bound to: a certificate, or a DPoP key, never nothing. `cnf`, if sent, is the certificate's."""
    confirmation = exchange.confirm(client)
    if not confirmation:
        raise InvalidRequestError("The exchanged token is bound to a key: show a TLS certificate or a DPoP proof.")
    if cnf is not None:
        try:
            named = json.loads(cnf)[rfc8705.CONFIRMATION]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidRequestError("cnf must be a JSON object with x5t#S256.") from error
        der = exchange.certificate
        if not isinstance(named, str) or der is None or not rfc8705.same(named, der):
            raise InvalidRequestError("cnf is not the thumbprint of the certificate presented.")
    return confirmation


def _presented(exchange: "Exchange", client: "Client", token: str) -> Presented:
    """Ask the provider about a token, and whose it is. Raises invalid_request: it is not active, not theirs, not ours.

    §2.2.2: "If either the subject_token or actor_token are invalid … the error … MUST be … invalid_request".
    """
    federation = exchange.federation
    if federation is None:
        raise UnauthorizedClientError()
    try:
        said = federation.provider.introspect(token)
        if not said["active"] or not _acceptable(said, federation.provider.issuer, client, exchange.now):
            raise InvalidRequestError("The provider's token is not active, or was not given to this software.")
        userinfo = federation.provider.userinfo(token, said["sub"])
    except ProviderError as error:
        if error.failure is Failure.UNAVAILABLE:
            raise TemporarilyUnavailableError("The identity provider does not answer.") from error
        raise InvalidRequestError("The provider does not say whose token this is.") from error
    try:
        activities = psc.professionals(userinfo, sandbox=federation.sandbox)
    except ValueError as error:
        raise InvalidRequestError("The provider's identity cannot be read.") from error
    if said.get("SubjectNameID", activities[0].id) != activities[0].id:
        raise InvalidRequestError("The provider names two people.")
    return Presented(token, said, activities)


def _acceptable(said: Mapping[str, Any], issuer: str, client: "Client", now: datetime) -> bool:
    """RFC 7662 §2.2 and §4: the issuer, the software it was given to (`azp`, else `client_id`), and its end."""
    expires = instant(said.get("exp"))
    ends = expires is not None and expires + timedelta(seconds=SKEW) > now
    given_to = said.get("azp") or said.get("client_id")
    known = isinstance(given_to, str) and given_to in client.subject_token_clients
    return ends and known and said.get("iss") == issuer and isinstance(said.get("sub"), str) and bool(said["sub"])


def _offer(exchange: "Exchange", subject: Presented, actor: Presented | None, activity: str | None) -> Offer:
    """Who acts, for whom, in which structure. Raises invalid_request, naming structures and nobody."""
    professional = _chosen(subject.activities, activity)
    if actor is None:
        return Offer(professional)
    person = next((one for one in actor.activities if one.structure == professional.structure), None)
    if person is not None:
        offer = Offer(person, professional)
        if person.id != professional.id and assistants.holds(exchange.session, exchange.keys, offer):
            return offer
    raise InvalidRequestError("The actor is not an assistant of this professional in this structure.")


def _chosen(activities: tuple[Professional, ...], activity: str | None) -> Professional:
    """The only activity, or the one asked for: never the first of several."""
    if activity is None and len(activities) == 1:
        return activities[0]
    if activity is not None:
        found = [one for one in activities if one.structure and one.structure == activity]
        if not found and activity in map(str, range(len(activities))):
            found = [activities[int(activity)]]
        if len(found) == 1:
            return found[0]
    choices = ", ".join(f"{n}: {_spoken(one.structure) or 'none'}" for n, one in enumerate(activities))
    raise InvalidRequestError(f"activity must say which structure, by its position or its id ({choices}).")


def _spoken(structure: str) -> str:
    """RFC 6749 §5.2: the few characters that an error_description can hold."""
    return "".join(one for one in structure if one.isascii() and (one.isalnum() or one in "/_.-"))


def _of_session(said: Mapping[str, Any]) -> dict[str, Any]:
    """`sub` and `sid` of an introspection. Keycloak names the session `sid`, earlier `session_state`."""
    return {"sub": said["sub"], "sid": said.get("sid") or said.get("session_state")}
