"""RFC 9449 §11.1: a proof is used once, by whichever process of the authorization server."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from auth import rfc9449
from auth.rfc9449 import InvalidProof, NonceNeeded, Proof, Seen
from auth.sweep import sweep
from phr.core.keys import SystemKeys
from tests.auth.city import Clock
from tests.auth.prover import KEY, Prover


@pytest.fixture
def prover(auth_keys: SystemKeys, clock: Clock) -> Prover:
    return Prover(auth_keys, clock)


def _once(engine: Engine, keys: SystemKeys, proof: Proof, clock: Clock) -> bool:
    with Session(engine) as session, session.begin():
        return rfc9449.once(session, keys, proof, clock())


def test_11_1_a_proof_is_used_once(prover: Prover, auth_engine: Engine, auth_keys: SystemKeys, clock: Clock) -> None:
    proof = prover.check(prover.proof())
    assert _once(auth_engine, auth_keys, proof, clock)
    assert not _once(auth_engine, auth_keys, proof, clock)


def test_11_1_two_keys_may_choose_the_same_jti(
    prover: Prover, auth_engine: Engine, auth_keys: SystemKeys, clock: Clock
) -> None:
    jti = uuid4().hex
    for key in (KEY, ECKey.generate_key("P-256")):
        assert _once(auth_engine, auth_keys, prover.check(prover.proof(key, jti=jti)), clock)


def test_11_1_of_parallel_replays_one_passes(
    prover: Prover, auth_engine: Engine, auth_keys: SystemKeys, clock: Clock
) -> None:
    proof = prover.check(prover.proof())
    barrier = Barrier(6)

    def use(_: int) -> bool:
        barrier.wait()
        return _once(auth_engine, auth_keys, proof, clock)

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(use, range(6))) == [False] * 5 + [True]


@pytest.mark.parametrize("ahead", [-290, 0, 290])
def test_11_1_it_is_remembered_as_long_as_it_would_be_accepted(
    prover: Prover, auth_engine: Engine, auth_keys: SystemKeys, clock: Clock, ahead: int
) -> None:
    text = prover.proof(iat=clock().timestamp() + ahead)
    proof = prover.check(text)
    assert _once(auth_engine, auth_keys, proof, clock)
    for _ in range(12):
        clock.pass_by(minutes=1)
        with Session(auth_engine) as session, session.begin():
            sweep(session, clock())
        try:
            prover.check(text)
        except (InvalidProof, NonceNeeded):
            return
        assert not _once(auth_engine, auth_keys, proof, clock)
    pytest.fail("the proof is still accepted")


def test_11_1_the_resource_server_remembers_in_its_process(prover: Prover, clock: Clock) -> None:
    seen, proof = Seen(), prover.check(prover.proof())
    assert [seen.once(proof, clock()) for _ in range(3)] == [True, False, False]
    assert seen.once(prover.check(prover.proof()), clock())
    clock.pass_by(minutes=9)
    assert not seen.once(proof, clock())


def test_11_1_that_memory_is_bounded(prover: Prover, clock: Clock) -> None:
    seen = Seen(most=10)
    for number in range(100):
        assert seen.once(Proof("k", str(number), clock()), clock())
    assert len(seen._until) == 10
    clock.pass_by(minutes=11)
    assert seen.once(Proof("k", "last", clock()), clock())
    assert len(seen._until) == 1


def test_11_1_of_parallel_uses_one_passes_in_a_process(clock: Clock) -> None:
    seen, barrier = Seen(), Barrier(8)

    def use(_: int) -> bool:
        barrier.wait()
        return seen.once(Proof("k", "j", clock()), clock())

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(use, range(8))) == 1
