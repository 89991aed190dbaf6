"""How is a day's use to come divided among the rate periods, and which days teach that?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scoring.day_kinds import of_country, weekdays_only
from scoring.forecast import HORIZON_DAYS, Knowledge, forecast, learn
from scoring.pools import Pools
from scoring.splits import kind_of
from scoring.units import instant
from tests.taught import MIDNIGHT, MONDAY, SUNDAY, TARIFFS, accounts, ahead, closed, taught

if TYPE_CHECKING:
    from scoring.book import Accounts


def test_the_split_of_an_unknown_account_follows_the_calendar_and_its_hours():
    block = accounts(3)
    block.ledger["hour_load"][1] = [500] * 8 + [0] * 14 + [500] * 2  # only when it is cheap
    block.ledger["hour_load"][2] = 500
    peak = ahead(block).period_share[:, 0]
    assert peak == pytest.approx([14 / 24, 0.0625, 14 / 24], abs=0.001)


def test_the_first_split_is_each_accounts_own_days_calendar():
    at = np.array([instant("2026-07-04T12:00:00+02:00"), instant("2026-07-06T12:00:00+02:00")])
    block = accounts(2)
    block.tariff_index[:] = 2
    for order in ([0, 1], [1, 0]):
        working_time = forecast(block, TARIFFS, at[order]).period_share[:, 0]
        assert working_time == pytest.approx(np.array([0, 10 / 24])[order])


def test_until_a_day_has_taught_it_the_split_is_that_of_the_open_months():
    block = taught([10_000] * 3)
    block.ledger["used_wh"][0, 0, :2] = [30_000, 10_000]
    block.ledger["used_wh"][0, 1, :2] = [30_000, 30_000]
    learn(block, closed((MONDAY, 10_000, 0)))
    assert ahead(block).period_share[0].tolist()[:3] == pytest.approx([0.6, 0.4, 0], abs=1e-4)
    assert ahead(block).by_kind is None


def lived_by_period(days: list[tuple[int, int]], kinds=None) -> Accounts:
    """An account whose days from a Monday on use so much (at peak, in the valley)."""
    block = taught([1], last_day=SUNDAY)
    knowledge = Knowledge(kinds or weekdays_only(), Pools(), np.zeros(1, np.int64))
    for number, (peak, valley) in enumerate([(1, 0), *days]):
        block.ledger["used_wh"][0, 0, :2] += [peak, valley]
        learn(block, closed((SUNDAY + number, peak + valley, 0)), knowledge)
    return block


def test_each_kind_of_day_has_its_own_split():
    """An office that uses its peak on workdays, and sleeps through weekends and holidays."""
    china = of_country("CN")
    days = []
    for number in range(100):
        kind = kind_of(china.of(np.array([MONDAY + number])))[0]
        days.append([(9_000, 1_000), (500, 1_500), (100, 900)][kind])
    block = lived_by_period(days, china)
    split = ahead(block, MIDNIGHT + 100 * 86_400).by_kind
    assert split is not None
    assert split.share[0, :, 0] == pytest.approx([0.9, 0.25, 0.1], abs=0.001)
    known = kind_of(china.of(MONDAY + 100 + np.arange(HORIZON_DAYS)))
    assert split.kind[0].tolist() == known.tolist()
    later = ahead(block, MIDNIGHT + 110 * 86_400).by_kind
    assert later.kind[0, :25].tolist() == known[10:].tolist()


def test_a_home_whose_days_are_alike_has_one_split():
    block = lived_by_period([(6_000, 4_000), (6_030, 3_970)] * 20)
    look = ahead(block, MIDNIGHT + 40 * 86_400)
    assert look.by_kind is None
    assert look.period_share[0, :2] == pytest.approx([0.6, 0.4], abs=0.003)


TEACHES_NO_SPLIT = [
    # why                                     counted at peak, in the valley   the day, estimated
    ("a late correction came as well",              (30_000, 0),                 10_000, 0),
    ("the month before was closed",                 (-200_000, 0),               10_000, 0),
    ("it went down in one period",                  (12_000, -2_000),            10_000, 0),
    ("nothing was used",                            (0, 0),                           0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("why", "counted", "used_wh", "estimated"), TEACHES_NO_SPLIT)
def test_the_table_of_days_that_teach_no_split(why, counted, used_wh, estimated):
    block = lived_by_period([(6_000, 4_000)] * 30)
    before = block.learned["split_share"].copy()
    block.ledger["used_wh"][0, 0, :2] += counted
    learn(block, closed((MONDAY + 30, used_wh, estimated)))
    assert (block.learned["split_share"] == before).all(), why
    block.ledger["used_wh"][0, 0, :2] += [10_000, 0]
    learn(block, closed((MONDAY + 31, 10_000, 0)))
    assert (block.learned["split_share"] != before).any(), "the day after it teaches again"
