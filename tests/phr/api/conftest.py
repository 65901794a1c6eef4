"""A person's record, and their app."""

import pytest

from tests.house import Caller, House


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


@pytest.fixture
def app(house: House, record: str) -> Caller:
    return house.citizen(record)
