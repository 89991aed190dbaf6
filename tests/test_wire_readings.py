"""What does a meter-readings record say, and can any bytes whatever stop its being read?"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.effects import Reason, RefusedReading
from scoring.events import Quality
from scoring.ids import text_hash
from scoring.units import instant
from streams import topics, wire
from streams.instants import UNREADABLE_AT, instants
from streams.log import PlainRecord
from tests.wire_records import (
    ELSEWHERE,
    HOME,
    OTHER,
    PARTITIONS,
    PLAIN_JSON,
    STAMPED_AT,
    account_in,
    book_with,
    reading,
    record_of,
)


def decode(*records: PlainRecord) -> wire.DecodedReadings:
    return wire.decode_readings(records, book_with(HOME, OTHER), PARTITIONS)


def test_a_reading_becomes_a_row_of_columns():
    readings = decode(record_of(reading())).readings
    assert readings.account_row.tolist() == [0]
    assert readings.source_offset.tolist() == [7]
    assert readings.read_at.tolist() == [instant("2026-07-01T00:15:00+08:00")]
    assert readings.received_at.tolist() == [STAMPED_AT]
    assert readings.meter_hash.tolist() == [text_hash(f"m-{HOME}")]
    assert readings.register_wh.tolist() == [12_345_670]
    assert readings.rate_register_wh.tolist() == [[-1] * 6]
    assert readings.interval_seconds.tolist() == [0]
    assert readings.quality.tolist() == [Quality.VALID]


def test_per_rate_registers_intervals_and_quality_come_through():
    rates = record_of(reading(rateRegistersWh=[10, 20, 30, 40], quality="8.0"))
    interval = record_of(
        reading(registerWh=..., intervalSeconds=900, intervalWh=0, accountId=OTHER), OTHER, offset=8
    )
    readings = decode(rates, interval).readings
    assert readings.rate_register_wh.tolist() == [[10, 20, 30, 40, -1, -1], [-1] * 6]
    assert readings.register_wh.tolist() == [12_345_670, -1]
    assert readings.interval_seconds.tolist() == [0, 900]
    assert readings.interval_wh.tolist() == [-1, 0]
    assert readings.quality.tolist() == [Quality.ESTIMATED, Quality.VALID]


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        ("0.0", Quality.VALID),
        ("0.1", Quality.VALID),
        ("4.131", Quality.VALID),  # read by hand
        ("5.258", Quality.SUSPECT),
        ("5.259", Quality.SUSPECT),  # known missing
        ("7.0", Quality.ESTIMATED),  # edited
        ("7.3", Quality.SUSPECT),  # rejected
        ("8.0", Quality.ESTIMATED),
        ("12.0", Quality.SUSPECT),  # a forecast is no reading
    ],
)
def test_quality_follows_the_cim_code(code, quality):
    assert decode(record_of(reading(quality=code))).readings.quality.tolist() == [quality]


def test_a_list_holds_readings_of_several_accounts_under_one_key():
    decoded = decode(record_of([reading(), reading(accountId=OTHER)], key=OTHER))
    assert decoded.readings.account_row.tolist() == [0, 1]
    assert decoded.readings.source_offset.tolist() == [7, 7]
    assert decoded.readings.item.tolist() == [0, 1]
    assert decoded.refusals == []


def test_one_bad_reading_of_a_list_is_refused_alone():
    bad = reading(registerWh="many")
    decoded = decode(record_of([reading(), bad, reading(accountId="nobody"), reading()]))
    assert decoded.readings.item.tolist() == [0, 3]
    said = [(refusal.item, refusal.reason) for refusal in decoded.refusals]
    assert said[0] == (1, Reason.WRONG_SHAPE)
    assert said[1][0] == 2
    assert decoded.refusals[0].original == json.dumps(bad).encode()
    ids = [wire.refusal_id(refusal) for refusal in decoded.refusals]
    assert ids == ["meter-readings:0:7:1", "meter-readings:0:7:2"]


REFUSED = [
    ("bytes that are no JSON", record_of(b"\xff\x00"), Reason.NOT_JSON),
    ("half a record", record_of(b'{"version":1,"acc'), Reason.NOT_JSON),
    ("JSON, but a number", record_of(b"5"), Reason.WRONG_SHAPE),
    ("a tombstone", record_of(None), Reason.WRONG_SHAPE),
    ("version 2", record_of(reading(version=2)), Reason.UNKNOWN_VERSION),
    ("a misspelt field", record_of(reading(registerWH=5)), Reason.WRONG_SHAPE),
    ("a field left out", record_of(reading(meterId=...)), Reason.WRONG_SHAPE),
    ("a fraction of a Wh", record_of(reading(registerWh=0.5)), Reason.WRONG_SHAPE),
    ("a register below zero", record_of(reading(registerWh=-1)), Reason.AMOUNT_OUT_OF_RANGE),
    ("more than 1 PWh", record_of(reading(registerWh=10**15 + 1)), Reason.AMOUNT_OUT_OF_RANGE),
    ("more than 64 bits", record_of(reading(registerWh=10**30)), Reason.AMOUNT_OUT_OF_RANGE),
    ("seven rate registers", record_of(reading(rateRegistersWh=[1] * 7)), Reason.WRONG_SHAPE),
    ("rates without a total", record_of(reading(registerWh=..., intervalSeconds=900, intervalWh=1,
                                                rateRegistersWh=[1])), Reason.WRONG_SHAPE),
    ("no energy at all", record_of(reading(registerWh=...)), Reason.WRONG_SHAPE),
    ("an interval without energy", record_of(reading(intervalSeconds=900)), Reason.WRONG_SHAPE),
    ("energy without its interval", record_of(reading(intervalWh=900)), Reason.WRONG_SHAPE),
    ("no time zone", record_of(reading(readAt="2026-07-01T00:15:00")), Reason.WRONG_SHAPE),
    ("the 31st of June", record_of(reading(readAt="2026-06-31T00:00:00Z")), Reason.WRONG_SHAPE),
    ("before 2000", record_of(reading(readAt="1999-12-31T23:59:59Z")), Reason.AMOUNT_OUT_OF_RANGE),
    ("a clock of 2100", record_of(reading(readAt="2100-01-01T00:00:00Z")),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("no such quality", record_of(reading(quality="99.1")), Reason.WRONG_SHAPE),
    ("quality that is no code", record_of(reading(quality="good")), Reason.WRONG_SHAPE),
    ("no key", record_of(reading(), key=None), Reason.KEY_MISMATCH),
    ("another account's key", record_of(reading(), key=OTHER), Reason.KEY_MISMATCH),
    ("another partition's account", record_of(reading(accountId=ELSEWHERE), key=ELSEWHERE),
     Reason.WRONG_PARTITION),
    ("an account nobody stated", record_of(reading(accountId=account_in(0, 2)),
                                           key=account_in(0, 2)), Reason.UNKNOWN_ACCOUNT),
    ("an id of 65 characters", record_of(reading(accountId="x" * 65)), Reason.WRONG_SHAPE),
    ("a list of nothing but numbers", record_of([1, 2]), Reason.WRONG_SHAPE),
    ("more than 1 MiB", record_of(b" " * (wire.MAX_RECORD_BYTES + 1)), Reason.TOO_LARGE),
    ("ten thousand and one readings", record_of(b"[" + b",".join([b"0"] * 10_001) + b"]"),
     Reason.TOO_LARGE),
    ("a hundred thousand brackets", record_of(b"[" * 100_000), Reason.WRONG_SHAPE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_cannot_be_taken_is_refused_by_name(record, reason):
    decoded = decode(record_of(reading(), offset=6), record, record_of(reading(), offset=8))
    assert {refusal.reason for refusal in decoded.refusals} == {reason}
    assert decoded.refusals[0].item >= 0 or decoded.refusals[0].original == record.value
    assert decoded.readings.source_offset.tolist() == [6, 8], "the others are still counted"


def test_an_empty_batch_is_no_readings():
    decoded = decode()
    assert len(decoded.readings) == 0
    assert decoded.readings.rate_register_wh.shape == (0, 6)


@given(values=st.lists(st.binary(max_size=200), max_size=5), key=st.none() | st.binary(max_size=9))
@example(values=[b'{"version":1,"accountId":"\\udc00"}'], key=b"\xff")
def test_any_bytes_are_refused_and_never_raise(values, key):
    records = [
        PlainRecord(topics.READINGS, 0, offset, STAMPED_AT * 1000, key, value)
        for offset, value in enumerate(values)
    ]
    decoded = wire.decode_readings(records, book_with(HOME), PARTITIONS)
    assert len(decoded.refusals) == len(values)
    for refusal in decoded.refusals:
        assert wire.decode_refusal(wire.encode_refusal(refusal).value).reason is refusal.reason


@given(
    changes=st.dictionaries(
        st.sampled_from(
            sorted(reading(quality="", rateRegistersWh=[], intervalSeconds=1, intervalWh=1))
        ),
        PLAIN_JSON,
        min_size=1,
        max_size=3,
    ),
    as_list=st.booleans(),
)
def test_any_json_in_any_field_is_counted_or_refused_and_never_raises(changes, as_list):
    body = reading(**changes)
    record = record_of([body, reading()] if as_list else body)
    decoded = decode(record)
    assert len(decoded.readings) + len(decoded.refusals) == (2 if as_list else 1)


@given(
    st.datetimes(min_value=datetime(2000, 1, 2)),  # noqa: DTZ001 - a wall clock, its zone is drawn apart
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["", ".5", ".123456"]),
)
def test_instants_in_columns_are_those_of_the_standard_library(naive, minutes, fraction):
    at = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    text = at.isoformat()
    text = text[:19] + fraction + text[19:]
    assert instants([text]).tolist() == [int(at.timestamp())]


@given(st.text(max_size=30) | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[Z+].{0,5}\Z"))
def test_any_text_is_an_instant_or_is_not(text):
    (seconds,) = instants([text]).tolist()
    if seconds != UNREADABLE_AT:
        assert seconds == int(instant(text))


def test_readings_scoring_did_not_count_keep_their_bytes():
    twice = [reading(), reading(accountId=OTHER), reading(quality="5.258")]
    records = [record_of(twice, offset=3), record_of(reading())]
    decoded = decode(*records)
    refused = [
        RefusedReading(3, 1, Reason.READ_TOO_OLD, item=1),
        RefusedReading(3, 0, Reason.QUALITY_SUSPECT, item=2),
        RefusedReading(7, 0, Reason.READ_TOO_OLD),
    ]
    refusals = wire.refused_readings(decoded, records, refused)
    assert [(one.offset, one.item, one.original) for one in refusals] == [
        (3, 1, json.dumps(twice[1]).encode()),
        (3, 2, json.dumps(twice[2]).encode()),
        (7, -1, records[1].value),
    ]


def test_a_reading_written_here_is_read_back():
    value = wire.encode_reading(
        HOME, "m-1", 1_782_836_100, register_wh=5, rate_registers_wh=[1, 4], quality="8.0"
    )
    assert b'"readAt":"2026-06-30T16:15:00Z"' in value
    readings = decode(record_of(value)).readings
    assert (readings.register_wh[0], readings.read_at[0]) == (5, 1_782_836_100)
    both = wire.encode_reading_list([value, value])
    assert len(decode(record_of(both)).readings) == 2


def test_the_refusal_of_a_huge_record_is_no_huge_record():
    decoded = decode(record_of(b"x" * 900_000))
    encoded = wire.encode_refusal(decoded.refusals[0])
    assert len(encoded.value) < 100_000
    assert wire.decode_refusal(encoded.value).original_bytes == 900_000


def test_the_refusals_of_a_list_repeat_each_item_once_and_not_what_surrounds_it():
    """Ten thousand refused items under a huge key once made half a gigabyte of refusals."""
    bad = [reading(registerWh="many", meterId=f"m-{number}") for number in range(3_000)]
    record = record_of(bad, key="k" * 60_000)
    refusals = [wire.encode_refusal(each) for each in decode(record).refusals]
    assert len(refusals) == len(bad)
    said = sum(len(each.key or b"") + len(each.value) for each in refusals)
    assert said < 1_000 * len(bad), "original, reason, place and the beginning of the key"
    assert wire.decode_refusal(refusals[0].value).original_bytes == len(json.dumps(bad[0]))
