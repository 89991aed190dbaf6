"""Over which rate periods does an account's day spread, and what does that do to its cost?

Learned from the account's own days, apart for workdays, rest days and holidays: an office may use
its peak hours only on workdays, and a tariff may make a Sunday all valley.  Where the kinds differ,
the charge of each coming day is mended by its kind (`surcharge`); most homes' kinds do not, and
cost nothing more.  How much energy a day holds is `experts`' answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.calendar import FIRST_DAY_OF_MONTH, FIRST_MONTH
from scoring.day_kinds import FRIDAY, HOLIDAY, MONDAY_OF_ORDINAL
from scoring.events import MAX_RATE_PERIODS
from scoring.experts import HORIZON_DAYS, WEEK, mean_history_wh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.tariff import Tariffs

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

WORKDAY, REST_DAY, REST_HOLIDAY = range(3)

NOT_KNOWN, ALIKE, BY_KIND = range(3)
"""What the column `split` says."""

SHARE_UNIT = np.float32(1 / 65_535)
"""`split_share` is written in this part of a day's usage."""

SPLIT_RATE = np.float32(0.08)
"""Share of a new day in its kind's split: the mean of the first days, then twelve days' memory."""
MOST_MISMATCH = np.float32(0.25)
"""A day teaches its split if what was counted by period since the day before is the day's usage
within a quarter: a correction, a closed month or a gap between is somebody else's energy."""
LEAST_DIFFERENCE = np.float32(0.01)
"""Kinds that differ by less, of a day's usage, are taken for alike."""
MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class ByKind:
    """The few accounts whose kinds of days are split differently: `position` (k,) in the block.

    `kind` (k, H) of today and each day after it, `share` (k, 3, R) of each kind.
    """

    position: Ints
    kind: NDArray[np.uint8]
    share: Floats


def kind_of(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Workday, rest day or holiday, for kinds of days as `day_kinds` tells them.

    >>> kind_of(np.array([0, 4, 5, 6, 9, 14], np.uint8)).tolist()
    [0, 0, 1, 1, 2, 1]
    """
    rests = codes % HOLIDAY > FRIDAY
    return np.where(rests, REST_DAY, np.where(codes >= HOLIDAY, REST_HOLIDAY, WORKDAY)).astype("u1")


def _weekday(day: Ints) -> Ints:
    return (day + MONDAY_OF_ORDINAL) % WEEK


def odd_days(first_day: Ints, codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Bits of the days from `first_day` (n,) on that `codes` (n, H) call other than their weekday.

    A weekday can only be a holiday then, and a weekend day only one on which people work.
    """
    weekday = _weekday(first_day[:, None] + np.arange(codes.shape[1]))
    odd = kind_of(codes) != np.where(weekday > FRIDAY, REST_DAY, WORKDAY)
    bits = odd.astype(np.uint64) << np.arange(codes.shape[1], dtype=np.uint64)
    found: NDArray[np.uint64] = np.bitwise_or.reduce(bits, axis=1)
    return found


def coming_kinds(rows: NDArray[Any], day: Ints) -> NDArray[np.uint8]:
    """Kinds (n, H) of `day` (n,) and those after it, from the bits as of the newest closed day."""
    days = day[:, None] + np.arange(HORIZON_DAYS)
    place = days - rows["last_day"].astype(np.int64)[:, None] - 1
    bits = rows["odd_days"][:, None] >> np.clip(place, 0, 63).astype(np.uint64)
    odd = (bits & np.uint64(1)).astype(np.bool_) & (place >= 0)
    rests = _weekday(days) > FRIDAY
    usual = np.where(rests, REST_DAY, WORKDAY)
    return np.where(odd, np.where(rests, WORKDAY, REST_HOLIDAY), usual).astype("u1")


def learn(
    rows: NDArray[Any],
    code: NDArray[np.uint8],
    used_wh: Floats,
    open_months_wh: Ints,
    teaches: NDArray[np.bool_],
) -> None:
    """One more closed day of accounts: `used_wh` (n,) of kind `code`, where it `teaches`.

    `open_months_wh` (n, 2, R) is what is counted now.  Until a day has taught, the split of the
    open months stands for all days, once they hold two days' worth.
    """
    counted = open_months_wh.sum(axis=1)
    since = counted - rows["counted_wh"].astype(np.float64)
    begun = rows["counted_wh"].any(axis=1)
    total = since.sum(axis=1)
    own = np.abs(total - used_wh) <= MOST_MISMATCH * used_wh
    learns = np.flatnonzero(teaches & begun & own & (total > 0) & (since >= 0).all(axis=1))
    rows["counted_wh"] = counted
    if len(learns):
        day = (since[learns] / total[learns, None]).astype(np.float32)
        _learn_kind(rows, learns, kind_of(code[learns]), day)
    unknown = np.flatnonzero(rows["split"] == NOT_KNOWN)
    if len(unknown):
        whole = counted[unknown].sum(axis=1)
        enough = whole > np.maximum(2 * mean_history_wh(rows[unknown]), 1)
        some = unknown[enough]
        share = counted[some] / whole[enough, None]
        rows["split_share"][some, WORKDAY] = _written(share)
        rows["split"][some] = ALIKE


def _written(share: NDArray[Any]) -> NDArray[np.uint16]:
    return np.rint(share / SHARE_UNIT).astype(np.uint16)


def _learn_kind(rows: NDArray[Any], learns: Ints, kind: NDArray[np.uint8], day: Floats) -> None:
    share = rows["split_share"][learns]
    each = np.arange(len(learns))
    before = share[each, kind] * SHARE_UNIT
    met = rows["kind_days"][learns].astype(np.float32)
    of_kind = np.stack([met[:, :5].sum(axis=1), met[:, 5:7].sum(axis=1), met[:, 7]])[kind, each]
    rate = np.maximum(1 / np.maximum(of_kind, 1), SPLIT_RATE)
    rate = np.where(before.any(axis=1), rate, 1)[:, None]
    share[each, kind] = _written(before + rate * (day - before))
    first = ~share[:, WORKDAY].any(axis=1)
    share[first, WORKDAY] = _written(day[first])
    rows["split_share"][learns] = share
    apart = np.abs(share.astype(np.int64) - share[:, :1]).sum(axis=2) / 2 * SHARE_UNIT
    differs = (share.any(axis=2) & (apart > LEAST_DIFFERENCE)).any(axis=1)
    rows["split"][learns] = np.where(differs, BY_KIND, ALIKE)


def usual_share(rows: NDArray[Any]) -> Floats:
    """The split of a workday (n, R), until one is met of any day; zeros where none is known."""
    share: Floats = rows["split_share"][:, WORKDAY] * SHARE_UNIT
    return share


def by_kind(rows: NDArray[Any], day: Ints) -> ByKind | None:
    """Who of the block has kinds of days that are split differently; None: nobody."""
    position = np.flatnonzero(rows["split"] == BY_KIND)
    if not len(position):
        return None
    few = rows[position]
    return ByKind(position, coming_kinds(few, day[position]), share_by_kind(few))


def share_by_kind(rows: NDArray[Any]) -> Floats:
    """The split of each kind (n, 3, R); a holiday never met is a rest day, that a workday."""
    share: Floats = rows["split_share"] * SHARE_UNIT
    for kind in (REST_DAY, REST_HOLIDAY):
        unmet = np.flatnonzero(~share[:, kind].any(axis=1))
        share[unmet, kind] = share[unmet, kind - 1]
    return share


def surcharge(
    tariffs: Tariffs,
    version: Ints,
    month: Ints,
    days_left_in_month: Ints,
    ahead_wh: Floats,
    split: ByKind,
) -> NDArray[np.float64]:
    """What the kinds of days add to the charge by the end of each day, nanos (k, H).

    Over a charge at the split of a workday.  Each month has the prices of its own version;
    `version`, `month` and `days_left_in_month` (k,) tell of the current one.
    """
    beside = (split.share - split.share[:, :1]).astype(np.float64)
    extra, days = np.zeros(split.kind.shape), np.arange(HORIZON_DAYS)
    first = np.zeros(len(version), np.int64)
    end = days_left_in_month.astype(np.int64)
    tariff = tariffs.tariff_of_version.take(version)
    for _ in range(MONTHS_AHEAD):
        price = tariffs.price_nanos_per_wh.take(version, axis=1).T
        step = np.einsum("kcr,kr->kc", beside[..., : price.shape[1]], price)
        of_day = np.take_along_axis(step, split.kind.astype(np.int64), axis=1)
        here = (days >= first[:, None]) & (days < end[:, None])
        extra += np.where(here, of_day, 0)
        month = month + 1
        version = tariffs.version_of_month(tariff, month)
        first, end = end, end + _days_of(month)
    return np.cumsum(extra * ahead_wh, axis=1)


def _days_of(month: Ints) -> Ints:
    place = month - FIRST_MONTH
    days: Ints = FIRST_DAY_OF_MONTH.take(place + 1) - FIRST_DAY_OF_MONTH.take(place)
    return days


assert MAX_RATE_PERIODS * SHARE_UNIT < 1, "a period's share may be rounded up"
