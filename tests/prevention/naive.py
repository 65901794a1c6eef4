"""The prevention rules, one sentence of docs/prevention.md at a time. The judge of the real engine, written without it.

The rule: naive and slow. Nothing here is shared with what it judges but the values: the calendar is its own too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from msgspec.structs import replace

from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.dates import Duration
from phr.prevention.person import Event, Person, Pregnancy, Statement
from phr.prevention.rule import Course, Dose, Range, Rule, Rules, Season, Version

ENDLESS = date(9999, 12, 31)
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LONGEST_LIFE = 250
"""Years: how many windows "each year" is drawn out to."""
LONGEST_PREGNANCY = Duration(days=45 * 7)


# --- The calendar.


def length(year: int, month: int) -> int:
    """How many days that month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if leap and month == 2 else LENGTHS[month - 1]


@lru_cache(maxsize=100_000)
def moved(day: date, months: int, days: int) -> date:
    """Months first, one at a time, then days. A day that a month does not have is the first of the next."""
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month == 13:
            year, month = year + 1, 1
        if month == 0:
            year, month = year - 1, 12
    if day.day <= length(year, month):
        there = date(year, month, day.day)
    else:
        there = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    return there + timedelta(days=days)


def after(day: date, lasts: Duration) -> date:
    """The day that long after."""
    return moved(day, lasts.months, lasts.days)


def before(day: date, lasts: Duration) -> date:
    """The day that long before."""
    return moved(day, -lasts.months, -lasts.days)


@dataclass(frozen=True)
class Window:
    """[start, end); ENDLESS: without end."""

    start: date
    end: date

    def holds(self, day: date) -> bool:
        return self.start <= day < self.end

    def cut(self, to: "Window") -> "Window":
        return Window(max(self.start, to.start), min(self.end, to.end))


def window(born: date, ages: Range) -> Window:
    """The days of these ages."""
    return Window(after(born, ages.start), ENDLESS if ages.before is None else after(born, ages.before))


def lasts_until(pregnancy: Pregnancy) -> date:
    """A pregnancy is [start, end), or 45 weeks from its start when its end is not known or later than that."""
    longest = after(pregnancy.start, LONGEST_PREGNANCY)
    return longest if pregnancy.end is None else min(pregnancy.end, longest)


# --- The answer.


def advise(rules: Rules, person: Person, on: date) -> list[Advice]:
    """One for each rule, in the order of the ids; without the next change."""
    return [judge(rule, person, on) for rule in sorted(rules.all, key=lambda rule: rule.id)]


def next_change(rule: Rule, person: Person, on: date, horizon: int) -> date | None:
    """The first date on which anything of the answer differs, of so many days; None: none of them."""
    today = judge(rule, person, on)
    for n in range(1, horizon + 1):
        if judge(rule, person, on + timedelta(days=n)) != today:
            return on + timedelta(days=n)
    return None


def judge(rule: Rule, person: Person, on: date) -> Advice:
    """Where this person stands with this rule on this day; without the next change."""
    # 1. Version: the newest with in_force <= t.
    in_force = [version for version in rule.versions if version.in_force <= on]
    if not in_force:
        first = min(version.in_force for version in rule.versions)
        return Advice(rule, None, Status.NOT_CONCERNED, (Clause("not-in-force", (first,)),), until=first)
    version = max(in_force, key=lambda version: version.in_force)
    case = Case(rule, version, person, on)
    # 2. What was said.
    said = standing(rule, person, on)
    if said is not None and said.said in ("contraindicated", "not-concerned", "declined"):
        name = {"not-concerned": "said-not-concerned"}.get(said.said, said.said)
        return case.answer(Status.NOT_CONCERNED, Clause(name, (said.on,)), since=said.on, until=said.until)
    if said is not None and said.said == "indicated" and not any(e.on >= said.on for e in case.satisfying()):
        clause = Clause("indicated", (said.on,))
        return case.answer(Status.DUE, clause, since=said.on, until=said.until, due=said.on)
    # 3 to 6, then 7. Later.
    advice = scheduled(case)
    if said is not None and said.said == "later" and advice.status in WAITING:
        first_clause = Clause("later", (said.until or ENDLESS,))
        advice = replace(advice, status=Status.SOON, why=(first_clause, *advice.why), until=said.until)
    return advice


WAITING = (Status.SOON, Status.DUE, Status.OVERDUE, Status.ASK)


def standing(rule: Rule, person: Person, on: date) -> Statement | None:
    """Of the statements about this rule that stand, the last by date (of one day: the last listed)."""
    last: Statement | None = None
    for one in person.statements:
        stands = one.rule == rule.id and one.on <= on and (one.until is None or on < one.until)
        if stands and (last is None or one.on >= last.on):
            last = one
    return last


@dataclass(frozen=True)
class Case:
    """One person, one rule, one day."""

    rule: Rule
    version: Version
    person: Person
    on: date

    def answer(
        self,
        status: Status,
        clause: Clause,
        since: date | None = None,
        until: date | None = None,
        due: date | None = None,
        step: int | None = None,
        missing: tuple[str, ...] = (),
    ) -> Advice:
        return Advice(self.rule, self.version, status, (clause,), since, until, due, step, missing)

    def events(self, sets: frozenset[str]) -> list[Event]:
        """On or before t; of the person's word alone only where the schedule says so; in the order of their dates."""
        taken = self.version.schedule.declared
        events = [e for e in self.person.events if e.on <= self.on and (taken or not e.declared) and e.sets & sets]
        return sorted(events, key=lambda event: event.on)

    def satisfying(self) -> list[Event]:
        """Those that may satisfy the rule: of any set of `by`, of a hold or of a course."""
        schedule = self.version.schedule
        every = [hold.sets for hold in schedule.holds] + [course.sets for course in schedule.courses]
        return self.events(schedule.sets.union(*every))

    def knows(self, fact: str) -> bool | None:
        """True, false or not known; of several answers that hold, the last listed."""
        # `pregnant` is true during a known pregnancy, and false for a male.
        if fact == "pregnant" and self.person.sex == "male":
            return False
        if fact == "pregnant" and any(one.start <= self.on < lasts_until(one) for one in self.person.pregnancies):
            return True
        held = [one.value for one in self.person.answers.get(fact, ()) if one.since <= self.on < one.until]
        return held[-1] if held else None

    # The common table.

    def at(self, due: date, end: date, late: Duration | None, step: int | None = None) -> Advice:
        """Something due on `due` in a window that ends at `end`."""
        soon = before(due, self.version.schedule.soon)
        overdue = ENDLESS if late is None else after(due, late)
        assert soon <= self.on < end
        if self.on < due:
            return self.answer(Status.SOON, Clause("soon", (due,)), soon, due, due, step)
        if self.on < overdue:
            return self.answer(Status.DUE, Clause("due", (due,)), due, _date(min(overdue, end)), due, step)
        return self.answer(Status.OVERDUE, Clause("overdue", (due,)), overdue, _date(end), due, step)

    def not_yet(self, due: date, step: int | None = None) -> Advice:
        until = before(due, self.version.schedule.soon)
        return self.answer(Status.NOT_CONCERNED, Clause("not-yet", (due,)), until=until, due=due, step=step)

    def past(self, end: date, step: int | None = None) -> Advice:
        return self.answer(Status.NOT_CONCERNED, Clause("past", (end,)), since=end, step=step)

    def done(self, event: Event, due: date | None, step: int | None = None) -> Advice:
        clause = Clause("declared" if event.declared else "done", (event.on,))
        until = None if due is None else before(due, self.version.schedule.soon)
        return self.answer(Status.DONE, clause, event.on, until, due, step)

    def is_soon(self, due: date) -> bool:
        return before(due, self.version.schedule.soon) <= self.on


def _date(day: date) -> date | None:
    return None if day == ENDLESS else day


def scheduled(case: Case) -> Advice:
    """Steps 3 to 6."""
    who, person = case.version.who, case.person
    # 3. Who, for certain.
    if who.sex is not None and person.sex is not None and person.sex != who.sex:
        return case.answer(Status.NOT_CONCERNED, Clause("sex", (who.sex,)))
    if person.born is not None and not who.born_from <= person.born < who.born_before:
        return case.answer(Status.NOT_CONCERNED, Clause("cohort", (who.born_from, who.born_before)))
    for fact in who.none:
        if case.knows(fact) is True:
            return case.answer(Status.NOT_CONCERNED, Clause("excluded", (fact,)))
    excluded: tuple[date, date] | None = None
    for unless in who.unless:
        for event in case.events(unless.sets):
            end = ENDLESS if unless.within is None else after(event.on, unless.within)
            if case.on < end and (excluded is None or (end, event.on) > (excluded[1], excluded[0])):
                excluded = (event.on, end)
    if excluded is not None:
        return case.answer(Status.NOT_CONCERNED, Clause("after", excluded), until=_date(excluded[1]))
    for fact in who.all:
        if case.knows(fact) is False:
            return case.answer(Status.NOT_CONCERNED, Clause("lacks", (fact,)))
    if who.any and all(case.knows(fact) is False for fact in who.any):
        return case.answer(Status.NOT_CONCERNED, Clause("lacks", who.any))
    if person.born is None:
        return case.answer(Status.ASK, Clause("ask", ("born",)), missing=("born",))
    # 4. When.
    schedule = case.version.schedule
    counted: list[Event] = []
    if schedule.shape == "every":
        advice = every(case, person.born)
    elif schedule.shape == "series":
        advice, counted = series(case, person.born)
    elif schedule.each == "pregnancy":
        advice = pregnancy(case, person.born)
    else:
        advice = windowed(case, person.born)
    # 5. Who, not known.
    missing = not_known(case)
    if advice.status in (Status.SOON, Status.DUE, Status.OVERDUE) and missing:
        advice = replace(advice, status=Status.ASK, why=(Clause("ask", missing),), missing=missing)
    # 6. Too early.
    if schedule.shape == "series" and advice.status in WAITING:
        start = window(person.born, who.age).start if person.born is not None else ENDLESS
        given = [event for event in case.events(schedule.sets) if event.on >= start]
        if given and not any(given[-1].on == one.on for one in counted):
            advice = replace(advice, why=(*advice.why, Clause("too-early", (given[-1].on,))))
    return advice


def not_known(case: Case) -> tuple[str, ...]:
    """What of `who` is not known, in the order sex, none, all, any, without repeating."""
    who = case.version.who
    names = ["sex"] if who.sex is not None and case.person.sex is None else []
    names += [fact for fact in (*who.none, *who.all) if case.knows(fact) is None]
    if not any(case.knows(fact) is True for fact in who.any):
        names += [fact for fact in who.any if case.knows(fact) is None]
    return tuple(dict.fromkeys(names))


# --- once, each.


def windows_of(version: Version, born: date) -> list[Window]:
    """In order; each cut to A; empty ones dropped."""
    who, schedule = version.who, version.schedule
    a = window(born, who.age)
    if schedule.each is None:
        drawn: tuple[Window, ...] = (a,)
    elif schedule.each == "age":
        starts = [after(born, age) for age in schedule.ages]
        drawn = tuple(Window(s, e) for s, e in zip(starts, [*starts[1:], ENDLESS], strict=True))
    elif schedule.each == "year":
        drawn = years(born)
    else:
        assert who.season is not None
        drawn = seasons(who.season, born.year - 1)
    cut = [one.cut(a) for one in drawn]
    return [one for one in cut if one.start < one.end]


@lru_cache(maxsize=1000)
def years(born: date) -> tuple[Window, ...]:
    """Each year of age, from birthday to birthday."""
    return tuple(Window(moved(born, 12 * n, 0), moved(born, 12 * (n + 1), 0)) for n in range(LONGEST_LIFE))


@lru_cache(maxsize=1000)
def seasons(season: Season, first: int) -> tuple[Window, ...]:
    """Each year's season, from that year; it may run over the new year."""
    over = 1 if season.before <= season.start else 0
    return tuple(
        Window(date(year, *season.start), date(year + over, *season.before))
        for year in range(first, first + LONGEST_LIFE)
    )


def counting(case: Case, one: Window) -> list[Event]:
    """The events that count for a window: s - early <= the date < e."""
    early = case.version.schedule.early
    return [
        event
        for event in case.events(case.version.schedule.sets)
        if event.on < one.end and (early is None or before(one.start, early) <= event.on)
    ]


def windowed(case: Case, born: date) -> Advice:
    """once, and each: age, year, season."""
    windows = windows_of(case.version, born)
    late = case.version.schedule.late
    current = [one for one in windows if one.holds(case.on)]
    coming = [one for one in windows if one.start > case.on]
    gone = [one for one in windows if one.end <= case.on]
    w = current[0] if current else None
    n = coming[0] if coming else None
    after_n = coming[1] if len(coming) > 1 else None
    p = gone[-1] if gone else None
    for_n = counting(case, n) if n else []
    if w is not None:
        for_w = counting(case, w)
        if not for_w:
            return case.at(w.start, w.end, late)
        if n and not for_n and case.is_soon(n.start):
            return case.at(n.start, n.end, late)
        if for_n:
            return case.done(for_n[-1], after_n.start if after_n else None)
        return case.done(for_w[-1], n.start if n else None)
    if n and for_n:
        return case.done(for_n[-1], after_n.start if after_n else None)
    if n and case.is_soon(n.start):
        return case.at(n.start, n.end, late)
    if p and counting(case, p):
        return case.done(counting(case, p)[-1], n.start if n else None)
    if n:
        return case.not_yet(n.start)
    if p:
        return case.past(p.end)
    # With no window at all, past of the end of A (of its start when A is empty or endless).
    a = window(born, case.version.who.age)
    return case.past(a.start if a.end == ENDLESS or a.end <= a.start else a.end)


# --- pregnancy.


def pregnancy(case: Case, born: date) -> Advice:
    """each = "pregnancy"."""
    a = window(born, case.version.who.age)
    going_on = [one for one in case.person.pregnancies if one.start <= case.on < lasts_until(one)]
    if going_on:
        last = sorted(going_on, key=lambda one: one.start)[-1]  # of one day: the last listed
        weeks = case.version.who.pregnancy or Range()
        one = window(last.start, weeks).cut(Window(last.start, lasts_until(last))).cut(a)
        if case.version.who.season is not None:
            cut = [one.cut(season) for season in seasons(case.version.who.season, last.start.year - 1)]
            one = next((met for met in cut if met.start < met.end), Window(one.start, one.start))
        if one.end <= one.start:
            end = lasts_until(last)
            return case.answer(Status.NOT_CONCERNED, Clause("not-this-time", (end,)), until=end)
        counted = counting(case, one)
        if counted:
            return case.done(counted[-1], None)
        if case.on < one.start:
            soon = case.is_soon(one.start)
            return case.at(one.start, one.end, case.version.schedule.late) if soon else case.not_yet(one.start)
        if case.on < one.end:
            return case.at(one.start, one.end, case.version.schedule.late)
        return case.past(one.end)
    if case.on < a.start:
        return case.not_yet(a.start)
    if a.end <= case.on:
        return case.past(a.end)
    pregnant = case.knows("pregnant")
    if pregnant is False:
        return case.answer(Status.NOT_CONCERNED, Clause("not-pregnant"))
    missing = "pregnancy-start" if pregnant else "pregnant"
    return case.answer(Status.ASK, Clause("ask", (missing,)), missing=(missing,))


# --- every.


def every(case: Case, born: date) -> Advice:
    """What was done holds for some time."""
    a = window(born, case.version.who.age)
    # Each event holds until its date + for, by several holds the longest; H: the latest such end, by its latest event.
    held: tuple[date, Event] | None = None
    for event in case.events(frozenset().union(*(hold.sets for hold in case.version.schedule.holds))):
        end = max(after(event.on, hold.lasts) for hold in case.version.schedule.holds if event.sets & hold.sets)
        if held is None or end >= held[0]:
            held = (end, event)
    due = a.start if held is None else max(a.start, held[0])
    if case.on >= a.end:
        return case.done(held[1], None) if held is not None and held[0] > case.on else case.past(a.end)
    if due >= a.end:
        assert held is not None
        return case.done(held[1], None)
    if not case.is_soon(due):
        if due == a.start:
            return case.not_yet(a.start)
        assert held is not None
        return case.done(held[1], due)
    return case.at(due, a.end, case.version.schedule.late)


# --- series.


def series(case: Case, born: date) -> tuple[Advice, list[Event]]:
    """The answer, and the events that were counted."""
    schedule = case.version.schedule
    course: Course | None = None
    counted: list[Event] = []
    for event in case.events(schedule.sets):
        if course is None:
            course = next((one for one in schedule.courses if opens(event, one, born)), None)
            if course is not None:
                counted.append(event)
        elif len(counted) < len(course.doses):
            dose, last = course.doses[len(counted)], counted[-1]
            reached = after(born, dose.min_age) <= event.on and after(last.on, dose.min_after) <= event.on
            if event.sets & course.sets and reached and event.on > last.on:
                counted.append(event)
    if course is None:
        course = first_course(case, born)
    if course is None:
        ends = [after(born, one.start.before) for one in schedule.courses if one.start.before is not None]
        return case.past(max(ends)), counted
    if len(counted) == len(course.doses):
        return case.done(counted[-1], None), counted
    a = window(born, case.version.who.age)
    end = a.end if course.before is None else min(a.end, after(born, course.before))
    step = len(counted) + 1
    dose = course.doses[step - 1]
    due = dose_due(dose, course, a, born, counted)
    if case.on >= end or due >= end:
        return case.past(end, step), counted
    if not case.is_soon(due):
        return case.done(counted[-1], due, step) if counted else case.not_yet(due, step), counted
    return case.at(due, end, schedule.late if dose.late is None else dose.late, step), counted


def opens(event: Event, course: Course, born: date) -> bool:
    """In its products, at an age that its start holds, and that the first dose counts from."""
    started = window(born, course.start).holds(event.on)
    return bool(event.sets & course.sets) and started and after(born, course.doses[0].min_age) <= event.on


def first_course(case: Case, born: date) -> Course | None:
    """No dose yet: the first whose start holds t; else the one that starts next after t; else none."""
    courses = case.version.schedule.courses
    for one in courses:
        if window(born, one.start).holds(case.on):
            return one
    coming = [one for one in courses if window(born, one.start).start > case.on]
    return min(coming, key=lambda one: window(born, one.start).start) if coming else None


def dose_due(dose: Dose, course: Course, a: Window, born: date, counted: Sequence[Event]) -> date:
    """The latest of all that it waits for."""
    waits = [a.start, after(born, dose.min_age)]
    if dose.age is not None:
        waits.append(after(born, dose.age))
    if counted:
        waits.append(after(counted[-1].on, dose.min_after))
        if dose.after is not None:
            waits.append(after(counted[-1].on, dose.after))
    else:
        waits.append(after(born, course.start.start))
    return max(waits)
