"""RFC 7009, token revocation."""

from datetime import timedelta
from uuid import UUID, uuid4

from joserfc.jwk import ECKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth import grants, tables
from tests.auth.city import ASSERTION, City


def until(city: City, jti: str) -> object:
    with Session(city.engine) as session:
        return session.execute(
            select(tables.revoked_token.c.until).where(tables.revoked_token.c.jti == UUID(jti))
        ).scalar_one_or_none()


async def test_2_2_a_client_revokes_its_own_token(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    token = (await city.token(app, lucie))["access_token"]
    claims = city.server.verifier.verify(token, city.clock())
    assert until(city, claims.jti) is None
    for hint in ("access_token", "refresh_token", "nonsense"):
        answer = await city.post("/oauth/revoke", {"token": token, "client_id": app.id, "token_type_hint": hint})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    kept = until(city, claims.jti)
    assert kept == claims.expires + timedelta(seconds=5)


async def test_2_1_not_another_clients(city: City) -> None:
    app, other, lucie = city.citizen_app(), city.citizen_app(), city.person()
    token = (await city.token(app, lucie))["access_token"]
    answer = await city.post("/oauth/revoke", {"token": token, "client_id": other.id})
    assert answer.status_code == 400
    assert until(city, city.server.verifier.verify(token, city.clock()).jti) is None


async def test_2_1_the_client_is_authenticated(city: City) -> None:
    key = ECKey.generate_key("P-256")
    lab = city.deposit(key)
    token = (await city.client_token(city.assertion(lab, key))).json()["access_token"]
    jti = city.server.verifier.verify(token, city.clock()).jti
    for form in ({"token": token}, {"token": token, "client_id": lab.id}):
        answer = await city.post("/oauth/revoke", form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
        assert until(city, jti) is None
    signed = {"token": token, "client_assertion_type": ASSERTION, "client_assertion": city.assertion(lab, key)}
    assert (await city.post("/oauth/revoke", signed)).status_code == 200
    assert until(city, jti) is not None


async def test_2_2_an_invalid_token_is_revoked_already(city: City) -> None:
    app = city.citizen_app()
    for token in ("rubbish", "a.b.c"):
        assert (await city.post("/oauth/revoke", {"token": token, "client_id": app.id})).status_code == 200


async def test_2_1_the_token_is_required(city: City) -> None:
    answer = await city.post("/oauth/revoke", {"client_id": city.citizen_app().id})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_revoked_grant_revokes_its_tokens(city: City) -> None:
    token = await city.token(city.citizen_app(), city.person())
    claims = city.server.verifier.verify(token["access_token"], city.clock())
    assert claims.grant is not None
    with Session(city.engine) as session, session.begin():
        grants.revoke(session, UUID(claims.grant), city.clock())
    assert until(city, claims.grant) == city.clock() + grants.LONGEST
    assert until(city, str(uuid4())) is None
