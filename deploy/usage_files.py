"""What was used, according to this file?

Reads monthly totals (a row per month or part of one, with what was read and agreed) or interval
readings (a column of kWh per customer) from CSV or Parquet into billing months, and says in a
sentence what is wrong with a file that is neither.  What they cost is `scoring.statement`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.billing_month import (
    CustomerTerms,
    Intervals,
    MarketPrices,
    by_days,
    months_of,
    months_of_intervals,
    stretches,
)
from scoring.sheet_fields import PICOS_PER_UNIT
from scoring.units import MICROS_PER_UNIT, WH_PER_KWH, NotExact, whole
from simulator.table import FileWrong, load, read_table, times, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scoring.statement import BillingMonth, Stretch
    from scoring.tariff import Tariffs

PER_THOUSAND = 1_000
BASES = {"": 0, "capacity": 1, "demand": 2}

TERM_COLUMNS = {
    "capacity_kva": ("capacity_va", PER_THOUSAND),
    "suspended_kva": ("suspended_va", PER_THOUSAND),
    "contract_kw": ("contract_w", PER_THOUSAND),
    "price_adjustment": ("adjust_micros_per_kwh", MICROS_PER_UNIT),
}
"""Columns of terms, the field each fills, and how many of its units make one."""

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


def months_in(path: Path, tariffs: Tariffs, wanted: Wanted) -> list[BillingMonth]:
    """The billing months in a file. Raises FileWrong with what to do."""
    names = load(path).column_names
    if {"month", "from"} & set(names):
        table = load(path, as_text=tuple(names))
        rows = [{k: _text(v) for k, v in row.items()} for row in table.to_pylist()]
        return _months_of_totals(path, rows, tariffs, wanted)
    return _months_of_readings(path, tariffs, wanted)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _months_of_totals(
    path: Path, rows: list[dict[str, str]], tariffs: Tariffs, wanted: Wanted
) -> list[BillingMonth]:
    """A row per month, or per part of one: the parts of a month stand below each other."""
    if not rows:
        raise FileWrong(f"{path} holds no month")
    laid: list[Stretch] = []
    for number, row in enumerate(rows, 2):
        try:
            laid += _stretches_of_row(row, tariffs, wanted)
        except (ValueError, NotExact) as error:
            raise FileWrong(f"{path}, row {number}: {error}") from error
    months = months_of(tariffs, laid, wanted.year_used_before_wh)
    if len(months) == 1 and (wanted.kvarh or wanted.max_demand_kw):
        return [_with_totals(months[0], wanted)]
    return months


def _with_totals(month: BillingMonth, wanted: Wanted) -> BillingMonth:
    """One month with the reactive energy or maximum demand that was told beside the file."""
    first, *rest = month.stretches
    if wanted.kvarh:
        first = replace(first, reactive_varh=whole(wanted.kvarh, WH_PER_KWH, "varh"))
    parts = [first, *rest]
    if wanted.max_demand_kw:
        watts = whole(wanted.max_demand_kw, PER_THOUSAND, "watts")
        parts = [replace(part, max_demand_w=watts) for part in parts]
    return replace(month, stretches=tuple(parts))


def _stretches_of_row(row: dict[str, str], tariffs: Tariffs, wanted: Wanted) -> list[Stretch]:
    first, end = _days_of_row(row)
    given: dict[str, Any] = {
        field: whole(row[column], units, column)
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
        reactive_varh=whole(row["kvarh"], WH_PER_KWH, "varh") if row.get("kvarh") else None,
        max_demand_w=whole(row.get("max_demand_kw") or "0", PER_THOUSAND, "watts"),
    )
    return by_days(empty, filled)


def _used(row: dict[str, str], names: Sequence[str]) -> tuple[int, ...]:
    if row.get("kwh"):
        if len(names) > 1:
            raise FileWrong(f"the tariff has rate periods: give columns {', '.join(names)}")
        return (whole(row["kwh"], WH_PER_KWH, "watt-hours"),)
    if not any(row.get(name) for name in names):
        raise FileWrong(f"no energy: give kwh, or a column per rate period: {', '.join(names)}")
    return tuple(whole(row.get(name) or "0", WH_PER_KWH, "watt-hours") for name in names)


def _days_of_row(row: dict[str, str]) -> tuple[date, date]:
    """The first day of a row and the day after its last."""
    if row.get("month"):
        first = date.fromisoformat(f"{row['month'][:7]}-01")
        return first, (first + timedelta(days=31)).replace(day=1)
    first, last = date.fromisoformat(row["from"][:10]), date.fromisoformat(row["to"][:10])
    if last < first:
        raise FileWrong(f"to {last} lies before from {first}")
    return first, last + timedelta(days=1)


def _basis(text: str) -> int:
    if text not in BASES:
        raise FileWrong(f"basis {text!r} is neither capacity nor demand")
    return BASES[text]


def _months_of_readings(path: Path, tariffs: Tariffs, wanted: Wanted) -> list[BillingMonth]:
    zone = zone_of(tariffs.zone_name(tariffs.ids.index(wanted.terms.tariff_id)))
    table = read_table(path, zone, wanted.time_column)
    names = [name for name in table.customers if name != "kvarh"]
    name = wanted.customer or names[0]
    if name not in names or (len(names) > 1 and not wanted.customer):
        some = ", ".join(names[:5])
        raise FileWrong(
            f"{path} holds {len(names)} customers; choose one by --customer: {some} ..."
        )
    wh = table.interval_wh
    of = wh[:, table.customers.index(name)]
    missing = int((of < 0).sum())
    if missing:
        raise FileWrong(f"{path}: {missing} intervals of {name} are missing; a bill needs them all")
    varh = wh[:, table.customers.index("kvarh")] if "kvarh" in table.customers else None
    first = np.datetime64(int(table.starts_at[0]) - 86_400, "s").astype("M8[D]").item()
    return months_of_intervals(
        tariffs,
        [replace(wanted.terms, first_day=first)],
        Intervals(table.starts_at, of, table.interval_seconds, varh),
        wanted.prices,
        wanted.year_used_before_wh,
    )


def market_prices(path: Path, zone_name: str) -> MarketPrices:
    """Prices per kWh by the hour from a file with a time and a column `price`, exactly as written.

    The time is the start of each price's hours, in the tariff's zone unless it says otherwise.
    """
    table = load(path, as_text=("price",))
    if "price" not in table.column_names:
        raise FileWrong(f"{path} has no column named price")
    starts_at, kept = times(table, zone_of(zone_name))
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
