"""Do the published and computed worked bills come out to the cent?

Golden tables for a clerk: domain.md 3.3 and 3.4, and others of their kind.  Each case writes the
lines as they stand on the bill; what is 0.00 is left out.
"""

from __future__ import annotations

import pytest

from scoring.power_factor import PowerFactor, cn_1983_215, rates_ppm
from tests.bill_cases import amounts, month_of, stretch

SD = "cn-sd-ic-10kv-two-part"


def test_c1_a_works_reduced_from_320_to_160_kva_on_the_sixth_day():
    # Read on the 24th: 24 July to 30 July two-part, then single-part; 31 days in all.  The power
    # factor is of the whole month (0.84), each part has its own standard.
    month = month_of(
        stretch("c1-large-industry", 6, ["20000"], "2026-07-24", capacity_kva="320", kvarh="32000"),
        stretch("c1-ordinary-industry", 25, ["30000"], "2026-07-30", capacity_kva="160"),
        month_days=31,
    )
    lines, total = amounts(month)
    assert lines == {
        "capacity": "1024.00",  # 320 x 16 x 6 / 30
        "energy": "20720.00",  # 20,000 x 0.34 + 30,000 x 0.464
        "power-factor": "304.32",  # 3 % of 7,824.00 = 234.72, and 0.5 % of 13,920.00 = 69.60
        "fund-a": "1000.00",
        "fund-b": "750.00",  # together 50,000 x 0.035
    }
    assert total == "23798.32"


def test_c3_a_thousand_kva_suspended_on_the_eleventh_of_june():
    month = month_of(
        stretch("c3-capacity-15", 10, ["0"], "2026-06-01", capacity_kva="1630"),
        stretch(
            "c3-capacity-15", 20, ["0"], "2026-06-11", capacity_kva="1630", suspended_kva="1000"
        ),
    )
    assert amounts(month) == ({"capacity": "19450.00"}, "19450.00")  # 15,000 + 9,450 - 5,000


def test_c4_shandong_10_kv_two_part_by_demand_in_five_rate_periods():
    kwh = ["60000", "40000", "180000", "70000", "50000"]
    terms = {"contract_kw": "800", "max_demand_kw": "862", "kvarh": "158000", "basis": "demand"}
    lines, total = amounts(month_of(stretch(SD, 30, kwh, capacity_kva="1250", **terms)))
    assert lines == {
        "sharp": "70744.13",
        "peak": "41145.95",
        "flat": "121980.38",
        "valley": "22868.21",
        "deep": "11320.44",
        "demand": "33945.60",  # (862 + 22) x 38.4
        "power-factor": "-1310.12",  # -0.45 % of 291,137.21: without funds of 10,867.50
    }
    assert total == "300694.59"


def test_c7_a_very_low_power_factor():
    month = month_of(
        stretch("c7-low-factor", 30, ["2650"], capacity_kva="400", kvarh="4352.9")  # 0.52
    )
    lines = {"capacity": "10400.00", "energy": "1416.16", "power-factor": "4844.63"}  # +41 %
    assert amounts(month) == (lines, "16660.79")


def test_the_forums_total_for_capacity_added_in_april_is_wrong():
    # 400 kVA, and 200 more from 14 April at 20 a kVA: a forum says 18,266.67
    month = month_of(
        stretch("trap-capacity-20", 13, ["0"], capacity_kva="400"),
        stretch("trap-capacity-20", 17, ["0"], "2026-04-14", capacity_kva="600"),
    )
    total = amounts(month)[1]
    assert total != "18266.67"
    assert total == "10266.67"  # 8,000 + 4,000 x 17 / 30


@pytest.mark.parametrize(
    ("tariff_id", "kwh", "days", "before_kwh", "total"),
    [
        # C6: yearly tiers of Shandong homes
        ("cn-sd-residential", ["260"], 30, "2400", "149.19"),
        ("cn-sd-residential", ["5200"], 365, "0", "3077.88"),
        ("cn-sd-residential", ["2520"], 30, "0", "1378.19"),  # to the edge
        ("cn-sd-residential", ["100"], 30, "5000", "84.69"),  # all in the third tier
        ("cn-sd-residential-tou", ["180", "120"], 30, "0", "149.07"),
        ("cn-sd-residential-tou", ["0", "0", "100"], 30, "2520", "39.69"),  # heating valley, tier 2
        # Shanghai: each tier has its own peak and valley price
        ("cn-sh-residential-tou", ["300", "100"], 30, "0", "215.80"),
        ("cn-sh-residential-tou", ["300", "100"], 30, "3120", "236.80"),  # 0.677, 0.337
        ("cn-sh-residential-tou", ["300", "100"], 30, "4800", "341.80"),  # 0.977, 0.487
        ("cn-sh-residential-tou", ["300", "100"], 30, "2920", "226.30"),  # half of it in tier 2
        # Great Britain, July to September 2024
        ("gb-svt-elec-2024q3", ["2700"], 365, "0", "823.16"),
        ("gb-svt-gas-2024q3", ["11500"], 365, "0", "744.85"),
        # Eskom with 15 % VAT
        ("za-eskom-homelight20a", ["350"], 30, "0", "765.88"),  # 665.98 + 99.90
        ("za-eskom-homelight20a", ["497"], 30, "0", "1130.38"),  # 982.94 + 147.44
        ("za-eskom-homelight60a", ["497"], 30, "0", "1327.77"),  # 1,154.58 + 173.19
    ],
)
def test_homes(tariff_id, kwh, days, before_kwh, total):
    before = int(before_kwh) * 1000
    month = month_of(stretch(tariff_id, days, kwh), month_days=days, year_used_before_wh=before)
    assert amounts(month)[1] == total


@pytest.mark.parametrize(
    ("contract", "highest", "capacity", "charged"),
    [
        ("800", "862", "1250", "33945.60"),  # 862 + 22
        ("800", "840", "1250", "30720.00"),  # 105 % exactly: the contract
        ("800", "840.001", "1250", "32256.08"),  # a watt more: 840.001 + 0.001
        ("800", "100", "1250", "30720.00"),  # the contract is due anyhow
        ("400", "100", "1250", "19200.00"),  # floor: 40 % of 1,250 kVA
        ("0", "862", "1250", "33100.80"),  # no contract: the maximum
        ("0", "100", "1250", "19200.00"),  # ... and its floor
        ("800", "1600", "1250", "90624.00"),  # 1,600 + 760
    ],
)
def test_the_demand_charge(contract, highest, capacity, charged):
    terms = {"contract_kw": contract, "max_demand_kw": highest, "capacity_kva": capacity}
    month = month_of(stretch("demand-38.4", 30, ["0"], **terms))
    assert amounts(month)[1] == charged


@pytest.mark.parametrize(
    ("parts", "month_days", "charged"),
    [
        # (days, kVA) at 24 a kVA and month
        ([(31, "1250")], 31, "30000.00"),  # a month is a month, whatever its length
        ([(28, "1250")], 28, "30000.00"),
        ([(15, "1250")], 30, "15000.00"),  # half of the month so far
        ([(10, "1000"), (21, "1250")], 31, "28200.00"),  # 24,000 + 250 x 24 x 21 / 30
        ([(10, "1250"), (21, "1000")], 31, "26000.00"),  # 24,000 + 250 x 24 x 10 / 30
        ([(10, "1000"), (10, "1500"), (10, "500")], 30, "24000.00"),
        ([(7, "100"), (7, "200"), (7, "300"), (10, "400")], 31, "6480.00"),  # 100+80+56.67+33.33
    ],
)
def test_the_capacity_charge_of_a_month_in_which_capacity_changes(parts, month_days, charged):
    days, first, whole = 0, "2026-03-{:02d}", []
    for length, kva in parts:
        whole.append(
            stretch(
                SD, length, ["0"] * 5, first.format(days + 1), capacity_kva=kva, basis="capacity"
            )
        )
        days += length
    assert amounts(month_of(*whole, month_days=month_days))[1] == charged


def test_a_supply_that_begins_inside_a_month_pays_thirtieths():
    begun = stretch(SD, 22, ["0"] * 5, "2026-03-10", capacity_kva="1250", basis="capacity")
    late = month_of(begun, month_days=31, starts_late=True)
    assert amounts(late)[1] == "22000.00"  # 30,000 x 22 / 30


@pytest.mark.parametrize(
    ("standard", "table"),
    [
        # domain.md 3.2, in percent by hundredths
        (90, {95: -0.75, 100: -0.75, 93: -0.45, 91: -0.15, 90: 0, 89: 0.5, 84: 3, 80: 5, 70: 10}),
        (90, {69: 11, 65: 15, 64: 17, 60: 25, 52: 41, 50: 45}),
        (85, {94: -1.1, 100: -1.1, 91: -0.65, 90: -0.5, 86: -0.1, 85: 0, 84: 0.5, 80: 2.5}),
        (85, {65: 10, 60: 15, 59: 17}),
        (80, {92: -1.3, 91: -1.15, 90: -1, 85: -0.5, 80: 0, 79: 0.5, 60: 10, 55: 15, 54: 17}),
    ],
)
def test_the_power_factor_table(standard, table):
    rates = rates_ppm(PowerFactor(standard, *cn_1983_215(standard)))
    assert {factor: rates[factor] / 10_000 for factor in table} == table


@pytest.mark.parametrize(
    ("tariff_id", "kwh", "kvarh", "adjustment"),
    [
        ("factor-90", "10000", "0", "-75.00"),
        ("factor-90", "10000", "4843.2", None),  # 0.90
        ("factor-90", "10000", "5375", "100.00"),  # 0.88
        ("factor-90", "10000", "3286.8", "-75.00"),  # 0.95
        ("factor-90", "10000", "13333.3", "2500.00"),  # 0.60
        ("factor-85", "10000", "6459", "50.00"),  # 0.84
        ("factor-85", "10000", "4556", "-65.00"),  # 0.91
        ("factor-80", "10000", "4260", "-130.00"),  # 0.92
        ("factor-80", "10000", "10000", "450.00"),  # 0.71: 0.7071 rounds up
        ("factor-90", "0", "500", None),  # nothing to adjust
    ],
)
def test_the_power_factor_adjustment(tariff_id, kwh, kvarh, adjustment):
    lines, _ = amounts(month_of(stretch(tariff_id, 30, [kwh], kvarh=kvarh)))
    assert lines.get("power-factor") == adjustment


def test_without_a_reactive_meter_nothing_is_adjusted():
    lines, _ = amounts(month_of(stretch("factor-90", 30, ["10000"])))
    assert lines == {"energy": "10000.00"}
