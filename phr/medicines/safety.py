"""Safety at prescribing and at dispensing: the lines, compared with what their reader sees of the record.

The rule: what the reader may not see changes nothing of the answer; what could not be checked is said, and never passes
for nothing found. What is named in the answer is in the journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phr.access.visit import Deed
from phr.medicines import issues, words
from phr.medicines.checker import Checker, Finding, Unchecked
from phr.medicines.loaded import LoadedTables
from phr.medicines.reading import recall, unseen

Json = dict[str, Any]
CHECKER: Checker = LoadedTables()
"""What judges. Another one, such as a certified database of medicines, is named here."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`findings`, worst first; `unchecked`: what was not checked, for what and why: each two lines, French, English.

    `record`: whose lines they are.
    """

    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    record: str | None = None


async def check(deed: Deed, lines: Sequence[Mapping[str, Any]]) -> Checked:
    """Check MedicationRequests, or MedicationDispenses, as far as the reader sees the record. Nothing is written."""
    case = await recall(deed, lines)
    judged = await CHECKER.judge(case, deed.session)
    gaps = [*judged.unchecked, *(unseen(deed) if case.lines else ())]
    named = [about for one in gaps for about in one.about]
    for one in judged.findings:
        named += [*one.subjects, *((one.allergy,) if one.allergy is not None else ())]
    deed.touched += dict.fromkeys(one.reference for one in named if "/" in one.reference)
    return Checked(tuple(judged.findings), tuple(map(_told, gaps)), deed.view.record)


def findings_of(checked: Checked) -> list[Json]:
    """The findings as DetectedIssue resources, not stored."""
    return [issues.detected(one, checked.record) for one in checked.findings]


def _told(one: Unchecked) -> str:
    return f"{words.unchecked(one, 'fr')}\n{words.unchecked(one, 'en')}"
