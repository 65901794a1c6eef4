"""RFC 8693 and the French "API Pro Santé Connectées": a provider's token for ours, bound, frozen, and taken back."""

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from auth import assistants, backchannel, clients, exchanged_tokens, grants, rfc8705, tables
from auth.assistants import Naming
from auth.claims import Claims
from auth.clients import Client, Kind
from auth.message import Answer, Message
from auth.psc import professionals
from auth.rfc8693 import ACCESS_TOKEN, GRANT_TYPE, JWT, Federation
from auth.sandbox import people
from tests.auth.city import ISSUER, City
from tests.auth.elsewhere import Elsewhere
from tests.auth.test_backchannel import token as logout_token

GP, SECRETARY = people.rpps(11), "ANS20260000000041"
SCOPES = ["user/*.cruds", "launch"]


class Practice:
    """A practice's software: its certificate, its registration, and its exchanges."""

    def __init__(self, elsewhere: Elsewhere, **metadata: Any) -> None:
        self.elsewhere, self.city = elsewhere, elsewhere.city
        self.city.server.federation = Federation(elsewhere.provider, True)
        key = ECKey.generate_key("P-256")
        self.der = certificate(self.city, key)
        chain = [base64.b64encode(self.der).decode()]
        told = {
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "tls_client_certificate_bound_access_tokens": True,
            "subject_token_clients": ["practice-at-psc"],
        }
        values: dict[str, Any] = {
            "id": f"practice-{uuid4().hex[:8]}", "name": "Cabinet", "kind": Kind.PROFESSIONAL, "scopes": SCOPES,
            "now": self.city.clock(), "jwks": {"keys": [{**key.as_dict(private=False), "x5c": chain}]},
            "metadata": told | metadata,
        }  # fmt: skip
        with Session(self.city.engine) as session, session.begin():
            self.client: Client = clients.register(session, **values)

    def exchange(self, token: str, certificate: bytes | None = None, **changes: str | None) -> Answer:
        form = {
            "grant_type": GRANT_TYPE, "client_id": self.client.id, "subject_token": token,
            "subject_token_type": ACCESS_TOKEN, "scope": "user/*.rs",
        } | changes  # fmt: skip
        pairs = [(name, value) for name, value in form.items() if value is not None]
        message = Message("POST", form=pairs, certificate=certificate or self.der, path="/oauth/token")
        return self.city.server.answer("token", message)

    def claims(self, token: str, **changes: Any) -> Claims:
        answer = self.exchange(token, **changes)
        assert answer.status == 200, answer.body
        return self.city.server.verifier.verify(answer.body["access_token"], self.city.clock())

    def refused(self, token: str, error: str, **changes: Any) -> str:
        answer = self.exchange(token, **changes)
        assert answer.body.get("error") == error, answer.body
        assert "access_token" not in answer.body
        return str(answer.body.get("error_description", ""))


def certificate(city: City, key: ECKey) -> bytes:
    name, private = x509.Name.from_rfc4514_string("CN=cabinet.test"), key.private_key
    assert private is not None
    made = x509.CertificateBuilder(name, name, private.public_key(), 7)
    made = made.not_valid_before(city.clock() - timedelta(days=1)).not_valid_after(city.clock() + timedelta(days=30))
    return made.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def elsewhere(city: City, tmp_path: Path) -> Elsewhere:
    with Session(city.engine) as session, session.begin():
        session.execute(delete(tables.exchanged_token))
    return Elsewhere(city, tmp_path)


@pytest.fixture
def practice(elsewhere: Elsewhere) -> Practice:
    return Practice(elsewhere)


@pytest.mark.parametrize("kind", [ACCESS_TOKEN, JWT])
def test_the_identity_is_frozen_in_a_token_of_one_hour(practice: Practice, kind: str) -> None:
    token = practice.elsewhere.token("gp")
    answer = practice.exchange(token, subject_token_type=kind)
    assert answer.status == 200, answer.body
    # §2.2.1: issued_token_type is REQUIRED.
    assert answer.body["issued_token_type"] == ACCESS_TOKEN
    assert answer.body["token_type"] == "Bearer"
    assert answer.body["expires_in"] in (3599, 3600)
    assert answer.body["scope"] == "user/*.rs"
    claims = practice.city.server.verifier.verify(answer.body["access_token"], practice.city.clock())
    assert claims.subject == GP
    assert claims.professional is not None
    assert (claims.professional.family, claims.professional.skill) == ("GARNIER", "SM54")
    assert claims.professional.structure == f"1{people.PRACTICE.finess}"
    assert (claims.assistant, claims.actor, claims.record) == (None, None, None)
    assert (claims.kind, claims.acr) == ("professional", "eidas1")
    # RFC 8705 §3.1
    digest = hashlib.sha256(practice.der).digest()
    assert claims.x5t == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        ("invalid_request", {"subject_token": None}),  # §2.1: REQUIRED
        ("invalid_request", {"subject_token_type": None}),  # §2.1: REQUIRED
        ("invalid_request", {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}),
        (
            "invalid_request",
            {"actor_token": "x"},
        ),  # §2.1: actor_token_type "REQUIRED when the actor_token … is present"
        ("invalid_request", {"actor_token_type": JWT}),  # "but MUST NOT be included otherwise"
        ("invalid_request", {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}),
        ("invalid_target", {"resource": "https://evil.test/fhir"}),  # §2.2.2
        ("invalid_target", {"audience": "somebody"}),
        ("invalid_scope", {"scope": None}),
        ("invalid_scope", {"scope": "system/*.rs"}),
        ("invalid_scope", {"scope": "user/*.rs everything"}),
        ("invalid_request", {"cnf": "{}"}),
        ("invalid_request", {"cnf": "[1"}),
        ("invalid_request", {"cnf": '{"x5t#S256":"AAAA"}'}),
        ("invalid_request", {"cnf": '{"x5t#S256":3}'}),
        ("invalid_request", {"subject_token": "unknown"}),  # §2.2.2
    ],
)
def test_a_request_that_is_not_one(practice: Practice, error: str, changes: dict[str, str | None]) -> None:
    practice.refused(practice.elsewhere.token("gp"), error, **changes)


def test_both_spellings_of_cnf(practice: Practice) -> None:
    """The IG's example is the base64 of the hexadecimal digest; RFC 8705 wants the digest itself."""
    digest = hashlib.sha256(practice.der)
    right = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    legacy = base64.b64encode(digest.hexdigest().encode()).decode()
    for spelled in (right, legacy):
        practice.claims(practice.elsewhere.token("gp"), cnf=json.dumps({"x5t#S256": spelled}))
    home = {"resource": f"{ISSUER}/fhir", "audience": f"{ISSUER}/fhir", "requested_token_type": ACCESS_TOKEN}
    practice.claims(practice.elsewhere.token("gp"), **home)


def test_without_a_key_there_is_no_token(elsewhere: Elsewhere) -> None:
    """Software that signs its assertions, and shows neither a certificate nor a proof."""
    city, key = elsewhere.city, ECKey.generate_key("P-256")
    city.server.federation = Federation(elsewhere.provider, True)
    metadata = {"subject_token_clients": ["practice-at-psc"]}
    signing = city.deposit(key, kind=Kind.PROFESSIONAL, scopes=SCOPES, metadata=metadata)
    form = [
        ("grant_type", GRANT_TYPE), ("subject_token", elsewhere.token("gp")), ("subject_token_type", ACCESS_TOKEN),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", city.assertion(signing, key)), ("scope", "user/*.rs"),
    ]  # fmt: skip
    answer = city.server.answer("token", Message("POST", form=form, path="/oauth/token"))
    assert answer.body["error"] == "invalid_request"
    assert "bound" in answer.body["error_description"]


def test_the_certificate_shown_binds_registered_so_or_not(elsewhere: Elsewhere) -> None:
    practice = Practice(elsewhere, tls_client_certificate_bound_access_tokens=False)
    assert practice.claims(elsewhere.token("gp")).x5t == rfc8705.thumbprint(practice.der)


def test_another_certificate_is_another_client(practice: Practice) -> None:
    other = certificate(practice.city, ECKey.generate_key("P-256"))
    practice.refused(practice.elsewhere.token("gp"), "invalid_client", certificate=other)


def test_a_token_given_to_other_software_is_refused(practice: Practice) -> None:
    """RFC 9700 §2.3, audience restriction: a token stolen by another application of the provider is worth nothing."""
    practice.refused(practice.elsewhere.token("gp", "somebody-else"), "invalid_request")


def test_kinds_of_software_that_exchange_nothing(elsewhere: Elsewhere) -> None:
    city, key = elsewhere.city, ECKey.generate_key("P-256")
    city.server.federation = Federation(elsewhere.provider, True)
    laboratory = city.deposit(key)
    form = [
        ("grant_type", GRANT_TYPE), ("subject_token", "x"), ("subject_token_type", ACCESS_TOKEN),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", city.assertion(laboratory, key)), ("scope", "system/*.rs"),
    ]  # fmt: skip
    answer = city.server.answer("token", Message("POST", form=form, path="/oauth/token"))
    assert answer.body["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"iss": "https://another.test"},
        {"iss": None},
        {"exp": 1_000_000_000},
        {"exp": 1e300},
        {"exp": None},
        {"azp": "somebody-else"},
        {"azp": None, "client_id": None},
        {"sub": "f:somebody:else"},
        {"sub": None},
        {"SubjectNameID": people.rpps(14)},
    ],
)
def test_an_introspection_that_does_not_hold(practice: Practice, changes: dict[str, Any]) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if not request.url.path.endswith("/introspect"):
            return None
        said = {**response.json(), **changes}
        return httpx.Response(200, json={name: value for name, value in said.items() if value is not None})

    token = practice.elsewhere.token("gp")
    practice.elsewhere.wire.change = change
    practice.refused(token, "invalid_request")


def test_a_silent_provider_gives_nothing(practice: Practice) -> None:
    token = practice.elsewhere.token("gp")
    practice.elsewhere.wire.change = lambda request, response: httpx.Response(502)
    answer = practice.exchange(token)
    assert (answer.status, answer.body["error"]) == (503, "temporarily_unavailable")


def test_two_minutes_later_the_providers_token_is_over(practice: Practice) -> None:
    token = practice.elsewhere.token("gp")
    practice.city.clock.pass_by(seconds=150)
    practice.refused(token, "invalid_request")


def test_who_has_several_activities_says_which(practice: Practice) -> None:
    token = practice.elsewhere.token("two-places")
    told = practice.refused(token, "invalid_request")
    assert f"0: 3{people.OFFICE.siret}" in told
    assert f"1: 1{people.HOSPITAL.finess}" in told
    assert "VERNET" not in told
    for wrong in ("2", "-1", "1690991010", "٠", "01", "9" * 5000):
        practice.refused(token, "invalid_request", activity=wrong)
    for right in ("1", f"1{people.HOSPITAL.finess}"):
        found = practice.claims(token, activity=right).professional
        assert found is not None
        assert found.structure == f"1{people.HOSPITAL.finess}"


def named(elsewhere: Elsewhere, number: str = SECRETARY) -> Naming:
    city = elsewhere.city
    doctor = professionals(elsewhere.psc.people["gp"].userinfo, sandbox=True)[0]
    with Session(city.engine) as session, session.begin():
        made = assistants.name(session, city.keys, doctor, number, city.clock(), sandbox=True)
    assert isinstance(made, Naming)
    return made


def dismissed(elsewhere: Elsewhere, naming: Naming) -> bool:
    city = elsewhere.city
    with Session(city.engine) as session, session.begin():
        return assistants.dismiss(session, city.keys, naming.professional, naming.id, city.clock())


def revoked(city: City, claims: Claims) -> bool:
    with Session(city.engine) as session:
        return grants.is_revoked(session, [UUID(claims.jti)])


def test_an_assistant_acts_for_the_professional(practice: Practice) -> None:
    """§4.1: `act` says who acts; the subject stays the professional."""
    elsewhere = practice.elsewhere
    naming = named(elsewhere)
    both = {"actor_token": elsewhere.token("secretary"), "actor_token_type": ACCESS_TOKEN}
    claims = practice.claims(elsewhere.token("gp"), **both)
    assert (claims.subject, claims.actor) == (GP, SECRETARY)
    assert claims.assistant is not None
    assert claims.assistant.profession == ""
    assert not revoked(practice.city, claims)
    assert dismissed(elsewhere, naming)
    assert revoked(practice.city, claims)
    practice.refused(elsewhere.token("gp"), "invalid_request", **both)
    assert not dismissed(elsewhere, naming)


def test_who_was_not_named_does_not_act(practice: Practice) -> None:
    elsewhere = practice.elsewhere
    dismissed(elsewhere, named(elsewhere, people.rpps(31)))
    for person in ("midwife", "gp", "nurse", "geriatrician"):
        both = {"actor_token": elsewhere.token(person), "actor_token_type": JWT}
        practice.refused(elsewhere.token("gp"), "invalid_request", **both)
    elsewhere_working = named(elsewhere, people.rpps(14))  # named, and works in another structure
    both = {"actor_token": elsewhere.token("geriatrician"), "actor_token_type": JWT}
    practice.refused(elsewhere.token("gp"), "invalid_request", **both)
    dismissed(elsewhere, elsewhere_working)


def recheck(practice: Practice) -> int:
    city = practice.city
    return exchanged_tokens.recheck(city.server, practice.elsewhere.provider, city.clock())


def test_every_thirty_minutes_the_provider_is_asked_again(practice: Practice) -> None:
    city, elsewhere = practice.city, practice.elsewhere
    claims = practice.claims(elsewhere.token("gp"))
    city.clock.pass_by(minutes=29)
    asked = elsewhere.wire.asked.count("/sandbox/psc/introspect")
    assert recheck(practice) == 0
    assert elsewhere.wire.asked.count("/sandbox/psc/introspect") == asked
    city.clock.pass_by(minutes=2)
    assert recheck(practice) == 0
    assert elsewhere.wire.asked.count("/sandbox/psc/introspect") == asked + 1
    assert recheck(practice) == 0
    assert not revoked(city, claims)


def test_a_session_over_at_the_provider_is_noticed(practice: Practice) -> None:
    city, elsewhere = practice.city, practice.elsewhere
    mine, other = practice.claims(elsewhere.token("gp")), practice.claims(elsewhere.token("nurse"))
    for sid in elsewhere.psc.sessions_of("gp"):
        elsewhere.psc.end(sid)
    city.clock.pass_by(minutes=31)
    assert recheck(practice) == 1
    assert revoked(city, mine)
    assert not revoked(city, other)


def test_doubt_lasts_five_minutes(practice: Practice) -> None:
    city, elsewhere = practice.city, practice.elsewhere
    claims = practice.claims(elsewhere.token("gp"))
    elsewhere.wire.change = lambda request, response: httpx.Response(503)
    for minutes in (31, 1, 1, 1):
        city.clock.pass_by(minutes=minutes)
        assert recheck(practice) == 0
        assert not revoked(city, claims)
    city.clock.pass_by(minutes=1)
    assert recheck(practice) == 1
    assert revoked(city, claims)


def test_a_provider_that_answers_again_is_believed_again(practice: Practice) -> None:
    city, elsewhere = practice.city, practice.elsewhere
    claims = practice.claims(elsewhere.token("gp"))
    elsewhere.wire.change = lambda request, response: httpx.Response(503)
    city.clock.pass_by(minutes=33)
    recheck(practice)
    elsewhere.wire.change = lambda request, response: None
    city.clock.pass_by(minutes=1)
    recheck(practice)
    city.clock.pass_by(minutes=10)
    assert recheck(practice) == 0
    assert not revoked(city, claims)


def test_processes_share_the_asking(practice: Practice) -> None:
    elsewhere = practice.elsewhere
    for _ in range(8):
        practice.claims(elsewhere.token("gp"))
    practice.city.clock.pass_by(minutes=31)
    before = elsewhere.wire.asked.count("/sandbox/psc/introspect")
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: recheck(practice), range(4))) == 0
    assert elsewhere.wire.asked.count("/sandbox/psc/introspect") == before + 8


def test_a_logout_at_the_provider_ends_the_token_at_once(practice: Practice) -> None:
    city, elsewhere = practice.city, practice.elsewhere
    claims = practice.claims(elsewhere.token("gp"))
    [sid] = elsewhere.psc.sessions_of("gp")
    sub = elsewhere.psc.people["gp"].sub
    assert backchannel.receive(city.server, elsewhere.provider, logout_token(elsewhere, sub=sub, sid=sid)) == 1
    assert revoked(city, claims)
    with Session(city.engine) as session:
        assert session.execute(select(func.count()).select_from(tables.exchanged_token)).scalar_one() == 0


def test_the_providers_token_is_kept_sealed(practice: Practice) -> None:
    token = practice.elsewhere.token("gp")
    practice.claims(token)
    with Session(practice.city.engine) as session:
        [stored] = session.execute(select(tables.exchanged_token.c.sealed)).scalars()
    assert token.encode() not in stored
