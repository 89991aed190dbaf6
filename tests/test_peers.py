"""Are the models of forecasters judged on the same days as ours, and told no more than ours?

AutoETS and AutoTheta themselves are heavy and run by `make backtest-peers`; here models whose
answer is known by hand stand in their place, with the same two calls (`fit`, `forward`).
"""

from __future__ import annotations

import numpy as np
import pytest

from deploy.marks import wape
from deploy.peers import FITTED_DAYS, LEAST_DAYS, REFITTED_EVERY, beside, bridged, day_ahead


class LastWeek:
    """Says what the same day of last week used."""

    def fit(self, days):
        assert np.isfinite(days).all()
        assert LEAST_DAYS <= len(days) <= FITTED_DAYS
        return self

    def forward(self, days, h):
        assert h == 1
        return {"mean": np.array([days[-7]])}


class AsFitted:
    """Says for ever the mean of what it was fitted to."""

    def fit(self, days):
        self.mean = days.mean()
        return self

    def forward(self, days, h):
        assert len(days) >= h
        return {"mean": np.array([self.mean])}


def used(days: int = 460, customers: int = 3) -> np.ndarray:
    random = np.random.default_rng(4)
    return (
        10_000
        * (1 + 0.3 * (np.arange(days) % 7 > 4))[:, None]
        * random.uniform(0.8, 1.2, (days, customers))
    )


def test_a_model_is_told_all_days_before_and_no_other():
    days = used()[:, 0]
    said = day_ahead(LastWeek, days, 400)
    assert np.isnan(said[:400]).all()
    assert said[400:].tolist() == days[393:453].tolist()


def test_a_model_is_fitted_again_every_fortnight_on_the_last_year():
    days = used()[:, 0]
    said = day_ahead(AsFitted, days, 400)
    for start in range(400, 460, REFITTED_EVERY):
        fitted = days[start - FITTED_DAYS : start].mean()
        assert said[start : start + REFITTED_EVERY] == pytest.approx(fitted)


def test_unknown_days_are_bridged_by_last_weeks_and_too_short_a_past_says_nothing():
    days = used(100)[:, 0]
    days[40:43] = np.nan
    assert bridged(days)[40:43].tolist() == days[33:36].tolist()
    days[:60] = np.nan
    said = day_ahead(LastWeek, days, 60)
    assert np.isnan(said[: 60 + LEAST_DAYS]).all()
    assert np.isfinite(said[60 + LEAST_DAYS :]).all()


def test_all_are_judged_on_the_same_days():
    days = used()
    days[:440, 2] = np.nan  # too new for any model, though we say something of it
    days[450, 0] = np.nan
    ours, scored = days * 1.1, np.isfinite(days)
    found = beside(ours, days, scored, 60, {"LastWeek": LastWeek, "AsFitted": AsFitted})
    same = scored.copy()
    same[:400] = same[:, 2] = False
    week = np.vstack([np.full((7, 3), np.nan), bridged_all(days)[:-7]])
    assert found["kilowatch"] == pytest.approx(0.1)
    assert found["LastWeek"] == pytest.approx(wape(week, days, same))
    assert found["AsFitted"] > 0.1


def bridged_all(days: np.ndarray) -> np.ndarray:
    return np.stack([bridged(each) for each in days.T], axis=1)
