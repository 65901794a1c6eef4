"""RFC 9068, JWT access tokens."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey
from sqlalchemy import create_engine, event, func, select

from auth import signing
from auth.claims import Claims
from auth.rfc9068 import Verifier, mint
from auth.signing import SigningKeys
from auth.tables import signing_key
from phr.core.errors import DomainError, Reason
from tests.auth.city import ISSUER, City, forge

JTI = str(uuid4())
ACCOUNT = str(uuid4())


def claims(city: City, **changes: Any) -> Claims:
    expires = (city.clock() + timedelta(minutes=15)).replace(microsecond=0)
    made = Claims("app", "citizen-app", ACCOUNT, "00a-1", ("patient/*.rs",), JTI, str(uuid4()), expires)
    return replace(made, **changes)


def token(city: City, **changes: Any) -> str:
    return minted(city, claims(city, **changes))


def minted(city: City, made: Claims) -> str:
    return mint(ISSUER, city.server.signing, city.server.subjects, made, "app.test", city.clock())


def refused(city: City, bearer: str, now: datetime | None = None) -> bool:
    try:
        city.server.verifier.verify(bearer, now or city.clock())
    except DomainError as error:
        return error.reason is Reason.UNAUTHENTICATED
    return False


def forged(city: City, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token signed with the right key, whose header or claims were changed (None removes)."""
    kid, key = city.server.signing.signer(city.clock())
    good = token(city)
    payload = json.loads(jws.extract_compact(good.encode()).payload)
    head = {"alg": "ES256", "typ": "at+jwt", "kid": kid} | (header or {})
    kept = {name: value for name, value in (payload | changes).items() if value is not None}
    return jwt.encode({n: v for n, v in head.items() if v is not None}, kept, key, algorithms=["ES256"])


async def test_2_the_token_of_a_citizen(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    body = await city.token(app, lucie, scope="launch/patient patient/Observation.rs")
    raw = jws.extract_compact(body["access_token"].encode())
    assert raw.headers()["typ"] == "at+jwt"
    assert raw.headers()["alg"] == "ES256"
    assert raw.headers()["kid"] in {key["kid"] for key in city.server.signing.jwks(city.clock())["keys"]}
    payload = json.loads(raw.payload)
    now = int(city.clock().timestamp())
    assert payload["iss"] == ISSUER
    assert payload["aud"] == f"{ISSUER}/fhir"
    assert payload["sub"] == city.server.subjects.of(lucie.id, "app.test")
    assert str(lucie.id) not in raw.payload.decode()
    assert payload["client_id"] == app.id
    assert payload["scope"] == "launch/patient patient/Observation.rs"
    assert (payload["iat"], payload["exp"]) == (now, now + 900)
    assert payload["patient"] == lucie.record
    assert payload["kind"] == "citizen-app"
    assert str(UUID(payload["jti"])) == payload["jti"]
    assert lucie.name not in raw.payload.decode()
    assert city.server.verifier.verify(body["access_token"], city.clock()) == Claims(
        client=app.id,
        kind="citizen-app",
        subject=str(lucie.id),
        record=lucie.record,
        scopes=("launch/patient", "patient/Observation.rs"),
        jti=payload["jti"],
        grant=payload["grant"],
        expires=datetime.fromtimestamp(now + 900, UTC),
        acr="mfa",
        auth_time=now,
    )


async def test_each_token_has_its_own_jti(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    first, second = [await city.token(app, lucie) for _ in range(2)]
    seen = {city.server.verifier.verify(one["access_token"], city.clock()).jti for one in (first, second)}
    assert len(seen) == 2


def test_a_good_token_verifies(city: City) -> None:
    made = claims(city)
    assert city.server.verifier.verify(minted(city, made), city.clock()) == made
    assert not refused(city, forged(city))
    assert not refused(city, forged(city, {"typ": "application/at+jwt"}))


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "id_token+jwt", "at+jwt2"])
def test_4_another_typ_is_refused(city: City, typ: str | None) -> None:
    assert refused(city, forged(city, {"typ": typ}))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.test"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": ISSUER},
        {"aud": "app"},
        {"aud": [f"{ISSUER}/fhir"]},
        {"aud": None},
        {"exp": None},
        {"exp": "later"},
        {"exp": 1e300},
        {"iat": None},
        {"jti": None},
        {"jti": "not-a-uuid"},
        {"sub": None},
        {"sub": ""},
        {"client_id": None},
        {"kind": None},
        {"scope": None},
        {"patient": 7},
        {"grant": "x"},
        {"sub": "not-one-of-ours"},
        {"act": {"sub": "not-one-of-ours"}},
        {"act": {}},
        {"cnf": {"jwk": {}}},
        {"cnf": "x"},
        {"cnf": {"jkt": 7}},
        {"professional": {"id": 7}},
        {"professional": {"unheard-of": "x"}},
        {"auth_time": "soon"},
    ],
)
def test_4_every_claim_is_checked(city: City, changes: dict[str, Any]) -> None:
    assert refused(city, forged(city, **changes))


def test_4_expiry_has_no_leeway_and_the_memory_does_not_extend_it(city: City) -> None:
    bearer = token(city)
    expires = claims(city).expires
    assert not refused(city, bearer, expires - timedelta(milliseconds=1))
    assert refused(city, bearer, expires)
    assert refused(city, bearer, expires + timedelta(days=1))


def test_4_five_seconds_of_skew_into_the_future_and_no_more(city: City) -> None:
    now = int(city.clock().timestamp())
    assert not refused(city, forged(city, iat=now + 5))
    assert refused(city, forged(city, iat=now + 7))
    assert refused(city, forged(city, nbf=now + 7))


def test_4_the_algorithm_is_ours_never_the_headers(city: City) -> None:
    kid, _ = city.server.signing.signer(city.clock())
    payload = json.loads(jws.extract_compact(token(city).encode()).payload)
    public = city.server.signing.verifier(kid, city.clock())
    assert public is not None
    for alg, secret in (("none", None), ("HS256", public.as_pem(private=False))):
        assert refused(city, forge({"alg": alg, "typ": "at+jwt", "kid": kid}, payload, secret))


def test_4_another_key_under_our_kid_is_refused(city: City) -> None:
    kid, _ = city.server.signing.signer(city.clock())
    payload = json.loads(jws.extract_compact(token(city).encode()).payload)
    thief = ECKey.generate_key("P-256")
    head = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    assert refused(city, jwt.encode(head, payload, thief, algorithms=["ES256"]))
    inside = {**head, "jwk": thief.as_dict(private=False)}
    assert refused(city, jwt.encode(inside, payload, thief, algorithms=["ES256"]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: "",
        lambda t: "é" + t,
        lambda t: t + "." + t,
        lambda t: t[:-4] + ("AAAA" if t[-4:] != "AAAA" else "BBBB"),
        lambda t: t.split(".")[0] + ".e30." + t.split(".")[2],
        lambda t: "x" * 9000,
        lambda t: t + " " * 9000,
        lambda t: "\ud800",
        lambda t: "W10.W10.W10",
    ],
)
def test_damaged_tokens_are_refused(city: City, damage: Callable[[str], str]) -> None:
    assert refused(city, damage(token(city)))


def test_a_verified_token_costs_no_database_round_trip(city: City) -> None:
    bearer, fresh = token(city), token(city, jti=str(uuid4()))
    city.server.start()
    asked: list[str] = []
    event.listen(city.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    for one in (bearer, fresh, bearer, fresh):
        city.server.verifier.verify(one, city.clock())
    assert asked == []


def test_an_unknown_kid_reloads_the_keys_at_most_once_in_ten_seconds(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.server.start()
    loads: list[datetime] = []
    load = SigningKeys.load

    def counted(self: SigningKeys, now: datetime) -> None:
        loads.append(now)
        load(self, now)

    monkeypatch.setattr(SigningKeys, "load", counted)
    for number in range(5):
        assert refused(city, forged(city, {"kid": f"unknown-{number}"}))
    assert len(loads) == 1
    city.clock.pass_by(seconds=11)
    assert refused(city, forged(city, {"kid": "unknown"}))
    assert len(loads) == 2


def test_a_process_started_before_the_key_was_made_finds_it(city: City, auth_engine: Any, auth_keys: Any) -> None:
    late = City(auth_engine, auth_keys, city.clock)
    late.server.start()
    with auth_engine.begin() as connection:
        connection.execute(signing_key.update().values(retired=city.clock()))
    city.server.start()
    bearer = token(city)
    assert late.server.verifier.verify(bearer, city.clock()).jti == JTI


def test_a_retired_key_verifies_for_its_overlap_and_no_longer(city: City, auth_engine: Any) -> None:
    city.server.start()
    old = {key["kid"] for key in city.server.signing.jwks(city.clock())["keys"]}
    kid, _ = city.server.signing.signer(city.clock())
    with auth_engine.begin() as connection:
        connection.execute(signing_key.update().values(retired=city.clock()))
    city.server.start()
    assert city.server.signing.signer(city.clock())[0] not in old
    assert city.server.signing.verifier(kid, city.clock()) is not None
    city.clock.pass_by(seconds=signing.OVERLAP.total_seconds() + 1)
    city.server.start()
    assert city.server.signing.verifier(kid, city.clock()) is None


def test_a_process_notices_a_newer_key_within_minutes(city: City, auth_engine: Any, auth_keys: Any) -> None:
    other = City(auth_engine, auth_keys, city.clock)
    old, _ = city.server.signing.signer(city.clock())
    with auth_engine.begin() as connection:
        connection.execute(signing_key.update().values(retired=city.clock()))
    other.server.start()
    assert city.server.signing.signer(city.clock())[0] == old
    city.clock.pass_by(minutes=5)
    assert city.server.signing.signer(city.clock())[0] == other.server.signing.signer(city.clock())[0] != old


def test_processes_that_start_together_make_one_key(city: City, auth_engine: Any, auth_keys: Any) -> None:
    with auth_engine.begin() as connection:
        connection.execute(signing_key.delete())
    servers = [City(auth_engine, auth_keys, city.clock).server for _ in range(8)]
    threads = [Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({server.signing.signer(city.clock())[0] for server in servers}) == 1
    assert len(city.server.signing.jwks(city.clock())["keys"]) == 1


def test_the_first_key_is_made_by_one_process_at_a_time(city: City, auth_engine: Any) -> None:
    with auth_engine.begin() as connection:
        connection.execute(signing_key.delete())
    thread = Thread(target=city.server.start)
    with auth_engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(signing._FIRST_KEY_LOCK)))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "another process is making the key"
    thread.join()
    assert len(city.server.signing.jwks(city.clock())["keys"]) == 1


def test_without_a_database_an_unknown_key_is_unavailable_not_a_crash(city: City) -> None:
    city.server.start()
    city.server.signing._engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    assert not refused(city, token(city))
    with pytest.raises(DomainError) as caught:
        city.server.verifier.verify(forged(city, {"kid": "unknown"}), city.clock())
    assert caught.value.reason is Reason.UNAVAILABLE


def test_a_token_is_verified_once(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge = Verifier._judge

    def counted(self: Verifier, bearer: str, now: datetime) -> tuple[Claims, str]:
        judged.append(bearer)
        return judge(self, bearer, now)

    monkeypatch.setattr(Verifier, "_judge", counted)
    bearer = token(city)
    for _ in range(3):
        city.server.verifier.verify(bearer, city.clock())
    assert judged == [bearer]


def test_what_is_remembered_is_bounded(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.rfc9068.REMEMBERED", 3)
    verifier = Verifier(ISSUER, city.server.signing, city.server.subjects)
    for _ in range(6):
        verifier.verify(token(city, jti=str(uuid4())), city.clock())
    assert len(verifier._remembered) == 3


def test_a_token_remembered_dies_with_the_trust_in_its_key(city: City) -> None:
    city.server.start()
    bearer = token(city)
    assert city.server.verifier.verify(bearer, city.clock()).jti == JTI
    kid, _ = city.server.signing.signer(city.clock())
    assert city.server.signing.distrust(kid, city.clock())
    assert refused(city, bearer)
    assert not refused(city, token(city))
