"""What do the records of the control topics say, and can any bytes stop their being read?"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.debts import Pays
from scoring.effects import Reason
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
    PolicyChanged,
    PolicyTerms,
    Protection,
    SettingsChanged,
    Switch,
    SwitchReported,
)
from streams import topics, wire
from streams.log import PlainRecord
from streams.wire_interlock import InterlockAction, encode_interlock_action
from tests.wire_records import (
    ELSEWHERE,
    HOME,
    OTHER,
    PARTITIONS,
    PLAIN_JSON,
    STAMPED_AT,
    record_of,
)

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
HELD = OperatorActed(HOME, 7, STAMPED_AT, Action.HOLD_SUPPLY, "李雷", "on site", 1_782_836_100)
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
    HELD,
    NoticeDelivered(HOME, 7, STAMPED_AT, f"{HOME}:notice:1", 1_782_836_100),
    PolicyChanged(
        HOME, 7, STAMPED_AT, PolicyTerms(2, PaymentMode.PREPAID, 10**12, (15.0, 7.0, 3.0))
    ),
    PolicyChanged(
        HOME, 7, STAMPED_AT, PolicyTerms(3, PaymentMode.PLAN, 0, (7.0, 3.0, 1.0), Plan())
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_written_is_the_event_read(event):
    encoded = wire.encode_event(event)
    record = PlainRecord(encoded.topic, 0, 7, STAMPED_AT * 1000, encoded.key, encoded.value)
    assert wire.decode_event(record, PARTITIONS) == event


def test_heartbeats_and_ticks_are_read_back():
    beat, tick = wire.encode_heartbeat(1_782_836_100), wire.encode_tick(1_782_836_101)
    read = [
        wire.decode_event(PlainRecord(one.topic, 0, 7, STAMPED_AT * 1000, one.key, one.value), 4)
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


def action_body(action: str, operator: str) -> dict[str, Any]:
    return json.loads(wire.encode_event(HELD).value) | {"action": action, "operator": operator}


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
    *(
        (f"{action} by {name!r}", topics.OPERATOR_ACTIONS, action_body(action, name),
         Reason.WRONG_SHAPE)
        for action in ("approve-trip", "release-supply", "release-quarantine")
        for name in ("", " ", "\u3000\u200b", "\0")
    ),
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


@pytest.mark.parametrize("name", ["", " ", "\u3000\u200b", "\0"])
def test_nobody_releases_the_interlock_but_a_freeze_or_a_hold_stands_unnamed(name):
    def read(key, value):
        return wire.decode_event(
            PlainRecord(topics.OPERATOR_ACTIONS, 0, 7, STAMPED_AT * 1000, key, value), PARTITIONS
        )

    release = encode_interlock_action(InterlockAction.RELEASE, name, "checked", STAMPED_AT)
    assert read(None, release).reason is Reason.WRONG_SHAPE
    freeze = encode_interlock_action(InterlockAction.FREEZE, name, "storm", STAMPED_AT)
    assert read(None, freeze).action is InterlockAction.FREEZE
    for action in ("hold-supply", "reject-trip", "dispute", "note"):
        held = read(HOME.encode(), json.dumps(action_body(action, name)).encode())
        assert held.action is Action(action)


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
    value=st.none()
    | st.binary(max_size=100)
    | PLAIN_JSON.map(lambda one: json.dumps(one).encode()),
    key=st.none() | st.binary(max_size=9),
)
def test_any_bytes_on_any_control_topic_never_raise(topic, value, key):
    record = PlainRecord(topic, 0, 7, -1, key, value)
    assert isinstance(wire.decode_event(record, PARTITIONS), wire.Refusal)
    tariff = wire.decode_tariff(record._replace(topic=topics.TARIFFS))
    assert isinstance(tariff, wire.Refusal | wire.TariffRecord)


def test_a_tariff_sheet_comes_through_as_written():
    sheet = {"tariffId": "t", "validFrom": "2026-01-01", "zone": "Asia/Shanghai"}
    encoded = wire.encode_tariff(sheet)
    assert encoded.key == b"t@2026-01-01"
    record = PlainRecord(topics.TARIFFS, 0, 3, 0, encoded.key, encoded.value)
    assert wire.decode_tariff(record) == wire.TariffRecord("t@2026-01-01", sheet, 3)
    gone = wire.decode_tariff(record._replace(value=None))
    assert gone == wire.TariffRecord("t@2026-01-01", None, 3)
