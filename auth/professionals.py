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

_OTHER_SYSTEMS = {
    **dict.fromkeys(("71", "72", "73", "93", "97"), "TRE_R95"),
    **dict.fromkeys((str(code) for code in range(41, 54) if code != 50), "TRE_R94"),
    "99": "TRE_R291",
}
"""Professions that TRE_G15 does not hold, as JDV_J65 joins them. Code 50, in two of its tables, is the midwife."""


@dataclass(frozen=True, slots=True)
class Professional:
    """One professional acting in one activity (exercice × activité).

    `id` is the national id (PSIdNat: `8` + RPPS, or a test `ANS…`); `profession` a TRE_G15 code; `category` the
    professional category (TRE_R09: C civil, E student, M military); `skill` a TRE_R38 code; `structure` a StructIdNat
    (`1` + FINESS, `3` + SIRET) or the provider's own id; `sector` a TRE_R02 code; `mode` L (liberal), S (salaried) …;
    `role`, `section` (of a pharmacist) and `activity` (its kind) the provider's own codes; `regulation` is `1` for who
    answers emergency calls. Empty when the provider says nothing: a medical secretary has no `profession`.
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
    section: str = ""
    activity: str = ""
    regulation: str = ""

    @property
    def system(self) -> str:
        """The code system of `profession`: code 10 is a doctor in TRE_G15 and one who learns in TRE_G16."""
        if not self.profession:
            return ""
        return "TRE_G16" if self.trainee else _OTHER_SYSTEMS.get(self.profession, "TRE_G15")

    @property
    def name(self) -> str:
        """What people call them."""
        return f"{self.given} {self.family}".strip()

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
        if not claim.get("id") or not set(claim) <= set(cls.__slots__):
            raise ValueError("not a professional")
        return cls(**{name: claim.get(name, "") for name in cls.__slots__})

    def __str__(self) -> str:
        """Nothing that identifies: this may reach a log."""
        return f"professional of profession {json.dumps(self.profession)}"
