"""The person's messages."""

from fastapi import APIRouter

from auth.server import AuthServer


def router(server: AuthServer) -> APIRouter:
    """The pages."""
    return APIRouter(include_in_schema=False)
