"""A prescriber, two pharmacies and a person, on a house of their own."""

import pytest

from tests.house import House
from tests.prescription.rx import Counter


@pytest.fixture
async def counter(house: House) -> Counter:
    """Everybody who takes part in a prescription."""
    return await Counter.open(house)
