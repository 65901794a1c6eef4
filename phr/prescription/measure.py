"""Quantities, days of supply and days of the calendar, out of the FHIR of lines and dispenses.

The rule: read strictly, within bounds that keep every sum exact, or refused with where.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from phr.core.errors import invalid
from phr.prevention import dates

Json = Mapping[str, Any]
_MOST, _DECIMALS, _YEAR = Decimal(1_000_000), 4, 366


def amount(quantity: Json, where: str) -> Decimal | None:
    """The value of a Quantity; None: it has none. Raises CONTENT (422)."""
    value = quantity.get("value")
    if value is None:
        return None
    number = Decimal(str(value)) if type(value) in (int, float, Decimal) else Decimal(0)
    if not number.is_finite() or not 0 < number <= _MOST or round(number, _DECIMALS) != number:
        raise invalid(f"More than 0, {_DECIMALS} decimals at most.", where, "value")
    return number


def days(lasting: Json, where: str) -> int | None:
    """The whole days of a Duration; None: it has none. Raises CONTENT (422)."""
    value = lasting.get("value")
    if value is None:
        return None
    number = Decimal(str(value)) if type(value) in (int, float, Decimal) else Decimal(0)
    if lasting.get("code", lasting.get("unit")) != "d" or not 1 <= number <= _YEAR or number % 1:
        raise invalid(f"A whole number of days (d), {_YEAR} at most.", where, "value")
    return int(number)


def day(text: object, where: str) -> date:
    """The day in Paris of a date, or of an instant with its zone. Raises CONTENT (422)."""
    try:
        said = str(text)
        at = None if len(said) == len("2026-01-01") else datetime.fromisoformat(said)
        day = date.fromisoformat(said) if at is None else dates.day(at)
    except (ValueError, OverflowError):
        raise invalid("A day, or an instant with its zone.", where, "value") from None
    if at is not None and at.tzinfo is None:
        raise invalid("An instant says its zone.", where, "value")
    return day
