"""How is energy put right that was counted in the wrong place?

A gap over several rate periods is split by a guess and marked estimated; later facts (late
intervals, per-rate registers, an actual register after the head end's estimate) say better.  They
only ever move energy, or take back what an estimate counted too much, so these moves stand apart
from counting.  Which reading is such a fact is told in `scoring.validation`; new energy is counted
in `scoring.usage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import slots, validation
from scoring.book import copied, put_back
from scoring.events import MAX_RATE_PERIODS
from scoring.units import SLOT_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked

CELLS = tuple((bucket, period) for bucket in (0, 1) for period in range(MAX_RATE_PERIODS))
"""Open month (0 the current) and rate period, in the order in which estimates are given up."""


def take_back(ledger: NDArray[Any], wanted_wh: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take energy (n,) out of what is estimated, current month first; what could be taken (n,).

    Only estimates are given up: what was measured stays.  The open day gives back what it has of
    the same; days that are closed have been told and stay as they are.
    """
    used, estimated, since = ledger["used_wh"], ledger["estimated_wh"], ledger["since_rate_wh"]
    left = wanted_wh.copy()
    for bucket, period in CELLS:
        part = np.minimum(left, estimated[:, bucket, period])
        used[:, bucket, period] -= part
        estimated[:, bucket, period] -= part
        since[:, period] -= part
        left -= part
    taken = wanted_wh - left
    from_day = np.minimum(taken, ledger["day_estimated_wh"])
    ledger["day_wh"] -= from_day
    ledger["day_estimated_wh"] -= from_day
    return taken


def true_up(
    ledger: NDArray[Any],
    bucket: NDArray[np.int64],
    period: NDArray[np.int64],
    energy_wh: NDArray[np.int64],
) -> None:
    """Say of estimated energy (n,) that it was used in this open month and rate period.

    It is taken from the estimate of that period, then of that month's other periods in order, then
    of the other month; the total does not change.  So the end is the same in whatever order the
    late intervals come, and when all have come nothing is estimated any more.
    """
    used, estimated, since = ledger["used_wh"], ledger["estimated_wh"], ledger["since_rate_wh"]
    rows = np.arange(len(ledger))
    left = energy_wh.copy()

    def give_up(from_bucket: NDArray[np.int64], from_period: NDArray[np.int64] | int) -> None:
        part = np.minimum(left, estimated[rows, from_bucket, from_period])
        estimated[rows, from_bucket, from_period] -= part
        used[rows, from_bucket, from_period] -= part
        since[rows, from_period] -= part
        np.subtract(left, part, out=left)

    give_up(bucket, period)
    for other, from_period in CELLS:
        give_up(bucket ^ other, from_period)
    used[rows, bucket, period] += energy_wh - left
    since[rows, period] += energy_wh - left


def rebase_rates(ledger: NDArray[Any], rate_register_wh: NDArray[np.int64]) -> None:
    """Keep per-rate registers (n, R) as the first of their meter: they say nothing yet."""
    ledger["rate_register_wh"] = rate_register_wh
    ledger["since_rate_wh"] = 0


def settle_rates(
    ledger: NDArray[Any],
    rate_register_wh: NDArray[np.int64],
    measured_wh: NDArray[np.int64],
    gap_wh: NDArray[np.int64],
    in_one_month: NDArray[np.bool_],
) -> None:
    """Let per-rate registers say how much of what was counted belongs to each rate period.

    `measured_wh` (n, R) is what each rate register moved since the last per-rate reading and
    `gap_wh` (n, R) the part of `since_rate_wh` that this very reading has just added.  The total
    register rules: energy moves between periods until each has what its register says, and what
    the registers' rounding leaves over waits in `since_rate_wh` for the next time.  What they
    cover is estimated no longer, except that the months of a gap over a month's end stay a guess.
    """
    since = ledger["since_rate_wh"].copy()
    want = _balanced(measured_wh - since)
    taken, given_up, applied = _collect(ledger, np.maximum(-want, 0))
    applied += _hand_out(ledger, np.maximum(want, 0), taken, ~in_one_month)
    covered = since - np.where(in_one_month[:, None], 0, gap_wh)
    covered = np.maximum(covered - given_up, 0)
    estimated = ledger["estimated_wh"]
    for bucket in (0, 1):
        part = np.minimum(covered, estimated[:, bucket])
        estimated[:, bucket] -= part
        covered -= part
    ledger["since_rate_wh"] = since + applied - measured_wh
    ledger["rate_register_wh"] = rate_register_wh


def _balanced(want: NDArray[np.int64]) -> NDArray[np.int64]:
    """Wishes (n, R) cut down in order of the periods until as much is wanted as given away."""
    want = want.copy()
    surplus = want.sum(axis=1)
    for period in range(MAX_RATE_PERIODS):
        wish = want[:, period]
        less = np.minimum(np.maximum(wish, 0), np.maximum(surplus, 0))
        more = np.minimum(np.maximum(-wish, 0), np.maximum(-surplus, 0))
        want[:, period] += more - less
        surplus += more - less
    return want


def _collect(
    ledger: NDArray[Any], take: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Take energy (n, R) from its periods, estimates first.

    Answers what was taken from each open month (n, 2), what of it was estimated (n, R), and by how
    much each period has changed (n, R).
    """
    used, estimated = ledger["used_wh"], ledger["estimated_wh"]
    taken = np.zeros((len(ledger), 2), np.int64)
    given_up, left = np.zeros_like(take), take.copy()
    for bucket in (0, 1):
        part = np.minimum(left, estimated[:, bucket])
        estimated[:, bucket] -= part
        used[:, bucket] -= part
        given_up += part
        taken[:, bucket] += part.sum(axis=1)
        left -= part
    for bucket in (0, 1):
        part = np.minimum(left, used[:, bucket] - estimated[:, bucket])
        used[:, bucket] -= part
        taken[:, bucket] += part.sum(axis=1)
        left -= part
    return taken, given_up, left - take


def _hand_out(
    ledger: NDArray[Any],
    give: NDArray[np.int64],
    taken: NDArray[np.int64],
    is_guess: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Give what was taken from each month (n, 2) to periods (n, R) of that month, in order."""
    used, estimated = ledger["used_wh"], ledger["estimated_wh"]
    applied = np.zeros_like(give)
    left = taken.copy()
    for bucket, period in CELLS:
        part = np.minimum(give[:, period] - applied[:, period], left[:, bucket])
        used[:, bucket, period] += part
        estimated[:, bucket, period] += np.where(is_guess, part, 0)
        applied[:, period] += part
        left[:, bucket] -= part
    return applied


def true_up_late(
    ledger: NDArray[Any],
    checked: Checked,
    late: NDArray[np.int64],
    tariffs: Tariffs,
    index: NDArray[np.int64],
) -> None:
    """Let late intervals say when estimated energy was used."""
    block, end = copied(ledger, late), checked.readings.read_at[late]
    start = end - checked.readings.interval_seconds[late]
    month, period = tariffs.month_of(index[late], start), tariffs.period_of(index[late], start)
    bucket = (month < block["month"]) & (block["previous_month_open"] == 1)
    true_up(block, bucket.astype(np.int64), period, checked.energy_wh[late])
    slots.mark(block, start // SLOT_SECONDS, end // SLOT_SECONDS)
    put_back(ledger, late, block)


def apply_rates(
    ledger: NDArray[Any],
    checked: Checked,
    gap_wh: NDArray[np.int64],
    tariffs: Tariffs,
    index: NDArray[np.int64],
) -> None:
    """Let the readings' per-rate registers say how the energy since their last values was used."""
    rows = np.flatnonzero(checked.has_rates)
    block, readings, tariff = copied(ledger, rows), checked.readings.take(rows), index[rows]
    based = validation.has_rate_base(block, readings)
    new, known = np.flatnonzero(~based), np.flatnonzero(based)
    if len(new):
        part = block[new]
        rebase_rates(part, readings.rate_register_wh[new])
        block[new] = part
    if len(known):
        part, readings, tariff = block[known], readings.take(known), tariff[known]
        multiplier = part["multiplier"].astype(np.int64)[:, None]
        measured = validation.rate_units(part, readings) * multiplier
        start, end = part["register_read_at"], readings.read_at
        last = np.maximum(end - 1, start)
        in_one_month = tariffs.month_of(tariff, start) == tariffs.month_of(tariff, last)
        settle_rates(part, readings.rate_register_wh, measured, gap_wh[rows[known]], in_one_month)
        whole = np.flatnonzero(in_one_month & (start < end))
        marked = part[whole]
        slots.mark(marked, start[whole] // SLOT_SECONDS, -(-end[whole] // SLOT_SECONDS))
        part[whole] = marked
        block[known] = part
    put_back(ledger, rows, block)
