"""What a hostile network, provider or person tries at the professionals' sign-in."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from auth import relying
from auth.providers import Failure, Provider, ProviderError
from auth.sandbox import people
from auth.sandbox.people import professionals
from phr.core import settings as core
from tests.auth.city import City, forge, hidden
from tests.auth.elsewhere import SECRET, Elsewhere, arrive, forge_signed, leave, picked

MESSAGES = {
    Failure.STATE: "autre onglet",
    Failure.ISSUER: "ne vient pas du fournisseur",
    Failure.CODE: "pas confirmé",
    Failure.TOKEN: "pas pu être vérifiée",
    Failure.USERINFO: "qui vous êtes",
    Failure.LEVEL: "pas assez sûr",
    Failure.UNAVAILABLE: "ne répond pas",
}


@pytest.fixture
def elsewhere(city: City, tmp_path: Path) -> Elsewhere:
    return Elsewhere(city, tmp_path)


async def refused(elsewhere: Elsewhere, failure: Failure) -> None:
    async with elsewhere.city.browser() as browser:
        page = await arrive(browser, "gp")
        assert page.status_code in (400, 403, 503), page.headers
        assert MESSAGES[failure] in page.text
        assert "__Host-carnet_activity" not in browser.cookies
        assert (await browser.get("/signin/professional/activity")).status_code == 303


# OpenID Connect Core §3.1.3.7, ID Token validation, clause by clause.
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},  # 2: "MUST exactly match the value of the iss"
        {"iss": None},
        {"aud": "somebody-else"},  # 3: "MUST validate that the aud … contains its client_id"
        {"aud": ["carnet", "somebody-else"]},  # 3: "rejected if it … contains additional audiences not trusted"
        {"aud": None},
        {"azp": "somebody-else"},  # 5: "SHOULD verify that its client_id is the Claim Value"
        {"exp": 1_000_000_000},  # 9: "The current time MUST be before the time represented by the exp Claim"
        {"exp": None},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"nonce": "another"},  # 11: "the nonce Claim … MUST be present and … checked"
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},  # §3.1.3.8
    ],
)
async def test_an_id_token_that_says_something_else(elsewhere: Elsewhere, changes: dict[str, Any]) -> None:
    elsewhere.forging(**changes)
    await refused(elsewhere, Failure.TOKEN)


def _unsigned(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return forge({**header, "alg": "none"}, claims, None)


def _with_our_secret(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return forge({**header, "alg": "HS256"}, claims, SECRET.encode())


def _with_the_public_key(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return forge({**header, "alg": "HS256"}, claims, elsewhere.psc.key.as_pem(private=False))


def _with_another_key(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return forge_signed(header, claims, ECKey.generate_key("P-256"))


def _unknown_kid(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return forge_signed({**header, "kid": "nobody"}, claims, elsewhere.psc.key)


def _with_a_key_of_its_own(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    mine = ECKey.generate_key("P-256")
    return forge_signed({"alg": "ES256", "jwk": mine.as_dict(private=False)}, claims, mine)


def _nonsense(elsewhere: Elsewhere, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return "é.è.à"


@pytest.mark.parametrize(
    "make",
    [
        _unsigned,
        _with_our_secret,
        _with_the_public_key,
        _with_another_key,
        _unknown_kid,
        _with_a_key_of_its_own,
        _nonsense,
    ],
)
async def test_an_id_token_that_the_provider_did_not_sign(elsewhere: Elsewhere, make: Callable[..., str]) -> None:
    """§3.1.3.7 clauses 6 and 7; RFC 8725 §3.1: the algorithm is of our list, never the header's word."""
    elsewhere.signing(lambda header, claims: make(elsewhere, header, claims))
    await refused(elsewhere, Failure.TOKEN)


async def test_a_level_we_did_not_ask_for(elsewhere: Elsewhere) -> None:
    elsewhere.forging(acr="0")
    await refused(elsewhere, Failure.LEVEL)


async def test_another_persons_national_id_in_the_id_token(elsewhere: Elsewhere) -> None:
    elsewhere.forging(SubjectNameID=people.rpps(14))
    await refused(elsewhere, Failure.USERINFO)


@pytest.mark.parametrize("changes", [{"sub": "another"}, {"sub": None}, {"SubjectNameID": people.rpps(14)}])
async def test_userinfo_of_somebody_else(elsewhere: Elsewhere, changes: dict[str, Any]) -> None:
    """§5.3.2: "The sub Claim in the UserInfo Response MUST be verified to exactly match the sub … in the ID Token"."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        asked = request.url.path.endswith("/userinfo")
        return httpx.Response(200, json={**response.json(), **changes}) if asked else None

    elsewhere.wire.change = change
    await refused(elsewhere, Failure.USERINFO)


@pytest.mark.parametrize("iss", ["https://evil.test", None])
async def test_mix_up(elsewhere: Elsewhere, iss: str | None) -> None:
    """RFC 9207 §2.4: the iss must be the provider's; a provider that promises one and sends none is refused."""
    async with elsewhere.city.browser() as browser:
        back = httpx.URL(await picked(browser, await leave(browser), "gp"))
        query = {name: value for name, value in back.params.items() if name != "iss"}
        page = await browser.get(back.path, params=query if iss is None else {**query, "iss": iss})
    assert page.status_code == 400
    assert MESSAGES[Failure.ISSUER] in page.text


async def test_a_code_of_another_sign_in_is_not_redeemed(elsewhere: Elsewhere) -> None:
    """Code injection (RFC 9700 §4.5): PKCE binds the code to the browser that began."""
    async with elsewhere.city.browser() as victim, elsewhere.city.browser() as attacker:
        stolen = httpx.URL(await picked(victim, await leave(victim), "gp")).params["code"]
        mine = httpx.URL(await picked(attacker, await leave(attacker), "nurse"))
        page = await attacker.get(mine.path, params={**dict(mine.params), "code": stolen})
    assert page.status_code == 400
    assert MESSAGES[Failure.CODE] in page.text


async def test_an_answer_is_for_the_browser_that_asked(elsewhere: Elsewhere) -> None:
    """RFC 9700 §4.7: an attacker's answer in a victim's browser signs nobody in, and leaves theirs alone."""
    async with elsewhere.city.browser() as victim, elsewhere.city.browser() as attacker:
        own = await picked(victim, await leave(victim), "gp")
        theirs = await picked(attacker, await leave(attacker), "nurse")
        page = await victim.get(theirs)
        assert page.status_code == 400
        assert MESSAGES[Failure.STATE] in page.text
        nowhere = await elsewhere.city.browser().get(own)
        assert MESSAGES[Failure.STATE] in nowhere.text
        secret = victim.cookies["__Host-carnet_professional"]
        assert (await victim.get(own)).headers["location"] == "/signin/professional/activity"
        assert MESSAGES[Failure.STATE] in (await victim.get(own)).text
        kept = {"Cookie": f"__Host-carnet_professional={secret}"}
        assert MESSAGES[Failure.STATE] in (await elsewhere.city.browser().get(own, headers=kept)).text


async def test_a_repeated_parameter_is_no_answer(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        back = await picked(browser, await leave(browser), "gp")
        page = await browser.get(f"{back}&code=another")
    assert MESSAGES[Failure.STATE] in page.text


async def test_too_late_is_too_late(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        back = await picked(browser, await leave(browser), "gp")
        elsewhere.city.clock.pass_by(minutes=11)
        assert MESSAGES[Failure.STATE] in (await browser.get(back)).text


@pytest.mark.parametrize("path", ["/wallet-openid-configuration", "/token", "/userinfo", "/certs"])
async def test_a_good_answer_that_is_too_long(elsewhere: Elsewhere, path: str) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        padded = response.content + b" " * 300_000
        headers = {"Content-Type": response.headers["content-type"]}
        return httpx.Response(200, content=padded, headers=headers) if request.url.path.endswith(path) else None

    elsewhere.wire.change = change
    async with elsewhere.city.browser() as browser:
        page = await browser.get("/signin/professional")
        page = page if page.status_code == 503 else await arrive(browser, "gp")
    assert page.status_code == 503


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/certs"])
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={}),
        httpx.Response(302, headers={"location": "https://evil.test/"}),
        httpx.Response(200, content=b"[" * 400_000),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=["a"]),
    ],
    ids=["broken", "redirect", "deep", "html", "list"],
)
async def test_an_answer_that_is_no_answer(elsewhere: Elsewhere, path: str, answer: httpx.Response) -> None:
    elsewhere.wire.change = lambda request, _: answer if request.url.path.endswith(path) else None
    async with elsewhere.city.browser() as browser:
        page = await arrive(browser, "gp")
    assert page.status_code in (400, 503)
    assert "n’a pas abouti" in page.text


async def test_the_authorization_endpoint_may_live_elsewhere(elsewhere: Elsewhere) -> None:
    """The trap of Pro Santé Connect: `wallet.…` for the browser, `auth.…` for the issuer."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if not request.url.path.endswith("configuration"):
            return None
        return httpx.Response(200, json={**response.json(), "authorization_endpoint": "https://wallet.test/auth?a=b"})

    elsewhere.wire.change = change
    async with elsewhere.city.browser() as browser:
        address = await leave(browser)
        assert address.startswith("https://wallet.test/auth?a=b&")
        back = await picked(browser, f"{elsewhere.psc.base}/auth?{httpx.URL(address).query.decode()}", "gp")
        assert (await browser.get(back)).headers["location"] == "/signin/professional/activity"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", None),
        ("issuer", 3),
        ("token_endpoint", None),
        ("token_endpoint", "http://plain.test/"),
        ("jwks_uri", "http://plain.test/"),
        ("authorization_endpoint", "http://plain.test/"),
        ("introspection_endpoint", "http://plain.test/"),
    ],
)
async def test_a_discovery_document_that_is_none(elsewhere: Elsewhere, name: str, value: object) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        document = request.url.path.endswith("configuration")
        return httpx.Response(200, json={**response.json(), name: value}) if document else None

    elsewhere.wire.change = change
    async with elsewhere.city.browser() as browser:
        assert (await browser.get("/signin/professional")).status_code == 503


async def test_a_rotated_key_is_fetched_once_and_not_at_every_forgery(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        await arrive(browser, "gp")
        fresh = ECKey.generate_key("P-256")
        elsewhere.psc.key, elsewhere.psc.kid = fresh, fresh.thumbprint()
        elsewhere.city.clock.pass_by(seconds=11)
        assert (await arrive(browser, "gp")).status_code == 303
    fetched = elsewhere.wire.asked.count("/sandbox/psc/certs")
    assert fetched == 2
    elsewhere.signing(lambda header, claims: _unknown_kid(elsewhere, header, claims))
    for _ in range(3):
        await refused(elsewhere, Failure.TOKEN)
    assert elsewhere.wire.asked.count("/sandbox/psc/certs") == fetched


def test_a_provider_that_takes_post_only_is_posted_to(elsewhere: Elsewhere) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if request.url.path.endswith("configuration"):
            methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
            return httpx.Response(200, json={**response.json(), **methods})
        assert "authorization" not in request.headers
        return None

    elsewhere.wire.change = change
    assert elsewhere.provider.introspect("nothing") == {"active": False}


def test_nothing_secret_is_shown() -> None:
    told = core.Provider("https://idp.test/d", "carnet", "very secret")
    assert "very secret" not in repr(told)
    refused_with = ProviderError(Failure.TOKEN)
    assert str(refused_with) == "token"
    provider = Provider(told)
    provider.close()
    assert "very secret" not in repr(provider)
    assert relying.LIFETIME.total_seconds() == 600


@pytest.mark.parametrize("person", professionals(), ids=lambda one: one.id)
async def test_everybody_of_the_sandbox_signs_in(elsewhere: Elsewhere, person: people.Person) -> None:
    async with elsewhere.city.browser() as browser:
        await arrive(browser, person.id)
        page = await browser.get("/signin/professional/activity")
        assert person.label in page.text
        form = {"csrf": hidden(page), "activity": "0"}
        assert (await browser.post("/signin/professional/activity", data=form)).status_code == 303


async def test_a_provider_that_is_down_is_left_alone_for_a_moment(elsewhere: Elsewhere) -> None:
    elsewhere.wire.change = lambda request, response: httpx.Response(500)
    async with elsewhere.city.browser() as browser:
        for _ in range(3):
            assert (await browser.get("/signin/professional")).status_code == 503
        assert len(elsewhere.wire.asked) == 1
        elsewhere.wire.change = lambda request, response: None
        elsewhere.city.clock.pass_by(seconds=3)
        assert (await browser.get("/signin/professional")).status_code == 303


def test_addresses_with_codes_are_not_logged() -> None:
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
