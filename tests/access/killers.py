"""The kill-set: the fastest checks of this folder; every mutant of the policy must fail one of them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from fhir.parameters import KINDS
from fhir.predicate import And, Not, Or
from phr.access.installation import Installation
from phr.access.reader import Citizen, Delegate, Depositor, Operator, Professional, Reader, System
from phr.access.right import Change, Refused, may_change, may_create, may_delete
from phr.core.database import Database, psycopg_url
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import from_environment
from phr.core.vault import KeyFile
from tests.access import (
    test_consent,
    test_guard,
    test_right,
    test_rights_table,
    test_scope,
    test_truth_table,
    test_who_acted,
    worlds,
)
from tests.fhir import folds, test_predicate

MASKED, HIDDEN, FROM_PROXIES = "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"
TOLD: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({HIDDEN}), frozenset()),
    (frozenset({MASKED, HIDDEN}), frozenset({MASKED})),
)
"""A professional tells the person in person: what awaited its announcement is shown, and nothing else changes."""
Check = Callable[[], Awaitable[None] | None]


def checks(server: str, number: str, folder: Path) -> list[tuple[str, Check]]:
    """The checks by name, quickest first. `server`: the URL of the database that holds the tiny worlds."""
    folder.mkdir(parents=True)
    settings = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(folder)})
    keks = KeyEncryptionKeys(KeyFile.create(folder / "keks.json", "test"))
    alone: Any = Installation.make(settings, None, keks, SystemKeys({"commons": b"c" * 32}))  # type: ignore[arg-type]

    async def rows() -> None:
        database = await Database.connect(server, 1)
        async with database.session() as session:
            await test_truth_table.check_rows(session)
        await database.close()

    async def both_folds() -> None:
        database = await Database.connect(_copy(server, f"folds_{number}"), 1)
        async with database.session() as session:
            await check_atoms(session)
            await test_predicate.check_instants(session)
            await test_predicate.check_dates(session)
        await database.close()

    async def living(name: str) -> None:
        # The whole application is loaded only for the mutants that need it.
        from tests.access import living
        from tests.house import House

        async with House.build(settings, _copy(server, f"{name}_{number}")) as house:
            await living.CHECKS[name](house)

    return [
        ("guard", check_lens),
        ("rights", check_rights),
        ("readers", test_right.check_readers),
        ("scopes", test_scope.check_expressible),
        ("who", test_who_acted.check_who),
        ("shapes", test_predicate.check_shapes),
        ("policy", lambda: _nothing(test_truth_table.check_policy())),
        ("views", lambda: test_truth_table.check_views(alone)),
        ("consents", test_consent.check_consents),
        ("lent", lambda: _nothing(test_rights_table.check_rights())),
        ("rows", rows),
        ("folds", both_folds),
        ("trust", lambda: living("trust")),
        ("doors", lambda: living("doors")),
        ("journal", lambda: living("journal")),
    ]


def _nothing(_: object) -> None:
    """What a check answers when it is content."""


def _copy(server: str, name: str) -> str:
    """A migrated database of that name beside `server`; its URL."""
    engine = create_engine(psycopg_url(server), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE migrated")
    engine.dispose()
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


def check_lens() -> None:
    """The guard, and what a lens is."""
    test_guard.check_guard()
    test_guard.test_each_alias_is_fresh()
    test_guard.test_a_lens_only_narrows()
    test_guard.test_a_row_of_another_record_does_not_open()
    test_guard.test_statements_through_a_lens_pass()


async def check_atoms(session: Any) -> None:
    """Every atom alone, negated and combined, over a few hundred rows that are not drawn at random."""
    rows, atoms = folds.some_rows(), folds.some_atoms()
    asked = [
        *atoms,
        *map(Not, atoms),
        *(kind((atoms[n - 1], atoms[n])) for n in range(len(atoms)) for kind in (And, Or)),
    ]
    await test_predicate.agree(session, rows, asked)


READERS: tuple[Reader, ...] = (
    Citizen("a", "a", "r"),
    Delegate("a", "b", "r"),
    Professional("p", worlds.DOCTOR, "r", worlds.SECRETARY),
    Depositor("d"),
    Operator("o"),
    System("s"),
)


def check_rights() -> None:
    """What may be written, said again one sentence at a time."""
    for reader in READERS:
        citizen, outside = isinstance(reader, Citizen | Delegate), isinstance(reader, Operator | System)
        for name in ("AuditEvent", "Patient", "Practitioner", "Observation", "DocumentReference", "Binary"):
            kind = KINDS[name]
            kept_by_operator = kind.commons or name == "Patient"
            creates = name != "AuditEvent" and (outside if kept_by_operator else not isinstance(reader, Operator))
            assert isinstance(may_create(reader, kind), Refused) is not creates, (reader, name)
            for mine in (True, False):
                deletes = mine and (citizen or name not in ("DocumentReference", "Binary"))
                if name in ("AuditEvent", "Patient"):
                    deletes = False
                elif kind.commons:
                    deletes = outside
                assert isinstance(may_delete(reader, kind, mine=mine), Refused) is not deletes, (reader, name, mine)
                _check_changes(reader, name, mine)


def _check_changes(reader: Reader, name: str, mine: bool) -> None:
    kind, citizen = KINDS[name], isinstance(reader, Citizen | Delegate)
    sets = [frozenset(some) for some in ((), (MASKED,), (HIDDEN,), (FROM_PROXIES,), (MASKED, HIDDEN))]
    for before in sets:
        for after in sets:
            for only in (True, False):
                lifts = MASKED in before and MASKED not in after
                movable = {MASKED, FROM_PROXIES} if isinstance(reader, Citizen) else {MASKED}
                changes = mine or (citizen and only and (before ^ after) <= movable)
                lifted = isinstance(reader, Professional) and only and (before, after) in TOLD
                changes = changes or lifted
                if lifts and not citizen:
                    changes = False
                if name == "AuditEvent":
                    changes = False
                elif kind.commons:
                    changes = isinstance(reader, Operator | System)
                change = Change(mine, before, after, lambda only=only: only)  # type: ignore[misc]
                assert isinstance(may_change(reader, kind, change), Refused) is not changes, (reader, name, change)
