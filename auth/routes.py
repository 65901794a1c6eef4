"""The machine side of the authorization server over HTTP: token, revocation, keys and metadata."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from auth.message import Answer, Message
from auth.rfc8414 import openid_configuration, server_metadata
from auth.server import AuthServer

LARGEST_FORM = 65_536
MOST_FIELDS = 100
# A browser app of another origin may read these answers: no cookie is looked at here.
_SHARED = {"Access-Control-Allow-Origin": "*"}


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
    """/oauth/token, /oauth/revoke, /oauth/jwks and the metadata documents."""
    routes = APIRouter(tags=["oauth"])

    async def served(request: Request, endpoint: Callable[[Message], Answer]) -> Response:
        try:
            form = await read_form(request)
        except UnreadableForm:
            body = {"error": "invalid_request", "error_description": "The body must be a urlencoded form."}
            return _json(Answer(400, body))
        message = Message("POST", form=form, authorization=request.headers.get("authorization"))
        try:
            return _json(await run_in_threadpool(endpoint, message))
        except (OperationalError, PoolTimeout):
            return _json(Answer(503, {"error": "temporarily_unavailable"}))

    @routes.post("/oauth/token")
    async def token(request: Request) -> Response:
        return await served(request, server.token)

    @routes.post("/oauth/revoke")
    async def revoke(request: Request) -> Response:
        return await served(request, server.revoke)

    @routes.get("/oauth/jwks")
    def jwks() -> Response:
        return _document(server.signing.jwks(server.clock()))

    @routes.get("/.well-known/openid-configuration")
    async def openid() -> Response:
        return _document(openid_configuration(server.issuer))

    @routes.get("/.well-known/oauth-authorization-server")
    async def metadata() -> Response:
        return _document(server_metadata(server.issuer))

    return routes


def _json(answer: Answer) -> Response:
    kept = {name: value for name, value in answer.headers if name == "WWW-Authenticate"}
    headers = {**_SHARED, **kept, "Cache-Control": "no-store", "Pragma": "no-cache"}
    return JSONResponse(dict(answer.body), answer.status, headers)


def _document(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={**_SHARED, "Cache-Control": "public, max-age=300"})
