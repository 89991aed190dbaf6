"""Do rounding, transformer losses, market prices and the edges of rules come out to the cent?

Golden tables for a clerk, beside the published bills of `test_worked_bills`: what an exam or a
customer's letter asks about a single line.  Rules: domain.md 3.1 to 3.4.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from scoring.billing_month import CustomerTerms, Intervals, MarketPrices, months_of_intervals
from scoring.sheet import sheet_from_dict
from scoring.statement import BillingMonth, Stretch, statement
from scoring.tariff import Tariffs
from scoring.units import instant, money_text, wh
from tests.bill_cases import COMMON

FIRST = instant("2026-04-01T00:00:00+08:00")


def told(plain: dict, *stretches: Stretch, month_days: int = 30, before: str = "0"):
    """The lines by name and the total."""
    month = BillingMonth(stretches, month_days, wh(before), 0)
    found = statement(Tariffs([sheet_from_dict(COMMON | plain)]), month)
    lines: dict[str, int] = {}
    for line in found.lines:
        lines[line.name] = lines.get(line.name, 0) + line.amount_nanos
    return {k: money_text(v) for k, v in lines.items() if v}, money_text(found.total_nanos)


def part(days: int, *kwh: str, first: str = "2026-04-01", **terms: int) -> Stretch:
    return Stretch(0, date.fromisoformat(first), days, tuple(wh(k) for k in kwh), **terms)


THREE = {
    "tariffId": "three",
    "ratePeriods": [
        {"name": "peak", "pricePerKwh": "0.33333"},
        {"name": "flat", "pricePerKwh": "0.22222"},
        {"name": "valley", "pricePerKwh": "0.11111"},
    ],
    "timeOfUse": [
        {"ratePeriod": "peak", "hours": ["08:00-16:00"]},
        {"ratePeriod": "flat", "hours": ["16:00-24:00"]},
        {"ratePeriod": "valley"},
    ],
}


@pytest.mark.parametrize(
    ("rounding", "total", "why"),
    [
        # 1 kWh in each period: 0.33333 + 0.22222 + 0.11111 = 0.66666
        ({"to": "0.01", "each": "period"}, "0.66", "0.33 + 0.22 + 0.11"),
        ({"to": "0.01", "each": "line"}, "0.67", "0.66666 is one line"),
        ({"to": "0.1", "each": "period"}, "0.60", "0.3 + 0.2 + 0.1"),
        ({"to": "0.1", "each": "line"}, "0.70", "0.66666 to a tenth"),
    ],
)
def test_each_period_or_the_whole_line_is_rounded(rounding, total, why):
    assert told(THREE | {"rounding": rounding}, part(30, "1", "1", "1"))[1] == total, why


@pytest.mark.parametrize(
    ("kwh", "price", "amount"),
    [
        ("1", "0.005", "0.01"),  # half a cent goes up
        ("1", "0.0049", None),
        ("1", "-0.005", "-0.01"),  # and away from zero below it
        ("3", "0.335", "1.01"),  # 1.005
        ("1000000", "0.02716875", "27168.75"),
        ("3", "0.0016666", None),  # 0.0049998
    ],
)
def test_half_a_cent_goes_away_from_zero(kwh, price, amount):
    plain = {"tariffId": "one", "ratePeriods": [{"name": "energy", "pricePerKwh": price}]}
    assert told(plain, part(30, kwh))[0].get("energy") == amount


LOSSES = {
    "tariffId": "losses",
    "ratePeriods": [{"name": "energy", "pricePerKwh": "0.5"}],
    "transformerLoss": {"noLoadKwhPerKvaDay": "0.06", "loadShare": "0.015"},
}


@pytest.mark.parametrize(
    ("kwh", "kva", "suspended", "days", "total", "why"),
    [
        # iron 0.06 x kVA x days, copper 1.5 % of what is metered, all at 0.50
        ("10000", 315_000, 0, 30, "5358.50", "10,000 + 567 + 150"),
        ("0", 315_000, 0, 30, "283.50", "iron runs without any usage"),
        ("10000", 315_000, 315_000, 30, "5075.00", "nothing is connected: copper alone"),
        ("10000", 315_000, 0, 10, "5169.50", "ten days of iron"),
        ("10000", 0, 0, 30, "5075.00", "metered behind the transformer of others"),
    ],
)
def test_what_the_customers_transformer_loses_is_used(kwh, kva, suspended, days, total, why):
    whole = part(days, kwh, capacity_va=kva, suspended_va=suspended)
    assert told(LOSSES, whole)[1] == total, why


DYNAMIC = {
    "tariffId": "market",
    "dynamic": "hourly",
    "ratePeriods": [{"name": "grid", "pricePerKwh": "0.10"}],
    "standingPerDay": "0.20",
    "rounding": "0.01",
    "vat": "0.13",
}


@pytest.mark.parametrize(
    ("prices", "kwh", "total", "why"),
    [
        # each hour's kWh at its price, 0.10 for the grid on top, 0.20 a day, 13 % on all
        (["0.30", "0.50"], ["1", "2"], "2.03", "(1.30 + 0.30 + 0.20) x 1.13 = 2.034"),
        (["-0.50", "0.10"], ["10", "1"], "-4.07", "(-4.90 + 1.10 + 0.20) x 1.13 = -4.068"),
        (["-0.10", "0.10"], ["1", "1"], "0.45", "paid for and paid: only grid and day"),
        (["0", "0"], ["5", "5"], "1.36", "(1.00 + 0.20) x 1.13"),
        (["0.00001", "0"], ["499", "0"], "56.61", "0.00499 is no cent"),
    ],
)
def test_hours_at_the_markets_prices_also_below_zero(prices, kwh, total, why):
    tariffs = Tariffs([sheet_from_dict(COMMON | DYNAMIC)])
    starts = FIRST + np.arange(len(prices)) * 3_600
    load = Intervals(starts, np.array([wh(k) for k in kwh]), 3_600)
    picos = np.array([int(Fraction(price) * 10**12) for price in prices])
    market = MarketPrices(starts, picos, 3_600)
    terms = [CustomerTerms(date(2026, 4, 1), "market")]
    (month,) = months_of_intervals(tariffs, terms, load, market)
    assert money_text(statement(tariffs, month).total_nanos) == total, why


@pytest.mark.parametrize(
    ("kvarh", "adjusted", "why"),
    [
        # 10,000 kWh at 1.00 and standard 0.90; the factor is rounded half up to hundredths
        ("3461", "-75.00", "0.945 and more is 0.95, the best"),
        ("3461.1", "-60.00", "0.94"),
        ("4700.6", "-15.00", "0.905 and more is 0.91"),
        ("4700.7", None, "0.90"),
        ("4983.9", None, "0.895 and more is 0.90"),
        ("4984", "50.00", "0.89"),
    ],
)
def test_the_power_factor_at_the_very_edge_of_a_hundredth(kvarh, adjusted, why):
    plain = {
        "tariffId": "factor",
        "ratePeriods": [{"name": "energy", "pricePerKwh": "1"}],
        "powerFactor": {"standard": "0.90", "table": "cn-1983-215"},
    }
    lines, _ = told(plain, part(30, "10000", reactive_varh=wh(kvarh)))
    assert lines.get("power-factor") == adjusted, why


YEARLY = {
    "tariffId": "yearly",
    "ratePeriods": [{"name": "energy", "pricePerKwh": "0.5469"}],
    "tiers": {
        "reset": "year",
        "steps": [
            {"uptoKwh": "2520", "addPerKwh": "0"},
            {"uptoKwh": "4800", "addPerKwh": "0.05"},
            {"uptoKwh": None, "addPerKwh": "0.3"},
        ],
    },
}


@pytest.mark.parametrize(
    ("before", "kwh", "total", "why"),
    [
        ("2519", "1", "0.55", "the last kWh of the first tier"),
        ("2520", "1", "0.60", "the first of the second"),
        ("4799", "2", "1.44", "one kWh on each side: 1.09 + 0.05 + 0.30"),
        ("0", "4800", "2739.12", "both edges exactly: 2,625.12 + 114.00"),
        ("0", "0", "0.00", "nothing"),
    ],
)
def test_the_edges_of_the_years_tiers(before, kwh, total, why):
    assert told(YEARLY, part(30, kwh), before=before)[1] == total, why


def test_the_years_tiers_begin_again_in_january():
    tariffs = Tariffs([sheet_from_dict(COMMON | YEARLY)])
    starts = instant("2025-12-31T23:00:00+08:00") + np.arange(2) * 3_600
    load = Intervals(starts, np.array([wh("10"), wh("10")]), 3_600)
    terms = [CustomerTerms(date(2025, 1, 1), "yearly")]
    months = months_of_intervals(tariffs, terms, load, None, wh("4800"))
    totals = [money_text(statement(tariffs, month).total_nanos) for month in months]
    assert totals == ["8.47", "5.47"]  # 10 x 0.8469, and 10 x 0.5469
