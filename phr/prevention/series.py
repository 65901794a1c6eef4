"""Doses given one after another: which course somebody is on, what counted, and when the next is due."""

from collections.abc import Sequence
from datetime import date

from msgspec.structs import replace

from phr.prevention.advice import Advice, Clause
from phr.prevention.dates import NEVER
from phr.prevention.person import Event
from phr.prevention.place import CALLING, Case, calling, done, not_yet, past
from phr.prevention.rule import Course, Schedule
from phr.prevention.who import Marks, ages


def place(case: Case) -> Advice:
    """Shape `series`."""
    schedule, born, on, marks = case.version.schedule, case.born, case.on, case.marks
    mine = [one for one in case.events if not schedule.sets.isdisjoint(one.sets)]
    marks += [one.on for one in mine if one.on > on]
    mine = [one for one in mine if one.on <= on]
    course, counted = _given(schedule.courses, born, mine)
    if course is None:
        last = begun_until(schedule, born)
        course = None if on >= last else _to_begin(schedule.courses, born, on, marks)
        if course is None:
            return past(case, last)
    found = _next(case, course, counted)
    if mine and found.status in CALLING and mine[-1] not in counted and mine[-1].on >= ages(case.version.who, born)[0]:
        found = replace(found, why=(*found.why, Clause("too-early", (mine[-1].on,))))
    return found


def begun_until(schedule: Schedule, born: date) -> date:
    """The day from which a series is begun no more; NEVER when it may be at any age."""
    return NEVER if schedule.begun is None else max(one.after(born) for one in schedule.begun)


def _next(case: Case, course: Course, counted: Sequence[Event]) -> Advice:
    born, on, step = case.born, case.on, len(counted) + 1
    if len(counted) == len(course.doses):
        return done(case, counted[-1], None)
    start, end = ages(case.version.who, born)
    if course.before is not None:
        end = min(end, course.before.after(born))
    if on >= end:
        return past(case, end, step)
    due = _due(course, born, start, counted)
    case.marks.append(end)
    if due >= end:
        return past(case, end, step)
    found = calling(case, due, end, course.doses[len(counted)].late, step)
    if found is not None:
        return found
    return done(case, counted[-1], due, step) if counted else not_yet(case, due, step)


def _due(course: Course, born: date, start: date, counted: Sequence[Event]) -> date:
    dose = course.doses[len(counted)]
    days = [start, dose.min_age.after(born)]
    if dose.age is not None:
        days.append(dose.age.after(born))
    if counted:
        days.append(dose.min_after.after(counted[-1].on))
        if dose.after is not None:
            days.append(dose.after.after(counted[-1].on))
    else:
        days.append(course.start.start.after(born))
    return max(days)


def _given(courses: Sequence[Course], born: date, events: Sequence[Event]) -> tuple[Course | None, list[Event]]:
    """The course that the first dose that counts opens, and the doses that count."""
    course: Course | None = None
    counted: list[Event] = []
    for event in events:
        if course is None:
            course = next((one for one in courses if _opens(one, born, event)), None)
            counted += [event] if course is not None else []
        elif len(counted) < len(course.doses) and _follows(course, born, counted, event):
            counted.append(event)
    return course, counted


def _opens(course: Course, born: date, event: Event) -> bool:
    begins = course.start.start.after(born) <= event.on < _until(course, born)
    return begins and event.on >= course.doses[0].min_age.after(born) and not course.sets.isdisjoint(event.sets)


def _follows(course: Course, born: date, counted: Sequence[Event], event: Event) -> bool:
    dose, last = course.doses[len(counted)], counted[-1].on
    enough = event.on >= dose.min_age.after(born) and event.on >= dose.min_after.after(last) and event.on > last
    return enough and not course.sets.isdisjoint(event.sets)


def _until(course: Course, born: date) -> date:
    return NEVER if course.start.before is None else course.start.before.after(born)


def _to_begin(courses: Sequence[Course], born: date, on: date, marks: Marks) -> Course | None:
    """The course to begin that day, or the one that may be begun next."""
    coming: tuple[date, Course] | None = None
    for course in courses:
        end = _until(course, born)
        if end <= on:
            continue
        start = course.start.start.after(born)
        marks += (start, end)
        if start <= on:
            return course
        if coming is None or start < coming[0]:
            coming = start, course
    return None if coming is None else coming[1]
