"""Where a gap's energy belongs: rate periods, days, months, clock changes, exchanged meters.

Valley 22:00-08:00, peak 08:00-22:00 in China.  As long as no hour's load is known a gap is shared
by time alone; then by the account's own load of each hour.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from scoring.events import MeterSettings
from scoring.usage import Outcome
from tests.metered import Metered, Read, Street, Terms, clock


@pytest.mark.parametrize(
    ("what", "since", "until", "used_wh", "estimated_wh"),
    [
        ("inside the peak", "07-02 08:00", "07-02 22:00", (7_200,), ()),
        ("up to the valley's end", "07-02 00:00", "07-02 08:00", (0, 7_200), ()),
        ("a quarter past it", "07-02 00:00", "07-02 08:15", (219, 6_981), (219, 6_981)),
        ("half and half", "07-02 07:00", "07-02 09:00", (3_600, 3_600), (3_600, 3_600)),
        ("one second of peak", "07-02 07:00:01", "07-02 08:00:01", (2, 7_198), (2, 7_198)),
        ("over midnight in the valley", "07-02 22:00", "07-03 08:00", (0, 7_200), ()),
        ("a day and a night", "07-02 08:00", "07-03 08:00", (4_200, 3_000), (4_200, 3_000)),
        ("three days", "07-02 00:00", "07-05 00:00", (4_200, 3_000), (4_200, 3_000)),
    ],
)
def test_rate_periods_in_a_gap(what, since, until, used_wh, estimated_wh):
    account = Metered(f"2026-{since} 0")
    assert account.at(f"2026-{until}", 7_200) == "accepted", what
    assert account.used_wh() == used_wh
    assert account.estimated_wh() == estimated_wh


@pytest.mark.parametrize(
    ("what", "since", "until", "closed", "open_day_wh", "open_day_estimated_wh"),
    [
        ("a whole day, to midnight", "00:00", "03 00:00", {"02": (960, 0)}, 0, 0),
        ("a second short of midnight", "00:00", "02 23:59:59", {}, 960, 0),
        ("a quarter past midnight", "00:00", "03 00:15", {"02": (950, 950)}, 10, 10),
        ("two days", "00:00", "04 00:00", {"02": (480, 480), "03": (480, 480)}, 0, 0),
        ("inside the day", "07:00", "02 09:00", {}, 960, 0),
    ],
)
def test_days_in_a_gap(what, since, until, closed, open_day_wh, open_day_estimated_wh):
    account = Metered(f"2026-07-02 {since} 0")
    assert account.at(f"2026-07-{until}", 960) == "accepted", what
    assert account.closed() == {f"2026-07-{day}": wh for day, wh in closed.items()}
    assert account.row["day_wh"] == open_day_wh
    assert account.row["day_estimated_wh"] == open_day_estimated_wh


@pytest.mark.parametrize(
    ("what", "since", "until", "june", "july", "estimated_wh"),
    [
        ("read at the month's end", "06-30 00:00", "07-01 00:00", (960,), (), ()),
        ("a quarter past it", "06-30 00:00", "07-01 00:15", (950,), (10,), (10,)),
        ("half and half", "06-30 12:00", "07-01 12:00", (480,), (480,), (480,)),
        ("May, June and July: May's belongs to June", "05-31 00:00", "07-01 16:00",
         (939,), (21,), (21,)),
    ],
)  # fmt: skip
def test_months_in_a_gap(what, since, until, june, july, estimated_wh):
    account = Metered(f"2026-{since} 0", tariff="one-rate")
    assert account.at(f"2026-{until}", 960) == "accepted", what
    june_with_may = account.used_wh("2026-06")
    assert june_with_may == june
    assert account.used_wh("2026-07") == july
    if july:
        assert account.estimated_wh() == estimated_wh


def test_a_gap_over_the_years_end():
    account = Metered("2025-12-31 00:00 0", tariff="one-rate")
    assert account.at("2026-01-02 00:00", 960) == "accepted"
    assert (account.used_wh("2025-12"), account.used_wh("2026-01")) == ((480,), (480,))
    assert account.closed() == {"2025-12-31": (480, 480), "2026-01-01": (480, 480)}


@pytest.mark.parametrize(
    ("what", "since", "until", "hours_of_day_and_night"),
    [
        ("the clock goes forward: 23 hours", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00",
         (0, 23)),  # a Sunday is night throughout
        ("the night before it", "2026-03-28T00:00+01:00", "2026-03-29T06:00+02:00", (0, 29)),
        ("the clock goes back: 25 hours", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00",
         (0, 25)),
        ("and the Monday after: night to 06:00", "2026-10-25T00:00+02:00",
         "2026-10-26T08:00+01:00", (2, 31)),
    ],
)  # fmt: skip
def test_a_gap_over_a_change_of_the_clock(what, since, until, hours_of_day_and_night):
    account = Metered(tariff="three-rate")
    account.at(since, 0)
    day, night = hours_of_day_and_night
    assert account.at(until, 100 * (day + night)) == "accepted", what
    expected = (100 * day, 100 * night) if day else (0, 100 * night)
    assert account.used_wh() == expected


def test_the_accounts_own_load_by_hour_shares_a_gap():
    account = Metered("2026-07-02 07:00 0")
    account.at("2026-07-02 08:00", 1_000)  # 1 kW at seven
    account.at("2026-07-02 09:00", 4_000)  # 3 kW at eight
    account.at("2026-07-03 07:00", 20_000)
    peak, valley = account.used_wh()
    assert account.at("2026-07-03 09:00", 28_000) == "accepted"
    # 8,000 Wh by 5,461 and 16,383 parts of 65,535: a quarter to the valley
    assert account.used_wh() == (peak + 6_000, valley + 2_000)


@pytest.mark.parametrize(
    ("what", "at_21", "used_wh"),
    [
        ("nothing known of 21 and 22: alike", None, (3_000, 1_000)),
        ("at 21 as much as at 12, at 22 unknown: like their mean", 2_000, (3_000, 1_000)),
        ("at 21 three times as much: the mean is two", 4_000, (1_000 + 3_000 + 1_200, 800)),
        ("at 21 nothing at all: everything at 22", 1_000, (1_000, 2_000)),
    ],
)
def test_hours_of_which_nothing_is_known_weigh_like_the_mean_of_the_others(what, at_21, used_wh):
    account = Metered("2026-07-02 12:00 0")
    account.at("2026-07-02 13:00", 1_000)
    account.at("2026-07-02 21:00", 2_000 if at_21 is None else 1_000)
    register = 2_000
    if at_21 is not None:
        account.at("2026-07-02 22:00", register := at_21)
        account.at("2026-07-03 21:00", register)
    night = "2026-07-02" if at_21 is None else "2026-07-03"
    assert account.at(f"{night} 23:00", register + 2_000) == "accepted", what
    assert account.used_wh() == used_wh


def test_a_gap_of_many_years_is_spread_over_its_last_two():
    terms = Terms("one-rate", meter=MeterSettings("m-1", 0))
    street = Street([terms])
    street.read([Read(clock("2024-01-02 00:00"), 0)])
    assert street.read([Read(clock("2026-07-01 00:00"), 730_000)]) == ["accepted"]
    assert sum(street.used_by_month_and_period(0).values()) == 730_000
    assert len(street.days[0]) == 731  # the first day, long ago, and two years


def test_a_daily_freeze_meter_closes_each_day_at_midnight():
    account = Metered("2026-07-01 00:00 1000000", tariff="one-rate")
    for day in range(2, 32):
        assert account.at(f"2026-07-{day:02d} 00:00", 1_000_000 + 8_000 * (day - 1)) == "accepted"
        assert account.closed()[f"2026-07-{day - 1:02d}"] == (8_000, 0)
    assert account.used_wh() == (30 * 8_000,)
    assert account.estimated_wh() == ()
    assert account.row["day_wh"] == 0


def test_a_year_of_quarter_hours_adds_up_in_every_month():
    account = Metered("2026-01-01 00:00 0")
    at, register = clock("2026-01-01 00:00"), 0
    for quarter in range(1, 96 * 40 + 1):
        register += quarter % 7
        assert account.read([Read(at + 900 * quarter, register)]) == ["accepted"]
    assert sum(account.used_by_month_and_period(0).values()) == register
    assert account.estimated_by_month_and_period(0) == {}
    assert sum(used for used, _ in account.days[0].values()) + account.row["day_wh"] == register


# --- exchange of the meter --------------------------------------------------------------------


def exchanged(account: Metered, at: str, **meter: int | None) -> Outcome | None:
    """Exchange the meter; what became of the old one's final register."""
    terms = Terms(meter=MeterSettings("m-2", clock(at), **meter))
    return account.settle(0, terms).final_outcome


@pytest.mark.parametrize(
    ("what", "meter", "outcome", "used_wh"),
    [
        ("final and start register", {"previous_final_register_wh": 1_300, "start_register_wh": 50},
         Outcome.ACCEPTED, 300 + 150),
        ("no start: its first reading only opens", {"previous_final_register_wh": 1_300},
         Outcome.ACCEPTED, 300),
        ("no final: what the old one counted is not guessed", {"start_register_wh": 50},
         None, 150),
        ("neither", {}, None, 0),
        ("a final that is too low", {"previous_final_register_wh": 900, "start_register_wh": 50},
         Outcome.REFUSED, 150),
        ("a final that is too high", {"previous_final_register_wh": 90_000, "start_register_wh": 9},
         Outcome.REFUSED, 191),
        ("the new one's multiplier", {"previous_final_register_wh": 1_300, "start_register_wh": 50,
                                      "multiplier": 2}, Outcome.ACCEPTED, 300 + 300),
    ],
)  # fmt: skip
def test_a_meter_is_exchanged(what, meter, outcome, used_wh):
    account = Metered("2026-07-01 09:00 1000")
    assert exchanged(account, "2026-07-01 10:00", **meter) == outcome, what
    assert account.at("2026-07-01 11:00", 200, meter="m-2") == "accepted"
    assert account.at("2026-07-01 11:15", 1_400) == "unknown_meter"
    assert sum(account.used_wh()) == used_wh


def test_an_exchange_that_is_told_late_still_counts_from_its_own_time():
    account = Metered("2026-07-01 09:00 1000")
    assert account.at("2026-07-01 12:00", 300, meter="m-2") == "unknown_meter"
    exchanged(account, "2026-07-01 10:00", previous_final_register_wh=1_300, start_register_wh=0)
    assert account.at("2026-07-01 12:15", 400, meter="m-2") == "accepted"
    assert account.used_wh() == (700,)


def test_an_exchange_after_midnight_closes_the_day_before():
    account = Metered("2026-07-01 09:00 1000")
    terms = Terms(meter=MeterSettings("m-2", clock("2026-07-02 06:00"), 1, 10**9, 0, 1_300))
    account.settle(0, terms)
    assert list(account.closed()) == ["2026-07-01"]
    assert account.at("2026-07-02 06:15", 20, meter="m-2") == "accepted"
    assert sum(account.used_wh()) == 320


def test_the_same_meter_again_renews_only_its_constants():
    account = Metered("2026-07-01 09:00 1000")
    terms = Terms(meter=MeterSettings("m-1", 0, 2))
    assert account.settle(0, terms).final_outcome is None
    assert account.at("2026-07-01 09:15", 1_100) == "accepted"
    assert account.used_wh() == (200,)


@pytest.mark.parametrize(
    ("what", "days_before", "used_wh"),
    [
        ("installed 35 days ago: its energy is this account's", 35, 5_000),
        ("longer ago: billed elsewhere, only the baseline", 36, 0),
    ],
)
def test_the_start_register_of_a_new_account(what, days_before, used_wh):
    now = clock("2026-07-20 00:00")
    meter = MeterSettings("m-1", now - days_before * 86_400, start_register_wh=100)
    account = Street([Terms(meter=meter)])
    assert account.read([Read(now, 5_100)]) == ["accepted"], what
    assert sum(account.used_by_month_and_period(0).values()) == used_wh
    assert account.read([Read(now + 900, 5_200)]) == ["accepted"]
    assert sum(account.used_by_month_and_period(0).values()) == used_wh + 100


def test_an_old_start_register_is_forgotten_when_intervals_come_first():
    now = clock("2026-07-20 12:00")
    terms = Terms(meter=MeterSettings("m-1", now - 40 * 86_400, start_register_wh=100))
    account = Street([terms])
    assert account.read([Read(now, None, 900, 70)]) == ["accepted"]
    assert account.read([Read(now + 900, 5_100)]) == ["accepted"]
    assert sum(account.used_by_month_and_period(0).values()) == 70
    young = Street([replace(terms, meter=replace(terms.meter, installed_at=now - 900))])
    young.read([Read(now, None, 900, 70)])
    assert young.read([Read(now + 900, 190)]) == ["accepted"]
    assert sum(young.used_by_month_and_period(0).values()) == 90
