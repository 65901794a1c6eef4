"""OpenID Connect Back-Channel Logout 1.0, as the relying party: each clause of §2.6, and what a logout ends."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from auth import backchannel, grants, provider_sessions
from auth.backchannel import EVENT, LogoutRefused
from auth.provider_sessions import Bound
from auth.providers import ProviderError
from auth.sandbox.people import professionals
from tests.auth.city import City, forge
from tests.auth.elsewhere import SECRET, Elsewhere, forge_signed

SUB = professionals()[0].sub


@pytest.fixture
def elsewhere(city: City, tmp_path: Path) -> Elsewhere:
    return Elsewhere(city, tmp_path)


def token(elsewhere: Elsewhere, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A good logout token, changed; None takes a claim out."""
    now = int(elsewhere.city.clock().timestamp())
    claims = {
        "iss": elsewhere.psc.issuer, "sub": SUB, "sid": "s-1", "aud": "carnet", "iat": now, "exp": now + 120,
        "jti": uuid4().hex, "events": {EVENT: {}},
    }  # fmt: skip
    kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    head = {"alg": "ES256", "kid": elsewhere.psc.kid, "typ": "logout+jwt", **(header or {})}
    return forge_signed({name: value for name, value in head.items() if value is not None}, kept, elsewhere.psc.key)


def receive(elsewhere: Elsewhere, sent: str) -> int:
    return backchannel.receive(elsewhere.city.server, elsewhere.provider, sent)


@pytest.mark.parametrize(
    "header", [{}, {"typ": None}, {"typ": "JWT"}, {"typ": "application/logout+jwt"}, {"typ": "LOGOUT+JWT"}]
)
def test_a_good_token_is_received(elsewhere: Elsewhere, header: dict[str, Any]) -> None:
    assert receive(elsewhere, token(elsewhere, header)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},  # clause 3: "Validate the iss, aud, iat, and exp Claims"
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": ["carnet", "somebody-else"]},
        {"aud": None},
        {"iat": None},
        {"iat": "now"},
        {"exp": None},
        {"exp": 1_000_000_000},
        {"sub": None, "sid": None},  # clause 4
        {"sub": 3},
        {"sid": ""},
        {"events": None},  # clause 5
        {"events": []},
        {"events": {}},
        {"events": {EVENT: True}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "n"},  # clause 6
        {"jti": None},  # clause 7
        {"jti": ""},
        {"jti": 7},
    ],
)
def test_a_token_that_breaks_a_clause(elsewhere: Elsewhere, changes: dict[str, Any]) -> None:
    with pytest.raises(LogoutRefused):
        receive(elsewhere, token(elsewhere, **changes))


@pytest.mark.parametrize("seconds", [-400, 60])
def test_iat_is_now(elsewhere: Elsewhere, seconds: int) -> None:
    now = int(elsewhere.city.clock().timestamp())
    with pytest.raises(LogoutRefused):
        receive(elsewhere, token(elsewhere, iat=now + seconds, exp=now + 3600))


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "secevent+jwt"])
def test_another_kind_of_token(elsewhere: Elsewhere, typ: str) -> None:
    """§2.4: explicit typing "prevents Logout Tokens from being confused with other kinds"."""
    with pytest.raises(LogoutRefused):
        receive(elsewhere, token(elsewhere, {"typ": typ}))


def test_an_id_token_is_no_logout_token(elsewhere: Elsewhere) -> None:
    with pytest.raises(LogoutRefused):
        receive(elsewhere, elsewhere.tokens("gp", "carnet")["id_token"])


@pytest.mark.parametrize(
    "forged",
    [
        lambda claims, key: forge({"alg": "none", "typ": "logout+jwt"}, claims, None),  # §2.6 clause 2
        lambda claims, key: forge({"alg": "HS256", "typ": "logout+jwt"}, claims, SECRET.encode()),
        lambda claims, key: forge_signed({"alg": "ES256", "kid": key}, claims, ECKey.generate_key("P-256")),
    ],
)
def test_a_token_that_the_provider_did_not_sign(
    elsewhere: Elsewhere, forged: Callable[[dict[str, Any], str], str]
) -> None:
    claims = json.loads(jws.extract_compact(token(elsewhere).encode()).payload or b"")
    with pytest.raises(ProviderError):
        receive(elsewhere, forged(claims, elsewhere.psc.kid))


def test_a_token_is_received_once(elsewhere: Elsewhere) -> None:
    """Clause 7: "verify that another Logout Token with the same jti value has not been recently received"."""
    sent = token(elsewhere)
    receive(elsewhere, sent)
    with pytest.raises(LogoutRefused):
        receive(elsewhere, sent)


def bound(elsewhere: Elsewhere, sub: str, sid: str | None, kind: Bound = Bound.TOKEN) -> Any:
    """Something that a provider's session let begin."""
    city, made = elsewhere.city, uuid4()
    marks = provider_sessions.marks(city.keys, elsewhere.psc.issuer, {"sub": sub, "sid": sid})
    with Session(city.engine) as session, session.begin():
        provider_sessions.bind(session, marks, kind, made, city.clock() + timedelta(hours=1))
    return made


def over(elsewhere: Elsewhere, id: Any) -> bool:
    with Session(elsewhere.city.engine) as session:
        return grants.is_revoked(session, [id])


def test_a_sid_ends_one_session_and_what_had_no_sid(elsewhere: Elsewhere) -> None:
    sub = uuid4().hex
    one, two, unknown = (bound(elsewhere, sub, sid) for sid in ("a", "b", None))
    somebody = bound(elsewhere, uuid4().hex, "c")
    assert receive(elsewhere, token(elsewhere, sub=sub, sid="a")) == 2
    assert [over(elsewhere, id) for id in (one, two, unknown, somebody)] == [True, False, True, False]  # noqa: A001


def test_a_sub_alone_ends_all_of_a_persons(elsewhere: Elsewhere) -> None:
    sub = uuid4().hex
    mine = [bound(elsewhere, sub, sid) for sid in ("d", "e", None)] + [bound(elsewhere, sub, "f", Bound.GRANT)]
    somebody = bound(elsewhere, uuid4().hex, None)
    assert receive(elsewhere, token(elsewhere, sub=sub, sid=None)) == 4
    assert all(over(elsewhere, id) for id in mine)  # noqa: A001
    assert not over(elsewhere, somebody)


def test_another_providers_people_are_not_ours(elsewhere: Elsewhere) -> None:
    city, sub = elsewhere.city, uuid4().hex
    marks = provider_sessions.marks(city.keys, "https://another.test", {"sub": sub, "sid": "g"})
    made = uuid4()
    with Session(city.engine) as session, session.begin():
        provider_sessions.bind(session, marks, Bound.TOKEN, made, city.clock() + timedelta(hours=1))
    assert receive(elsewhere, token(elsewhere, sub=sub, sid="g")) == 0
    assert not over(elsewhere, made)
