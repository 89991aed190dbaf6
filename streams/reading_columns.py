"""How do the readings of a batch become columns?

What looks alike is read at once (`streams.alike`), the rest comes as parsed readings
(`streams.wire_readings`); here both become the same columns, in the order of their records.  It
refuses nothing: what the columns cannot say is marked, and `wire_readings` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.events import ABSENT_DEMAND, MAX_RATE_PERIODS, Quality
from scoring.ids import bytes_at, text_hashes
from streams.instants import instants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from streams.alike import Alike
    from streams.blocks import Block
    from streams.wire_readings import Reading

    Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a batch's readings, length k: the columns of `Readings`, but for what records tell.

    `origin` is the position of each one's record, `is_keyed` whether its record has its key.
    """

    origin: NDArray[np.int64]
    is_keyed: NDArray[np.bool_]
    columns: dict[str, NDArray[Any]]


def together(parts: list[Part]) -> Part:
    """All parts as one, in the order of their records; the items of a list stay in theirs."""
    origin = np.concatenate([part.origin for part in parts])
    order = np.argsort(origin, kind="stable")
    columns = {}
    for name in {name for part in parts for name in part.columns}:
        absent = ABSENT_DEMAND.get(name, 0)
        some = [part.columns.get(name, np.full(len(part.origin), absent)) for part in parts]
        columns[name] = np.concatenate(some)[order]
    is_keyed = np.concatenate([part.is_keyed for part in parts])
    return Part(origin[order], is_keyed[order], columns)


def of_alike(found: Alike, records: Block, books: Sequence[Book], first: Rows) -> Part:
    """Readings that were read at once.

    `first` (books + 1,) are the places in `records` at which those of each book begin.
    """
    count, numbers = len(found.place), found.numbers
    columns: dict[str, NDArray[Any]] = {
        "account_row": _rows_in_books(found, books, first),
        "item": np.full(count, -1, np.int64),
        "read_at": found.read_at,
        "meter_hash": found.meter_hash,
        "rate_register_wh": np.full((count, MAX_RATE_PERIODS), -1, np.int64),
        "quality": np.full(count, quality_of(found.quality), np.uint8),
    }
    for name, (wire_name, absent) in _NUMBERS.items():
        told = numbers.get(wire_name)
        columns[name] = np.full(count, absent, np.int64) if told is None else told
    return Part(found.place, _are_keyed(records, found), columns)


def _rows_in_books(found: Alike, books: Sequence[Book], first: Rows) -> Rows:
    """Each reading's row (k,) in the book of its partition."""
    ends = np.searchsorted(found.place, first).tolist()
    rows = [
        book.account_ids.rows_of_points(found.account_id[start:end])
        for book, start, end in zip(books, ends[:-1], ends[1:], strict=True)
        if start < end
    ]
    return np.concatenate(rows) if rows else np.empty(0, np.int64)


def of_parsed(
    parsed: list[Reading],
    origin: NDArray[np.int64],
    item: NDArray[np.int64],
    records: Block,
    book: Book,
) -> Part:
    """Readings that were decoded one by one; `origin` are places in `records`."""
    account_ids = [one.account_id for one in parsed]
    columns: dict[str, NDArray[Any]] = {
        "account_row": book.rows_of(account_ids),
        "item": item,
        "read_at": instants([one.read_at for one in parsed]),
        "meter_hash": text_hashes([one.meter_id for one in parsed]),
        "register_wh": np.array([one.register_wh for one in parsed], np.int64),
        "rate_register_wh": _rate_registers(parsed),
        "interval_seconds": np.array([one.interval_seconds for one in parsed], np.int64),
        "interval_wh": np.array([one.interval_wh for one in parsed], np.int64),
        "quality": _qualities_of([one.quality for one in parsed]),
        **_demand_registers(parsed),
    }
    is_keyed = np.ones(len(parsed), np.bool_)  # a list's accounts share their record's key
    singles = np.flatnonzero(item < 0).tolist()
    keys = list(map(records.key, origin[singles].tolist()))
    pairs = zip(keys, [account_ids[position] for position in singles], strict=True)
    is_keyed[singles] = [key == account_id.encode() for key, account_id in pairs]
    return Part(origin, is_keyed, columns)


_NUMBERS = {
    "register_wh": ("registerWh", -1),
    "interval_seconds": ("intervalSeconds", 0),
    "interval_wh": ("intervalWh", -1),
}
"""Columns that a plain reading may have: their names on the wire, and what stands for absent."""


def _are_keyed(records: Block, found: Alike) -> NDArray[np.bool_]:
    """Whether the record of each reading is keyed by its account."""
    length = found.account_id.shape[1]
    is_keyed = np.asarray(records.key_bytes[found.place] == length)
    if is_keyed.any():
        key = bytes_at(records.data, records.key_at[found.place[is_keyed]], length)
        is_keyed[is_keyed] = (key == found.account_id[is_keyed]).all(axis=1)
    return is_keyed


def _rate_registers(parsed: list[Reading]) -> NDArray[np.int64]:
    registers = np.full((len(parsed), MAX_RATE_PERIODS), -1, np.int64)
    per_reading = [one.rate_registers_wh for one in parsed]
    if any(per_reading):
        for count in range(1, MAX_RATE_PERIODS + 1):
            here = [position for position, some in enumerate(per_reading) if len(some) == count]
            if here:
                registers[here, :count] = [per_reading[position] for position in here]
    return registers


def _demand_registers(parsed: list[Reading]) -> dict[str, NDArray[np.int64]]:
    """The columns of large customers' registers, if anybody in the batch has any."""
    told = [one.demand for one in parsed]
    if told.count(None) == len(told):  # the usual case
        return {}
    varh, watts = ABSENT_DEMAND.values()
    return {
        "reactive_register_varh": np.array(
            [varh if one is None else one.reactive_register_varh for one in told], np.int64
        ),
        "max_demand_w": np.array(
            [watts if one is None else one.maximum_w for one in told], np.int64
        ),
    }


NO_QUALITY = 255
"""A quality code nobody defined, in a column of `Quality`."""

_QUALITY_OF_CATEGORY = {
    0: Quality.VALID,  # valid, validated
    1: Quality.VALID,  # diagnostics: the register is what it is
    2: Quality.VALID,  # power quality
    3: Quality.SUSPECT,  # tamper
    4: Quality.VALID,  # data collection: manual or customer read, rollover, clock changed
    5: Quality.SUSPECT,  # reasonability: suspect, known missing
    6: Quality.SUSPECT,  # validation failed
    7: Quality.ESTIMATED,  # edited, added
    8: Quality.ESTIMATED,
    10: Quality.SUSPECT,  # questionable
    11: Quality.VALID,  # derived by the head-end from valid readings
    12: Quality.SUSPECT,  # projected: a forecast is no reading
}
_REJECTED = "7.3"
_qualities: dict[str, int] = {"0.0": int(Quality.VALID)}
_MOST_QUALITIES = 10_000


def _qualities_of(codes: list[str]) -> NDArray[np.uint8]:
    if codes.count("0.0") == len(codes):  # the usual case
        return np.zeros(len(codes), np.uint8)
    return np.array([quality_of(code) for code in codes], np.uint8)


def quality_of(code: str) -> int:
    """`Quality` of a CIM category.index, NO_QUALITY if it is none (domain.md 4.1)."""
    known = _qualities.get(code)
    if known is not None:
        return known
    category, dot, index = code.partition(".")
    if not (dot and len(code) <= 9 and code.isascii() and category.isdigit() and index.isdigit()):
        return NO_QUALITY
    quality = int(_QUALITY_OF_CATEGORY.get(int(category), NO_QUALITY))
    if code == _REJECTED:
        quality = int(Quality.SUSPECT)
    if len(_qualities) < _MOST_QUALITIES:
        _qualities[code] = quality
    return quality
