"""The number of a prescription, and the code that opens it: 20 characters that a person shows, scans or types.

The rule: the number is drawn by the prescribing software and never used again; the secret and the check of its code are
made from this server's keys, so that nothing secret is kept, and a code nobody issued is refused before any search.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey
from phr.sharing import ALPHABET, plain

NUMBER, SECRET, CHECK = 8, 8, 4
"""Characters of five bits each: 40 bits of number, 40 of secret, 20 of check."""
LENGTH = NUMBER + SECRET + CHECK
_GROUP = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown: the number of a prescription, and the secret that opens it."""

    number: str
    secret: str = field(repr=False)


def draw() -> str:
    """A number, as prescribing software draws it."""
    return "".join(secrets.choice(ALPHABET) for _ in range(NUMBER))


def is_number(text: object) -> bool:
    """Whether this is written as a number is."""
    return isinstance(text, str) and len(text) == NUMBER and set(text) <= set(ALPHABET)


def code(keys: SystemKeys, number: str, generation: int) -> str:
    """The code of a prescription; another one for each `generation`, after which the earlier ones open nothing."""
    whole = number + secret(keys, number, generation)
    return whole + _letters(keys, "prescription check", whole, CHECK)


def secret(keys: SystemKeys, number: str, generation: int) -> str:
    """The secret part of its code."""
    return _letters(keys, "prescription secret", f"{number} {generation}", SECRET)


def read(keys: SystemKeys, typed: str) -> Shown | None:
    """What a code says, however it is spaced; None when it is none of ours: a letter wrong, or made up."""
    text = plain(typed)
    whole, check = text[: NUMBER + SECRET], text[NUMBER + SECRET :]
    if len(text) != LENGTH or not hmac.compare_digest(check, _letters(keys, "prescription check", whole, CHECK)):
        return None
    return Shown(whole[:NUMBER], whole[NUMBER:])


def grouped(code: str) -> str:
    """The code as people read it: XXXX-XXXX-XXXX-XXXX-XXXX."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def url(issuer: str, code: str) -> str:
    """What the QR holds. The code is in the fragment, which no browser sends to a server."""
    return f"{issuer}/p#{plain(code)}"


def mark(keys: SystemKeys, number: str) -> UUID:
    """What stands for a number in the table of numbers."""
    return keyed_uuid(subkey(keys.get("lookup"), "prescription number"), number)


def acceptance(keys: SystemKeys, task: str, turn: int) -> str:
    """The secret a pharmacy is given when it accepts: of this prescription, in this turn of its life."""
    return _letters(keys, "prescription acceptance", f"{task} {turn}", 26)


def _letters(keys: SystemKeys, purpose: str, text: str, length: int) -> str:
    digest = hmac.digest(subkey(keys.get("lookup"), purpose), text.encode(), hashlib.sha256)
    bits = int.from_bytes(digest, "big")
    return "".join(ALPHABET[(bits >> (5 * at)) & 31] for at in range(length))
