"""RFC 8414, server metadata, its OpenID Discovery twin and SMART's: exactly what is supported, from one place."""

from typing import Any

from auth import rfc7523, rfc7636, scopes
from auth.signing import ALGORITHM

AUTH_METHODS = ("none", rfc7523.METHOD)
SCOPES = (*scopes.PLAIN, "patient/*.cruds", "system/*.cruds")
LANGUAGES = ("fr", "en")
CAPABILITIES = (
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-standalone-patient",
    "permission-patient",
    "permission-v2",
)


def _endpoints(issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(rfc7523.ALGORITHMS),
        "code_challenge_methods_supported": list(rfc7636.METHODS),
    }


def server_metadata(issuer: str) -> dict[str, Any]:
    """RFC 8414 §2."""
    return {
        **_endpoints(issuer),
        "response_modes_supported": ["query"],
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(rfc7523.ALGORITHMS),
        "ui_locales_supported": list(LANGUAGES),
        "authorization_response_iss_parameter_supported": True,  # RFC 9207 §3
    }


def openid_configuration(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 §3."""
    return {
        **server_metadata(issuer),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "fhirUser"],
        "prompt_values_supported": ["none", "login", "consent"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,  # absent, it would mean true
    }


def smart_configuration(issuer: str) -> dict[str, Any]:
    """SMART App Launch 2.2 §2.0.10, for /fhir/.well-known/smart-configuration."""
    return {**_endpoints(issuer), "capabilities": list(CAPABILITIES)}
