"""How likely is it that a customer's next bill or instalment is paid late?

Learned online with River from the facts of the credit score, without personal traits, and
calibrated online, so that of those given 20 % about 20 % pay late.  It advises a collector whom to
call; it stands apart from `credit` and never changes a grade, let alone a decision about supply.
It may be lost and learned again.

Honest by construction: `chance` knows only what was learned before, and quality is measured on what
was told then.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from river import linear_model, metrics, optim, stats, utils

from scoring.credit_facts import MISSING
from scoring.credit_items import RULES, points
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

KNOTS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
"""Places, in standard deviations, between which a feature's weight may bend: late payment does not
grow evenly with anything."""

MOST_DEVIATIONS = 3.0

STEADY_STEP = 0.1
QUICK_STEP = 0.02
"""Of the two learners: AdaGrad, whose steps become small, and plain descent, whose do not, so that
it follows when times change."""

WEIGHT_KEPT = 0.999
"""Discount per customer learned of how well either learner did: about a thousand count."""

ODDS_KNOTS = (-4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
"""Log odds between which the calibration may bend: chances from 2 to 88 in a hundred."""

CALIBRATION_STEP = 0.02
"""Of the calibration, against every error: fifty customers near a knot move it by their mean."""

LEAST_CHANCE = 0.001
"""Nothing is told as surer than one in a thousand, either way."""

QUALITY_WINDOW = 5_000
"""Newest outcomes on which the live Brier score and AUC are measured."""

PERSONAL_TRAITS = frozenset({"sex", "gender", "age", "marriage", "marital"})
"""Words that no feature's name may contain: a person is not a risk for what he is born."""

Features = dict[str, float | None]


class PersonalTrait(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A feature is named like a personal trait; nothing is learned from it."""


def features(facts: NDArray[Any]) -> list[Features]:
    """What is learned from of each customer (n,) of credit_facts.FACTS; None where it is missing.

    The points of the 18 items, and the few figures behind them that say more than points.

    >>> from scoring.credit_facts import no_facts
    >>> told = features(no_facts(1))[0]
    >>> len(told), told["C1"]
    (24, None)
    """
    names, rows = tuple(RULES), points(facts).tolist()
    return [
        {name: float(given) or None for name, given in zip(names, row, strict=True)}
        | {name: figure(one) for name, figure in _FIGURES.items()}
        for row, one in zip(rows, facts, strict=True)
    ]


def _ratio(one: Any, part: str, whole: str) -> float | None:
    if one[part] == MISSING or one[whole] == MISSING or one[whole] <= 0:
        return None
    return float(one[part]) / float(one[whole])


def _plain(one: Any, name: str) -> float | None:
    return None if one[name] == MISSING else float(one[name])


_FIGURES: dict[str, Callable[[Any], float | None]] = {
    "mean_days_late": lambda one: _ratio(one, "days_late_cents", "dues_cents"),
    "latest_days": lambda one: _plain(one, "latest_days"),
    "clean_months": lambda one: _plain(one, "clean_months"),
    "usage_change": lambda one: _ratio(one, "usage_recent_wh", "usage_before_wh"),
    "days_of_cover": lambda one: (
        None if one["cover_seconds"] == MISSING else float(one["cover_seconds"]) / SECONDS_PER_DAY
    ),
    "instalments_kept": lambda one: _ratio(one, "instalments_kept", "instalments_due"),
}


class ArrearsRisk:
    """The learned chance of the next late payment; one for all customers.

    `learned` counts the outcomes it has seen.
    """

    def __init__(self) -> None:
        self.learned = 0
        self._spread: dict[str, stats.Var] = {}
        self._learners = (
            linear_model.LogisticRegression(optimizer=optim.AdaGrad(STEADY_STEP)),
            linear_model.LogisticRegression(optimizer=optim.SGD(QUICK_STEP), l2=1e-4),
        )
        self._log_trust = [0.0, 0.0]
        self._lift = [0.0] * len(ODDS_KNOTS)
        self._auc = metrics.RollingROCAUC(window_size=QUALITY_WINDOW)
        self._brier = utils.Rolling(stats.Mean, window_size=QUALITY_WINDOW)

    def chance(self, told: Mapping[str, float | None]) -> float:
        """The chance (0 to 1) that the next due of a customer with these features is paid late.

        Raises PersonalTrait for a feature named like one.
        """
        return self._calibrated(self._raw(self._encoded(told))[0])

    def learn(self, told: Mapping[str, float | None], is_late: bool, said: float) -> None:
        """Learn what became of a due; `said` is the chance told before, by which quality counts."""
        self._auc.update(is_late, said)
        self._brier.update((said - is_late) ** 2)
        encoded = self._encoded(told)
        raw, chances = self._raw(encoded)
        self._calibrate(raw, is_late)
        for at, (learner, chance) in enumerate(zip(self._learners, chances, strict=True)):
            right = chance if is_late else 1 - chance
            self._log_trust[at] = WEIGHT_KEPT * self._log_trust[at] + math.log(right)
            learner.learn_one(encoded, is_late)
        for name, value in told.items():
            if value is not None:
                self._spread.setdefault(name, stats.Var()).update(_drawn_in(value))
        self.learned += 1

    @property
    def brier(self) -> float:
        """Mean squared error of the chances told for the newest outcomes; NaN before the first."""
        return float(self._brier.get()) if self.learned else math.nan

    @property
    def auc(self) -> float:
        """Chance that of two newest outcomes the late one had been told as likelier; NaN before."""
        return float(self._auc.get()) if self.learned else math.nan

    def _encoded(self, told: Mapping[str, float | None]) -> dict[str, float]:
        """Each feature in standard deviations, as a line and as shares of its two nearest knots."""
        encoded: dict[str, float] = {}
        for name, value in told.items():
            if not PERSONAL_TRAITS.isdisjoint(name.lower().replace(".", "_").split("_")):
                raise PersonalTrait(f"{name} is a personal trait")
            if value is None or not math.isfinite(value):
                encoded[f"{name} missing"] = 1.0
                continue
            at = self._deviations(name, value)
            encoded[name] = at
            above, share = _between(at, KNOTS)
            encoded[f"{name} {above - 1}"] = 1 - share
            encoded[f"{name} {above}"] = share
        return encoded

    def _deviations(self, name: str, value: float) -> float:
        spread = self._spread.get(name)
        if spread is None or spread.get() <= 0:
            return 0.0
        at: float = (_drawn_in(value) - spread.mean.get()) / math.sqrt(spread.get())
        return max(-MOST_DEVIATIONS, min(at, MOST_DEVIATIONS))

    def _raw(self, encoded: dict[str, float]) -> tuple[float, list[float]]:
        """Log odds by the two learners together, and the chance by each."""
        chances = [_kept_in(each.predict_proba_one(encoded)[True]) for each in self._learners]
        best = max(self._log_trust)
        trust = [math.exp(each - best) for each in self._log_trust]
        together = sum(t * c for t, c in zip(trust, chances, strict=True)) / sum(trust)
        return math.log(together / (1 - together)), chances

    def _calibrated(self, log_odds: float) -> float:
        above, share = _between(log_odds, ODDS_KNOTS)
        lift = (1 - share) * self._lift[above - 1] + share * self._lift[above]
        return _kept_in(_logistic(log_odds + lift))

    def _calibrate(self, log_odds: float, is_late: bool) -> None:
        """Move the two nearest knots a little against the error (online gradient)."""
        above, share = _between(log_odds, ODDS_KNOTS)
        error = self._calibrated(log_odds) - is_late
        self._lift[above - 1] -= CALIBRATION_STEP * (1 - share) * error
        self._lift[above] -= CALIBRATION_STEP * share * error


def _between(at: float, knots: tuple[float, ...]) -> tuple[int, float]:
    """The knot above a place and how far from the one below it the place lies (0 to 1).

    >>> _between(0.75, KNOTS), _between(9.0, KNOTS)
    ((5, 0.5), (6, 1.0))
    """
    inner = max(knots[0], min(at, knots[-1]))
    above = next(k for k, knot in enumerate(knots) if k and inner <= knot)
    return above, (inner - knots[above - 1]) / (knots[above] - knots[above - 1])


def _drawn_in(value: float) -> float:
    """Money and days have long tails: their logarithm, either side of nothing."""
    return math.copysign(math.log1p(abs(value)), value)


def _kept_in(chance: float) -> float:
    return max(LEAST_CHANCE, min(chance, 1 - LEAST_CHANCE))


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(log_odds, 30.0))))
