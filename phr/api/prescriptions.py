"""Prescriptions, over HTTP: deposited, followed, dispensed."""

from phr.api.doors import Doors


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
