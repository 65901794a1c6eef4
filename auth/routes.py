"""The machine side of the authorization server over HTTP: tokens, keys, metadata, user info, launch contexts."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from auth import launches, rfc9728
from auth.claims import Claims
from auth.message import Answer, Message
from auth.rfc6750 import ChallengeError, Gate, Presented
from auth.rfc8414 import openid_configuration, server_metadata
from auth.server import AuthServer
from phr.core.errors import DomainError

LARGEST_FORM = 65_536
MOST_FIELDS = 100
# A browser app of another origin may read these answers: no cookie is looked at here.
_SHARED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate",
}
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}

_UNAVAILABLE = Answer(503, {"error": "temporarily_unavailable"})
_UNTRUE = Answer(
    401, {"error": "invalid_token"}, (("WWW-Authenticate", 'Bearer realm="carnet", error="invalid_token"'),)
)


class UnreadableForm(Exception):  # noqa: N818
    """A body that is not a small urlencoded form."""


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The urlencoded form in a body. Raises UnreadableForm: another type, too large, too many fields."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise UnreadableForm
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise UnreadableForm
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise UnreadableForm from error


def router(server: AuthServer) -> APIRouter:
    """/oauth/token and its like, /oauth/jwks and the metadata documents."""
    routes = APIRouter(tags=["oauth"])
    gate = Gate(server)

    async def served(request: Request, endpoint: str) -> Response:
        try:
            form = await read_form(request)
        except UnreadableForm:
            return _json(_invalid("The body must be a urlencoded form."))
        message = Message(
            "POST",
            form=form,
            authorization=request.headers.get("authorization"),
            proofs=tuple(request.headers.getlist("dpop")),
            certificate=certificate_of(request),
            path=request.url.path,
        )
        return await _threaded(lambda: server.answer(endpoint, message))

    @routes.post("/oauth/token")
    async def token(request: Request) -> Response:
        """RFC 6749 §3.2."""
        return await served(request, "token")

    @routes.post("/oauth/revoke")
    async def revoke(request: Request) -> Response:
        """RFC 7009."""
        return await served(request, "revocation")

    @routes.post("/oauth/introspect")
    async def introspect(request: Request) -> Response:
        """RFC 7662."""
        return await served(request, "introspection")

    @routes.post("/oauth/par", status_code=201)
    async def push(request: Request) -> Response:
        """RFC 9126."""
        return await served(request, "pushed")

    async def entered(request: Request) -> Claims | Response:
        """Whose token a request shows, verified and not revoked; or the refusal."""
        try:
            claims = gate.claims(presented(request), server.clock())
            if await run_in_threadpool(server.stands, claims):
                return claims
            return _json(_UNTRUE)
        except ChallengeError as refusal:
            return _json(Answer(401, {"error": "invalid_token"}, refusal.headers))
        except (DomainError, OperationalError, PoolTimeout):
            return _json(_UNAVAILABLE)

    @routes.get("/oauth/userinfo")
    @routes.post("/oauth/userinfo")
    async def user_info(request: Request) -> Response:
        """OpenID Connect Core §5.3."""
        claims = await entered(request)
        return claims if isinstance(claims, Response) else await _threaded(lambda: _told(server, claims))

    @routes.post("/oauth/launch", status_code=201)
    async def launch(request: Request) -> Response:
        """Hand a patient context over to an app (`auth.launches`): form parameters `client_id`, `patient`, and
        what to say to it, if anything, `appContext` (CDS Hooks 2.0, Link).

        For a professional's token, whatever its scopes: the context gives nobody anything they may not see already.
        """
        claims = await entered(request)
        if isinstance(claims, Response):
            return claims
        try:
            form = dict(await read_form(request))
        except UnreadableForm:
            return _json(_invalid("The body must be a urlencoded form."))
        if claims.professional is None:
            header = ("WWW-Authenticate", 'Bearer realm="carnet", error="insufficient_scope"')
            return _json(Answer(403, {"error": "insufficient_scope"}, (header,)))
        app, patient = form.get("client_id", ""), form.get("patient", "")
        if not app or not patient:
            return _json(_invalid("client_id and patient are required."))
        said = form.get("appContext", "")
        if len(said) > launches.LONGEST:
            return _json(_invalid(f"appContext is at most {launches.LONGEST} characters."))
        return await _threaded(lambda: _handed(server, claims, app, launches.Launch(patient, said)))

    @routes.options("/oauth/{endpoint}", include_in_schema=False)
    @routes.options("/.well-known/{document:path}", include_in_schema=False)
    async def preflight() -> Response:
        return Response(status_code=204, headers={**_SHARED, **_ALLOWED})

    @routes.get("/oauth/jwks")
    def jwks() -> Response:
        return _document(server.signing.jwks(server.clock()))

    @routes.get("/.well-known/openid-configuration")
    async def openid() -> Response:
        return _document(openid_configuration(server.issuer))

    @routes.get("/.well-known/oauth-authorization-server")
    async def metadata() -> Response:
        return _document(server_metadata(server.issuer))

    @routes.get(f"{rfc9728.PATH}/fhir")
    @routes.get(rfc9728.PATH)
    async def resource() -> Response:
        return _document(rfc9728.resource_metadata(server.issuer))

    return routes


def certificate_of(request: Request) -> bytes | None:
    """The client's TLS certificate, in DER, if a trusted proxy passed one (`phr.proxy`)."""
    found: bytes | None = request.scope.get("state", {}).get("client_certificate")
    return found


async def _threaded(call: Callable[[], Answer]) -> Response:
    try:
        return _json(await run_in_threadpool(call))
    except (OperationalError, PoolTimeout):
        return _json(_UNAVAILABLE)


def _invalid(why: str) -> Answer:
    return Answer(400, {"error": "invalid_request", "error_description": why})


def presented(request: Request) -> Presented:
    """What a request shows of who asks."""
    return Presented(
        request.method,
        request.url.path,
        request.headers.get("authorization"),
        tuple(request.headers.getlist("dpop")),
        certificate_of(request),
    )


def _told(server: AuthServer, claims: Claims) -> Answer:
    said = server.user_info(claims)
    return _UNTRUE if said is None else Answer(200, said)


def _handed(server: AuthServer, claims: Claims, app: str, launch: launches.Launch) -> Answer:
    made = server.hand_over(claims, app, launch)
    if made is None:
        return _invalid("No such client takes a launch context.")
    lifetime = int(launches.LIFETIME.total_seconds())
    return Answer(201, {"launch": made, "iss": f"{server.issuer}/fhir", "expires_in": lifetime})


def _json(answer: Answer) -> Response:
    kept = {name: value for name, value in answer.headers if name in ("WWW-Authenticate", "DPoP-Nonce")}
    headers = {**_SHARED, **kept, "Cache-Control": "no-store", "Pragma": "no-cache"}
    return JSONResponse(dict(answer.body), answer.status, headers)


def _document(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={**_SHARED, "Cache-Control": "public, max-age=300"})
