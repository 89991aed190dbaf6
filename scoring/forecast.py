"""How much energy will each account use in the days to come?

What is learned when a local day closes, and what is told at every reading from what was learned:
the days to come stand ready in the learned row, so that a reading costs no thinking.  It says which
days teach; who forecasts is told in `experts` and `pools`, how sure it is in `intervals`.  It does
not know money: what the energy will cost is `bill`'s answer, when the money ends is `runway`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import (
    calendar,
    customers,
    days_ahead,
    degree_days,
    drift,
    experts,
    intervals,
    pools,
    splits,
    today,
)
from scoring.book import copied, put_back
from scoring.cold_start import level_before_days_wh, period_share_by_hours
from scoring.day_kinds import DayKinds, weekdays_only
from scoring.effects import Stage
from scoring.events import Switch
from scoring.experts import HORIZON_DAYS, WEEK
from scoring.slots import first_of_each
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.days import DaysClosed
    from scoring.degree_days import DegreeDays
    from scoring.splits import ByKind
    from scoring.tariff import Tariffs

    News = tuple[NDArray[np.float32], NDArray[np.float32]]

__all__ = ["HORIZON_DAYS", "Forecast", "Knowledge", "forecast", "learn"]

LONGEST_BRIDGE_DAYS = 28
"""After a longer gap the history holds nothing but bridged days; what lies before adds nothing."""

RESTORED_LATELY_SECONDS = 36 * SECONDS_PER_HOUR
"""A day that closes this soon after the supply's stage changed may hold an outage."""

EARLIEST_AS_OF = calendar.FIRST_AT + 2 * SECONDS_PER_DAY
"""Accounts without readings are looked at as of this instant, harmlessly."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the accounts of a block share while they learn: the kinds of days, and the regressions.

    `account` (n,) are the numbers under which `pools` knows them; `degree_days` the weather of
    their areas, where anybody states it.
    """

    kinds: DayKinds
    pools: pools.Pools
    account: NDArray[np.int64]
    degree_days: DegreeDays | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Energy to come per account, n accounts, H = `HORIZON_DAYS`, R rate periods; all float32.

    `ahead_wh` (n, H): medians of the rest of today and of each local day after it.
    `low_factor`, `high_factor` (n, H): P10 and P90 of the *sum* of column 0 .. h, over its median;
    low <= 1 <= high.  `today_wh` (n,): the whole of today, counted and to come.  `today_hours`
    (n,): hours left of today.  `today_is_new` (n,): not a second of it is gone.  `period_share`
    (n, R): share of each rate period of a usual day, sum 1; `by_kind` is of those whose rest days
    or holidays are split otherwise.
    """

    ahead_wh: NDArray[np.float32]
    low_factor: NDArray[np.float32]
    high_factor: NDArray[np.float32]
    today_wh: NDArray[np.float32]
    today_hours: NDArray[np.float32]
    today_is_new: NDArray[np.bool_]
    period_share: NDArray[np.float32]
    by_kind: ByKind | None


def learn(
    accounts: Accounts, closed: DaysClosed, knowledge: Knowledge | None = None
) -> NDArray[np.int64]:
    """Learn the closed days of a block of accounts; the positions whose learned row changed.

    Each local day teaches once, whatever is repeated.  The first day of an account is most often a
    part of a day, so it is only a lower bound of the level.  Days that one reading closed together
    and that are mostly estimated do not teach (their split is a guess), nor do days without supply
    (domain.md 4.4: outage days are not reference days): they are bridged by their own forecast, as
    are days of which nothing is known.

    >>> from scoring.book import LEARNED, Accounts, empty_ledger
    >>> from scoring.days import DaysClosed
    >>> home = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.array([-1]))
    >>> for day, used_wh in ((740_000, 700), (740_001, 9_000), (740_002, 9_000)):
    ...     closed = DaysClosed(*(np.array([n]) for n in (0, day, used_wh, 0)))
    ...     changed = learn(home, closed)
    >>> float(days_ahead.read(home.learned)[0, 0].round()), int(home.learned["days"][0])
    (9000.0, 2)
    """
    position = closed.position
    if not len(position):
        return np.zeros(0, np.int64)
    if knowledge is None:
        knowledge = Knowledge(weekdays_only(), pools.Pools(), np.arange(len(accounts)))
    alone = np.bincount(position, minlength=len(accounts))[position] == 1
    teaches = alone | (2 * closed.estimated_wh <= closed.used_wh)
    teaches &= _had_supply(accounts.ledger)[position]
    used_wh = closed.used_wh.astype(np.float32)
    if alone.all():
        _learn_turn(accounts, position, closed.day, used_wh, teaches, knowledge)
        return position
    turn = _turn_of(position)
    for number in range(int(turn.max()) + 1):
        now = np.flatnonzero(turn == number)
        _learn_turn(accounts, position[now], closed.day[now], used_wh[now], teaches[now], knowledge)
    return np.asarray(np.unique(position))


def forecast(accounts: Accounts, tariffs: Tariffs, as_of: NDArray[np.int64]) -> Forecast:
    """Energy to come for each account as of its newest reading, `as_of` (n,) seconds.

    Today is the local day that holds as_of: at midnight all of the new day is to come.

    >>> from scoring.book import LEARNED, Accounts, empty_ledger
    >>> from scoring.tariff import Tariffs
    >>> home = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.array([-1]))
    >>> home.learned["days"] = 30
    >>> days_ahead.write(home.learned, np.full((1, 35), 9_000, np.float32))
    >>> forecast(home, Tariffs(), np.array([1_767_225_600 + 18 * 3_600])).ahead_wh[0, :3]
    array([2250., 9000., 9000.], dtype=float32)
    """
    ledger, learned, index = accounts.ledger, accounts.learned, accounts.tariff_index
    as_of = np.maximum(as_of, EARLIEST_AS_OF)
    day = tariffs.day_of(index, as_of)
    day_start, day_end = tariffs.day_start(index, day), tariffs.day_start(index, day + 1)
    hour_load = ledger["hour_load"].astype(np.float32)
    is_today = ledger["day"] == day
    counted_wh = np.where(is_today, ledger["day_wh"], 0).astype(np.float32)
    known = learned["days"] > 0
    guessed = known
    if not known.all():
        guessed = known | (learned["ahead_steps"][:, 0] > 0)
    ahead_wh = _days_from(learned, guessed, day)
    if guessed is not known:
        cold = np.flatnonzero(~known)
        part_wh, today_wh = learned["level_wh"][cold, 0], counted_wh[cold]
        at_least_wh = np.maximum(part_wh, today_wh + np.minimum(part_wh, 0))
        guess_wh = ahead_wh[cold].mean(axis=1)
        level_wh = level_before_days_wh(ledger[cold], hour_load[cold], guess_wh, at_least_wh)
        shape = np.where(guess_wh > 0, ahead_wh[cold].T / np.maximum(guess_wh, 1), 1)
        ahead_wh[cold] = (shape * level_wh).T
    rest_share = today.rest_share(hour_load, known, as_of - day_start, day_end - as_of)
    keeps_pace = known & is_today & (ledger["day_estimated_wh"] == 0)
    surplus = today.leave_the_rest(
        ahead_wh, rest_share, counted_wh, learned["level_wh"][:, experts.PROFILE_LEVEL], keeps_pace
    )
    period_share = splits.usual_share(learned)
    unknown = np.flatnonzero(learned["split"] == splits.NOT_KNOWN)
    if len(unknown):
        period_share[unknown] = period_share_by_hours(
            tariffs, index[unknown], hour_load[unknown], day_start[unknown]
        )
    low_factor, high_factor = intervals.factors(learned, guessed, day_end - as_of)
    today.allow_for_worse(high_factor, surplus - learned["reach"][:, 1])
    return Forecast(
        ahead_wh,
        low_factor,
        high_factor,
        counted_wh + ahead_wh[:, 0],
        ((day_end - as_of) / SECONDS_PER_HOUR).astype(np.float32),
        as_of == day_start,
        period_share,
        splits.by_kind(learned, day),
    )


def _days_from(
    learned: NDArray[Any], known: NDArray[np.bool_], day: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The days told from `day` (n,) on; those beyond the last told repeat its last week."""
    ahead_wh = days_ahead.read(learned)
    late = np.flatnonzero(known & (day > learned["last_day"].astype(np.int64) + 1))
    if len(late):
        place = (day - learned["last_day"])[late, None] - 1 + np.arange(HORIZON_DAYS)
        last_week = HORIZON_DAYS - WEEK
        place = np.where(place < HORIZON_DAYS, place, last_week + (place - last_week) % WEEK)
        ahead_wh[late] = np.take_along_axis(ahead_wh[late], place, axis=1)
    return ahead_wh


def _turn_of(position: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many entries of the same position stand before it."""
    order = np.argsort(position, kind="stable")
    ordered = position[order]
    start = first_of_each(ordered)
    turn = np.empty(len(position), np.int64)
    turn[order] = np.arange(len(position)) - np.repeat(start, np.diff(start, append=len(position)))
    return turn


def _had_supply(ledger: NDArray[Any]) -> NDArray[np.bool_]:
    off = (ledger["switch"] == Switch.DISCONNECTED.value) | (
        ledger["switch"] == Switch.READY_FOR_RECONNECTION.value
    )
    off |= (ledger["stage"] == Stage.TRIPPED.value) | (
        ledger["stage"] == Stage.RESTORE_COMMANDED.value
    )
    lately = ledger["read_at"] - ledger["stage_since"] < RESTORED_LATELY_SECONDS
    return np.asarray(~(off | (lately & (ledger["stage_since"] > 0))))


def _learn_turn(
    accounts: Accounts,
    position: NDArray[np.int64],
    day: NDArray[np.int64],
    used_wh: NDArray[np.float32],
    teaches: NDArray[np.bool_],
    knowledge: Knowledge,
) -> None:
    """One closed day of each of these accounts (each once)."""
    rows = copied(accounts.learned, position)
    group = accounts.ledger["customer_class"][position].astype(np.int64)
    account = knowledge.account[position]
    new = day > rows["last_day"]
    first = new & (rows["last_day"] == 0)
    if first.any():
        own_wh = used_wh[first, None] + np.minimum(rows["level_wh"][first], 0)
        rows["level_wh"][first] = np.maximum(own_wh, 0)
        new_rows, fresh = accounts.ledger[position[first]], copied(rows, first)
        knowledge.pools.levels.tell(new_rows, fresh, day[first], knowledge.kinds)
        put_back(rows, first, fresh)
    begun = rows["days"] > 0
    _bridge(rows, day - teaches, begun & new, knowledge.kinds)
    taught = np.flatnonzero(new & ~first & teaches)
    if len(taught):
        some = copied(rows, taught)
        news = _news(accounts.ledger["area"][position[taught]], day[taught], knowledge)
        _learn_day(
            some, day[taught], used_wh[taught], group[taught], account[taught], knowledge, news
        )
        put_back(rows, taught, some)
        knowledge.pools.levels.wait(accounts.ledger[position[taught]], some, account[taught])
    rows["last_day"] = np.maximum(rows["last_day"], day)
    rows["customer"] = customers.halves(accounts.ledger["customer_hash"][position])
    code, open_months_wh = knowledge.kinds.of(day), accounts.ledger["used_wh"][position]
    splits.learn(rows, code, used_wh, open_months_wh, new & ~first & teaches)
    put_back(accounts.learned, position, rows)


def _bridge(
    rows: NDArray[Any], until: NDArray[np.int64], which: NDArray[np.bool_], kinds: DayKinds
) -> None:
    """Put the forecast where the days after the history up to `until` (n,) are not known."""
    gap = np.where(which, until - rows["last_day"], 0)
    if not (gap > 0).any():
        return
    rows["last_day"] = np.where(
        gap > LONGEST_BRIDGE_DAYS, until - LONGEST_BRIDGE_DAYS, rows["last_day"]
    )
    for step in range(min(int(gap.max()), LONGEST_BRIDGE_DAYS)):
        missing = np.flatnonzero(np.minimum(gap, LONGEST_BRIDGE_DAYS) > step)
        some = copied(rows, missing)
        experts.append(some, days_ahead.tomorrow(some))
        some["last_day"] += 1
        intervals.teach(some, np.zeros(len(some), np.bool_))
        some["regressed_wh"] = days_ahead.read(some)[:, 1:2]
        _plan(some, some["last_day"].astype(np.int64), kinds)
        put_back(rows, missing, some)


def _news(area: NDArray[np.bytes_], day: NDArray[np.int64], knowledge: Knowledge) -> News | None:
    """The weather of `day` (n,) and of the days after it as they are known now."""
    weather = knowledge.degree_days
    if weather is None:
        return None
    return weather.news(area, day)[:, 0], weather.news(area, day + 1, HORIZON_DAYS)


def _learn_day(
    rows: NDArray[Any],
    day: NDArray[np.int64],
    used_wh: NDArray[np.float32],
    group: NDArray[np.int64],
    account: NDArray[np.int64],
    knowledge: Knowledge,
    news: News | None,
) -> None:
    """One whole day after the history: teach everyone who forecast it, and forecast anew."""
    kinds, shared = knowledge.kinds, knowledge.pools
    begun = rows["days"] > 0
    if news is not None:
        _teach_weather(rows, begun, news[0], used_wh)
    if begun.all():
        _teach_day(rows, day, used_wh, group, account, knowledge)
    else:
        known, fresh = rows[begun], rows[~begun]
        experts.begin(fresh, kinds.of(day[~begun]), used_wh[~begun])
        intervals.begin(fresh, used_wh[~begun])
        rows[~begun] = fresh
        _teach_day(known, day[begun], used_wh[begun], group[begun], account[begun], knowledge)
        rows[begun] = known
    intervals.teach(rows, np.ones(len(rows), np.bool_))
    rows["days"] += 1
    columns = pools.features(rows, day + 1, kinds)
    corrections = shared.corrections(columns, group, account)
    rows["regressed_wh"] = pools.regressed_wh(rows, day + 1, kinds, corrections)
    if news is None:
        _plan(rows, day, kinds)
        return
    more_wh = degree_days.answer_wh(rows, news[1])
    rows["regressed_wh"][:, 1] = np.maximum(rows["regressed_wh"][:, 1] + more_wh[:, 0], 0)
    _plan(rows, day, kinds, more_wh)


def _teach_weather(
    rows: NDArray[Any],
    begun: NDArray[np.bool_],
    news: NDArray[np.float32],
    used_wh: NDArray[np.float32],
) -> None:
    """How accounts that have begun answered to the weather of the day, (n, 2)."""
    some = rows[begun]
    degree_days.teach(some, news[begun], used_wh[begun], some["regressed_wh"][:, 1])
    rows["degree_answer"][begun] = some["degree_answer"]


def _teach_day(
    rows: NDArray[Any],
    day: NDArray[np.int64],
    used_wh: NDArray[np.float32],
    group: NDArray[np.int64],
    account: NDArray[np.int64],
    knowledge: Knowledge,
) -> None:
    """One more day of accounts that have begun; who has jumped to a new level begins there anew."""
    kinds = knowledge.kinds
    _teach_pools(rows, day, used_wh, group, account, knowledge)
    code = kinds.of(day)
    changed = np.flatnonzero(drift.notice(rows, used_wh, experts.slow_wh(rows, code)))
    experts.teach(rows, code, used_wh)
    if len(changed):
        some = copied(rows, changed)
        newest = day[changed, None] - np.arange(experts.RELEARNED_DAYS)
        drift.begin_anew(some, kinds.of(newest))
        put_back(rows, changed, some)


def _teach_pools(
    rows: NDArray[Any],
    day: NDArray[np.int64],
    used_wh: NDArray[np.float32],
    group: NDArray[np.int64],
    account: NDArray[np.int64],
    knowledge: Knowledge,
) -> None:
    """Leave with the regressions what the day was, before the experts' rows move on."""
    columns = pools.features(rows, day, knowledge.kinds)
    unit = np.float32(1) / experts.mean_history_wh(rows)
    base = rows["level_wh"][:, experts.BASE_LEVEL]
    base = base * experts.share_of(rows, knowledge.kinds.of(day)[:, None])[:, 0]
    most = np.float32(pools.MOST_CORRECTION)
    wanted = np.minimum(np.maximum((used_wh - base) * unit, -most), most)
    noise: NDArray[np.float32] = rows["typical_error_wh"] * unit
    knowledge.pools.wait(columns, group, account, day, wanted, noise)
    told_wh = days_ahead.tomorrow(rows)
    knowledge.pools.judge(group, told_wh, used_wh, intervals.was_inside(rows, used_wh))


def _plan(
    rows: NDArray[Any],
    day: NDArray[np.int64],
    kinds: DayKinds,
    more_wh: NDArray[np.float32] | None = None,
) -> None:
    """The days after `day` (n,), the newest of the history, and how sure they are.

    `more_wh` (n, H) is what the weather forecast adds to the level.
    """
    coming = day[:, None] + 1 + np.arange(HORIZON_DAYS)
    codes = kinds.of(coming)
    days_ahead.write(rows, experts.path(rows, codes, more_wh))
    rows["odd_days"] = splits.odd_days(coming[:, 0], codes)
    intervals.tell(rows)
