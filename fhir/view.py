"""What one request may look through: the lens on a record, the lens on the commons, and the keys of both."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from fhir.lens import Lens
from fhir.parameters import Kind
from fhir.predicate import Nothing
from fhir.record import COMMONS
from fhir.stored import Keyring

BLIND = Lens(Nothing())
NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class View:
    """Two lenses and a keyring. `record` is the id of the opened record, None when none is."""

    record: str | None
    inside: Lens
    commons: Lens
    keyring: Keyring

    def of(self, kind: Kind) -> Lens:
        """The lens that resources of this type are seen through."""
        return self.commons if kind.commons else self.inside

    def hashed(self, kind: Kind) -> Callable[[str], UUID]:
        """How the tokens of this type are hashed here; of a record that did not open, under keys that match nothing."""
        keys = self.keyring.keys.get(self.home(kind) or COMMONS)
        return keys.hashed if keys is not None else lambda _: NOWHERE

    def home(self, kind: Kind) -> str | None:
        """The record that resources of this type belong to here; None for the commons."""
        return None if kind.commons else self.record
