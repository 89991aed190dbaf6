"""The screen over columns leaves out no row about which the policy has something to say."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.decide import due, judge, needs_judgement, note_deadlines, note_steps
from scoring.effects import Hold, Stage
from scoring.events import Feed
from scoring.from_rows import situation
from scoring.outlook import OUTLOOK
from scoring.rules import SupplyRules
from scoring.sheet import sheet_from_dict
from scoring.tariff import Tariffs
from scoring.weather import NO_WEATHER, Weather
from tests.situations import CAUSE, DAY, HOUR, MINUTE, NOON, RULES, UNIT

TODAY = 739_798
ROWS = 400
EDGES_HOURS = [0.0, 1, 47.9, 48, 57.6, 57.7, 72, 86.4, 90, 168, 201.6, 201.7, 500, np.inf]
SEEDS = st.integers(0, 2**32 - 1)


@cache
def tariffs():
    """One flat tariff in Shanghai time."""
    sheet = {
        "tariffId": "flat",
        "currency": "CNY",
        "zone": "Asia/Shanghai",
        "validFrom": "2026-01-01",
        "ratePeriods": [{"name": "all", "pricePerKwh": "0.5"}],
    }
    return Tariffs().with_sheet(sheet_from_dict(sheet))


@dataclass(frozen=True)
class World:
    tariffs: Tariffs
    feed: Feed
    rules: SupplyRules
    interlock: None = None
    weather: Weather = NO_WEATHER


def random_accounts(dice):
    """Accounts in every stage, with values on and around every edge, and their outlook."""
    ledger, look = empty_ledger(ROWS), np.zeros(ROWS, OUTLOOK)

    def some(*values):
        return dice.choice(np.array(values), ROWS)

    around_now = [0, *(NOON + d for d in (-26 * HOUR - 1, -26 * HOUR, -7_200, -600, 0, 100))]
    expiries = (0, NOON - 1, NOON, NOON + 1, NOON + 1_200)
    ledger["settings_version"] = some(1, 1, 1, 1, 0)
    ledger["read_at"] = some(*around_now)
    ledger["warning_amount_nanos"] = some(0, 50, 50) * UNIT
    ledger["reconnect_min_nanos"] = some(-5, 0, 10) * UNIT
    ledger["warning_hours"] = (168, 72, 24)
    ledger["used_wh"][:, 0, 0] = some(0, 100_000)
    ledger["estimated_wh"][:, 0, 0] = look["estimated_wh"] = some(0, 0, 2_000, 2_001)
    ledger["day_wh"] = some(0, 4_000)
    ledger["newest_quality"] = some(0, 0, 0, 1)
    ledger["customer_class"] = some(0, 0, 1, 2)
    ledger["payment_mode"] = some(0, 0, 0, 1)
    ledger["protections"] = some(0, 0, 0, 0, 1, 4, 16, 20)
    ledger["quarantined"] = some(0, 0, 0, 0, 0, 1)
    ledger["tier"] = some(0, 0, 1, 2, 3)
    ledger["ledger_changed"] = some(0, 1)
    ledger["warned_today"], ledger["warned_day"] = some(0, 0, 3, 4), TODAY - some(0, 1)
    ledger["stage"] = some(0, 0, 0, 1, 2, 3, 4, 5)
    ledger["stage_since"] = NOON - some(0, 600, DAY - 1, DAY)
    ledger["trip_episode"] = 3
    ledger["switch"] = some(0, 1, 1, 1, 2, 3)
    ledger["attempt"] = np.where(ledger["stage"] >= Stage.TRIP_COMMANDED, some(1, 2, 3), 0)
    ledger["restore_attempt"] = ledger["stage"] == Stage.RESTORE_COMMANDED
    ledger["notice_delivered_at"] = np.where(
        ledger["stage"] == Stage.NOTICED, NOON - some(0, 1_799, 1_800, DAY), 0
    )
    ledger["notice_delivered_at"][ledger["stage"] == Stage.TRIP_COMMANDED] = NOON - DAY
    ledger["command_expires_at"] = some(*expiries)
    ledger["command"] = some(*range(10))
    ledger["control_mode"] = some(0, 1, 3, 3, 3, 4)
    ledger["procedure"] = np.where(ledger["payment_mode"] == 0, some(1, 1, 1, 2), some(1, 2, 2))
    told = 1 << dice.integers(0, len(Hold), ROWS)
    waits = (ledger["stage"] == Stage.TRIP_COMMANDED) & (ledger["command_expires_at"] <= NOON)
    waits |= ledger["stage"] <= Stage.NOTICED
    ledger["holds"] = np.where(waits, told * some(0, 0, 1), 0)
    look["available_nanos"] = some(-1, 0, 1, 49, 50, 59, 60, 400) * UNIT
    look["available_nanos"][look["available_nanos"] == -UNIT] = -1
    look["available_nanos"][look["available_nanos"] == 49 * UNIT] = 50 * UNIT - 1
    hours = np.sort(dice.choice(np.array(EDGES_HOURS), (ROWS, 3)), axis=1)
    for column, name in enumerate(("p10", "p50", "p90")):
        look[f"runway_hours_{name}"] = np.where(look["available_nanos"] < 0, 0, hours[:, column])
    look["version"] = some(0, 0, 0, 0, -1)
    index = np.where(look["version"] < 0, some(-1, 0), 0)
    accounts = Accounts(ledger, np.zeros(ROWS, LEARNED), index)
    accounts.annexes.ensure(np.flatnonzero(dice.random(ROWS) < 0.7))
    fill(accounts.annexes.rows, dice)
    return accounts, look


def fill(annex, dice):
    """What stands in the annexes of some of them."""

    def some(*values):
        return dice.choice(np.array(values), len(annex))

    annex["debt_nanos"][:, 0] = some(0, UNIT, UNIT)
    annex["debt_due_day"][:, 0] = TODAY - some(0, 9, 10, 11, 29, 30, 31, 60)
    annex["step"] = some(0, 1, 2)
    annex["step_notice"] = annex["notices"] = 1
    annex["proven_at"] = NOON - some(0, 1_800, 3 * DAY, 7 * DAY)[:, None]
    annex["approvers"][:, 0] = some(b"", b"li", b"li")
    annex["approvers"][:, 1] = some(b"", b"li", b"wang", b"wang")
    annex["approved_at"] = NOON - some(DAY, DAY - 1, 0)[:, None]
    annex["proof_from"] = some(0, NOON - HOUR, NOON)
    annex["unsettled_until"] = some(0, 0, NOON, NOON + 600)
    annex["emergency_credit_nanos"] = some(0, 0, 1)
    annex["load_wh"], annex["load_from"] = some(0, 99), NOON - some(HOUR, 600)
    annex["load_until"] = some(0, NOON)
    annex["still_from"] = np.where(dice.random(len(annex)) < 0.5, annex["load_from"], 0)
    annex["opened_at"] = annex["proof_from"]
    annex["not_before_at"] = NOON + some(-DAY, -DAY, 0, 1)
    annex["open_items"] = some(0, 0, 31)


def a_feed(dice, now):
    return Feed(now - int(dice.choice([0, 900, 901])), caught_up=bool(dice.random() < 0.8))


def verdicts(accounts, look, now, feed):
    world = World(tariffs(), feed, RULES)
    return [judge(situation(accounts, look, i, f"a{i}", now, CAUSE, world)) for i in range(ROWS)]


def apply(accounts, position, verdict):
    """Write a verdict as a turn does."""
    for column, value in verdict.changes.items():
        if column in accounts.ledger.dtype.names:
            accounts.ledger[column][position] = value
        else:
            written = [each.encode() for each in value] if column == "approvers" else value
            accounts.annexes.make(position)[column] = written


@given(SEEDS)
@settings(max_examples=15)
def test_the_screen_leaves_out_no_row_that_has_something_to_say(seed):
    dice = np.random.default_rng(seed)
    accounts, look = random_accounts(dice)
    note_steps(accounts, RULES)
    mask = needs_judgement(accounts, look, np.full(ROWS, NOON), RULES)
    said = np.array([bool(v) for v in verdicts(accounts, look, NOON, a_feed(dice, NOON))])
    left_out = np.flatnonzero(said & ~mask)
    assert not len(left_out), accounts.ledger[left_out[:1]]
    assert said.any()


@given(SEEDS)
@settings(max_examples=15)
def test_what_was_judged_is_looked_at_again_when_time_brings_something_new(seed):
    dice = np.random.default_rng(seed)
    accounts, look = random_accounts(dice)
    ledger = accounts.ledger
    note_deadlines(ledger, look, RULES)
    note_steps(accounts, RULES)
    feed = a_feed(dice, NOON)
    for position, verdict in enumerate(verdicts(accounts, look, NOON, feed)):
        apply(accounts, position, verdict)
    note_steps(accounts, RULES)
    assert not any(verdicts(accounts, look, NOON, feed)), "judging again says nothing more"
    noted = ledger["warn_at"].copy()
    note_deadlines(ledger, look, RULES)
    judged = (ledger["settings_version"] > 0) & (ledger["read_at"] > 0)
    assert (ledger["warn_at"] == noted)[judged].all(), "rows and columns agree on deadlines"

    ledger["quarantined"] |= dice.random(ROWS) < 0.05
    has_a_sheet_now = ((ledger["holds"] & Hold.TARIFF_UNKNOWN) != 0) & (dice.random(ROWS) < 0.5)
    look["version"][has_a_sheet_now] = accounts.tariff_index[has_a_sheet_now] = 0
    later = NOON + int(dice.choice([0, 1, 599, 600, 1_800, 5 * HOUR, DAY, 6 * DAY]))
    mask = due(ledger, later, RULES)
    said = np.array([bool(v) for v in verdicts(accounts, look, later, a_feed(dice, later))])
    left_out = np.flatnonzero(said & ~mask)
    assert not len(left_out), ledger[left_out[:1]]


def test_a_warning_kept_back_today_is_told_tomorrow_though_the_meter_is_silent():
    """Three were told on the first of July; on the second a tick tells the fourth."""
    accounts, look = random_accounts(np.random.default_rng(1))
    ledger = accounts.ledger
    ledger[:] = empty_ledger(1)
    ledger["settings_version"], ledger["read_at"] = 1, NOON - MINUTE
    ledger["warning_hours"], ledger["warning_amount_nanos"] = (168, 72, 24), 50 * UNIT
    ledger["tier"] = ledger["episode"] = 1
    ledger["warning_number"] = ledger["warned_today"] = RULES.max_warnings_a_day
    ledger["warned_day"] = TODAY
    look["available_nanos"], look["version"], look["estimated_wh"] = 25 * UNIT, 0, 0
    for name in ("p10", "p50", "p90"):
        look[f"runway_hours_{name}"] = 120
    note_deadlines(ledger, look, RULES)
    assert not any(verdicts(accounts, look, NOON, a_feed(np.random.default_rng(1), NOON)))
    later = NOON + 12 * HOUR
    said = [
        bool(v) for v in verdicts(accounts, look, later, a_feed(np.random.default_rng(1), later))
    ]
    assert any(said)
    assert due(ledger, later, RULES)[said].all()


def test_an_account_at_rest_costs_no_look():
    dice = np.random.default_rng(1)
    accounts, look = random_accounts(dice)
    accounts.ledger[:] = empty_ledger(1)
    accounts.ledger["settings_version"] = 1
    accounts.ledger["read_at"] = NOON - MINUTE
    accounts.ledger["warning_hours"] = (168, 72, 24)
    look["available_nanos"], look["version"] = 400 * UNIT, 0
    for name in ("p10", "p50", "p90"):
        look[f"runway_hours_{name}"] = 500
    note_deadlines(accounts.ledger, look, RULES)
    assert not needs_judgement(accounts, look, NOON, RULES).any()
    assert not due(accounts.ledger, NOON + HOUR, RULES).any()
    warned_at = NOON - MINUTE + (500 - 168) * HOUR
    assert (accounts.ledger["warn_at"] == warned_at).all()
    assert due(accounts.ledger, warned_at, RULES).all(), "a silent meter is warned by a tick"
