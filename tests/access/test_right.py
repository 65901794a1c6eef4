"""What may be written, said again one sentence at a time; and who is a reader at all."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from auth.claims import Claims
from fhir.parameters import KINDS
from phr.access.provision import Right
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
from phr.access.right import DECIDED, Allowed, Change, Refused, may_act_for, may_decide
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


POWERS = ("documents", "message", "prescriptions", "agenda")


def check_powers() -> None:
    """A caregiver's powers reach what they were given for, and never who sees, nor masks."""
    same, masked = (
        Change(True, frozenset(), labels, lambda: True) for labels in (frozenset(), frozenset({"MASQUE_PS"}))
    )
    for kind, power in (("DocumentReference", 0), ("Communication", 1), ("MedicationRequest", 2), ("Appointment", 3)):
        for given in POWERS:
            allowed = isinstance(may_act_for(frozenset({given}), KINDS[kind], same), Allowed)
            assert allowed is (given == POWERS[power]), (kind, given)
        assert isinstance(may_act_for(frozenset(POWERS), KINDS[kind], masked), Refused)
        assert isinstance(may_act_for(frozenset({"consult"}), KINDS[kind]), Refused)
        assert isinstance(may_act_for(None, KINDS[kind], masked), Allowed)
    for kind in ("Consent", "RelatedPerson", "Patient", "Subscription"):
        assert isinstance(may_act_for(frozenset(POWERS), KINDS[kind]), Refused)


def check_decisions() -> None:
    """Rights by plain REST: the person's, never opened again, and not what an operation opens."""
    person, mum = Citizen("c", "s", "r"), Delegate("c", "s", "r")
    doctor = Professional("c", DOCTOR, None, None)
    for right in Right:
        new = may_decide(person, right, None, "active", mine=True)
        assert isinstance(new, Allowed) is (right in DECIDED), right
        assert isinstance(may_decide(mum, right, None, "active", mine=True), Allowed) is (right in DECIDED)
        assert isinstance(may_decide(doctor, right, None, "active", mine=True), Refused)
        assert isinstance(may_decide(person, right, None, "proposed", mine=True), Refused)
        assert isinstance(may_decide(person, right, "inactive", "active", mine=True), Refused)
        for after in ("inactive", "entered-in-error"):
            ended = may_decide(person, right, "active", after, mine=False)
            assert isinstance(ended, Allowed) is (right in DECIDED), right
        assert isinstance(may_decide(person, right, "active", "active", mine=False), Refused)
        assert isinstance(may_decide(person, right, "active", "active", mine=True), Allowed) is (right in DECIDED)
        assert isinstance(may_decide(doctor, right, "active", "inactive", mine=True), Refused)
    assert isinstance(may_decide(doctor, None, None, "active", mine=True), Allowed)


def test_what_a_caregiver_may_do() -> None:
    check_powers()


def test_who_decides_by_writing_a_consent() -> None:
    check_decisions()
