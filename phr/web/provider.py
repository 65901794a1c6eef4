"""Sending somebody to an identity provider, and saying why nobody came back; for citizens as for professionals."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth import relying
from auth.providers import Failure, Provider, ProviderError
from auth.server import AuthServer
from phr.web.pages import Pages, Pairs, go, query_of, to


@dataclass(frozen=True, slots=True)
class Way:
    """Where the journey begins, where it comes back, and the cookie that ties the two."""

    begin: str
    back: str
    cookie: str


async def leave(
    pages: Pages, request: Request, server: AuthServer, provider: Provider, way: Way, extra: Mapping[str, str]
) -> Response:
    """To the provider, with what the application's request says it must know; the page of a failure."""
    query = query_of(request)
    asked, kept = {**extra, **_fresh(query)}, {"query": query}
    try:
        address, secret = await run_in_threadpool(
            relying.begin, server, provider, f"{server.issuer}{way.back}", asked, kept
        )
    except ProviderError as error:
        return failed(pages, request, error.failure, to(way.begin, query))
    response = go(address)
    pages.keep(response, pages.cookie(way.cookie), secret, relying.LIFETIME)
    return response


def failed(pages: Pages, request: Request, failure: Failure, again: str) -> Response:
    """The page that says why nobody signed in, with the way to begin again."""
    status = {Failure.UNAVAILABLE: 503, Failure.LEVEL: 403}.get(failure, 400)
    values = {"message": f"provider_{failure.value}", "again": again}
    return pages.page(request, "provider.html", values, status=status, query=language_of(query_of(request)))


def language_of(query: Pairs) -> Pairs:
    """What of a query is about the language alone."""
    return [(name, value) for name, value in query if name == "ui_locales"]


def _fresh(query: Pairs) -> dict[str, str]:
    """What of the application's request the provider must know: that a new or a recent proof is wanted."""
    given = dict(query)
    asked = {"prompt": "login"} if "login" in given.get("prompt", "").split() else {}
    age = given.get("max_age", "")
    return {**asked, "max_age": age} if age.isascii() and age.isdecimal() and len(age) < 10 else asked
