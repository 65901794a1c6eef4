"""Who a professional is, as the identity provider said it when they signed in. Frozen in every token it gives.

The rule: what decides access is a code with its system, never a label; a trainee is not a doctor; an identity without
an RPPS number is never given one.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey


@dataclass(frozen=True, slots=True)
class Professional:
    """One professional acting in one activity (exercice × activité).

    `id` is the national id (PSIdNat: `8` + RPPS, or a test `ANS…`); `profession` a TRE_G15 code; `category` the
    professional category (TRE_R09: C civil, E student, M military); `skill` a TRE_R38 code; `structure` a StructIdNat
    (`1` + FINESS, `3` + SIRET) or the provider's own id; `sector` a TRE_R02 code; `mode` L (liberal), S (salaried) …
    Empty when the provider says nothing.
    """

    id: str
    family: str
    given: str
    profession: str
    category: str
    skill: str
    structure: str
    structure_name: str
    sector: str
    mode: str
    role: str = ""

    @property
    def trainee(self) -> bool:
        """Whether they are a student: their profession code is that of the profession they learn."""
        return self.category == "E"

    def subject(self, keys: SystemKeys) -> UUID:
        """The keyed id this person has here, whatever the activity."""
        return keyed_uuid(subkey(keys.get("lookup"), "professional"), self.id)

    def claim(self) -> dict[str, str]:
        """As a private claim of a token: what is not empty."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of_claim(cls, claim: Any) -> Self:
        """From `claim()`. Raises ValueError."""
        if not isinstance(claim, dict) or not all(isinstance(value, str) for value in claim.values()):
            raise ValueError("not a professional")
        if not claim.get("id") or not claim.get("profession") or not set(claim) <= set(cls.__slots__):
            raise ValueError("not a professional")
        return cls(**{name: claim.get(name, "") for name in cls.__slots__})

    def __str__(self) -> str:
        """Nothing that identifies: this may reach a log."""
        return f"professional of profession {json.dumps(self.profession)}"
