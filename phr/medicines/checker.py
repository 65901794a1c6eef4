"""What checks lines of prescription: the question as plain values, the answer, and the interface between.

The rule: a checker says what it found and what it could not look for; « not checked » is never « nothing found ». It
knows of the record what it is given, which is what the reader sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phr.core.database import Session
from phr.medicines.interactions import Level

Codes = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    """What may be found. Closed."""

    DUPLICATE = "duplicate"
    ALLERGY = "allergy"
    INTERACTION = "interaction"


class Gap(StrEnum):
    """Why something was not checked. Closed: the words of each are in words.toml."""

    NO_BASE = "no-base"
    NO_INTERACTIONS = "no-interactions"
    NO_CODE = "no-code"
    UNKNOWN_CODE = "unknown-code"
    NO_COMPOSITION = "no-composition"
    TAKEN = "taken"
    ALLERGY = "allergy"
    ALLERGIES_UNSEEN = "allergies-unseen"
    TREATMENTS_UNSEEN = "treatments-unseen"


@dataclass(frozen=True, slots=True)
class Subject:
    """One medicine, as a resource says it. `codes`: (system, code); `texts`: all its names.

    `reference`: `Type/id`, or the type alone of what is not stored; `line`: from 1, None of what is taken already;
    `treatment`: the MedicationRequests it carries out or follows: what shares one is the same treatment.
    """

    reference: str
    line: int | None
    label: str
    codes: Codes
    texts: tuple[str, ...]
    treatment: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Allergy:
    """A recorded allergy or intolerance. `mild`: of low criticality; `medicinal`: may be to a medicine."""

    reference: str
    label: str
    codes: Codes
    texts: tuple[str, ...]
    mild: bool
    medicinal: bool


@dataclass(frozen=True, slots=True)
class Case:
    """The question: the lines, what is being taken, the allergies."""

    lines: tuple[Subject, ...]
    taken: tuple[Subject, ...]
    allergies: tuple[Allergy, ...]

    @property
    def everything(self) -> tuple[Subject | Allergy, ...]:
        """All that it speaks of."""
        return (*self.lines, *self.taken, *self.allergies)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `subjects`: the medicines it is about, one line at least; `substances`: by name.

    `level` and `text`: of an interaction, as the operator's table has them.
    """

    kind: Kind
    subjects: tuple[Subject, ...]
    substances: tuple[str, ...]
    allergy: Allergy | None = None
    level: Level | None = None
    text: str = ""

    @property
    def severity(self) -> str:
        """DetectedIssue.severity: high, moderate or low."""
        if self.level is not None:
            return _SEVERITIES[self.level]
        return "high" if self.allergy is not None and not self.allergy.mild else "moderate"


_SEVERITIES = {
    Level.CONTRAINDICATED: "high",
    Level.DISCOURAGED: "high",
    Level.PRECAUTION: "moderate",
    Level.NOTED: "low",
}


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What was not checked, why, and of what."""

    gap: Gap
    about: tuple[Subject | Allergy, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer."""

    findings: Sequence[Finding]
    unchecked: Sequence[Unchecked]


class Checker(Protocol):
    """What `safety.CHECKER` is: anything that judges a case, with the medicines loaded here or with its own."""

    async def judge(self, case: Case, session: Session) -> Judged:
        """Judge it. `session`: the transaction under way, to read reference tables with, and nothing else."""
        ...
