"""Rotating the signing key: two processes on one database, one of which is never told."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, create_engine, event

from auth.signing import OVERLAP, PUBLISHED_BEFORE, REFRESH_EVERY, SigningKeys, State
from auth.tables import signing_key
from phr.core.keys import SystemKeys
from tests.auth.city import Clock

JWKS_CACHED = timedelta(seconds=300)
LONGEST_TOKEN = timedelta(hours=1)


@pytest.fixture
def told(auth_engine: Engine, auth_keys: SystemKeys, clock: Clock) -> Iterator[SigningKeys]:
    """A process, with a first key made long ago; what the test adds is taken away again."""
    with auth_engine.begin() as connection:
        connection.execute(signing_key.delete())
    made = SigningKeys(auth_engine, auth_keys)
    made.load(clock())
    clock.pass_by(days=30)
    yield made
    with auth_engine.begin() as connection:
        connection.execute(signing_key.delete())


@pytest.fixture
def untold(auth_engine: Engine, auth_keys: SystemKeys, told: SigningKeys, clock: Clock) -> SigningKeys:
    """Another process, which read the keys before the rotation."""
    made = SigningKeys(auth_engine, auth_keys)
    made.load(clock())
    return made


def kids(keys: SigningKeys, clock: Clock) -> list[str]:
    return [key["kid"] for key in keys.jwks(clock())["keys"]]


def test_the_spans_fit_together() -> None:
    assert PUBLISHED_BEFORE > REFRESH_EVERY + JWKS_CACHED
    assert OVERLAP > LONGEST_TOKEN


def test_the_first_key_signs_at_once(auth_engine: Engine, auth_keys: SystemKeys, clock: Clock) -> None:
    with auth_engine.begin() as connection:
        connection.execute(signing_key.delete())
    keys = SigningKeys(auth_engine, auth_keys)
    kid, _ = keys.signer(clock())
    assert kids(keys, clock) == [kid]


def test_a_new_key_is_published_first_and_signs_later(told: SigningKeys, clock: Clock) -> None:
    old, _ = told.signer(clock())
    new = told.rotate(clock())
    assert kids(told, clock) == [old, new]
    assert told.signer(clock())[0] == old
    clock.pass_by(seconds=PUBLISHED_BEFORE.total_seconds() - 1)
    assert told.signer(clock())[0] == old
    clock.pass_by(seconds=1)
    assert told.signer(clock())[0] == new


def test_the_older_key_verifies_for_the_overlap_and_no_longer(told: SigningKeys, clock: Clock) -> None:
    old, _ = told.signer(clock())
    told.rotate(clock())
    clock.now += PUBLISHED_BEFORE + OVERLAP - timedelta(seconds=1)
    assert told.verifier(old, clock()) is not None
    assert old in kids(told, clock)
    clock.pass_by(seconds=1)
    assert told.verifier(old, clock()) is None
    assert old not in kids(told, clock)


def test_a_process_that_was_not_told_signs_right_by_time_alone(
    told: SigningKeys, untold: SigningKeys, clock: Clock
) -> None:
    """At each moment both sign with one key, and each signature is in the JWK Set of the other, or will be reloaded."""
    new = told.rotate(clock())
    for _ in range(30):
        clock.pass_by(seconds=60)
        mine, other = told.signer(clock())[0], untold.signer(clock())[0]
        assert mine == other
        assert mine in kids(untold, clock)
    assert untold.signer(clock())[0] == new


def test_a_process_that_only_publishes_hears_of_the_key_before_it_signs(
    told: SigningKeys, untold: SigningKeys, clock: Clock
) -> None:
    new = told.rotate(clock())
    assert new not in kids(untold, clock)
    clock.now += PUBLISHED_BEFORE - JWKS_CACHED
    assert new in kids(untold, clock)


def test_a_process_that_is_never_asked_to_sign_lets_the_older_key_go(
    told: SigningKeys, untold: SigningKeys, clock: Clock
) -> None:
    told.rotate(clock())
    old = kids(told, clock)[0]
    untold.load(clock())
    clock.now += PUBLISHED_BEFORE + OVERLAP
    assert untold.verifier(old, clock()) is None


def test_rotating_twice_hands_over_in_turn(told: SigningKeys, untold: SigningKeys, clock: Clock) -> None:
    first, _ = told.signer(clock())
    second = told.rotate(clock())
    clock.pass_by(minutes=5)
    third = untold.rotate(clock())
    seen = []
    for _ in range(12):
        seen.append(told.signer(clock())[0])
        assert seen[-1] == untold.signer(clock())[0]
        clock.pass_by(minutes=1)
    assert list(dict.fromkeys(seen)) == [first, second] + ([third] if third in seen else [])
    clock.pass_by(minutes=10)
    assert told.signer(clock())[0] == untold.signer(clock())[0] == third


def test_of_parallel_rotations_there_is_always_one_signer(
    auth_engine: Engine, auth_keys: SystemKeys, told: SigningKeys, clock: Clock
) -> None:
    old, _ = told.signer(clock())
    processes = [SigningKeys(auth_engine, auth_keys) for _ in range(4)]
    barrier = Barrier(4)

    def rotate(keys: SigningKeys) -> None:
        barrier.wait()
        keys.rotate(clock())

    threads = [Thread(target=rotate, args=(keys,)) for keys in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {keys.signer(clock())[0] for keys in processes} == {old}
    clock.now += PUBLISHED_BEFORE
    assert len({keys.signer(clock())[0] for keys in [*processes, told]} - {old}) == 1
    assert [one.retired for one in told.listed(clock())].count(None) == 1, "each key but the last hands over"


def test_verifying_asks_the_database_nothing_even_long_after(told: SigningKeys, clock: Clock) -> None:
    kid, _ = told.signer(clock())
    clock.pass_by(hours=5)
    statements: list[str] = []
    engine = told._engine
    event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    assert told.verifier(kid, clock()) is not None
    assert statements == []


def test_without_a_database_the_known_keys_are_still_published(told: SigningKeys, clock: Clock) -> None:
    known = kids(told, clock)
    told._engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    clock.pass_by(hours=1)
    assert kids(told, clock) == known


def test_an_operator_sees_where_each_key_is(told: SigningKeys, clock: Clock) -> None:
    told.rotate(clock())
    assert [one.state for one in told.listed(clock())] == [State.SIGNING, State.PUBLISHED]
    clock.now += PUBLISHED_BEFORE
    assert [one.state for one in told.listed(clock())] == [State.VERIFYING, State.SIGNING]
    clock.now += OVERLAP
    assert [one.state for one in told.listed(clock())] == [State.OVER, State.SIGNING]


def test_a_key_that_leaked_is_believed_by_nobody(told: SigningKeys, untold: SigningKeys, clock: Clock) -> None:
    """At once where it is said, at the next load elsewhere; another key signs, though it was never published before."""
    leaked, _ = told.signer(clock())
    assert told.distrust(leaked, clock())
    assert told.verifier(leaked, clock()) is None
    assert untold.verifier(leaked, clock()) is not None
    untold.load(clock())
    for process in (told, untold):
        assert process.verifier(leaked, clock()) is None
        assert leaked not in kids(process, clock)
        kid, _ = process.signer(clock())
        assert kid != leaked
    assert told.signer(clock())[0] == untold.signer(clock())[0]


def test_a_key_nobody_has_is_not_distrusted(told: SigningKeys, clock: Clock) -> None:
    kid, _ = told.signer(clock())
    assert not told.distrust("nobody's", clock())
    assert told.signer(clock())[0] == kid
