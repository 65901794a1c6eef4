"""RFC 7636, PKCE: S256, for every client."""

import pytest
from joserfc.jwk import ECKey

from tests.auth.city import ASSERTION, VERIFIER, City, returned


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "plain", "code_challenge": VERIFIER},
        {"code_challenge_method": "s256"},
        {"code_challenge": "a" * 42},
        {"code_challenge": "a" * 44},
        {"code_challenge": "a" * 42 + "~"},
        {"code_challenge": "a" * 43 + "\n"},
    ],
)
async def test_4_4_1_missing_or_plain_is_invalid_request(city: City, changes: dict[str, str | None]) -> None:
    back = returned(await city.authorize(city.citizen_app(), city.person(), **changes))
    assert back["error"] == "invalid_request"
    assert "code" not in back


async def test_4_4_1_a_client_that_authenticates_needs_it_too(city: City) -> None:
    key = ECKey.generate_key("P-256")
    app, lucie = city.citizen_app(jwks={"keys": [key.as_dict(private=False)]}), city.person()
    back = returned(await city.authorize(app, lucie, code_challenge=None, code_challenge_method=None))
    assert back["error"] == "invalid_request"
    for verifier, status in ((None, 400), (VERIFIER, 200)):
        answer = await city.redeem(
            app,
            await city.code(app, lucie),
            code_verifier=verifier,
            client_assertion_type=ASSERTION,
            client_assertion=city.assertion(app, key),
        )
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "verifier", [None, VERIFIER + "x", VERIFIER.upper(), VERIFIER + "\n", "short", "a" * 129, "é" * 43]
)
async def test_4_6_a_wrong_verifier_is_invalid_grant(city: City, verifier: str | None) -> None:
    app, lucie = city.citizen_app(), city.person()
    answer = await city.redeem(app, await city.code(app, lucie), code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_4_6_the_challenge_is_not_the_verifier(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    challenge = "a" * 43
    code = await city.code(app, lucie, code_challenge=challenge)
    assert (await city.redeem(app, code, code_verifier=challenge)).json()["error"] == "invalid_grant"


async def test_a_wrong_verifier_uses_the_code_up(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    await city.redeem(app, code, code_verifier="w" * 43)
    assert (await city.redeem(app, code)).json()["error"] == "invalid_grant"
