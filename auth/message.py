"""An HTTP request and its answer as the authorization server sees them: no framework in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """One request to an OAuth endpoint.

    `authorization` is the header, if any; `proofs` the DPoP headers; `certificate` the client's, in DER, when a trusted
    proxy passed one; `path` the endpoint's.
    """

    method: str
    query: Pairs = ()
    form: Pairs = ()
    authorization: str | None = None
    proofs: tuple[str, ...] = ()
    certificate: bytes | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a JSON object, or a redirect to `location`."""

    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def location(self) -> str | None:
        """Where to redirect to."""
        return next((value for name, value in self.headers if name.lower() == "location"), None)


class Parameters(OAuth2Payload):  # type: ignore[misc]
    """The parameters of one request. RFC 6749 §3.1: "sent without a value MUST be treated as if … omitted"."""

    def __init__(self, pairs: Pairs) -> None:
        self._lists: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                self._lists.setdefault(name, []).append(value)

    @property
    def data(self) -> dict[str, str]:
        """The first value of each."""
        return {name: values[0] for name, values in self._lists.items()}

    @property
    def datalist(self) -> dict[str, list[str]]:
        """All values of each."""
        return self._lists

    @property
    def repeated(self) -> list[str]:
        """Names that came more than once."""
        return [name for name, values in self._lists.items() if len(values) > 1]


class AuthlibRequest(OAuth2Request):  # type: ignore[misc]
    """A Message in Authlib's shape: parameters in the query at the authorization endpoint, in the body elsewhere."""

    def __init__(self, message: Message, parameters: Pairs) -> None:
        # Authlib refuses an http URI: whether http is forgiven is PHR_ENV's business, and TLS may end at a proxy.
        headers = {} if message.authorization is None else {"Authorization": message.authorization}
        super().__init__(message.method, "https://self.invalid/", headers=headers)
        self.payload = Parameters(parameters)
        self.certificate = message.certificate

    @property
    def args(self) -> dict[str, str]:
        """What the endpoint reads."""
        data: dict[str, str] = self.payload.data
        return data

    @property
    def form(self) -> dict[str, str]:
        """What the endpoint reads."""
        return self.args
