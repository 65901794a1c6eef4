"""What is asked of a reminder, read strictly: a title, when, how often, about what.

The rule: what is wrong is told by the name of its parameter.
"""

from collections.abc import Callable
from typing import TypeVar

from fhir import tokens
from phr.agenda import recurrence, wall
from phr.agenda.reminder import ABOUT, Reminder, at
from phr.agenda.schedule import Times, starting
from phr.core.errors import invalid

LONGEST_TITLE, LONGEST_TEXT = 200, 2000
_T = TypeVar("_T")


def wish(title: str, text: str, when: str | None, rule: str | None, about: str | None, before: str | None) -> Reminder:
    """The reminder that is asked: at a time on the clock of Paris, or before an appointment. Raises CONTENT (422)."""
    for name, value, most in (("title", title, LONGEST_TITLE), ("text", text, LONGEST_TEXT)):
        if len(value) > most:
            raise invalid(f"At most {most} characters.", at(name), "too-long")
    if not title.strip():
        raise invalid("A reminder has a title.", at("title"), "required")
    if (when is None) == (before is None):
        raise invalid("A reminder is at a time, or before an appointment: one of them.", at("at"), "required")
    if before is not None and (rule is not None or not (about or "").startswith("Appointment/")):
        raise invalid("Before which appointment is said with about, and comes once.", at("before"))
    return Reminder(
        title.strip(),
        text.strip(),
        None if when is None else _times(when, rule),
        "" if about is None else _about(about),
        None if before is None else _read(wall.before, before, "before"),
    )


def _times(when: str, rule: str | None) -> Times:
    start = _read(wall.read, when, "at")
    found = starting(start, None if rule is None else _read(recurrence.parse, rule, "rule"))
    if found is None:
        raise invalid("This rule gives no time at all.", at("rule"))
    return found


def _about(name: str) -> str:
    pair = tokens.local(name)
    if pair is None or pair[0] not in ABOUT:
        raise invalid("It is about an Appointment or a DocumentReference.", at("about"))
    return "/".join(pair)


def _read(reading: Callable[[str], _T], text: str, name: str) -> _T:
    try:
        return reading(text)
    except (ValueError, OverflowError) as error:
        raise invalid(f"Not understood: {error}.", at(name)) from None
