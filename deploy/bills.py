"""What does this usage cost under that sheet?

`kilowatch bill` prints the statement of every month in a file of usage, from the same engine as the
stream.  It needs no Kafka: a clerk checks a bill with it, a customer a change of tariff.  Files are
read in `sheet_files` and `usage_files`, statements shown by `statements`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deploy.sheet_files import read_files, sheet_files, shipped
from deploy.statements import statement_json, statement_table
from deploy.usage_files import BASES, PER_THOUSAND, Wanted, market_prices, months_in
from scoring.bill import UsageOutOfRange
from scoring.billing_month import CustomerTerms, NoVersion, PricesMissing
from scoring.statement import statement
from scoring.tariff import Tariffs
from scoring.units import MICROS_PER_UNIT, WH_PER_KWH, NotExact, whole
from simulator.table import FileWrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring.statement import BillingMonth

BASIS_NAMES = {number: name for name, number in BASES.items()}

EXAMPLES = """usage files (CSV or Parquet)
  monthly totals: a row per month, or per part of one, with any of the columns
    month | from,to        2026-04, or first and last day of the part
    kwh | a column per rate period of the sheet
    kvarh, max_demand_kw, contract_kw, capacity_kva, suspended_kva, basis (capacity|demand),
    price_adjustment (per kWh), tariff (where it changes)
  interval readings: a time column and a column of kWh per customer (and `kvarh`, if metered)
    the time is the start of an interval of 15 minutes to a day, in the sheet's zone unless it
    has an offset; every interval must be there, also the hour that comes twice in autumn
  market prices: columns time (as above) and price (per kWh)
  A month's bill ends with the calendar month: what from and to lay across its end is shared out
  by days.  --one-period makes one bill of the file instead.

examples:
  kilowatch bill --tariff cn-sd-residential --usage home.csv
  kilowatch bill --tariff my-sheets/ --usage works.csv --month 2026-04 --json
  kilowatch bill --tariff cn-sd-ic-10kv-two-part --usage load.parquet --customer works-7 \\
      --capacity-kva 1250 --contract-kw 800 --basis demand
  kilowatch bill --tariff day-ahead.yaml --usage home.csv --prices market.csv
  kilowatch bill --tariff old.yaml --usage 24-july-to-23-august.csv --one-period

--tariff is a file, a directory, or the id of a shipped sample (kilowatch tariffs check)."""


def main(arguments: list[str]) -> int:
    """Print the statements; 0 done, 1 refused with a sentence."""
    options = _parser().parse_args(arguments)
    try:
        tariffs, tariff_id = tariffs_from(options.tariff, options.tariff_id)
        months = months_in(options.usage, tariffs, _wanted(options, tariffs, tariff_id))
        chosen = _chosen(months, options)
        for note in dict.fromkeys(_left_off(tariffs, chosen)):
            print(f"kilowatch bill: note: {note}", file=sys.stderr)
        _show(tariffs, chosen, options.json)
    except UsageOutOfRange:
        print("kilowatch bill: a usage or power is too large to be billed", file=sys.stderr)
        return 1
    except (FileWrong, NoVersion, PricesMissing, NotExact) as error:
        print(f"kilowatch bill: {error}", file=sys.stderr)
        return 1
    return 0


def _chosen(months: list[BillingMonth], options: argparse.Namespace) -> list[BillingMonth]:
    chosen = [month for month in months if options.month in {None, name_of(month)}]
    if not chosen:
        first, last = name_of(months[0]), name_of(months[-1])
        raise FileWrong(
            f"{options.usage} has no usage in {options.month}: it has {first} to {last}"
        )
    return chosen


def _left_off(tariffs: Tariffs, months: list[BillingMonth]) -> Iterator[str]:
    """What the sheet charges and nothing was told about, so that no line is missed unseen."""
    for month in months:
        if not any(any(part.used_wh) for part in month.stretches):
            continue
        for part in month.stretches:
            sheet = tariffs.sheets[part.version]
            asked = sheet.basic.choices[0] if sheet.basic else ""
            if sheet.basic and part.basis and BASIS_NAMES[part.basis] in sheet.basic.choices:
                asked = BASIS_NAMES[part.basis]
            if asked == "capacity" and not part.capacity_va:
                yield f"{name_of(month)}: capacity_kva is 0, so no capacity is charged"
            if asked == "demand" and not (part.contract_w or part.max_demand_w):
                yield f"{name_of(month)}: max_demand_kw is 0, so no demand is charged"
        factor = any(tariffs.sheets[part.version].power_factor for part in month.stretches)
        if factor and all(part.reactive_varh is None for part in month.stretches):
            yield f"{name_of(month)}: no kvarh was given, so no power factor is adjusted for"


def _show(tariffs: Tariffs, months: list[BillingMonth], as_json: bool) -> None:
    found = [(name_of(month), statement(tariffs, month)) for month in months]
    if as_json:
        plain = [{"month": name, **statement_json(one)} for name, one in found]
        print(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    console = Console()
    for name, one in found:
        part = one.parts[0]
        title = f"{name}  {part.tariff_name or part.tariff_id} ({part.tariff_id})"
        console.print(statement_table(one, title))


def name_of(month: BillingMonth) -> str:
    """A month as people write it."""
    return f"{month.stretches[0].first_day:%Y-%m}"


def tariffs_from(where: str, tariff_id: str | None) -> tuple[Tariffs, str]:
    """The sheets in a file or directory, or a shipped one by its id, and which tariff is meant.

    Raises FileWrong naming what is wrong, with file, line and field.
    """
    path = Path(where)
    named = not path.exists() and not path.suffix and "/" not in where
    found, wrong = read_files(sheet_files(shipped() if named else path))
    if wrong:
        raise FileWrong("\n".join(str(error) for error in wrong))
    tariffs = Tariffs(one.sheet for one in found)
    meant = tariff_id or (where if named else tariffs.ids[0] if len(tariffs.ids) == 1 else "")
    if meant not in tariffs.ids:
        known = ", ".join(tariffs.ids)
        raise FileWrong(f"which tariff? {meant or where!r} is none of {known}; use --tariff-id")
    return tariffs, meant


def _wanted(options: argparse.Namespace, tariffs: Tariffs, tariff_id: str) -> Wanted:
    prices = None
    if options.prices is not None:
        prices = market_prices(options.prices, tariffs.zone_name(tariffs.ids.index(tariff_id)))
    return Wanted(
        CustomerTerms(
            date.min,
            tariff_id,
            whole(options.capacity_kva, PER_THOUSAND, "VA"),
            whole(options.suspended_kva, PER_THOUSAND, "VA"),
            whole(options.contract_kw, PER_THOUSAND, "W"),
            BASES[options.basis],
            whole(options.price_adjustment, MICROS_PER_UNIT, "micros"),
        ),
        kvarh=options.kvarh,
        max_demand_kw=options.max_demand_kw,
        year_used_before_wh=whole(options.year_to_date_kwh, WH_PER_KWH, "watt-hours"),
        customer=options.customer,
        time_column=options.time_column,
        prices=prices,
        one_period=options.one_period,
        part_month=options.part_month,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kilowatch bill",
        description="The itemised bill of a usage under a tariff sheet.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--tariff", required=True, metavar="SHEET", help="file, directory or shipped id")
    add("--tariff-id", help="which tariff, where a file or directory holds several")
    add("--usage", required=True, type=Path, metavar="FILE", help="monthly totals or intervals")
    add("--month", help="only this month, e.g. 2026-04")
    add("--customer", default="", help="which column of interval readings")
    add("--time-column", help="which column is the time of interval readings")
    add("--prices", type=Path, help="market prices of a dynamic tariff: columns time and price")
    add("--year-to-date-kwh", default="0", help="used in the year before the file begins")
    for name, meaning in (
        ("--capacity-kva", "connected capacity"),
        ("--suspended-kva", "part of it that is suspended"),
        ("--contract-kw", "contract demand; without it the maximum demand is charged"),
        ("--price-adjustment", "agreed with the customer, per kWh"),
    ):
        add(name, default="0", help=meaning)
    add("--kvarh", default="", help="reactive energy of the (only) month")
    add("--max-demand-kw", default="", help="maximum demand of the (only) month")
    add("--basis", choices=["capacity", "demand"], default="", help="what the basic charge is on")
    add(
        "--one-period",
        action="store_true",
        help="the whole file is one bill, read on whatever day; else calendar months",
    )
    add(
        "--part-month",
        action="store_true",
        help="the supply began or ended inside the month: capacity and demand by thirtieths",
    )
    add("--json", action="store_true", help="for programs; amounts exact")
    return parser
