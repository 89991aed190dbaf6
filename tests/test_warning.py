"""When a customer is warned, and when a warning is taken back: one line per rule, with its why."""

import pytest

from scoring.decide import judge
from scoring.effects import LowBalanceWarning, Stage, Tier
from scoring.events import PaymentMode
from tests.situations import (
    AT_REST,
    EXHAUSTED,
    HOUR,
    NOON,
    UNIT,
    only,
    replace,
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
    (warning,) = judge(here).effects
    assert isinstance(warning, LowBalanceWarning)
