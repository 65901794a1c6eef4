"""A request under /pro: the professional who is there, and asking the public API with their own authority.

The rule: a page shows and does what the API shows and does to this professional, in the activity they chose.
"""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response

from auth.professionals import Professional
from auth.server import AuthServer
from auth.sessions import Visitor
from phr.web.api import Api, calling
from phr.web.pages import Pages, Pairs, go, query_of, to

PHARMACIST = "21"
"""TRE_G15."""


@dataclass(frozen=True, slots=True)
class Practising:
    """Who is there, as whom: an assistant is there for a professional."""

    server: AuthServer
    pages: Pages
    request: Request
    visitor: Visitor
    who: Professional

    @property
    def language(self) -> str:
        """French or English."""
        return self.pages.language(self.request, query_of(self.request))

    @property
    def pharmacist(self) -> bool:
        """Whether they are one: what they may do is the API's to say."""
        return self.who.profession == PHARMACIST

    def at(self, path: str, *more: tuple[str, str]) -> str:
        """An address that keeps the language."""
        return to(path, [*languages(self.request), *more])

    def go(self, path: str, done: str = "") -> Response:
        """On to a page, which says what was done."""
        return go(self.at(path, *([("done", done)] if done else [])))

    def done(self, known: Collection[str]) -> str:
        """What the address says was done, if it is known."""
        said = dict(query_of(self.request)).get("done", "")
        return said if said in known else ""

    def calling(self) -> AbstractAsyncContextManager[Api]:
        """The API as this professional."""
        return calling(self.server, self.request, self.visitor, None)

    def page(self, template: str, values: Mapping[str, object], status: int = 200) -> Response:
        """A page, with our scripts."""
        known = {"who": self.who, **values}
        kept = languages(self.request)
        return self.pages.page(self.request, template, known, status=status, query=kept, script=True)


async def practising(server: AuthServer, pages: Pages, request: Request) -> Practising | None:
    """Who is there, if it is a professional."""
    visitor = await pages.visitor(request)
    if visitor is None or visitor.professional is None:
        return None
    return Practising(server, pages, request, visitor, visitor.professional)


def languages(request: Request) -> Pairs:
    """The language an address asks, if it does."""
    return [(name, value) for name, value in query_of(request) if name == "ui_locales"]
