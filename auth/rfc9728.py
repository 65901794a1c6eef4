"""RFC 9728, protected resource metadata: from a resource to the servers that give tokens for it."""

from typing import Any

from auth import rfc8414, rfc9449
from auth.rfc9068 import audience

PATH = "/.well-known/oauth-protected-resource"


def resource_metadata(issuer: str) -> dict[str, Any]:
    """§2, of the FHIR API."""
    return {
        "resource": audience(issuer),
        "authorization_servers": [issuer],
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": list(rfc8414.SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "Carnet, FHIR R4",
        "resource_documentation": f"{issuer}/fhir/metadata",
        "dpop_signing_alg_values_supported": list(rfc9449.ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": True,
    }


def location(issuer: str) -> str:
    """§3.1: where the metadata of the FHIR API is; what a 401 names (§5.1)."""
    return f"{issuer}{PATH}/fhir"
