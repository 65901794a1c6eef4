"""The person's centre of notifications, and how they are told."""

from fastapi import APIRouter

from auth.server import AuthServer


def router(server: AuthServer) -> APIRouter:
    """The pages."""
    return APIRouter(include_in_schema=False)
