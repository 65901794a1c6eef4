"""What prevention costs: for one person, and for a million.

The rule: the floor is the same rules as a plain loop over tuples that only compares ages and sexes; only evaluating is
timed, not making people up; and before a population counts, its answers are those of the plain engine.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from random import Random

from bench.line import Line
from phr.prevention.codes import ABOVE
from phr.prevention.crowd import Crowd
from phr.prevention.dates import NEVER
from phr.prevention.engine import advise
from phr.prevention.person import Event, Person
from phr.prevention.rulebook import RULES

ON = date(2026, 11, 22)
POPULATION, COMPARED = 1_000_000, 100_000
CHUNK, PROCESSES, EVENTS = 10_000, 2, 10
OLDEST = 95 * 365
_SETS = sorted(ABOVE)


def people(seed: int, count: int, youngest: int = 1, oldest: int = OLDEST) -> list[Person]:
    """People between two ages, in days, with ten events each, in the order of their births."""
    random = Random(seed)
    return sorted((_somebody(random, youngest, oldest) for _ in range(count)), key=lambda one: one.born or NEVER)


def _somebody(random: Random, youngest: int, oldest: int) -> Person:
    age = random.randrange(youngest, oldest)
    born = ON - timedelta(age)
    events = sorted(Event(born + timedelta(random.randrange(age)), ABOVE[random.choice(_SETS)]) for _ in range(EVENTS))
    return Person(born, random.choice(("female", "male")), tuple(events))


def one_person() -> list[Line]:
    """All the rules for one person, against a plain loop over tuples."""
    some = people(1, 300)
    rules: list[tuple[str, str | None, int, int]] = [
        (
            rule.id,
            rule.versions[0].who.sex,
            age.start.months * 30,
            36_500 if age.before is None else age.before.months * 30,
        )
        for rule in RULES.all
        for age in [rule.versions[0].who.age]
    ]
    floor = _per_person(
        some, lambda one: [(name, _plainly(one, sex, start, before)) for name, sex, start, before in rules]
    )
    plain = _per_person(some, lambda one: advise(RULES, one, ON))
    crowd = Crowd(RULES, ON)
    for one in some:
        crowd.advise(one)
    shared = _per_person(some, crowd.advise)
    told = f"{floor * 1e6:.0f} µs"
    what = f"prevention, {len(RULES.all)} rules, one person"
    return [
        Line(f"{what}, alone", f"{plain * 1e6:.0f} µs", told, f"{plain / floor:.1f}", "150 µs"),
        Line(f"{what}, among others", f"{shared * 1e6:.0f} µs", told, f"{shared / floor:.1f}", "150 µs"),
    ]


def _plainly(one: Person, sex: str | None, start: int, before: int) -> str:
    days = (ON - one.born).days if one.born is not None else 0
    return "due" if sex in (None, one.sex) and start <= days < before else "not-concerned"


def _per_person(some: Sequence[Person], ask: Callable[[Person], object]) -> float:
    begun = time.perf_counter()
    for one in some:
        ask(one)
    return (time.perf_counter() - begun) / len(some)


def _chunk(seed: int, compared: bool) -> float:
    """Everybody of some birth dates in a row: the seconds of evaluating them."""
    ages = OLDEST * CHUNK // POPULATION
    some, crowd = people(seed, CHUNK, 1 + seed * ages, 1 + (seed + 1) * ages), Crowd(RULES, ON)
    begun = time.perf_counter()
    for one in some:
        crowd.advise(one)
    whole = time.perf_counter() - begun
    if compared:
        assert all(crowd.advise(one) == advise(RULES, one, ON) for one in some), "the crowd's answers are the engine's"
    return whole


def population() -> Line:
    """A million people on two cores."""
    chunks = POPULATION // CHUNK
    with ProcessPoolExecutor(PROCESSES) as pool:
        whole = sum(pool.map(_chunk, range(chunks), [n % (POPULATION // COMPARED) == 0 for n in range(chunks)]))
    what = f"prevention, {POPULATION:,} people, {PROCESSES} processes"
    return Line(what, f"{whole / PROCESSES:.0f} s", "", "", "30 s")
