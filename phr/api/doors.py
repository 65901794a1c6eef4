"""Registering a route so that its handler cannot run without a reader.

FastAPI sees an endpoint that takes the request alone, on the application itself: resolving each parameter, or matching
an included router, costs as much as reading a row.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.convertors import StringConvertor, register_url_convertor

from fhir.capability import EVERY
from phr.api import described, stepup
from phr.api.asked import Asked, negotiate
from phr.api.faults import FHIR_JSON

Handler = Callable[..., Awaitable[Response]]
_NAMES = re.compile(r"{(\w+):?\w*}")
_OPERATION = re.compile(r"/(?:(\w+|{kind:type})/(?:{id:id}/)?)?\$([a-z-]+)")


class TypeInPath(StringConvertor):
    """`{kind:type}`: what a resource type looks like, so that no other address is tried as one."""

    regex = "[A-Z][A-Za-z]{0,63}"


class IdInPath(StringConvertor):
    """`{id:id}`: a logical id (FHIR R4 §2.24.0.1), never `_history` nor `$validate`."""

    regex = r"[A-Za-z0-9\-.]{1,64}"


register_url_convertor("type", TypeInPath())
register_url_convertor("id", IdInPath())


class Fhir(JSONResponse):
    """The media type of what is answered, for OpenAPI."""

    media_type = FHIR_JSON


class Doors:
    """Routes under /fhir whose handlers get the Asked that `visiting` makes, or never run.

    `operations`: those opened so far, by resource type, for the CapabilityStatement.
    """

    def __init__(self, app: FastAPI, visiting: Callable[[Request], Awaitable[Asked]]) -> None:
        self._app = app
        self.operations: dict[str, set[str]] = {}
        self._visiting = visiting

    def opens(
        self,
        methods: str | list[str],
        path: str,
        told: dict[str, Any] | None = None,
        *,
        spoken: bool = True,
        fresh: bool = False,
        status_code: int = 200,
    ) -> Callable[[Handler], Handler]:
        """Decorate a handler `(asked, **path parameters)`. `told`: what OpenAPI says of it; None: nothing at all.

        `spoken`: it answers FHIR JSON only, so another wish is 406 at once. `fresh`: it opens to who was proven
        just now, by two factors (`phr.api.stepup`).
        """
        visiting = self._visiting

        def register(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                asked = await visiting(request)
                if fresh:
                    stepup.demand(asked.claims, asked.visit.now)
                if spoken:
                    negotiate(asked.header("accept"), asked.first("_format"))
                return await handler(asked, **request.path_params)

            operation = _OPERATION.fullmatch(path)
            if operation is not None:
                kind = EVERY if (operation[1] or "").startswith("{") else operation[1] or ""
                self.operations.setdefault(kind, set()).add(operation[2])
            endpoint.__name__, endpoint.__doc__ = handler.__name__, handler.__doc__
            self._app.add_api_route(
                f"/fhir{path}",
                endpoint,
                methods=[methods] if isinstance(methods, str) else methods,
                tags=["fhir"],
                status_code=status_code,
                response_class=Fhir,
                responses=described.FAILED,
                openapi_extra=None if told is None else {**told, "parameters": [*_named(path), *told["parameters"]]},
                include_in_schema=told is not None,
            )
            return handler

        return register


def _named(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string"}
    return [{"in": "path", "name": name, "required": True, "schema": schema} for name in _NAMES.findall(path)]
