"""RFC 8414, server metadata, its OpenID Discovery twin and SMART's: exactly what is supported, from one place."""

from typing import Any

from auth import rfc7523, rfc7636, rfc8693, rfc8705, rfc9449, rfc9470, scopes
from auth.signing import ALGORITHM

AUTH_METHODS = ("none", rfc7523.METHOD, *rfc8705.METHODS)
SCOPES = (*scopes.PLAIN, "patient/*.cruds", "user/*.cruds", "system/*.cruds")
LANGUAGES = ("fr", "en")
CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


def _endpoints(issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            rfc8693.GRANT_TYPE,
        ],
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(rfc7523.ALGORITHMS),
        "code_challenge_methods_supported": list(rfc7636.METHODS),
    }


def server_metadata(issuer: str) -> dict[str, Any]:
    """RFC 8414 §2, with what its extensions add."""
    confidential = list(AUTH_METHODS[1:])
    return {
        **_endpoints(issuer),
        "response_modes_supported": ["query"],
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(rfc7523.ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": list(rfc7523.ALGORITHMS),
        "ui_locales_supported": list(LANGUAGES),
        "authorization_response_iss_parameter_supported": True,  # RFC 9207 §3
        "require_pushed_authorization_requests": False,  # RFC 9126 §5: of every client; some are registered with it
        "dpop_signing_alg_values_supported": list(rfc9449.ALGORITHMS),  # RFC 9449 §5.1
        "tls_client_certificate_bound_access_tokens": True,  # RFC 8705 §3.3
        "acr_values_supported": list(rfc9470.ACR_VALUES),  # RFC 9470 §7
        "protected_resources": [f"{issuer}/fhir"],  # RFC 9728 §4
    }


def openid_configuration(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 §3, RP-Initiated Logout 1.0 §2.1, Back-Channel Logout 1.0 §2.1."""
    return {
        **server_metadata(issuer),
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"),
            *("name", "preferred_username", "fhirUser"),
        ],
        "prompt_values_supported": ["none", "login", "consent"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,  # absent, it would mean true
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def smart_configuration(issuer: str) -> dict[str, Any]:
    """SMART App Launch 2.2 §2.0.10, for /fhir/.well-known/smart-configuration."""
    return {**_endpoints(issuer), "capabilities": list(CAPABILITIES)}
