"""What a line gives, what was given of it and what is left, out of FHIR."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phr.core.errors import DomainError, Reason
from phr.prescription.supply import REGULATION, Given, Line, finished, given_of, line_of, remaining

WRITTEN, END = date(2026, 1, 15), date(2027, 1, 16)
Json = dict[str, Any]


def request(**asked: Any) -> Json:
    return {"resourceType": "MedicationRequest", "id": "a", "dispenseRequest": asked}


def dispense(**more: Any) -> Json:
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "authorizingPrescription": [{"reference": "MedicationRequest/a"}],
        "quantity": {"value": Decimal("28"), "unit": "tablet"},
        "whenHandedOver": "2026-01-20T10:00:00+01:00",
        **more,
    }


def counted(quantity: str | None = "30", repeats: int = 0) -> Line:
    number = None if quantity is None else Decimal(quantity)
    return Line("a", number, "tablet", repeats, 30, WRITTEN, END)


def gave(*quantities: str | None, line: str = "a") -> list[Given]:
    return [Given(line, None if one is None else Decimal(one), WRITTEN) for one in quantities]


def test_a_line_is_read_whole() -> None:
    body = request(
        quantity={"value": Decimal("30"), "unit": "tablet"},
        expectedSupplyDuration={"value": 30, "unit": "d"},
        numberOfRepeatsAllowed=2,
        validityPeriod={"start": "2026-01-15", "end": "2026-06-30"},
    )
    body["extension"] = [{"url": REGULATION, "valueCode": code} for code in ("list-i", "hypnotic")]
    body["extension"].append({"url": "https://carnet.example/StructureDefinition/ald", "valueBoolean": True})
    found = line_of(body, WRITTEN, END)
    regulations = frozenset({"list-i", "hypnotic"})
    assert found == Line("a", Decimal(30), "tablet", 2, 30, WRITTEN, date(2026, 6, 30), regulations)


def test_a_line_in_words_alone_has_no_quantity() -> None:
    found = line_of({"resourceType": "MedicationRequest", "id": "a"}, WRITTEN, END)
    assert found == Line("a", None, "", 0, None, WRITTEN, END)


def test_the_earlier_of_two_ends_is_the_end() -> None:
    assert line_of(request(validityPeriod={"end": "2028-01-01"}), WRITTEN, END).until == END
    # Half an hour after midnight in Paris, still the day before in London.
    assert line_of(request(validityPeriod={"end": "2026-06-30T22:30:00Z"}), WRITTEN, END).until == date(2026, 7, 1)


@pytest.mark.parametrize("value", [0, -1, Decimal("NaN"), Decimal("Infinity"), "30", True, 10**7, Decimal("0.00001")])
def test_a_quantity_that_cannot_be_counted_is_refused(value: object) -> None:
    with pytest.raises(DomainError) as refused:
        line_of(request(quantity={"value": value, "unit": "tablet"}), WRITTEN, END)
    assert refused.value.reason is Reason.CONTENT
    assert refused.value.issues[0].expression == "MedicationRequest.dispenseRequest.quantity"
    with pytest.raises(DomainError):
        given_of(dispense(quantity={"value": value}))


@pytest.mark.parametrize(
    "duration",
    [{"value": 0, "unit": "d"}, {"value": 2.5, "unit": "d"}, {"value": 367, "unit": "d"}, {"value": 4, "unit": "wk"}],
)
def test_a_duration_is_a_number_of_days(duration: Json) -> None:
    with pytest.raises(DomainError) as refused:
        line_of(request(expectedSupplyDuration=duration), WRITTEN, END)
    assert refused.value.reason is Reason.CONTENT
    assert (
        line_of(request(expectedSupplyDuration={"value": 7.0, "unit": "jours", "code": "d"}), WRITTEN, END).duration
        == 7
    )


@pytest.mark.parametrize("repeats", [-1, 100, True, 1.5, "2"])
def test_repeats_are_a_small_number(repeats: object) -> None:
    with pytest.raises(DomainError):
        line_of(request(numberOfRepeatsAllowed=repeats), WRITTEN, END)


def test_a_regulation_nobody_knows_is_refused() -> None:
    body = {**request(), "extension": [{"url": REGULATION, "valueCode": "list-iii"}]}
    with pytest.raises(DomainError):
        line_of(body, WRITTEN, END)


def test_a_dispensing_is_read_whole() -> None:
    found = given_of(dispense(daysSupply={"value": 28, "unit": "d"}))
    assert found == Given("a", Decimal(28), date(2026, 1, 20), 28)
    silent = dispense()
    del silent["quantity"]
    assert given_of(silent) == Given("a", None, date(2026, 1, 20))


@pytest.mark.parametrize("status", ["declined", "entered-in-error", "cancelled", None])
def test_what_was_not_given_is_not_counted(status: str | None) -> None:
    assert given_of({"status": status, "authorizingPrescription": [{"reference": "MedicationRequest/a"}]}) is None


@pytest.mark.parametrize(
    ("at", "on"),
    [
        ("2026-01-20", date(2026, 1, 20)),
        ("2026-01-20T22:59:59Z", date(2026, 1, 20)),
        ("2026-01-20T23:00:00Z", date(2026, 1, 21)),
        ("2026-07-20T21:59:59Z", date(2026, 7, 20)),
        ("2026-07-20T22:00:00Z", date(2026, 7, 21)),
        ("2026-01-20T23:30:00.000-05:00", date(2026, 1, 21)),
    ],
)
def test_a_dispensing_is_of_a_day_in_paris(at: str, on: date) -> None:
    found = given_of(dispense(whenHandedOver=at))
    assert found is not None
    assert found.on == on


@pytest.mark.parametrize(
    "at", [None, "", "2026", "2026-02", "2026-02-30", "2026-01-20T10:00:00", "9999-12-31T23:59:59Z", 5]
)
def test_a_day_that_is_not_one_is_refused(at: object) -> None:
    with pytest.raises(DomainError) as refused:
        given_of(dispense(whenHandedOver=at))
    assert refused.value.reason is Reason.CONTENT


@pytest.mark.parametrize(
    "named", [[], ["Patient/a"], ["MedicationRequest/"], ["MedicationRequest/a", "MedicationRequest/b"]]
)
def test_a_dispensing_is_of_one_line(named: list[str]) -> None:
    with pytest.raises(DomainError):
        given_of(dispense(authorizingPrescription=[{"reference": one} for one in named]))


def test_what_is_left_counts_this_line_alone() -> None:
    line = counted(repeats=2)
    assert remaining(line, []) == 90
    assert remaining(line, [*gave("30", "10.5"), *gave("40", line="b")]) == Decimal("49.5")
    assert remaining(line, gave("30", None)) == 30
    assert remaining(line, gave("90", "1")) == 0


def test_a_line_that_is_not_counted_is_never_short() -> None:
    line = counted(None, repeats=1)
    assert remaining(line, gave("500", None)) is None
    assert not finished([line], gave("500"))
    assert finished([line], gave("500", None))


def test_a_prescription_is_finished_when_nothing_is_left_of_any_line() -> None:
    other = Line("b", Decimal(1), "box", 0, None, WRITTEN, END)
    assert not finished([counted(), other], gave("30"))
    assert not finished([counted(), other], [*gave("29.99"), *gave("1", line="b")])
    assert finished([counted(), other], iter([*gave("20", "10"), *gave("2", line="b")]))


AMOUNTS = st.decimals("0.0001", 100, places=4)


@settings(max_examples=200)
@given(AMOUNTS, st.integers(0, 12), st.lists(st.none() | AMOUNTS, max_size=8), AMOUNTS)
def test_what_is_left_is_never_below_zero_and_never_grows(
    quantity: Decimal, repeats: int, taken: Iterable[Decimal | None], more: Decimal
) -> None:
    line = Line("a", quantity, "tablet", repeats, None, WRITTEN, END)
    history = [Given("a", one, WRITTEN) for one in taken]
    before, after = remaining(line, history), remaining(line, [*history, Given("a", more, WRITTEN)])
    assert before is not None
    assert after is not None
    assert 0 <= after <= before <= quantity * (1 + repeats)
    assert before - after == min(more, before)
    assert finished([line], history) == (before == 0)
