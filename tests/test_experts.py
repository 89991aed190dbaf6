"""Is the experts' arithmetic River's, and do their intervals keep their word?"""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from river import base, ensemble, linear_model, optim

from scoring import days_ahead, experts, intervals, pools
from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.day_kinds import CountryUnknown, of_country, weekdays_only
from scoring.days import DaysClosed
from scoring.forecast import Knowledge, learn

MONDAY = date(2024, 1, 8).toordinal()


class Says(base.Regressor):
    """An expert that repeats what it is given."""

    def __init__(self, number: int) -> None:
        self.number = number

    def learn_one(self, x, y) -> None:
        """It never learns."""

    def predict_one(self, x):
        return x[self.number]


def test_the_trust_of_one_account_is_rivers_ewa_regressor():
    random = np.random.default_rng(5)
    count, error = len(experts.EXPERTS), 100.0
    oracle = ensemble.EWARegressor(
        [Says(number) for number in range(count)],
        loss=optim.losses.Absolute(),
        learning_rate=float(experts.TRUST_RATE) / error,
    )
    loss = np.zeros((count, 1), np.float32)
    for _ in range(40):
        said, used = random.uniform(900, 1_100, count), random.uniform(900, 1_100)
        # River has no discount: what it remembers is raised to the power of the discount
        kept = [weight ** float(experts.DISCOUNT) for weight in oracle.weights]
        oracle.weights = [weight / math.fsum(kept) for weight in kept]
        oracle.learn_one(dict(enumerate(said.tolist())), used)
        loss = experts.suffer(
            loss, said[:, None].astype(np.float32), np.float32([used]), np.float32([error])
        )
        assert experts.trust(loss)[:, 0] == pytest.approx(oracle.weights, rel=2e-3)
    x = dict(enumerate(said.tolist()))
    ours = float((experts.trust(loss)[:, 0] * said).sum())
    assert ours == pytest.approx(oracle.predict_one(x), rel=1e-5)


def lived(used_wh: np.ndarray, knowledge: Knowledge | None = None) -> Accounts:
    """Accounts (n) that lived through these days (d, n) from a Monday on."""
    days, count = used_wh.shape
    block = Accounts(empty_ledger(count), np.zeros(count, LEARNED), np.full(count, -1))
    each, nothing = np.arange(count), np.zeros(count, np.int64)
    learn(block, DaysClosed(each, nothing + MONDAY - 1, nothing, nothing), knowledge)
    for number in range(days):
        day = DaysClosed(each, nothing + MONDAY + number, used_wh[number].astype(int), nothing)
        learn(block, day, knowledge)
        if knowledge:
            knowledge.pools.learn()
    return block


def test_a_day_that_says_nothing_of_the_level_does_not_move_it():
    """A Sunday at work: twelve times its usual is no new level of the works."""
    weeks = np.tile([3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 200], 20).astype(float)
    weeks[-1] = 2_400
    block = lived(weeks[:, None])
    assert days_ahead.read(block.learned)[0, 0] == pytest.approx(3_000, rel=0.1)


def test_a_shutdown_of_a_week_is_not_believed_at_once():
    used = np.r_[np.full(70, 10_000.0), np.full(3, 100.0)]
    used += np.random.default_rng(2).normal(0, 300, len(used))
    block = lived(np.maximum(used, 0)[:, None])
    assert block.learned["level_wh"][0, 0] > 9_000


def test_a_holiday_is_guessed_before_it_is_met_and_learned_after():
    britain = of_country("GB")
    easter = date(2024, 3, 29).toordinal() - MONDAY
    week = np.array([10_000] * 5 + [2_000] * 2, float)
    used = np.tile(week, 30) * np.random.default_rng(8).normal(1, 0.1, 210)
    for number in range(len(used)):
        if britain.of(np.array([MONDAY + number]))[0] >= 8:
            used[number] = 2_000
    fresh = Knowledge(britain, pools.Pools(), np.arange(1))
    before = lived(used[:easter, None], fresh)
    told = days_ahead.read(before.learned)[0]
    assert 4_000 < told[0] < 9_000, "Good Friday: half-way to a Sunday"
    ever = lived(used[: date(2024, 5, 27).toordinal() - MONDAY, None], fresh)
    assert days_ahead.read(ever.learned)[0, 0] < 0.8 * told[0], (
        "the bank holiday, after three others"
    )


def test_a_group_learns_together_what_no_member_has_met_alone():
    """After a holiday these offices start at half; one that is new is told so by the others."""
    britain = of_country("GB")
    days = date(2024, 4, 1).toordinal() - MONDAY + 1
    random = np.random.default_rng(9)
    used = random.normal(10_000, 200, (days, 30))
    friday, monday = date(2024, 3, 29).toordinal() - MONDAY, days - 1
    used[friday] = 5_000
    used[monday] = 5_000
    knowledge = Knowledge(britain, pools.Pools(), np.arange(30))
    block = lived(used, knowledge)
    columns = pools.features(block.learned, np.full(30, MONDAY + days), britain)
    group, account = np.zeros(30, np.int64), np.arange(30)
    assert knowledge.pools.corrections(columns, group, account)[0].mean() != 0
    assert np.allclose(pools.Pools().corrections(columns, group, account), 0)


def test_the_groups_regression_is_rivers_one_by_one():
    """A mini-batch is worth its days one after the other (River's BayesianLinearRegression)."""
    random = np.random.default_rng(4)
    columns = random.uniform(-1, 1, (pools.FEATURES, 50)).astype(np.float32)
    wanted = (0.3 * columns[2]).astype(np.float32)
    noise = np.full(50, 0.5, np.float32)
    group = np.zeros(50, np.int64)
    shared = pools.Pools()
    shared.wait(columns, group, np.arange(50), group, wanted, noise)
    shared.learn()
    oracle = linear_model.BayesianLinearRegression(alpha=1, beta=1)
    for column, value in zip(columns.T, wanted, strict=True):
        weight = min(1.0, 2 * 0.5 / max(abs(float(value)), 1e-9)) / 0.5
        root = math.sqrt(weight / pools.POOL_PRIOR)
        named = {f"x{n}": float(v) * root for n, v in enumerate(column)}
        oracle.learn_one(named, float(value) * root)
    told = shared.corrections(columns, group, np.arange(50))[0]
    expected = [
        oracle.predict_one({f"x{n}": float(v) for n, v in enumerate(column)})
        for column in columns.T
    ]
    assert told == pytest.approx(expected, abs=1e-4)


def test_days_wait_until_a_new_hour_so_that_no_cut_of_the_stream_shows():
    shared = pools.Pools()
    columns = np.ones((pools.FEATURES, 1), np.float32)
    one = np.zeros(1, np.int64)
    shared.learn_at(3_600)
    shared.wait(columns, one, one, one, np.ones(1, np.float32), np.ones(1, np.float32))
    shared.learn_at(3_700)
    assert not shared.corrections(columns, one, one).any()
    shared.learn_at(7_200)
    assert shared.corrections(columns, one, one).all()


def test_a_large_customer_has_a_model_of_its_own():
    shared = pools.Pools()
    random = np.random.default_rng(1)
    columns = random.uniform(-1, 1, (pools.FEATURES, 60)).astype(np.float32)
    large = np.full(60, pools.LARGE)
    account = np.arange(60) % 2
    wanted = np.where(account == 0, columns[2], -columns[2]).astype(np.float32)
    shared.wait(columns, large, account, np.arange(60), wanted, np.full(60, 0.1, np.float32))
    shared.learn()
    told = shared.corrections(columns, large, account)
    assert np.abs(told[1] - wanted).mean() < 0.6 * np.abs(told[0] - wanted).mean()


# ---- intervals


@pytest.mark.parametrize("noise", ["even", "heavy", "lasting"])
def test_eight_of_ten_sums_lie_inside_whatever_the_days_do(noise):
    random = np.random.default_rng(3)
    days, count = 400, 12
    lasting = np.zeros((days, count))
    for number in range(1, days):
        lasting[number] = 0.9 * lasting[number - 1] + random.normal(0, 0.1, count)
    shocks = {
        "even": random.normal(0, 0.2, (days, count)),
        "heavy": np.clip(random.standard_t(2, (days, count)) * 0.15, -0.9, 3),
        "lasting": lasting,
    }[noise]
    used = np.round(10_000 * np.maximum(1 + shocks, 0.05))
    block = Accounts(empty_ledger(count), np.zeros(count, LEARNED), np.full(count, -1))
    each, nothing = np.arange(count), np.zeros(count, np.int64)
    knowledge = Knowledge(weekdays_only(), pools.Pools(), each)
    learn(block, DaysClosed(each, nothing + MONDAY - 1, nothing, nothing), knowledge)
    inside: dict[int, list[np.ndarray]] = {1: [], 3: [], 7: []}
    for number in range(days):
        if 28 <= number <= days - 7:
            rows = block.learned
            low, high = intervals.factors(rows, np.ones(count, bool), np.full(count, 86_400))
            sums = np.cumsum(days_ahead.read(rows), axis=1)
            for span, found in inside.items():
                total = used[number : number + span].sum(axis=0)
                told = sums[:, span - 1]
                found.append(
                    (total >= told * low[:, span - 1]) & (total <= told * high[:, span - 1])
                )
        day = DaysClosed(each, nothing + MONDAY + number, used[number].astype(int), nothing)
        learn(block, day, knowledge)
        knowledge.pools.learn()
    for span, found in inside.items():
        assert 0.77 < np.mean(found) < 0.83, span


def test_a_gap_is_bridged_and_not_taken_for_zeros():
    week = np.array([10_000] * 5 + [4_000] * 2, float)
    block = lived(np.tile(week, 10)[:, None])
    later = MONDAY + 70 + 9
    before = days_ahead.read(block.learned)[0]
    one = np.zeros(1, np.int64)
    learn(block, DaysClosed(one, one + later, one + 10_000, one))
    assert block.learned["last_day"][0] == later
    assert block.learned["history_wh"][0, -10:-1] == pytest.approx(before[:9], rel=0.15)
    assert days_ahead.read(block.learned)[0, :7].min() > 3_000


def test_a_learned_row_is_at_most_540_bytes():
    assert LEARNED.itemsize <= 540


def test_a_place_nobody_knows_is_refused_by_name():
    with pytest.raises(CountryUnknown, match="no country"):
        of_country("ATLANTIS")


def test_live_quality_is_counted_by_class_and_fades_in_weeks():
    shared = pools.Pools()
    group = np.array([0, 0, pools.LARGE])
    told, used = np.float32([900, 1_200, 50]), np.float32([1_000, 1_000, 100])
    shared.judge(group, told, used, np.array([True, False, True]))
    assert shared.quality[:, 0].tolist() == [2_000, 300, 100, 1, 2]
    assert shared.quality[:, pools.LARGE].tolist() == [100, 50, -50, 1, 1]
    for hour in range(168):
        shared.learn_at((hour + 1) * 3_600)
    assert shared.quality[0, 0] == pytest.approx(1_000)
