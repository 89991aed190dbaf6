"""How good are Kilowatch's forecasts on the readings in a file?

`kilowatch backtest FILE` lives through a wide Parquet or CSV table with the code of the stream and
no Kafka, and says how good it was beside the simple rules.  Reading and laying out days is `days`',
living through them `rewind`'s, judging `marks`', drawing `report`'s.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.days import read_days
from deploy.marks import figures
from deploy.outdoors import Outdoors, read_weather
from deploy.report import page
from deploy.rewind import live_through
from scoring.calendar import ZoneInvalid
from scoring.day_kinds import CountryUnknown, of_country, weekdays_only
from simulator.table import FileWrong

if TYPE_CHECKING:
    from deploy.days import Days
    from deploy.rewind import Told
    from scoring.day_kinds import DayKinds

PROMISED_COVERAGE = (0.78, 0.82)
PROMISED_WARNED = 0.99
"""What every file must keep where `--max-wape` is asked."""

EXAMPLES = """examples:
  kilowatch backtest simulator/sample/homes_ca_8_weeks.parquet
  kilowatch backtest offices.parquet --holidays GB --report offices.html
  kilowatch backtest works.csv --columns kwh --json
  kilowatch backtest offices.parquet --weather weather.csv --weather-column "air temperature"
  kilowatch backtest meters.parquet --tz Europe/Brussels --from 2020-10-01 --to 2023-12-31
"""


def parser() -> argparse.ArgumentParser:
    """What can be asked of a backtest."""
    options = argparse.ArgumentParser(
        prog="kilowatch backtest",
        description="Judge the forecasts on a file of real readings: one column of kWh per customer"
        " and one row per interval, hourly, half-hourly or quarter-hourly, with gaps.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("file", type=Path)
    add("--holidays", metavar="PLACE", help="country, or part of one: GB, AU-NSW, CN (none)")
    add("--tz", metavar="ZONE", help="zone of the customers, where the file's times are UTC (UTC)")
    add("--columns", metavar="A,B", help="only these customers")
    add("--time-column", metavar="NAME", help="which column is the start of each interval")
    add("--from", dest="first", metavar="DATE", help="first local day")
    add("--to", dest="last", metavar="DATE", help="last local day")
    add("--weather", metavar="FILE", type=Path, help="outdoor temperatures, hourly or daily")
    add("--weather-column", metavar="NAME", help="which column of it is the temperature")
    add(
        "--perfect-weather",
        action="store_true",
        help="the days to come are known as measured: an upper bound of what a weather forecast"
        " brings (else only past days are known)",
    )
    add("--seed", type=int, default=0, help="of the prepaying customers' purchases (0)")
    add("--json", action="store_true", help="one JSON object, for machines")
    add(
        "--max-wape",
        type=float,
        metavar="PERCENT",
        help="fail above it, or by wrong intervals, late or needless warnings",
    )
    add("--report", type=Path, metavar="OUT.html", help="also write a page with plots")
    return options


def backtest(
    days: Days,
    kinds: DayKinds,
    seed: int,
    console: Console | None,
    outdoors: Outdoors | None = None,
) -> tuple[Told, dict[str, Any]]:
    """Live through the days, with a progress bar on `console`; what was told and its figures."""
    started = time.perf_counter()
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=console is None) as progress:
        task = progress.add_task("days", total=len(days))
        told = live_through(days, kinds, seed, lambda: progress.advance(task), outdoors)
    return told, figures(told, days, time.perf_counter() - started)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def show(console: Console, found: dict[str, Any]) -> None:
    """The figures as tables for people."""
    console.print(
        f"{found['customers']} customers, {found['days']} days judged, {found['seconds']} s"
        + (f", weather: {found['weather']}" if found["weather"] else "")
    )
    ahead = Table("day-ahead energy", "WAPE", title_justify="left")
    ahead.add_row("[bold]Kilowatch[/]", f"[bold]{_percent(found['wape'])}[/]")
    for name, value in found["simple_wape"].items():
        ahead.add_row(name, _percent(value))
    ahead.add_row("Kilowatch, median customer", _percent(found["wape_median"]))
    ahead.add_row("whole of today, said at noon", _percent(found["wape_today_at_noon"]))
    ahead.add_row("bias", _percent(found["bias"]))
    ahead.add_row("month's bill, said on day 10", _percent(found["month_wape_day10"]))
    ahead.add_row("  by the mean of 7 days", _percent(found["month_wape_day10_mean_of_7_days"]))
    console.print(ahead)
    spans = Table("energy of the next", "WAPE", "inside the 80 % interval")
    for span, share in (found["coverage80"] | found["coverage80_beyond"]).items():
        label = f"{span} day{'' if span == '1' else 's'}"
        spans.add_row(label, _percent(found["wape_by_days"].get(span)), _percent(share))
    console.print(spans)
    week = found["mean_week_runway"]
    warned = Table("warnings", "Kilowatch", "7-day-mean runway")
    for name, key, form in (
        ("threshold, hours", "warn_threshold_hours", str),
        ("exhaustions warned 24 h before", "warned_24h", _percent),
        ("needless, per account and quarter", "needless_per_quarter", _number),
        ("lead time P10, P50, P90, hours", "lead_hours_p10_p50_p90", str),
    ):
        warned.add_row(name, form(found[key]), form(week[key]))
    console.print(warned)


def broken(found: dict[str, Any], most_wape: float) -> list[str]:
    """Which promises these figures break; `most_wape` in per cent is the file's own."""
    wrong = []
    if found["wape"] is None or 100 * found["wape"] > most_wape:
        wrong.append(f"WAPE is {_percent(found['wape'])}, promised are {most_wape} %")
    low, high = PROMISED_COVERAGE
    for span, share in found["coverage80"].items():
        if share is None or not low <= share <= high:
            wrong.append(f"{_percent(share)} of sums of {span} days lie in the 80 % interval")
    if (found["warned_24h"] or 0) < PROMISED_WARNED:
        wrong.append(f"{_percent(found['warned_24h'])} of exhaustions were warned of a day before")
    needless, week = found["needless_per_quarter"], found["mean_week_runway"]
    if needless is None or needless >= week["needless_per_quarter"]:
        wrong.append("needless warnings are no fewer than those of the 7-day mean")
    return wrong


def main(argv: list[str] | None = None) -> int:
    """`kilowatch backtest FILE`: 0 when judged, 1 when the file, a word or a promise is wrong."""
    options = parser().parse_args(argv)
    console = Console(stderr=options.json)
    try:
        kinds = of_country(options.holidays) if options.holidays else weekdays_only()
        columns = options.columns.split(",") if options.columns else None
        days = read_days(
            options.file, options.tz, columns, options.first, options.last, options.time_column
        )
        outdoors = None
        if options.weather:
            air = read_weather(options.weather, days, options.tz, options.weather_column)
            outdoors = Outdoors(air, options.perfect_weather)
    except (FileWrong, CountryUnknown, ZoneInvalid) as error:
        print(f"kilowatch backtest: {error}", file=sys.stderr)
        return 1
    if days.backwards:
        print(
            f"kilowatch backtest: {days.backwards} intervals are below nothing and their days are "
            "left out; give what is drawn and what is fed in as columns apart",
            file=sys.stderr,
        )
    told, found = backtest(days, kinds, options.seed, Console(stderr=True), outdoors)
    found["weather"] = None if outdoors is None else outdoors.name
    if not found["customer_days"]:
        print("nothing to judge: 28 days of each customer are left out", file=sys.stderr)
    if options.report:
        try:
            options.report.write_text(page(options.file.name, days, told, found), encoding="utf-8")
        except OSError as error:
            print(f"kilowatch backtest: no report can be written: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps(found))
    else:
        show(console, found)
    wrong = broken(found, options.max_wape) if options.max_wape is not None else []
    for each in wrong:
        print(f"kilowatch backtest: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
