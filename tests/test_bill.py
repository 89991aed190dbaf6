"""Does a bill come to what the utility would print, to the last cent?

Published and computed worked bills (domain.md 3.3, 3.4), both sides of every edge, and a second
engine of fractions and decimals (`oracle_money`).
"""

from __future__ import annotations

import json
from datetime import date
from importlib import resources

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.bill import UsageOutOfRange, bill, bill_curve
from scoring.events import MAX_RATE_PERIODS
from scoring.tariff import Tariffs, sheet_from_dict
from scoring.units import MAX_NANOS, money_text, nanos, wh
from tests import oracle_money as oracle

SHIPPED = json.loads(resources.files("simulator").joinpath("tariffs.json").read_text("utf-8"))
GB_GAS = {
    "tariffId": "gb-svt-gas-2024q3",
    "currency": "GBP",
    "zone": "Europe/London",
    "validFrom": "2024-07-01",
    "ratePeriods": [{"name": "single", "pricePerKwh": "0.0548"}],
    "standingPerDay": "0.3141",
}


def exact(plain):
    """The tariff without rounding, under another name."""
    return plain | {"tariffId": plain["tariffId"] + "-x", "rounding": "0"}


PLAIN = {p["tariffId"]: p for p in [*SHIPPED, *(exact(p) for p in SHIPPED), GB_GAS]}
TARIFFS = Tariffs(sheet_from_dict(p) for p in PLAIN.values())


def one_bill(tariff_id, kwh, days=0, before_kwh="0"):
    """The bill of one usage, kWh by rate period."""
    used_wh = np.zeros((1, MAX_RATE_PERIODS), np.int64)
    used_wh[0, : len(kwh)] = [wh(k) for k in kwh]
    version = np.array([TARIFFS.ids.index(tariff_id)])
    return bill(TARIFFS, version, used_wh, np.array([days]), np.array([wh(before_kwh)]))


# ---- golden tables


@pytest.mark.parametrize(
    ("tariff_id", "kwh", "days", "before_kwh", "total"),
    [
        # worked examples
        ("cn-sd-residential", ["260"], 30, "2400", "149.19"),  # C6: 120 + 140 above the edge
        ("cn-sd-residential", ["5200"], 365, "0", "3077.88"),  # C6: a year through all tiers
        ("cn-sd-residential-tou", ["180", "120"], 30, "0", "149.07"),  # C6
        ("gb-svt-elec-2024q3", ["2700"], 365, "0", "823.16"),  # 823.158 on lines of whole pence
        ("gb-svt-elec-2024q3-x", ["2700"], 365, "0", "823.158"),
        ("gb-svt-gas-2024q3", ["11500"], 365, "0", "744.8465"),  # together the published 1,568
        ("gb-svt-elec-2024q3-x", ["0"], 1, "0", "0.6012"),
        ("za-eskom-homelight20a", ["497"], 31, "0", "982.94"),
        ("za-eskom-homelight60a", ["497"], 31, "0", "1154.58"),
        # nothing used, nothing owed
        ("cn-sd-residential", ["0"], 30, "2520", "0"),
        # both sides of each edge; the edge itself belongs to the tier below it
        ("cn-sd-residential", ["1"], 1, "2519", "0.55"),
        ("cn-sd-residential-x", ["0.001"], 1, "2519.999", "0.0005469"),
        ("cn-sd-residential-x", ["0.001"], 1, "2520", "0.0005969"),
        ("cn-sd-residential-x", ["0.002"], 1, "2519.999", "0.0011438"),
        ("cn-sd-residential-x", ["0.001"], 1, "4799.999", "0.0005969"),
        ("cn-sd-residential-x", ["0.001"], 1, "4800", "0.0008469"),
        ("za-eskom-homelight20a-x", ["350"], 1, "0", "665.98"),
        ("za-eskom-homelight20a-x", ["350.001"], 1, "0", "665.9821562"),
        ("za-eskom-homelight20a-x", ["100"], 1, "4000", "190.28"),  # blocks of the month
        # five rate periods of Shandong industry, ten kWh of each
        ("cn-sd-ic-1kv", ["10", "0", "0", "0", "0"], 30, "0", "12.56"),
        ("cn-sd-ic-1kv", ["10", "10", "10", "10", "10"], 30, "0", "38.12"),
    ],
)
def test_a_bill_comes_to(tariff_id, kwh, days, before_kwh, total):
    assert one_bill(tariff_id, kwh, days, before_kwh).total_nanos[0] == nanos(total)


def test_electricity_and_gas_of_a_typical_british_home_are_the_published_1568():
    both = one_bill("gb-svt-elec-2024q3-x", ["2700"], 365).total_nanos
    both = both + one_bill("gb-svt-gas-2024q3", ["11500"], 365).total_nanos
    assert money_text(both[0]) == "1568.00"


def test_the_lines_of_a_bill_are_rounded_one_by_one_and_add_up():
    lines = one_bill("cn-sd-residential", ["260"], 30, "2400")
    assert [money_text(n) for n in lines.energy_nanos[0][:1]] == ["142.19"]
    assert [money_text(n) for n in lines.tier_nanos[0]] == ["0.00", "7.00", "0.00", "0.00"]
    assert lines.standing_nanos[0] == 0
    assert money_text(lines.total_nanos[0]) == "149.19"


@pytest.mark.parametrize(
    ("price", "kwh", "total"),
    [
        ("0.005", "1", "0.01"),  # half a cent goes up
        ("0.004999", "1", "0.00"),
        ("-0.005", "1", "-0.01"),  # away from zero, also below it
        ("-0.004999", "1", "0.00"),
        ("0.015", "1", "0.02"),  # not to even
        ("0.025", "1", "0.03"),
    ],
)
def test_a_line_is_rounded_half_up(price, kwh, total):
    plain = GB_GAS | {"ratePeriods": [{"name": "single", "pricePerKwh": price}], "rounding": "0.01"}
    tariffs = Tariffs([sheet_from_dict(plain)])
    used_wh = np.array([[wh(kwh), 0, 0, 0, 0, 0]])
    none = np.array([0])
    assert money_text(bill(tariffs, none, used_wh, none, none).total_nanos[0]) == total


# ---- against the second engine


PRICES = st.decimals("0", "3", places=4).map(str)
EDGES = st.lists(st.integers(1, 5_000), min_size=0, max_size=3, unique=True).map(sorted)


@st.composite
def sheets(draw, **fixed):
    """Any tariff sheet of up to six rate periods and four tiers."""
    prices = draw(st.lists(PRICES, min_size=1, max_size=MAX_RATE_PERIODS))
    names = [f"p{i}" for i in range(len(prices))]
    edges = [str(edge) for edge in draw(EDGES)] + [None]
    plain = {
        "tariffId": f"t{draw(st.integers(0, 10**6))}",
        "currency": "CNY",
        "zone": draw(st.sampled_from(["Asia/Shanghai", "Europe/London", "America/Santiago"])),
        "validFrom": "2020-01-01",
        "ratePeriods": [
            {"name": name, "pricePerKwh": price} for name, price in zip(names, prices, strict=True)
        ],
        "timeOfUse": [
            *(
                {"ratePeriod": n, "hours": [f"{3 * i:02d}:00-{3 * i + 3:02d}:00"]}
                for i, n in enumerate(names)
            ),
            {"ratePeriod": "p0"},
        ],
        "tiers": {
            "reset": draw(st.sampled_from(["month", "year"])),
            "steps": [{"uptoKwh": edge, "addPerKwh": draw(PRICES)} for edge in edges],
        },
        "standingPerDay": draw(PRICES),
        "rounding": draw(st.sampled_from(["0", "0.01", "0.001", "0.05", "1"])),
    }
    return plain | fixed


def used_of(draw, plain, most=10**7):
    periods = len(plain["ratePeriods"])
    used = draw(st.lists(st.integers(0, most), min_size=periods, max_size=periods))
    return used + [0] * (MAX_RATE_PERIODS - periods)


@st.composite
def accounts(draw):
    plain = draw(sheets())
    return plain, used_of(draw, plain), draw(st.integers(0, 366)), draw(st.integers(0, 10**7))


def bills(cases):
    """The bills of many different accounts in one call."""
    plains = [plain | {"tariffId": f"t{i}"} for i, (plain, *_) in enumerate(cases)]
    used, days, before = (np.array([case[k] for case in cases]) for k in (1, 2, 3))
    tariffs = Tariffs(sheet_from_dict(plain) for plain in plains)
    return bill(tariffs, np.arange(len(cases)), used, days, before)


@given(cases=st.lists(accounts(), min_size=1, max_size=5))
def test_bills_of_mixed_tariffs_are_those_of_the_second_engine(cases):
    totals = bills(cases).total_nanos.tolist()
    for total, (plain, used, days, before) in zip(totals, cases, strict=True):
        assert total == oracle.bill(
            plain, dict(enumerate(used[: len(plain["ratePeriods"])])), days, before
        )


@given(case=accounts(), period=st.integers(0, MAX_RATE_PERIODS - 1), more=st.integers(0, 10**7))
def test_more_usage_never_lowers_a_bill(case, period, more):
    plain, used, days, before = case
    higher = list(used)
    higher[period % len(plain["ratePeriods"])] += more
    lower_total, higher_total = bills([case, (plain, higher, days, before)]).total_nanos
    assert higher_total >= lower_total


@given(case=accounts(), data=st.data())
def test_a_month_in_two_parts_costs_the_same_where_nothing_is_rounded(case, data):
    plain, used, days, before = case
    plain = plain | {"rounding": "0", "tiers": plain["tiers"] | {"reset": "year"}}
    part = [data.draw(st.integers(0, u)) for u in used]
    rest = [u - p for u, p in zip(used, part, strict=True)]
    some_days = data.draw(st.integers(0, days))
    whole, first, second = bills(
        [
            (plain, used, days, before),
            (plain, part, some_days, before),
            (plain, rest, days - some_days, before + sum(part)),
        ]
    ).total_nanos.tolist()
    assert whole == first + second


@given(cases=st.lists(accounts(), min_size=2, max_size=4))
def test_no_account_changes_anothers_bill(cases):
    together = bills(cases)
    for i, case in enumerate(cases):
        alone = bills([case])
        assert alone.total_nanos[0] == together.total_nanos[i]
        assert alone.energy_nanos[0].sum() == together.energy_nanos[i].sum()


# ---- limits


def test_without_a_version_there_is_no_bill():
    used_wh = np.full((1, MAX_RATE_PERIODS), 10**9)
    one = np.array([31])
    assert bill(TARIFFS, np.array([-1]), used_wh, one, one).total_nanos.tolist() == [0]
    assert bill(Tariffs(), np.array([-1]), used_wh, one, one).total_nanos.tolist() == [0]
    nobody = np.zeros(0, np.int64)
    assert bill(TARIFFS, nobody, np.zeros((0, 6), np.int64), nobody, nobody).total_nanos.size == 0


def test_energy_in_a_rate_period_the_tariff_does_not_have_is_not_free():
    # The account had five rate periods until its tariff was changed.
    used_wh = np.array([[wh("10"), wh("10"), 0, 0, wh("10"), 0]])
    version, zero = np.array([TARIFFS.ids.index("cn-sd-residential")]), np.array([0])
    total = bill(TARIFFS, version, used_wh, zero, zero).total_nanos[0]
    assert money_text(total) == "16.41"


@given(plain=sheets(), share=st.lists(st.integers(1, 10), min_size=6, max_size=6))
def test_the_most_that_can_be_used_is_billed_exactly_and_more_is_refused(plain, share):
    prices = [float(p["pricePerKwh"]) for p in plain["ratePeriods"]]
    assume(max(prices) > 0)
    tariffs = Tariffs([sheet_from_dict(plain | {"rounding": "0.01"})])
    most = int(tariffs.max_used_wh[0]) // tariffs.rate_periods_at_most
    used = [most * s // 10 for s in share[: len(prices)]]
    used_wh = np.array([used + [0] * (MAX_RATE_PERIODS - len(used))])
    zero = np.array([0])
    days, before = np.array([366]), np.array([10**12])
    total = int(bill(tariffs, zero, used_wh, days, before).total_nanos[0])
    plain = plain | {"rounding": "0.01"}
    assert total == oracle.bill(plain, dict(enumerate(used)), 366, 10**12)
    assert total < MAX_NANOS
    with pytest.raises(UsageOutOfRange, match="position"):
        bill(tariffs, zero, np.array([[most + 1, 0, 0, 0, 0, 0]]), days, before)


# ---- the curve of days to come


def curve_of(plains, as_of, used, before, daily_wh, shares):
    """`bill_curve` of one account of the first sheet's tariff, from `as_of` on."""
    tariffs = Tariffs(sheet_from_dict(plain) for plain in plains)
    index, at = np.array([0]), np.array([as_of])
    month = tariffs.month_of(index, at - 1)
    days = tariffs.day_of_month(index, at - 1)
    left = tariffs.month_first_day(month + 1) - tariffs.day_of(index, at)
    curve = bill_curve(
        tariffs,
        tariffs.version_of_month(index, month),
        np.array([used]),
        days,
        np.array([before]),
        np.array([daily_wh], np.float32),
        np.array([shares], np.float32),
        left,
        month,
    )
    return curve[0]


def curve_by_bills(plains, as_of, used, before, daily_wh, shares):
    """The same from the second engine's bills, day by day and month by month."""
    last = oracle.local(plains[0], as_of - 1).date()
    month, days = last.year * 12 + last.month - 1, last.day
    sheet = oracle.version_of(plains, month)
    periods = [k for k, share in enumerate(shares) if share]
    used = {k: used[k] for k in periods}
    posted, year_wh = -oracle.bill(sheet, used, days, before), before
    today, curve = oracle.local(plains[0], as_of).date().toordinal(), []
    for ahead, day_wh in enumerate(daily_wh):
        on = date.fromordinal(today + ahead)
        if on.year * 12 + on.month - 1 != month:
            posted += oracle.bill(sheet, used, oracle.days_in(month), year_wh)
            year_wh = 0 if on.month == 1 else year_wh + sum(used.values())
            month, used = on.year * 12 + on.month - 1, {}
            sheet = oracle.version_of(plains, month)
        for k in periods:
            used[k] = used.get(k, 0) + int(day_wh * shares[k])
        curve.append(posted + oracle.bill(sheet, used, on.day, year_wh))
    return curve


@given(data=st.data(), plain=sheets(rounding="0"), later=sheets(rounding="0"))
def test_the_curve_of_days_to_come_is_what_bill_will_say_on_each_of_them(data, plain, later):
    # Energy that is a multiple of 4 Wh in shares of quarters: no rounding hides anything.
    day = st.integers(0, 10_000).map(lambda kilo: kilo * 4)
    daily_wh = data.draw(st.lists(day, min_size=35, max_size=35))
    periods = min(len(plain["ratePeriods"]), len(later["ratePeriods"]), 2)
    shares = [1.0, 0, 0, 0, 0, 0] if periods == 1 else [0.25, 0.75, 0, 0, 0, 0]
    used = [data.draw(st.integers(0, 10**6)) for _ in range(periods)] + [0] * (6 - periods)
    as_of = data.draw(
        st.integers(oracle.at("2026-01-01T12:00Z"), oracle.at("2028-03-10T00:00Z"))
        | st.sampled_from(["2026-06-30T16:00Z", "2026-01-30T16:00Z", "2027-12-31T16:00Z"]).map(
            oracle.at
        )
    )
    plains = [plain]
    if data.draw(st.booleans()):
        first = oracle.first_of(oracle.month_number(plain, as_of) + data.draw(st.integers(0, 3)))
        same = {field: plain[field] for field in ("tariffId", "zone", "currency")}
        plains.append(later | same | {"validFrom": first.isoformat()})
    before = data.draw(st.integers(0, 5 * 10**6))
    got = curve_of(plains, as_of, used, before, daily_wh, shares)
    expected = curve_by_bills(plains, as_of, used, before, daily_wh, shares)
    assert got == pytest.approx(expected, rel=1e-12, abs=1_000)  # a millionth of a currency unit


def test_curves_of_many_accounts_are_those_of_each_alone():
    rng = np.random.default_rng(7)
    count = 300
    plains = [p | {"tariffId": f"t{i}"} for i, p in enumerate(SHIPPED * 4)]
    tariffs = Tariffs(sheet_from_dict(plain) for plain in plains)
    index = rng.integers(0, len(plains), count)
    index[:3] = -1
    at = rng.integers(oracle.at("2026-02-01T00:00Z"), oracle.at("2028-02-01T00:00Z"), count)
    month = tariffs.month_of(index, at - 1)
    columns = (
        tariffs.version_of_month(index, month),
        rng.integers(0, 10**6, (count, 6)),
        tariffs.day_of_month(index, at - 1),
        rng.integers(0, 5 * 10**6, count),
        rng.uniform(0, 30_000, (count, 35)).astype(np.float32),
        rng.dirichlet(np.ones(6), count).astype(np.float32),
        tariffs.month_first_day(month + 1) - tariffs.day_of(index, at),
        month,
    )
    together = bill_curve(tariffs, *columns)
    assert together.shape == (count, 35)
    assert not together[:3].any()
    for i in range(0, count, 7):
        alone = bill_curve(tariffs, *(column[i : i + 1] for column in columns))
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-12, atol=1)


def test_a_curve_of_nobody_and_of_accounts_never_read():
    nobody = np.zeros(0, np.int64)
    empty = np.zeros((0, 6), np.int64)
    days = np.zeros((0, 35), np.float32)
    assert bill_curve(TARIFFS, nobody, empty, nobody, nobody, days, empty, nobody, nobody).size == 0
    one, none = np.zeros((1, 6), np.int64), np.array([0])
    day = np.ones((1, 35), np.float32)
    never = bill_curve(TARIFFS, np.array([-1]), one, none, none, day, one, none, none)
    assert not never.any()
