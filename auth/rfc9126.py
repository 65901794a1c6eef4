"""RFC 9126, pushed authorization requests: the request goes from server to server, the browser carries a reference."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error, TokenEndpoint
from authlib.oidc.core.errors import InvalidRequestURIError

from auth import clients, rfc6749, tickets
from auth.message import AuthlibRequest, Message, Pairs

if TYPE_CHECKING:
    from auth.exchange import Exchange

PATH = "/oauth/par"
LIFETIME = timedelta(minutes=10)
"""§2.2: the person signs in, with a second factor, while it lasts."""

_PREFIX = "urn:ietf:params:oauth:request_uri:"
_PURPOSE = "pushed request"
_OF_CLIENT_AUTHENTICATION = ("client_assertion", "client_assertion_type", "client_secret")


class PushedRequest(TokenEndpoint):  # type: ignore[misc]
    """The pushed authorization request endpoint."""

    ENDPOINT_NAME = "pushed"
    CLIENT_AUTH_METHODS = rfc6749.AUTH_METHODS

    def create_endpoint_response(self, request: AuthlibRequest) -> tuple[int, Any, list[tuple[str, str]]]:
        """§2.1, §2.2: judged as an authorization request would be, then kept."""
        exchange: Exchange = self.server
        client: clients.Client = self.authenticate_endpoint_client(request)
        if "request_uri" in request.args:
            # §2.1: "The request_uri parameter … MUST NOT be provided in this case".
            raise InvalidRequestError("request_uri cannot be pushed.")
        asked = {name: value for name, value in request.args.items() if name not in _OF_CLIENT_AUTHENTICATION}
        asked["client_id"] = client.id
        # RFC 9449 §10.1: a proof sent here binds the code as dpop_jkt does, and must agree with it.
        if exchange.jkt is not None and asked.setdefault("dpop_jkt", exchange.jkt) != exchange.jkt:
            raise InvalidRequestError("dpop_jkt is not the key of the proof.")
        exchange.pushed = "being pushed"
        try:
            exchange.get_consent_grant(AuthlibRequest(Message("GET"), list(asked.items())), None)
        except OAuth2Error as error:
            error.redirect_uri = None  # §2.3: told to the client itself, as the token endpoint would
            raise
        values = {"client": client.id, "asked": asked, "at": exchange.now.timestamp()}
        secret = tickets.issue(exchange.session, exchange.keys, _PURPOSE, values, LIFETIME, exchange.now)
        body = {"request_uri": _PREFIX + secret, "expires_in": int(LIFETIME.total_seconds())}
        return 201, body, [("Content-Type", "application/json"), ("Cache-Control", "no-store")]


def is_pushed(request_uri: str) -> bool:
    """Whether a `request_uri` has the form of ours."""
    return request_uri.startswith(_PREFIX)


def pulled(exchange: "Exchange", request: AuthlibRequest) -> tuple[str, Pairs]:
    """§4: the reference's secret and the parameters pushed under it. Raises InvalidRequestURIError.

    Left in place, since the person reloads pages; `spend` is called when the answer is made.
    """
    secret = request.args["request_uri"].removeprefix(_PREFIX)
    values = tickets.read(exchange.session, exchange.keys, _PURPOSE, secret, exchange.now)
    # §2.2, §4: bound to the client that posted it.
    if values is None or values["client"] != request.args.get("client_id"):
        raise InvalidRequestURIError("The pushed request is unknown, used or expired.")
    return secret, list(values["asked"].items())


def spend(exchange: "Exchange", secret: str) -> None:
    """§4: "Authorization servers SHOULD treat the request_uri value as one-time use". Raises as `pulled`."""
    if tickets.take(exchange.session, exchange.keys, _PURPOSE, secret, exchange.now) is None:
        raise InvalidRequestURIError("The pushed request is unknown, used or expired.")
