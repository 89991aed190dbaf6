"""Does each day cost what it used, and do the days add up to the bills whatever happens?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.events import Groups, PaymentKind, PaymentMode, PaymentReceived
from scoring.units import nanos
from simulator.answers import answers, book_of
from streams.topics import DAILY_USAGE, LEDGER_ROWS
from tests.office import DAY, HOUR, MONDAY, SHEETS, Office
from tests.test_money_road import WORKS, post

FLAT = "0.5469"  # cn-sd-residential, first tier


def days(office: Office) -> list[tuple[str, int, str]]:
    """What was told: local date, energy and charge."""
    return [(d["localDate"], d["usedWh"], d["charge"]) for d in office.told[DAILY_USAGE]]


def untold(office: Office) -> int:
    """What the bills of all accounts have grown by since the last day told, and what is closed."""
    book = book_of([r for part in (0, 1) for r in office.kept[LEDGER_ROWS, part]])
    (found,) = answers(book, office.clerks[0].terms.tariffs).values()
    return found.bill_nanos - found.charged_nanos


def test_a_day_that_ends_with_a_reading_costs_exactly_its_own_bill():
    assert SHEETS[0]["ratePeriods"][0]["pricePerKwh"] == FLAT
    office = Office()
    office.open("home-1")
    office.live("home-1", 2)
    # the reading at midnight finishes the day; 12 kWh are 6.5628, but 24 are 13.13 in whole cents
    assert days(office) == [("2026-07-06", 12_000, "6.56"), ("2026-07-07", 12_000, "6.57")]


def test_what_one_reading_brings_over_several_days_is_split_by_energy():
    office = Office()
    office.open("home-1")
    office.read("home-1", (MONDAY, 0), (MONDAY + 12 * HOUR, 6_000))
    office.read("home-1", (MONDAY + 3 * DAY + 12 * HOUR, 6_000 + 84 * 500))
    told = days(office)
    assert [date for date, _, _ in told] == ["2026-07-06", "2026-07-07", "2026-07-08"]
    for _, wh, charge in told:
        assert abs(nanos(charge) - wh * nanos(FLAT) // 1000) <= nanos("0.01")
    assert sum(nanos(c) for _, _, c in told) + untold(office) == nanos("26.25")  # 48 kWh


def test_a_day_is_told_with_its_groups_its_arrears_and_how_it_is_paid():
    office = Office()
    office.open("works-1", groups=Groups("3110", "10kV", "c-017", "area-06"), **WORKS)
    post(office, "works-1", "adjustment", "-40", MONDAY)
    office.live("works-1", 1)
    (told,) = office.told[DAILY_USAGE]
    assert (told["industry"], told["voltageLevel"]) == ("3110", "10kV")
    assert (told["collector"], told["area"]) == ("c-017", "area-06")
    assert (told["paymentMode"], told["owed"]) == (PaymentMode.PLAN.value, "40.00")


GAPS = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3_000)), min_size=1, max_size=30)


@given(GAPS, st.sampled_from([sheet["tariffId"] for sheet in SHEETS]))
@settings(max_examples=40, deadline=None)
def test_the_days_and_the_open_day_are_the_bills_to_the_last_nano(gaps, tariff_id):
    office = Office()
    office.open("home-1", tariff_id=tariff_id)
    at, register = MONDAY, 0
    office.read("home-1", (at, 0))
    for quarters, watt_quarters in gaps:
        at, register = at + quarters * 900, register + quarters * watt_quarters // 4
        office.read("home-1", (at, register))
    book = book_of([r for part in (0, 1) for r in office.kept[LEDGER_ROWS, part]])
    (found,) = answers(book, office.clerks[0].terms.tariffs).values()
    told = sum(nanos(charge) for _, _, charge in days(office))
    # nothing was paid: what the balance lacks is what all months have cost
    assert told + untold(office) == -found.balance_nanos


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 400), st.integers(0, 3_000)),
        st.tuples(st.just("payment"), st.integers(1, 500_00), st.integers(1, 3)),
        st.tuples(st.just("adjustment"), st.integers(-90_00, 90_00), st.just(1)),
    ),
    min_size=1,
    max_size=30,
)


@given(MOVES, st.sampled_from([sheet["tariffId"] for sheet in SHEETS]))
@settings(max_examples=40, deadline=None)
def test_the_balance_is_always_the_payments_less_the_bills(moves, tariff_id):
    office = Office()
    office.open("home-1", tariff_id=tariff_id)
    at, register, paid = MONDAY, 0, 0
    office.read("home-1", (at, 0))
    for number, (kind, much, little) in enumerate(moves):
        if kind == "read":
            at, register = at + much * 900, register + much * little // 4
            office.read("home-1", (at, register))
            continue
        money = PaymentReceived(
            "home-1", 0, 0, f"p-{number}", much * nanos("0.01"), at, PaymentKind(kind)
        )
        paid += money.amount_nanos
        for _ in range(little):  # said again, it counts once
            office.event(money, at)
    told = sum(nanos(charge) for _, _, charge in days(office))
    book = book_of([r for part in (0, 1) for r in office.kept[LEDGER_ROWS, part]])
    (found,) = answers(book, office.clerks[0].terms.tariffs).values()
    assert found.balance_nanos == paid - told - untold(office)


def test_the_first_day_of_an_account_read_once_a_day_has_its_own_charge():
    office = Office()
    office.open("home-1")  # its meter starts at 0, and is read first when the day is over
    for day in (1, 2, 3):
        office.read("home-1", (MONDAY + day * DAY, day * 10_000))
    assert [charge for _, _, charge in days(office)] == ["5.47", "5.47", "5.47"]
