"""The mail addresses of structures, as the operator's list of trusted operators has them (PHR_MSSANTE_PEERS)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from phr.core.settings import Settings
from phr.mssante import peers


def address_of(settings: Settings, structure: str) -> str | None:
    """The secure mail address of a structure (StructIdNat), when the gateway is set up and knows one."""
    return None if settings.mssante is None else _addresses(settings.mssante.peers).get(structure)


@cache
def _addresses(path: Path) -> Mapping[str, str]:
    return {structure.id: address for address, structure in peers.read(path).mailboxes.items()}
