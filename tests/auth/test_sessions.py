"""Browser sessions: how long they last, and for whom."""

from datetime import timedelta

import httpx
import pytest

from auth.professionals import Professional
from auth.sessions import LIFETIME, PROFESSIONAL_IDLE, PROFESSIONAL_LIFETIME
from tests.auth.browsing import DOCTOR, entered
from tests.auth.city import City, Person


def begun(city: City, who: Person | Professional) -> str:
    return entered(city, httpx.AsyncClient(), who)


def test_a_professional_who_leaves_the_desk_is_signed_out(city: City) -> None:
    """A practice's computer is shared: thirty minutes without a page, four hours in all."""
    left = begun(city, DOCTOR)
    city.clock.now += PROFESSIONAL_IDLE
    assert city.server.visitor(left) is None


def test_a_professional_at_work_stays_for_the_shift(city: City) -> None:
    secret, begun_at = begun(city, DOCTOR), city.clock()
    while city.clock() + timedelta(minutes=20) < begun_at + PROFESSIONAL_LIFETIME:
        city.clock.pass_by(minutes=20)
        assert city.server.visitor(secret) is not None
    city.clock.pass_by(minutes=20)
    assert city.server.visitor(secret) is None


def test_a_citizens_session_lasts_an_hour_idle_or_not(city: City) -> None:
    secret = begun(city, city.person())
    city.clock.now += LIFETIME - timedelta(seconds=1)
    assert city.server.visitor(secret) is not None
    city.clock.pass_by(seconds=1)
    assert city.server.visitor(secret) is None


@pytest.mark.parametrize("secret", ["", "unknown", None])
def test_no_cookie_is_nobody(city: City, secret: str | None) -> None:
    assert city.server.visitor(secret) is None
