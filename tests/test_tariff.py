"""Does each account get the rate period, local day and sheet version that its tariff sheet says?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.calendar import END_AT, FIRST_AT, OutsideCalendar
from scoring.tariff import Tariffs, TariffSheetInvalid, sheet_from_dict, sheet_to_dict
from tests import oracle_money as oracle

SHIPPED = json.loads(resources.files("simulator").joinpath("tariffs.json").read_text("utf-8"))
PLAIN = {plain["tariffId"]: plain for plain in SHIPPED}

FLAT = {
    "tariffId": "flat",
    "currency": "CNY",
    "zone": "Asia/Shanghai",
    "validFrom": "2026-01-01",
    "ratePeriods": [{"name": "flat", "pricePerKwh": "0.5"}],
}
NIGHT = FLAT | {
    "tariffId": "night",
    "ratePeriods": [
        {"name": "day", "pricePerKwh": "0.5"},
        {"name": "night", "pricePerKwh": "0.2"},
    ],
    "timeOfUse": [{"ratePeriod": "night", "hours": ["22:00-08:00"]}, {"ratePeriod": "day"}],
}
WORKDAYS = NIGHT | {
    "tariffId": "workdays",
    "zone": "Europe/London",
    "currency": "GBP",
    "timeOfUse": [
        {"ratePeriod": "night", "days": ["sat", "sun"]},
        {"ratePeriod": "night", "hours": ["00:30-01:45", "01:45-03:15", "23:30-24:00"]},
        {"ratePeriod": "day"},
    ],
}
SANTIAGO = NIGHT | {"tariffId": "santiago", "zone": "America/Santiago", "currency": "CLP"}
MIXED = [*SHIPPED, NIGHT, WORKDAYS, SANTIAGO]


def registry(*plains):
    return Tariffs(sheet_from_dict(plain) for plain in plains)


TARIFFS = registry(*MIXED)


def ask(question, tariff_id, at):
    index = np.array([TARIFFS.ids.index(tariff_id)])
    return getattr(TARIFFS, question)(index, np.array([at])).tolist()[0]


# ---- golden tables


@pytest.mark.parametrize(
    ("tariff_id", "local_time", "period"),
    [
        # Shandong industry, calendar 914: both sides of the edges (domain.md 3.1)
        ("cn-sd-ic-1kv", "2026-01-15T15:45+08:00", "flat"),
        ("cn-sd-ic-1kv", "2026-01-15T16:00+08:00", "critical-peak"),
        ("cn-sd-ic-1kv", "2026-01-15T18:59+08:00", "critical-peak"),
        ("cn-sd-ic-1kv", "2026-01-15T19:00+08:00", "peak"),
        ("cn-sd-ic-1kv", "2026-01-15T21:00+08:00", "flat"),
        ("cn-sd-ic-1kv", "2026-01-15T07:00+08:00", "peak"),
        ("cn-sd-ic-1kv", "2026-01-15T02:00+08:00", "valley"),
        ("cn-sd-ic-1kv", "2026-01-15T10:00+08:00", "valley"),
        ("cn-sd-ic-1kv", "2026-01-15T11:00+08:00", "deep-valley"),
        ("cn-sd-ic-1kv", "2026-01-15T14:00+08:00", "valley"),
        ("cn-sd-ic-1kv", "2026-03-31T16:30+08:00", "flat"),
        ("cn-sd-ic-1kv", "2026-04-01T17:00+08:00", "critical-peak"),
        ("cn-sd-ic-1kv", "2026-06-01T11:30+08:00", "valley"),  # June has no deep valley
        ("cn-sd-ic-1kv", "2026-06-01T22:30+08:00", "peak"),
        ("cn-sd-ic-1kv", "2026-08-31T05:59+08:00", "valley"),
        ("cn-sd-ic-1kv", "2026-09-01T05:59+08:00", "flat"),
        ("cn-sd-ic-1kv", "2026-11-30T18:00+08:00", "critical-peak"),
        ("cn-sd-ic-1kv", "2026-11-30T19:00+08:00", "peak"),
        # homes with time of use: the heating season ends with March
        ("cn-sd-residential-tou", "2026-03-31T20:00+08:00", "heating-valley"),
        ("cn-sd-residential-tou", "2026-04-01T20:00+08:00", "peak"),
        ("cn-sd-residential-tou", "2026-04-01T22:00+08:00", "valley"),
        ("cn-sd-residential-tou", "2026-04-02T07:59+08:00", "valley"),
        ("cn-sd-residential-tou", "2026-04-02T08:00+08:00", "peak"),
        # by the clock on the wall, summer time or not
        ("workdays", "2026-03-27T00:30+00:00", "night"),
        ("workdays", "2026-03-30T00:30+01:00", "night"),
        ("workdays", "2026-03-30T03:15+01:00", "day"),
        ("workdays", "2026-03-28T12:00+00:00", "night"),  # a Saturday
    ],
)
def test_the_rate_period_is_the_sheets(tariff_id, local_time, period):
    names = [p["name"] for p in PLAIN.get(tariff_id, NIGHT)["ratePeriods"]]
    assert names[ask("period_of", tariff_id, oracle.at(local_time))] == period


@pytest.mark.parametrize(
    ("tariff_id", "at", "until"),
    [
        ("night", "2026-05-01T12:07+08:00", "2026-05-01T22:00+08:00"),
        ("night", "2026-05-01T22:00+08:00", "2026-05-02T00:00+08:00"),  # the day ends
        ("night", "2026-05-02T00:00+08:00", "2026-05-02T08:00+08:00"),
        ("cn-sd-residential", "2026-05-01T00:00+08:00", "2026-05-02T00:00+08:00"),
        ("workdays", "2026-03-29T00:10+00:00", "2026-03-30T00:00+01:00"),  # 23 hours of Sunday
        ("workdays", "2026-10-25T00:10+01:00", "2026-10-26T00:00+00:00"),  # 25 hours
        ("santiago", "2026-09-05T22:30-04:00", "2026-09-06T01:00-03:00"),  # no midnight
        ("santiago", "2026-04-04T22:30-03:00", "2026-04-05T00:00-04:00"),  # 23:00 comes twice
    ],
)
def test_energy_is_of_one_day_and_rate_period_until(tariff_id, at, until):
    assert ask("constant_until", tariff_id, oracle.at(at)) == oracle.at(until)


def test_a_new_version_holds_from_the_first_of_its_month_by_the_local_clock():
    tariffs = registry(
        NIGHT, NIGHT | {"validFrom": "2026-03-01"}, NIGHT | {"validFrom": "2025-06-01"}
    )
    index = np.zeros(5, np.int64)
    instants = [
        "2025-05-31T23:59:59+08:00",  # before the first version
        "2025-06-01T00:00+08:00",
        "2025-12-31T23:59:59+08:00",
        "2026-02-28T23:59:59+08:00",
        "2026-03-01T00:00+08:00",
    ]
    at = np.array([oracle.at(text) for text in instants])
    assert tariffs.version_at(index, at).tolist() == [-1, 2, 2, 0, 1]


# ---- properties


@given(
    questions=st.lists(
        st.tuples(
            st.sampled_from(MIXED), st.integers(FIRST_AT + 86_400 * 32, END_AT - 86_400 * 32)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_mixed_tariffs_are_answered_as_the_clock_on_each_wall_says(questions):
    index = np.array([TARIFFS.ids.index(plain["tariffId"]) for plain, _ in questions])
    at = np.array([at for _, at in questions])
    expected = [oracle.local(plain, at) for plain, at in questions]
    assert TARIFFS.day_of(index, at).tolist() == [t.toordinal() for t in expected]
    assert TARIFFS.month_of(index, at).tolist() == [t.year * 12 + t.month - 1 for t in expected]
    assert TARIFFS.day_of_month(index, at).tolist() == [t.day for t in expected]
    assert TARIFFS.hour_of(index, at).tolist() == [t.hour for t in expected]
    assert TARIFFS.weekday_of(index, at).tolist() == [t.weekday() for t in expected]
    month, day = TARIFFS.month_of(index, at), TARIFFS.day_of(index, at)
    assert TARIFFS.days_in_month(index, month).tolist() == [oracle.days_in(m) for m in month]
    for k, (plain, _) in enumerate(questions):
        for start, number in (
            (TARIFFS.day_start(index, day)[k], oracle.day_number),
            (TARIFFS.month_start(index, month)[k], oracle.month_number),
        ):
            assert number(plain, int(start) - 1) < number(plain, int(start)) == number(plain, at[k])


@given(plain=st.sampled_from(MIXED), at=st.integers(oracle.at("2026-01-02T00:00Z"), END_AT - 10**6))
def test_rate_periods_and_their_ends_are_the_sheets(plain, at):
    tariff_id = plain["tariffId"]
    period, until = ask("period_of", tariff_id, at), ask("constant_until", tariff_id, at)
    assert period == oracle.rate_period(plain, at)

    def same(other):
        there = oracle.rate_period(plain, other), oracle.day_number(plain, other)
        return there == (period, oracle.day_number(plain, at))

    assert until > at
    assert all(same(other) for other in range(at, until, 900))
    assert same(until - 1)
    assert not same(until)


@given(at=st.integers(FIRST_AT, END_AT - 1), slots=st.integers(1, 200))
def test_slots_are_answered_in_any_shape(at, slots):
    index = np.arange(len(TARIFFS.ids))[:, None]
    slot = np.minimum(at // 900 + np.arange(slots), END_AT // 900 - 1)
    answer = TARIFFS.period_of_slot(index, slot)
    assert answer.shape == (len(TARIFFS.ids), slots)
    assert answer[:, -1].tolist() == TARIFFS.period_of(index[:, 0], slot[-1] * 900).tolist()
    assert TARIFFS.hour_of_slot(index, slot).shape == TARIFFS.day_of_slot(index, slot).shape


# ---- edges


QUESTIONS_OF_AN_INSTANT = (
    *("day_of", "month_of", "day_of_month", "hour_of", "weekday_of", "period_of"),
    "constant_until",
)


@pytest.mark.parametrize("question", QUESTIONS_OF_AN_INSTANT)
def test_never_is_answered_by_nothing_and_beside_others(question):
    index, at = np.array([0, 0, 0]), np.array([0, -1, oracle.at("2026-07-01T12:00Z")])
    answer = getattr(TARIFFS, question)(index, at)
    assert answer[:2].tolist() == [0, 0]
    assert answer[2] == ask(question, TARIFFS.ids[0], at[2])


@pytest.mark.parametrize("question", QUESTIONS_OF_AN_INSTANT)
@pytest.mark.parametrize("at", [END_AT, 2**62])
def test_an_instant_after_the_calendar_is_refused(question, at):
    with pytest.raises(OutsideCalendar):
        ask(question, "night", at)


def test_the_last_instant_of_the_calendar_has_an_answer():
    assert ask("day_of", "night", END_AT - 1) == date(2060, 1, 1).toordinal()  # it is +08:00 there
    assert ask("constant_until", "night", END_AT - 1) == END_AT


def test_day_and_month_none_start_never():
    index = np.array([0])
    for nothing in (0, 1, -1):
        assert TARIFFS.day_start(index, np.array([nothing])) == 0
        assert TARIFFS.month_start(index, np.array([nothing])) == 0
        assert TARIFFS.days_in_month(index, np.array([nothing])) == 0
        assert TARIFFS.version_of_month(index, np.array([nothing])) == -1


def test_an_unknown_tariff_lives_in_utc_and_has_no_version():
    at = np.array([oracle.at("2026-07-01T23:59Z")])
    none = np.array([-1])
    assert TARIFFS.day_of(none, at) == date(2026, 7, 1).toordinal()
    assert TARIFFS.period_of(none, at) == 0
    assert TARIFFS.version_at(none, at) == -1
    assert TARIFFS.zone_name(-1) == "UTC"
    assert Tariffs().version_at(none, at) == -1
    with pytest.raises(IndexError):
        TARIFFS.currency(-1)


def test_tariffs_are_found_by_id_or_not():
    ids = np.array([b"night", b"nobody", b"", b"cn-sd-residential"], "S24")
    found = TARIFFS.index_of(ids)
    assert found.tolist() == [TARIFFS.ids.index("night"), -1, -1, 0]
    assert TARIFFS.zone_name(int(found[0])) == "Asia/Shanghai"
    assert TARIFFS.currency(int(found[3])) == "CNY"
    assert Tariffs().index_of(ids).tolist() == [-1, -1, -1, -1]


def test_numbers_stay_while_sheets_come_and_a_corrected_sheet_takes_its_places():
    before = registry(NIGHT, WORKDAYS)
    dearer = sheet_from_dict(NIGHT | {"ratePeriods": [*NIGHT["ratePeriods"][:1], _night("0.3")]})
    after = before.with_sheets([sheet_from_dict(FLAT), dearer])
    assert before.ids == ("night", "workdays")
    assert after.ids == ("night", "workdays", "flat")
    assert [sheet.tariff_id for sheet in after.sheets] == ["night", "workdays", "flat"]
    assert before.price_micros[1, 0] == 200_000
    assert after.price_micros[1, 0] == 300_000


def _night(price):
    return {"name": "night", "pricePerKwh": price}


@pytest.mark.parametrize(
    ("change", "field"),
    [({"zone": "Asia/Tokyo"}, "zone"), ({"currency": "USD"}, "currency")],
)
def test_a_tariff_keeps_its_zone_and_currency(change, field):
    other = sheet_from_dict(NIGHT | {"validFrom": "2027-01-01"} | change)
    with pytest.raises(TariffSheetInvalid) as refusal:
        registry(NIGHT).with_sheet(other)
    assert refusal.value.field == field


def test_a_hundred_tariffs_of_one_calendar_take_one_table():
    sheets = [replace(sheet_from_dict(NIGHT), tariff_id=f"night-{i}") for i in range(100)]
    many, one = Tariffs(sheets), Tariffs(sheets[:1])
    assert many._kind_of_day.size <= one._kind_of_day.size
    assert len(many._offset_slots) == len(one._offset_slots)


# ---- reading a sheet


@pytest.mark.parametrize("plain", MIXED, ids=lambda plain: plain["tariffId"])
def test_a_sheet_survives_being_written_and_read(plain):
    sheet = sheet_from_dict(plain)
    assert sheet_from_dict(json.loads(json.dumps(sheet_to_dict(sheet)))) == sheet


TIERS = [{"uptoKwh": "100", "addPerKwh": "0"}, {"uptoKwh": None, "addPerKwh": "0.1"}]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tariffId": None}, "tariffId"),
        ({"tariffId": "x" * 25}, "tariffId"),
        ({"tariffId": "strömtarif"}, "tariffId"),
        ({"currency": "yuan"}, "currency"),
        ({"zone": "Asia/Weihai"}, "zone"),
        ({"validFrom": "soon"}, "validFrom"),
        ({"validFrom": "1999-01-01"}, "validFrom"),
        ({"ratePeriods": []}, "ratePeriods"),
        ({"ratePeriods": [{"name": f"p{i}", "pricePerKwh": "1"} for i in range(7)]}, "ratePeriods"),
        ({"ratePeriods": [{"name": "a"}]}, "ratePeriods[0].pricePerKwh"),
        ({"ratePeriods": [{"name": "a", "pricePerKwh": 0.5}]}, "ratePeriods[0].pricePerKwh"),
        (
            {"ratePeriods": [{"name": "a", "pricePerKwh": "0.0000000000001"}]},
            "ratePeriods[0].pricePerKwh",
        ),
        ({"ratePeriods": [{"name": "a", "pricePerKwh": "1e7"}]}, "ratePeriods[0].pricePerKwh"),
        ({"ratePeriods": [_night("1"), _night("2")]}, "ratePeriods[1].name"),
        ({"ratePeriods": [_night("1"), {"name": "day", "pricePerKwh": "2"}]}, "timeOfUse"),
        ({"timeOfUse": [{"ratePeriod": "night"}]}, "timeOfUse[0].ratePeriod"),
        ({"timeOfUse": [{"ratePeriod": "flat", "months": [13]}]}, "timeOfUse[0].months"),
        ({"timeOfUse": [{"ratePeriod": "flat", "days": ["feast"]}]}, "timeOfUse[0].days"),
        ({"timeOfUse": [{"ratePeriod": "flat", "hours": ["8-22"]}]}, "timeOfUse[0].hours"),
        ({"timeOfUse": [{"ratePeriod": "flat", "hours": ["08:00-08:10"]}]}, "timeOfUse[0].hours"),
        ({"timeOfUse": [{"ratePeriod": "flat", "hours": ["08:00-08:00"]}]}, "timeOfUse[0].hours"),
        ({"timeOfUse": [{"ratePeriod": "flat", "hours": ["08:00-25:00"]}]}, "timeOfUse[0].hours"),
        ({"timeOfUse": [{"ratePeriod": "flat", "hours": ["08:00-22:00"]}]}, "timeOfUse"),
        ({"timeOfUse": [{"ratePeriod": "flat", "hour": ["08:00-22:00"]}]}, "timeOfUse[0].hour"),
        ({"tiers": {"reset": "week", "steps": TIERS}}, "tiers.reset"),
        ({"tiers": {"reset": "month", "steps": TIERS[:1]}}, "tiers.steps[0].uptoKwh"),
        ({"tiers": {"reset": "month", "steps": TIERS[::-1]}}, "tiers.steps[0].uptoKwh"),
        ({"tiers": {"reset": "month", "steps": [TIERS[0], *TIERS]}}, "tiers.steps[1].uptoKwh"),
        ({"standingPerDay": "-1"}, "standingPerDay"),
        ({"rounding": "two"}, "rounding"),
        ({"roundings": "0.01"}, "roundings"),
    ],
)
def test_a_mistake_in_a_sheet_is_refused_by_its_field(change, field):
    with pytest.raises(TariffSheetInvalid) as refusal:
        sheet_from_dict(FLAT | change)
    assert refusal.value.field == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    field=st.sampled_from([*FLAT, "timeOfUse", "tiers", "standingPerDay", "rounding"]), value=JSON
)
def test_whatever_stands_in_a_field_is_read_or_refused(field, value):
    try:
        sheet = sheet_from_dict(FLAT | {field: value})
    except TariffSheetInvalid:
        return
    assert sheet_from_dict(sheet_to_dict(sheet)) == sheet


@given(value=JSON)
def test_whatever_is_no_sheet_at_all_is_refused(value):
    with pytest.raises(TariffSheetInvalid):
        sheet_from_dict(value)
