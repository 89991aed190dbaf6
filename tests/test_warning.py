"""When a customer is warned, and when a warning is taken back: one line per rule, with its why."""

import pytest

from scoring.decide import judge, on_event
from scoring.effects import LowBalanceWarning, Stage, Tier, WorkItem
from scoring.events import NoticeDelivered, PaymentMode
from scoring.policy_terms import LARGE_FROM_WH, MIDDLE_FROM_WH
from scoring.rules import SupplyRules
from scoring.units import instant
from tests.situations import (
    AT_REST,
    EXHAUSTED,
    HOUR,
    NOON,
    UNIT,
    only,
    replace,
    sky,
)

RISES = [
    # available, P10 h, P50 h, read ago, from, to, why
    (50, 500, 500, 0, 0, 0, "exactly the warning amount is enough"),
    (49.99, 500, 500, 0, 0, 1, "below the warning amount"),
    (400, 500, None, 0, 0, 0, "no end in sight"),
    (400, 100, 168.1, 0, 0, 0, "just over seven days probably"),
    (400, 100, 168, 0, 0, 1, "seven days: tier 1 by P50, whatever P10 says"),
    (400, 60, 72.1, 0, 1, 1, "just over three days"),
    (400, 60, 72, 0, 1, 2, "three days: tier 2 by P50"),
    (400, 48.1, 50, 0, 2, 2, "P10 just over its day and the day of margin"),
    (400, 48, 60, 0, 2, 3, "a day surely: tier 3 by P10 and a day, a miss would have no mender"),
    (400, 40, 60, 0, 0, 3, "over several tiers at once"),
    (-1, 0, 0, 0, 0, 3, "already exhausted"),
    (400, 100, 170, 2, 0, 1, "the reading is two hours old: 168 hours are left from now"),
    (400, 100, 170, 1.9, 0, 0, "a little more than 168 hours from now"),
    (60, 147, 170, 98, 0, 2, "a silent meter's money runs down too"),
    (400, 300, None, 0, 2, 2, "better figures alone take nothing back"),
    (49, 100, 100, 0, 1, 1, "the same tier is told once"),
    (30, 500, 500, 0, 1, 1, "three fifths of the amount"),
    (29.99, 500, 500, 0, 1, 2, "below 30 of 50: tier 2"),
    (10, 500, 500, 0, 2, 2, "a fifth of the amount"),
    (9.99, 500, 500, 0, 2, 3, "below 10 of 50: tier 3"),
]


@pytest.mark.parametrize(("available", "p10", "p50", "ago", "tier", "expected", "why"), RISES)
def test_warnings_rise_at_once(available, p10, p50, ago, tier, expected, why):
    here = replace(
        AT_REST,
        available_nanos=round(available * UNIT),
        runway_hours_p10=p10,
        runway_hours_p50=p50,
        read_at=NOON - round(ago * HOUR),
        tier=Tier(tier),
        stage=Stage.TRIPPED if available < 0 else Stage.NORMAL,
    )
    warnings = [e for e in judge(here).effects if isinstance(e, LowBalanceWarning)]
    assert [w.tier for w in warnings] == ([expected] if expected != tier else []), why


FALLS = [
    # from, money came, available, P10 h, P50 h, to, why
    (1, False, 400, 800, None, 1, "no payment, no correction: a tier is not taken back"),
    (1, True, 60, 800, None, 0, "paid, and at amount x 1.2: recovered"),
    (1, True, 59.99, 800, None, 1, "paid, but within the amount's dead band"),
    (1, True, 400, 800, 201.7, 0, "paid, and over 168 h x 1.2 = 201.6 h"),
    (1, True, 400, 800, 201.6, 1, "paid, but within the hours' dead band"),
    (2, True, 400, 80, 86.5, 1, "over 72 h x 1.2 = 86.4 h, not over 201.6 h: down by one"),
    (2, True, 400, 80, 86.4, 2, "within the dead band of tier 2"),
    (2, True, 36, 800, None, 1, "three fifths of 60: over the amount's dead band, down by one"),
    (2, True, 35.99, 800, None, 2, "within it"),
    (3, True, 12, 800, None, 2, "a fifth of 60: down by one"),
    (3, True, 11.99, 800, None, 3, "within it"),
    (3, True, 60, 57.6, None, 3, "amount recovered, but P10 within its dead band"),
    (3, True, 400, 57.7, 100, 1, "P10 over 48 h x 1.2 = 57.6 h, P50 over tier 2: down by two"),
    (3, True, 400, 57.6, 100, 3, "P10 within the dead band of tier 3"),
    (3, True, 400, 800, None, 0, "plenty: recovered at once"),
    (1, True, 40, 60, 70, 2, "paid too little: it may rise nevertheless"),
]


@pytest.mark.parametrize(("tier", "paid", "available", "p10", "p50", "expected", "why"), FALLS)
def test_warnings_fall_only_after_money_and_beyond_the_dead_band(
    tier, paid, available, p10, p50, expected, why
):
    here = replace(
        AT_REST,
        read_at=NOON,
        available_nanos=round(available * UNIT),
        runway_hours_p10=p10,
        runway_hours_p50=p50,
        tier=Tier(tier),
        ledger_changed=paid,
    )
    warnings = [e for e in judge(here).effects if isinstance(e, LowBalanceWarning)]
    assert [w.tier for w in warnings] == ([expected] if expected != tier else []), why


def test_a_low_balance_episode_is_numbered_from_its_first_warning_to_recovery():
    here = replace(AT_REST, read_at=NOON, runway_hours_p50=100.0, episode=4, warning_number=9)
    ids = []
    for hours, paid in ((100.0, False), (50.0, False), (None, True), (100.0, False)):
        here = replace(here, runway_hours_p50=hours, ledger_changed=paid)
        verdict = judge(here)
        ids.append(only(verdict, LowBalanceWarning).effect_id)
        here = here.after(verdict.changes)
        assert not judge(here), "told once"
    assert ids == ["home-1:warning:5:1", "home-1:warning:5:2", "home-1:warning:5:3",
                   "home-1:warning:6:1"]  # fmt: skip


def test_money_that_came_before_a_warning_does_not_take_back_the_next_one():
    here = replace(AT_REST, read_at=NOON, tier=Tier(3), ledger_changed=True, runway_hours_p50=100.0)
    then = here.after(judge(here).changes)
    assert (then.tier, then.ledger_changed) == (Tier.LOW, False)
    assert not judge(replace(then, runway_hours_p50=None)), "better figures alone"
    assert judge(replace(then, runway_hours_p50=None, ledger_changed=True))


@pytest.mark.parametrize(
    "doubt", [{"is_quarantined": True}, {"is_tariff_known": False}, {"read_at": 0},
              {"settings_version": 0}]
)  # fmt: skip
def test_figures_nobody_believes_are_not_told_to_customers(doubt):
    here = replace(AT_REST, available_nanos=10 * UNIT, runway_hours_p50=10.0, **doubt)
    assert not judge(here)


def test_a_plan_settled_account_is_warned_but_never_noticed():
    here = replace(EXHAUSTED, payment_mode=PaymentMode.PLAN, tier=Tier.NORMAL)
    (warning,) = [each for each in judge(here).effects if not isinstance(each, WorkItem)]
    assert isinstance(warning, LowBalanceWarning)


def warned(here):
    """The warning said now, and who is asked to call."""
    verdict = judge(here)
    said = [e for e in verdict.effects if isinstance(e, LowBalanceWarning)]
    items = [e for e in verdict.effects if isinstance(e, WorkItem)]
    return said, items, here.after(verdict.changes)


LOW_NOW = replace(AT_REST, available_nanos=45 * UNIT, runway_hours_p10=200, runway_hours_p50=200)
TODAY, TOMORROW = 739_798, 739_799

A_DAY = [
    # from, to, warned on, times, said, why
    (1, 2, TODAY, 2, True, "the third today"),
    (1, 2, TODAY, 3, False, "three are enough for a day"),
    (1, 2, TODAY - 1, 3, True, "a new day"),
    (0, 1, TODAY, 3, True, "the first of an episode is never kept back"),
    (2, 3, TODAY, 9, True, "nor the last before the notice"),
    (3, 0, TODAY, 9, True, "nor that all is well again: it calls the collector back"),
    (3, 1, TODAY, 9, False, "a little better can wait"),
]


@pytest.mark.parametrize(("tier", "to", "day", "times", "said", "why"), A_DAY)
def test_nobody_is_warned_all_day_long(tier, to, day, times, said, why):
    amount = {0: 60, 1: 45, 2: 25, 3: 5}[to] * UNIT
    here = replace(
        LOW_NOW,
        available_nanos=amount,
        tier=Tier(tier),
        ledger_changed=True,
        runway_hours_p50=None,
        warned_day=day,
        warned_today=times,
    )
    found, _, then = warned(here)
    assert bool(found) == said, why
    if said:
        assert (then.warned_day, then.warned_today) == (TODAY, times + 1 if day == TODAY else 1)
    else:
        assert then.tier == tier, "so it is said tomorrow"


def test_a_warning_names_the_hour_the_weekend_and_the_hour_to_pay_by():
    """The money ends on Saturday at 03:10; nobody is disconnected before Monday."""
    ends = instant("2026-07-04T03:10:00+08:00")
    hours = (ends - LOW_NOW.read_at) / HOUR
    (said,), _, _ = warned(replace(LOW_NOW, runway_hours_p10=90, runway_hours_p50=hours))
    assert said.runs_out_at == ends
    assert said.no_trip_before_at == instant("2026-07-06T09:00:00+08:00")
    assert said.pay_by_at == instant("2026-07-06T08:00:00+08:00")
    assert said.text_en == (
        "Account home-1: your balance is low, 45.00. It lasts until about Sat 2026-07-04 03:10."
        " At this rate, no disconnection before Mon 2026-07-06 09:00;"
        " please pay by Mon 2026-07-06 08:00."
    )
    assert said.text_zh == (
        "用户home-1：您的可用余额偏低，为45.00元。预计可用至周六 2026-07-04 03:10。"
        "按目前用电情况，周一 2026-07-06 09:00之前不会停电，请于周一 2026-07-06 08:00前缴费。"
    )


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        ({"zone": None}, " Please pay."),  # whose Monday?
        ({"rules": SupplyRules()}, " Please pay."),  # nobody stated the days off
        ({"payment_mode": PaymentMode.PLAN}, " Please pay."),  # never tripped for its balance
    ],
)
def test_nothing_is_promised_that_nobody_knows(change, ends):
    (said,), _, _ = warned(replace(LOW_NOW, **change))
    assert (said.no_trip_before_at, said.pay_by_at) == (0, 0)
    assert said.text_en.endswith(ends)


SMALL, MIDDLE, BIG = 100_000, 50_000_000, 500_000_000
CALLS = [
    # used Wh, tier, who must call
    (SMALL, 1, ""), (SMALL, 2, ""), (SMALL, 3, "collector"),
    (MIDDLE, 1, ""), (MIDDLE, 2, "collector"), (MIDDLE, 3, "team leader"),
    (BIG, 1, "collector"), (BIG, 2, "team leader"), (BIG, 3, "unit head"),
]  # fmt: skip


CALLS_BY_SIZE = [(used_wh, 0, tier, caller) for used_wh, tier, caller in CALLS] + [
    # used Wh in the open months, forecast of today, tier, who must call
    (MIDDLE_FROM_WH - 1, 0, 2, ""), (MIDDLE_FROM_WH, 0, 2, "collector"),
    (LARGE_FROM_WH - 1, 0, 1, ""), (LARGE_FROM_WH, 0, 1, "collector"),
    (0, LARGE_FROM_WH // 30 + 1, 1, "collector"),  # on the first of the month it is large already
    (0, LARGE_FROM_WH // 30 - 1, 1, ""),
    (LARGE_FROM_WH, 0, 3, "unit head"),  # on a Sunday a works that rests is large all the same
]  # fmt: skip


@pytest.mark.parametrize(("used_wh", "today_wh", "tier", "caller"), CALLS_BY_SIZE)
def test_large_customers_are_called_earlier(used_wh, today_wh, tier, caller):
    amount = {1: 45, 2: 25, 3: 5}[tier] * UNIT
    about = {"used_wh": used_wh, "forecast_today_wh": today_wh}
    _, items, then = warned(replace(LOW_NOW, **about, available_nanos=amount, collector="c-017"))
    assert [each.text_en.split(":")[0] for each in items] == ([caller] if caller else [])
    assert all(each.collector == "c-017" for each in items)
    paid = replace(then, ledger_changed=True, available_nanos=400 * UNIT, runway_hours_p50=None,
                   runway_hours_p10=800)  # fmt: skip
    _, items, _ = warned(paid)
    assert [each.status for each in items] == (["withdrawn"] if caller else [])


TEXTS = [
    # from, to, money, what is read in English, in Chinese
    (0, 1, 45, "your balance is 45.00. Please pay.", "您的可用余额为45.00元。请及时缴费。"),
    (1, 2, 25, "your balance is low, 25.00. Please pay.",
     "您的可用余额偏低，为25.00元。请及时缴费。"),
    (2, 3, 5, "your balance is nearly used up, 5.00. Please pay.",
     "您的可用余额即将用完，为5.00元。请及时缴费。"),
    (3, 0, 60, "your balance is 60.00 again. Thank you.", "您的可用余额已恢复至60.00元，谢谢。"),
]  # fmt: skip


@pytest.mark.parametrize(("tier", "to", "money", "english", "chinese"), TEXTS)
def test_what_is_read_in_both_languages(tier, to, money, english, chinese):
    here = replace(LOW_NOW, tier=Tier(tier), available_nanos=money * UNIT, ledger_changed=True,
                   runway_hours_p10=800, runway_hours_p50=None)  # fmt: skip
    (said,), _, _ = warned(here)
    assert said.tier == to
    assert said.text_en == f"Account home-1: {english}"
    assert said.text_zh == f"用户home-1：{chinese}"


def test_a_warning_names_no_day_inside_a_moratorium():
    """The money ends on Friday; frost is stated until Tuesday noon."""
    ends = instant("2026-07-03T03:10:00+08:00")
    frost = sky(0, (0, 24 * 6))  # from Wednesday noon for six days
    hours = (ends - LOW_NOW.read_at) / HOUR
    here = replace(LOW_NOW, runway_hours_p10=47, runway_hours_p50=hours, **frost)
    (said,), _, _ = warned(here)
    assert said.no_trip_before_at == instant("2026-07-07T12:00:00+08:00")
    assert said.pay_by_at == instant("2026-07-07T11:00:00+08:00")
    assert "At this rate, no disconnection before Tue 2026-07-07 12:00" in said.text_en
    assert "按目前用电情况，周二 2026-07-07 12:00之前不会停电" in said.text_zh


def test_the_proof_of_a_warning_is_kept():
    here = replace(LOW_NOW, tier=Tier.LOW, episode=2, warning_number=1)
    proof = NoticeDelivered("home-1", 1, NOON, "home-1:warning:2:1", NOON - HOUR)
    assert here.after(on_event(here, proof).changes).warning_proven == NOON
    other = NoticeDelivered("home-1", 1, NOON, "home-1:warning:1:1", NOON - HOUR)
    assert not on_event(here, other)


def test_a_further_warning_is_not_proven_by_the_receipt_of_the_one_before():
    here = replace(LOW_NOW, tier=Tier.LOW, episode=2, warning_number=1, warning_proven=NOON - HOUR)
    verdict = judge(replace(here, available_nanos=-UNIT))
    assert only(verdict, LowBalanceWarning).effect_id == "home-1:warning:2:2"
    assert here.after(verdict.changes).warning_proven == 0
