"""The person's prescriptions: what was dispensed, what is left, and the code to show."""

from fastapi import APIRouter

from auth.server import AuthServer


def router(server: AuthServer) -> APIRouter:
    """The pages."""
    return APIRouter(include_in_schema=False)
