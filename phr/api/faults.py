"""From a failure to an HTTP answer: the one table of statuses, and the shape each part of the API speaks.

OperationOutcome under /fhir, problem+json (RFC 9457) elsewhere. No exception's text ever leaves.
"""

import logging

import asyncpg
import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from auth.rfc6750 import ChallengeError
from fhir import wire
from fhir.outcome import outcome
from phr.core.errors import DomainError, Issue, Reason

log = logging.getLogger("carnet")

STATUS = {
    Reason.SYNTAX: 400,
    Reason.UNAUTHENTICATED: 401,
    Reason.FORBIDDEN: 403,
    Reason.ABSENT: 404,
    Reason.METHOD: 405,
    Reason.NOT_ACCEPTABLE: 406,
    Reason.CONFLICT: 409,
    Reason.GONE: 410,
    Reason.PRECONDITION: 412,
    Reason.TOO_LARGE: 413,
    Reason.MEDIA_TYPE: 415,
    Reason.RANGE: 416,
    Reason.CONTENT: 422,
    Reason.TOO_MANY: 429,
    Reason.UNAVAILABLE: 503,
}
_BY_STATUS = {status: reason for reason, status in STATUS.items()}
_TITLES = {
    404: ("not-found", "No such address."),
    405: ("not-supported", "This method is not supported here."),
}
FHIR_JSON = "application/fhir+json"


def answer(
    request: Request, status: int, issues: tuple[Issue, ...], more: tuple[tuple[str, str], ...] = ()
) -> Response:
    """The body a failure has at this address. `more`: headers the failure itself brings."""
    issues = issues or (Issue("processing", "The request cannot be served."),)
    headers = {"Cache-Control": "no-store", **dict(more)}
    if status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="carnet", error="invalid_token"')
    if status == 405:
        headers["Allow"] = "GET"
    if status == 415 and request.method == "PATCH":
        headers["Accept-Patch"] = "application/json-patch+json"
    if status == 429:
        headers["Retry-After"] = "900"
    if status == 503:
        headers["Retry-After"] = "5"
    if request.url.path == "/fhir" or request.url.path.startswith("/fhir/"):
        return Response(wire.encode(outcome(issues)), status, headers, media_type=f"{FHIR_JSON}; charset=utf-8")
    reason = _BY_STATUS.get(status)
    problem = {
        "type": "about:blank",
        "title": reason.value if reason is not None else "error",
        "status": status,
        "detail": " ".join(issue.diagnostics for issue in issues),
    }
    return Response(wire.encode(problem), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Give the application its exception handlers."""

    @app.exception_handler(DomainError)
    async def domain(request: Request, error: DomainError) -> Response:
        headers = error.headers if isinstance(error, ChallengeError) else ()
        return answer(request, STATUS[error.reason], error.issues, headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code, text = _TITLES.get(error.status_code, ("processing", "The request cannot be served."))
        answered = answer(request, error.status_code, (Issue(code, text),))
        answered.headers.update(error.headers or {})
        return answered

    @app.exception_handler(RequestValidationError)
    async def parameters(request: Request, error: RequestValidationError) -> Response:
        if any(each["loc"][0] == "path" for each in error.errors()):
            return answer(request, 404, (Issue(*_TITLES[404]),))
        return answer(request, 400, (Issue("invalid", "The request's parameters cannot be read."),))

    async def unavailable(request: Request, error: Exception) -> Response:
        log.error("database unavailable: %s", type(error).__name__)
        return answer(request, 503, (Issue("transient", "The database does not answer; try again."),))

    for kind in (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, OSError):
        app.add_exception_handler(kind, unavailable)
    # TRAP: what asyncpg raises when the server dies under a statement it is just sending.
    app.add_exception_handler(asyncpg.InternalClientError, unavailable)
    for kind in (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError):
        app.add_exception_handler(kind, unavailable)
    for kind in (asyncpg.DeadlockDetectedError, asyncpg.QueryCanceledError, asyncpg.AdminShutdownError, TimeoutError):
        app.add_exception_handler(kind, unavailable)


def unexpected(request: Request, error: Exception) -> Response:
    """The last resort: what is logged is where it happened, never what with."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    log.error("unexpected %s in %s", type(error).__name__, place)
    return answer(request, 500, (Issue("exception", "Unexpected error; nothing was changed."),))
