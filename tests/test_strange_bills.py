"""Does `kilowatch bill` tell a stranger the right total, from the sheet and file he wrote himself?

Sheets of five countries and usage as people have it: totals, hours, wall clocks, days of 23 and 25
hours, half months, readings on another day than the first.  Every total was worked out by hand with
fractions; what cannot be billed is refused with a sentence that says what to do.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest

from deploy.cli import main
from tests.strange_sheets import SHEETS


@pytest.fixture
def billed(tmp_path, capsys):
    """Runs `kilowatch bill`: the totals by month, or the refusal; notes besides."""

    def run(sheet, usage, *arguments, name="usage.csv"):
        where = sheet
        if sheet in SHEETS:
            (tmp_path / "sheet.yaml").write_text(f"tariffId: {sheet}\n{SHEETS[sheet]}", "utf-8")
            where = str(tmp_path / "sheet.yaml")
            arguments = ("--tariff-id", sheet, *arguments)
        if isinstance(usage, str):
            (tmp_path / name).write_text(usage, "utf-8")
        else:
            pyarrow.parquet.write_table(usage, tmp_path / name)
        told = ["--tariff", where, "--usage", str(tmp_path / name), *arguments, "--json"]
        status = main(["bill", *told])
        out = capsys.readouterr()
        if status:
            assert out.out == ""
            return out.err.removeprefix("kilowatch bill: "), ""
        return {month["month"]: month["total"] for month in json.loads(out.out)}, out.err

    return run


TOTALS = [
    # iron 0.0576 x 250 x 31 = 446.4, copper 157.093 kWh; cos 0.67: + 9 % of 7,569.73 - 297.19
    (
        "cn-loss",
        "month,peak,flat,valley,kvarh,capacity_kva\n2026-05,3123.4,5210.6,2001.1,9000,250\n",
        (),
        {"2026-05": "9528.26"},
    ),
    # 6,457.47 of energy and 15,000.00 at cos 0.89: + 0.5 % = 107.29
    (
        "cn-five",
        (
            "month,尖峰,高峰,平段,低谷,kvarh,capacity_kva,basis\n"
            "2026-07,1000.5,2000.25,3000,4000,5000,500,capacity\n"
        ),
        (),
        {"2026-07": "21564.76"},
    ),
    # floor 0.4 x 500 = 200 kW above the contract of 180; 231 lies 21 above 210: 252 x 48
    (
        "cn-five",
        (
            "month,平段,max_demand_kw,contract_kw,capacity_kva,basis,kvarh\n"
            "2026-04,1000,231,180,500,Demand,0\n"
        ),
        (),
        {"2026-04": "12654.67"},  # 654.30 + 12,096.00, and 0.75 % off at cos 1.00: 95.63
    ),
    (
        "cn-five-persons",
        "month,kwh\n2026-10,400\n",
        ("--year-to-date-kwh", "3500"),
        {"2026-10": "227.76"},
    ),  # 218.76, and 180 kWh of the second tier at 0.05
    (
        "us-ratchet",
        (
            "month,on,off,max_demand_kw,contract_kw\n2024-02,0,12345.678,80,104.5\n"
            "2024-07,5000,8000,131,104.5\n2024-08,10,20,1,0\n"
        ),
        (),
        {"2024-02": "2559.48", "2024-07": "3318.56", "2024-08": "530.00"},
    ),
    # the published exam C1, read on the 24th: one bill of two tariffs across a month's end
    (
        "large",
        (
            "from,to,energy,capacity_kva,kvarh,tariff\n"
            "2026-07-30,2026-08-23,30000,160,,ordinary\n2026-07-24,2026-07-29,20000,320,32000,large\n"
        ),
        ("--one-period",),
        {"2026-07": "23798.32"},
    ),
    # a quarter as one bill: 223.60 + 92 x 0.6012 = 55.31
    (
        "gb-svt-elec-2024q3",
        "from,to,kwh\n2024-07-01,2024-09-30,1000\n",
        ("--one-period",),
        {"2024-07": "278.91"},
    ),
    # half a month fills the month's block all the same
    (
        "za-eskom-homelight20a",
        "from,to,kwh\n2024-05-01,2024-05-15,497\n",
        (),
        {"2024-05": "1130.38"},
    ),
    # a supply that began on the 10th: 22 thirtieths of 500 x 30, and 0.75 % off
    (
        "cn-five",
        "from,to,平段,capacity_kva,kvarh\n2026-03-10,2026-03-31,0,500,0\n",
        ("--part-month",),
        {"2026-03": "10917.50"},
    ),
    # a whole month is no part of one
    (
        "cn-five",
        "month,平段,capacity_kva,kvarh\n2026-03,0,500,0\n",
        ("--part-month",),
        {"2026-03": "14887.50"},
    ),
    # as an office program writes it: semicolons, capitals, a space
    (
        "cn-sd-residential",
        "Month ; kWh\n2026-02;260\n2026-01;2400\n",
        (),
        {"2026-01": "1312.56", "2026-02": "149.19"},
    ),
]


@pytest.mark.parametrize(("sheet", "usage", "arguments", "totals"), TOTALS)
def test_totals_as_strangers_write_them(billed, sheet, usage, arguments, totals):
    assert billed(sheet, usage, *arguments) == (totals, "")


BERLIN = ZoneInfo("Europe/Berlin")


def hours_of(year, month, zone=BERLIN):
    """Every hour of a local month, as instants."""
    at = datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
    return [at + timedelta(hours=n) for n in range(round((end - at) / timedelta(hours=1)))]


def written(times, *, kwh="1", how="wall", zone=BERLIN):
    def text(at):
        if how == "utc":
            return f"{at:%Y-%m-%dT%H:%M:%SZ}"
        local = at.astimezone(zone)
        return local.isoformat() if how == "offset" else f"{local:%Y-%m-%d %H:%M}"

    return "Zeit,home\n" + "".join(f"{text(at)},{kwh}\n" for at in times)


@pytest.mark.parametrize("how", ["wall", "offset", "utc", "backwards"])
@pytest.mark.parametrize(
    ("month", "total"),
    [
        # a kWh an hour: 352 in ht; 391, 393 or 392 in nt; 12.50 and 19 % on all
        (3, "260.59"),  # 112.64 + 93.84 + 12.50 = 218.98
        (10, "261.16"),  # 112.64 + 94.32 + 12.50 = 219.46: the hour that comes twice counts twice
    ],
)
def test_months_with_a_day_of_23_or_25_hours(billed, how, month, total):
    times = hours_of(2026, month)
    usage = written(times[::-1]) if how == "backwards" else written(times, how=how)
    assert billed("de-tou", usage) == ({f"2026-{month:02d}": total}, "")


def test_days_of_23_hours_stay_in_their_month(billed):
    # 31 March 2024 has 23 hours: what was used on it is March's, none of it April's
    days = "time,home\n" + "".join(f"2024-03-{n:02d} 00:00,24\n" for n in range(1, 32))
    # 21 weekdays of 16 kWh in ht: 107.52 + 97.92 + 12.50, and 19 %
    assert billed("de-tou", days) == ({"2024-03": "259.35"}, "")
    late = [f"2026-03-{n} 00:00" for n in (28, 29, 30)]  # the 29th is the day of 23 hours
    usage = "time,home\n" + "".join(f"{day},24\n" for day in late)
    assert billed("step", usage) == ({"2026-03": "22.35"}, "")  # 72 x 0.30 + 3 x 0.25


def test_market_prices_below_zero_over_a_day_of_25_hours(billed, tmp_path):
    day = hours_of(2026, 10)[24 * 24 : 24 * 24 + 25]
    assert [at.astimezone(BERLIN).day for at in day] == [25] * 25
    prices = written(day, kwh="-0.0104").replace("Zeit,home", "time,price")
    (tmp_path / "prices.csv").write_text(prices, "utf-8")
    usage = pa.table({"at": pa.array(day, pa.timestamp("s", "UTC")), "home": [2.0] * 25})
    arguments = ("--prices", str(tmp_path / "prices.csv"))
    # 50 x 0.125 = 6.25, 50 x -0.0104 = -0.52, a day 0.40; 6.13 and 19 % = 1.16
    assert billed("de-spot", usage, *arguments, name="usage.parquet") == ({"2026-10": "7.29"}, "")
    (tmp_path / "prices.csv").write_text(prices + prices.splitlines()[1] + "\n", "utf-8")
    refusal, _ = billed("de-spot", usage, *arguments, name="usage.parquet")
    assert "prices.csv: 1 rows have no time, or that of another row" in refusal


def test_a_new_version_in_the_middle_of_a_month(billed):
    # 15 days at 0.30 and 0.25 a day; 16 days, one of 25 hours, at 0.36 and 0.31
    assert billed("step", written(hours_of(2026, 10))) == ({"2026-10": "255.31"}, "")
    # from the 10th at noon on: 5.5 days, and the rest; the 10th's standing charge is due
    late = written(hours_of(2026, 10)[9 * 24 + 12 :])
    assert billed("step", late) == ({"2026-10": "184.66"}, "")


def test_quarter_hours_make_the_demand_and_the_power_factor(billed):
    first = datetime(2026, 4, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    rows = ["time,works,kvarh"]
    for n in range(30 * 96):
        kwh = "57.75" if n == 40 else "25"  # 231 kW once, else 100
        rows.append(f"{first + timedelta(minutes=15 * n):%Y-%m-%d %H:%M},{kwh},12")
    terms = ("--capacity-kva", "500", "--contract-kw", "180", "--basis", "demand")
    totals, notes = billed("cn-five", "\n".join(rows), "--customer", "works", *terms)
    # 36,032.75 x 0.9876 + 30,000 x 0.321 + 6,000 x 0.6543, and (231 + 21) x 48; cos 0.90
    assert (totals, notes) == ({"2026-04": "61237.74"}, "")


def test_energy_finer_than_a_watt_hour_is_not_lost(billed):
    # 744 hours of 0.1004 kWh are 74.698 kWh, not 744 x 0.100 = 74.4
    assert billed(
        "cn-sd-residential",
        written(
            hours_of(2026, 1, ZoneInfo("Asia/Shanghai")),
            kwh="0.1004",
            zone=ZoneInfo("Asia/Shanghai"),
        ),
    ) == ({"2026-01": "40.85"}, "")


OCTOBER = hours_of(2026, 10)

REFUSED = [
    (
        "de-tou",
        written([at for n, at in enumerate(OCTOBER) if n not in {100, 101}]),
        (),
        "nothing stands for 2026-10-05 04:00+02:00 until 2026-10-05 06:00+02:00",
    ),
    ("de-tou", written([*OCTOBER, OCTOBER[7]]), (), "1 rows have no time, or that of another"),
    ("de-tou", written(OCTOBER[:48], kwh="-1"), (), "48 intervals of home are below zero"),
    ("de-tou", written(OCTOBER[:48], kwh=""), (), "48 intervals of home are missing"),
    ("de-tou", "time,home\n01.10.2026 00:00,1\n01.10.2026 01:00,1\n", (), "write times as 2026-"),
    (
        "de-tou",
        "time,home\n01.10.2026 00:00,1\n01.10.2026 01:00,1\n",
        ("--time-column", "time"),
        "time holds '01.10.2026 00:00'; write times as 2026-04-01 00:00",
    ),
    (
        "de-tou",
        written(OCTOBER),
        ("--time-column", "zeit"),
        "has no column zeit; it has Zeit, home",
    ),
    ("de-tou", written(OCTOBER), ("--customer", "house"), "choose one by --customer: home"),
    ("cn-sd-residential", "月份,电量\n2026-01,260\n", (), "has no column month (or from and to)"),
    ("cn-five", 'month,平段\n2026-01,"1,000"\n', (), "row 2: 平段: '1,000' is not a number (write"),
    ("cn-five", "month,平段,kvarh\n2026-01,1,x\n", (), "row 2: kvarh: 'x' is not a number"),
    ("cn-sd-residential", "month,kwh\n2026/01,1\n", (), "row 2: month '2026/01' is no month such"),
    ("cn-sd-residential", "month,kwh\n2026-13,1\n", (), "row 2: month '2026-13' is no month such"),
    ("cn-sd-residential", "month,kwh\n2026-01,-1\n", (), "row 2: kwh -1 is below zero"),
    (
        "cn-sd-residential",
        "month,kwh\n2026-01,1\n2026-01,1\n",
        (),
        "2026-01-01 stands in row 2 and in row 3",
    ),
    (
        "cn-sd-residential",
        "from,to,kwh\n2026-01-15,2026-01-31,1\n2026-01-01,2026-01-15,1\n",
        (),
        "2026-01-15 stands in row 3 and in row 2",
    ),
    ("cn-sd-residential", "from,kwh\n2026-01-15,1\n", (), "row 2: give a month, or the first and"),
    (
        "cn-sd-residential",
        "from,to,kwh\n2026-01-15,2026-01-14,1\n",
        (),
        "to 2026-01-14 lies before",
    ),
    (
        "cn-sd-residential",
        "from,to,kwh\n2026-12-10,2027-01-09,1\n",
        ("--one-period",),
        "the year's tiers begin again inside 2026-12-10 to 2027-01-09",
    ),
    (
        "cn-sd-residential",
        "month,kwh\n2026-01,1\n",
        ("--year-to-date-kwh", "-5"),
        "cannot be below",
    ),
    ("cn-sd-residential", "month,kwh\n2026-01,1\n", ("--month", "2026-02"), "it has 2026-01 to"),
    ("cn-sd-residential", "month,kwh\n2026-01,99999999999999\n", (), "too large to be billed"),
    (
        "cn-five",
        "month,平段\n2026-01,1\n2026-02,1\n",
        ("--kvarh", "1"),
        "holds 2 months: write kvarh",
    ),
    ("cn-five", "month,平段,capacity_kva\n2026-01,1,-5\n", (), "capacity_kva -5 is below zero"),
]


@pytest.mark.parametrize(("sheet", "usage", "arguments", "told"), REFUSED)
def test_what_cannot_be_billed_is_refused_with_what_to_do(billed, sheet, usage, arguments, told):
    assert told in billed(sheet, usage, *arguments)[0]


def test_a_charge_that_nothing_was_told_about_is_not_missed_unseen(billed):
    totals, notes = billed("cn-five", "month,平段\n2026-04,1000\n")
    assert totals == {"2026-04": "654.30"}
    assert "note: 2026-04: capacity_kva is 0, so no capacity is charged" in notes
    assert "note: 2026-04: no kvarh was given, so no power factor is adjusted for" in notes
    _, notes = billed("cn-five", "month,平段,basis,kvarh\n2026-04,1000,demand,0\n")
    assert "max_demand_kw is 0, so no demand is charged" in notes


def test_reactive_energy_told_beside_interval_readings_counts(billed):
    zone = ZoneInfo("Asia/Shanghai")
    usage = written(hours_of(2026, 4, zone), zone=zone)  # 720 kWh
    with_it = billed("large", usage, "--kvarh", "720", "--capacity-kva", "10")
    # 244.80 + 160.00 at cos 0.71: + 9.5 % = 38.46; funds 14.40 and 10.80
    assert with_it == ({"2026-04": "468.46"}, "")


def test_a_name_that_yaml_reads_as_true_says_so(tmp_path, capsys):
    (tmp_path / "us.yaml").write_text(
        "tariffId: us\ncurrency: USD\nzone: America/New_York\nvalidFrom: 2024-01-01\n"
        "ratePeriods: [{name: on, pricePerKwh: 0.1}]\n",
        "utf-8",
    )
    assert main(["tariffs", "check", str(tmp_path)]) == 1
    assert "reads on, off, yes and no as true: write the name in quotes" in capsys.readouterr().err


SUSPENDED = "month,尖峰,低谷,kvarh,capacity_kva,suspended_kva,price_adjustment,basis\n"
EXPORTED = SUSPENDED + "2026-03,1000,2000,1200,315,100,-0.0123,capacity\n"


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_as_a_spreadsheet_exports_it(tmp_path, capsys, code):
    """Energy 1,234.50 + 642.00 - 36.90, capacity 215 x 30, and 0.45 % off both at cos 0.93."""
    (tmp_path / "sheet.yaml").write_text(f"tariffId: cn-five\n{SHEETS['cn-five']}", "utf-8")
    usage = tmp_path / "export.txt"
    usage.write_bytes(EXPORTED.replace(",", "\t").encode(code))
    told = ["--tariff", str(tmp_path / "sheet.yaml"), "--usage", str(usage), "--json"]
    assert main(["bill", *told]) == 0
    (month,) = json.loads(capsys.readouterr().out)
    assert month["total"] == "8252.30"


def test_a_spreadsheet_itself_is_refused_with_what_to_do(billed):
    told, _ = billed("cn-sd-residential", "PK\x03\x04", name="usage.xlsx")
    assert "is a spreadsheet: save it as CSV" in told


# a year's tiers go on over a dearer version: 2,400 by May, 150 to either side of the 16th of June,
# so 30 of the first lie above 2,520 and all of the second
MIDYEAR = "from,to,home\n2026-05-01,2026-05-31,2400\n2026-06-01,2026-06-15,150\n"


def test_a_years_tiers_go_on_over_a_new_version(tmp_path, capsys):
    old = SHEETS["cn-five-persons"].replace("3720", "2520").replace("6000", "4800")
    new = old.replace("2026-01-01", "2026-06-16").replace("0.5469", "0.57").replace("0.05", "0.06")
    both = "---".join(f"\ntariffId: home\n{sheet}" for sheet in (old, new))
    (tmp_path / "sheet.yaml").write_text(both, "utf-8")
    usage = tmp_path / "usage.csv"
    usage.write_text(MIDYEAR + "2026-06-16,2026-06-30,150\n", "utf-8")
    told = ["--tariff", str(tmp_path / "sheet.yaml"), "--usage", str(usage), "--json"]
    assert main(["bill", *told]) == 0
    totals = {month["month"]: month["total"] for month in json.loads(capsys.readouterr().out)}
    # 2,400 x 0.5469; 82.04 + 1.50, then 85.50 + 9.00
    assert totals == {"2026-05": "1312.56", "2026-06": "178.04"}
