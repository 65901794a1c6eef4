"""With whom and where an appointment is, in words: what its participants are called."""

from collections.abc import Mapping
from typing import Any


def place_of(appointment: Mapping[str, Any]) -> str:
    """The names of who takes part and where, but the person's own."""
    return ", ".join(name for name in map(_name, others(appointment)) if name)


def others(appointment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The participants that are not the person."""
    actors = [one.get("actor", {}) for one in appointment.get("participant", ())]
    return [one for one in actors if not str(one.get("reference", "")).startswith("Patient/")]


def _name(actor: Mapping[str, Any]) -> str:
    return str(actor.get("display", ""))
