"""What does a file of real readings hold?

Reads a wide Parquet or CSV table (one column of kWh per customer, one row per interval) into
instants and energies, and says in a sentence what is wrong with a file that is none.  How the
readings are sent is `replay`'s.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SLOT_SECONDS = 900
DAY_SECONDS = 86_400


MOST_REPEATED = 4
"""Not more than one row in so many may have the time of an earlier row: in autumn an hour comes
twice, but a file whose times come again and again has a row per customer."""


FIRST_BYTES = 65_536
"""Of a CSV file, by which its habits are known."""

NAMELESS = ("", "Unnamed: 0", "index", "__index_level_0__")
"""What a column of row numbers is called by those who did not mean to write one."""

LEAST_RISES = 200
"""Steps up without a single step down, of what can be no use any more."""


class FileWrong(ValueError):  # noqa: N818 - read as a sentence
    """The file cannot be replayed as it is; the message says what to do."""


class TimesLocal(FileWrong):
    """The file's times are somebody's wall clock."""


@dataclass(frozen=True, slots=True)
class Table:
    """Real readings: `kwh` (rows, customers) by interval, `starts_at` (rows,) in UTC seconds.

    `left_out` rows of the file have no time, or that of another row.
    """

    customers: list[str]
    starts_at: NDArray[np.int64]
    kwh: NDArray[np.float64]
    interval_seconds: int
    left_out: int = 0

    @property
    def interval_wh(self) -> NDArray[np.int64]:
        """Whole watt-hours, -1 where nothing was read (missing or negative)."""
        known = np.isfinite(self.kwh) & (self.kwh >= 0)
        return np.where(known, np.rint(np.where(known, self.kwh, 0) * 1000), -1).astype(np.int64)


def read_table(
    path: Path,
    zone: tzinfo | None,
    time_column: str | None = None,
    columns: list[str] | None = None,
) -> Table:
    """A wide table from a Parquet or CSV file, of these `columns` or all. Raises FileWrong.

    Naive times are local to `zone`, but UTC in a column named ..._utc when no zone is given.
    """
    table = _without_numbers_of_rows(load(path))
    name = time_column or time_column_of(table)
    if name not in table.column_names:
        raise FileWrong(f"{path} has no column {name}; it has {', '.join(table.column_names[:8])}")
    unknown = set(columns or ()) - set(table.column_names)
    if unknown:
        raise FileWrong(f"{path} has no column {', '.join(sorted(unknown))}")
    starts_at, kept = _instants(table.column(name), name, zone)
    if MOST_REPEATED * (len(table) - table.column(name).null_count - len(kept)) > len(table):
        raise FileWrong(
            f"{path} has the same times again and again: give each time one row, and each customer "
            "a column of kWh"
        )
    customers = [
        field.name
        for field in table.schema
        if field.name != name
        and not (time_column and pa.types.is_temporal(field.type))
        and (columns is None or field.name in columns)
    ]  # beside the named time another one, as the intervals' ends, is nobody's use
    if not customers:
        raise FileWrong(f"{path} has no column besides {name}")
    try:
        kwh = np.column_stack(
            [table.column(c).cast(pa.float64()).to_numpy(zero_copy_only=False) for c in customers]
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise FileWrong(
            f"{path}: every column but {name} must be kWh, and empty where none was read: {error}"
        ) from error
    order = kept[np.argsort(starts_at[kept], kind="stable")]
    starts_at, kwh = starts_at[order], kwh[order]
    _refuse_registers(path, customers, kwh)
    left_out = table.num_rows - len(kept)
    return Table(customers, starts_at, kwh, _interval(starts_at, path), left_out)


def _without_numbers_of_rows(table: pa.Table) -> pa.Table:
    """Without a nameless column that only numbers the rows, as tables are often written."""
    rows = np.arange(table.num_rows)
    for name in NAMELESS:
        if name in table.column_names and pa.types.is_integer(table.schema.field(name).type):
            numbers = table.column(name).to_numpy(zero_copy_only=False)
            if np.array_equal(numbers - numbers[0] if len(rows) else numbers, rows):
                table = table.drop_columns([name])
    return table


def _refuse_registers(path: Path, customers: list[str], kwh: NDArray[np.float64]) -> None:
    """A register only rises, and that for weeks; no customer's use does."""
    for name, column in zip(customers, kwh.T, strict=True):
        steps = np.diff(column[np.isfinite(column)])
        rises = int((steps > 0).sum())
        if rises >= LEAST_RISES and not (steps < 0).any():
            raise FileWrong(
                f"{path}: {name} only rises, {rises} times: is it a register? Give the energy of "
                "each interval"
            )


def read_local_or_utc(
    path: Path, zone: str, time_column: str | None = None, columns: list[str] | None = None
) -> tuple[Table, str]:
    """A table whose times are taken as they stand, and the zone in which they are local days.

    Local times need no zone, so it is UTC for them; else it is `zone`.
    """
    try:
        return read_table(path, None, time_column, columns), zone
    except TimesLocal:
        return read_table(path, UTC, time_column, columns), "UTC"


def load(path: Path, as_text: tuple[str, ...] = (), or_written_in: str = "") -> pa.Table:
    """The file's table; in a CSV file the columns `as_text` stay as they are written.

    So do all columns of totals by month: a sum of money must not pass through a float.  What is not
    UTF-8 is read as `or_written_in`, if that is given.  Raises FileWrong.
    """
    if not path.is_file():
        raise FileWrong(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            begins = file.read(4)
        if begins[:2] == b"PK":
            raise FileWrong(f"{path} is a spreadsheet: save it as CSV, and give that")
        if begins == b"PAR1" or path.suffix.lower() == ".parquet":
            return pyarrow.parquet.read_table(path)
        written = _in_utf8(path.read_bytes(), or_written_in)
        return pyarrow.csv.read_csv(
            pa.BufferReader(written),
            parse_options=pyarrow.csv.ParseOptions(delimiter=(between := _delimiter(written))),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(as_text, pa.string()),
                decimal_point=_decimal_point(written, between),
            ),
        )
    except UnicodeDecodeError as error:
        raise FileWrong(f"{path} is not written in UTF-8: {error}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise FileWrong(f"{path} is neither Parquet nor CSV that can be read: {error}") from error


def _in_utf8(written: bytes, otherwise: str) -> bytes:
    """A text in UTF-8; spreadsheets also write UTF-16, with its mark."""
    if written[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return written.decode("utf-16").encode()
    try:
        written.decode()
    except UnicodeDecodeError:
        if not otherwise:
            raise
        return written.decode(otherwise).encode()
    return written


def _delimiter(written: bytes) -> str:
    """What stands between the names of the columns: a comma, semicolon or tab."""
    heading = written.partition(b"\n")[0]
    return max(",;\t", key=lambda one: heading.count(one.encode()))


def _decimal_point(written: bytes, delimiter: str) -> str:
    """How a file writes its decimals: with a comma where one stands between digits, and only there.

    A file whose columns are parted by commas cannot.
    """
    rows = written[:FIRST_BYTES]
    if delimiter == "," or re.search(rb"[;\t]-?\d+\.\d+", rows):
        return "."
    return "," if re.search(rb"\d,\d", rows) else "."


def times(
    table: pa.Table, zone: tzinfo, name: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """UTC seconds of each row, and the rows that have a time of their own."""
    name = name or time_column_of(table)
    return _instants(table.column(name), name, zone)


def time_column_of(table: pa.Table) -> str:
    """The one column of times. Raises FileWrong where there is none, or more than one."""
    found = [field.name for field in table.schema if _is_time(field.type)]
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise FileWrong(
            f"which column is the time? candidates: {names}; use --time-column NAME, and write "
            "times as 2026-04-01 00:00 or 2026-04-01T00:00:00+08:00"
        )
    return str(found[0])


def _is_time(kind: pa.DataType) -> bool:
    """Instants, or the dates of days."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _instants(
    column: pa.ChunkedArray, name: str, zone: tzinfo | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """UTC seconds of each row, and the rows that have a time of their own."""
    if not pa.types.is_timestamp(column.type):
        try:
            column = pc.cast(column, pa.timestamp("s"))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise FileWrong(
                f"{name} holds {column[0].as_py()!r}; write times as 2026-04-01 00:00 or "
                "2026-04-01T00:00:00+08:00"
            ) from error
    is_aware = column.type.tz is not None
    seconds = column.cast(pa.timestamp("s", column.type.tz)).cast(pa.int64())
    wall = np.asarray(pc.fill_null(seconds, -1).to_numpy(zero_copy_only=False), np.int64)
    if not is_aware and zone is None:
        if not name.lower().endswith("utc"):
            raise TimesLocal(f"times in {name} are local and no --tz says where")
        zone = UTC
    at = wall if is_aware or zone is UTC else _localised(wall, zone or UTC)
    _, first = np.unique(at, return_index=True)
    return at, np.sort(first[at[first] >= 0])


def _localised(wall: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    """UTC seconds of a wall clock's; what it shows a second time in autumn is the later hour."""
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: these are wall clocks
    rising = (
        np.arange(len(wall)) if len(wall) and wall[0] <= wall[-1] else np.arange(len(wall))[::-1]
    )
    shown: set[int] = set()
    at = np.empty(len(wall), np.int64)
    for place in rising.tolist():
        second = int(wall[place])
        moment = epoch + timedelta(seconds=second)
        at[place] = int(moment.replace(tzinfo=zone, fold=int(second in shown)).timestamp())
        shown.add(second)
    return at


def _interval(starts_at: NDArray[np.int64], path: Path) -> int:
    steps = np.diff(starts_at)
    if not len(steps):
        raise FileWrong(f"{path} has fewer than two rows")
    values, counts = np.unique(steps, return_counts=True)
    seconds = int(values[counts == counts.max()].max())
    if seconds % SLOT_SECONDS or seconds > DAY_SECONDS:
        raise FileWrong(
            f"{path} has intervals of {seconds} s; they must be quarter-hours or multiples up to "
            "a day"
        )
    return seconds


def zone_of(text: str) -> tzinfo:
    """A zone by name or fixed offset.

    >>> zone_of("+10:00"), zone_of("UTC")
    (datetime.timezone(datetime.timedelta(seconds=36000)), datetime.timezone.utc)
    """
    if text.upper() in ("UTC", "Z"):
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", text)
    if offset:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(size if offset[1] == "+" else -size)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no zone; write UTC, +10:00 or a name such as America/Los_Angeles"
        ) from error
