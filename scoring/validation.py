"""May a reading be counted, and as what?

Every reading is judged before anything is changed, so that a refused one can be told to the
operator with its reason, and a repeated one costs nothing (domain.md 4.4, DESIGN D7).  Kept apart
from counting because these are the rules people argue about; the arithmetic that follows from them
is in `scoring.usage`.  It does not parse (`streams.wire` does), does not ask whether the account is
quarantined (`scoring.scoring` does) and changes no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import gaps, slots
from scoring.annex import Annexes
from scoring.book import COUNTED_SLOTS, copied
from scoring.calendar import END_AT, FIRST_AT
from scoring.effects import Reason
from scoring.events import Quality
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SLOT_SECONDS
from scoring.verdicts import NO_REASON, REASONS, Checked, Kind, Outcome, Verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.events import Readings
    from scoring.tariff import Tariffs

__all__ = ["REASONS", "Checked", "Kind", "Outcome", "check"]

CLOCK_AHEAD_SECONDS = 300
"""A meter's clock may be this far ahead of the time of arrival (domain.md 5: "clock off > 5 min"
is the fault); a reading from further ahead would block all true ones until then."""

OLDEST_READING_SECONDS = 730 * SECONDS_PER_DAY
"""A reading this long before its arrival is a broken clock, not a late delivery."""

FIRST_READ_AT = FIRST_AT + 366 * SECONDS_PER_DAY
END_READ_AT = END_AT - 366 * SECONDS_PER_DAY
"""Readings are taken inside the years for which local time is known, and a year from their ends, so
that a forecast or a gap never leaves them, whatever the broker's clock says."""

REGISTER_UNIT_WH = 10
"""Registers show two decimals of a kWh (domain.md 4.4)."""

TOLERANCE_UNITS = 2
"""Sums of intervals and the register may differ by two units, each being cut off on its own
(domain.md 4.4, K77); per-rate registers by one unit each where there are more than two."""

POWER_MARGIN_TENTHS = 11
"""Plausible energy is 1.1 times what the agreed maximum power would use in the time."""

START_REGISTER_SECONDS = 35 * SECONDS_PER_DAY
"""How old a start register may be when an account's first reading comes.  An older one belongs to a
meter that was there long before Kilowatch: its energy was billed elsewhere, so the reading only
sets the baseline."""


def plausible_wh(ledger: NDArray[Any], seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most energy (n,) each account can have used in `seconds`, plus one register unit.

    1.1 x maximum power x time (domain.md 4.4), of no more than two years: so it stays exact up to
    10 GW, and no true customer needs more.
    """
    seconds = np.minimum(seconds, OLDEST_READING_SECONDS)
    most = ledger["max_power_w"] * seconds * POWER_MARGIN_TENTHS // (10 * SECONDS_PER_HOUR)
    plausible: NDArray[np.int64] = most + REGISTER_UNIT_WH * ledger["multiplier"].astype(np.int64)
    return plausible


def check(
    ledger: NDArray[Any],
    readings: Readings,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    annexes: Annexes | None = None,
) -> Checked:
    """The outcome of each reading for the account in the same place of `ledger`; changes nothing.

    `ledger` (n,) rows, each account at most once; `index` (n,) their tariffs; `annexes` of those
    who have one, so that late intervals find the gaps that are kept there.  The plain case (the
    next register reading, higher by a plausible amount) is decided for the whole batch at once,
    everything else by the rules of `_judge`, in the order in which they are written there.
    """
    count = len(readings)
    checked = Checked(
        readings,
        np.zeros(count, np.uint8),
        np.full(count, NO_REASON, np.int8),
        np.full(count, Kind.REGISTER, np.uint8),
        np.empty(count, np.int64),
        np.zeros(count, np.bool_),
        np.zeros(count, np.bool_),
    )
    plain = _plain_register(ledger, readings, checked.energy_wh)
    if readings.interval_seconds.any():
        next_interval = _plain_interval(ledger, readings)
        checked.kind[next_interval] = Kind.INTERVAL
        checked.energy_wh[next_interval] = readings.interval_wh[next_interval]
        plain |= next_interval
    plain &= _plain_sender(ledger, readings, index)
    odd = np.flatnonzero(~plain)
    if len(odd):
        _judge(ledger, checked, odd, tariffs, index, annexes)
    return checked


def _plain_sender(
    ledger: NDArray[Any], readings: Readings, index: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each reading is an actual one of the right meter at a believable time."""
    read_at, received_at = readings.read_at, readings.received_at
    plain: NDArray[np.bool_] = readings.meter_hash == ledger["meter_hash"]
    plain &= (ledger["settings_version"] > 0) & (index >= 0)
    plain &= (ledger["read_at"] > 0) & (read_at >= ledger["read_at"])
    plain &= read_at <= received_at + CLOCK_AHEAD_SECONDS
    plain &= read_at > received_at - OLDEST_READING_SECONDS
    plain &= (read_at >= FIRST_READ_AT) & (read_at < END_READ_AT)
    plain &= readings.quality == Quality.VALID.value
    return plain


def _plain_register(
    ledger: NDArray[Any], readings: Readings, energy_wh: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each reading's total is higher than the last by a plausible amount; `energy_wh` too.

    Its per-rate registers, if any, and intervals that were counted in its gap take the long way.
    """
    register, last = readings.register_wh, ledger["register_wh"]
    multiplier = ledger["multiplier"].astype(np.int64)
    gap = readings.read_at - ledger["register_read_at"]
    delta = register - last
    np.multiply(delta, multiplier, out=energy_wh)
    plain: NDArray[np.bool_] = (last >= 0) & (delta >= 0) & (gap > 0)
    plain &= delta <= plausible_wh(ledger, gap) // multiplier
    plain &= register < ledger["register_modulus_wh"]
    plain &= ledger["interval_since_register_wh"] == 0
    if readings.interval_seconds.any():
        plain &= (readings.interval_seconds == 0) | (readings.interval_seconds >= gap)
    if readings.rate_register_wh.size and readings.rate_register_wh.max() >= 0:
        plain &= readings.rate_register_wh.max(axis=1) < 0
    return plain


def _plain_interval(ledger: NDArray[Any], readings: Readings) -> NDArray[np.bool_]:
    """Whether each reading is an interval alone that begins no earlier than the newest fact."""
    seconds, end, energy_wh = readings.interval_seconds, readings.read_at, readings.interval_wh
    plain: NDArray[np.bool_] = (readings.register_wh < 0) & (end - seconds >= ledger["read_at"])
    plain &= (end - seconds >= ledger["register_read_at"]) & (ledger["month"] > 0)
    plain &= (seconds % SLOT_SECONDS == 0) & (end % SLOT_SECONDS == 0)
    plain &= (seconds >= SLOT_SECONDS) & (seconds <= SECONDS_PER_DAY)
    plain &= (energy_wh >= 0) & (energy_wh <= plausible_wh(ledger, seconds))
    return plain


def _judge(
    ledger: NDArray[Any],
    checked: Checked,
    odd: NDArray[np.int64],
    tariffs: Tariffs,
    index: NDArray[np.int64],
    annexes: Annexes | None,
) -> None:
    """Apply every rule to the readings at the positions `odd` and fill in their verdicts.

    A reading may carry a register, an interval or both.  Of both, the register rules and the
    interval adds detail: it tells how the end of a longer gap was used, and where the register is
    late and brings nothing new, the interval may still true up what was estimated.
    """
    few = Annexes.none() if annexes is None else annexes.take(odd, len(ledger))
    ledger, readings, index = copied(ledger, odd), checked.readings.take(odd), index[odd]
    verdicts, interval = Verdicts(len(odd)), Verdicts(len(odd))
    _judge_sender(ledger, readings, index, verdicts)
    has_register, has_interval = readings.register_wh >= 0, readings.interval_seconds != 0
    interval.open = verdicts.open & has_interval
    takes_interval = interval.open & ~has_register
    if interval.open.any():
        _judge_interval(ledger, readings, tariffs, index, few, interval)
    verdicts.open &= has_register
    if verdicts.open.any():
        _judge_register(ledger, readings, verdicts)
        both = has_register & (interval.outcome == Outcome.ACCEPTED.value) & (interval.kind > 0)
        takes_interval |= both & (verdicts.outcome == Outcome.SUPERSEDED.value)
        verdicts.with_interval = both & _tells_the_end(ledger, readings, verdicts, interval)
    for name in ("outcome", "reason", "kind", "energy_wh"):
        merged = np.where(takes_interval, getattr(interval, name), getattr(verdicts, name))
        getattr(checked, name)[odd] = merged
    checked.with_interval[odd] = verdicts.with_interval
    checked.has_rates[odd] = verdicts.has_rates & ~takes_interval


def _judge_sender(
    ledger: NDArray[Any], readings: Readings, index: NDArray[np.int64], verdicts: Verdicts
) -> None:
    """Is it a reading at all, of this account's meter, at a believable time?"""
    read_at, received_at = readings.read_at, readings.received_at
    verdicts.refuse(ledger["settings_version"] == 0, Reason.UNKNOWN_ACCOUNT)
    verdicts.refuse(readings.meter_hash != ledger["meter_hash"], Reason.UNKNOWN_METER)
    verdicts.refuse(index < 0, Reason.UNKNOWN_TARIFF)
    empty = (readings.register_wh < 0) & (readings.interval_seconds == 0)
    verdicts.refuse(empty, Reason.WRONG_SHAPE)
    future = (read_at > received_at + CLOCK_AHEAD_SECONDS) | (read_at >= END_READ_AT)
    verdicts.refuse(future, Reason.READ_IN_FUTURE)
    old = (read_at <= received_at - OLDEST_READING_SECONDS) | (read_at < FIRST_READ_AT)
    verdicts.refuse(old, Reason.READ_TOO_OLD)
    verdicts.refuse(readings.quality >= Quality.SUSPECT.value, Reason.QUALITY_SUSPECT)


def _judge_register(ledger: NDArray[Any], readings: Readings, verdicts: Verdicts) -> None:
    """The total register: order in time first, then the difference from the last one.

    An estimate of the head end counts like a reading, but an actual register may correct it: up to
    what was counted on estimates since the last actual one (`unproven_wh`) is taken back.
    """
    register, last = readings.register_wh, ledger["register_wh"]
    read_at, last_at = readings.read_at, ledger["register_read_at"]
    multiplier = ledger["multiplier"].astype(np.int64)
    modulus = ledger["register_modulus_wh"]
    estimated = readings.quality == Quality.ESTIMATED.value
    proves = ~estimated & (ledger["unproven_wh"] > 0)
    slack_wh = TOLERANCE_UNITS * REGISTER_UNIT_WH * multiplier
    same_time, back = read_at == last_at, register < last
    has_rates = (readings.rate_register_wh >= 0).any(axis=1) & ~estimated
    verdicts.has_rates = has_rates
    new_rates = has_rates & (readings.rate_register_wh != ledger["rate_register_wh"]).any(axis=1)

    highest = np.maximum(register, readings.rate_register_wh.max(axis=1))
    verdicts.refuse(highest >= modulus, Reason.ENERGY_IMPOSSIBLE)
    opens = (last < 0) | has_old_start(ledger, read_at)
    verdicts.refuse(opens & estimated, Reason.QUALITY_SUSPECT)
    verdicts.settle(opens & (read_at < ledger["read_at"]), Outcome.SUPERSEDED)
    verdicts.accept(opens, Kind.BASELINE)

    same = same_time & (register == last) & ~proves
    verdicts.settle(same & ~new_rates, Outcome.REPEATED)
    verdicts.refuse(same_time & ~same & (~proves | (register > last)), Reason.REGISTER_CONFLICT)
    higher_before = (read_at < last_at) & (register > last) & ~estimated & ~proves
    verdicts.refuse(higher_before, Reason.REGISTER_WENT_BACK)
    verdicts.settle((read_at < last_at) | (read_at < ledger["read_at"]), Outcome.SUPERSEDED)

    plausible = plausible_wh(ledger, np.maximum(read_at - last_at, 0)) // multiplier
    corrects = back & proves & (last - register <= (ledger["unproven_wh"] + slack_wh) // multiplier)
    rolled = back & ~corrects & (register + modulus - last <= plausible)
    verdicts.refuse(back & ~corrects & ~rolled, Reason.REGISTER_WENT_BACK)
    delta = np.where(rolled, register + modulus, register) - last
    verdicts.refuse(delta > plausible, Reason.ENERGY_IMPOSSIBLE)
    energy_wh = delta * multiplier
    residual = energy_wh - ledger["interval_since_register_wh"]
    corrects = (
        proves & (same_time | (residual < 0)) & (-residual <= ledger["unproven_wh"] + slack_wh)
    )
    verdicts.refuse(~corrects & (residual < -slack_wh), Reason.INTERVALS_ABOVE_REGISTER)
    counted = np.where(corrects, residual, np.maximum(residual, 0))
    disagree = has_rates & _rates_disagree(ledger, readings, np.where(same, 0, counted))
    verdicts.refuse(disagree, Reason.RATE_REGISTERS_DISAGREE)
    verdicts.accept(same, Kind.RATES)
    verdicts.accept(corrects, Kind.CORRECTION, energy_wh)
    verdicts.accept(verdicts.open, Kind.REGISTER, energy_wh)


def has_old_start(ledger: NDArray[Any], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the account has only a start register, and that one long before its first reading."""
    age = at - ledger["register_read_at"]
    old: NDArray[np.bool_] = (ledger["read_at"] == 0) & (age > START_REGISTER_SECONDS)
    return old


def has_rate_base(ledger: NDArray[Any], readings: Readings) -> NDArray[np.bool_]:
    """Whether the readings have just those per-rate registers of which a last value is kept."""
    kept: NDArray[np.bool_] = (
        (readings.rate_register_wh >= 0) == (ledger["rate_register_wh"] >= 0)
    ).all(axis=1)
    return kept


def rate_units(ledger: NDArray[Any], readings: Readings) -> NDArray[np.int64]:
    """How far each per-rate register (n, R) has moved, in meter units; 0 where there is none."""
    moved = readings.rate_register_wh - ledger["rate_register_wh"]
    moved += np.where(moved < 0, ledger["register_modulus_wh"][:, None], 0)
    return np.where(readings.rate_register_wh >= 0, moved, 0)


def _rates_disagree(
    ledger: NDArray[Any], readings: Readings, counted_wh: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the rates' sum and the total differ by more than a unit for each register cut off.

    `counted_wh` is what this reading will add to what was counted since the last per-rate reading.
    """
    multiplier = ledger["multiplier"].astype(np.int64)
    rates = (readings.rate_register_wh >= 0).sum(axis=1)
    slack_wh = np.maximum(TOLERANCE_UNITS, rates) * REGISTER_UNIT_WH * multiplier
    total_wh = ledger["since_rate_wh"].sum(axis=1) + counted_wh
    units = rate_units(ledger, readings).sum(axis=1)
    # In units, not in Wh: a register far out of range times the multiplier would not fit.
    apart = (units > (total_wh + slack_wh) // multiplier) | (
        units < -((slack_wh - total_wh) // multiplier)
    )
    disagree: NDArray[np.bool_] = apart & has_rate_base(ledger, readings)
    return disagree


def _judge_interval(
    ledger: NDArray[Any],
    readings: Readings,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    annexes: Annexes,
    verdicts: Verdicts,
) -> None:
    """Interval energy: whole quarter-hours, each counted once.

    What is older than the ring must lie in a gap that was written down, and so must what lies in a
    closed month, which must be the one that is kept.

    After the last register reading it is new energy.  Before it, the energy is counted already: in
    slots that were estimated the interval says when it was used, if it lies in one rate period of
    one day.  A head end's estimate of an interval is new energy only where no register will tell.
    """
    end, seconds, energy_wh = readings.read_at, readings.interval_seconds, readings.interval_wh
    start, last_at = end - seconds, ledger["register_read_at"]
    first, last = start // SLOT_SECONDS, end // SLOT_SECONDS
    aligned = (seconds % SLOT_SECONDS == 0) & (end % SLOT_SECONDS == 0)
    fits = (seconds >= SLOT_SECONDS) & (seconds <= SECONDS_PER_DAY)
    verdicts.refuse(~(aligned & fits), Reason.INTERVAL_MISALIGNED)
    impossible = (energy_wh < 0) | (energy_wh > plausible_wh(ledger, np.where(fits, seconds, 0)))
    verdicts.refuse(impossible, Reason.ENERGY_IMPOSSIBLE)

    until = ledger["counted_until_slot"]
    in_gap = gaps.covers(annexes, first, last, len(ledger))
    oldest_open = ledger["month"].astype(np.int64) - ledger["previous_month_open"]
    month = tariffs.month_of(index, np.where(verdicts.open, start, 0))
    is_closed = (ledger["month"] > 0) & (month < oldest_open)
    guessed_wh = ledger["estimated_wh"].sum(axis=(1, 2))
    kept_month = np.zeros(len(ledger), np.int64)
    if len(annexes):
        kept_month[annexes.position] = annexes.rows["closed_month"]
        of_closed = annexes.rows["closed_estimated_wh"].sum(axis=1)
        at = annexes.position
        guessed_wh[at] = np.where(is_closed[at], of_closed, guessed_wh[at])
        held = tariffs.index_of(annexes.rows["closed_tariff_id"])
        index = index.copy()
        index[at] = np.where(is_closed[at], held, index[at])
    whole = tariffs.month_of(index, np.where(verdicts.open, end - 1, 0)) == month
    is_kept = (month == kept_month) & in_gap & whole & (index >= 0)
    verdicts.refuse(is_closed & ~is_kept, Reason.MONTH_CLOSED)
    is_old = first < np.maximum(until, last) - COUNTED_SLOTS
    verdicts.refuse(is_old & ~in_gap, Reason.READ_TOO_OLD)
    first = np.where(verdicts.open, first, last)
    counted = slots.counted_among(ledger["counted_slots"], until, first, last)
    verdicts.settle(counted == last - first, Outcome.REPEATED)
    verdicts.refuse(counted > 0, Reason.INTERVAL_OVERLAPS)

    has_register = (ledger["register_wh"] >= 0) & ~has_old_start(ledger, end)
    verdicts.refuse(has_register & (start < last_at) & (end > last_at), Reason.INTERVAL_OVERLAPS)
    estimated = readings.quality == Quality.ESTIMATED.value
    verdicts.settle(estimated & has_register, Outcome.SUPERSEDED)
    is_news = ~has_register | (start >= last_at)
    verdicts.accept(is_news & is_closed, Kind.LATE_ENERGY, energy_wh)
    verdicts.accept(is_news, Kind.INTERVAL, energy_wh)
    if verdicts.open.any():
        constant = tariffs.constant_until(index, np.where(verdicts.open, start, 0)) >= end
        verdicts.settle(~constant | (guessed_wh == 0), Outcome.SUPERSEDED)
        slack_wh = TOLERANCE_UNITS * REGISTER_UNIT_WH * ledger["multiplier"].astype(np.int64)
        left_wh = guessed_wh + slack_wh
        verdicts.refuse(energy_wh > left_wh, Reason.INTERVALS_ABOVE_REGISTER)
        verdicts.accept(verdicts.open & is_closed, Kind.LATE_TRUE_UP, energy_wh)
        verdicts.accept(verdicts.open, Kind.TRUE_UP, energy_wh)


def _tells_the_end(
    ledger: NDArray[Any], readings: Readings, verdicts: Verdicts, interval: Verdicts
) -> NDArray[np.bool_]:
    """Whether a reading's own interval is the end of its register's longer gap, and fits in it."""
    start = readings.read_at - readings.interval_seconds
    residual = verdicts.energy_wh - ledger["interval_since_register_wh"]
    tells: NDArray[np.bool_] = (
        (verdicts.outcome == Outcome.ACCEPTED.value)
        & (verdicts.kind == Kind.REGISTER.value)
        & (interval.kind == Kind.INTERVAL.value)
        & (start > ledger["register_read_at"])
        & (readings.interval_wh <= residual)
    )
    return tells
