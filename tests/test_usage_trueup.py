"""Intervals, and what puts an estimated split right: late intervals and per-rate registers.

Valley 22:00-08:00, peak 08:00-22:00 in China; no hour's load is known, so gaps are shared by time.
"""

from __future__ import annotations

import pytest

from tests.metered import Metered

QUARTER = 900
HOUR = 3_600
DAY = 86_400


# --- intervals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "end", "seconds", "energy_wh", "outcome", "used_wh"),
    [
        ("the next quarter-hour", "09:30", QUARTER, 70, "accepted", 170),
        ("one quarter later: a hole is left", "09:45", QUARTER, 70, "accepted", 170),
        ("the same again", "09:15", QUARTER, 100, "repeated", 100),
        ("the same with another value", "09:15", QUARTER, 70, "repeated", 100),
        ("one that was missing", "09:00", QUARTER, 70, "accepted", 170),
        ("an hour that contains it", "09:15", HOUR, 70, "interval_overlaps", 100),
        ("an hour beside it", "09:00", HOUR, 70, "accepted", 170),
        ("a whole day before it", "09:00", DAY, 70, "accepted", 170),
        ("a day and a quarter", "09:00", DAY + QUARTER, 70, "interval_misaligned", 100),
        ("not whole quarters long", "09:30", 600, 70, "interval_misaligned", 100),
        ("not at a quarter", "09:31", QUARTER, 70, "interval_misaligned", 100),
        ("negative length", "09:30", -QUARTER, 70, "interval_misaligned", 100),
        ("negative energy", "09:30", QUARTER, -1, "energy_impossible", 100),
        ("as much as is plausible", "09:30", QUARTER, 3_310, "accepted", 3_410),
        ("one watt-hour more", "09:30", QUARTER, 3_311, "energy_impossible", 100),
        ("no energy", "09:30", QUARTER, 0, "accepted", 100),
    ],
)
def test_an_interval_after_100_wh_until_a_quarter_past_nine(
    what, end, seconds, energy_wh, outcome, used_wh
):
    account = Metered()
    assert account.at("2026-07-01 09:15", interval=(QUARTER, 100)) == "accepted"
    account.ledger["previous_month_open"] = 1  # June is open for what comes late
    assert account.at(f"2026-07-01 {end}", interval=(seconds, energy_wh)) == outcome, what
    assert account.row["used_wh"].sum() == used_wh


@pytest.mark.parametrize(
    ("what", "end", "outcome"),
    [
        ("the oldest quarter-hour of six days", "07-14 09:15", "accepted"),
        ("the one before it", "07-14 09:00", "read_too_old"),
    ],
)
def test_how_old_an_interval_may_be(what, end, outcome):
    account = Metered()
    account.at("2026-07-20 09:00", interval=(QUARTER, 100))
    assert account.at(f"2026-{end}", interval=(QUARTER, 70)) == outcome, what


@pytest.mark.parametrize(
    ("what", "newest", "outcome", "june"),
    [
        ("June is open", "07-05 12:00", "accepted", (170,)),
        ("June is closed", "07-06 00:15", "month_closed", (100,)),
    ],
)
def test_late_intervals_of_a_month_that_has_ended(what, newest, outcome, june):
    account = Metered(tariff="one-rate")
    account.at("2026-06-30 12:00", interval=(QUARTER, 100))
    account.at("2026-07-01 12:00", interval=(QUARTER, 10))
    account.at(f"2026-{newest}", interval=(QUARTER, 10))
    assert account.at("2026-06-30 23:30", interval=(QUARTER, 70)) == outcome, what
    assert account.used_wh("2026-06") == june


def test_a_long_interval_is_shared_like_a_gap_and_told_once():
    account = Metered()
    assert account.at("2026-07-01 09:00", interval=(2 * HOUR, 800)) == "accepted"
    assert account.used_wh() == account.estimated_wh() == (400, 400)
    assert account.at("2026-07-01 08:00", interval=(QUARTER, 50)) == "repeated"


def test_late_intervals_of_a_closed_day_count_in_the_open_one_as_a_guess():
    account = Metered()
    account.at("2026-07-10 12:00", interval=(QUARTER, 100))
    account.at("2026-07-11 12:00", interval=(QUARTER, 10))
    assert account.at("2026-07-10 18:00", interval=(QUARTER, 70)) == "accepted"
    assert account.closed() == {"2026-07-10": (100, 0)}
    assert (account.row["day_wh"], account.row["day_estimated_wh"]) == (80, 70)


@pytest.mark.parametrize(
    ("what", "start", "estimate", "actual", "used_wh", "estimated_wh"),
    [
        ("no register will tell: it counts", "", "accepted", "repeated", (90,), (90,)),
        ("a register will: nothing new", "2026-07-01 09:00 0", "superseded", "accepted", (70,), ()),
    ],
)
def test_an_interval_that_the_head_end_has_estimated(
    what, start, estimate, actual, used_wh, estimated_wh
):
    account = Metered(start)
    when = "2026-07-01 09:15"
    assert account.at(when, interval=(QUARTER, 90), quality="estimated") == estimate, what
    assert account.at(when, interval=(QUARTER, 70)) == actual
    assert account.used_wh() == used_wh
    assert account.estimated_wh() == estimated_wh


# --- intervals and registers together -----------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "register", "outcome", "used_wh"),
    [
        ("the register says the same", 300, "accepted", 300),
        ("it says more: the rest was between them", 1_000, "accepted", 1_000),
        ("two units less: kept for the next gap", 280, "accepted", 300),
        ("still less", 279, "intervals_above_register", 300),
    ],
)
def test_a_register_after_intervals(what, register, outcome, used_wh):
    account = Metered("2026-07-01 09:00 0")
    account.at("2026-07-01 09:15", interval=(QUARTER, 100))
    account.at("2026-07-01 09:45", interval=(QUARTER, 200))
    assert account.at("2026-07-01 10:00", register) == outcome, what
    assert account.used_wh() == (used_wh,)
    assert account.at("2026-07-01 10:15", register + 500) == "accepted"
    assert account.used_wh() == (register + 500,)


def test_a_first_register_older_than_intervals_does_not_open_the_count():
    account = Metered()
    account.at("2026-07-01 09:30", interval=(QUARTER, 100))
    assert account.at("2026-07-01 09:15", 5_000) == "superseded"
    assert account.at("2026-07-01 09:30", 5_100) == "accepted"
    assert account.at("2026-07-01 09:45", 5_200) == "accepted"
    assert account.used_wh() == (200,)


def test_a_gap_in_which_an_interval_was_counted_teaches_no_load():
    account = Metered("2026-07-01 09:00 0")
    account.at("2026-07-01 09:15", interval=(QUARTER, 0))
    learned = account.row["hour_load"].tolist()
    account.at("2026-07-01 10:00", 3_000)
    assert account.row["hour_load"].tolist() == learned


def test_what_intervals_have_not_told_lies_in_the_quarters_they_left_out():
    account = Metered("2026-07-01 07:00 0")
    for end in ("07:15", "07:30", "07:45", "08:00"):  # the whole valley part
        account.at(f"2026-07-01 {end}", interval=(QUARTER, 10))
    assert account.at("2026-07-01 09:00", 140) == "accepted"
    assert account.used_wh() == (100, 40)
    assert account.estimated_wh() == ()


def test_a_register_older_than_intervals_that_are_counted_waits_for_the_next():
    account = Metered("2026-07-01 09:00 0")
    account.at("2026-07-01 09:30", interval=(QUARTER, 100))
    assert account.at("2026-07-01 09:15", 70) == "superseded"
    assert account.at("2026-07-01 09:45", 250) == "accepted"
    assert account.used_wh() == (250,)


@pytest.mark.parametrize(
    ("what", "reading", "outcome", "used_wh", "estimated_wh"),
    [
        ("the register's gap is the interval", ("09:15", 100, QUARTER, 90), "accepted",
         (100,), ()),
        ("the interval tells the end of a longer gap", ("08:30", 130, HOUR // 2, 30), "accepted",
         (30, 100), ()),
        ("it has more than the register: the register rules", ("08:30", 90, HOUR // 2, 91),
         "accepted", (30, 60), (30, 60)),
        ("it is not aligned: the register rules", ("08:30", 90, 1_000, 30), "accepted",
         (30, 60), (30, 60)),
    ],
)  # fmt: skip
def test_a_reading_with_both(what, reading, outcome, used_wh, estimated_wh):
    end, register, seconds, energy_wh = reading
    start = "09:00" if end == "09:15" else "07:00"
    account = Metered(f"2026-07-02 {start} 0")
    both = account.at(f"2026-07-02 {end}", register, interval=(seconds, energy_wh))
    assert both == outcome, what
    assert account.used_wh() == used_wh
    assert account.estimated_wh() == estimated_wh


# --- true-up by late intervals ------------------------------------------------------------------


def halves() -> Metered:
    """An account whose gap from 07:00 to 09:00 was 800 Wh: a guess of 400 peak and 400 valley."""
    account = Metered("2026-07-02 07:00 0")
    assert account.at("2026-07-02 09:00", 800) == "accepted"
    assert account.used_wh() == account.estimated_wh() == (400, 400)
    return account


@pytest.mark.parametrize(
    ("what", "intervals", "last_outcome", "used_wh", "estimated_wh"),
    [
        ("the valley's first quarter", [("07:15", 90)], "accepted", (400, 400), (400, 310)),
        ("the same twice", [("07:15", 90), ("07:15", 90)], "repeated", (400, 400), (400, 310)),
        ("more valley than was guessed",
         [("07:15", 150), ("07:30", 150), ("07:45", 150), ("08:00", 150)], "accepted",
         (200, 600), (200, 0)),
        ("all eight, in any order",
         [("08:15", 50), ("08:00", 150), ("07:15", 150), ("08:30", 50), ("07:45", 150),
          ("09:00", 50), ("07:30", 150), ("08:45", 50)], "accepted", (200, 600), ()),
        ("two units more than there is", [("07:15", 820)], "accepted", (0, 800), ()),
        ("still more", [("07:15", 821)], "intervals_above_register", (400, 400), (400, 400)),
        ("no more is guessed", [("07:15", 800), ("07:30", 10)], "superseded", (0, 800), ()),
        ("before the first register", [("07:00", 90)], "accepted", (400, 400), (400, 310)),
    ],
)  # fmt: skip
def test_late_intervals_true_up_an_estimated_gap(
    what, intervals, last_outcome, used_wh, estimated_wh
):
    account = halves()
    outcomes = [account.at(f"2026-07-02 {end}", interval=(QUARTER, wh)) for end, wh in intervals]
    assert outcomes[-1] == last_outcome, what
    assert account.used_wh() == used_wh
    assert _cut(account.estimated_wh()) == _cut(estimated_wh)


@pytest.mark.parametrize(
    ("what", "interval", "outcome"),
    [
        ("over the change of the rate: it says nothing new", ("08:15", HOUR // 2), "superseded"),
        ("over the register's own time", ("09:15", HOUR // 2), "interval_overlaps"),
        ("after it: new energy", ("09:15", QUARTER), "accepted"),
        ("in the gap before, which was exact", ("06:45", QUARTER), "repeated"),
    ],
)
def test_late_intervals_that_cannot_true_up(what, interval, outcome):
    account = Metered("2026-07-02 06:30 0")
    account.at("2026-07-02 07:00", 0)
    account.at("2026-07-02 09:00", 800)
    end, seconds = interval
    assert account.at(f"2026-07-02 {end}", interval=(seconds, 50)) == outcome, what


@pytest.mark.parametrize(
    ("what", "end", "outcome"),
    [
        ("inside the gap", "09:00", "accepted"),
        ("the quarter-hour that the register cuts in two", "09:15", "repeated"),
        ("after it", "09:30", "accepted"),
    ],
)
def test_a_register_between_two_quarters(what, end, outcome):
    account = Metered("2026-07-02 07:00 0")
    account.at("2026-07-02 09:07", 800)
    assert account.at(f"2026-07-02 {end}", interval=(QUARTER, 50)) == outcome, what


def test_a_late_interval_takes_from_the_guesses_of_its_own_month_first():
    account = Metered("2026-06-30 18:00 0")
    account.at("2026-07-01 04:00", 1_000)
    june, july = (400, 200), (0, 400)
    assert (account.estimated_wh(1), account.estimated_wh(0)) == (june, july)
    assert account.at("2026-06-30 23:00", interval=(QUARTER, 300)) == "accepted"
    assert account.used_wh("2026-06") == (300, 300)
    assert account.used_wh("2026-07") == july
    assert account.at("2026-07-01 00:15", interval=(QUARTER, 500)) == "accepted"
    assert account.used_wh("2026-06") == (200, 300)
    assert account.used_wh("2026-07") == (0, 500)
    assert (account.estimated_wh(1), account.estimated_wh(0)) == ((200,), ())


def test_a_late_reading_with_both_may_still_true_up():
    account = halves()
    late = account.at("2026-07-02 08:00", 700, interval=(HOUR, 700))
    assert late == "accepted"
    assert account.used_wh() == (100, 700)
    assert account.estimated_wh() == (100,)


# --- true-up by per-rate registers ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "rates", "outcome", "used_wh", "estimated_wh"),
    [
        ("none: a guess by time", None, "accepted", (560, 400), (560, 400)),
        ("as guessed", (1_560, 2_400), "accepted", (560, 400), ()),
        ("mostly peak", (1_900, 2_060), "accepted", (900, 60), ()),
        ("all valley", (1_000, 2_960), "accepted", (0, 960), ()),
        ("two units more than the total", (1_920, 2_060), "accepted", (900, 60), ()),
        ("two units less", (1_880, 2_060), "accepted", (880, 80), ()),
        ("still more", (1_921, 2_060), "rate_registers_disagree", (), ()),
        ("still less", (1_879, 2_060), "rate_registers_disagree", (), ()),
        ("a third register: opens anew", (1_900, 2_060, 0), "accepted", (560, 400), (560, 400)),
    ],
)
def test_daily_per_rate_registers(what, rates, outcome, used_wh, estimated_wh):
    account = Metered()
    account.at("2026-07-02 00:00", 5_000, rates=(1_000, 2_000))
    assert account.at("2026-07-03 00:00", 5_960, rates=rates) == outcome, what
    assert account.used_wh() == used_wh
    assert account.estimated_wh() == estimated_wh


def test_what_rounding_leaves_over_is_made_good_by_the_next_per_rate_reading():
    account = Metered()
    account.at("2026-07-02 00:00", 0, rates=(0, 0))
    account.at("2026-07-03 00:00", 960, rates=(920, 60))  # 20 Wh too much in sum
    assert account.used_wh() == (900, 60)
    account.at("2026-07-04 00:00", 1_960, rates=(1_420, 540))  # the sums agree again
    assert account.used_wh() == (1_420, 540)


def test_per_rate_registers_cover_all_gaps_since_their_last_reading():
    account = Metered()
    account.at("2026-07-02 00:00", 0, rates=(0, 0))
    account.at("2026-07-02 09:00", 900)
    account.at("2026-07-02 12:00", 1_500)
    assert account.used_wh() == (700, 800)
    assert account.estimated_wh() == (100, 800)
    account.at("2026-07-02 15:00", 1_700, rates=(1_100, 600))
    assert account.used_wh() == (1_100, 600)
    assert account.estimated_wh() == ()


def test_per_rate_registers_say_nothing_of_guesses_from_before_their_first_reading():
    account = halves()
    account.at("2026-07-02 09:15", 900, rates=(0, 0))
    account.at("2026-07-02 23:15", 2_380, rates=(1_400, 80))
    assert account.used_wh() == (400 + 100 + 1_400, 400 + 80)
    assert account.estimated_wh() == (400, 400)


def test_what_per_rate_registers_have_told_needs_no_late_intervals():
    account = halves()
    account.at("2026-07-02 09:15", 900, rates=(0, 0))
    account.at("2026-07-02 23:15", 2_380, rates=(1_400, 80))
    assert account.at("2026-07-02 12:00", interval=(QUARTER, 50)) == "repeated"
    assert account.at("2026-07-02 08:00", interval=(QUARTER, 50)) == "accepted"


def test_per_rate_registers_may_come_after_their_total():
    account = Metered()
    account.at("2026-07-02 00:00", 0, rates=(0, 0))
    account.at("2026-07-03 00:00", 960)
    assert account.at("2026-07-03 00:00", 960, rates=(900, 60)) == "accepted"
    assert account.used_wh() == (900, 60)
    assert account.at("2026-07-03 00:00", 960, rates=(900, 60)) == "repeated"
    assert account.at("2026-07-03 00:00", 960, rates=(800, 60)) == "rate_registers_disagree"


def test_over_a_months_end_the_rates_are_known_but_the_months_stay_a_guess():
    account = Metered()
    account.at("2026-06-30 00:00", 0, rates=(0, 0))
    account.at("2026-07-02 00:00", 1_920, rates=(1_800, 120))
    june, july = account.used_wh("2026-06"), account.used_wh("2026-07")
    assert (june, july) == ((840, 120), (960,))
    assert (account.estimated_wh(1), account.estimated_wh(0)) == (june, july)


def test_a_per_rate_register_rolls_over():
    account = Metered(modulus=1_000_000)
    account.at("2026-07-02 00:00", 5_000, rates=(999_500, 2_000))
    assert account.at("2026-07-03 00:00", 5_960, rates=(400, 2_060)) == "accepted"
    assert account.used_wh() == (900, 60)


def _cut(values: tuple[int, ...]) -> tuple[int, ...]:
    while values and not values[-1]:
        values = values[:-1]
    return values
