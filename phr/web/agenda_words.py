"""An agenda in plain words: when, how often, how long before.

The rule: what is said is what the rule does: "tous les mois, le 31" says nothing of months without one.
"""

from datetime import datetime, timedelta

from phr.agenda.recurrence import LAST, Recurrence
from phr.agenda.schedule import Times
from phr.agenda.wall import Before, before, wall_of
from phr.web.words import TEXTS


def clock(at: datetime, language: str) -> str:
    """An hour on the clock: 8 h, 8 h 30; 08:30 in English."""
    if language != "fr":
        return f"{at:%H:%M}"
    return f"{at.hour}\u00a0h" + (f"\u00a0{at.minute:02d}" if at.minute else "")


def day(at: datetime, language: str) -> str:
    """A day: jeudi 24 décembre 2026."""
    text = TEXTS[language]
    number = "1er" if language == "fr" and at.day == 1 else str(at.day)
    return f"{text[f'agenda_day_{at.weekday()}']} {number} {text[f'agenda_month_{at.month}']} {at.year}"


def moment(at: datetime, language: str) -> str:
    """A day and an hour, in Paris."""
    there = wall_of(at)
    return f"{day(there, language)}{TEXTS[language]['agenda_at']}{clock(there, language)}"


def repeated(times: Times, language: str) -> str:
    """How often: tous les lundis à 8 h."""
    rule, text = times.rule, TEXTS[language]
    if rule is None:
        return day(times.start, language) + text["agenda_at"] + clock(times.start, language)
    return _often(rule, times.start, language) + text["agenda_at"] + clock(times.start, language) + _end(rule, language)


def early(one: Before, language: str) -> str:
    """How long before: la veille, 2 jours avant, 1 h avant."""
    text, minutes = TEXTS[language], int(one.exact.total_seconds()) // 60
    found = [(one.days, "days"), (minutes // 60, "hours"), (minutes % 60, "minutes")]
    told = [text[f"agenda_before_{name}_{'one' if n == 1 else 'many'}"].format(n=n) for n, name in found if n]
    return text["agenda_before"].format(long=" ".join(told)) if told else text["agenda_before_none"]


def early_of(text: str, language: str) -> str:
    """The same, of an ISO 8601 duration."""
    return early(before(text), language)


def _often(rule: Recurrence, start: datetime, language: str) -> str:
    text, n = TEXTS[language], rule.interval
    name = rule.freq.lower()
    if rule.freq == "WEEKLY":
        chosen = [day for _, day in rule.days] or [start.weekday()]
        every_day = n == 1 and len(chosen) == 7
        if n == 1 and not every_day:
            return text["agenda_every"] + _listed([text[f"agenda_days_{one}"] for one in chosen], language)
        if every_day:
            return text["agenda_daily_one"]
        names = _listed([text[f"agenda_on_day_{one}"] for one in chosen], language)
        return text["agenda_weekly_many"].format(n=n) + f", {names}"
    told = text[f"agenda_{name}_one"] if n == 1 else text[f"agenda_{name}_many"].format(n=n)
    if rule.freq == "MONTHLY":
        return f"{told}, {_in_month(rule, start, language)}"
    if rule.freq == "YEARLY":
        date = text["agenda_date"].format(day=_nth(start.day, language), month=text[f"agenda_month_{start.month}"])
        return f"{told}, {date}"
    return told


def _in_month(rule: Recurrence, start: datetime, language: str) -> str:
    text = TEXTS[language]
    if rule.days:
        [(nth, weekday)] = rule.days
        which = text["agenda_which_last" if nth == LAST else f"agenda_which_{nth}"]
        return text["agenda_which"].format(which=which, day=text[f"agenda_day_{weekday}"])
    if rule.month_day == LAST:
        return text["agenda_last_day"]
    return text["agenda_the"].format(day=_nth(rule.month_day or start.day, language))


def _nth(number: int, language: str) -> str:
    return "1er" if language == "fr" and number == 1 else str(number)


def _end(rule: Recurrence, language: str) -> str:
    text = TEXTS[language]
    if rule.count:
        return text["agenda_count_one" if rule.count == 1 else "agenda_count_many"].format(n=rule.count)
    if rule.until is None:
        return ""
    return text["agenda_until"].format(day=day(wall_of(rule.until - timedelta(seconds=1)), language))


def _listed(names: list[str], language: str) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + TEXTS[language]["agenda_and"] + names[-1]
