"""The examples of the rules' files played through the engine: a file is right when each comes out as it says.

The rule: what is not as it says is a fault like any other, with the file and the line of the example.
"""

from collections.abc import Iterator

from phr.prevention import form, places
from phr.prevention.advice import Advice
from phr.prevention.engine import judge
from phr.prevention.rulebook import Read, person_of


def faults(read: Read) -> list[str]:
    """`file:line: what` for each example of a file that does not hold."""
    lines = places.places(read.text)
    found = []
    for n, one in enumerate(read.examples):
        advice = judge(read.rule, person_of(one, read.rule.id), one.on)
        if wrong := ", ".join(_wrong(one, advice)):
            found.append(f"{read.rule.id}.toml:{places.line_of(lines, ('example', n))}: “{one.name}”: {wrong}")
    return found


def _wrong(wanted: form.Example, found: Advice) -> Iterator[str]:
    pairs = {
        "status": (wanted.status.value, found.status.value),
        "due": (wanted.due, found.due),
        "missing": (wanted.missing, list(found.missing)),
        "why": (wanted.why, found.why[0].name),
        "step": (wanted.step, found.step),
    }
    for name, (said, answered) in pairs.items():
        if said is not None and said != answered:
            yield f"{name} is {answered}, not {said}"
