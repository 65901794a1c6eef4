"""A medicine of the public database, as plain values: what its files say of it, and nothing derived."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A substance. `active`: SA; else FT, the therapeutic moiety of those of the same `link`. `strength` per `per`."""

    code: str
    name: str
    folded: str
    strength: str
    per: str
    active: bool
    link: str


@dataclass(frozen=True, slots=True)
class Box:
    """A presentation."""

    cip13: str
    label: str
    marketed: bool


@dataclass(frozen=True, slots=True)
class Generic:
    """Its place in a generic group."""

    group: str
    label: str
    type: str


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine (« spécialité ») and what is known of it. `conditions`: of its delivery, in the file's words."""

    cis: str
    name: str
    form: str
    routes: tuple[str, ...]
    authorised: bool
    holder: str
    ingredients: tuple[Ingredient, ...]
    boxes: tuple[Box, ...]
    conditions: tuple[str, ...]
    generics: tuple[Generic, ...]
