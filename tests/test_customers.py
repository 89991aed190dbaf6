"""What begins again when the customer information system names somebody else?

A utility of nine like homes and one great one, read every three hours for six weeks; then the great
home is moved out of, and who moves in lives like the others.  And supplies at every stage on the
road to a trip, of which somebody else becomes the customer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scoring import customers
from scoring.book import LEARNED, Book
from scoring.calendar import EPOCH_DAY
from scoring.debts import Debts
from scoring.decide import judge, on_new_customer
from scoring.effects import (
    DisconnectionNotice,
    LowBalanceWarning,
    Stage,
    Tier,
    TripCommand,
    WorkItem,
    WorkItemKind,
)
from scoring.events import (
    MAX_RATE_PERIODS,
    AccountSettings,
    CustomerClass,
    Feed,
    MeterSettings,
    PaymentMode,
    Readings,
    SettingsChanged,
    Source,
)
from scoring.forecast import forecast
from scoring.ids import text_hashes
from scoring.procedures import Procedure
from scoring.rules import ARM_FOR_CLOSURE_CODE, SupplyRules
from scoring.scoring import World, due_at_tick, score_events, score_readings
from scoring.units import SECONDS_PER_DAY, instant
from streams import rows as state
from streams.rightful import adopt_learned_rows
from tests.inputs import heartbeat, reading, report, settings, tick
from tests.situations import (
    AT_REST,
    COMMANDED,
    DAY,
    EXHAUSTED,
    HOUR,
    MINUTE,
    NOTICE_SENT,
    NOTICED,
    RESTORING,
    TRIPPED,
    UNIT,
    only,
    replace,
    told,
)
from tests.taught import TARIFFS
from tests.test_procedures import (
    DUNNED,
    DUNNING_PROVEN,
    LAST_PROVEN,
    OWING,
    SECOND,
    TWO,
    WRITTEN_PROVEN,
)
from tests.test_standstill import NINE, START, Road, on_the_way_to_a_trip
from tests.wire_records import PlainRecord

if TYPE_CHECKING:
    from scoring.forecast import Forecast
    from scoring.shares import Scored
    from scoring.situation import Situation

BEGAN = instant("2026-06-29T00:00:00+08:00")  # a Monday
DAYS = 42
HOMES = 10
GREAT = 0
DAY_WH = np.array([40_000, *[10_000] * (HOMES - 1)])
LOOKS = 8
WORLD = World(TARIFFS, Feed(BEGAN, caught_up=True), SupplyRules(), 0)


class Street:
    """The homes, each with its book row, and what was said of them."""

    def __init__(self, world: World = WORLD) -> None:
        self.world = world
        self.book, self.offset, self.at = Book(), 0, BEGAN
        self.register_wh = np.zeros(HOMES, np.int64)
        self.name("", *range(HOMES))

    def name(self, customer_id: str, *homes: int) -> Scored | None:
        """Settings of these homes name this customer."""
        scored = None
        for home in homes:
            self.offset += 1
            terms = AccountSettings(
                version=self.offset,
                customer_class=CustomerClass.RESIDENT,
                payment_mode=PaymentMode.PREPAID,
                tariff_id="peak-valley",
                max_power_w=12_000,
                meter=MeterSettings(f"m-{home}", BEGAN, start_register_wh=0),
                customer_id=customer_id,
            )
            said = SettingsChanged(f"home-{home}", self.offset, self.at, terms)
            scored = score_events(self.book, [said], self.world)
        return scored

    def live(self, looks: int, day_wh: np.ndarray = DAY_WH) -> None:
        """Readings every three hours."""
        for _ in range(looks):
            self.at += SECONDS_PER_DAY // LOOKS
            self.offset += 1
            self.register_wh = self.register_wh + day_wh // LOOKS
            due_at_tick(self.book, self.at, self.offset, self.world)
            readings = Readings(
                account_row=np.arange(HOMES),
                source_offset=np.full(HOMES, self.offset),
                item=np.full(HOMES, -1),
                read_at=np.full(HOMES, self.at),
                received_at=np.full(HOMES, self.at),
                meter_hash=text_hashes([f"m-{home}" for home in range(HOMES)]),
                register_wh=self.register_wh,
                rate_register_wh=np.full((HOMES, MAX_RATE_PERIODS), -1),
                interval_seconds=np.zeros(HOMES, np.int64),
                interval_wh=np.full(HOMES, -1),
                quality=np.zeros(HOMES, np.uint8),
            )
            score_readings(self.book, readings, self.world)

    def told(self) -> Forecast:
        """What is forecast of the great home now."""
        return forecast(self.book.take(np.array([GREAT])), TARIFFS, np.array([self.at]))

    def learned(self, name: str) -> np.ndarray:
        return self.book.learned[name][GREAT]


NAMED = [
    # whom the settings name, one after the other; whether somebody else has moved in
    (("li",), False, "named for the first time: there all along"),
    (("li", "li"), False, "named again"),
    (("li", ""), False, "nobody is named any more"),
    (("li", "", "li"), False, "and the same once more"),
    (("li", "wang"), True, "another customer"),
    (("li", "", "wang"), True, "another, after terms that named nobody"),
    (("li", "wang", "li"), True, "back again: a second beginning"),
]


@pytest.mark.parametrize(("names", "is_new", "why"), NAMED, ids=[line[2] for line in NAMED])
def test_the_table_of_who_is_a_new_customer(names: tuple[str, ...], is_new: bool, why: str) -> None:
    street = Street()
    street.live(5 * LOOKS)
    street.book.ledger["hour_load"][GREAT] = 500
    scored = None
    for name in names:
        scored = street.name(name, GREAT)
    assert (int(street.learned("days")) == 0) == is_new, why
    assert (street.book.ledger["hour_load"][GREAT] == 0).all() == is_new, why
    assert scored is not None
    assert scored.learned_rows == ({GREAT} if is_new else set()), "told, so that it is durable"


def test_who_moves_in_is_forecast_as_the_group_and_never_as_who_moved_out() -> None:
    street = Street()
    street.name("li", GREAT)
    street.live(DAYS * LOOKS + LOOKS // 2)
    before = street.told()
    assert before.ahead_wh[0, 1:8] == pytest.approx(40_000, rel=0.05)
    street.name("wang", GREAT)
    at_noon = street.told()
    assert at_noon.ahead_wh[0, 1:8].max() < 20_000, "by the contract alone"
    assert at_noon.high_factor[0, 0] - at_noon.low_factor[0, 0] > 5 * (
        before.high_factor[0, 0] - before.low_factor[0, 0]
    )
    usual = np.full(HOMES, 10_000)
    street.live(LOOKS // 2, usual)  # the first midnight: half of that day was the former's
    assert street.told().ahead_wh[0, :7] == pytest.approx(10_000, rel=0.2), "by its group"
    street.live(LOOKS, usual)
    assert street.told().ahead_wh[0, :7] == pytest.approx(10_000, rel=0.05), "by its own day"
    assert street.learned("days") == 1


def test_without_a_name_it_takes_days_to_notice() -> None:
    """Where no record names who moved in: told more than twice its use after a whole day."""
    street = Street()
    street.live(DAYS * LOOKS + LOOKS // 2)
    usual = np.full(HOMES, 10_000)
    street.live(LOOKS // 2 + LOOKS, usual)
    assert street.told().ahead_wh[0, 1:8].mean() > 20_000


def test_a_former_customers_learned_row_is_not_taken_up_again() -> None:
    """A crash lost the row that began anew, but not the ledger's."""
    street = Street()
    street.name("li", GREAT)
    street.live(5 * LOOKS)
    old = street.book.learned[[GREAT]].copy()
    assert old["customer"][0] == customers.halves(street.book.ledger["customer_hash"][[GREAT]])[0]
    for name, days in (("li", 4), ("wang", 0)):
        street.name(name, GREAT)
        street.book.learned[GREAT] = np.zeros((), LEARNED)
        value = state.encode_learned_rows(old, 0)[0]
        record = PlainRecord("learned-rows", 0, 0, 0, b"home-0", value)
        adopt_learned_rows(street.book, state.decode_learned_rows([record]))
        assert street.learned("days") == days, name


def test_terms_that_repeat_after_a_crash_begin_nothing_again() -> None:
    street = Street()
    street.name("li", GREAT)
    street.name("wang", GREAT)
    street.live(3 * LOOKS)
    days = int(street.learned("days"))
    street.book.ledger["source_offset"][GREAT, Source.SETTINGS] = -1
    street.name("wang", GREAT)
    assert street.learned("days") == days > 0


BRING = 1 << WorkItemKind.DELIVER_NOTICE
OFF_BY_LAW = replace(
    TRIPPED, procedure=Procedure.ARREARS_STOP, payment_mode=OWING.payment_mode, step=2
)
MOVED_IN = [
    # where the former tenant stood, what is said, stage after
    (AT_REST, "", "NORMAL"),
    (EXHAUSTED, "", "NORMAL"),
    (NOTICE_SENT, "notice-withdrawn", "NORMAL"),
    (NOTICED, "notice-withdrawn", "NORMAL"),
    (replace(NOTICE_SENT, open_items=BRING), "notice-withdrawn no-deliver-notice", "NORMAL"),
    (DUNNED, "notice-withdrawn", "NORMAL"),
    (DUNNING_PROVEN, "notice-withdrawn", "NORMAL"),
    (WRITTEN_PROVEN, "notice-withdrawn", "NORMAL"),
    (SECOND, "notice-withdrawn", "NORMAL"),
    (replace(LAST_PROVEN, **TWO), "notice-withdrawn", "NORMAL"),
    (COMMANDED, "restore 1", "RESTORE_COMMANDED"),
    (TRIPPED, "restore 1", "RESTORE_COMMANDED"),
    (OFF_BY_LAW, "restore 1", "RESTORE_COMMANDED"),
    (RESTORING, "", "RESTORE_COMMANDED"),
]  # fmt: skip


@pytest.mark.parametrize(("former", "said", "stage"), MOVED_IN)
def test_who_moves_in_begins_with_no_step_of_the_former_s(
    former: Situation, said: str, stage: str
) -> None:
    ended = on_new_customer(former)
    then = former.after(ended.changes)
    assert (told(ended), then.stage.name) == (said, stage)
    assert then.approved_by == (), "nobody has approved anything about the new one"
    assert then.tier is Tier.NORMAL
    settling = replace(then, unsettled_until=then.now + 1)
    verdict = judge(settling)
    kinds = {type(effect) for effect in verdict.effects}
    assert not kinds & {DisconnectionNotice, TripCommand}, "and nothing begins at once"
    if former.tier is not Tier.NORMAL and stage == "NORMAL":
        warning = only(verdict, LowBalanceWarning)
        assert warning.effect_id == f"home-1:warning:{former.episode + 1}:1", "one of its own"
    if then.stage is Stage.NORMAL and judge(then):  # when it is settled: from the first step
        begun = then.after(judge(then).changes)
        assert (begun.step, begun.notices, begun.proven_at) == (0, 1, (0, 0, 0))
        assert begun.trip_episode == former.trip_episode + 1


def test_the_collector_who_was_sent_to_the_former_tenant_is_called_back() -> None:
    called = replace(EXHAUSTED, open_items=1 << WorkItemKind.COLLECT)
    item = only(on_new_customer(called), WorkItem)
    assert (item.kind, item.status, item.about_id) == ("collect", "withdrawn", "home-1:warning:1:3")


@pytest.mark.parametrize("named", ["li", "wang"])
def test_a_notice_served_to_who_moved_out_is_void_on_the_whole_road(named: str) -> None:
    """Of two like homes at nine o'clock, one has another tenant since half past eight."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road, customerId="li")
        terms = settings("home-1", 2, customerId=named)
        await road.say(Source.SETTINGS, (terms, NINE - HOUR // 2))
        for at in (NINE, NINE + 10 * MINUTE, NINE + 6 * DAY, NINE + 6 * DAY + HOUR):
            await road.say(Source.PAYMENTS, (heartbeat(at), at))
            await road.say(Source.READINGS, (reading("home-1", at, (at - START) * 2), at))
            await road.say(Source.TICKS, (tick(at), at))
        await road.stop()

    asyncio.run(story(road := Road()))
    notices = [each["effectId"] for each in road.said("disconnection-notices")]
    if named == "li":
        assert (road.trips()[0], notices) == ("01:00", ["home-1:notice:1"])
    else:
        assert (road.trips(), notices) == ([], ["home-1:notice:1", "home-1:notice:2"])
        (withdrawn,) = (d for d in road.said("decisions") if d["kind"] == "notice-withdrawn")
        assert withdrawn["detail"] == "home-1:notice:1: somebody else uses the energy now"


def test_who_moves_in_is_not_left_in_the_dark_by_who_moved_out() -> None:
    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road, customerId="li")
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.say(Source.TICKS, (tick(NINE), NINE))
        cut = report("home-1", "disconnected", NINE + MINUTE, "home-1:trip:1:1")
        await road.say(Source.SWITCH_REPORTS, (cut, NINE + MINUTE))
        assert not road.said("restore-commands")
        moved = settings("home-1", 2, customerId="wang")
        await road.say(Source.SETTINGS, (moved, NINE + HOUR))
        await road.stop()

    asyncio.run(story(road := Road()))
    (restore,) = road.said("restore-commands")
    assert restore["controlCode"] == ARM_FOR_CLOSURE_CODE, "the hand of who lives there closes it"
    assert restore["cancels"] == "home-1:trip:1:1"


DEBTS = [
    # who lives there now, what the ledger has, days without any step towards a trip
    ("li", -5, 0, "nobody has moved"),
    ("wang", 5, 5, "another customer, who begins with nothing owed"),
    ("wang", -5, 37, "somebody else's debt: no sooner than the law would have allowed"),
]


@pytest.mark.parametrize(("named", "ledger", "days", "why"), DEBTS)
def test_for_how_long_who_moves_in_is_left_alone(
    named: str, ledger: int, days: int, why: str
) -> None:
    street = Street()
    street.name("li", GREAT)
    home = street.book.take(np.array([GREAT]))
    home.ledger["ledger_nanos"] = ledger * UNIT
    if ledger < 0:
        bill = Debts()
        bill.owe(-ledger * UNIT, 0, EPOCH_DAY)
        bill.write(home.annexes.make(0))
    street.book.put(np.array([GREAT]), home)
    street.name(named, GREAT)
    annex = street.book.annex(GREAT)
    until = 0 if annex is None else int(annex["unsettled_until"][0])
    assert until == (street.at + days * SECONDS_PER_DAY if days else 0), why
