"""RFC 9449, DPoP: each clause of §4.3, nonces (§8, §9), replay (§11.1) and the challenge (§7.1)."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from auth import rfc9449
from auth.rfc9449 import InvalidProof, NonceNeeded, Nonces
from phr.core.keys import PURPOSES, SystemKeys
from phr.core.vault import new_key
from tests.auth.city import Clock, forge
from tests.auth.prover import KEY, URL, Key, Prover

TOKEN = "an.access.token"
RSA = RSAKey.generate_key(2048)


@pytest.fixture
def prover(auth_keys: SystemKeys, clock: Clock) -> Prover:
    return Prover(auth_keys, clock)


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", KEY),
        ("ES384", ECKey.generate_key("P-384")),
        ("PS256", RSA),
        ("RS256", RSAKey.generate_key(4096)),
        ("Ed25519", OKPKey.generate_key("Ed25519")),
    ],
)
def test_4_3_a_right_proof_shows_its_key(prover: Prover, alg: str, key: Key) -> None:
    found = prover.check(prover.proof(key, alg, jti="one"))
    assert (found.jkt, found.jti) == (key.thumbprint(), "one")
    assert abs(found.iat - prover.clock()) < timedelta(seconds=1)


def test_6_1_jkt_is_the_rfc_7638_thumbprint(prover: Prover) -> None:
    """§6.1: "The value of the jkt member MUST be the base64url encoding … of the JWK SHA-256 Thumbprint"."""
    public = KEY.as_dict(private=False)
    canonical = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).decode().rstrip("=")
    extra = {"jwk": {**public, "kid": "mine", "use": "sig"}}
    assert prover.check(prover.proof(header=extra)).jkt == digest
    assert rfc9449.is_thumbprint(digest)
    assert not any(map(rfc9449.is_thumbprint, (digest + "=", digest[1:], digest[:-1] + "é", "")))


@pytest.mark.parametrize("count", [0, 2])
def test_4_3_1_there_is_exactly_one_header(prover: Prover, count: int) -> None:
    """§4.3-1: "There is not more than one DPoP HTTP request header field."."""
    with pytest.raises(InvalidProof):
        rfc9449.one([prover.proof()] * count)
    proof = prover.proof()
    assert rfc9449.one([proof]) == proof
    assert prover.refused(f"{proof}, {proof}")


@pytest.mark.parametrize(
    "proof", ["", "x", "a.b.c", "é.é.é", "..", "." * 9000, "eyJhbGciOiJFUzI1NiJ9.W10.AA", "W10.W10.AA"]
)
def test_4_3_2_it_is_a_single_well_formed_jwt(prover: Prover, proof: str) -> None:
    assert prover.refused(proof)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"x"', b"{", b"[" * 5000])
def test_4_3_2_whose_payload_is_an_object(prover: Prover, payload: bytes) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.as_dict(private=False)}
    registry = jws.JWSRegistry(algorithms=["ES256"])
    assert prover.refused(jws.serialize_compact(header, payload, KEY, registry=registry))


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
def test_4_3_3_all_required_claims_are_there(prover: Prover, name: str) -> None:
    assert prover.refused(prover.proof(**dict[str, Any]({name: None})))


@pytest.mark.parametrize("jti", ["", 5, "x" * 256, "é", [], "\ud800", "a b"])
def test_4_2_jti_is_an_identifier(prover: Prover, jti: Any) -> None:
    assert prover.refused(prover.proof(jti=jti))


@pytest.mark.parametrize("iat", ["now", True, {}, 1e300, -1e300])
def test_4_2_iat_is_a_date(prover: Prover, iat: Any) -> None:
    assert prover.refused(prover.proof(iat=iat))


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "dpop", "DPOP+JWT", ["dpop+jwt"]])
def test_4_3_4_its_type_is_dpop_jwt(prover: Prover, typ: Any) -> None:
    """§4.3-4: "The typ JOSE Header Parameter has the value dpop+jwt."."""
    proof = prover.proof() if typ is None or isinstance(typ, list) else prover.proof(header={"typ": typ})
    if typ is None or isinstance(typ, list):
        head, rest = proof.split(".", 1)
        said = json.loads(base64.urlsafe_b64decode(head + "=="))
        said = said | {"typ": typ} if typ else {name: value for name, value in said.items() if name != "typ"}
        proof = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=") + "." + rest
    assert prover.refused(proof)


def test_4_3_5_none_is_refused(prover: Prover) -> None:
    """§4.3-5: "a registered asymmetric digital signature algorithm …, is not none"."""
    header = {"typ": "dpop+jwt", "alg": "none", "jwk": KEY.as_dict(private=False)}
    assert prover.refused(forge(header, prover.claims(), None))


def test_4_3_5_a_symmetric_signature_with_the_public_key_is_refused(prover: Prover) -> None:
    public = KEY.as_dict(private=False)
    for secret in (KEY.as_pem(private=False), json.dumps(public).encode()):
        assert prover.refused(forge({"typ": "dpop+jwt", "alg": "HS256", "jwk": public}, prover.claims(), secret))
    octet = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}
    secret = base64.urlsafe_b64decode(octet["k"] + "==")
    assert prover.refused(forge({"typ": "dpop+jwt", "alg": "HS256", "jwk": octet}, prover.claims(), secret))


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES512", ECKey.generate_key("P-521")),
        ("RS512", RSA),
        ("PS384", RSA),
        ("ES256K", ECKey.generate_key("secp256k1")),
    ],
)
def test_4_3_5_an_algorithm_out_of_our_list_is_refused(prover: Prover, alg: str, key: Key) -> None:
    assert prover.refused(prover.proof(key, alg))


def test_4_3_5_the_algorithm_fits_the_key(prover: Prover) -> None:
    for alg, key in (("RS256", KEY), ("ES384", KEY), ("ES256", RSA), ("Ed25519", KEY)):
        proof = prover.proof(header={"jwk": key.as_dict(private=False)})
        head, rest = proof.split(".", 1)
        said = json.loads(base64.urlsafe_b64decode(head + "==")) | {"alg": alg}
        assert prover.refused(base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=") + "." + rest)


def test_4_3_6_the_signature_is_by_the_key_in_the_header(prover: Prover) -> None:
    other = ECKey.generate_key("P-256").as_dict(private=False)
    assert prover.refused(prover.proof(header={"jwk": other}))
    head, _, signature = prover.proof().split(".")
    payload = base64.urlsafe_b64encode(json.dumps(prover.claims()).encode()).decode().rstrip("=")
    assert prover.refused(f"{head}.{payload}.{signature}")


@pytest.mark.parametrize("key", [KEY, RSA, OKPKey.generate_key("Ed25519")])
def test_4_3_7_a_private_key_in_the_header_is_refused(prover: Prover, key: Key) -> None:
    """§4.3-7: "The jwk JOSE Header Parameter does not contain a private key."."""
    alg = {"EC": "ES256", "RSA": "RS256", "OKP": "Ed25519"}[key.key_type]
    assert prover.check(prover.proof(key, alg)).jkt == key.thumbprint()
    private = key.as_dict(private=True)
    for name in set(private) - set(key.as_dict(private=False)):
        jwk = key.as_dict(private=False) | {name: private[name]}
        assert prover.refused(prover.proof(key, alg, header={"jwk": jwk})), name
    assert prover.refused(prover.proof(key, alg, header={"jwk": private}))


@pytest.mark.parametrize(
    "jwk", [None, {}, [], "EC", {"kty": "EC"}, {"kty": "oct", "k": "AA"}, {"kty": []}, {"kty": "XX"}]
)
def test_4_3_7_the_header_holds_a_public_key(prover: Prover, jwk: Any) -> None:
    assert prover.refused(forge({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, prover.claims(), b"x"))


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_4_3_5_a_key_too_small_to_be_secure_is_refused(prover: Prover) -> None:
    weak = RSAKey.import_key(rsa.generate_private_key(65537, 1024))
    assert prover.refused(prover.proof(weak, "RS256"))


@pytest.mark.parametrize("htm", ["GET", "post", "", 1, ["POST"]])
def test_4_3_8_htm_is_the_method(prover: Prover, htm: Any) -> None:
    assert prover.refused(prover.proof(htm=htm))


@pytest.mark.parametrize(
    "htu",
    [
        URL + "?a=1",
        URL + "#x",
        "https://carnet.test:443/oauth/token",
        "HTTPS://Carnet.Test/oauth/token",
        "HTTPS://CARNET.test:443/oauth/./x/../token",
        "https://carnet.test/%6fauth/token",
    ],
)
def test_4_3_9_htu_is_the_url_after_normalisation(prover: Prover, htu: str) -> None:
    """§4.3: "SHOULD employ syntax-based normalization … and scheme-based normalization"."""
    assert prover.check(prover.proof(htu=htu))


@pytest.mark.parametrize(
    "htu",
    [
        "https://carnet.test/oauth/token/",
        "https://carnet.test/oauth/Token",
        "https://carnet.test/oauth%2Ftoken",
        "http://carnet.test/oauth/token",
        "https://carnet.test:8443/oauth/token",
        "https://evil.test/oauth/token",
        "https://carnet.test@evil.test/oauth/token",
        "https://evil@carnet.test/oauth/token",
        "/oauth/token",
        "carnet.test/oauth/token",
        "https://[::1/oauth/token",
        "",
        1,
        [URL],
        "https://carnet.test/" + "a" * 9000,
    ],
)
def test_4_3_9_any_other_url_is_refused(prover: Prover, htu: Any) -> None:
    assert prover.refused(prover.proof(htu=htu))


def test_4_3_9_a_url_that_cannot_be_read_is_like_no_other(prover: Prover) -> None:
    assert prover.refused(prover.proof(htu="https://[::1/x"), url="https://[::1/x")


def test_4_3_9_the_escaped_octets_of_a_path_compare_in_either_case(prover: Prover) -> None:
    url = "https://carnet.test/fhir/Patient/%C3%A9"
    assert prover.check(prover.proof(htu="https://carnet.test/fhir/Patient/%c3%a9"), url=url)
    assert prover.refused(prover.proof(htu="https://carnet.test/fhir/Patient/%c3%aa"), url=url)


@pytest.mark.parametrize("nonce", [None, "", "x", 5, "é", "\ud800"])
def test_8_without_our_nonce_one_is_needed(prover: Prover, nonce: Any) -> None:
    """§8: "use_dpop_nonce"; §9 for the resource server, which answers 401."""
    with pytest.raises(NonceNeeded) as caught:
        prover.check(prover.proof(nonce=nonce))
    assert caught.value.error == "use_dpop_nonce"
    assert not isinstance(caught.value, InvalidProof)


def test_8_a_nonce_expires(prover: Prover, clock: Clock) -> None:
    clock.now = clock.now.replace(minute=0, second=0, microsecond=0)
    nonce = prover.nonces.current(clock())
    clock.pass_by(minutes=9, seconds=59)
    assert prover.check(prover.proof(nonce=nonce))
    clock.pass_by(seconds=1)
    with pytest.raises(NonceNeeded):
        prover.check(prover.proof(nonce=nonce))
    clock.pass_by(minutes=-60)
    with pytest.raises(NonceNeeded):
        prover.check(prover.proof(nonce=nonce))


def test_8_nonces_are_the_same_in_every_process_and_nobody_elses(
    prover: Prover, auth_keys: SystemKeys, clock: Clock
) -> None:
    elsewhere = Nonces(auth_keys)
    assert elsewhere.good(prover.nonces.current(clock()), clock())
    others = Nonces(SystemKeys({purpose: new_key() for purpose in PURPOSES}))
    assert not others.good(prover.nonces.current(clock()), clock())
    # §8.1: NQCHAR, what a header and a claim can hold.
    assert all(character.isalnum() or character in "-_" for character in prover.nonces.current(clock()))


@pytest.mark.parametrize(("seconds", "accepted"), [(-299, True), (299, True), (-301, False), (302, False)])
def test_4_3_11_it_was_made_lately(prover: Prover, seconds: int, accepted: bool) -> None:
    proof = prover.proof(iat=prover.clock().timestamp() + seconds)
    assert bool(prover.check(proof)) if accepted else prover.refused(proof)


def test_4_3_12_ath_is_the_hash_of_the_token(prover: Prover) -> None:
    """§4.3-12: "if presented to a protected resource in conjunction with an access token, ensure that the value of the
    ath claim equals the hash of that access token"."""
    digest = hashlib.sha256(TOKEN.encode()).digest()
    ath = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert prover.check(prover.proof(ath=ath), token=TOKEN)
    for wrong in (None, "", ath + "=", base64.b64encode(digest).decode(), digest.hex(), 1, "é", "\ud800"):
        assert prover.refused(prover.proof(ath=wrong), token=TOKEN)
    assert prover.refused(prover.proof(ath=ath), token=TOKEN + "x")


@pytest.mark.parametrize(
    ("say", "expected"),
    [
        (lambda: rfc9449.challenge("use_dpop_nonce", "https://x.test/m"), 'DPoP error="use_dpop_nonce", '),
        (lambda: rfc9449.challenge(None, "https://x.test/m"), "DPoP resource_metadata="),
    ],
)
def test_7_1_the_challenge_names_scheme_error_and_algorithms(say: Callable[[], str], expected: str) -> None:
    """§7.1: "the use of the DPoP scheme"; "algs: … a space-delimited list of supported JWS algorithms"."""
    value = say()
    assert value.startswith(expected)
    assert 'resource_metadata="https://x.test/m"' in value
    assert value.endswith('algs="ES256 ES384 PS256 RS256 Ed25519"')


def test_a_symmetric_key_is_not_even_read() -> None:
    assert OctKey.key_type not in rfc9449._KEYS
