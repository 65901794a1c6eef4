"""The pages are tested on the same small city as the server behind them."""

from tests.auth.conftest import auth_engine, auth_keys, city, clock

__all__ = ["auth_engine", "auth_keys", "city", "clock"]
