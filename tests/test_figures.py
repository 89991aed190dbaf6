"""What is counted for Prometheus is what happened."""

from __future__ import annotations

import numpy as np
import pytest

from api.meters import Meters
from api.standing import MONEY
from api.state import State
from api.view import View
from scoring.book import Book
from scoring.effects import Stage, Tier
from scoring.events import PaymentReceived, Switch, SwitchReported
from streams.field_reports import OUTCOMES, FieldReports
from tests.test_api import RULES, Fed, a_home

AT = 1_782_864_000
BEGAN = AT - 42


def report(command_id: str, switch: Switch, succeeded: bool, acknowledges: bool = False):
    return SwitchReported("home-1", 7, AT, command_id, switch, succeeded, AT, acknowledges)


ON, OFF, ARMED = Switch.CONNECTED, Switch.DISCONNECTED, Switch.READY_FOR_RECONNECTION
COUNTED = [
    # report, stage before it -> outcome, seconds to restore
    (report("r", ON, True), Stage.RESTORE_COMMANDED, "executed", [42]),
    (report("r", ARMED, True), Stage.RESTORE_COMMANDED, "executed", [42]),
    (report("", ON, True), Stage.RESTORE_COMMANDED, "uncommanded", [42]),
    (report("r", ON, True, True), Stage.RESTORE_COMMANDED, "acknowledged", []),
    (report("r", OFF, False), Stage.RESTORE_COMMANDED, "failed", []),
    (report("t", OFF, True), Stage.TRIP_COMMANDED, "executed", []),
    (report("t", OFF, False), Stage.TRIP_COMMANDED, "failed", []),
    (report("", ON, True), Stage.NORMAL, "uncommanded", []),
    (report("r", ON, True), Stage.NORMAL, "executed", []),  # told again: counted once already
]


@pytest.mark.parametrize(("event", "stage", "outcome", "seconds"), COUNTED)
def test_a_field_report_is_counted_once(event, stage, outcome, seconds):
    book = Book()
    row = book.add("home-1")
    book.ledger[row]["stage"], book.ledger[row]["stage_since"] = stage, BEGAN
    reports = FieldReports()
    reports.note(book, [event, PaymentReceived("home-1", 8, AT, "p", 10**9, AT)])
    assert reports.outcomes == {outcome: 1}
    assert set(reports.outcomes) <= set(OUTCOMES)
    assert reports.restore_seconds == seconds


def test_a_report_about_nobody_is_counted_and_harms_nothing():
    reports = FieldReports()
    reports.note(Book(), [report("r", ON, True)])
    assert (reports.outcomes["executed"], reports.restore_seconds) == (1, [])


# --- how many stand where, and with how much money ---


@pytest.fixture
def view():
    """Two homes: one with 68.74 left of 200, one that used 25 beyond its money."""
    office = a_home()
    office.open("home-2")
    office.pay("home-2", "10")
    office.live("home-2", days=3)
    return office.feed(View())


def figures(view: View) -> dict[tuple[str, ...], float]:
    registry = Meters(State(view, Fed(), RULES)).registry
    return {
        (
            sample.name.removeprefix("kilowatch_"),
            *(sample.labels[key] for key in sorted(sample.labels)),
        ): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def test_money_is_summed_by_class_and_currency(view):
    found = figures(view)
    balances = view.look["balance_nanos"] / 1e9
    assert balances.max() > 0 > balances.min()
    left, beyond = balances[balances > 0].sum(), -balances[balances < 0].sum()
    money = {name: found[f"{name}_currency_units", "CNY", "resident"] for name in MONEY}
    bills = (view.look["bill_nanos"] + view.look["previous_bill_nanos"]).sum() / 1e9
    assert money["balance"] == pytest.approx(left)
    assert money["exposure"] == pytest.approx(beyond)
    assert money["arrears"] == 0
    assert money["open_bills"] == pytest.approx(bills)
    assert money["paid_in_advance"] == pytest.approx(bills - beyond), "10 of home-2's bill"


def test_every_account_stands_somewhere_and_once(view):
    found = figures(view)
    for name, names in (("accounts_in_tier", Tier), ("accounts_in_stage", Stage),
                        ("accounts_by_switch", Switch)):  # fmt: skip
        told = {key: value for key, value in found.items() if key[0] == name}
        assert sum(told.values()) == len(view) == 2
        assert len(told) == 3 * len(names)
    stages = [key for key, value in found.items() if key[0] == "accounts_in_stage" and value]
    wanted = {Stage(stage).name.lower() for stage in np.unique(view.book.ledger["stage"])}
    assert {key[2] for key in stages} == wanted


def test_silent_meters_and_waiting_restores_are_seen(view):
    ledger = view.book.ledger
    newest = int(ledger["received_at"].max())
    before = figures(view)
    assert before["restore_pending_oldest_seconds",] == 0
    ledger["read_at"] = newest
    assert figures(view)["accounts_reading_stale", "resident"] == 0
    ledger["read_at"][0] = newest - RULES.max_reading_age_seconds
    assert figures(view)["accounts_reading_stale", "resident"] == 0
    ledger["read_at"][0] -= 1
    assert figures(view)["accounts_reading_stale", "resident"] == 1
    ledger["stage"][1], ledger["stage_since"][1] = Stage.RESTORE_COMMANDED, newest - 1_800
    assert figures(view)["restore_pending_oldest_seconds",] == 1_800


def test_an_empty_view_has_figures_too():
    assert figures(View())["restore_pending_oldest_seconds",] == 0
