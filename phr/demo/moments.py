"""Dates of the demo world, all counted from one day, `today`: nobody ages and nothing happens tomorrow."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


def instant(day: date, hour: int = 9, minute: int = 0) -> str:
    """A FHIR instant at that wall-clock time in France, with its offset."""
    return datetime.combine(day, time(hour, minute), PARIS).isoformat()


def born(today: date, age: int, month: int, day: int) -> date:
    """The latest birth date on that day and month of somebody who is `age` years old today."""
    this_year = date(today.year, month, day)
    return date(today.year - age - (this_year > today), month, day)


def months_after(start: date, months: int) -> date:
    """The same day `months` calendar months later, at most the 28th."""
    years, month = divmod(start.month - 1 + months, 12)
    return date(start.year + years, month + 1, min(start.day, 28))


def french(day: date) -> str:
    """A date as it is written on a French letter, `03/02/2026`."""
    return day.strftime("%d/%m/%Y")
