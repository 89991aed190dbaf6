"""What the records on Kafka say, and that no bytes whatever can stop their being read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.book import Book
from scoring.debts import Pays
from scoring.effects import (
    AccountForecast,
    Cause,
    DailyUsage,
    Decision,
    DisconnectionNotice,
    Effect,
    Evidence,
    LowBalanceWarning,
    PlanNotice,
    Reason,
    RefusedReading,
    RestoreCommand,
    Tier,
    TripCommand,
)
from scoring.events import (
    AccountSettings,
    Action,
    CustomerClass,
    Groups,
    MeterSettings,
    NoticeDelivered,
    OperatorActed,
    PaymentKind,
    PaymentMode,
    PaymentReceived,
    Plan,
    PlanMode,
    Protection,
    Quality,
    SettingsChanged,
    Source,
    Switch,
    SwitchReported,
)
from scoring.ids import text_hash
from scoring.units import instant
from streams import topics, wire
from streams.instants import UNREADABLE_AT, instants
from streams.topics import partition_of

PARTITIONS = 4
STAMPED_AT = 1_782_864_000  # 2026-07-01T00:00:00Z


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def account_in(partition: int, number: int = 0) -> str:
    """The number-th account id that murmur2 puts into a partition."""
    ids = (f"home-{each:04d}" for each in range(10_000))
    return [one for one in ids if partition_of(one.encode(), PARTITIONS) == partition][number]


HOME = account_in(0)
OTHER = account_in(0, 1)
ELSEWHERE = account_in(1)


def book_with(*account_ids: str) -> Book:
    book = Book()
    for account_id in account_ids:
        book.add(account_id)
    return book


def record_of(
    value: bytes | dict[str, Any] | list[Any] | None,
    key: str | None = HOME,
    topic: str = topics.READINGS,
    offset: int = 7,
) -> Record:
    if isinstance(value, dict | list):
        value = json.dumps(value).encode()
    raw = None if key is None else key.encode()
    return Record(topic, 0, offset, STAMPED_AT * 1000 + 999, raw, value)


def reading(**changes: Any) -> dict[str, Any]:
    body = {
        "version": 1,
        "accountId": HOME,
        "meterId": f"m-{HOME}",
        "readAt": "2026-07-01T00:15:00+08:00",
        "registerWh": 12_345_670,
    } | changes
    return {name: value for name, value in body.items() if value is not ...}


def decode(*records: Record, book: Book | None = None) -> wire.DecodedReadings:
    return wire.decode_readings(records, book or book_with(HOME, OTHER), PARTITIONS)


# --- readings ----------------------------------------------------------------------------------


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
        Record(topics.READINGS, 0, offset, STAMPED_AT * 1000, key, value)
        for offset, value in enumerate(values)
    ]
    decoded = wire.decode_readings(records, book_with(HOME), PARTITIONS)
    assert len(decoded.refusals) == len(values)
    for refusal in decoded.refusals:
        assert wire.decode_refusal(wire.encode_refusal(refusal).value).reason is refusal.reason


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(
    changes=st.dictionaries(
        st.sampled_from(
            sorted(reading(quality="", rateRegistersWh=[], intervalSeconds=1, intervalWh=1))
        ),
        plain,
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
    st.datetimes(min_value=__import__("datetime").datetime(2000, 1, 2)),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["", ".5", ".123456"]),
)
def test_instants_in_columns_are_those_of_the_standard_library(naive, minutes, fraction):
    from datetime import timedelta, timezone

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


# --- control topics ----------------------------------------------------------------------------

SETTINGS = AccountSettings(
    version=3,
    customer_class=CustomerClass.RESIDENT,
    payment_mode=PaymentMode.PREPAID,
    tariff_id="cn-sd-residential",
    max_power_w=12_000,
    meter=MeterSettings("m-1", 1_782_836_100, 40, 10**9, 5, None),
    credit_limit_nanos=0,
    warning_amount_nanos=50_000_000_000,
    warning_days=(7.0, 3.0, 0.5),
    reconnect_min_nanos=-1,
    protections=(Protection.PROTECTED, Protection.LIFE_SUPPORT),
    direct_close_agreed=True,
    groups=Groups("3110", "10kV", "c-017", "山东06"),
)
ON_PLAN = replace(
    SETTINGS, payment_mode=PaymentMode.PLAN,
    plan=Plan(PlanMode.READING, ((15, 5_000), (31, 10_000)), 5, 10**13, 10**12, 0),
)  # fmt: skip
EVENTS = [
    SettingsChanged(HOME, 7, STAMPED_AT, SETTINGS),
    SettingsChanged(HOME, 7, STAMPED_AT, ON_PLAN),
    PaymentReceived(HOME, 7, STAMPED_AT, "p-1", 100_000_000_001, 1_782_836_100),
    PaymentReceived(HOME, 7, STAMPED_AT, "p-2", -5, 1_782_836_100),
    PaymentReceived(HOME, 7, STAMPED_AT, "t-1", 5, 1_782_836_100, PaymentKind.IN_FLIGHT),
    PaymentReceived(HOME, 7, STAMPED_AT, "t-1", 0, 1_782_836_100, PaymentKind.FAILED),
    PaymentReceived(HOME, 7, STAMPED_AT, "p-3", 5, 1_782_836_100, pays=2026 * 12 + 4),
    PaymentReceived(HOME, 7, STAMPED_AT, "p-4", 5, 1_782_836_100, pays=Pays.LATE_CHARGE),
    PaymentReceived(
        HOME, 7, STAMPED_AT, "o-1", -5, 1_782_836_100, PaymentKind.OPENING_BALANCE, due_day=739_000
    ),
    SwitchReported(
        HOME, 7, STAMPED_AT, f"{HOME}:trip:1:1", Switch.DISCONNECTED, True, 1_782_836_100
    ),
    SwitchReported(HOME, 7, STAMPED_AT, "", Switch.READY_FOR_RECONNECTION, False, 1_782_836_100),
    OperatorActed(HOME, 7, STAMPED_AT, Action.HOLD_SUPPLY, "李雷", "on site", 1_782_836_100),
    NoticeDelivered(HOME, 7, STAMPED_AT, f"{HOME}:notice:1", 1_782_836_100),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_written_is_the_event_read(event):
    encoded = wire.encode_event(event)
    record = Record(encoded.topic, 0, 7, STAMPED_AT * 1000, encoded.key, encoded.value)
    assert wire.decode_event(record, PARTITIONS) == event


def test_heartbeats_and_ticks_are_read_back():
    beat, tick = wire.encode_heartbeat(1_782_836_100), wire.encode_tick(1_782_836_101)
    read = [
        wire.decode_event(Record(one.topic, 0, 7, STAMPED_AT * 1000, one.key, one.value), 4)
        for one in (beat, tick)
    ]
    assert read == [
        wire.Heartbeat(1_782_836_100, 7, STAMPED_AT),
        wire.Tick(1_782_836_101, 7, STAMPED_AT),
    ]


def settings_body(**changes: Any) -> dict[str, Any]:
    return json.loads(wire.encode_event(EVENTS[0]).value) | changes


def plan_body(**changes: Any) -> dict[str, Any]:
    return settings_body(paymentMode="plan", plan=changes)


def payment(**changes: Any) -> dict[str, Any]:
    return json.loads(wire.encode_event(EVENTS[2]).value) | changes


CONTROL_REFUSED = [
    ("money as a number", topics.PAYMENTS, payment(amount=100.0), Reason.WRONG_SHAPE),
    ("ten decimals", topics.PAYMENTS, payment(amount="0.0000000001"), Reason.WRONG_SHAPE),
    ("nine billion", topics.PAYMENTS, payment(amount="9000000000"), Reason.AMOUNT_OUT_OF_RANGE),
    ("version 9", topics.PAYMENTS, payment(version=9), Reason.UNKNOWN_VERSION),
    ("another's key", topics.PAYMENTS, payment(accountId=OTHER), Reason.KEY_MISMATCH),
    ("a colon in an id", topics.PAYMENTS, payment(paymentId="a:b"), Reason.WRONG_SHAPE),
    ("no zone", topics.PAYMENTS, payment(paidAt="2026-07-01T00:00:00"), Reason.WRONG_SHAPE),
    ("terms in version 0", topics.ACCOUNT_SETTINGS, settings_body(settingsVersion=0),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("rising warning days", topics.ACCOUNT_SETTINGS, settings_body(warningDays=[1, 3, 7]),
     Reason.WRONG_SHAPE),
    ("a hold as a term", topics.ACCOUNT_SETTINGS, settings_body(protections=["held_by_operator"]),
     Reason.WRONG_SHAPE),
    ("a long tariff id", topics.ACCOUNT_SETTINGS, settings_body(tariffId="t" * 25),
     Reason.WRONG_SHAPE),
    ("credit below zero", topics.ACCOUNT_SETTINGS, settings_body(creditLimit="-1.00"),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("a kind nobody knows", topics.PAYMENTS, payment(kind="gift"), Reason.WRONG_SHAPE),
    ("a landing with an amount", topics.PAYMENTS, payment(kind="settled"), Reason.WRONG_SHAPE),
    ("no amount", topics.PAYMENTS, payment(amount=None), Reason.WRONG_SHAPE),
    ("less than nothing on its way", topics.PAYMENTS, payment(kind="in-flight", amount="-1.00"),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("costs of nothing", topics.PAYMENTS, payment(kind="collection-costs", amount="0.00"),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("a thirteenth month", topics.PAYMENTS, payment(pays="2026-13"), Reason.WRONG_SHAPE),
    ("a payment with a day to pay", topics.PAYMENTS, payment(dueOn="2026-05-20"),
     Reason.WRONG_SHAPE),
    ("a day that is none", topics.PAYMENTS, payment(kind="adjustment", dueOn="2026-02-30"),
     Reason.WRONG_SHAPE),
    ("a day to pay long ago", topics.PAYMENTS, payment(kind="adjustment", dueOn="1999-02-03"),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("a long collector", topics.ACCOUNT_SETTINGS,
     settings_body(groups={"collector": "c" * 9}), Reason.WRONG_SHAPE),
    ("a long area in Chinese", topics.ACCOUNT_SETTINGS,
     settings_body(groups={"area": "山东省济南"}), Reason.WRONG_SHAPE),
    ("a plan for a prepaid account", topics.ACCOUNT_SETTINGS, settings_body(plan={}),
     Reason.WRONG_SHAPE),
    ("a plan whose shares fall", topics.ACCOUNT_SETTINGS, plan_body(
        instalments=[{"day": 10, "share": "0.6"}, {"day": 20, "share": "0.3"}]),
     Reason.WRONG_SHAPE),
    ("a plan whose days do not rise", topics.ACCOUNT_SETTINGS, plan_body(
        instalments=[{"day": 20, "share": "0.3"}, {"day": 20, "share": "0.6"}]),
     Reason.WRONG_SHAPE),
    ("more than the whole", topics.ACCOUNT_SETTINGS, plan_body(
        instalments=[{"day": 20, "share": "1.2"}]), Reason.WRONG_SHAPE),
    ("no instalment", topics.ACCOUNT_SETTINGS, plan_body(instalments=[]), Reason.WRONG_SHAPE),
    ("a deposit below zero", topics.ACCOUNT_SETTINGS, plan_body(deposit="-1.00"),
     Reason.AMOUNT_OUT_OF_RANGE),
    ("a group nobody knows", topics.ACCOUNT_SETTINGS, settings_body(groups={"mood": "good"}),
     Reason.WRONG_SHAPE),
    ("no JSON", topics.TICKS, b"now", Reason.NOT_JSON),
]  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [r[1:] for r in CONTROL_REFUSED],
    ids=[r[0] for r in CONTROL_REFUSED],
)
def test_a_control_record_that_makes_no_sense_is_refused_by_name(topic, value, reason):
    refusal = wire.decode_event(record_of(value, topic=topic), PARTITIONS)
    assert isinstance(refusal, wire.Refusal)
    assert (refusal.reason, refusal.topic, refusal.offset) == (reason, topic, 7)


def test_an_account_in_the_wrong_partition_names_the_right_one():
    record = record_of(payment(accountId=ELSEWHERE), ELSEWHERE, topics.PAYMENTS)
    refusal = wire.decode_event(record, PARTITIONS)
    assert refusal.reason is Reason.WRONG_PARTITION
    assert "murmur2 of the key says 1 of 4" in refusal.detail


def test_a_protection_named_twice_is_one_protection():
    body = settings_body(protections=["dispute", "dispute"])
    event = wire.decode_event(record_of(body, topic=topics.ACCOUNT_SETTINGS), PARTITIONS)
    assert event.settings.protections == (Protection.DISPUTE,)


@given(
    topic=st.sampled_from(sorted({*topics.SOURCE_OF_TOPIC} - {topics.READINGS})),
    value=st.none() | st.binary(max_size=100) | plain.map(lambda one: json.dumps(one).encode()),
    key=st.none() | st.binary(max_size=9),
)
def test_any_bytes_on_any_control_topic_never_raise(topic, value, key):
    record = Record(topic, 0, 7, -1, key, value)
    assert isinstance(wire.decode_event(record, PARTITIONS), wire.Refusal)
    tariff = wire.decode_tariff(record._replace(topic=topics.TARIFFS))
    assert isinstance(tariff, wire.Refusal | wire.TariffRecord)


def test_a_tariff_sheet_comes_through_as_written():
    sheet = {"tariffId": "t", "validFrom": "2026-01-01", "zone": "Asia/Shanghai"}
    encoded = wire.encode_tariff(sheet)
    assert encoded.key == b"t@2026-01-01"
    record = Record(topics.TARIFFS, 0, 3, 0, encoded.key, encoded.value)
    assert wire.decode_tariff(record) == wire.TariffRecord("t@2026-01-01", sheet, 3)
    gone = wire.decode_tariff(record._replace(value=None))
    assert gone == wire.TariffRecord("t@2026-01-01", None, 3)


# --- effects -----------------------------------------------------------------------------------

CAUSE = Cause(Source.READINGS, 3, 1234)
EVIDENCE = Evidence(
    1_782_836_100, 10**12, 5, -7, "t", 3, 12.5, None, 0, ("reading_stale", "outside_window")
)
WHO = (HOME, 1_782_836_100, CAUSE, EVIDENCE)
EFFECTS: list[Effect] = [
    LowBalanceWarning(f"{HOME}:warning:1:1", *WHO, Tier.LOW, Tier.NORMAL),
    DisconnectionNotice(f"{HOME}:notice:1", *WHO, 123_456_789_012, 1_782_836_100),
    TripCommand(
        f"{HOME}:trip:1:1", *WHO, "3.31.0.23", 1_782_836_100, 1, f"{HOME}:notice:1", 1_782_836_100
    ),
    RestoreCommand(f"{HOME}:restore:1:1", *WHO, "3.31.0.5", 0, 1, f"{HOME}:trip:1:1", "paid"),
    Decision(f"{HOME}:held:1", *WHO, "held", "why"),
    DailyUsage(f"{HOME}:day:2026-07-01", *WHO, "2026-07-01", 12_000, 40),
    PlanNotice(
        f"{HOME}:plan:2026-07:instalment-due:1",
        *WHO,
        "instalment-due",
        1,
        "2026-07-10",
        3 * 10**12,
        10**12,
        9 * 10**11,
        10**13,
        2 * 10**12,
        0,
    ),
    AccountForecast(f"{HOME}:forecast:1234", *WHO, 9_000, 10**10, 10**11, 99.25, Tier.LOWEST),
]


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: type(effect).__name__)
def test_an_effect_written_is_the_effect_read(effect):
    encoded = wire.encode_effect(effect)
    assert encoded.key == HOME.encode()
    assert wire.decode_effect(encoded.topic, encoded.value) == effect
    assert wire.encode_effect(effect) == encoded, "a repeat has the same bytes"


def test_a_warning_reads_like_this():
    body = json.loads(wire.encode_effect(EFFECTS[0]).value)
    assert body == {
        "version": 1,
        "effectId": f"{HOME}:warning:1:1",
        "accountId": HOME,
        "decidedAt": "2026-06-30T16:15:00Z",
        "cause": {"topic": "meter-readings", "partition": 3, "offset": 1234},
        "evidence": {
            "readAt": "2026-06-30T16:15:00Z",
            "ledger": "1000.00",
            "bill": "0.000000005",
            "available": "-0.000000007",
            "tariffId": "t",
            "settingsVersion": 3,
            "runwayHoursP10": 12.5,
            "runwayHoursP50": None,
            "estimatedWh": 0,
            "holds": ["reading_stale", "outside_window"],
        },
        "tier": "low",
        "previousTier": "normal",
    }


@given(topic=st.sampled_from(sorted(wire.TOPIC_OF_EFFECT.values())), value=st.binary(max_size=99))
def test_no_other_bytes_are_an_effect(topic, value):
    with pytest.raises(wire.EffectUnreadable):
        wire.decode_effect(topic, value)


@given(st.integers(-(2**62), 2**62))
def test_money_is_exact_in_decimal(amount_nanos):
    assert wire.nanos_from_text(wire.decimal_text(amount_nanos)) == amount_nanos


def test_ids_hash_alike_one_by_one_and_together():
    ids = ["m-1", "m-22", "仪表", "x" * 64, "m-1"]
    from scoring.ids import text_hashes

    together = text_hashes(ids).tolist()
    assert together == [text_hash(one) for one in ids]
    assert len(set(together)) == 4
    assert text_hashes([]).dtype == np.uint64
