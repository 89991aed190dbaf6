"""What a backtest says of a small file, of a year with a known answer, and of all real sets."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deploy.backtest import broken, main
from deploy.days import read_days
from deploy.marks import both_rules, coverage, month_bills, sums, wape, warning_marks
from deploy.purses import MEAN_WEEK_HOURS, Warned
from deploy.rewind import live_through, simple_rules
from scoring.day_kinds import weekdays_only

SAMPLE = Path(__file__).parents[1] / "simulator/sample/homes_ca_8_weeks.parquet"
KEYS = {
    "wape", "wape_median", "best_simple_wape", "coverage80", "warned_24h", "needless_per_quarter",
    "customers", "days", "seconds",
}  # fmt: skip


def asked(capsys, *words: str) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def wide(path: Path, kwh: np.ndarray, minutes: int = 60, name: str = "start_local") -> Path:
    """A file of customers (rows, n) from a Monday on."""
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - a wall clock
    times = [start + timedelta(minutes=minutes * row) for row in range(len(kwh))]
    columns = {name: pa.array(times, pa.timestamp("s"))}
    columns |= {f"c{number}": kwh[:, number] for number in range(kwh.shape[1])}
    pq.write_table(pa.table(columns), path)
    return path


def homes(days: int, count: int = 6, seed: int = 1) -> np.ndarray:
    """Hourly kWh of homes with weekends, seasons and moods."""
    random = np.random.default_rng(seed)
    day = np.arange(days)
    level = 10 * (1 + 0.3 * np.sin(2 * np.pi * day / 365))[:, None]
    level = level * np.where(day % 7 >= 5, 1.3, 0.9)[:, None]
    daily = level * np.maximum(random.normal(1, 0.15, (days, count)), 0.1)
    return np.repeat(daily / 24, 24, axis=0)


def test_the_shipped_sample_is_judged_with_all_keys_and_beats_the_simple_rules(capsys, tmp_path):
    page = tmp_path / "out.html"
    found = asked(capsys, str(SAMPLE), "--holidays", "US-CA", "--report", str(page))
    assert found.keys() >= KEYS
    assert found["wape"] < found["best_simple_wape"]
    assert set(found["coverage80"]) == {"1", "3", "7"}
    assert page.read_text().count("<svg") == 5


def test_a_year_of_homes_keeps_every_promise(tmp_path):
    days = read_days(wide(tmp_path / "homes.parquet", homes(400)), None)
    told = live_through(days, weekdays_only())
    ours = wape(told.ahead_wh[..., 0], days.used_wh, told.scored)
    # noise of 15 % cannot be forecast: its mean absolute error is 0.15 x sqrt(2 / pi) = 12 %
    assert ours == pytest.approx(0.12, abs=0.015)
    for span in (1, 3, 7):
        assert 0.77 <= coverage(told, days.used_wh, span) <= 0.83, span
    ours, week = both_rules(told.warned)
    assert ours.warned_24h >= 0.99
    assert ours.needless_per_quarter <= week.needless_per_quarter
    assert month_bills(told, days) < 0.08


def test_nothing_is_told_of_a_day_before_it_is_over(tmp_path):
    """Whatever the last days hold, what was told before them is the same."""
    kwh = homes(80, 2)
    one = live_through(read_days(wide(tmp_path / "a.parquet", kwh), None), weekdays_only())
    kwh[-24 * 5 :] *= 7
    other = live_through(read_days(wide(tmp_path / "b.parquet", kwh), None), weekdays_only())
    assert np.array_equal(one.ahead_wh[:76], other.ahead_wh[:76], equal_nan=True)
    assert not np.array_equal(one.ahead_wh[76:], other.ahead_wh[76:], equal_nan=True)


def test_a_day_with_a_missing_interval_is_unknown_and_a_gap_is_survived(tmp_path):
    kwh = homes(60, 2)
    kwh[24 * 40 + 3, 0] = np.nan
    kwh[24 * 45 : 24 * 50, 1] = np.nan
    days = read_days(wide(tmp_path / "gaps.parquet", kwh), None)
    assert np.isnan(days.used_wh[40, 0])
    assert np.isnan(days.used_wh[45:50, 1]).all()
    assert np.isfinite(days.used_wh).sum() == 2 * 60 - 6
    told = live_through(days, weekdays_only())
    assert told.ahead_wh[50, 1, 0] == pytest.approx(9_000, rel=0.5), "not a zero"


def test_local_days_of_a_zone_have_23_and_25_hours(tmp_path):
    kwh = np.ones((24 * 366, 1))
    days = read_days(wide(tmp_path / "utc.parquet", kwh, name="start_utc"), "Europe/London")
    used = days.used_wh[:, 0]
    assert sorted(set(used[np.isfinite(used)].tolist())) == [23_000, 24_000, 25_000]
    assert int((used == 23_000).sum()) == int((used == 25_000).sum()) == 1


def test_quarter_hours_count_as_hours_do(tmp_path):
    hourly = homes(35, 2)
    quarters = np.repeat(hourly / 4, 4, axis=0)
    one = read_days(wide(tmp_path / "h.parquet", hourly), None)
    other = read_days(wide(tmp_path / "q.parquet", quarters, 15), None)
    assert other.used_wh == pytest.approx(one.used_wh, abs=2)


def test_the_simple_rules_are_what_their_names_say():
    used = np.arange(1.0, 41)[:, None] * 100
    yesterday, week, mean7, mean4 = (rule[-1, 0] for rule in simple_rules(used))
    assert (yesterday, week) == (3_900, 3_300)
    assert mean7 == pytest.approx(np.mean([3_300, 3_400, 3_500, 3_600, 3_700, 3_800, 3_900]))
    assert mean4 == pytest.approx(np.mean([3_300, 2_600, 1_900, 1_200]))
    used[-2] = np.nan
    assert simple_rules(used)[0, -1, 0] == 3_800, "the last known day"


def test_sums_and_marks_are_counted_by_hand():
    used = np.array([[1.0], [2.0], [4.0], [np.nan], [8.0]])
    assert sums(used, 2)[:2, 0].tolist() == [3.0, 6.0]
    assert np.isnan(sums(used, 2)[2:, 0]).all()
    said, where = np.array([10.0, 20.0]), np.array([True, True])
    assert wape(said, np.array([8.0, 24.0]), where) == pytest.approx(6 / 32)


def test_two_warning_rules_are_compared_at_equal_safety():
    ours = np.full(100, 30.0)
    ours[:2], ours[2] = 10.0, 130.0  # two too late, one needless
    week = np.full((100, len(MEAN_WEEK_HOURS)), 30.0)
    week[:3, 0] = np.nan  # the lowest threshold misses one more than ours
    week[:2, 1], week[2:7, 1] = np.nan, 130.0
    mine, other = both_rules(Warned(ours, week, 9_131))
    assert (mine.threshold_hours, other.threshold_hours) == (48, MEAN_WEEK_HOURS[1])
    assert mine.warned_24h == other.warned_24h == 0.98
    assert mine.needless_per_quarter == pytest.approx(1 / 100, rel=1e-3)
    assert other.needless_per_quarter == pytest.approx(5 / 100, rel=1e-3)
    assert warning_marks(np.zeros(0), 0, 48).warned_24h is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nowhere.parquet"], "there is no file"),
        ([str(SAMPLE), "--holidays", "ATLANTIS"], "no country"),
        ([str(SAMPLE), "--columns", "nobody"], "has no column nobody"),
        ([str(SAMPLE), "--from", "2030-01-01"], "no readings"),
        ([str(SAMPLE), "--from", "yesterday"], "is no date"),
        ([str(SAMPLE), "--tz", "Middle/Earth"], "not the name of a zone"),
        ([str(SAMPLE), "--report", "/nowhere/out.html"], "no report can be written"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words, why, capsys):
    assert main(words) == 1
    assert why in capsys.readouterr().err


INSANE = [
    # why                      kWh by the hour          from   what is said
    ("Wh taken for kWh",       homes(40) * 1e9,         2024, "is it in Wh"),
    ("nothing was read",       np.full((960, 2), np.nan), 2024, "no readings at all"),
    ("nothing but negatives",  -homes(40),              2024, "no readings at all"),
    ("before any calendar",    homes(40),               1990, "before 2000"),
    ("beyond all calendars",   homes(340),              2059, "end of 2059"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "kwh", "year", "said"), INSANE)
def test_an_insane_file_is_refused_by_name(why, kwh, year, said, tmp_path, capsys):
    path = wide(tmp_path / "insane.parquet", kwh)
    table = pq.read_table(path)
    shift = datetime(year, 1, 1) - datetime(2024, 1, 1)  # noqa: DTZ001 - wall clocks
    times = [moment + shift for moment in table.column(0).to_pylist()]
    pq.write_table(table.set_column(0, "start_local", pa.array(times, pa.timestamp("s"))), path)
    assert main([str(path), "--json"]) == 1, why
    assert said in capsys.readouterr().err, why


HOURS = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(24 * 40)]  # noqa: DTZ001
KWH = homes(40, 1)[:, 0]
TIMES = pa.array(HOURS, pa.timestamp("s"))
ODD = [
    # why                  columns                                           what is said
    ("a row per customer", {"at": pa.concat_arrays([TIMES, TIMES]),
                            "kwh": pa.array([*KWH, *KWH])},                  "same times again"),
    ("no numbers",         {"at": TIMES, "a": [[kwh] for kwh in KWH]},       "must be kWh"),
    ("a word for a gap",   {"at": TIMES, "a": ["-", *map(str, KWH[1:])]},    "empty where none"),
    ("a register",         {"at": TIMES, "a": KWH.cumsum()},                 "is it a register"),
    ("two times",          {"at": TIMES, "end": TIMES, "a": KWH},            "--time-column"),
    ("no time",            {"a": KWH},                                       "--time-column"),
    ("nothing but times",  {"at": TIMES},                                    "no column besides"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "columns", "said"), ODD, ids=[odd[0] for odd in ODD])
def test_a_table_of_another_kind_is_refused_with_what_to_do(why, columns, said, tmp_path, capsys):
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table(columns), path)
    assert main([str(path), "--json"]) == 1, why
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time,Müller\n2024-01-01 00:00,1\n".encode("latin1"), "UTF-8"),
        (b"time,a\n31/01/2024 00:00,1\n", "2026-04-01 00:00"),
        (b"", "neither Parquet nor CSV"),
    ],
    ids=["latin1", "day first", "empty"],
)
def test_a_csv_file_of_another_habit_is_refused_with_what_to_do(content, said, tmp_path, capsys):
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    assert main([str(path)]) == 1
    assert main([str(path), "--time-column", "time"]) == 1
    assert said in capsys.readouterr().err


GERMAN = "zeit;Zähler 1;Zähler 2\n" + "".join(
    f"{at:%Y-%m-%d %H:%M};{f'{kwh:.3f}'.replace('.', ',')};\n"
    for at, kwh in zip(HOURS, KWH, strict=True)
)


def test_semicolons_and_decimal_commas_are_read_as_they_are_meant(tmp_path):
    path = tmp_path / "german.csv"
    path.write_text(GERMAN, "utf-8")
    days = read_days(path, None)
    assert days.customers == ["Zähler 1", "Zähler 2"]
    assert days.used_wh[:, 0] == pytest.approx(KWH.reshape(-1, 24).sum(axis=1) * 1_000, abs=24)
    assert np.isnan(days.used_wh[:, 1]).all()
    path.write_text(GERMAN.replace(",", "."), "utf-8")
    assert np.array_equal(read_days(path, None).used_wh, days.used_wh, equal_nan=True)


def test_numbers_of_rows_are_no_customer_and_unchosen_columns_may_hold_anything(tmp_path):
    path = tmp_path / "pandas.csv"
    lines = [f"{row},{at},{KWH[row]},x" for row, at in enumerate(HOURS)]
    path.write_text("\n".join([",at,a,note", *lines]), "utf-8")
    days = read_days(path, None, ["a"])
    assert days.customers == ["a"]
    assert np.isfinite(days.used_wh).all()


def test_days_may_be_dates(tmp_path):
    dates = pa.array([at.date() for at in HOURS[::24]])
    daily = KWH.reshape(-1, 24).sum(axis=1)
    path = tmp_path / "daily.parquet"
    pq.write_table(pa.table({"date": dates, "a": daily}), path)
    assert read_days(path, None).used_wh[:, 0] == pytest.approx(daily * 1_000, abs=1)


ALIKE = [
    ("text",                   {"at": TIMES, "a": [f"{kwh:.17g}" for kwh in KWH]}, None, None),
    ("another time beside it", {"at": TIMES, "end": TIMES, "a": KWH}, None, "at"),
    ("written times",          {"at": [at.isoformat() for at in HOURS], "a": KWH}, None, "at"),
    ("a zone in the type",     {"at": TIMES.cast(pa.timestamp("s", "UTC")), "a": KWH}, "UTC", None),
    ("the last row first",     {"at": TIMES[::-1], '客户, "x"': KWH[::-1]}, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("why", "columns", "zone", "time_column"), ALIKE)
def test_the_same_readings_in_other_clothes_are_the_same_days(
    why, columns, zone, time_column, tmp_path
):
    plain, other = tmp_path / "plain.parquet", tmp_path / "other.parquet"
    pq.write_table(pa.table({"at": TIMES, "a": KWH}), plain)
    pq.write_table(pa.table(columns), other)
    one, two = read_days(plain, None), read_days(other, zone, time_column=time_column)
    assert two.first_day == one.first_day, why
    assert np.array_equal(two.used_wh, one.used_wh), why
    assert np.isfinite(two.used_wh).all(), why


def test_what_a_home_feeds_in_is_said_and_not_taken_for_use(tmp_path, capsys):
    kwh = homes(80, 2)
    kwh[24 * 60 + 12 :: 24, 0] = -1
    path = wide(tmp_path / "solar.parquet", kwh)
    days = read_days(path, None)
    assert np.isnan(days.used_wh[60:, 0]).all()
    assert np.isfinite(days.used_wh[:, 1]).all()
    assert main([str(path)]) == 0
    assert "20 intervals are below nothing" in capsys.readouterr().err


def test_rows_that_the_file_leaves_out_make_a_day_unknown_and_no_shorter(tmp_path):
    path = wide(tmp_path / "holes.parquet", homes(60, 2))
    table = pq.read_table(path)
    kept = [row for row in range(len(table)) if row != 24 * 40 + 5 and not 1_000 <= row < 1_100]
    pq.write_table(table.take(kept), path)
    days = read_days(path, None)
    unknown = np.flatnonzero(np.isnan(days.used_wh[:, 0])).tolist()
    assert unknown == [40, 41, 42, 43, 44, 45]


@pytest.mark.parametrize(
    "kwh",
    [homes(3), homes(29), homes(60, 1), homes(60) * 0, homes(60)[::24], homes(60)[::4] * 4],
    ids=["three days", "29 days", "one home", "nothing used", "two days of hours", "ten days"],
)
def test_a_poor_file_is_judged_without_a_crash(kwh, tmp_path, capsys):
    report = tmp_path / "out.html"
    found = asked(capsys, str(wide(tmp_path / "poor.parquet", kwh)), "--report", str(report))
    assert found.keys() >= KEYS
    assert report.read_text().endswith("</html>\n")


def test_a_promise_that_is_broken_fails_and_is_named(capsys):
    assert main([str(SAMPLE), "--json", "--max-wape", "1"]) == 1
    said = capsys.readouterr().err
    assert "promised are 1.0 %" in said
    found = {
        "wape": 0.05, "coverage80": {"1": 0.8, "3": 0.83}, "warned_24h": 0.985,
        "needless_per_quarter": 0.2, "mean_week_runway": {"needless_per_quarter": 0.2},
    }  # fmt: skip
    assert [line.split()[0] for line in broken(found, 5.0)] == ["83.00", "98.50", "needless"]
    kept = found | {"coverage80": {"1": 0.8}, "warned_24h": 0.99, "needless_per_quarter": 0.1}
    assert broken(kept, 5.0) == []


@pytest.mark.parametrize(("times", "days_to_learn"), [(4.0, 4), (0.2, 6)])
def test_a_jump_in_level_is_warned_of_at_once_and_relearned_in_days(times, days_to_learn, tmp_path):
    """A new tenant: the forecast is within a quarter of the new level some days after."""
    kwh = homes(90, 6, seed=5)
    kwh[24 * 60 :] *= times
    told = live_through(read_days(wide(tmp_path / "jump.parquet", kwh), None), weekdays_only())
    used = read_days(wide(tmp_path / "again.parquet", kwh), None).used_wh
    off = np.abs(told.ahead_wh[60:, :, 0] / used[60:] - 1)
    assert np.median(off[0]) > 0.5, "nobody could know"
    assert np.median(off[days_to_learn : days_to_learn + 7]) < 0.25
    noon = np.abs(told.noon_wh[60] / used[60] - 1)
    assert np.median(noon) < np.median(off[0]), "its first afternoon is seen"
