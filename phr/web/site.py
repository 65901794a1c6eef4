"""Every page a person can meet, in one list: the application and the tests mount the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from auth.providers import Provider
from auth.server import AuthServer
from phr.access.installation import Installation
from phr.core.settings import Settings
from phr.web import (
    account,
    agenda,
    assistants,
    authorize,
    checkups,
    choices,
    contents,
    enrolment,
    franceconnect,
    journal,
    launched,
    logout,
    mailbox,
    me,
    messages,
    notifications,
    pages,
    passkeys,
    people,
    pharmacy,
    prescriptions,
    prevention,
    professional,
    reset,
    security,
    share,
    sight,
    signin,
)


@dataclass(frozen=True, slots=True)
class Providers:
    """Who signs people in besides us: the provider of professionals, the one of citizens, where there is one."""

    professionals: Provider | None = None
    citizens: Provider | None = None


def routers(server: AuthServer, installation: Installation, providers: Providers) -> Iterator[APIRouter]:
    """The pages, each with the addresses it answers."""
    settings = installation.settings
    yield authorize.router(server, settings.terms_version, installation)
    yield logout.router(server)
    yield signin.router(server, franceconnect=providers.citizens is not None)
    yield passkeys.router(server)
    yield reset.router(server)
    yield security.router(server)
    yield account.router(server, installation)
    yield enrolment.router(server, settings.terms_version)
    yield professional.router(server, providers.professionals, settings)
    yield assistants.router(server, settings)
    yield franceconnect.router(server, providers.citizens, installation)
    for module in (me, sight, people, choices, prevention, checkups, contents, prescriptions):
        yield module.router(server)
    for module in (launched, pharmacy, messages, notifications, agenda):
        yield module.router(server)
    yield share.router(server)
    yield journal.router(server)
    yield pages.static_router()
    yield _front(settings)
    if settings.sandbox:
        yield mailbox.router(server, settings)


def _front(settings: Settings) -> APIRouter:
    """The bare address: a person who typed it wants their account; in a sandbox, to know what there is."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def front() -> Response:
        return pages.go("/sandbox" if settings.sandbox else "/account")

    return routes
