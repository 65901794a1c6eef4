"""The centre of notifications and its devices, over HTTP."""

from phr.api.doors import Doors


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
