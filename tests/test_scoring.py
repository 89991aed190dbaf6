"""The one road through the core: what holds of it whatever the rules along it say."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.book import Book
from scoring.effects import Decision, DecisionKind, Reason
from scoring.events import (
    MAX_RATE_PERIODS,
    AccountSettings,
    CustomerClass,
    Feed,
    MeterSettings,
    PaymentMode,
    PaymentReceived,
    Readings,
    SettingsChanged,
    Source,
)
from scoring.ids import text_hashes
from scoring.rules import SupplyRules
from scoring.scoring import World, due_at_tick, score_events, score_readings, score_tick
from scoring.sheet import sheet_from_dict
from scoring.tariff import Tariffs
from scoring.units import nanos

if TYPE_CHECKING:
    from scoring.effects import Effect

STARTS_AT = 1_783_296_000  # 2026-07-06T00:00Z, a Monday
QUARTER = 900
ACCOUNTS = 5


def _tariffs() -> Tariffs:
    sheets = json.loads(files("simulator").joinpath("tariffs.json").read_text())
    tariffs = Tariffs()
    for sheet in sheets:
        tariffs = tariffs.with_sheet(sheet_from_dict(sheet))
    return tariffs


TARIFFS = _tariffs()


def _world(now: int = STARTS_AT) -> World:
    return World(TARIFFS, Feed(now, caught_up=True), SupplyRules(), 0)


def _settings(number: int, **changed: object) -> SettingsChanged:
    terms: dict[str, object] = {
        "version": 1,
        "customer_class": CustomerClass.RESIDENT,
        "payment_mode": PaymentMode.PREPAID,
        "tariff_id": ("cn-sd-residential", "cn-sd-residential-tou")[number % 2],
        "max_power_w": 20_000,
        "meter": MeterSettings(f"m-{number}", STARTS_AT, start_register_wh=0),
    } | changed
    return SettingsChanged(f"home-{number}", number, STARTS_AT, AccountSettings(**terms))  # type: ignore[arg-type]


def _payment(number: int, amount: str, offset: int) -> PaymentReceived:
    return PaymentReceived(
        f"home-{number}", offset, STARTS_AT, f"p-{offset}", nanos(amount), STARTS_AT
    )


def _book(amount: str = "30.00") -> Book:
    book = Book()
    score_events(book, [_settings(number) for number in range(ACCOUNTS)], _world())
    score_events(book, [_payment(number, amount, number) for number in range(ACCOUNTS)], _world())
    return book


def _readings(lines: list[tuple[int, int, int, int]]) -> Readings:
    """Register readings from lines of (offset, account, quarters since the start, register_wh)."""
    columns = np.array(lines, np.int64).reshape(-1, 4)
    offset, account, quarters, register = columns.T
    n = len(columns)
    return Readings(
        account_row=account,
        source_offset=offset,
        item=np.full(n, -1),
        read_at=STARTS_AT + quarters * QUARTER,
        received_at=STARTS_AT + quarters * QUARTER + 60,
        meter_hash=text_hashes([f"m-{number}" for number in account]),
        register_wh=register,
        rate_register_wh=np.full((n, MAX_RATE_PERIODS), -1),
        interval_seconds=np.zeros(n, np.int64),
        interval_wh=np.full(n, -1),
        quality=np.zeros(n, np.uint8),
    )


streams = st.lists(
    st.tuples(
        st.integers(0, ACCOUNTS - 1),
        st.integers(1, 3 * 96),
        st.integers(-200, 200),
    ),
    min_size=1,
    max_size=40,
)


@given(streams, st.lists(st.integers(1, 7), min_size=1, max_size=40))
@settings(deadline=None)
def test_how_a_stream_is_cut_into_batches_never_changes_a_result(
    stream: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    """Late, repeated, conflicting and impossible readings among them."""
    lines = [
        (offset, account, quarters, max(0, quarters * 300 + odd))
        for offset, (account, quarters, odd) in enumerate(stream)
    ]
    whole, cut = _book(), _book()
    told = score_readings(whole, _readings(lines), _world())
    effects: list[Effect] = []
    refused = []
    start, turn = 0, 0
    while start < len(lines):
        size = cuts[turn % len(cuts)]
        scored = score_readings(cut, _readings(lines[start : start + size]), _world())
        effects += [effect for _, effect in scored.effects]
        refused += scored.refusals
        start, turn = start + size, turn + 1
    assert whole.ledger.tobytes() == cut.ledger.tobytes()
    assert whole.learned.tobytes() == cut.learned.tobytes()
    by_id = {effect.effect_id: effect for effect in effects}
    assert by_id == {effect.effect_id: effect for _, effect in told.effects}
    assert len(by_id) == len(effects) == len(told.effects)
    assert sorted(refused, key=repr) == sorted(told.refusals, key=repr)


def test_a_batch_that_comes_again_changes_nothing() -> None:
    """After a crash the same records come with the same offsets."""
    book = _book()
    lines = [(offset, offset % ACCOUNTS, offset + 1, 300 * (offset + 1)) for offset in range(40)]
    score_readings(book, _readings(lines), _world())
    before = book.ledger.tobytes()
    again = score_readings(book, _readings(lines), _world())
    assert book.ledger.tobytes() == before
    assert not again.effects
    assert not again.refusals
    assert again.outcomes == {"already_counted": 40}


def test_money_that_comes_before_the_terms_is_kept() -> None:
    """A payment for an account nobody has told us of waits in the ledger."""
    book = Book()
    score_events(book, [_payment(0, "12.00", 0)], _world())
    score_events(book, [_settings(0)], _world())
    assert book.ledger["ledger_nanos"][0] == nanos("12")


def test_figures_that_cannot_be_true_quarantine_one_account_and_no_other() -> None:
    """The broken one keeps its state before, is told to a person, and takes no more readings."""
    book = _book("1000.00")
    book.ledger["used_wh"][2, 0, 1] = -5_000_000
    before = book.ledger[2].copy()
    scored = score_readings(book, _readings([(0, 1, 4, 1200), (1, 2, 4, 1200)]), _world())
    assert book.ledger["read_at"][1] == STARTS_AT + 4 * QUARTER
    after = book.ledger[2]
    assert after["quarantined"] == 1
    assert after["source_offset"][Source.READINGS] == 1
    assert after["register_wh"] == before["register_wh"]
    decisions = [effect for _, effect in scored.effects if isinstance(effect, Decision)]
    assert [(one.account_id, one.kind) for one in decisions] == [
        ("home-2", DecisionKind.QUARANTINED)
    ]
    later = score_readings(book, _readings([(2, 2, 5, 1500)]), _world())
    assert [refusal.reason for refusal in later.refusals] == [Reason.ACCOUNT_QUARANTINED]


def test_older_terms_do_not_replace_newer_ones() -> None:
    """Settings carry their own version; the CIS may deliver them out of order."""
    book = Book()
    newer = _settings(0, version=3, max_power_w=9_000)
    older = SettingsChanged("home-0", 7, STARTS_AT, _settings(0, version=2).settings)
    scored = score_events(book, [newer, older], _world())
    assert [refusal.reason for refusal in scored.refusals] == [Reason.SETTINGS_OUT_OF_ORDER]
    assert book.ledger["max_power_w"][0] == 9_000


def test_a_tick_that_finds_nothing_due_touches_no_row() -> None:
    """Time passes for a million accounts and only a few of them matter."""
    book = _book("1000.00")
    at = STARTS_AT + 60
    scored = score_tick(book, due_at_tick(book, at, 0, _world()), at, 0, _world())
    assert not scored.rows
    assert not scored.effects


def test_terms_that_give_more_credit_end_a_warning_as_a_payment_does() -> None:
    """Without new money a tier only rises; more agreed credit is as good as money."""
    book = _book("1.00")
    score_readings(book, _readings([(0, 0, 4, 1200)]), _world())
    assert book.ledger["tier"][0] > 0
    more = SettingsChanged(
        "home-0", 9, STARTS_AT, _settings(0, version=2, credit_limit_nanos=nanos("900")).settings
    )
    scored = score_events(book, [more], _world())
    assert book.ledger["tier"][0] == 0
    assert "home-0:warning:1:2" in {effect.effect_id for _, effect in scored.effects}


def test_an_event_at_the_rows_own_offset_is_counted_already():
    """After a crash the newest record comes again, and an id may not be all that tells it."""
    book, world = Book(), _world()
    score_events(book, [_payment(1, "5.00", 7)], world)
    before = book.ledger.copy()
    again = PaymentReceived("home-1", 7, STARTS_AT, "another id", nanos("5.00"), STARTS_AT)
    assert score_events(book, [again], world).outcomes == {"already_counted": 1}
    assert (book.ledger == before).all()
