"""RFC 9207, the issuer in authorization responses."""

from urllib.parse import urlencode

from tests.auth.city import CALLBACK, ISSUER, City, allow, asked, returned, sign_in


async def test_2_a_code_comes_with_iss(city: City) -> None:
    back = returned(await city.authorize(city.citizen_app(), city.person()))
    assert set(back) == {"code", "state", "iss"}
    assert back["iss"] == ISSUER


async def test_2_every_error_too(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    for changes in ({"scope": "x"}, {"response_type": "token"}, {"code_challenge": None}, {"prompt": "none"}):
        assert returned(await city.authorize(app, lucie, **changes))["iss"] == ISSUER
    async with city.browser() as browser:
        query = asked(app)
        await sign_in(browser, lucie, query)
        page = await browser.get(f"/oauth/authorize?{urlencode(query)}")
        back = returned(await allow(browser, page, decision="deny"))
    assert (back["error"], back["iss"]) == ("access_denied", ISSUER)


async def test_2_the_query_of_the_redirect_uri_stays(city: City) -> None:
    uri = CALLBACK + "?tenant=a%20b"
    back = returned(await city.authorize(city.citizen_app(redirect_uris=[uri]), city.person(), redirect_uri=uri))
    assert (back["tenant"], back["iss"]) == ("a b", ISSUER)
