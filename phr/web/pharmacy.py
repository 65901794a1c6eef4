"""The page of a pharmacist with only a browser: scan or type a code, see the lines, record what is dispensed."""

from fastapi import APIRouter

from auth.server import AuthServer


def router(server: AuthServer) -> APIRouter:
    """The pages."""
    return APIRouter(include_in_schema=False)
