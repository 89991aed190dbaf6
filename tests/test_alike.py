"""Reading records at once must say what decoding each of them says, whatever bytes come."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.book import Book
from scoring.events import ABSENT_DEMAND
from streams import wire_readings
from streams.alike import FEWEST, alike
from streams.blocks import Block
from streams.log import PlainRecord
from streams.wire_readings import decode_readings, decode_together

if TYPE_CHECKING:
    from streams.log import Record

ACCOUNTS = [f"home-{number:03d}" for number in range(200)]
PATTERN = {"version": 1, "accountId": "home-000", "meterId": "m-000"}


def book() -> Book:
    known = Book()
    known.add_all([*ACCOUNTS, "a b", "x"])
    return known


def reading(number: int, **more: object) -> dict[str, object]:
    name = ACCOUNTS[number % len(ACCOUNTS)]
    said = {**PATTERN, "accountId": name, "meterId": f"m-{number % len(ACCOUNTS):03d}"}
    return {**said, "readAt": "2026-07-01T00:15:00+08:00", "registerWh": 1_000 + number, **more}


def as_records(values: list[bytes | None], keys: list[bytes | None]) -> list[Record]:
    return [
        PlainRecord("meter-readings", 0, 10 + 3 * n, 1_782_864_000_000 + n, key, value)
        for n, (value, key) in enumerate(zip(values, keys, strict=True))
    ]


def assert_same(records: list[Record]) -> None:
    """A batch says what its records say each in a batch of its own, where no pattern is tried."""
    at_once, known = decode_readings(records, book(), 1), book()
    each = [decode_readings([record], known, 1) for record in records]
    assert at_once.refusals == [refusal for one in each for refusal in one.refusals]
    places = np.repeat(np.arange(len(records)), [len(one.record) for one in each])
    assert at_once.record.tolist() == places.tolist()
    for column in fields(at_once.readings):
        found = getattr(at_once.readings, column.name)
        parts = [getattr(one.readings, column.name) for one in each]
        if found is None:
            assert parts == [None] * len(parts), column.name
            continue
        assert {part.dtype for part in parts} == {found.dtype}, column.name
        assert found.tolist() == np.concatenate(parts).tolist(), column.name


def test_partitions_read_together_say_what_each_says_alone():
    patterns = [reading(number) for number in range(70)]
    odd = [reading(3, quality="1.2.3"), reading(5, accountId="nobody"), reading(7, readAt="?")]
    parts = [
        as_records([], []),
        told([*patterns, *odd]),
        told([reading(number, registerWh=7 * number) for number in range(30)]),
        told([*odd, *patterns[:50], reading(9, demand={"maximumW": 3})]),
    ]
    books = [book() for _ in parts]
    books[2].add_all([f"other-{n}" for n in range(9)])
    books[3] = Book()
    books[3].add_all(ACCOUNTS[100:] + ACCOUNTS[:100])
    together = decode_together(list(zip(parts, books, strict=True)), 1)
    for records, known, found in zip(parts, books, together, strict=True):
        alone = decode_readings(records, known, 1)
        assert found.refusals == alone.refusals
        assert found.record.tolist() == alone.record.tolist()
        for column in fields(alone.readings):
            mine, others = (getattr(each.readings, column.name) for each in (alone, found))
            if mine is not None:
                assert mine.tolist() == others.tolist(), column.name
            elif others is not None:  # another partition's meters tell it: here it is absent
                assert set(others.tolist()) <= {ABSENT_DEMAND[column.name]}


def number_read_at_once(records: list[Record]) -> int:
    found = alike(Block.of(records), wire_readings._plain_quality, wire_readings._BOUNDS)
    return sum(len(block.place) for block in found)


def told(readings: list[dict[str, object]]) -> list[Record]:
    values = [
        json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode() for one in readings
    ]
    return as_records(values, [str(one["accountId"]).encode() for one in readings])


def test_a_batch_of_one_pattern_is_read_at_once_and_the_same():
    records = told([reading(number) for number in range(300)])
    assert number_read_at_once(records) == 300
    assert_same(records)


@pytest.mark.parametrize(
    "odd",
    [
        {"registerWh": 0},
        {"registerWh": "1000"},
        {"registerWh": 10**15 - 1},
        {"registerWh": 10**15},
        {"registerWh": -100},
        {"registerWh": 1e3},
        {"registerWh": 10.5},
        {"readAt": "2026-13-01T00:15:00+08:00"},
        {"readAt": "2026-02-29T00:15:00+08:00"},
        {"readAt": "2026-07-01T00:15:00 08:00"},
        {"readAt": "2026-07-01t00:15:00+08:00"},
        {"readAt": "1999-07-01T00:15:00+08:00"},
        {"accountId": "home-\t00"},
        {"accountId": "home-ä0"},
        {"accountId": "home-999"},
        {"accountId": 'home"00'},
        {"meterId": "m-\\0"},
        {"meterId": "m-\u00e91"},
        {"version": 2},
        {"quality": "9.9"},
        {"unknown": 1},
        {"intervalSeconds": 0, "intervalWh": 5},
        {"intervalSeconds": 900},
        {"rateRegistersWh": [1, 2]},
    ],
    ids=str,
)
def test_one_that_differs_is_told_apart(odd):
    readings = [reading(number) for number in range(120)]
    readings[57] |= odd
    records = told(readings)
    assert number_read_at_once(records) >= 119 - 1
    assert_same(records)


@pytest.mark.parametrize("place", [0, 60, 119])
@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"null", b"[]", b"x" * 101, b'{"version":1}'], ids=str
)
def test_what_is_no_reading_is_told_apart(place, value):
    records = told([reading(number) for number in range(120)])
    record = records[place]
    records[place] = PlainRecord(
        record.topic, 0, record.offset, record.timestamp, record.key, value
    )
    assert_same(records)


@pytest.mark.parametrize("key", [None, b"", b"home-000\0", b"home-001"], ids=str)
def test_a_wrong_key_is_seen(key):
    records = told([reading(number) for number in range(120)])
    one = records[50]
    records[50] = PlainRecord(one.topic, 0, one.offset, one.timestamp, key, one.value)
    assert [each.reason for each in decode_readings(records, book(), 1).refusals] == [
        "key_mismatch"
    ]
    assert_same(records)


def test_patterns_of_one_length_and_of_several_are_read_at_once():
    """An id that is longer by one and a number that is shorter by one: two patterns, one length."""
    long = [reading(n) for n in range(100)]
    short = [reading(n) | {"accountId": "x", "registerWh": 10**10 + n} for n in range(100)]
    utc = [reading(n, readAt="2026-07-01T00:15:00Z") for n in range(100)]
    interval = [reading(n, intervalSeconds=900, intervalWh=n) for n in range(100)]
    mixed = [one for four in zip(long, short, utc, interval, strict=True) for one in four]
    records = told(mixed)
    assert number_read_at_once(records) > 350
    assert_same(records)


def test_lists_stand_between_them_in_order():
    records = told([reading(number) for number in range(200)])
    several = json.dumps([reading(1), reading(2, registerWh=-1), reading(3)]).encode()
    one = records[70]
    records[70] = PlainRecord(one.topic, 0, one.offset, one.timestamp, b"home-001", several)
    decoded = decode_readings(records, book(), 1)
    assert np.all(np.diff(decoded.record) >= 0)
    assert decoded.readings.item[69:73].tolist() == [-1, 0, 2, -1]
    assert_same(records)


def test_a_number_that_goes_on_behind_its_digits_is_no_number():
    values: list[bytes | None] = [
        b'{"version":1,"accountId":"x","meterId":"m","readAt":"2026-07-01T00:15:00Z","registerWh":%de1}'
        % (n % 10)
        for n in range(FEWEST + 10)
    ]
    assert_same(as_records(values, [b"x"] * len(values)))


@given(st.data())
def test_any_bytes_in_any_place_say_what_they_said(data):
    """Bytes changed at random in a batch of one pattern: both ways read or refuse the same."""
    records = told([reading(number) for number in range(FEWEST + 12)])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(records) - 1))
        one = records[place]
        value = bytearray(one.value)
        at = data.draw(st.integers(0, len(value) - 1))
        if data.draw(st.booleans()):
            value[at] = data.draw(st.sampled_from(b'0195-+eE.:TZ",\\{}[] \t\x00\x7f\x80\xe9a'))
        else:
            value[at : at + 1] = data.draw(st.binary(max_size=3))
        records[place] = PlainRecord(one.topic, 0, one.offset, one.timestamp, one.key, bytes(value))
    assert_same(records)


@pytest.mark.parametrize(
    ("pattern", "odd"),
    [
        (b'"registerWh":1057', b'"registerWh":0057'),
        (b'"registerWh":1057', b'"registerWh":-057'),
        (b'"intervalSeconds":86400', b'"intervalSeconds":86401'),
        (b'"intervalSeconds":86400', b'"intervalSeconds":00900'),
    ],
    ids=str,
)
def test_a_number_of_the_same_length_that_is_none_or_out_of_bounds_is_refused(pattern, odd):
    readings = [reading(number, intervalSeconds=86_400, intervalWh=7) for number in range(120)]
    records = told(readings)
    one = records[57]
    assert one.value is not None
    assert pattern in one.value
    value = one.value.replace(pattern, odd)
    records[57] = PlainRecord(one.topic, 0, one.offset, one.timestamp, one.key, value)
    assert len(decode_readings(records, book(), 1).refusals) == 1
    assert_same(records)
