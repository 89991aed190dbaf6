"""What does the weather bring to a forecast, and what does it cost where nobody states it?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from river import linear_model

from deploy.backtest import main
from deploy.days import Days
from deploy.marks import wape
from deploy.outdoors import Outdoors, area, read_weather
from deploy.rewind import live_through
from scoring import degree_days
from scoring.book import LEARNED
from scoring.day_kinds import weekdays_only
from scoring.degree_days import EVERYWHERE, Air, DegreeDays, air_of
from scoring.effects import Reason
from scoring.weather import AreaWord, Weather
from streams.weather_desk import WeatherDesk, encode_word
from tests.test_backtest import homes, wide
from tests.test_customers import HOMES, LOOKS, WORLD, Street
from tests.test_weather import Kept, word

if TYPE_CHECKING:
    from pathlib import Path

FIRST = date(2024, 1, 1).toordinal()

NEWS = [
    # mean temperature of each day, tens of degrees of heating and of cooling told of the last one
    ("as cold as ever", [5, 5, 5], (0.0, 0.0)),
    ("ten degrees colder", [10, 10, 0], (1.0, 0.0)),
    ("ten degrees warmer, still heated", [0, 0, 10], (-1.0, 0.0)),
    ("nobody heats or cools", [15, 17, 18], (0.0, 0.0)),
    ("a first hot day", [18, 18, 28], (0.0, 1.0)),
    ("a second one: the level knows a third of the first", [18, 28, 28], (0.0, 0.65)),
    ("frost after heat", [28, 28, 5], (1.0, -1.0)),
    ("nobody told the day before", [5, np.nan, 0], (0.5, 0.0)),
    ("its own day is not told: as the day before", [5, 0, np.nan], (0.0, 0.0)),
]


@pytest.mark.parametrize(("celsius", "told"), [line[1:] for line in NEWS], ids=[n[0] for n in NEWS])
def test_the_table_of_what_is_news_to_the_level(celsius, told):
    air = DegreeDays({EVERYWHERE: Air(FIRST, np.array(celsius, np.float32))})
    last = np.array([FIRST + len(celsius) - 1])
    assert air.news(np.array([b"north"]), last)[0, 0] == pytest.approx(told, abs=1e-6)


def test_the_day_after_the_newest_known_one_is_as_warm_and_of_later_ones_nothing_is_known():
    air = DegreeDays({b"north": air_of([(FIRST, 15.0), (FIRST + 1, 5.0), (FIRST + 2, -5.0)])})
    north, day = np.array([b"north"]), np.array([FIRST + 2])
    assert air.news(north, day, 2)[0, :, 0] == pytest.approx([2.0 - 0.35, 2.0 - 0.35])
    known = air.seen_until(FIRST + 1)
    assert known.news(north, day, 3)[0, :, 0] == pytest.approx([1.0 - 0.35, 0, 0])
    assert not air.news(np.array([b"south"]), day, 3).any(), "nobody told the south's"
    assert not air.news(north, np.array([FIRST]), 2).any(), "nothing is known before it"
    assert not air.news(north, np.array([FIRST + 9]), 1).any()


def test_one_accounts_answer_is_rivers(monkeypatch):
    """In winter only heating counts: then it is a Bayesian regression by River, day by day."""
    monkeypatch.setattr(degree_days, "FORGETTING", np.float32(1))
    monkeypatch.setattr(degree_days, "MOST_ERRORS", np.float32(1e6))
    random = np.random.default_rng(3)
    row = np.zeros(1, LEARNED)
    row["history_wh"], row["typical_error_wh"] = 10_000, 2_000
    model = linear_model.BayesianLinearRegression(alpha=1, beta=1)
    scale = 1 / np.sqrt(0.2 * float(degree_days.PRIOR))
    for _ in range(120):
        news = float(random.normal(0, 0.5))
        base_wh = 9_000.0
        told_wh = base_wh + float(row["degree_answer"][0, 0, 0]) * news * 10_000
        used_wh = base_wh + 0.4 * news * 10_000 + float(random.normal(0, 1_000))
        columns = (np.array([each], np.float32) for each in (used_wh, told_wh))
        degree_days.teach(row, np.array([[news, 0]], np.float32), *columns)
        model.learn_one({"heat": news * scale}, (used_wh - base_wh) / 10_000 * scale)
        rivers = model.predict_one({"heat": 1.0})
        assert row["degree_answer"][0, 0, 0] == pytest.approx(rivers, abs=0.01)
    assert rivers == pytest.approx(0.4, abs=0.05)
    assert row["degree_answer"][0, 1, 0] == 0


# ---- a seeded world


def world(answers: np.ndarray, days: int = 210, seed: int = 2) -> tuple[Days, Air]:
    """Homes that use so much more of their mean for ten degrees of heating, beside their moods."""
    random = np.random.default_rng(seed)
    day = np.arange(days)
    weather = np.zeros(days)
    for number in range(1, days):
        weather[number] = 0.7 * weather[number - 1] + random.normal(0, 2.5)
    celsius = 9 - 6 * np.cos(2 * np.pi * day / 365) + weather
    heat = np.maximum(15 - celsius, 0)[:, None] / 10
    count = len(answers)
    used = 10_000 * (1 + answers * heat) * np.maximum(random.normal(1, 0.08, (days, count)), 0.2)
    used *= np.where(day % 7 >= 5, 1.1, 0.96)[:, None]
    hourly = np.repeat(used[:, None] / 24, 24, axis=1).astype(np.float32)
    names = [f"home-{number}" for number in range(count)]
    air = Air(FIRST, celsius.astype(np.float32))
    return Days(names, FIRST, np.rint(used), hourly, 3_600, 0), air


def judged(days: Days, outdoors: Outdoors | None) -> dict[str, float]:
    """WAPE of tomorrow and of sums of three days of heated homes, and of tomorrow of others."""
    told = live_through(days, weekdays_only(), outdoors=outdoors)
    heated = told.scored.copy()
    heated[:50] = heated[-3:] = False
    others = heated.copy()
    heated[:, :2] = others[:, 2:] = False
    three = days.used_wh[:-2] + days.used_wh[1:-1] + days.used_wh[2:]
    three = np.vstack([three, np.zeros((2, three.shape[1]))])
    return {
        "tomorrow": wape(told.ahead_wh[..., 0], days.used_wh, heated),
        "three days": wape(told.ahead_wh[..., :3].sum(axis=2), three, heated),
        "others": wape(told.ahead_wh[..., 0], days.used_wh, others),
    }


def test_heated_homes_are_forecast_better_the_more_is_known_and_others_lose_nothing():
    days, air = world(np.array([0, 0, 0.5, 0.8, 1.0]))
    known = DegreeDays({EVERYWHERE: air})
    without, past, perfect = (
        judged(days, outdoors)
        for outdoors in (None, Outdoors(known, is_perfect=False), Outdoors(known, is_perfect=True))
    )
    assert perfect["tomorrow"] < 0.85 * without["tomorrow"]
    assert perfect["three days"] < 0.9 * without["three days"]
    assert past["tomorrow"] < 1.005 * without["tomorrow"], "brings little, and costs nothing"
    for told in (past, perfect):
        assert told["others"] == pytest.approx(without["others"], rel=0.015)


def test_areas_without_weather_are_told_the_same_to_the_bit():
    days, air = world(np.array([0.5, 0.5]), 90)
    plain = live_through(days, weekdays_only())
    elsewhere = Outdoors(DegreeDays({area(1): air}), is_perfect=True)
    told = live_through(days, weekdays_only(), outdoors=elsewhere)
    # a group's regression is shared; what it says of a neighbour's day does not pass through it
    assert np.array_equal(told.ahead_wh[:, 0], plain.ahead_wh[:, 0], equal_nan=True)
    assert not np.array_equal(told.ahead_wh[:, 1], plain.ahead_wh[:, 1], equal_nan=True)


def test_without_a_weather_forecast_nothing_is_known_of_a_day_before_it_is_over():
    days, air = world(np.array([0.8, 0.8]), 120)
    frost = air.celsius.copy()
    frost[100:] -= 15
    one, other = (
        live_through(
            days, weekdays_only(), outdoors=Outdoors(DegreeDays({EVERYWHERE: each}), False)
        )
        for each in (air, Air(FIRST, frost))
    )
    assert np.array_equal(one.ahead_wh[:101], other.ahead_wh[:101], equal_nan=True)
    assert not np.array_equal(one.ahead_wh[101:], other.ahead_wh[101:], equal_nan=True)


# ---- what a feed states


def test_a_word_on_the_weather_tells_temperatures_too():
    desk = WeatherDesk()
    said = encode_word("north", AreaWord(1_700_000_000, (), ((FIRST, 4.5), (FIRST + 1, -1.0))))
    assert desk.take([Kept(said.key, said.value)]) == []
    found = desk.weather.degree_days
    assert found is not None
    assert found.airs[b"north"].celsius.tolist() == [4.5, -1.0]
    assert desk.take([word("north")]) == []
    assert desk.weather.degree_days is None, "the newest word is whole: it tells none any more"
    assert Weather().degree_days is None


@pytest.mark.parametrize(
    "told",
    [{"2024-01-01": 300.0}, {"2024-01-01": "warm"}, {"1 January": 4.0}, [4.0], {"2024-02-30": 1.0}],
)
def test_a_temperature_that_cannot_be_is_refused_by_name(told):
    desk = WeatherDesk()
    (refusal,) = desk.take([word("north", meanCelsius=told)])
    assert refusal.reason is Reason.WRONG_SHAPE
    assert not desk.weather.of("north", ()).is_known(1_700_000_000, 3_600), "it may have said stop"


def test_the_stream_learns_each_accounts_answer_and_tells_what_a_frost_will_cost():
    """Some mild and some cold days in turn; the homes use half as much again when it is cold."""
    begins = date(2026, 6, 29).toordinal()
    spells = (3, 4, 2, 5, 3, 2, 4, 3, 2)  # mild, cold, mild ...
    celsius = [
        2.0 if number % 2 else 12.0
        for number, spell in enumerate((spells * 2)[:-1])
        for _ in range(spell)
    ]
    feed = tuple((begins + day, mean) for day, mean in enumerate([*celsius, 2.0]))
    told = {}
    for name, words in (("known", {"*": AreaWord(0, (), feed)}), ("unknown", {})):
        street = Street(replace(WORLD, weather=Weather(words)))
        for mean in celsius:
            street.live(LOOKS, np.full(HOMES, 10_000 if mean > 5 else 15_000))
        told[name] = street.told().ahead_wh[0, 0]
        answer = street.learned("degree_answer")[0, 0]
        assert (answer > 0.1) if words else (answer == 0)
    # the last days were mild, and tomorrow will be cold
    assert told["unknown"] < 12_500
    assert told["known"] == pytest.approx(15_000, rel=0.05)


# ---- the backtest


def table(path: Path, columns: dict[str, np.ndarray], first: str = "2024-01-01") -> Path:
    """An hourly table of local times."""
    count = len(next(iter(columns.values())))
    times = np.datetime64(first) + np.arange(count).astype("timedelta64[h]")
    at = pa.array(times.astype("datetime64[s]"))
    pq.write_table(pa.table({"at_local": at} | {k: pa.array(v) for k, v in columns.items()}), path)
    return path


def test_a_backtest_says_which_weather_it_knew(tmp_path, capsys):
    readings = wide(tmp_path / "homes.parquet", homes(70, 2))
    warm = np.full(24 * 70, 11.5)
    outside = table(tmp_path / "air.parquet", {"humidity": warm, "air temperature [degC]": warm})
    for words, said in (([], None), (["--weather", str(outside)], "past days"),
                        (["--weather", str(outside), "--perfect-weather"], "perfect")):  # fmt: skip
        page = tmp_path / "page.html"
        assert main([str(readings), "--json", "--report", str(page), *words]) == 0
        assert json.loads(capsys.readouterr().out)["weather"] == said
        assert ("as it was measured later" in page.read_text()) == (said == "perfect")


ODD = [
    ("two that might be it", {"temp a": 1.0, "temp b": 2.0}, [], "--weather-column"),
    ("none that sounds like it", {"wind": 1.0, "rain": 2.0}, [], "--weather-column"),
    ("no such column", {"wind": 1.0}, ["--weather-column", "sun"], "--weather-column"),
    ("Kelvin", {"temperature": 285.0}, [], "degrees Celsius"),
    ("nothing measured", {"temperature": np.nan}, [], "no temperature at all"),
]


@pytest.mark.parametrize(
    ("columns", "words", "said"), [o[1:] for o in ODD], ids=[o[0] for o in ODD]
)
def test_a_file_of_other_weather_is_refused_with_what_to_do(columns, words, said, tmp_path, capsys):
    readings = wide(tmp_path / "homes.parquet", homes(30, 2))
    whole = {name: np.full(24 * 30, value) for name, value in columns.items()}
    outside = table(tmp_path / "air.parquet", whole)
    assert main([str(readings), "--weather", str(outside), *words]) == 1
    assert said in capsys.readouterr().err


def test_columns_named_as_customers_are_theirs_alone(tmp_path):
    days, _ = world(np.zeros(2), 5)
    outside = table(
        tmp_path / "air.parquet", {"home-1": np.full(120, 3.0), "temp": np.full(120, 9.0)}
    )
    assert read_weather(outside, days, None, None).airs.keys() == {EVERYWHERE}
    outside = table(tmp_path / "own.parquet", {"home-1": np.full(120, 3.0)})
    assert read_weather(outside, days, None, None).airs.keys() == {area(1)}


def test_half_a_day_has_a_mean_and_less_has_none(tmp_path):
    days, _ = world(np.zeros(1), 5)
    celsius = np.full(72, 4.0)
    celsius[:12], celsius[24:37] = np.nan, np.nan
    found = read_weather(table(tmp_path / "t.parquet", {"t": celsius}), days, None, None)
    assert np.isfinite(found.airs[EVERYWHERE].celsius).tolist() == [True, False, True]
