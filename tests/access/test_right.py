"""What may be written, said again one sentence at a time; and who is a reader at all."""

from datetime import UTC, datetime
from typing import Any

import pytest

from auth.claims import Claims
from phr.access.reader import Citizen, Depositor, Operator, System, identity, reader_of
from phr.core.errors import DomainError, Reason
from tests.access import killers


def test_what_may_be_written() -> None:
    killers.check_rights()


def claims(kind: str, record: str | None = None) -> Claims:
    values: dict[str, Any] = {"scopes": (), "jti": "x", "grant": None, "expires": datetime(2026, 1, 1, tzinfo=UTC)}
    return Claims(client="c", kind=kind, subject="s", record=record, **values)


def test_claims_make_a_reader() -> None:
    assert reader_of(claims("citizen-app", "r")) == Citizen("c", "s", "r")
    assert reader_of(claims("deposit")) == Depositor("c")
    assert reader_of(claims("operator")) == Operator("c")


@pytest.mark.parametrize("kind", ["citizen-app", "system", "professional", "", "Deposit"])
def test_a_claim_that_fits_no_kind_makes_no_reader(kind: str) -> None:
    with pytest.raises(DomainError) as refused:
        reader_of(claims(kind))
    assert refused.value.reason is Reason.FORBIDDEN


def test_no_two_kinds_of_author_share_a_name() -> None:
    assert identity(Citizen("app", "x", "r")) == "account:x"
    assert {identity(reader) for reader in (Depositor("x"), Operator("x"), System("x"))} == {"client:x"}
