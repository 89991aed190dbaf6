"""Do a year's bills agree with those of NREL's Utilityrate5, to a cent a month?

200 generated tariffs (time of use by season, weekday and weekend; tiers by month; a demand charge
on the month's maximum; monthly fixed and minimum charges), each with a generated year of hourly
load. SAM's year has 365 days and begins on a Monday, as 2018 did.

Differences, and why:
- SAM computes in floating point and rounds nothing, so sheets here round nothing either; a cent a
  month is far more than both together lose.
- SAM has one tier count per month over all periods, and gives each hour the tier that is reached in
  that very hour, in the order of time.  A sheet's tier adds to the price of all periods alike, so
  the order within the month does not matter and both agree (tiers_and_periods below).
- SAM's minimum charge looks at energy, demand and fixed charges together, as `minimumPerMonth`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from PySAM import Utilityrate5

from scoring.billing_month import CustomerTerms, Intervals, months_of_intervals
from scoring.sheet import sheet_from_dict
from scoring.statement import bill_of_months
from scoring.tariff import Tariffs

YEAR = 2018
FIRST_AT = int(datetime.fromisoformat(f"{YEAR}-01-01T00:00+00:00").timestamp())
HOURS = 8760
PAIRS = 200
NO_LIMIT = 1e38
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
ANY_PERIOD = 1


def generated(seed):
    """A tariff's plain form and a year's load in Wh by hour."""
    rng = np.random.default_rng(seed)
    names = [f"p{i}" for i in range(rng.integers(1, 5))]
    lines = [{"ratePeriod": names[0]}]
    for name in names[1:]:
        start = int(rng.integers(0, 20))
        months = sorted({int(m) for m in rng.integers(1, 13, rng.integers(3, 13))})
        end = int(rng.integers(start + 1, 25))
        line = {"ratePeriod": name, "months": months, "hours": [f"{start:02d}:00-{end:02d}:00"]}
        if rng.random() < 0.5:
            line["days"] = [WORKDAYS, ["sat", "sun"]][int(rng.integers(0, 2))]
        lines.insert(0, line)
    plain = {
        "tariffId": f"generated-{seed}", "currency": "USD", "zone": "UTC",
        "validFrom": f"{YEAR}-01-01", "timeOfUse": lines,
        "ratePeriods": [{"name": n, "pricePerKwh": _price(rng, 0.4)} for n in names],
    }  # fmt: skip
    if rng.random() < 0.6:
        edges = sorted({int(e) for e in rng.integers(50, 1_500, rng.integers(1, 4))})
        plain["tiers"] = {
            "reset": "month",
            "steps": [{"uptoKwh": e, "addPerKwh": _price(rng, 0.2)} for e in [*edges, None]],
        }
    if rng.random() < 0.6:
        plain["basic"] = {"demandPerKw": f"{rng.uniform(1, 20):.2f}"}
    if rng.random() < 0.6:
        plain["standingPerMonth"] = f"{rng.uniform(0, 50):.2f}"
    if rng.random() < 0.3:
        plain["minimumPerMonth"] = f"{rng.uniform(0, 400):.2f}"
    shape = 0.3 + np.abs(np.sin((np.arange(HOURS) + rng.integers(0, 24)) * np.pi / 24))
    load = rng.lognormal(6.5, 0.5) * shape * rng.uniform(0.5, 1.5, HOURS)
    return plain, load.astype(np.int64)


def _price(rng, most):
    return f"{rng.uniform(0.01, most):.5f}"


def schedule(plain, weekend):
    """SAM's table of periods by month and hour, numbered from 1."""
    names = [period["name"] for period in plain["ratePeriods"]]
    table = []
    for month in range(1, 13):
        row = []
        for hour in range(24):
            for line in plain["timeOfUse"]:
                start, end = (int(t[:2]) for t in line.get("hours", ["00:00-24:00"])[0].split("-"))
                days = line.get("days", [*WORKDAYS, "sat", "sun"])
                in_days = ("sat" in days) if weekend else ("mon" in days)
                if month in line.get("months", range(1, 13)) and in_days and start <= hour < end:
                    row.append(names.index(line["ratePeriod"]) + 1)
                    break
        table.append(row)
    return table


def sam_bills(plain, load_wh):
    """The twelve bills by SAM."""
    model = Utilityrate5.new()
    rates = model.ElectricityRates
    model.Lifetime.analysis_period = 1
    model.Lifetime.inflation_rate = 0
    model.Lifetime.system_use_lifetime_output = 0
    model.SystemOutput.degradation = [0]
    model.SystemOutput.gen = [0.0] * HOURS
    model.Load.load = (load_wh / 1000).tolist()
    rates.rate_escalation = [0]
    rates.ur_metering_option = 2
    rates.ur_monthly_fixed_charge = float(plain.get("standingPerMonth", 0))
    rates.ur_monthly_min_charge = float(plain.get("minimumPerMonth", 0))
    rates.ur_annual_min_charge = 0
    rates.ur_ec_sched_weekday = schedule(plain, weekend=False)
    rates.ur_ec_sched_weekend = schedule(plain, weekend=True)
    steps = plain.get("tiers", {"steps": [{"uptoKwh": None, "addPerKwh": "0"}]})["steps"]
    rates.ur_ec_tou_mat = [
        [
            p + 1,
            k + 1,
            NO_LIMIT if step["uptoKwh"] is None else step["uptoKwh"],
            0,
            float(period["pricePerKwh"]) + float(step["addPerKwh"]),
            0,
        ]
        for p, period in enumerate(plain["ratePeriods"])
        for k, step in enumerate(steps)
    ]
    demand = float(plain.get("basic", {"demandPerKw": "0"})["demandPerKw"])
    rates.ur_dc_enable = 1
    rates.ur_dc_sched_weekday = rates.ur_dc_sched_weekend = [[ANY_PERIOD] * 24] * 12
    rates.ur_dc_tou_mat = [[ANY_PERIOD, 1, NO_LIMIT, 0]]
    rates.ur_dc_flat_mat = [[month, 1, NO_LIMIT, demand] for month in range(12)]
    model.execute()
    return model.Outputs.year1_monthly_utility_bill_wo_sys


def our_months(tariffs, plain, load_wh):
    at = FIRST_AT + np.arange(HOURS) * 3600
    terms = CustomerTerms(date(YEAR, 1, 1), plain["tariffId"])
    return months_of_intervals(tariffs, [terms], Intervals(at, load_wh, 3600))


@pytest.mark.parametrize("batch", [range(i, i + 50) for i in range(0, PAIRS, 50)])
def test_a_years_bills_are_sams_to_a_cent_a_month(batch):
    pairs = [generated(seed) for seed in batch]
    tariffs = Tariffs(sheet_from_dict(plain) for plain, _ in pairs)
    for plain, load_wh in pairs:
        months = our_months(tariffs, plain, load_wh)
        ours = bill_of_months(tariffs, months).total_nanos / 1e9
        sams = sam_bills(plain, load_wh)
        assert ours == pytest.approx(sams, abs=0.01), plain


def test_the_generated_tariffs_have_all_of_it():
    plains = [generated(seed)[0] for seed in range(PAIRS)]
    for field in ("tiers", "basic", "standingPerMonth", "minimumPerMonth"):
        assert 40 < sum(field in plain for plain in plains) < PAIRS
    assert sum(len(p["ratePeriods"]) > 1 and "tiers" in p for p in plains) > 60
    assert date(YEAR, 1, 1) + timedelta(days=364) == date(YEAR, 12, 31)
    assert date(YEAR, 1, 1).weekday() == 0
