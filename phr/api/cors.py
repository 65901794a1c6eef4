"""Web apps of other origins may call the API: it looks at no cookie, so there is nothing a page could do in secret.

The rule: the FHIR API and the CDS services only, any origin, never credentials (Fetch standard, CORS protocol). The
authorization server's machine endpoints say the same of themselves (`auth.routes`); its pages are for no other scripts.
"""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

SENT = (
    *("Accept", "Authorization", "Content-Type", "DPoP", "If-Match", "If-Modified-Since", "If-None-Exist"),
    *("If-None-Match", "Prefer", "Range"),
)
SHOWN = (
    *("Content-Disposition", "Content-Location", "Content-Range", "DPoP-Nonce", "ETag", "Last-Modified", "Location"),
    *("WWW-Authenticate", "Retry-After"),
)


class Shared:
    """ASGI, around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=list(SENT),
            expose_headers=list(SHOWN),
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope.get("path", "")
        shared = scope["type"] == "http" and f"{path}/".startswith(("/fhir/", "/cds-services/"))
        await (self._shared if shared else self.app)(scope, receive, send)
