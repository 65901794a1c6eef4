"""The pages a citizen meets on the way to an application: sign-in, consent, error. They work without JavaScript.

The rule: every form carries a token bound to the browser, and nobody is sent anywhere but to a registered URI.
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

from auth.message import Answer, Message
from auth.routes import UnreadableForm, read_form
from auth.server import Asked, AuthServer, SignInRefusal
from auth.sessions import LIFETIME
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
_STATIC = {
    "carnet.css": ("text/css; charset=utf-8", (_HERE / "static/carnet.css").read_bytes()),
    "carnet.svg": ("image/svg+xml", (_HERE / "static/carnet.svg").read_bytes()),
}
_CSRF_LIFETIME = timedelta(hours=1)

Pairs = list[tuple[str, str]]


class Pages:
    """Renders pages and reads cookies for one installation."""

    def __init__(self, server: AuthServer) -> None:
        self.server = server
        self.secure = urlsplit(server.issuer).scheme == "https"
        prefix = "__Host-" if self.secure else ""
        self.session_cookie = f"{prefix}carnet_session"
        self.csrf_cookie = f"{prefix}carnet_browser"
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
    ) -> HTMLResponse:
        """A page in the reader's language, under a policy that allows our style, our images and our forms only."""
        pairs = list(request.query_params.multi_items()) if query is None else query
        locales = next((value for name, value in pairs if name == "ui_locales"), None)
        language = preferred(locales, request.headers.get("accept-language"))
        other = "en" if language == "fr" else "fr"
        kept = [(name, value) for name, value in pairs if name != "ui_locales"]
        body = _PAGES.get_template(template).render(
            **values,
            language=language,
            other_language=other,
            text=TEXTS[language],
            switch="?" + urlencode([*kept, ("ui_locales", other)]),
            words=partial(scope_words, language=language),
        )
        return HTMLResponse(body, status, _headers(form_action))

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

    def keep(self, response: Response, name: str, value: str, lifetime: timedelta) -> None:
        """Set a cookie that no script reads and no other site sends in a form."""
        age = int(lifetime.total_seconds())
        response.set_cookie(name, value, max_age=age, path="/", secure=self.secure, httponly=True, samesite="lax")


def router(server: AuthServer) -> APIRouter:
    """/oauth/authorize, /oauth/consent, /signin, /signout and /static."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)

    async def visitor(request: Request) -> Any:
        return await run_in_threadpool(server.visitor, request.cookies.get(pages.session_cookie))

    def answered(request: Request, answer: Answer) -> Response:
        """RFC 9700 §4.12: 303, so that a posted password or consent is not posted again to the client."""
        if answer.location is not None:
            return RedirectResponse(answer.location, 303, {"Cache-Control": "no-store", **_PRIVATE})
        values = {
            "message": "error_text",
            "code": answer.body.get("error", ""),
            "description": answer.body.get("error_description", ""),
        }
        return pages.page(request, "error.html", values, status=400)

    def signin_page(request: Request, query: Pairs, app: str | None, problem: str | None, name: str) -> Response:
        browser = pages.browser(request)
        values = {
            "app": app,
            "problem": problem,
            "name": name,
            "action": _to("/signin", query),
            "csrf": pages.csrf(browser),
        }
        status = {None: 200, "throttled": 429}.get(problem, 401 if problem == "wrong" else 400)
        page = pages.page(request, "signin.html", values, status=status, query=query)
        pages.keep(page, pages.csrf_cookie, browser, _CSRF_LIFETIME)
        return page

    @routes.get("/oauth/authorize")
    async def authorize(request: Request) -> Response:
        query = list(request.query_params.multi_items())
        citizen = await visitor(request)
        asked = await run_in_threadpool(server.consider, Message("GET", query), citizen)
        if isinstance(asked, Answer):
            return answered(request, asked)
        if asked.sign_in or citizen is None:
            return RedirectResponse(_to("/signin", query), 303, {"Cache-Control": "no-store", **_PRIVATE})
        browser = pages.browser(request)
        values = {
            "app": asked.client.name,
            "person": citizen.account.name,
            "asked": asked.scopes,
            "destination": _destination(asked.redirect_uri),
            "action": _to("/oauth/consent", query),
            "leave": _to("/signout", query),
            "csrf": pages.csrf(browser),
        }
        # Chromium applies form-action to the redirects that follow a post: the client's origin must be in it.
        page = pages.page(request, "consent.html", values, form_action=_origin(asked.redirect_uri))
        pages.keep(page, pages.csrf_cookie, browser, _CSRF_LIFETIME)
        return page

    @routes.post("/oauth/authorize")
    async def authorize_by_post(request: Request) -> Response:
        """OpenID Connect Core §3.1.2.1: POST must be supported. Seen again as a GET, which brings our cookies."""
        form = await _form(request)
        return RedirectResponse(_to("/oauth/authorize", form), 303, {"Cache-Control": "no-store", **_PRIVATE})

    @routes.post("/oauth/consent")
    async def consent(request: Request) -> Response:
        form = await _form(request)
        citizen = await visitor(request)
        if citizen is None or not pages.honest(request, form):
            return pages.page(request, "error.html", {"message": "expired", "code": ""}, status=403)
        allowed = dict(form).get("decision") == "allow"
        ticked = frozenset(value for name, value in form if name == "scope" and allowed)
        query = list(request.query_params.multi_items())
        return answered(request, await run_in_threadpool(server.decide, Message("GET", query), citizen, ticked))

    @routes.get("/signin")
    async def signin(request: Request) -> Response:
        query = list(request.query_params.multi_items())
        app, refusal = await application(query)
        return signin_page(request, query, app, None, "") if refusal is None else answered(request, refusal)

    @routes.post("/signin")
    async def sign_in(request: Request) -> Response:
        query = list(request.query_params.multi_items())
        form = await _form(request)
        given = dict(form)
        name = given.get("name", "")
        app, refusal = await application(query)
        if refusal is not None:
            return answered(request, refusal)
        if not pages.honest(request, form):
            return signin_page(request, query, app, "expired", name)
        address = request.client.host if request.client else "unknown"
        result = await run_in_threadpool(server.sign_in, name, given.get("password", ""), address)
        if isinstance(result, SignInRefusal):
            return signin_page(request, query, app, result.value, name)
        onward = _to("/oauth/authorize", _without_login(query))
        response = RedirectResponse(onward, 303, {"Cache-Control": "no-store", **_PRIVATE})
        pages.keep(response, pages.session_cookie, result, LIFETIME)
        pages.keep(response, pages.csrf_cookie, secrets.token_urlsafe(32), _CSRF_LIFETIME)
        return response

    @routes.post("/signout")
    async def sign_out(request: Request) -> Response:
        form = await _form(request)
        secret = request.cookies.get(pages.session_cookie)
        query = list(request.query_params.multi_items())
        response = RedirectResponse(_to("/oauth/authorize", query), 303, {"Cache-Control": "no-store", **_PRIVATE})
        if secret and pages.honest(request, form):
            await run_in_threadpool(server.sign_out, secret)
            response.delete_cookie(pages.session_cookie, "/", secure=pages.secure, httponly=True, samesite="lax")
        return response

    @routes.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in _STATIC:
            return Response(status_code=404)
        kind, body = _STATIC[name]
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(body, media_type=kind, headers=headers)

    async def application(query: Pairs) -> tuple[str | None, Answer | None]:
        """The name of the app behind a sign-in, or the answer to a request that cannot succeed anyway."""
        kept = [(name, value) for name, value in query if name != "prompt"]
        asked = await run_in_threadpool(server.consider, Message("GET", kept), None)
        return (asked.client.name, None) if isinstance(asked, Asked) else (None, asked)

    return routes


_PRIVATE = {"Referrer-Policy": "no-referrer"}


def _headers(form_action: str) -> dict[str, str]:
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {form_action}".strip()
    )
    return {
        **_PRIVATE,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }


async def _form(request: Request) -> Pairs:
    try:
        return await read_form(request)
    except UnreadableForm:
        return []


def _to(path: str, query: Pairs) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _without_login(query: Pairs) -> Pairs:
    """The citizen just signed in: prompt=login is done, the rest of the request stands."""
    kept = []
    for name, value in query:
        left = " ".join(word for word in value.split() if word != "login") if name == "prompt" else value
        if name != "prompt" or left:
            kept.append((name, left))
    return kept


def _origin(uri: str) -> str:
    """A CSP source: scheme, host and port, or a private-use scheme alone."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def _destination(uri: str) -> str:
    """Where the citizen goes next, as they can recognise it."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in ("http", "https") else parts.scheme
