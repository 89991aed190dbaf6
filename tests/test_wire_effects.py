"""What does Kilowatch say on Kafka, to the letter, and is a repeat the same bytes?"""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.effects import (
    AccountForecast,
    Cause,
    DailyUsage,
    Decision,
    DisconnectionNotice,
    Effect,
    Evidence,
    LargeDay,
    LowBalanceWarning,
    PlanNotice,
    Proof,
    RestoreCommand,
    StatusRead,
    Tier,
    TripCommand,
    WorkItem,
)
from scoring.events import Source
from scoring.ids import text_hash, text_hashes
from streams import wire
from tests.wire_records import HOME

CAUSE = Cause(Source.READINGS, 3, 1234)
EVIDENCE = Evidence(
    1_782_836_100, 10**12, 5, -7, "t", 3, 12.5, None, 0, ("reading_stale", "outside_window")
)
WHO = (HOME, 1_782_836_100, CAUSE, EVIDENCE)
EFFECTS: list[Effect] = [
    LowBalanceWarning(
        f"{HOME}:warning:1:1",
        *WHO,
        Tier.LOW,
        Tier.NORMAL,
        1_783_105_800,
        1_783_299_600,
        0,
        "pay",
        "请缴费",
    ),
    DisconnectionNotice(f"{HOME}:notice:1", *WHO, 123_456_789_012, 1_782_836_100),
    TripCommand(
        f"{HOME}:trip:1:1",
        *WHO,
        "3.31.0.23",
        1_782_836_100,
        1,
        f"{HOME}:notice:1",
        1_782_836_100,
        "arrears_stop",
        (Proof("dunning", f"{HOME}:dunning:1", 1_782_000_000),),
        ("li", "wang"),
    ),
    StatusRead(f"{HOME}:status:1:1", *WHO, f"{HOME}:trip:1:1", 1_782_836_100),
    WorkItem(f"{HOME}:work:collect:1", *WHO, "collect", "open", "c-017", "", "call", "催费"),
    RestoreCommand(f"{HOME}:restore:1:1", *WHO, "3.31.0.5", 0, 1, f"{HOME}:trip:1:1", "paid"),
    Decision(f"{HOME}:held:1", *WHO, "held", "why"),
    DailyUsage(f"{HOME}:day:2026-07-01", *WHO, "2026-07-01", 12_000, 40),
    DailyUsage(
        f"{HOME}:day:2026-07-02",
        *WHO,
        "2026-07-02",
        12_000,
        40,
        large=LargeDay(10**9, None, 860_000, 800_000, 1_250_000, 0, 5, 0, 1, 3),
    ),
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
        "runsOutAt": "2026-07-03T19:10:00Z",
        "noTripBeforeAt": "2026-07-06T01:00:00Z",
        "payByAt": None,
        "textEn": "pay",
        "textZh": "请缴费",
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
    together = text_hashes(ids).tolist()
    assert together == [text_hash(one) for one in ids]
    assert len(set(together)) == 4
    assert text_hashes([]).dtype == np.uint64
