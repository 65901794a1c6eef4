"""RFC 9470, step-up: an application or a route says how recently, and how well, the person must have been proven."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from authlib.oauth2.rfc6749 import OAuth2Error

from auth.sessions import Visitor

ACR_VALUES = ("mfa", "phr", "eidas1", "eidas2", "eidas3")
"""`mfa`: two factors; `phr`: a passkey (OpenID EAP, phishing-resistant); `eidas*`: said by the identity provider."""

STRENGTH = {"eidas1": 1, "mfa": 2, "eidas2": 2, "phr": 3, "eidas3": 3}
"""Which proof stands in for which: two factors are as good as eIDAS "substantial" here, and say nothing to others."""

FRESH = timedelta(minutes=10)
JUST_NOW = timedelta(minutes=1)


class UnmetAuthenticationRequirementsError(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core Unmet Authentication Requirements 1.0 §2, named by RFC 9470 §5."""

    error = "unmet_authentication_requirements"


def meets(acr: str | None, wanted: str) -> bool:
    """Whether a proof of class `acr` is as good as one of the space-separated classes wanted."""
    has = STRENGTH.get(acr or "", 0)
    return any(acr == one or has >= STRENGTH.get(one, 99) for one in wanted.split())


def fresh(acr: str | None, at: datetime, now: datetime) -> bool:
    """Whether a second factor was shown within the last ten minutes: what sensitive routes and pages demand."""
    return now - at <= FRESH and meets(acr, "mfa")


def stale(asked: Mapping[str, str], visitor: Visitor | None, now: datetime, redirect_uri: str) -> bool:
    """Whether `max_age` or `acr_values` of a request send the person back to the sign-in page.

    Raises UnmetAuthenticationRequirementsError when signing in again would not help: no class is known here, or they
    just did and it was not enough.
    """
    wanted = asked.get("acr_values", "")
    if wanted and not any(one in ACR_VALUES for one in wanted.split()):
        raise UnmetAuthenticationRequirementsError("No such acr is known here.", redirect_uri=redirect_uri)
    if visitor is None:
        return True
    age = now - visitor.proof.at
    # OpenID Connect Core §3.1.2.1: max_age. Ten seconds leave the time to come back from the sign-in page.
    if "max_age" in asked and age.total_seconds() > max(int(asked["max_age"]), 10):
        return True
    if wanted and not meets(visitor.proof.acr, wanted):
        if age <= JUST_NOW:
            raise UnmetAuthenticationRequirementsError("The sign-in was not strong enough.", redirect_uri=redirect_uri)
        return True
    return False
