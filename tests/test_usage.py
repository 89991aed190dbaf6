"""What becomes of register readings: one line per rule, with both sides of its edge.

A resident with 12 kW in China: valley 22:00-08:00, peak 08:00-22:00, registers in Wh with two
decimals of a kWh (one unit is 10 Wh).  12 kW make 3,000 Wh in a quarter-hour; with the tenth on top
and one unit, 3,310 Wh are plausible.
"""

from __future__ import annotations

import numpy as np
import pytest

from scoring.effects import Reason
from scoring.verdicts import REASONS
from tests.metered import Metered

START = "2026-07-01 09:00 1000000"


@pytest.mark.parametrize(
    ("what", "reading", "outcome", "used_wh"),
    [
        ("the next reading", ("09:15", 1_000_500), "accepted", (500,)),
        ("nothing used", ("09:15", 1_000_000), "accepted", ()),
        ("the same reading again", ("09:00", 1_000_000), "repeated", ()),
        ("another value for the same time", ("09:00", 1_000_010), "register_conflict", ()),
        ("an older reading, lower", ("08:45", 999_900), "superseded", ()),
        ("an older reading, as high", ("08:45", 1_000_000), "superseded", ()),
        ("an older reading, higher", ("08:45", 1_000_001), "register_went_back", ()),
        ("a lower value later", ("09:15", 999_999), "register_went_back", ()),
        ("as much as is plausible", ("09:15", 1_003_310), "accepted", (3_310,)),
        ("one watt-hour more", ("09:15", 1_003_311), "energy_impossible", ()),
        ("twice as much in twice the time", ("09:30", 1_006_610), "accepted", (6_610,)),
        ("above the register's last number", ("09:15", 1_000_000_000), "energy_impossible", ()),
    ],
)
def test_a_register_reading_after_one_million_at_nine(what, reading, outcome, used_wh):
    account = Metered(START)
    assert account.at(f"2026-07-01 {reading[0]}", reading[1]) == outcome, what
    assert account.used_wh() == used_wh


def test_the_first_reading_only_opens_the_count():
    account = Metered()
    assert account.at("2026-07-01 09:00", 734_560) == "accepted"
    assert account.used_wh() == ()
    assert account.closed() == {}
    assert account.at("2026-07-01 09:15", 734_660) == "accepted"
    assert account.used_wh() == (100,)


@pytest.mark.parametrize(
    ("what", "received", "outcome"),
    [
        ("the meter's clock is 300 s ahead", "2026-07-01 09:10:00", "accepted"),
        ("301 s ahead", "2026-07-01 09:09:59", "read_in_future"),
        ("it comes two years less a second later", "2028-06-30 09:14:59", "accepted"),
        ("it comes two years later", "2028-06-30 09:15:00", "read_too_old"),
    ],
)
def test_the_time_of_a_reading_against_its_arrival(what, received, outcome):
    account = Metered(START)
    assert account.at("2026-07-01 09:15", 1_000_100, received=received) == outcome, what


@pytest.mark.parametrize(
    ("what", "read_at", "outcome"),
    [
        ("years before any tariff", "2000-12-31 09:00", "read_too_old"),
        ("the first year that counts", "2001-01-03 09:00", "accepted"),
        ("the last year that counts", "2058-12-30 09:00", "accepted"),
        ("the year in which local time ends", "2059-01-01 09:00", "read_in_future"),
    ],
)
def test_years_outside_the_calendar_are_refused_whatever_the_broker_says(what, read_at, outcome):
    assert Metered().at(read_at, 5) == outcome, what


@pytest.mark.parametrize(
    ("what", "reading", "outcome"),
    [
        ("another meter's", {"meter": "m-2"}, "unknown_meter"),
        ("marked suspect by the head end", {"quality": "suspect"}, "quality_suspect"),
        ("neither register nor interval", {"register": None}, "wrong_shape"),
        ("only per-rate registers", {"register": None, "rates": (1, 2)}, "wrong_shape"),
    ],
)
def test_readings_that_are_none_of_this_meter(what, reading, outcome):
    account = Metered(START)
    register = reading.pop("register", 1_000_100)
    assert account.at("2026-07-01 09:15", register, **reading) == outcome, what
    assert account.used_wh() == ()


def test_an_account_without_settings_or_tariff_is_named():
    account = Metered()
    account.ledger["settings_version"] = 0
    assert account.at("2026-07-01 09:00", 5) == "unknown_account"
    account.ledger["settings_version"] = 1
    account.index[:] = -1
    assert account.at("2026-07-01 09:00", 5) == "unknown_tariff"


@pytest.mark.parametrize(
    ("what", "last", "new", "outcome", "used_wh"),
    [
        ("rolls over from 999,999.90 kWh", 999_999_900, 200, "accepted", (300,)),
        ("rolls over and the most is plausible", 999_999_900, 3_210, "accepted", (3_310,)),
        ("one watt-hour more: it went back", 999_999_900, 3_211, "register_went_back", ()),
        ("rolls over to nought", 999_999_990, 0, "accepted", (10,)),
        ("not near the end: it went back", 500_000_000, 200, "register_went_back", ()),
    ],
)
def test_a_register_of_six_digits_rolls_over(what, last, new, outcome, used_wh):
    account = Metered(f"2026-07-01 09:00 {last}")
    assert account.at("2026-07-01 09:15", new) == outcome, what
    assert account.used_wh() == used_wh


@pytest.mark.parametrize(
    ("what", "new", "outcome", "used_wh"),
    [
        ("a hundred on the meter are eight thousand", 100_100, "accepted", (8_000,)),
        ("the multiplier comes after the difference", 100_041, "accepted", (3_280,)),
        ("241,300 Wh: 240,000 + 10 % ... and a unit of 800", 103_310, "accepted", (264_800,)),
        ("the next step is too much", 103_311, "energy_impossible", ()),
    ],
)
def test_the_multiplier_of_current_and_voltage_transformers(what, new, outcome, used_wh):
    account = Metered("2026-07-01 09:00 100000", multiplier=80, max_power_w=960_000)
    assert account.at("2026-07-01 09:15", new) == outcome, what
    assert account.used_wh() == used_wh


def test_rollover_and_multiplier_together():
    account = Metered("2026-07-01 09:00 999990", multiplier=80, modulus=1_000_000)
    assert account.at("2026-07-01 10:00", 20) == "accepted"
    assert account.used_wh() == (2_400,)


def test_a_per_rate_register_above_its_last_number_is_impossible():
    account = Metered(START, modulus=2_000_000)
    assert account.at("2026-07-01 09:15", 1_000_100, rates=(5, 1_999_999)) == "accepted"
    assert account.at("2026-07-01 09:30", 1_000_200, rates=(5, 2_000_000)) == "energy_impossible"


def test_a_reading_that_comes_late_changes_nothing_and_loses_nothing():
    account = Metered(START)
    assert account.at("2026-07-01 09:45", 1_000_900) == "accepted"
    assert account.at("2026-07-01 09:30", 1_000_600) == "superseded"
    assert account.at("2026-07-01 09:15", 1_000_300) == "superseded"
    assert account.used_wh() == (900,)


def test_a_refused_reading_is_made_good_by_the_next_one():
    account = Metered(START)
    assert account.at("2026-07-01 09:15", 1_009_000) == "energy_impossible"
    assert account.at("2026-07-01 09:30", 1_000_800) == "accepted"
    assert account.used_wh() == (800,)


@pytest.mark.parametrize(
    ("what", "reading", "outcome", "used_wh", "estimated_wh"),
    [
        ("an estimate counts", ("09:15", 1_000_500, "estimated"), "accepted", (500,), (500,)),
        ("a suspect value does not", ("09:15", 1_000_500, "suspect"), "quality_suspect", (), ()),
        ("nor an impossible one", ("09:15", 1_003_311, "estimated"), "energy_impossible", (), ()),
    ],
)
def test_values_that_the_head_end_has_judged(what, reading, outcome, used_wh, estimated_wh):
    account = Metered(START)
    when, register, quality = reading
    assert account.at(f"2026-07-01 {when}", register, quality=quality) == outcome, what
    assert account.used_wh() == used_wh
    assert account.estimated_wh() == estimated_wh


@pytest.mark.parametrize(
    ("what", "when", "register", "outcome", "used_wh", "estimated_wh"),
    [
        ("at the same time, lower", "09:15", 1_000_300, "accepted", 300, 300),
        ("at the same time, equal", "09:15", 1_000_500, "accepted", 500, 500),
        ("at the same time, higher", "09:15", 1_000_510, "register_conflict", 500, 500),
        ("later, lower", "09:30", 1_000_300, "accepted", 300, 300),
        ("later, as low as before the estimate", "09:30", 1_000_000, "accepted", 0, 0),
        ("later, two units lower than that", "09:30", 999_980, "accepted", 0, 0),
        ("later, lower still", "09:30", 999_979, "register_went_back", 500, 500),
        ("later, higher", "09:30", 1_000_700, "accepted", 700, 500),
        ("of before the estimate, higher", "09:10", 1_000_600, "superseded", 500, 500),
    ],
)
def test_an_actual_reading_puts_the_head_ends_estimate_right(
    what, when, register, outcome, used_wh, estimated_wh
):
    account = Metered(START)
    assert account.at("2026-07-01 09:15", 1_000_500, quality="estimated") == "accepted"
    assert account.at(f"2026-07-01 {when}", register) == outcome, what
    assert sum(account.used_wh()) == used_wh
    assert sum(account.estimated_wh()) == estimated_wh
    assert account.row["day_wh"] == used_wh


def test_an_estimate_that_intervals_have_told_is_set_against_the_next_gap():
    account = Metered(START)
    account.at("2026-07-01 09:15", 1_000_500, quality="estimated")
    account.at("2026-07-01 09:15", interval=(900, 500))  # nothing is a guess any more
    assert account.at("2026-07-01 09:30", 1_000_300) == "accepted"
    assert account.used_wh() == (500,)
    assert account.at("2026-07-01 09:45", 1_000_400) == "intervals_above_register"
    assert account.at("2026-07-01 10:00", 1_000_600) == "accepted"
    assert account.used_wh() == (600,)


def test_an_estimate_cannot_open_a_meter():
    assert Metered().at("2026-07-01 09:00", 500, quality="estimated") == "quality_suspect"


def test_after_a_correction_the_next_gap_counts_whole():
    account = Metered(START)
    account.at("2026-07-01 09:15", 1_000_500, quality="estimated")
    account.at("2026-07-01 09:30", 1_000_300)
    assert account.at("2026-07-01 09:45", 1_000_400) == "accepted"
    assert account.used_wh() == (400,)


def test_what_an_actual_reading_has_proven_is_not_taken_back_later():
    account = Metered(START)
    account.at("2026-07-01 09:15", 1_000_500, quality="estimated")
    account.at("2026-07-01 09:30", 1_000_600)
    assert account.at("2026-07-01 09:45", 1_000_400) == "register_went_back"
    assert account.used_wh() == (600,)


def test_the_load_of_each_hour_is_learned_from_exact_gaps_of_an_hour_at_most():
    account = Metered("2026-07-01 09:00 0")
    account.at("2026-07-01 10:00", 6_000)  # half of 12 kW
    assert account.row["hour_load"][9] == 32_767
    account.at("2026-07-01 10:15", 9_000 - 1)
    assert account.row["hour_load"][10] == 65_513
    account.at("2026-07-01 11:30", 10_000)  # 75 minutes: too long to say
    assert account.row["hour_load"][11] == 0
    account.at("2026-07-02 09:00", 30_000)
    account.at("2026-07-02 10:00", 30_000)  # nothing used: an eighth of the way down
    assert account.row["hour_load"][9] == 32_767 - 4_096


def test_reasons_are_told_by_name():
    assert len(set(REASONS)) == len(REASONS)
    assert all(isinstance(reason, Reason) for reason in REASONS)


def test_an_empty_batch_closes_nothing():
    account = Metered()
    assert account.read([]) == []
    assert not np.any(account.ledger["used_wh"])
