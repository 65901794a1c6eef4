"""RFC 7636, PKCE: S256, always, for every client. Authlib's default is `plain`, for public clients only."""

import hmac
import re
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge

METHODS = ("S256",)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


class ProofKey(CodeChallenge):  # type: ignore[misc]
    """The extension of the authorization code grant."""

    DEFAULT_CODE_CHALLENGE_METHOD = None
    SUPPORTED_CODE_CHALLENGE_METHOD = METHODS

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """§4.4.1: "If the server requires PKCE … and the client does not send the code challenge … invalid_request"."""
        asked = grant.request.payload.data
        # §4.3: an absent method means `plain`, which is refused.
        if asked.get("code_challenge_method") not in METHODS:
            raise InvalidRequestError("code_challenge_method must be S256.")
        if _CHALLENGE.fullmatch(asked.get("code_challenge") or "") is None:
            raise InvalidRequestError("code_challenge must be the base64url SHA-256 of the code_verifier.")

    def validate_code_verifier(self, grant: Any, result: object) -> None:
        """§4.6: "If the values are not equal, an error response indicating invalid_grant … MUST be returned"."""
        verifier = grant.request.form.get("code_verifier") or ""
        if _VERIFIER.fullmatch(verifier) is None:
            raise InvalidGrantError("code_verifier is missing or malformed.")
        expected = grant.request.authorization_code.code_challenge
        if not hmac.compare_digest(create_s256_code_challenge(verifier), expected):
            raise InvalidGrantError("code_verifier does not match.")
