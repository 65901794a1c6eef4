"""The sandbox's providers keep the protocol they play, look like the real ones, and refuse to exist in production."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from stdnum import luhn

from auth import psc
from auth.sandbox import people
from auth.sandbox.provider import FC, PSC, SandboxProvider
from auth.sandbox.routes import configuration
from phr.core.settings import UnsafeSettingsError
from tests.auth.city import City
from tests.auth.elsewhere import SECRET, SOFTWARE_CALLBACK, Elsewhere

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
SOFTWARE = ("practice-at-psc", "practice")


@pytest.fixture
def elsewhere(city: City, tmp_path: Path) -> Elsewhere:
    return Elsewhere(city, tmp_path)


def asked(**changes: str | None) -> dict[str, str]:
    query = {
        "response_type": "code", "client_id": SOFTWARE[0], "redirect_uri": SOFTWARE_CALLBACK, "nonce": "n",
        "scope": "openid scope_all", "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    return {name: value for name, value in {**query, **changes}.items() if value is not None}


def http(elsewhere: Elsewhere) -> httpx.Client:
    return httpx.Client(transport=elsewhere.wire, base_url=elsewhere.psc.base)


def code(elsewhere: Elsewhere, **changes: str | None) -> str:
    with http(elsewhere) as browser:
        back = browser.post("/auth", params=asked(**changes), data={"person": "gp"})
    return httpx.URL(back.headers["location"]).params["code"]


def redeem(elsewhere: Elsewhere, given: str, auth: tuple[str, str] = SOFTWARE, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "redirect_uri": SOFTWARE_CALLBACK, "code_verifier": VERIFIER}
    with http(elsewhere) as software:
        return software.post("/token", data={**form, "code": given, **changes}, auth=auth)


@pytest.mark.parametrize("shape", [PSC, FC])
def test_they_do_not_exist_in_production(elsewhere: Elsewhere, shape: Any) -> None:
    with pytest.raises(UnsafeSettingsError):
        SandboxProvider(replace(elsewhere.settings, env="production"), shape, (), ())


def test_discovery_is_where_pro_sante_connect_has_it(elsewhere: Elsewhere) -> None:
    with http(elsewhere) as browser:
        assert browser.get("/.well-known/openid-configuration").status_code == 404
        told = browser.get("/.well-known/wallet-openid-configuration").json()
    assert told["issuer"] == elsewhere.psc.issuer
    assert told["authorization_response_iss_parameter_supported"] is True


def test_the_authorization_endpoint_is_on_another_host(elsewhere: Elsewhere) -> None:
    here = replace(elsewhere.settings, issuer="http://127.0.0.1:8000")
    told = configuration(SandboxProvider(here, PSC, (), ()))
    assert told["authorization_endpoint"] == "http://localhost:8000/sandbox/psc/auth"
    assert told["token_endpoint"] == "http://127.0.0.1:8000/sandbox/psc/token"
    assert configuration(SandboxProvider(here, FC, (), ()))["authorization_endpoint"].startswith(
        "http://127.0.0.1:8000/"
    )


def test_the_page_lists_everybody_and_needs_no_script(elsewhere: Elsewhere) -> None:
    with http(elsewhere) as browser:
        page = browser.get("/auth", params=asked())
    assert page.text.count('type="radio"') == len(people.professionals())
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "form-action 'self' http://127.0.0.1:8766" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"nonce": None},
        {"scope": "scope_all"},
        {"response_type": "token"},
    ],
)
def test_a_wrong_request_goes_back_with_an_error(elsewhere: Elsewhere, changes: dict[str, str | None]) -> None:
    with http(elsewhere) as browser:
        for answer in (
            browser.get("/auth", params=asked(**changes)),
            browser.post("/auth", params=asked(**changes), data={"person": "gp"}),
        ):
            assert answer.status_code in (303, 400)
            assert "code=" not in answer.headers.get("location", "")
            assert answer.status_code == 400 or "error=" in answer.headers["location"]


@pytest.mark.parametrize("changes", [{"redirect_uri": "https://evil.test/"}, {"client_id": "nobody"}])
def test_nobody_is_sent_to_a_stranger(elsewhere: Elsewhere, changes: dict[str, str | None]) -> None:
    with http(elsewhere) as browser:
        answer = browser.post("/auth", params=asked(**changes), data={"person": "gp"})
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_somebody_must_be_picked(elsewhere: Elsewhere) -> None:
    with http(elsewhere) as browser:
        assert browser.post("/auth", params=asked(), data={"person": "nobody"}).status_code == 400
        assert browser.post("/auth", params=asked(), json={}).status_code == 400


def test_a_code_is_good_once_for_who_was_given_it(elsewhere: Elsewhere) -> None:
    assert redeem(elsewhere, code(elsewhere), ("practice-at-psc", "wrong")).status_code == 401
    assert redeem(elsewhere, code(elsewhere), ("somebody-else", "else")).status_code == 400
    assert redeem(elsewhere, code(elsewhere), code_verifier="x" * 43).status_code == 400
    good = code(elsewhere)
    assert redeem(elsewhere, good).status_code == 200
    assert redeem(elsewhere, good).json()["error"] == "invalid_grant"
    late = code(elsewhere)
    elsewhere.city.clock.pass_by(seconds=61)
    assert redeem(elsewhere, late).status_code == 400


def test_userinfo_has_the_documented_shape_for_two_minutes(elsewhere: Elsewhere) -> None:
    token = elsewhere.token("gp")
    with http(elsewhere) as software:
        bearer = {"Authorization": f"Bearer {token}"}
        told = software.get("/userinfo", headers=bearer).json()
        elsewhere.city.clock.pass_by(seconds=121)
        assert software.get("/userinfo", headers=bearer).status_code == 401
        assert software.get("/userinfo").status_code == 401
    assert told["SubjectRefPro"]["exercices"][0]["activities"][0]["numeroFinessSite"] == people.PRACTICE.finess
    assert told["SubjectRole"] == ["10^1.2.250.1.213.1.1.5.5"]
    assert told["Acces_Regulation_Medicale"] == "FAUX"


def test_introspection_is_for_software_that_proves_itself(elsewhere: Elsewhere) -> None:
    token = elsewhere.token("gp")
    with http(elsewhere) as software:
        assert software.post("/introspect", data={"token": token}).status_code == 401
        assert software.post("/introspect", data={"token": token}, auth=("carnet", "wrong")).status_code == 401
    said = elsewhere.provider.introspect(token)
    assert (said["active"], said["azp"], said["SubjectNameID"]) == (True, "practice-at-psc", people.rpps(11))
    assert elsewhere.provider.introspect("unknown") == {"active": False}


def test_logging_out_ends_the_tokens(elsewhere: Elsewhere) -> None:
    given = elsewhere.tokens("gp", "practice-at-psc")
    with http(elsewhere) as browser:
        asks = browser.get("/logout")
        assert asks.status_code == 200
        assert "radio" in asks.text
        assert browser.get("/logout", params={"id_token_hint": "a.b.c"}).status_code == 400
        assert elsewhere.provider.introspect(given["access_token"])["active"]
        assert browser.get("/logout", params={"id_token_hint": given["id_token"]}).status_code == 200
        assert elsewhere.provider.introspect(given["access_token"]) == {"active": False}
        again = elsewhere.token("gp")
        browser.post("/logout", data={"person": "gp"})
    assert elsewhere.provider.introspect(again) == {"active": False}


def test_what_is_kept_is_bounded(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.sandbox.provider.MOST", 2)
    for name in ("a", "b", "c"):
        elsewhere.psc.sessions.put(name, elsewhere.psc.sessions)  # type: ignore[arg-type]
    assert [name for name, _ in elsewhere.psc.sessions.all()] == ["b", "c"]


def test_ids_are_of_the_test_range_and_valid() -> None:
    numbers = [str(one.userinfo["SubjectNameID"]) for one in people.professionals()]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        bare = psc.rpps(number)
        assert number.startswith("ANS") if bare is None else bare.startswith("997") and luhn.is_valid(bare)
    assert {one.id for one in people.professionals()} >= {"gp", "pharmacist", "nurse", "midwife", "dentist", "trainee"}


def test_citizens_have_traits_and_no_matricule(elsewhere: Elsewhere) -> None:
    abroad = people.Citizen("x", ("Aïda",), "N'DIAYE", "", "female", "1970-01-01", "99341", "x@poste.test")
    [told] = people.citizens([abroad])
    assert (told.userinfo["birthplace"], told.userinfo["birthcountry"]) == ("", "99341")
    assert len(told.sub) == 67
    assert told.sub.endswith("v")
    assert not any("ins" in name.lower() or "nir" in name.lower() for name in told.userinfo)
    assert SECRET not in repr(elsewhere.fc.clients)
