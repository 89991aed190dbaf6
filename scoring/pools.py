"""What does one account's day say about the next day of others like it?

Regressions by River on what all accounts of a customer group have in common (after a holiday,
before one, a cold day's echo), and one of its own for each large customer.  They stand apart
because they belong to no account: each partition's worker keeps them beside the book, they may be
lost, and a day of a few accounts brings them back.  Their answer is one expert of many: how far
it is trusted is told in `experts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.cold_start import GroupLevels
from scoring.day_kinds import HOLIDAY, DayKinds
from scoring.events import CustomerClass
from scoring.experts import (
    BASE_LEVEL,
    LAST_WEEK,
    MEAN_WEEK,
    MEAN_WEEKDAY,
    WEEK,
    YESTERDAY,
    day_ahead,
    mean_history_wh,
    share_of,
    weekday_of,
)
from scoring.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LARGE = list(CustomerClass).index(CustomerClass.LARGE)
CLASSES = len(CustomerClass)

KIND_UNIT = np.float32(0.3)
"""A yes among the features: of the size of the shares beside it, so that one prior suits all."""
MOST_FEATURE = np.float32(3)

POOL_PRIOR = 10.0
OWN_PRIOR = 30.0
"""Precision of the belief that a correction is nothing, in days of an account whose typical error
is its level; a model of its own has fewer days to learn from."""

HUBER_ERRORS = np.float32(2)
"""A day further off than this many typical errors weighs as if it stood there (Huber 1964)."""
LEAST_NOISE = np.float32(0.02)
"""Typical error over level below which an account's days weigh no more."""
MOST_CORRECTION = np.float32(3)

QUALITY = ("used_wh", "error_wh", "signed_error_wh", "inside", "days")
QUALITY_KEPT_HOURLY = 0.5 ** (1 / 168)
"""Live quality halves in a week, so that a bad week shows and a bad day does not alarm."""

MOST_WAITING = 50_000
"""Closed days kept until the next hour, 6 MB: more would teach nothing that these do not."""

SAID = (0, 1, 3, YESTERDAY, LAST_WEEK, MEAN_WEEK, MEAN_WEEKDAY)
FEATURES = 1 + 1 + len(SAID) + 1 + 1 + WEEK + 4 + 3


def features(rows: NDArray[Any], day: NDArray[np.int64], kinds: DayKinds) -> Floats:
    """What is known of `day` (n,), the first that is not in the history, (F, n) in mean days."""
    code = kinds.of(day)
    said = day_ahead(rows, code)
    unit = 1 / mean_history_wh(rows)
    base = said[BASE_LEVEL]
    size = base * unit
    columns = np.empty((FEATURES, len(rows)), np.float32)
    columns[0], columns[1] = KIND_UNIT, KIND_UNIT * size
    place = 2
    for number in SAID:
        columns[place] = (said[number] - base) * unit
        place += 1
    columns[place] = 1 - size
    columns[place + 1] = (said[YESTERDAY] - _yesterdays_base(rows, kinds.of(day - 1))) * unit
    place += 2
    columns[place : place + WEEK] = KIND_UNIT * (weekday_of(code) == np.arange(WEEK)[:, None])
    place += WEEK
    rests = [kinds.of(day + ahead) >= HOLIDAY for ahead in (0, -1, 1, -WEEK)]
    for rest in rests:
        columns[place] = KIND_UNIT * rest
        place += 1
    for rest in (rests[0], rests[1], rests[3]):
        columns[place] = KIND_UNIT * rest * size
        place += 1
    np.maximum(columns, -MOST_FEATURE, out=columns)
    np.minimum(columns, MOST_FEATURE, out=columns)
    return columns


def _yesterdays_base(rows: NDArray[Any], code: NDArray[np.uint8]) -> Floats:
    base: Floats = rows["level_wh"][:, BASE_LEVEL] * share_of(rows, code[:, None])[:, 0]
    return base


class Pools:
    """The regressions of one partition, and the closed days that wait to teach them.

    Days are learned together at `learn`, in the order of their accounts: between two calls every
    account is answered from the same weights, so how a stream is cut into batches changes nothing.
    """

    def __init__(self) -> None:
        self.levels = GroupLevels()
        self._groups: dict[int, Any] = {}
        self._own: dict[int, Any] = {}
        self._group_weights = np.zeros((FEATURES, CLASSES), np.float32)
        self._waiting: list[tuple[NDArray[Any], ...]] = []
        self._learned_in_hour = 0
        self._quality = np.zeros((len(QUALITY), CLASSES))

    def corrections(
        self, columns: Floats, group: NDArray[np.int64], account: NDArray[np.int64]
    ) -> Floats:
        """What to add to the base level, in mean days, (2, n): by the group, by an own model.

        An account without a model of its own is answered by its group twice.
        """
        weights = self._group_weights.take(group, axis=1)
        answer = np.zeros((2, len(group)), np.float32)
        for column, weight in zip(columns, weights, strict=True):
            answer[0] += weight * column
        answer[1] = answer[0]
        for place in np.flatnonzero(group == LARGE).tolist():
            own = self._own.get(int(account[place]))
            if own is not None:
                answer[1, place] = own.predict_one(_named(columns[:, place]))
        np.maximum(answer, -MOST_CORRECTION, out=answer)
        return np.minimum(answer, MOST_CORRECTION, out=answer)

    def wait(
        self,
        columns: Floats,
        group: NDArray[np.int64],
        account: NDArray[np.int64],
        day: NDArray[np.int64],
        wanted: Floats,
        noise: Floats,
    ) -> None:
        """Keep what closed days teach: `wanted` (n,) the right correction, `noise` the account's
        typical error, both in mean days.
        """
        if sum(len(days[0]) for days in self._waiting) < MOST_WAITING:
            self._waiting.append((columns.T, group, account, day, wanted, noise))

    def forget(self, accounts: NDArray[np.int64]) -> None:
        """Other customers use these accounts (k,) now: their own models begin again."""
        for account in accounts.tolist():
            self._own.pop(account, None)

    def learn_at(self, at: int) -> None:
        """Learn what waits, once an hour, as ticks tell the time."""
        if at // SECONDS_PER_HOUR != self._learned_in_hour:
            self._learned_in_hour = at // SECONDS_PER_HOUR
            self._quality *= QUALITY_KEPT_HOURLY
            self.learn()

    @property
    def quality(self) -> NDArray[np.float64]:
        """How right the day-ahead forecasts of each customer class lately were.

        Discounted sums, (QUALITY, classes), which the partitions of a worker add up.
        """
        return self._quality

    def judge(
        self,
        group: NDArray[np.int64],
        told_wh: Floats,
        used_wh: Floats,
        inside: NDArray[np.bool_],
    ) -> None:
        """Count what was told of days that have closed, and whether they lay in the interval."""
        error_wh = (told_wh - used_wh).astype(np.float64)
        columns = (used_wh, np.abs(error_wh), error_wh, inside, np.ones(len(group)))
        for row, values in enumerate(columns):
            self._quality[row] += np.bincount(group, values, CLASSES)

    def learn(self) -> None:
        """Learn all days that wait, as one mini-batch per group and day."""
        self.levels.learn()
        if not self._waiting:
            return
        columns, group, account, day, wanted, noise = (
            np.concatenate(part) for part in zip(*self._waiting, strict=True)
        )
        self._waiting.clear()
        order = np.lexsort((day, account))
        columns, wanted, noise = (
            columns[order],
            wanted[order],
            np.maximum(noise[order], LEAST_NOISE),
        )
        group, account = group[order], account[order]
        for each in np.unique(group).tolist():
            here = np.flatnonzero(group == each)
            told = (columns[here] * self._group_weights[:, each]).sum(axis=1)
            x, y = _weighed(columns[here], wanted[here], told, noise[here], POOL_PRIOR)
            self._learn_group(each, x, y)
        for place in np.flatnonzero(group == LARGE).tolist():
            model = self._own.get(int(account[place]))
            if model is None:
                model = self._own[int(account[place])] = _new_model()
            one = slice(place, place + 1)
            told = np.full(1, model.predict_one(_named(columns[place])), np.float32)
            x, y = _weighed(columns[one], wanted[one], told, noise[one], OWN_PRIOR)
            model.learn_one(_named(x[0]), float(y[0]))

    def _learn_group(self, group: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Teach a group's model a mini-batch and keep its weights as columns."""
        import pyarrow as pa  # noqa: PLC0415 - the tables that River takes; as `_new_model`

        model = self._groups.get(group)
        if model is None:
            model = self._groups[group] = _new_model()
        model.learn_many(pa.table(list(x.T), NAMES), pa.chunked_array([y]))
        weights = [model.predict_one({name: 1.0}) for name in NAMES]  # a tenth of predict_many
        self._group_weights[:, group] = weights


NAMES = [f"x{number}" for number in range(FEATURES)]


def _named(values: NDArray[Any]) -> dict[str, float]:
    return dict(zip(NAMES, values.tolist(), strict=True))


def _new_model() -> Any:
    """River's regression with a prior of one day, to which the days are scaled (`_weighed`)."""
    from river import linear_model  # noqa: PLC0415 - 1 s to import; the API never needs it

    return linear_model.BayesianLinearRegression(alpha=1, beta=1)


def _weighed(
    columns: Floats, wanted: Floats, told: Floats, noise: Floats, prior: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days as rows of least squares, each scaled by the root of its weight over the prior's."""
    miss = np.abs(wanted - told)
    weight = np.minimum(1, HUBER_ERRORS * noise / np.maximum(miss, 1e-9)) / noise
    root = np.sqrt(weight.astype(np.float64) / prior)
    return columns * root[:, None], wanted * root


def regressed_wh(
    rows: NDArray[Any], day: NDArray[np.int64], kinds: DayKinds, corrections: Floats
) -> Floats:
    """The base level of `day` as corrected, (n, 2), never below nothing."""
    base = rows["level_wh"][:, BASE_LEVEL] * share_of(rows, kinds.of(day)[:, None])[:, 0]
    said = base + corrections * mean_history_wh(rows)
    return np.maximum(said, 0).T
