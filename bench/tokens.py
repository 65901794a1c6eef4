"""What proving who asks costs: verifying a token, and a whole sign-in up to the first token."""

import re
import time
from collections.abc import Callable
from statistics import median
from urllib.parse import parse_qs, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jws
from sqlalchemy.orm import Session

from auth import accounts, clients
from auth.message import Answer, Message
from auth.rfc9068 import Verifier
from auth.server import Asked, AuthServer, Choice
from auth.signin import Pending, SignIn
from auth.signing import ALGORITHM
from bench.line import Line
from phr.core import outbox

ROUNDS = 7
VERIFIER = "a-verifier-of-forty-three-characters-or-more-0123"
CALLBACK = "http://127.0.0.1:8765/callback"
APP = "carnet-bench-app"
LOGIN, EMAIL, PASSWORD = "carnet-bench", "bench@carnet.example", "a long enough bench password"


def verification(server: AuthServer, tokens: list[str]) -> list[Line]:
    """A token seen for the first time against its bare signature; one seen before against the same."""
    kid, _ = server.signing.signer(server.clock())
    key = server.signing.verifier(kid, server.clock())
    if key is None:
        raise RuntimeError("no key")

    def bare() -> None:
        for token in tokens:
            jws.deserialize_compact(token.encode(), key, algorithms=[ALGORITHM])

    def first() -> None:
        fresh = Verifier(server.issuer, server.signing, server.subjects)
        for token in tokens:
            fresh.verify(token, server.clock())

    def again() -> None:
        for token in tokens:
            server.verifier.verify(token, server.clock())

    again()
    floor, mine, known = _in_turn(bare, first, again)
    count, shown = len(tokens), f"{_micro(floor, len(tokens))} (its ES256 signature alone)"
    return [
        Line("verify a token seen for the first time", _micro(mine, count), shown, f"{mine / floor:.2f}", "-"),
        Line("verify a token seen before", _micro(known, count), shown, f"{known / floor:.2f}", "-"),
    ]


def full_sign_in(server: AuthServer, record: str) -> Line:
    """Password, code by e-mail, consent and token exchange, against argon2id alone: the floor nobody may lower."""
    now = server.clock()
    with Session(server.engine) as session, session.begin():
        accounts.enroll(session, server.keys, LOGIN, PASSWORD, "Bench", EMAIL, record, now)
        _, password_hash = accounts.lookup(session, server.keys, LOGIN)
        if clients.find(session, APP) is None:
            kind = clients.Kind.CITIZEN_APP
            scopes = ("patient/*.rs",)
            clients.register(session, id=APP, name="Bench", kind=kind, scopes=scopes, redirect_uris=[CALLBACK], now=now)

    def whole() -> None:
        _signed_in(server)

    def hashing() -> None:
        accounts.verify(password_hash, PASSWORD)

    whole()
    mine, floor = _in_turn(whole, hashing)
    ours, least = f"{mine * 1000:.0f} ms", f"{floor * 1000:.0f} ms (argon2id)"
    return Line("sign-in with a second factor, to the first token", ours, least, f"{mine / floor:.2f}", "-")


def _signed_in(server: AuthServer) -> None:
    signing = SignIn(server)
    pending = signing.password(LOGIN, PASSWORD, "127.0.0.1")
    if not isinstance(pending, Pending):
        raise TypeError("refused")
    signing.send_code(pending.secret, "fr")
    admitted = signing.second(pending.secret, "mail", _mailed(server), "bench", None, "fr")
    visitor = server.visitor(getattr(admitted, "session", None))
    query = {
        "response_type": "code",
        "client_id": APP,
        "redirect_uri": CALLBACK,
        "scope": "patient/*.rs",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    message = Message("GET", list(query.items()))
    asked = server.consider(message, visitor)
    if visitor is None or not isinstance(asked, Asked):
        raise TypeError("refused")
    answer, _ = server.decide(message, visitor, Choice(frozenset(asked.scopes)))
    code = parse_qs(urlsplit(answer.location or "").query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": APP}
    token: Answer = server.answer("token", Message("POST", form=[*form.items(), ("code_verifier", VERIFIER)]))
    if token.status != 200:
        raise RuntimeError("no token")


def _mailed(server: AuthServer) -> str:
    """The newest code; in the benchmark's sandbox no mail leaves the outbox."""
    with Session(server.engine) as session:
        texts = [one["text"] for one in outbox.waiting(session, server.keys, "mail") if one["to"] == EMAIL]
    code: str = re.findall(r"^ +(\d{6})$", texts[-1], re.MULTILINE)[-1]
    return code


def _in_turn(*works: Callable[[], None]) -> list[float]:
    """The median seconds of each, run in turn."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, spent, strict=True):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
    return [median(times) for times in spent]


def _micro(seconds: float, count: int) -> str:
    return f"{seconds / count * 1e6:.0f} µs"
