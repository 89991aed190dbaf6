"""What was used, according to this file?

Reads monthly totals (a row per month or part of one, with what was read and agreed) or interval
readings (a column of kWh per customer) from CSV or Parquet into billing months, and says in a
sentence what is wrong with a file that is neither.  What they cost is `scoring.statement`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.billing_month import (
    CustomerTerms,
    Intervals,
    MarketPrices,
    by_days,
    months_of,
    one_period,
    stretches,
    stretches_of_intervals,
)
from scoring.sheet_fields import PICOS_PER_UNIT
from scoring.units import (
    MICROS_PER_UNIT,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SLOT_SECONDS,
    WH_PER_KWH,
    NotExact,
    whole,
)
from simulator.table import FileWrong, load, read_table, times, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo
    from pathlib import Path

    from numpy.typing import NDArray

    from scoring.statement import BillingMonth, Stretch
    from scoring.tariff import Tariffs
    from simulator.table import Table

    Ints = NDArray[np.int64]

PER_THOUSAND = 1_000
BASES = {"": 0, "capacity": 1, "demand": 2}

TERM_COLUMNS = {
    "capacity_kva": ("capacity_va", PER_THOUSAND),
    "suspended_kva": ("suspended_va", PER_THOUSAND),
    "contract_kw": ("contract_w", PER_THOUSAND),
    "price_adjustment": ("adjust_micros_per_kwh", MICROS_PER_UNIT),
}
"""Columns of terms, the field each fills, and how many of its units make one."""

OTHER_CODE = "gb18030"
"""What spreadsheets in China write if not UTF-8.  Every column's name is known here, so a text in a
third code is refused by its columns."""

KNOWN_COLUMNS = {
    *("month", "from", "to", "tariff", "kwh", "kvarh", "max_demand_kw", "basis"),
    *TERM_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for besides the file: the terms for all of it, and which column is whose."""

    terms: CustomerTerms
    kvarh: str = ""
    max_demand_kw: str = ""
    year_used_before_wh: int = 0
    customer: str = ""
    time_column: str | None = None
    prices: MarketPrices | None = None
    one_period: bool = False
    part_month: bool = False


def months_in(path: Path, tariffs: Tariffs, wanted: Wanted) -> list[BillingMonth]:
    """The billing months in a file. Raises FileWrong with what to do."""
    if wanted.year_used_before_wh < 0:
        raise FileWrong("the energy used in the year before cannot be below zero")
    names = load(path, (), OTHER_CODE).column_names
    known = [_column(name) for name in names]
    if {"month", "from"} & set(known):
        table = load(path, tuple(names), OTHER_CODE).rename_columns(known)
        rows = [{k: _text(v) for k, v in row.items()} for row in table.to_pylist()]
        laid = _stretches_of_totals(path, rows, tariffs, wanted)
    else:
        laid = _stretches_of_readings(path, tariffs, wanted)
    if wanted.one_period:
        months = [one_period(tariffs, laid, wanted.year_used_before_wh)]
    else:
        months = months_of(tariffs, laid, wanted.year_used_before_wh)
    if wanted.kvarh or wanted.max_demand_kw:
        if len(months) > 1:
            raise FileWrong(
                f"{path} holds {len(months)} months: write kvarh and max_demand_kw in columns, "
                "or give a file of one month"
            )
        months = [_with_totals(months[0], wanted)]
    return [replace(m, starts_late=wanted.part_month and _is_part(m)) for m in months]


def _is_part(month: BillingMonth) -> bool:
    return sum(part.days for part in month.stretches) < month.month_days


def _column(name: str) -> str:
    """A column's name as it is known here, however it is spelt; other names as they stand."""
    plain = name.strip().casefold().replace(" ", "_")
    return plain if plain in KNOWN_COLUMNS else name.strip()


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _stretches_of_totals(
    path: Path, rows: list[dict[str, str]], tariffs: Tariffs, wanted: Wanted
) -> list[Stretch]:
    """A row per month, or per part of one, in any order; no day may stand in two rows."""
    if not rows:
        raise FileWrong(f"{path} holds no month")
    laid: list[tuple[int, list[Stretch]]] = []
    for number, row in enumerate(rows, 2):
        try:
            laid.append((number, _stretches_of_row(row, tariffs, wanted)))
        except (ValueError, NotExact) as error:
            raise FileWrong(f"{path}, row {number}: {error}") from error
    laid.sort(key=lambda one: one[1][0].first_day)
    for (number, earlier), (other, later) in pairwise(laid):
        until = earlier[-1].first_day + timedelta(days=earlier[-1].days)
        if later[0].first_day < until:
            first = later[0].first_day
            raise FileWrong(f"{path}: {first} stands in row {number} and in row {other}")
    return [stretch for _, of_row in laid for stretch in of_row]


def _with_totals(month: BillingMonth, wanted: Wanted) -> BillingMonth:
    """One month with the reactive energy or maximum demand that was told beside the file."""
    first, *rest = month.stretches
    if wanted.kvarh:
        first = replace(first, reactive_varh=_written(wanted.kvarh, WH_PER_KWH, "kvarh"))
        rest = [replace(part, reactive_varh=None) for part in rest]
    parts = [first, *rest]
    if wanted.max_demand_kw:
        watts = _not_negative(wanted.max_demand_kw, PER_THOUSAND, "max_demand_kw")
        parts = [replace(part, max_demand_w=watts) for part in parts]
    return replace(month, stretches=tuple(parts))


def _written(written: str, units: int, name: str) -> int:
    """The exact number of small units in a cell.  Raises FileWrong naming the column."""
    try:
        return whole(written, units, f"units of 1/{units:,}")
    except NotExact as error:
        hint = " (write 1234.5, with a point and no separators)" if "," in written else ""
        raise FileWrong(f"{name}: {error}{hint}") from error


def _not_negative(written: str, units: int, name: str) -> int:
    found = _written(written, units, name)
    if found < 0:
        raise FileWrong(f"{name} {written} is below zero")
    return found


def _stretches_of_row(row: dict[str, str], tariffs: Tariffs, wanted: Wanted) -> list[Stretch]:
    first, end = _days_of_row(row)
    given: dict[str, Any] = {
        field: _written(row[column], units, column)
        if column == "price_adjustment"
        else _not_negative(row[column], units, column)
        for column, (field, units) in TERM_COLUMNS.items()
        if row.get(column)
    }
    if row.get("basis"):
        given["basis"] = _basis(row["basis"])
    tariff_id = row.get("tariff") or wanted.terms.tariff_id
    if tariff_id not in tariffs.ids:
        raise FileWrong(f"no sheet of tariff {tariff_id!r} was given")
    terms = replace(wanted.terms, first_day=first, tariff_id=tariff_id, **given)
    empty = stretches(tariffs, [terms], first, end)
    names = tariffs.sheets[empty[0].version].rate_periods
    unknown = set(row) - KNOWN_COLUMNS - {n for s in tariffs.sheets for n in s.rate_periods}
    if unknown:
        raise FileWrong(f"what is column {min(unknown)!r}? the rate periods are {', '.join(names)}")
    filled = replace(
        empty[0],
        used_wh=_used(row, names),
        reactive_varh=_written(row["kvarh"], WH_PER_KWH, "kvarh") if row.get("kvarh") else None,
        max_demand_w=_not_negative(row.get("max_demand_kw") or "0", PER_THOUSAND, "max_demand_kw"),
    )
    return by_days(empty, filled)


def _used(row: dict[str, str], names: Sequence[str]) -> tuple[int, ...]:
    if row.get("kwh"):
        if len(names) > 1:
            raise FileWrong(f"the tariff has rate periods: give columns {', '.join(names)}")
        return (_not_negative(row["kwh"], WH_PER_KWH, "kwh"),)
    if not any(row.get(name) for name in names):
        raise FileWrong(f"no energy: give kwh, or a column per rate period: {', '.join(names)}")
    return tuple(_not_negative(row.get(name) or "0", WH_PER_KWH, name) for name in names)


def _days_of_row(row: dict[str, str]) -> tuple[date, date]:
    """The first day of a row and the day after its last."""
    if row.get("month"):
        first = _day(f"{row['month'][:7]}-01", "month", row["month"], "2026-04")
        return first, (first + timedelta(days=31)).replace(day=1)
    if not (row.get("from") and row.get("to")):
        raise FileWrong("give a month, or the first and last day of the part: from and to")
    first, last = (_day(row[end][:10], end, row[end], "2026-04-01") for end in ("from", "to"))
    if last < first:
        raise FileWrong(f"to {last} lies before from {first}")
    return first, last + timedelta(days=1)


def _day(text: str, column: str, written: str, example: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FileWrong(f"{column} {written!r} is no {column} such as {example}") from error


def _basis(text: str) -> int:
    if text.lower() not in BASES:
        raise FileWrong(f"basis {text!r} is neither capacity nor demand")
    return BASES[text.lower()]


def _stretches_of_readings(path: Path, tariffs: Tariffs, wanted: Wanted) -> list[Stretch]:
    zone = zone_of(tariffs.zone_name(tariffs.ids.index(wanted.terms.tariff_id)))
    try:
        table = read_table(path, zone, wanted.time_column)
    except FileWrong as error:
        raise FileWrong(
            f"{path} has no column month (or from and to): to be read as intervals, {error}"
        ) from error
    names = [name for name in table.customers if name != "kvarh"]
    name = wanted.customer or (names[0] if names else "")
    if name not in names or (len(names) > 1 and not wanted.customer):
        some = ", ".join(names[:5])
        raise FileWrong(
            f"{path} holds {len(names)} customers; choose one by --customer: {some} ..."
        )
    kwh = table.kwh[:, table.customers.index(name)]
    _all_read(path, table, kwh, name, zone)
    varh = None
    if "kvarh" in table.customers:
        kvarh = table.kwh[:, table.customers.index("kvarh")]
        _all_read(path, table, kvarh, "kvarh", zone)
        varh = _carried(kvarh)
    # the day before: the zone's first day may be the one before that of UTC
    first = np.datetime64(int(table.starts_at[0]) - 86_400, "s").astype("M8[D]").item()
    intervals = _by_their_days(
        Intervals(
            table.starts_at,
            _carried(kwh),
            table.interval_seconds,
            varh,
            np.rint(kwh * WH_PER_KWH * SECONDS_PER_HOUR / table.interval_seconds).astype(np.int64),
        ),
        zone,
    )
    terms = [replace(wanted.terms, first_day=first)]
    return stretches_of_intervals(tariffs, terms, intervals, wanted.prices)


def _carried(kwh: NDArray[np.float64]) -> Ints:
    """Whole watt-hours whose sums are right: what one interval's rounding leaves goes on."""
    reached: Ints = np.rint(np.cumsum(kwh) * WH_PER_KWH).astype(np.int64)
    return np.diff(reached, prepend=0)


def _all_read(path: Path, table: Table, kwh: NDArray[np.float64], name: str, zone: tzinfo) -> None:
    """Raises FileWrong where an interval is missing, below zero, or there twice."""

    def clock(at: int) -> str:
        return datetime.fromtimestamp(at, zone).isoformat(" ", "minutes")

    if table.left_out:
        raise FileWrong(
            f"{path}: {table.left_out} rows have no time, or that of another row (a wall clock "
            "skips an hour in spring); write times with their offset"
        )
    for wrong, what in ((~np.isfinite(kwh), "missing"), (kwh < 0, "below zero")):
        if wrong.any():
            at = clock(int(table.starts_at[np.argmax(wrong)]))
            raise FileWrong(
                f"{path}: {int(wrong.sum())} intervals of {name} are {what}, the first at {at}; "
                "a bill needs them all, as they were measured"
            )
    steps = np.diff(table.starts_at)
    hour = SECONDS_PER_HOUR if table.interval_seconds == SECONDS_PER_DAY else 0
    uneven = np.abs(steps - table.interval_seconds) > hour  # a local day has 23 to 25 hours
    if uneven.any():
        place = int(np.argmax(uneven))
        until = clock(int(table.starts_at[place + 1]))
        end = clock(int(table.starts_at[place]) + table.interval_seconds)
        raise FileWrong(f"{path}: nothing stands for {end} until {until}; a bill needs it all")


def _by_their_days(intervals: Intervals, zone: tzinfo) -> Intervals:
    """Days of 23 or 25 hours by their own quarter-hours; anything else as it is."""
    if intervals.seconds != SECONDS_PER_DAY:
        return intervals
    last = datetime.fromtimestamp(int(intervals.starts_at[-1]), zone) + timedelta(days=1)
    seconds = np.diff(intervals.starts_at, append=int(last.timestamp()))
    if (seconds == SECONDS_PER_DAY).all():
        return intervals
    parts = seconds // SLOT_SECONDS
    first = np.cumsum(parts) - parts
    within = np.arange(parts.sum()) - np.repeat(first, parts)

    def split(whole: Ints) -> Ints:
        each = np.repeat(whole // parts, parts)
        each[first] += whole % parts
        return each

    return Intervals(
        np.repeat(intervals.starts_at, parts) + within * SLOT_SECONDS,
        split(intervals.wh),
        SLOT_SECONDS,
        None if intervals.varh is None else split(intervals.varh),
    )


def market_prices(path: Path, zone_name: str) -> MarketPrices:
    """Prices per kWh by the hour from a file with a time and a column `price`, exactly as written.

    The time is the start of each price's hours, in the tariff's zone unless it says otherwise.
    """
    table = load(path, as_text=("price",))
    if "price" not in table.column_names:
        raise FileWrong(f"{path} has no column named price")
    starts_at, kept = times(table, zone_of(zone_name))
    if len(kept) < table.num_rows:
        twice = table.num_rows - len(kept)
        raise FileWrong(f"{path}: {twice} rows have no time, or that of another row")
    order = kept[np.argsort(starts_at[kept], kind="stable")]
    written = table.column("price").to_pylist()
    try:
        picos = [whole(_text(written[i]), PICOS_PER_UNIT, "picos") for i in order]
    except NotExact as error:
        raise FileWrong(f"{path}: {error}") from error
    steps = np.diff(starts_at[order])
    if not len(steps):
        raise FileWrong(f"{path} has fewer than two prices")
    return MarketPrices(starts_at[order], np.array(picos, np.int64), int(steps.min()))
