"""RFC 9207, the issuer in authorization responses: a client of two servers sees which of them answered."""

from authlib.common.urls import add_params_to_uri


def with_issuer(location: str, issuer: str) -> str:
    """§2: "an authorization server … MUST indicate its identity by including the iss parameter", errors included."""
    identified: str = add_params_to_uri(location, [("iss", issuer)])
    return identified
