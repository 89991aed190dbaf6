"""Is a mistake in a sheet's file told by file, line, column and field?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.cli import main
from deploy.sheet_files import read_files, sheet_files, shipped
from scoring.sheet import sheet_from_dict, sheet_to_dict

GOOD = """\
tariffId: works
currency: CNY
zone: Asia/Shanghai
validFrom: 2026-01-01
components:
  floating: {purchase: 0.4}
  fixed: {transmission: 0.1491, funds: 0.02716875}
ratePeriods:
  - {name: peak, ratio: 1.7}
  - {name: flat, ratio: 1}
timeOfUse:
  - {ratePeriod: peak, hours: ["08:00-20:00"]}
  - {ratePeriod: flat}
tiers:
  reset: year
  steps:
    - {uptoKwh: 100, addPerKwh: 0}
    - {uptoKwh: null, addPerKwh: 0.05}
basic:
  choice: [demand, capacity]
  capacityPerKva: 24
  demandPerKw: 38.4
  demandOver: {above: 1.05, factor: 2}
powerFactor: {standard: 0.90, table: cn-1983-215, baseExcludes: [funds]}
levies:
  - {name: fund, perKwh: 0.01}
holidays: [2026-10-01]
vat: 0.13
rounding: 0.01
"""


def refusals(tmp_path, text, name="works.yaml"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    found, wrong = read_files([path])
    return found, [str(one).removeprefix(f"{path}:") for one in wrong]


def test_the_good_sheet_is_read_with_every_decimal(tmp_path):
    found, wrong = refusals(tmp_path, GOOD)
    assert wrong == []
    assert found[0].sheet.components.fixed[1] == ("funds", 27_168_750_000)
    assert found[0].sheet.price_picos_per_kwh == (856_268_750_000, 576_268_750_000)


@pytest.mark.parametrize(
    ("change", "to", "told"),
    [
        ("tariffId: works", "tariff: works", "1:1: tariff: is not a field of a tariff sheet"),
        ("tariffId: works\n", "", "1:1: tariffId: must be a text"),
        ("vat: 0.13", "minimumPerMonth: 0", "28:1: minimumPerMonth: must be above 0"),
        ("Asia/Shanghai", "Asia/Weihai", "3:1: zone: 'Asia/Weihai' is not the name of a zone"),
        ("2026-01-01", "first of May", "4:1: validFrom: must be a date such as 2026-01-01"),
        ("0.4}", "cheap}", "6:14: components.floating.purchase: 'cheap' is not a number"),
        ("funds: 0.0", "transmission: 0.0", "7:33: components.fixed.transmission: stands here a"),
        ("ratio: 1.7", "ratio: -1", "9:18: ratePeriods[0].ratio: -1 is out of range"),
        ("ratio: 1.7", "pricePerKwh: 1", "9:18: ratePeriods[0].pricePerKwh: is not a field"),
        ("ratePeriod: peak", "ratePeriod: rush", "12:6: timeOfUse[0].ratePeriod: must be one of"),
        ("08:00-20:00", "8-20", "12:24: timeOfUse[0].hours: '8' is not a time such as 08:00"),
        ("{ratePeriod: flat}", "{ratePeriod: flat, days: [sun]}", "11:1: timeOfUse: no rule for"),
        ("reset: year", "reset: week", "15:3: tiers.reset: must be one of month, year"),
        ("uptoKwh: 100", "uptoKwh: null", "17:8: tiers.steps[0].uptoKwh: only the last tier"),
        ("addPerKwh: 0.05", "addPerKwh: {peak: 1}", "18:23: tiers.steps[1].addPerKwh.flat: None"),
        ("[demand, capacity]", "[area]", "20:3: basic.choice: must name what is priced"),
        ("factor: 2", "factor: 0", "23:29: basic.demandOver.factor: must be at least 1"),
        ("standard: 0.90", "standard: 0.95", "24:15: powerFactor.standard: must be one of 0.90"),
        ("[funds]", "[fun]", "24:66: powerFactor.baseExcludes[0]: must name a component"),
        ("perKwh: 0.01", "rate: 0.01, of: [sky]", "26:30: levies[0].of: must be of energy,"),
        ("2026-10-01", "2026-13-01", "27:12: holidays[0]: must be a date such as"),
        ("vat: 0.13", "vat: 13", "28:1: vat: 13 is out of range"),
        ("rounding: 0.01", "rounding: 0.0000000001", "29:1: rounding: 0.0000000001 does not fit"),
        ("vat: 0.13", "vat: [0.13", "29:9: expected ',' or ']'"),
    ],
)
def test_a_mistake_is_told_by_line_column_and_field(tmp_path, change, to, told):
    text = GOOD.replace(change, to)
    assert text != GOOD
    found, wrong = refusals(tmp_path, text)
    assert found == []
    assert [one for one in wrong if one.startswith(told)], wrong
    assert len(wrong) <= 2, "a field under a wrong name is also missing under its right one"


MANY = [
    ("CNY", "yuan", "2:1: currency"),
    ("Asia/Shanghai", "Asia/Weihai", "3:1: zone"),
    ("2026-01-01", "first of May", "4:1: validFrom"),
    ("0.4}", "cheap}", "6:14: components.floating.purchase"),
    ("ratio: 1.7", "ratio: -1", "9:18: ratePeriods[0].ratio"),
    ("ratePeriod: peak", "ratePeriod: rush", "12:6: timeOfUse[0].ratePeriod"),
    ("08:00-20:00", "8-20", "12:24: timeOfUse[0].hours"),
    ("reset: year", "reset: week", "15:3: tiers.reset"),
    ("uptoKwh: 100", "uptoKwh: null", "17:8: tiers.steps[0].uptoKwh"),
    ("addPerKwh: 0.05", "addPerKwh: {peak: 1}", "18:23: tiers.steps[1].addPerKwh.flat"),
    ("[demand, capacity]", "[area]", "20:3: basic.choice"),
    ("factor: 2", "factor: 0", "23:29: basic.demandOver.factor"),
    ("standard: 0.90", "standard: 0.95", "24:15: powerFactor.standard"),
    ("[funds]", "[fun]", "24:66: powerFactor.baseExcludes[0]"),
    ("perKwh: 0.01", "rate: 0.01, of: [sky]", "26:30: levies[0].of"),
    ("2026-10-01", "2026-13-01", "27:12: holidays[0]"),
    ("vat: 0.13", "vat: 13", "28:1: vat"),
    ("rounding: 0.01", "rounding: 0.0000000001", "29:1: rounding"),
]
"""What is wrong in a sheet of which every line is, and where it is told."""


@given(st.sets(st.sampled_from(range(len(MANY)))))
@example(set(range(len(MANY))))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_mistake_of_a_sheet_is_told_at_once_and_nothing_else(tmp_path, chosen):
    text, told = GOOD, []
    for number in sorted(chosen):
        change, to, where = MANY[number]
        text, told = text.replace(change, to), [*told, where]
    found, wrong = refusals(tmp_path, text)
    assert len(found) == (not chosen)
    assert [one[: one.index(": ", one.index(": ") + 1)] for one in wrong] == told


def test_what_stands_twice_does_not_hide_what_else_is_wrong(tmp_path):
    text = GOOD.replace("CNY", "yuan").replace("vat: 0.13", "currency: CNY\nvat: 13")
    assert [one[:16] for one in refusals(tmp_path, text)[1]] == [
        "2:1: currency: m", "28:1: currency: ", "29:1: vat: 13 is",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: holds no sheet"),
        ("just words", "1:1: sheet: must be an object"),
        ("\x00", "1:1: "),
        ("[1, 2]", "1:2: sheet: must be an object"),
    ],
)
def test_what_is_no_sheet_at_all_is_refused(tmp_path, text, told):
    found, wrong = refusals(tmp_path, text)
    assert found == []
    assert wrong[0].startswith(told)


def test_two_sheets_of_one_day_are_refused_naming_both(tmp_path):
    found, wrong = refusals(tmp_path, f"{GOOD}---\n{GOOD}")
    assert len(found) == 2
    assert wrong == [f"31:1: validFrom: works of 2026-01-01 is already in {found[0].path}:1"]


def test_a_later_version_in_another_currency_is_refused(tmp_path):
    later = GOOD.replace("2026-01-01", "2027-01-01").replace("CNY", "EUR")
    assert refusals(tmp_path, f"{GOOD}---\n{later}")[1] == [
        "31:1: currency: other versions of works have CNY"
    ]


def test_the_shipped_samples_are_right_and_survive_the_wire():
    found, wrong = read_files(sheet_files(shipped()))
    assert wrong == []
    assert len(found) == 8
    for one in found:
        assert sheet_from_dict(json.loads(json.dumps(sheet_to_dict(one.sheet)))) == one.sheet


def test_the_older_form_of_sheets_is_read_as_before():
    old = Path("simulator/tariffs.json")
    found, wrong = read_files([old])
    assert wrong == []
    assert [one.sheet for one in found] == [
        sheet_from_dict(plain) for plain in json.loads(old.read_text("utf-8"))
    ]
    ours = {one.sheet.tariff_id: one.sheet for one in read_files(sheet_files(shipped()))[0]}
    for one in found:
        same = ours.get(one.sheet.tariff_id)
        if same is not None:
            assert same.price_picos_per_kwh == one.sheet.price_picos_per_kwh
            assert same.time_of_use == one.sheet.time_of_use
            assert same.tier_add_picos == one.sheet.tier_add_picos


# ---- at the terminal


def test_check_tells_every_mistake_and_ends_in_one(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(GOOD, "utf-8")
    (tmp_path / "b.yaml").write_text(GOOD.replace("vat: 0.13", "vat: 13"), "utf-8")
    assert main(["tariffs", "check", str(tmp_path)]) == 1
    assert f"{tmp_path}/b.yaml:28:1: vat: 13 is out of range" in capsys.readouterr().err
    assert main(["tariffs", "check", str(tmp_path / "a.yaml")]) == 0
    assert "works" in capsys.readouterr().out


HOME = "month,kwh\n2026-01,2400\n2026-02,260\n"
WORKS = (
    "month,sharp,peak,flat,valley,deep,kvarh,max_demand_kw,contract_kw,capacity_kva,basis\n"
    "2026-04,60000,40000,180000,70000,50000,158000,862,800,1250,demand\n"
)
SPLIT = (
    "from,to,sharp,peak,flat,valley,deep,capacity_kva,basis\n"
    "2026-04-01,2026-04-13,0,0,0,0,0,400,capacity\n"
    "2026-04-14,2026-04-30,0,0,0,0,0,600,capacity\n"
)


def bill_of(capsys, tmp_path, usage, *arguments):
    path = tmp_path / "usage.csv"
    path.write_text(usage, "utf-8")
    status = main(["bill", "--usage", str(path), *arguments])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.mark.parametrize(
    ("usage", "arguments", "totals"),
    [
        (HOME, ["--tariff", "cn-sd-residential"], {"2026-01": "1312.56", "2026-02": "149.19"}),
        (
            HOME,
            ["--tariff", "cn-sd-residential", "--month", "2026-01", "--year-to-date-kwh", "5000"],
            {"2026-01": "2032.56"},
        ),
        (WORKS, ["--tariff", "cn-sd-ic-10kv-two-part"], {"2026-04": "300694.59"}),
        (SPLIT, ["--tariff", "cn-sd-ic-10kv-two-part"], {"2026-04": "12320.00"}),
    ],
)
def test_kilowatch_bill_from_monthly_totals(capsys, tmp_path, usage, arguments, totals):
    status, out, err = bill_of(capsys, tmp_path, usage, *arguments, "--json")
    assert (status, err) == (0, "")
    assert {month["month"]: month["total"] for month in json.loads(out)} == totals


def test_kilowatch_bill_shows_the_sheets_own_names(capsys, tmp_path):
    status, out, _ = bill_of(capsys, tmp_path, WORKS, "--tariff", "cn-sd-ic-10kv-two-part")
    assert status == 0
    for text in ("尖峰电量电费", "需量电费", "33945.60", "力调电费", "-1310.12", "300694.59 CNY"):
        assert text in out


@pytest.mark.parametrize(
    ("usage", "arguments", "told"),
    [
        (HOME, ["--tariff", "nobody"], "which tariff? 'nobody' is none of"),
        (HOME, ["--tariff", "cn-sd-residential-tou"], "row 2: the tariff has rate periods"),
        ("month,kwh\n2011-01,5\n", ["--tariff", "cn-sd-residential"], "row 2: no sheet of"),
        (
            "month,kwh\n2026-01,much\n",
            ["--tariff", "cn-sd-residential"],
            "row 2: kwh: 'much' is not",
        ),
        ("month,kw\n2026-01,5\n", ["--tariff", "cn-sd-residential"], "row 2: what is column 'kw'"),
        ("month,kwh\n", ["--tariff", "cn-sd-residential"], "holds no month"),
        (HOME, ["--tariff", "cn-sd-residential", "--month", "2030-01"], "no usage in 2030-01"),
    ],
)
def test_kilowatch_bill_refuses_with_a_sentence(capsys, tmp_path, usage, arguments, told):
    status, _, err = bill_of(capsys, tmp_path, usage, *arguments)
    assert status == 1
    assert told in err


def test_kilowatch_bill_from_interval_readings(capsys, tmp_path):
    sample = "simulator/sample/homes_ca_8_weeks.parquet"  # of 2016
    sheet = shipped() / "cn-sd-residential-tou@2021-01-01.yaml"
    older = sheet.read_text("utf-8").replace("2021-01-01", "2012-01-01")
    (tmp_path / "older.yaml").write_text(older, "utf-8")
    usage = ["--usage", sample, "--customer", "home01", "--json"]
    assert main(["bill", "--tariff", str(tmp_path / "older.yaml"), *usage]) == 0
    months = json.loads(capsys.readouterr().out)
    assert len(months) >= 2
    lines = [line for month in months for part in month["parts"] for line in part["lines"]]
    assert {line["name"] for line in lines} <= {
        "peak", "valley", "heating-valley", "tier 2", "tier 3"
    }  # fmt: skip


DAY_AHEAD = """\
tariffId: day-ahead
currency: EUR
zone: Europe/Berlin
validFrom: 2026-01-01
ratePeriods: [{name: grid, pricePerKwh: 0.15}]
dynamic: hourly
rounding: 0.01
"""


def test_a_dynamic_tariff_is_priced_hour_by_hour_negative_prices_too(capsys, tmp_path):
    (tmp_path / "sheet.yaml").write_text(DAY_AHEAD, "utf-8")
    (tmp_path / "prices.csv").write_text(
        "time,price\n2026-05-01 00:00:00,0.12345678\n2026-05-01 01:00:00,-0.05\n", "utf-8"
    )
    usage = "time,home\n2026-05-01 00:00:00,2\n2026-05-01 01:00:00,3\n"
    arguments = ["--tariff", str(tmp_path / "sheet.yaml"), "--json"]
    prices = ["--prices", str(tmp_path / "prices.csv")]
    status, out, err = bill_of(capsys, tmp_path, usage, *arguments, *prices)
    assert (status, err) == (0, "")
    (month,) = json.loads(out)
    amounts = {line["kind"]: line["amount"] for line in month["parts"][0]["lines"]}
    assert amounts == {"energy": "0.75", "dynamic": "0.10"}  # 0.24691356 - 0.15
    status, _, err = bill_of(capsys, tmp_path, usage, *arguments)
    assert (status, "needs market prices" in err) == (1, True)
    later = usage.replace("05-01", "05-02")
    status, _, err = bill_of(capsys, tmp_path, later, *arguments, *prices)
    assert (status, "no price for 2026-05-01T22:00:00Z" in err) == (1, True)
