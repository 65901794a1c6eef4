"""The sandbox providers over HTTP: each under /sandbox, with a page on which one signs in by picking a person.

What a browser may be sent back to is what the provider's clients registered; nothing here protects anybody.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oidc.rpinitiated import EndSessionEndpoint
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from auth.message import Answer, Message
from auth.routes import UnreadableForm, read_form
from auth.sandbox.provider import ALGORITHM, SandboxProvider

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEXTS = {
    "fr": {
        "warning": "Un faux fournisseur d’identité, pour essayer. Ces personnes sont inventées.",
        "sign_in": "Se connecter",
        "who": "Qui êtes-vous aujourd’hui ?",
        "sign_out": "Fermer les sessions",
        "ended": "Sessions fermées, et les logiciels prévenus : ",
        "refused": "Cette demande ne peut pas aboutir : ",
    },
    "en": {
        "warning": "A make-believe identity provider, to try things out. These people are invented.",
        "sign_in": "Sign in",
        "who": "Who are you today?",
        "sign_out": "End the sessions",
        "ended": "Sessions ended, and software told: ",
        "refused": "This request cannot succeed: ",
    },
}
_OTHER_HOST = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}


class _EndSession(EndSessionEndpoint):  # type: ignore[misc]
    def get_server_jwks(self) -> dict[str, Any]:
        home: SandboxProvider = self.server
        return jwks(home)

    def get_algorithms(self) -> list[str]:
        return [ALGORITHM]


def jwks(home: SandboxProvider) -> dict[str, Any]:
    """The provider's public key, as a set."""
    key = {**home.key.as_dict(private=False), "kid": home.kid, "use": "sig", "alg": ALGORITHM}
    return {"keys": [key]}


def configuration(home: SandboxProvider) -> dict[str, Any]:
    """The discovery document, at an address that is not always the standard one."""
    door = home.base
    if home.shape.other_host:
        parts = urlsplit(door)
        other = _OTHER_HOST.get(parts.hostname or "", parts.hostname or "")
        door = urlunsplit(parts._replace(netloc=other + (f":{parts.port}" if parts.port else "")))
    return {
        "issuer": home.issuer,
        "authorization_endpoint": f"{door}/auth",
        "token_endpoint": f"{home.base}/token",
        "userinfo_endpoint": f"{home.base}/userinfo",
        "introspection_endpoint": f"{home.base}/introspect",
        "end_session_endpoint": f"{home.base}/logout",
        "jwks_uri": f"{home.base}/certs",
        "scopes_supported": list(home.shape.scopes),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": ["0", "0"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def router(home: SandboxProvider) -> APIRouter:
    """All that a provider serves, under /sandbox and its slug."""
    routes = APIRouter(prefix=f"/sandbox/{home.shape.slug}", include_in_schema=False)
    home.register_endpoint(_EndSession)

    def page(request: Request, heading: str, action: str = "", back: str = "", **more: str) -> HTMLResponse:
        language = "en" if request.headers.get("accept-language", "").lower().startswith("en") else "fr"
        text = _TEXTS[language]
        problem = text["refused"] + more["refused"] if "refused" in more else ""
        body = _PAGES.get_template("pick.html").render(
            done=text["ended"] + more["ended"] if "ended" in more else "",
            problem=problem,
            language=language,
            text=text,
            title=home.shape.title,
            heading=text[heading],
            button=text[heading],
            action=action,
            people=list(home.people.values()) if action else [],
        )
        policy = f"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self' {back}".strip()
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        return HTMLResponse(body, 400 if problem else 200, headers)

    @routes.get(f"/.well-known/{home.shape.discovery}")
    def discovery() -> dict[str, Any]:
        return configuration(home)

    @routes.get("/certs")
    def certs() -> dict[str, Any]:
        return jwks(home)

    @routes.get("/auth")
    def ask(request: Request) -> Response:
        query = list(request.query_params.multi_items())
        try:
            grant = home.asked(query, None)
        except OAuth2Error as error:
            return _refused(home, error) or page(request, "sign_in", refused=str(error.error))
        # Chromium applies form-action to the redirects that follow a post.
        parts = urlsplit(grant.redirect_uri)
        return page(request, "sign_in", f"?{urlencode(query)}", f"{parts.scheme}://{parts.netloc}")

    @routes.post("/auth")
    async def pick(request: Request) -> Response:
        query = list(request.query_params.multi_items())
        try:
            return _answered(home.pick(query, dict(await _form(request)).get("person", "")))
        except OAuth2Error as error:
            return _refused(home, error) or page(request, "sign_in", refused=str(error.error))
        except KeyError:
            return page(request, "sign_in", refused="person")

    @routes.post("/token")
    async def token(request: Request) -> Response:
        return _answered(home.create_token_response(await _message(request)))

    @routes.post("/introspect")
    async def introspect(request: Request) -> Response:
        return _answered(home.create_endpoint_response("introspection", await _message(request)))

    @routes.api_route("/userinfo", methods=["GET", "POST"])
    def userinfo(request: Request) -> Response:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        found = home.userinfo(bearer) if scheme.lower() == "bearer" else None
        if found is None:
            return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        headers = {"Cache-Control": "no-store"}
        if isinstance(found, str):
            return Response(found, media_type="application/jwt", headers=headers)
        return JSONResponse(dict(found), headers=headers)

    @routes.get("/logout")
    async def leave(request: Request) -> Response:
        query = list(request.query_params.multi_items())
        try:
            asked = home.validate_endpoint_request("end_session", Message("GET", query))
        except OAuth2Error as error:
            return page(request, "sign_out", refused=str(error.error))
        if asked.id_token_claims is None:
            return page(request, "sign_out", f"{home.base}/logout")
        told = await run_in_threadpool(_end, home, [str(asked.id_token_claims.get("sid"))])
        return page(request, "sign_out", ended=str(told))

    @routes.post("/logout")
    async def leave_all(request: Request) -> Response:
        person = dict(await _form(request)).get("person", "")
        told = await run_in_threadpool(_end, home, home.sessions_of(person))
        return page(request, "sign_out", ended=str(told))

    return routes


def _end(home: SandboxProvider, sids: list[str]) -> int:
    """End sessions and tell the software of each: how many were told and said they did it."""
    notices = [notice for notice in map(home.end, sids) if notice is not None]
    told = 0
    with httpx.Client(timeout=5) as http:
        for address, token in notices:
            try:
                told += http.post(address, data={"logout_token": token}).status_code == 200
            except httpx.HTTPError:
                continue
    return told


async def _form(request: Request) -> list[tuple[str, str]]:
    try:
        return await read_form(request)
    except UnreadableForm:
        return []


async def _message(request: Request) -> Message:
    return Message("POST", form=await _form(request), authorization=request.headers.get("authorization"))


def _answered(answer: Answer) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    if answer.location is not None:
        return RedirectResponse(answer.location, 303, headers)
    return JSONResponse(dict(answer.body), answer.status, headers)


def _refused(home: SandboxProvider, error: OAuth2Error) -> Response | None:
    """The redirect that tells an application of its mistake, when there is somewhere to go."""
    answer: Answer = home.handle_error_response(None, error)
    return None if answer.location is None else _answered(answer)
