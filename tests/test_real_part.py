"""Are the promised figures kept on a small part of real readings: a year of nine Belgian meters?

Every second meter of a set, chosen by its place and by nothing else.  `make backtest` asks the same
of all the sets; what each figure means is told in `deploy.marks`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.backtest import broken
from deploy.days import Days, read_days
from deploy.marks import figures
from deploy.rewind import live_through
from scoring.day_kinds import of_country, weekdays_only

PART = Path(__file__).parent / "fixtures" / "meters_be_half.parquet"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    days = read_days(PART, "Europe/Brussels")
    return figures(live_through(days, of_country("BE")), days, 0)


def test_the_energy_of_tomorrow_is_told_an_eighth_better_than_by_the_best_simple_rule(found):
    assert found["customers"] == 9
    assert found["wape"] < 0.215
    assert found["wape"] < 0.88 * found["best_simple_wape"]
    assert abs(found["bias"]) < 0.03


@pytest.mark.parametrize("span", ["1", "3", "7"])
def test_four_of_five_sums_lie_in_the_interval(found, span):
    assert 0.78 <= found["coverage80"][span] <= 0.82


def test_exhaustions_are_warned_of_a_day_before_with_fewer_needless_warnings(found):
    assert found["exhaustions"] > 2_000
    assert found["warned_24h"] >= 0.99
    week = found["mean_week_runway"]
    assert week["warned_24h"] >= found["warned_24h"], "compared at equal safety"
    assert found["needless_per_quarter"] < week["needless_per_quarter"]


def test_the_figures_break_no_promise_and_a_spoilt_one_is_named(found):
    assert broken(found, 21.5) == []
    for name, spoilt in (
        ("wape", 0.22), ("coverage80", {"1": 0.8, "3": 0.8, "7": 0.77}), ("warned_24h", 0.98),
        ("needless_per_quarter", 9.0),
    ):  # fmt: skip
        assert len(broken(found | {name: spoilt}, 21.5)) == 1, name


def calls_of(count: int) -> int:
    """How many functions are called while so many homes live through five weeks."""
    used = np.random.default_rng(count).normal(10_000, 500, (36, count))
    hourly = np.repeat(used[:, None] / 24, 24, axis=1).astype(np.float32)
    homes = Days([f"h{n}" for n in range(count)], 738_000, np.rint(used), hourly, 3_600, 0)
    calls = 0

    def count_it(_frame: Any, event: str, _what: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count_it)
    try:
        live_through(homes, weekdays_only())
    finally:
        sys.setprofile(None)
    return calls


def test_a_day_of_fifty_homes_takes_hardly_more_steps_than_one_of_five():
    """What stands for speed here: the work is done in columns, not customer by customer."""
    calls_of(5)
    assert calls_of(50) < 1.1 * calls_of(5)
