"""A fresh proof of who is there, demanded by name on sensitive routes (RFC 9470).

The rule: the token says when and how the person was proven; what it does not say was not proven.
"""

from datetime import UTC, datetime, timedelta

from auth import rfc9470
from auth.claims import Claims
from auth.rfc6750 import ChallengeError

SKEW = timedelta(seconds=5)
WANTED = "mfa"
_TOLD = "This needs a recent proof of who is there, with two factors: sign in again."


def demand(claims: Claims, now: datetime) -> None:
    """Go on if the person was proven with two factors, at most ten minutes ago.

    Raises ChallengeError (401) with what the new authorization request is to ask (RFC 9470 §3), in the scheme of the
    token.
    """
    if claims.auth_time is not None:
        at = datetime.fromtimestamp(claims.auth_time, UTC)
        if at <= now + SKEW and rfc9470.fresh(claims.acr, at, now):
            return
    told = (
        'error="insufficient_user_authentication"',
        f'error_description="{_TOLD}"',
        f'acr_values="{WANTED}"',
        f'max_age="{int(rfc9470.FRESH.total_seconds())}"',
    )
    scheme = "Bearer" if claims.jkt is None else "DPoP"
    raise ChallengeError((("WWW-Authenticate", f"{scheme} {', '.join(told)}"),), _TOLD)
