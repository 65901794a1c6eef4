"""The registry: what each kind of client can be registered with, and what follows from it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth import clients, rfc7591
from auth.clients import Client, Kind
from tests.auth.city import CALLBACK, City

KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
CODE, REFRESH, SYSTEM = "authorization_code", "refresh_token", "client_credentials"
CITIZEN, PROFESSIONAL, PHARMACY, DEPOSIT, OPERATOR = Kind


def jwks(*keys: ECKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def made(city: City, kind: Kind, **changes: Any) -> Client:
    """A client of this kind that signs, with a redirect URI where it can have one."""
    person = kind in (CITIZEN, PROFESSIONAL, PHARMACY)
    values = {"kind": kind, "scopes": [], "jwks": jwks(KEY), "redirect_uris": [CALLBACK] if person else []}
    return city.citizen_app(**(values | changes))


def found(city: City, client: Client) -> Client | None:
    with Session(city.engine) as session:
        return clients.find(session, client.id)


@pytest.mark.parametrize(
    ("kind", "can", "cannot"),
    [
        (
            CITIZEN,
            ["patient/*.rs", "launch/patient", "offline_access", "profile"],
            ["user/*.rs", "system/*.rs", "launch"],
        ),
        (PROFESSIONAL, ["user/*.cruds", "patient/*.rs", "launch", "launch/patient", "openid"], ["system/*.rs"]),
        (PHARMACY, ["user/*.rs", "system/Patient.s", "offline_access"], ["patient/*.rs", "launch", "launch/patient"]),
        (DEPOSIT, ["system/*.cruds"], ["user/*.rs", "patient/*.rs", "openid", "offline_access", "launch"]),
        (OPERATOR, ["system/*.cruds"], ["user/*.rs", "patient/*.rs", "openid", "profile"]),
    ],
)
def test_a_kind_bounds_the_scopes(city: City, kind: Kind, can: list[str], cannot: list[str]) -> None:
    assert found(city, made(city, kind, scopes=can)) is not None
    for scope in [*cannot, "", "admin", "patient/*.sr", "openid profile", "system/*.rs x"]:
        with pytest.raises(ValueError, match="cannot hold"):
            made(city, kind, scopes=[scope])


@pytest.mark.parametrize(
    ("kind", "grants"),
    [
        (CITIZEN, {CODE, REFRESH}),
        (PROFESSIONAL, {CODE, REFRESH, clients.EXCHANGE}),
        (PHARMACY, {CODE, REFRESH, SYSTEM, clients.EXCHANGE}),
        (DEPOSIT, {SYSTEM}),
        (OPERATOR, {SYSTEM}),
    ],
)
def test_a_kind_bounds_the_grant_types(city: City, kind: Kind, grants: set[str]) -> None:
    client = made(city, kind)
    every = {CODE, REFRESH, SYSTEM, clients.EXCHANGE, "password", "implicit", ""}
    assert {grant for grant in every if client.check_grant_type(grant)} == grants
    assert client.check_response_type("code") is (CODE in grants)
    assert not client.check_response_type("token")


def test_who_cannot_authenticate_acts_for_nobody_but_a_person(city: City) -> None:
    client = made(city, PROFESSIONAL, jwks=None)
    assert client.public
    assert client.check_grant_type(CODE)
    assert not client.check_grant_type(clients.EXCHANGE)


def test_without_a_redirect_uri_there_are_no_codes(city: City) -> None:
    client = made(city, PHARMACY, redirect_uris=[])
    assert not client.check_response_type("code")
    assert not client.check_grant_type(REFRESH)
    assert client.check_grant_type(SYSTEM)


@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        (DEPOSIT, {"jwks": None}, "signs or shows a certificate"),
        (OPERATOR, {"jwks": None}, "signs or shows a certificate"),
        (OPERATOR, {"jwks": None, "metadata": {"token_endpoint_auth_method": "none"}}, "signs or shows"),
        (PHARMACY, {"jwks": None, "scopes": ["system/Patient.s"]}, "signs or shows a certificate"),
        (PROFESSIONAL, {"jwks": None, "redirect_uris": []}, "signs or shows a certificate"),
        (CITIZEN, {"redirect_uris": []}, "needs a redirect URI"),
        (DEPOSIT, {"redirect_uris": [CALLBACK]}, "has no redirect URI"),
        (CITIZEN, {"metadata": {"token_endpoint_auth_method": "none"}}, "has no keys"),
        (CITIZEN, {"jwks": None, "metadata": {"token_endpoint_auth_method": "private_key_jwt"}}, "needs its public"),
        (CITIZEN, {"metadata": {"token_endpoint_auth_method": "client_secret_basic"}}, "token_endpoint_auth_method"),
        (CITIZEN, {"metadata": {"client_secret": "x"}}, "client_secret is not client metadata"),
        (CITIZEN, {"metadata": {"dpop_bound_access_tokens": "yes"}}, "bool"),
        (CITIZEN, {"metadata": {"application_type": "desktop"}}, "application_type"),
        (CITIZEN, {"redirect_uris": ["fr.a.b:/c"], "metadata": {"application_type": "web"}}, "private-use"),
        (CITIZEN, {"redirect_uris": [CALLBACK, "https://other.test/"]}, "sector_identifier"),
        (CITIZEN, {"metadata": {"sector_identifier": "https://a.test"}}, "host name"),
        (CITIZEN, {"metadata": {"sector_identifier": "A.test"}}, "host name"),
        (CITIZEN, {"metadata": {"post_logout_redirect_uris": ["http://a.test/"]}}, "post_logout"),
        (CITIZEN, {"metadata": {"backchannel_logout_uri": "https://a.test/#x"}}, "backchannel_logout_uri"),
        (CITIZEN, {"metadata": {"backchannel_logout_uri": "fr.a.b:/x"}}, "backchannel_logout_uri"),
        (CITIZEN, {"metadata": {"backchannel_logout_session_required": True}}, "needs backchannel_logout_uri"),
        (DEPOSIT, {"metadata": {"backchannel_logout_uri": "https://a.test/"}}, "nobody signs"),
        (DEPOSIT, {"metadata": {"require_pushed_authorization_requests": True}}, "needs a redirect URI"),
        (
            PROFESSIONAL,
            {"metadata": {"dpop_bound_access_tokens": True, "tls_client_certificate_bound_access_tokens": True}},
            "not both",
        ),
        (CITIZEN, {"id": "é"}, "client id"),
        (CITIZEN, {"id": ""}, "client id"),
        (CITIZEN, {"name": " "}, "a name"),
        (CITIZEN, {"name": "a\nb"}, "a name"),
    ],
)
def test_an_unsafe_registration_is_refused_and_says_why(
    city: City, kind: Kind, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        made(city, kind, **changes)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": []},
        {"keys": "x"},
        {"keys": ["x"]},
        {"keys": [{"kty": "EC"}]},
        {"keys": [KEY.as_dict(private=True)]},
        {"keys": [OctKey.generate_key(256).as_dict(private=True)]},
        {"keys": [OKPKey.generate_key("Ed25519").as_dict(private=False)]},
        {"keys": [KEY.as_dict(private=False), {"kty": "post-quantum"}]},
        {"keys": [KEY.as_dict(private=False) | {"kid": "a"}, OTHER.as_dict(private=False) | {"kid": "a"}]},
        {"keys": [RSAKey.generate_key(2048).as_dict(private=False) | {"p": "AQ"}]},
    ],
)
def test_keys_are_public_strong_and_told_apart(city: City, keys: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="jwks"):
        made(city, DEPOSIT, jwks=keys)


METADATA = {
    "application_type": "web",
    "token_endpoint_auth_method": "private_key_jwt",
    "post_logout_redirect_uris": ["https://app.test/bye"],
    "backchannel_logout_uri": "https://app.test/logout",
    "backchannel_logout_session_required": True,
    "sector_identifier": "sector.test",
    "require_pushed_authorization_requests": True,
    "dpop_bound_access_tokens": True,
}


def test_what_is_registered_is_found_again(city: City) -> None:
    client = made(city, CITIZEN, metadata=METADATA)
    again = found(city, client)
    assert again == client
    assert rfc7591.kept(client) == METADATA
    assert (client.sector, client.native, client.auth_method, client.public) == (
        "sector.test",
        False,
        "private_key_jwt",
        False,
    )


def test_nothing_said_is_nothing_kept(city: City) -> None:
    client = made(city, CITIZEN, jwks=None)
    assert rfc7591.kept(client) == {}
    assert (client.auth_method, client.public) == ("none", True)
    assert not client.dpop_bound_access_tokens
    assert not client.require_pushed_authorization_requests


@pytest.mark.parametrize(
    ("uris", "native", "sector"),
    [
        (["https://app.test/cb"], False, "app.test"),
        (["https://App.Test:8443/cb", "https://app.test/other"], False, "app.test"),
        (["fr.app.mine:/cb"], True, None),
        (["http://127.0.0.1/cb", "http://[::1]/cb"], True, None),
        (["fr.app.mine:/cb", "https://app.test/cb"], True, "app.test"),
    ],
)
def test_native_and_sector_follow_from_the_redirect_uris(
    city: City, uris: list[str], native: bool, sector: str | None
) -> None:
    """OpenID Connect Core §8.1: "the Sector Identifier … is the host component of the registered redirect_uri"."""
    client = made(city, CITIZEN, redirect_uris=uris)
    assert client.native is native
    assert client.sector == (sector or client.id)


def test_clients_authenticate_by_the_one_method_registered(city: City) -> None:
    for client in (made(city, CITIZEN, jwks=None), made(city, CITIZEN)):
        accepted = [one for one in rfc7591.methods() if client.check_endpoint_auth_method(one, "token")]
        assert accepted == [client.auth_method]


def test_an_id_is_given_once(city: City) -> None:
    client = made(city, CITIZEN)
    with pytest.raises(IntegrityError):
        made(city, CITIZEN, id=client.id)


async def test_a_disabled_client_gets_no_token_and_is_still_listed(city: City) -> None:
    lab = city.deposit(KEY)
    assert (await city.client_token(city.assertion(lab, KEY))).status_code == 200
    with Session(city.engine) as session, session.begin():
        assert clients.disable(session, lab.id).disabled
    assert found(city, lab) is None
    assert (await city.client_token(city.assertion(lab, KEY))).json()["error"] == "invalid_client"
    with Session(city.engine) as session:
        listed = {one.id: one for one in clients.list_all(session)}
    assert listed[lab.id].disabled
    assert list(listed) == sorted(listed)


def test_what_is_not_registered_is_said_so(city: City) -> None:
    with Session(city.engine) as session, session.begin():
        with pytest.raises(LookupError, match="no client is called nobody"):
            clients.disable(session, "nobody")
        with pytest.raises(LookupError, match="nobody"):
            clients.rotate(session, "nobody", jwks(KEY))
        for unknown in ("nobody", "", "é", "x" * 300, None):
            assert clients.find(session, unknown) is None  # type: ignore[arg-type]


def _rotate(city: City, client: Client, *keys: ECKey, drop_old: bool = False) -> Client:
    with Session(city.engine) as session, session.begin():
        return clients.rotate(session, client.id, jwks(*keys), drop_old=drop_old)


async def _signs(city: City, client: Client, key: ECKey) -> bool:
    return (await city.client_token(city.assertion(client, key))).status_code == 200


async def test_a_client_changes_its_key_without_stopping(city: City) -> None:
    lab = city.deposit(KEY)
    assert not await _signs(city, lab, OTHER)
    _rotate(city, lab, OTHER)
    assert await _signs(city, lab, KEY)
    assert await _signs(city, lab, OTHER)
    _rotate(city, lab, OTHER, drop_old=True)
    assert not await _signs(city, lab, KEY)
    assert await _signs(city, lab, OTHER)


def test_rotating_twice_to_the_same_key_changes_nothing(city: City) -> None:
    lab = city.deposit(KEY)
    first = _rotate(city, lab, OTHER)
    assert _rotate(city, lab, OTHER).jwks == first.jwks
    assert first.jwks is not None
    assert len(first.jwks["keys"]) == 2


def test_unsafe_keys_change_nothing(city: City) -> None:
    lab, app = city.deposit(KEY), made(city, CITIZEN, jwks=None)
    with Session(city.engine) as session, session.begin():
        with pytest.raises(ValueError, match="public keys only"):
            clients.rotate(session, lab.id, {"keys": [OTHER.as_dict(private=True)]})
        with pytest.raises(ValueError, match="no key to replace"):
            clients.rotate(session, app.id, jwks(OTHER))
    assert found(city, lab) == lab


def test_parallel_rotations_lose_no_key(city: City) -> None:
    lab = city.deposit(KEY)
    new = [ECKey.generate_key("P-256") for _ in range(4)]
    barrier = Barrier(4)

    def rotate(key: ECKey) -> None:
        barrier.wait()
        _rotate(city, lab, key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(rotate, new))
    client = found(city, lab)
    assert client is not None
    assert client.jwks is not None
    assert {key.thumbprint() for key in clients.keys(client.jwks).keys} == {key.thumbprint() for key in [KEY, *new]}
