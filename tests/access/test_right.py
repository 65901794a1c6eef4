"""What may be written, said again one sentence at a time; and who is a reader at all."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from auth.claims import Claims
from phr.access.reader import (
    Citizen,
    Delegate,
    Depositor,
    Operator,
    Professional,
    Reader,
    System,
    identity,
    reader_of,
)
from phr.core.errors import DomainError, Reason
from tests.access import killers
from tests.access.worlds import DOCTOR, SECRETARY


def test_what_may_be_written() -> None:
    killers.check_rights()


def claims(kind: str, record: str | None = None, **more: Any) -> Claims:
    values: dict[str, Any] = {"scopes": (), "jti": "x", "grant": None, "expires": datetime(2026, 1, 1, tzinfo=UTC)}
    return replace(Claims(client="c", kind=kind, subject="s", record=record, **values), **more)


READERS: tuple[tuple[Claims, Reader], ...] = (
    (claims("citizen-app", "r"), Citizen("c", "s", "r")),
    (claims("citizen-app", "r", actor="s"), Delegate("c", "s", "r")),
    (claims("professional", professional=DOCTOR), Professional("c", DOCTOR, None, None)),
    (claims("professional", "r", professional=DOCTOR), Professional("c", DOCTOR, "r", None)),
    (
        claims("professional", professional=DOCTOR, assistant=SECRETARY, actor=SECRETARY.id),
        Professional("c", DOCTOR, None, SECRETARY),
    ),
    (claims("pharmacy", professional=DOCTOR, scopes=("user/*.rs",)), Professional("c", DOCTOR, None, None)),
    (claims("pharmacy", scopes=("system/*.cruds",)), Depositor("c")),
    (claims("deposit"), Depositor("c")),
    (claims("operator"), Operator("c")),
)
NOBODY = (
    *map(claims, ("citizen-app", "system", "professional", "", "Deposit")),
    claims("citizen-app", "r", actor="another"),
    claims("professional", "r", assistant=SECRETARY, actor=SECRETARY.id),
    claims("professional", professional=DOCTOR, actor=SECRETARY.id),
    claims("professional", professional=DOCTOR, assistant=SECRETARY),
    claims("professional", professional=DOCTOR, assistant=SECRETARY, actor=DOCTOR.id),
    claims("pharmacy", scopes=("user/*.rs",)),
    claims("pharmacy", scopes=("system/*.rs", "user/*.rs")),
    claims("pharmacy", scopes=("system/*.rs",), actor=SECRETARY.id),
)


def _refused(held: Claims) -> Reason | None:
    try:
        reader_of(held)
    except DomainError as refused:
        return refused.reason
    return None


def check_readers() -> None:
    """Each kind of claims makes its reader, and what fits none makes none."""
    for held, reader in READERS:
        assert reader_of(held) == reader
    for held in NOBODY:
        assert _refused(held) is Reason.FORBIDDEN, held
    test_no_two_kinds_of_author_share_a_name()


def test_claims_make_a_reader_or_none() -> None:
    check_readers()


def test_no_two_kinds_of_author_share_a_name() -> None:
    assert {identity(one) for one in (Citizen("app", "x", "r"), Delegate("app", "x", "other"))} == {"account:x"}
    assert {identity(reader) for reader in (Depositor("x"), Operator("x"), System("x"))} == {"client:x"}


def test_what_an_assistant_writes_is_the_professionals() -> None:
    alone, helped = Professional("a", DOCTOR, None, None), Professional("b", DOCTOR, "r", SECRETARY)
    assert identity(alone) == identity(helped) == "professional:810001"
