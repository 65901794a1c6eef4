"""Bytes in, the same JSON out; nothing but DomainError on the way."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir import wire
from phr.core.errors import DomainError, Reason


def refused(raw: bytes, depth: int = 50) -> str:
    with pytest.raises(DomainError) as caught:
        wire.decode(raw, depth)
    assert caught.value.reason is Reason.SYNTAX
    assert caught.value.__cause__ is None
    return caught.value.issues[0].diagnostics


@pytest.mark.parametrize(
    "number",
    ["1.10", "1.0", "0.000", "-0.0", "1e3", "1.50e-7", "123456789012345678901234567890.10", "12345678901234567890123"],
)
def test_numbers_keep_their_digits(number: str) -> None:
    value = wire.decode(f'{{"a":{number}}}'.encode(), 9)
    again = wire.decode(wire.encode(value), 9)
    assert value["a"] == again["a"] == Decimal(number)
    assert str(value["a"]) == str(again["a"])
    assert Decimal(number).as_tuple() == Decimal(value["a"]).as_tuple()


def test_plain_decimals_come_out_byte_for_byte() -> None:
    raw = b'{"a":1.10,"b":[-0.50,100.000,7,true,null,"\xc3\xa9"]}'
    assert wire.encode(wire.decode(raw, 9)) == raw


@pytest.mark.parametrize(
    "number", ["1e999999999", "1e-999999999", "1e99999999999999999999", "1" * 5000, "0." + "1" * 200]
)
def test_absurd_numbers_are_refused_at_once(number: str) -> None:
    refused(f'{{"a":{number}}}'.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b"{} x",
        b"{",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"a":1.}',
        b'{"a":tru}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\ude00\\ud83d"}',
        b'{"\\ud800":1}',
        b'{"a":"\x00"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_malformed_bytes_are_refused(raw: bytes) -> None:
    assert refused(raw)


def test_a_property_given_twice_is_refused() -> None:
    assert "twice" in refused(b'{"a":1,"a":2}')
    assert "twice" in refused(b'{"b":[{"a":":","a":":"}]}')
    assert "twice" in refused(b'{"a":1,"\\u0061":2}')
    assert wire.decode(b'{"a":"\\"b\\":1","c":"::","d\\\\":"\\\\"}', 9) == {"a": '"b":1', "c": "::", "d\\": "\\"}


def test_depth_counts_objects_and_arrays() -> None:
    assert wire.decode(b'{"a":[{}]}', 3) == {"a": [{}]}
    assert "deep" in refused(b'{"a":[{}]}', 2)
    assert wire.decode(b'{"a":1}', 1) == {"a": 1}


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("times", [60, 900, 200_000])
def test_deep_nesting_never_escapes(unit: bytes, times: int) -> None:
    close = {91: b"]", 123: b"}"}
    closing = b"".join(close[byte] for byte in reversed(unit) if byte in close)
    refused(b'{"a":' + unit * times + b"1" + closing * times + b"}")
    refused(unit * times)


def test_integers_beyond_64_bits_are_read() -> None:
    assert wire.decode(b'{"a":18446744073709551616}', 5) == {"a": 2**64}


def test_what_we_wrote_is_restored() -> None:
    value = {"a": [1, {"b": Decimal("1.10")}]}
    assert str(wire.restore(wire.encode(value))) == str(value)


def test_pretty_is_the_same_json() -> None:
    value = {"a": [1, {"b": Decimal("1.10")}]}
    assert b"\n" in wire.encode(value, pretty=True)
    assert wire.decode(wire.encode(value, pretty=True), 9) == value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_is_encoded_comes_back(value: dict[str, Any]) -> None:
    assert wire.decode(wire.encode(value), 99) == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]":,\\ue1.-0a ').map(str.encode))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    outcome: object = None
    try:
        outcome = wire.decode(raw, 5)
    except DomainError as error:
        outcome = error.reason
    assert outcome is Reason.SYNTAX or isinstance(outcome, dict)
