"""Which accounts must a rule look at one by one?

Nearly every reading changes nothing that anyone must be told, so a few comparisons over columns
find the rows worth a scalar look (DESIGN D8); `due` does the same when only time has passed.  The
screen is exact in one direction, held by a property test: a row it leaves out is a row about which
`scoring.decide.judge` has nothing to say.  It says nothing about what is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.calendar import EPOCH_DAY
from scoring.effects import Hold, Stage, Tier
from scoring.from_rows import NEVER_DUE
from scoring.guards import BY_APPROVAL, BY_NOTICE, BY_SWITCH, BY_TERMS, PASSING
from scoring.procedures import CommandState, Procedure
from scoring.rules import SURE_MARGIN_HOURS, WHOLE_FIFTHS
from scoring.situation import PREPAID
from scoring.units import NO_TIME, SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.rules import SupplyRules


def needs_judgement(
    accounts: Accounts, look: NDArray[Any], now: NDArray[np.int64] | int, rules: SupplyRules
) -> NDArray[np.bool_]:
    """Rows whose situation may call for a decision now (n,); `look` holds their OUTLOOK rows.

    `now` is each row's `received_at`, or one instant for all.
    """
    ledger = accounts.ledger
    is_exhausted = look["available_nanos"] < 0
    chosen = _tier_moves(ledger, look, now, rules)
    on_road = is_exhausted | (ledger["stage"] != Stage.NORMAL.value) | (ledger["holds"] != 0)
    on_road |= ledger["step_at"] != NO_TIME
    few = np.flatnonzero(on_road)
    if len(few):
        at = np.broadcast_to(now, on_road.shape)[few]
        chosen[few] |= _road_moves(ledger, few, is_exhausted[few], at)
    return np.asarray(chosen & _is_judged(ledger))


def due(ledger: NDArray[Any], now: int, rules: SupplyRules) -> NDArray[np.bool_]:
    """Rows about which the passing of time alone may call for a decision at `now` (n,).

    It presumes that every row was judged when its last event came, and that its deadlines were
    noted (`note_deadlines`) with that event's outlook.
    """
    chosen = (ledger["warn_at"] != NO_TIME) & (ledger["warn_at"] <= now)
    on_road = (ledger["stage"] != Stage.NORMAL.value) | (ledger["holds"] != 0)
    few = np.flatnonzero(on_road | (ledger["step_at"] != NO_TIME))
    if len(few):
        chosen[few] |= _road_is_due(ledger, few, now, rules)
    return np.asarray(chosen & _is_judged(ledger))


def note_steps(accounts: Accounts, rules: SupplyRules) -> None:
    """Note when a procedure's first step, or a restore's missing proof, may be due (`step_at`).

    Of accounts that stand on no road and have an annex.  By the day that begins first anywhere on
    earth: too early costs a look, too late would cost a right.
    """
    if not len(accounts.annexes):
        return
    at, annex = accounts.annexes.position, accounts.annexes.rows
    ledger = accounts.ledger[at]
    due_day = np.where(annex["debt_nanos"] > 0, annex["debt_due_day"], NEVER_DUE).min(axis=1)
    day = due_day.astype(np.int64) + rules.dunning_overdue_days + 1 - EPOCH_DAY
    begins_at = day * SECONDS_PER_DAY - EARLIEST_ZONE_SECONDS
    may_begin = (due_day != NEVER_DUE) & (ledger["payment_mode"] != PREPAID)
    step_at = np.where(may_begin, np.maximum(begins_at, 1), FAR)
    proof_at = np.select(
        [
            ledger["command"] == CommandState.EXECUTED.value,
            # not proven in its time: no hour will tell, but any reading may
            ledger["command"] == CommandState.FIELD_ORDER.value,
        ],
        [ledger["stage_since"] + rules.metering_proof_seconds, NEVER],
        FAR,
    )
    step_at = np.minimum(step_at, np.where(annex["proof_from"] != NO_TIME, proof_at, FAR))
    step_at = np.where(step_at == FAR, NO_TIME, step_at)
    rests = ledger["stage"] == Stage.NORMAL.value
    accounts.ledger["step_at"][at[rests]] = step_at[rests]


TO_PROVE = (CommandState.EXECUTED, CommandState.PROVEN, CommandState.FIELD_ORDER)
FAR = 2**62
NEVER = FAR - 1
"""A step that no hour brings; its account is looked at with every reading."""
EARLIEST_ZONE_SECONDS = 14 * SECONDS_PER_HOUR
"""A day begins on Kiritimati fourteen hours before it does in Greenwich."""


def _is_judged(ledger: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((ledger["settings_version"] > 0) & (ledger["read_at"] != NO_TIME))


def note_deadlines(ledger: NDArray[Any], look: NDArray[Any], rules: SupplyRules) -> None:
    """Write down in each row when a higher warning tier is reached by time alone (`warn_at`).

    Or when one that is reached may be told: enough had been told that day.

    To be called after each change of the outlook and before judging, so that a meter that falls
    silent while its money runs down is still warned, at a tick.
    """
    end50_at, end10_at = _money_ends_at(ledger, look)
    limits = _limits_seconds(ledger)
    tier = ledger["tier"]
    reached_at = np.where(tier < Tier.LOWEST.value, end10_at - limits[:, 2], np.inf)
    for one, lower in ((1, Tier.LOWER), (0, Tier.LOW)):
        at = np.where(tier < lower, end50_at - limits[:, one], np.inf)
        np.minimum(reached_at, at, out=reached_at)
    few = np.flatnonzero(ledger["warned_today"])
    if len(few):
        kept_back = _tier_by_amount(ledger[few], look[few], rules) > tier[few]
        next_day = ledger["warned_day"][few].astype(np.int64) + 1 - EPOCH_DAY
        begins_at = next_day * SECONDS_PER_DAY - EARLIEST_ZONE_SECONDS
        reached_at[few] = np.minimum(reached_at[few], np.where(kept_back, begins_at, np.inf))
    is_ahead = np.isfinite(reached_at)
    # never before the first instant there is: NO_TIME would mean "never"
    ledger["warn_at"] = np.where(is_ahead, np.maximum(np.ceil(reached_at), 1), NO_TIME)


def _tier_by_amount(
    ledger: NDArray[Any], look: NDArray[Any], rules: SupplyRules
) -> NDArray[np.int64]:
    """The warning tier that the amount left alone calls for."""
    low, lower, lowest = _limits_nanos(ledger["warning_amount_nanos"], rules)
    left = look["available_nanos"]
    return np.asarray(np.select([left < lowest, left < lower, left < low], (3, 2, 1), 0), np.int64)


def _limits_nanos(amount: NDArray[np.int64], rules: SupplyRules) -> tuple[NDArray[np.int64], ...]:
    """Amounts left (n,) below which each tier begins, of what the contract names."""
    fifth = amount // WHOLE_FIFTHS
    return amount, fifth * rules.lower_amount_fifths, fifth * rules.lowest_amount_fifths


def _limits_seconds(ledger: NDArray[Any]) -> NDArray[np.int64]:
    """Time before the end of the money at which each tier begins, (n, 3); the third is promised."""
    limits = ledger["warning_hours"].astype(np.int64) * SECONDS_PER_HOUR
    limits[:, 2] += SURE_MARGIN_HOURS * SECONDS_PER_HOUR
    return limits


def _money_ends_at(
    ledger: NDArray[Any], look: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants at which the money is used up by P50 and P10; infinite if nobody can say."""
    known = look["version"] >= 0
    read_at = ledger["read_at"]
    hours50 = np.where(known, look["runway_hours_p50"].astype(np.float64), np.inf)
    hours10 = np.where(known, look["runway_hours_p10"].astype(np.float64), np.inf)
    return read_at + hours50 * SECONDS_PER_HOUR, read_at + hours10 * SECONDS_PER_HOUR


def _tier_moves(
    ledger: NDArray[Any], look: NDArray[Any], now: NDArray[np.int64] | int, rules: SupplyRules
) -> NDArray[np.bool_]:
    """Rows whose warning tier must rise, or may fall."""
    end50_at, end10_at = _money_ends_at(ledger, look)
    left50, left10 = end50_at - now, end10_at - now
    limits = _limits_seconds(ledger)
    tier, available = ledger["tier"], look["available_nanos"]
    amount = ledger["warning_amount_nanos"]
    low, lower, lowest = _limits_nanos(amount, rules)
    moves = (
        ((tier < Tier.LOW.value) & ((left50 <= limits[:, 0]) | (available < low)))
        | ((tier < Tier.LOWER.value) & ((left50 <= limits[:, 1]) | (available < lower)))
        | ((tier < Tier.LOWEST.value) & ((left10 <= limits[:, 2]) | (available < lowest)))
    )
    few = np.flatnonzero((ledger["ledger_changed"] != 0) & (tier != Tier.NORMAL.value))
    if len(few):
        wider = limits[few] + limits[few] // rules.dead_band_divisor
        more = amount[few] + amount[few] // rules.dead_band_divisor
        left, (low, lower, lowest) = available[few], _limits_nanos(more, rules)
        is_lowest = (left10[few] <= wider[:, 2]) | (left < lowest)
        is_lower = (left50[few] <= wider[:, 1]) | (left < lower)
        is_low = (left50[few] <= wider[:, 0]) | (left < low)
        stays = np.where(is_lowest, 3, np.where(is_lower, 2, np.where(is_low, 1, 0)))
        moves[few] |= stays < tier[few]
    return np.asarray(moves)


def _road_moves(
    ledger: NDArray[Any],
    few: NDArray[np.int64],
    is_exhausted: NDArray[np.bool_],
    now: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Of the rows `few` (exhausted, held, on the road to a trip or back): those to look at."""
    stage, is_prepaid = ledger["stage"][few], ledger["payment_mode"][few] == PREPAID
    may_not_be_off = ~is_exhausted | ~is_prepaid | (ledger["protections"][few] != 0)
    may_not_be_off |= ledger["quarantined"][few] != 0
    is_by_law = ledger["procedure"][few] == Procedure.ARREARS_STOP.value
    may_not_be_off |= is_prepaid & is_by_law
    is_to_prove = np.isin(ledger["command"][few], TO_PROVE)
    step_is_due = (ledger["step_at"][few] != NO_TIME) & (ledger["step_at"][few] <= now)
    moves = (
        (stage != Stage.NORMAL.value) | (is_exhausted & is_prepaid) | (ledger["holds"][few] != 0)
    )
    moves |= is_to_prove | step_is_due
    # who is off by law is looked at whenever something comes: what is owed stands in the annex
    moves &= (stage != Stage.TRIPPED.value) | may_not_be_off | is_to_prove | ~is_prepaid
    return np.asarray(moves)


def _road_is_due(
    ledger: NDArray[Any], few: NDArray[np.int64], now: int, rules: SupplyRules
) -> NDArray[np.bool_]:
    """Of the rows `few`: those whose deadline is reached, or whose holds may pass with time."""
    stage, holds = ledger["stage"][few], ledger["holds"][few]
    waits_for_event = (holds & (BY_NOTICE | BY_SWITCH | BY_APPROVAL)) != 0
    is_overdue = ledger["stage_since"][few] + rules.notice_overdue_seconds <= now
    step_at = ledger["step_at"][few]
    step_is_due = (step_at != NO_TIME) & (step_at <= now)
    is_to_prove = ledger["command"][few] == CommandState.EXECUTED.value
    # notices age: what waits for a person's approval may have to be given anew
    is_by_law = ledger["procedure"][few] == Procedure.ARREARS_STOP.value
    valid_seconds = rules.notice_valid_days * SECONDS_PER_DAY
    is_old = ledger["notice_delivered_at"][few] + valid_seconds < now
    may_go_on = ~waits_for_event | is_by_law | is_old
    command_is_over = ledger["command_expires_at"][few] <= now
    # quarantine comes without a judgement: it must still give tripped accounts their supply back
    is_newly_quarantined = (ledger["quarantined"][few] != 0) & ((holds & Hold.QUARANTINED) == 0)
    return np.asarray(
        ((holds & Hold.TARIFF_UNKNOWN) != 0)  # a sheet may have come, which is no account's event
        | ((stage == Stage.NORMAL.value) & ((holds & PASSING) != 0))
        | ((stage == Stage.NORMAL.value) & step_is_due & ((holds & BY_TERMS) == 0))
        | ((stage == Stage.NORMAL.value) & step_is_due & is_to_prove)
        | ((stage == Stage.NOTICE_SENT.value) & is_overdue & ((holds & Hold.NOTICE_OVERDUE) == 0))
        | ((stage == Stage.NOTICED.value) & (step_at <= now) & may_go_on)
        | ((stage == Stage.TRIP_COMMANDED.value) & command_is_over & may_go_on)
        | ((stage == Stage.RESTORE_COMMANDED.value) & command_is_over)
        | ((stage != Stage.RESTORE_COMMANDED.value) & is_newly_quarantined)
    )
