"""How every page a person sees is made: its language, its layout, the policy it runs under, cookies and form tokens.

The rule: every form carries a token bound to the browser, and a page loads nothing but our own style, images, scripts.
"""

import hmac
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from auth.message import Answer
from auth.routes import UnreadableForm, read_form
from auth.server import AuthServer
from auth.sessions import Visitor
from phr.core.vault import subkey
from phr.web.words import TEXTS, preferred, scope_words

_HERE = Path(__file__).parent
_PAGES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}
_STATIC = {path.name: (_TYPES[path.suffix], path.read_bytes()) for path in sorted((_HERE / "static").iterdir())}
CSRF_LIFETIME = timedelta(hours=1)
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

Pairs = list[tuple[str, str]]


class Pages:
    """Renders pages and reads cookies for one installation."""

    def __init__(self, server: AuthServer) -> None:
        self.server = server
        self.secure = urlsplit(server.issuer).scheme == "https"
        self._prefix = "__Host-" if self.secure else ""
        self.session_cookie = f"{self._prefix}carnet_session"
        self.csrf_cookie = f"{self._prefix}carnet_browser"
        self._csrf_key = subkey(server.keys.get("lookup"), "csrf")

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, object],
        *,
        status: int = 200,
        query: Pairs | None = None,
        form_action: str = "",
        script: bool = False,
    ) -> HTMLResponse:
        """A page in the reader's language, under a policy that allows our style, images and forms; `script`: ours too.

        `form_action` is another origin a form may end on.
        """
        pairs = query_of(request) if query is None else query
        language = self.language(request, pairs)
        other = "en" if language == "fr" else "fr"
        kept = [(name, value) for name, value in pairs if name != "ui_locales"]
        browser = self.browser(request)
        body = _PAGES.get_template(template).render(
            **values,
            csrf=self.csrf(browser),
            language=language,
            other_language=other,
            text=TEXTS[language],
            switch="?" + urlencode([*kept, ("ui_locales", other)]),
            words=partial(scope_words, language=language),
        )
        page = HTMLResponse(body, status, _headers(form_action, script=script))
        self.keep(page, self.csrf_cookie, browser, CSRF_LIFETIME)
        return page

    def refused(self, request: Request, answer: Answer) -> HTMLResponse:
        """The page of an OAuth error that has nowhere to go back to."""
        values = {
            "message": "error_text",
            "code": answer.body.get("error", ""),
            "description": answer.body.get("error_description", ""),
        }
        return self.page(request, "error.html", values, status=400)

    def expired(self, request: Request) -> HTMLResponse:
        """The page of a form that is not ours, or stayed open for too long."""
        return self.page(request, "error.html", {"message": "expired", "code": ""}, status=403)

    def language(self, request: Request, query: Pairs) -> str:
        """French or English, as the request or the browser prefers."""
        locales = next((value for name, value in query if name == "ui_locales"), None)
        return preferred(locales, request.headers.get("accept-language"))

    def csrf(self, secret: str) -> str:
        """The form token of a browser."""
        return hmac.new(self._csrf_key, secret.encode(), "sha256").hexdigest()

    def honest(self, request: Request, form: Pairs) -> bool:
        """Whether a form was made by us for this browser."""
        secret = request.cookies.get(self.csrf_cookie, "")
        given = dict(form).get("csrf", "")
        return bool(secret) and hmac.compare_digest(self.csrf(secret).encode(), given.encode(errors="replace"))

    def browser(self, request: Request) -> str:
        """The secret of this browser, from its cookie, or a new one."""
        return request.cookies.get(self.csrf_cookie) or secrets.token_urlsafe(32)

    def cookie(self, name: str) -> str:
        """The full name of one of our cookies."""
        return f"{self._prefix}{name}"

    def keep(self, response: Response, name: str, value: str, lifetime: timedelta) -> None:
        """Set a cookie that no script reads and no other site sends in a form."""
        age = int(lifetime.total_seconds())
        response.set_cookie(name, value, max_age=age, path="/", secure=self.secure, httponly=True, samesite="lax")

    def drop(self, response: Response, name: str) -> None:
        """Forget a cookie."""
        response.delete_cookie(name, "/", secure=self.secure, httponly=True, samesite="lax")

    def admit(self, response: Response, secret: str, lifetime: timedelta) -> None:
        """Begin a browser session: its cookie, and a new form token, so that none from before the sign-in is worth."""
        self.keep(response, self.session_cookie, secret, lifetime)
        self.keep(response, self.csrf_cookie, secrets.token_urlsafe(32), CSRF_LIFETIME)

    async def visitor(self, request: Request) -> Visitor | None:
        """Who is signed in with this browser."""
        return await run_in_threadpool(self.server.visitor, request.cookies.get(self.session_cookie))


def static_router() -> APIRouter:
    """/static: the style, the mark and the scripts."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in _STATIC:
            return Response(status_code=404)
        kind, body = _STATIC[name]
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(body, media_type=kind, headers=headers)

    return routes


def _headers(form_action: str, *, script: bool) -> dict[str, str]:
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        + ("script-src 'self'; connect-src 'self'; " if script else "")
        + f"form-action 'self' {form_action}".strip()
    )
    return {
        **PRIVATE,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


async def form_of(request: Request) -> Pairs:
    """The fields of a posted form; none when it cannot be read."""
    try:
        return await read_form(request)
    except UnreadableForm:
        return []


def query_of(request: Request) -> Pairs:
    """The parameters in the address, in their order."""
    return list(request.query_params.multi_items())


def go(path: str, query: Pairs | None = None) -> RedirectResponse:
    """RFC 9700 §4.12: 303, so that what was posted to us is not posted again where we send the browser."""
    return RedirectResponse(to(path, query or []), 303, dict(PRIVATE))


def to(path: str, query: Pairs) -> str:
    """An address with parameters."""
    return f"{path}?{urlencode(query)}" if query else path


def origin(uri: str) -> str:
    """A CSP source: scheme, host and port, or a private-use scheme alone."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def asks(query: Pairs) -> bool:
    """Whether an address carries an application's authorization request, rather than a language alone."""
    return any(name != "ui_locales" for name, _ in query)


def onward(query: Pairs) -> str:
    """Where a citizen goes once signed in: back to the authorization request that brought them, else their account."""
    if not asks(query):
        return to("/account", query)
    kept: list[tuple[str, Any]] = []
    for name, value in query:
        # They just signed in: prompt=login is done, the rest of the request stands.
        left = " ".join(word for word in value.split() if word != "login") if name == "prompt" else value
        if name != "prompt" or left:
            kept.append((name, left))
    return to("/oauth/authorize", kept)
