"""Web Authentication Level 2 §7: what is checked of a passkey, clause by clause, against an authenticator that lies."""

import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from auth import accounts, factors, passkeys
from auth.passkeys import Challenge, PasskeyRefusal
from tests.auth.authenticator import MADE, PRESENT, VERIFIED, Authenticator
from tests.auth.city import ISSUER, City, Person

REFUSED, EXPIRED = PasskeyRefusal.REFUSED, PasskeyRefusal.EXPIRED


def creation(city: City, person: Person) -> Challenge:
    with Session(city.engine) as session, session.begin():
        account = accounts.find(session, city.keys, person.id)
        assert account is not None
        return passkeys.registration(session, city.keys, ISSUER, account, city.clock())


def registered(city: City, person: Person, answer: str) -> UUID | PasskeyRefusal:
    with Session(city.engine) as session, session.begin():
        return passkeys.register(session, city.keys, ISSUER, person.id, answer, " Mon\ntéléphone ", city.clock())


def request(city: City, account: UUID | None = None) -> Challenge:
    with Session(city.engine) as session, session.begin():
        return passkeys.authentication(session, city.keys, ISSUER, account, city.clock())


def shown(city: City, answer: str, account: UUID | None = None) -> UUID | PasskeyRefusal:
    with Session(city.engine) as session, session.begin():
        return passkeys.authenticate(session, city.keys, ISSUER, account, answer, city.clock())


def owner(city: City, counts: bool = True) -> tuple[Person, Authenticator]:
    """A person and the passkey they added."""
    lucie, device = city.person(), Authenticator(ISSUER, counts)
    assert isinstance(registered(city, lucie, device.make(creation(city, lucie))), UUID)
    return lucie, device


def test_what_the_browser_is_asked(city: City) -> None:
    lucie, device = owner(city)
    made, asked = json.loads(creation(city, lucie).options), json.loads(request(city).options)
    assert made["rp"] == {"name": "Carnet", "id": "carnet.test"}
    assert made["attestation"] == "none"
    assert made["authenticatorSelection"]["residentKey"] == "preferred"
    assert made["authenticatorSelection"]["userVerification"] == asked["userVerification"] == "required"
    assert [one["id"] for one in made["excludeCredentials"]] == [
        json.loads(device.show(request(city)))["credential"]["id"]
    ]
    assert asked["rpId"] == "carnet.test"
    assert asked["allowCredentials"] == []
    assert len(json.loads(request(city, lucie.id).options)["allowCredentials"]) == 1
    assert json.loads(creation(city, lucie).options)["challenge"] != made["challenge"]


def test_a_passkey_shows_whose_it_is(city: City) -> None:
    lucie, device = owner(city)
    assert shown(city, device.show(request(city))) == lucie.id
    assert shown(city, device.show(request(city, lucie.id)), lucie.id) == lucie.id
    with Session(city.engine) as session:
        (kept,) = factors.of_account(session, city.keys, lucie.id)
    assert (kept.label, kept.counter, kept.last_used) == ("Mon téléphone", 2, city.clock())


def test_a_challenge_serves_once_and_for_ten_minutes(city: City) -> None:
    """§7.2 step 12: "Verify that the value of C.challenge equals … the options.challenge"."""
    _, device = owner(city)
    answer = device.show(request(city))
    assert isinstance(shown(city, answer), UUID)
    assert shown(city, answer) is EXPIRED
    late = device.show(request(city))
    city.clock.pass_by(minutes=10)
    assert shown(city, late) is EXPIRED
    mine, other = request(city), request(city)
    mixed = json.loads(device.show(other)) | {"ticket": mine.ticket}
    assert shown(city, json.dumps(mixed)) is REFUSED


def test_a_challenge_for_one_account_is_nothing_for_another(city: City) -> None:
    (lucie, device), (other, _) = owner(city), owner(city)
    assert shown(city, device.show(request(city, lucie.id)), other.id) is EXPIRED
    assert shown(city, device.show(request(city, other.id)), other.id) is REFUSED
    assert shown(city, device.show(request(city, lucie.id))) is EXPIRED
    assert shown(city, device.show(request(city)), lucie.id) is EXPIRED


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://carnet.test.evil.test"}, {"origin": "http://carnet.test"},
        {"origin": "https://carnet.test:8443"}, {"type": "webauthn.create"}, {"challenge": "AAAA"},
    ],
)  # fmt: skip
def test_7_2_steps_11_to_13_the_client_data(city: City, changes: dict[str, str]) -> None:
    """ "Verify that the value of C.origin matches the Relying Party's origin" and its type, and the challenge."""
    _, device = owner(city)
    assert shown(city, device.show(request(city), changes)) is REFUSED


@pytest.mark.parametrize("flags", [0, PRESENT, VERIFIED])
def test_7_2_steps_16_and_17_present_and_verified(city: City, flags: int) -> None:
    """ "Verify that the User Verified bit of the flags in authData is set": it is our other factor."""
    _, device = owner(city)
    device.flags = flags
    assert shown(city, device.show(request(city))) is REFUSED


def test_7_2_step_15_another_sites_key(city: City) -> None:
    """ "Verify that the rpIdHash in authData is the SHA-256 hash of the RP ID expected"."""
    _, device = owner(city)
    challenge = request(city)
    options = json.loads(challenge.options) | {"rpId": "evil.test"}
    assert shown(city, device.show(Challenge(challenge.ticket, json.dumps(options)))) is REFUSED


def test_7_2_step_20_the_signature(city: City) -> None:
    lucie, device = owner(city)
    stranger = Authenticator(ISSUER, id=device.id, handle=lucie.id.bytes, counter=10)
    assert shown(city, stranger.show(request(city))) is REFUSED


def test_7_2_step_6_the_user_handle(city: City) -> None:
    """Without a name, the handle says who; a handle of somebody else's account finds no such key there."""
    (lucie, device), (other, _) = owner(city), owner(city)
    assert shown(city, device.show(request(city), handle=b"")) is REFUSED
    assert shown(city, device.show(request(city), handle=other.id.bytes)) is REFUSED
    assert shown(city, device.show(request(city), handle=uuid4().bytes)) is REFUSED
    assert shown(city, device.show(request(city), handle=b"short")) is REFUSED
    assert shown(city, device.show(request(city, lucie.id), handle=other.id.bytes), lucie.id) is REFUSED
    assert shown(city, device.show(request(city, lucie.id), handle=b""), lucie.id) == lucie.id


def test_7_2_step_21_a_count_that_does_not_move_on(city: City) -> None:
    """ "If … signCount is … less than or equal to the stored signCount … a signal that the authenticator may be
    cloned".
    """
    _, device = owner(city)
    device.counter = 7
    assert isinstance(shown(city, device.show(request(city))), UUID)
    copy = Authenticator(ISSUER, id=device.id, handle=device.handle, key=device.key, counter=6)
    assert shown(city, copy.show(request(city))) is REFUSED, "8 came, then 7"
    copy.counts, copy.counter = False, 0
    assert shown(city, copy.show(request(city))) is REFUSED, "8 came, then none"


def test_an_authenticator_that_does_not_count(city: City) -> None:
    lucie, device = owner(city, counts=False)
    for _ in range(3):
        assert shown(city, device.show(request(city))) == lucie.id


def test_a_removed_passkey_is_refused(city: City) -> None:
    lucie, device = owner(city)
    with Session(city.engine) as session, session.begin():
        (kept,) = factors.of_account(session, city.keys, lucie.id)
        factors.remove(session, lucie.id, kept.id)
    assert shown(city, device.show(request(city))) is REFUSED


def test_7_1_registration_is_checked_too(city: City) -> None:
    """§7.1: challenge, origin, type, RP ID, user present and verified; and the session that asked."""
    lucie, other = city.person(), city.person()
    for changes in ({"origin": "https://evil.test"}, {"type": "webauthn.get"}, {"challenge": "AAAA"}):
        assert registered(city, lucie, Authenticator(ISSUER).make(creation(city, lucie), changes)) is REFUSED
    for flags in (MADE, PRESENT, VERIFIED):
        assert registered(city, lucie, Authenticator(ISSUER, flags=flags).make(creation(city, lucie))) is REFUSED
    assert registered(city, other, Authenticator(ISSUER).make(creation(city, lucie))) is EXPIRED
    answer = Authenticator(ISSUER).make(creation(city, lucie))
    assert isinstance(registered(city, lucie, answer), UUID)
    assert registered(city, lucie, answer) is EXPIRED


def test_a_passkey_is_added_once(city: City) -> None:
    lucie, device = owner(city)
    assert registered(city, lucie, device.make(creation(city, lucie))) is PasskeyRefusal.KNOWN
    assert shown(city, device.show(request(city))) == lucie.id


@pytest.mark.parametrize(
    "answer",
    ["", "null", "[]", "{}", '{"ticket": 1, "credential": {}}', '{"ticket": "x", "credential": 1}', "[" * 100_000,
     '{"ticket": "\\ud800", "credential": {}}'],
)  # fmt: skip
def test_what_is_no_answer(city: City, answer: str) -> None:
    assert shown(city, answer) is EXPIRED


@pytest.mark.parametrize(
    "path", ["id", "rawId", "type", "clientDataJSON", "authenticatorData", "signature", "userHandle"]
)
@pytest.mark.parametrize("value", [None, 1, "", "é", "AAAA", {"a": []}])
def test_a_mangled_answer_is_refused(city: City, path: str, value: object) -> None:
    lucie, device = owner(city)
    answer = json.loads(device.show(request(city)))
    inside = answer["credential"] if path in answer["credential"] else answer["credential"]["response"]
    inside[path] = value
    assert shown(city, json.dumps(answer)) is REFUSED
    assert shown(city, device.show(request(city))) == lucie.id
