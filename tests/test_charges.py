"""Is a bill with every charge on it what fractions say, and do its lines add up?

Generated sheets (components, two parts, power factor, levies, taxes) and months in parts against a
second engine of fractions (`oracle_bill`), and what must hold of any bill.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.exact import (
    MAX_WORK_WH,
    Amount,
    added,
    part_of,
    priced,
    rounded,
    share,
    unit_days,
)
from scoring.power_factor import hundredths
from scoring.sheet import sheet_from_dict, sheet_to_dict
from scoring.statement import BillingMonth, Stretch, bill_of_months, statement
from scoring.tariff import Tariffs
from tests import oracle_bill as oracle
from tests.bill_cases import BASES

# ---- exact arithmetic


WHOLE = st.integers(-(10**12), 10**12)
QUANTA = st.sampled_from([1, 3, 10, 10**7, 5 * 10**7, 10**9])


def column(*values):
    return [np.array([value]) for value in values]


def as_fraction(amount):
    return Fraction(int(amount.nanos[0])) + Fraction(int(amount.rest[0]), int(np.max(amount.per)))


@given(wh=WHOLE, picos=st.integers(-(10**12), 10**12), more=WHOLE, quantum=QUANTA)
def test_energy_times_a_price_of_twelve_decimals_is_exact(wh, picos, more, quantum):
    micros, rest = divmod(picos, 10**6)
    one = priced(*column(wh, micros, rest))
    both = added(one, priced(*column(more, micros, rest)))
    assert as_fraction(one) == Fraction(wh * picos, 10**6)
    assert as_fraction(both) == Fraction((wh + more) * picos, 10**6)
    exactly = oracle.rounded(as_fraction(both), Fraction(quantum))
    assert rounded(both, np.array([quantum]))[0] == exactly


@given(nanos=st.integers(-(2**60), 2**60), ppm=st.integers(0, 2 * 10**6), quantum=QUANTA)
def test_a_share_of_money_is_exact(nanos, ppm, quantum):
    found = share(*column(nanos), ppm)
    assert as_fraction(found) == Fraction(nanos * ppm, 10**6)
    assert rounded(found, np.array([quantum]))[0] == oracle.rounded(
        Fraction(nanos * ppm, 10**6), Fraction(quantum)
    )


@given(units=st.integers(0, 10**15), per=st.integers(1, 10**6), micros=st.integers(0, 10**9))
def test_a_fraction_of_unit_months_is_exact(units, per, micros):
    micros = min(micros, 10**18 // max(units // per, 1))
    found = unit_days(*column(micros, units, per))
    assert as_fraction(found) == Fraction(units * micros, per)


@given(data=st.data(), whole=st.integers(1, 2**41), amount=st.integers(0, 2**41))
def test_a_part_of_an_amount_is_its_floor(data, whole, amount):
    part = data.draw(st.integers(0, whole))
    assert part_of(*column(amount, part, whole))[0] == amount * part // whole


def test_half_a_nano_decides_only_where_nanos_are_the_quantum():
    half = Amount(*column(5_000_000 - 1, 999_999), 10**6)
    assert rounded(half, np.array([10**7])).tolist() == [0]
    assert rounded(half, np.array([1])).tolist() == [5_000_000]


@given(kwh=st.integers(0, 10**11), kvarh=st.integers(0, 10**11))
def test_the_power_factor_is_rounded_as_fractions_say(kwh, kvarh):
    found = hundredths(*column(kwh, kvarh))[0]
    assert found == oracle.power_factor(Fraction(kwh), Fraction(kvarh))


@given(p=st.integers(1, 99), scale=st.integers(1, 10**6))
def test_a_power_factor_beside_the_middle_of_two_hundredths_is_settled_exactly(p, scale):
    # kwh : kvarh such that the factor is as near to p + 1/2 as whole numbers come
    middle = Fraction(2 * p + 1, 200)
    kwh = scale * 10**4
    kvarh = round(kwh * float(1 / middle**2 - 1) ** 0.5)
    for near in (kvarh - 1, kvarh, kvarh + 1):
        found = hundredths(*column(kwh, near))[0]
        assert found == oracle.power_factor(Fraction(kwh), Fraction(near))


# ---- generated sheets and months


def prices(least="0", places=8):
    return st.decimals(least, "3", places=places).map(str)


@st.composite
def sheets(draw, **fixed):
    """A sheet with any of the charges; amounts as texts."""
    count = draw(st.integers(1, 5))
    names = [f"p{i}" for i in range(count)]
    plain = {
        "tariffId": "t",
        "currency": "CNY",
        "zone": "Asia/Shanghai",
        "validFrom": "2020-01-01",
        "rounding": draw(st.sampled_from(["0.01", "0.001", "0.05"])),
        "timeOfUse": [
            *(
                {"ratePeriod": n, "hours": [f"{i:02d}:00-{i + 1:02d}:00"]}
                for i, n in enumerate(names)
            ),
            {"ratePeriod": "p0"},
        ],
    }
    if draw(st.booleans()):
        plain["components"] = {
            "floating": {"purchase": draw(prices(places=6)), "losses": draw(prices(places=4))},
            "fixed": {"transmission": draw(prices()), "funds": draw(prices())},
        }
        ratio = st.decimals("0", "2", places=2).map(str)
        plain["ratePeriods"] = [{"name": n, "ratio": draw(ratio)} for n in names]
    else:
        plain["ratePeriods"] = [{"name": n, "pricePerKwh": draw(prices())} for n in names]
    maybe = {
        "tiers": st.fixed_dictionaries({"reset": st.just("year"), "steps": tiers()}),
        "basic": basics(),
        "powerFactor": st.fixed_dictionaries(
            {
                "standard": st.sampled_from(["0.90", "0.85", "0.80"]),
                "table": st.just("cn-1983-215"),
                "baseExcludes": st.just(["funds"] if "components" in plain else []),
            }
        ),
        "levies": levies(),
        "standingPerDay": prices(places=4),
        "standingPerMonth": prices(places=4),
        "minimumPerMonth": st.decimals("0.01", "400", places=2).map(str),
        "vat": st.sampled_from(["0.05", "0.13", "0.15"]),
    }
    for field, strategy in maybe.items():
        if draw(st.booleans()):
            plain[field] = draw(strategy)
    return plain | fixed


def tiers():
    edges = st.lists(st.integers(1, 5_000), max_size=3, unique=True).map(sorted)
    return edges.flatmap(
        lambda found: st.tuples(*[prices() for _ in range(len(found) + 1)]).map(
            lambda adds: [
                {"uptoKwh": edge, "addPerKwh": add}
                for edge, add in zip([*map(str, found), None], adds, strict=True)
            ]
        )
    )


def basics():
    return st.fixed_dictionaries(
        {
            "choice": st.just(["demand", "capacity"]),
            "capacityPerKva": st.decimals("0.01", "40", places=2).map(str),
            "demandPerKw": st.decimals("0.01", "60", places=2).map(str),
            "demandOver": st.just({"above": "1.05", "factor": "2"}),
            "demandFloor": st.sampled_from(["0", "0.4"]),
            "suspendedShare": st.sampled_from(["0", "0.5"]),
        }
    )


def levies():
    flat = st.fixed_dictionaries({"name": st.just("flat"), "perKwh": prices()})
    bases = st.lists(
        st.sampled_from(["energy", "basic", "power-factor", "standing", "levies"]),
        min_size=1, unique=True,
    )  # fmt: skip
    rate = st.fixed_dictionaries(
        {"name": st.just("rate"), "rate": st.sampled_from(["0.03", "0.1"]), "of": bases}
    )
    return st.tuples(flat, rate).map(list)


@st.composite
def parts(draw, count, days):
    return {
        "days": days,
        "kwh": [Fraction(draw(st.integers(0, 10**8)), 1000) for _ in range(count)],
        "kvarh": draw(st.none() | st.integers(0, 10**8).map(lambda v: Fraction(v, 1000))),
        "kva": Fraction(draw(st.integers(0, 5_000))),
        "suspended": Fraction(draw(st.integers(0, 2_000))),
        "contract": Fraction(draw(st.integers(0, 2_000))),
        "drawn": Fraction(draw(st.integers(0, 3 * 10**6)), 1000),
        "basis": None,
        "adjust": Fraction(draw(st.integers(-50_000, 50_000)), 10**6),
    }


@st.composite
def months(draw, plain):
    month_days = draw(st.integers(28, 31))
    cuts = sorted(draw(st.lists(st.integers(1, month_days - 1), max_size=2, unique=True)))
    basis = draw(st.sampled_from(["capacity", "demand"]))
    edges = [0, *cuts, month_days]
    found = [draw(parts(len(plain["ratePeriods"]), end - start)) for start, end in pairwise(edges)]
    return [part | {"basis": basis} for part in found], month_days, draw(st.integers(0, 6_000))


def month_of(version, case):
    """The same month as the engine is told it."""
    found, month_days, before = case
    day, whole = date(2026, 1, 1), []
    for part in found:
        kvarh = part["kvarh"]
        whole.append(
            Stretch(
                version,
                day,
                part["days"],
                tuple(int(k * 1000) for k in part["kwh"]),
                capacity_va=int(part["kva"] * 1000),
                suspended_va=int(part["suspended"] * 1000),
                contract_w=int(part["contract"] * 1000),
                max_demand_w=int(part["drawn"] * 1000),
                reactive_varh=None if kvarh is None else int(kvarh * 1000),
                basis=BASES[part["basis"]],
                adjust_micros_per_kwh=int(part["adjust"] * 10**6),
            )
        )
        day += timedelta(days=part["days"])
    return BillingMonth(tuple(whole), month_days, year_used_before_wh=before * 1000)


CASES = sheets().flatmap(lambda plain: st.tuples(st.just(plain), months(plain)))


@settings(max_examples=300)
@given(case=CASES)
def test_a_month_with_every_charge_costs_what_fractions_say(case):
    plain, month = case
    tariffs = Tariffs([sheet_from_dict(plain)])
    expected = oracle.bill(plain, month[0], month[1], Fraction(month[2]))
    assert Fraction(statement(tariffs, month_of(0, month)).total_nanos, 10**9) == expected


def test_two_equal_parts_of_a_month_fill_the_tiers_one_after_the_other():
    """0.226 + 0.137 + 222.271 kWh twice, 0.00002246 above the first: 0.4978 and 0.50004 cents."""
    steps = [{"uptoKwh": "1", "addPerKwh": "0"}, {"uptoKwh": None, "addPerKwh": "0.00002246"}]
    plain = {
        "tariffId": "t", "currency": "CNY", "zone": "Asia/Shanghai", "validFrom": "2020-01-01",
        "rounding": "0.01", "tiers": {"reset": "year", "steps": steps},
        "ratePeriods": [{"name": f"p{number}", "pricePerKwh": "0"} for number in range(4)],
        "timeOfUse": [
            {"ratePeriod": "p1", "hours": ["01:00-02:00"]},
            {"ratePeriod": "p2", "hours": ["02:00-03:00"]},
            {"ratePeriod": "p3", "hours": ["03:00-04:00"]},
            {"ratePeriod": "p0"},
        ],
    }  # fmt: skip
    kwh = [Fraction("0.226"), Fraction("0.137"), Fraction("222.271"), Fraction(0)]
    part = {
        "days": 14, "kwh": kwh, "kvarh": None, "kva": Fraction(0), "suspended": Fraction(0),
        "contract": Fraction(0), "drawn": Fraction(0), "basis": "capacity", "adjust": Fraction(0),
    }  # fmt: skip
    month = ([part, dict(part)], 28, 0)
    tariffs = Tariffs([sheet_from_dict(plain)])
    found = Fraction(statement(tariffs, month_of(0, month)).total_nanos, 10**9)
    assert found == oracle.bill(plain, *month[:2], Fraction(0)) == Fraction("0.01")


@given(cases=st.lists(CASES, min_size=1, max_size=5))
def test_the_bill_in_columns_is_the_sum_of_the_statements_lines(cases):
    plains = [plain | {"tariffId": f"t{i}"} for i, (plain, _) in enumerate(cases)]
    tariffs = Tariffs(map(sheet_from_dict, plains))
    whole = [month_of(i, month) for i, (_, month) in enumerate(cases)]
    told = [part for month in whole for part in statement(tariffs, month).parts]
    columns = bill_of_months(tariffs, whole).total_nanos.tolist()
    assert columns == [sum(line.amount_nanos for line in part.lines) for part in told]


@given(case=CASES, more=st.integers(0, 10**8), period=st.integers(0, 4))
def test_more_usage_never_lowers_a_bill(case, more, period):
    # A better power factor may: it is a reward for using more active energy.
    plain, month = case
    plain = {field: value for field, value in plain.items() if field != "powerFactor"}
    found, month_days, before = month
    first = found[0] | {"adjust": Fraction(0)}
    dearer = list(first["kwh"])
    dearer[period % len(dearer)] += Fraction(more, 1000)
    tariffs = Tariffs([sheet_from_dict(plain)])
    low, high = (
        statement(tariffs, month_of(0, ([one, *found[1:]], month_days, before))).total_nanos
        for one in (first, first | {"kwh": dearer})
    )
    assert high >= low


@given(case=CASES, data=st.data())
def test_usage_in_two_halves_costs_the_same_within_a_period_and_tier(case, data):
    plain, ([part, *_], _, _) = case
    kept = ("components", "ratePeriods", "standingPerDay")
    same = {field: plain[field] for field in (*COMMON_FIELDS, *kept) if field in plain}
    tariffs = Tariffs([sheet_from_dict(same | {"rounding": "0"})])
    first = [Fraction(data.draw(st.integers(0, int(k * 1000))), 1000) for k in part["kwh"]]
    rest = [k - f for k, f in zip(part["kwh"], first, strict=True)]
    whole, *halves = (
        statement(tariffs, month_of(0, ([part | {"kwh": kwh, "days": days}], 30, 0))).total_nanos
        for kwh, days in ((part["kwh"], 30), (first, 10), (rest, 20))
    )
    # each of up to five lines and the adjustment may be cut to a whole nano
    assert abs(whole - sum(halves)) <= 12


COMMON_FIELDS = ("tariffId", "currency", "zone", "validFrom", "timeOfUse")


@given(plain=sheets())
def test_a_sheet_with_every_charge_survives_being_written_and_read(plain):
    sheet = sheet_from_dict(plain)
    assert sheet_from_dict(sheet_to_dict(sheet)) == sheet


def test_a_hundred_gigawatt_hours_are_billed_exactly_and_more_than_fits_is_refused():
    plain = {
        "tariffId": "t", "currency": "CNY", "zone": "Asia/Shanghai", "validFrom": "2020-01-01",
        "ratePeriods": [{"name": "p0", "pricePerKwh": "0.62716875"}],
        "powerFactor": {"standard": "0.90", "table": "cn-1983-215"},
        "basic": {"capacityPerKva": "24"}, "rounding": "0.01",
    }  # fmt: skip
    part = {
        "days": 30, "kwh": [Fraction(100_000_000)], "kvarh": Fraction(50_000_000),
        "kva": Fraction(400_000), "suspended": Fraction(0), "contract": Fraction(0),
        "drawn": Fraction(0), "basis": "capacity", "adjust": Fraction(0),
    }  # fmt: skip
    tariffs = Tariffs([sheet_from_dict(plain)])
    case = ([part], 30, 0)
    found = statement(tariffs, month_of(0, case)).total_nanos
    assert Fraction(found, 10**9) == oracle.bill(plain, [part], 30, Fraction(0))
    assert tariffs.max_used_wh[0] > 10**11
    assert tariffs.max_used_wh[0] <= MAX_WORK_WH
