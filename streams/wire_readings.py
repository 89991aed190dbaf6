"""What does a meter-readings record say?

Readings are the hot path: what looks alike is read at once (`streams.alike`), the rest by one
msgspec call each, and both become columns (`reading_columns`).  Whatever bytes come, the answer is
columns and named refusals, never an exception.  Whether a reading is plausible is `scoring.usage`'s
work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np

from scoring.effects import Reason, RefusedReading
from scoring.events import MAX_RATE_PERIODS, Readings
from scoring.units import NO_TIME, SECONDS_PER_DAY
from streams.alike import alike
from streams.blocks import Block
from streams.instants import UNREADABLE_AT
from streams.reading_columns import NO_QUALITY, of_alike, of_parsed, quality_of, together
from streams.topics import partition_of
from streams.wire_base import (
    EARLIEST_AT,
    LATEST_AT,
    MAX_RECORD_BYTES,
    MAX_WH,
    NOT_READABLE,
    Record,
    Refusal,
    Refused,
    refusal_of,
    refuse_unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scoring.book import Book

MAX_LIST = 10_000
"""Readings in one record: a concentrator's day; more would hold up a worker's loop."""

Energy = Annotated[int, msgspec.Meta(ge=0, le=MAX_WH)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class DemandRegisters(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """What a large customer's meter tells besides energy; -1 and 0 mean absent."""

    reactive_register_varh: Energy = -1
    maximum_w: Energy = 0


class Reading(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """One reading as JSON; `register_wh` -1 and `interval_seconds` 0 mean absent."""

    version: Literal[1]
    account_id: Name
    meter_id: Name
    read_at: str
    register_wh: Energy = -1
    rate_registers_wh: Annotated[tuple[Energy, ...], msgspec.Meta(max_length=MAX_RATE_PERIODS)] = ()
    interval_seconds: Annotated[int, msgspec.Meta(ge=1, le=SECONDS_PER_DAY)] = 0
    interval_wh: Energy = -1
    quality: str = "0.0"
    demand: DemandRegisters | None = None


@dataclass(frozen=True, slots=True)
class DecodedReadings:
    """The readings of a batch in columns, and what was refused.

    `record` (n,) is the position in the batch of the record each reading came from.
    """

    readings: Readings
    record: NDArray[np.int64]
    refusals: list[Refusal]


_decoder = msgspec.json.Decoder(Reading | list[Reading])
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_one_decoder = msgspec.json.Decoder(Reading)


def decode_readings(records: Sequence[Record], book: Book, partitions: int) -> DecodedReadings:
    """A fetched batch of one partition of meter-readings, in columns.

    `records` must be of the partition whose book this is; accounts the book does not know are
    refused (`wrong_partition` when their key belongs elsewhere, else `unknown_account`).
    """
    return decode_together([(records, book)], partitions)[0]


def decode_together(
    fetched: Sequence[tuple[Sequence[Record], Book]], partitions: int
) -> list[DecodedReadings]:
    """The same of several partitions (at least one), whose readings are read as one block."""
    blocks, books = [Block.of(records) for records, _ in fetched], [book for _, book in fetched]
    whole, first = Block.beside(blocks), np.cumsum([0, *map(len, blocks)])
    patterns = alike(whole, _plain_quality, _BOUNDS)
    parts = [of_alike(each, whole, books, first) for each in patterns]
    left = np.ones(len(whole), np.bool_)
    for each in patterns:
        left[each.place] = False
    refusals: list[list[Refusal]] = [[] for _ in blocks]
    if left.any() or not parts:
        for block, book, start, refused in zip(blocks, books, first, refusals, strict=False):
            places = np.flatnonzero(left[start : start + len(block)])
            parsed, origin, item = _parse(block, places.tolist(), refused)
            one = of_parsed(parsed, origin, item, block, book)
            parts.append(replace(one, origin=origin + start))
    found = parts[0] if len(parts) == 1 else together(parts)
    readings = Readings(
        source_offset=whole.offset[found.origin],
        received_at=np.maximum(whole.timestamp // 1000, NO_TIME)[found.origin],
        **found.columns,
    )
    keep, ends = _well_formed(readings) & found.is_keyed, np.searchsorted(found.origin, first)
    decoded = []
    for number, (block, refused) in enumerate(zip(blocks, refusals, strict=True)):
        here = slice(ends[number], ends[number + 1])
        mine = readings if len(blocks) == 1 else readings.take(here)
        told = DecodedReadings(mine, found.origin[here] - first[number], refused)
        decoded.append(_taken(told, block, keep[here], partitions))
    return decoded


def _taken(
    decoded: DecodedReadings, records: Block, keep: NDArray[np.bool_], partitions: int
) -> DecodedReadings:
    """Those to keep; the others are refused by what is wrong with them."""
    if keep.all():
        return decoded
    readings, refusals, original = decoded.readings, decoded.refusals, _Originals(records)
    for position in np.flatnonzero(~keep).tolist():
        place, at_item = int(decoded.record[position]), int(readings.item[position])
        record, value = records[place], original(place, at_item)
        one = _one_decoder.decode(value or record.value or b"")
        why = _why(one, record, int(readings.read_at[position]), at_item, partitions)
        refusals.append(refusal_of(record, *why, at_item, value))
    refusals.sort(key=lambda refusal: (refusal.offset, refusal.item))
    return DecodedReadings(readings.take(keep), decoded.record[keep], refusals)


_BOUNDS = {
    "registerWh": (0, MAX_WH),
    "intervalSeconds": (1, SECONDS_PER_DAY),
    "intervalWh": (0, MAX_WH),
}


def _plain_quality(value: bytes) -> str | None:
    """The quality code of a value that is one reading without rate or demand registers."""
    try:
        one = _decoder.decode(value)
    except NOT_READABLE:
        return None
    is_plain = type(one) is Reading and one.demand is None and not one.rate_registers_wh
    return one.quality if is_plain else None


def refused_readings(
    decoded: DecodedReadings, records: Sequence[Record], refused: Sequence[RefusedReading]
) -> list[Refusal]:
    """The refusals of readings that `scoring` did not count, with their original bytes."""
    if not refused:
        return []
    readings = decoded.readings
    offsets = np.array([one.source_offset for one in refused], np.int64)
    record_of: dict[int, int] = {}
    for position in np.flatnonzero(np.isin(readings.source_offset, offsets)).tolist():
        record_of[int(readings.source_offset[position])] = int(decoded.record[position])
    found, original = [], _Originals(records)
    for one in refused:
        at = record_of[one.source_offset]
        detail = _remedy(one.month) if one.month else ""
        if one.reason is Reason.PRICE_MISSING:
            detail = _NO_PRICE
        found.append(refusal_of(records[at], one.reason, detail, one.item, original(at, one.item)))
    return found


_NO_PRICE = (
    "no price of the market is published for its time: publish the day's (`kilowatch prices "
    "publish`), then send the reading again (`kilowatch prices resend`); a later register covers it"
)


def _remedy(month: int) -> str:
    """What a person can do about energy that comes too late for its billing month."""
    name = f"{month // 12:04d}-{month % 12 + 1:02d}"
    return (
        f"energy of {name} for which no gap of this meter is kept any more: if it was never "
        f'billed, state the difference on payments as an adjustment with "pays": "{name}"'
    )


class _Originals:
    """The bytes of single readings of lists, each list cut up at most once."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._cut: dict[int, list[msgspec.Raw]] = {}

    def __call__(self, place: int, item: int) -> bytes | None:
        if item < 0:
            return None
        if place not in self._cut:
            self._cut[place] = _list_decoder.decode(self._records[place].value or b"")
        return bytes(self._cut[place][item])


def _parse(
    records: Block, places: list[int], refusals: list[Refusal]
) -> tuple[list[Reading], NDArray[np.int64], NDArray[np.int64]]:
    """All readings of the records at these places, each with its place and its list item."""
    decode = _decoder.decode
    parsed: list[Reading | list[Reading]] = []
    read: list[int] = []
    partly: dict[int, NDArray[np.int64]] = {}
    has_lists = False
    for position in places:
        value = records.value(position)
        try:
            if value is None or len(value) > MAX_RECORD_BYTES:
                refusals.append(_refuse_size(records[position]))
                continue
            one = decode(value)
        except NOT_READABLE as error:
            some, items = _rescue(records[position], error, refusals)
            if not some:
                continue
            partly[len(parsed)] = items
            one = some
        if type(one) is list:
            has_lists = True
            if not one:
                why = Reason.WRONG_SHAPE, "a list of no readings"
                refusals.append(refusal_of(records[position], *why))
                continue
            if len(one) > MAX_LIST:
                refused = _too_long(len(one))
                why = refused.reason, refused.detail
                refusals.append(refusal_of(records[position], *why))
                continue
        parsed.append(one)
        read.append(position)
    origin = np.array(read, np.int64)
    if not has_lists:
        return parsed, origin, np.full(len(parsed), -1, np.int64)  # type: ignore[return-value]
    return _flatten(parsed, origin, partly)


def _flatten(
    parsed: list[Reading | list[Reading]],
    origin: NDArray[np.int64],
    partly: dict[int, NDArray[np.int64]],
) -> tuple[list[Reading], NDArray[np.int64], NDArray[np.int64]]:
    lists = [one if type(one) is list else [one] for one in parsed]
    counts = np.array([len(one) for one in lists], np.int64)
    first = np.cumsum(counts) - counts
    item = np.arange(int(counts.sum())) - np.repeat(first, counts)
    for position, one in enumerate(parsed):
        if type(one) is not list:
            item[first[position]] = -1
        elif position in partly:
            item[first[position] : first[position] + len(one)] = partly[position]
    flat: list[Reading] = list(chain.from_iterable(lists))  # type: ignore[arg-type]
    return flat, np.repeat(origin, counts), item


def _too_long(count: int) -> Refused:
    return Refused(Reason.TOO_LARGE, f"{count} readings in one record, limit {MAX_LIST}")


def _refuse_size(record: Record) -> Refusal:
    if record.value is None:
        return refusal_of(record, Reason.WRONG_SHAPE, "no value; a reading cannot be taken back")
    detail = f"{len(record.value)} bytes, limit {MAX_RECORD_BYTES}"
    return refusal_of(record, Reason.TOO_LARGE, detail)


def _rescue(
    record: Record, error: Exception, refusals: list[Refusal]
) -> tuple[list[Reading], NDArray[np.int64]]:
    """The good readings of a list that holds bad ones; each bad one is refused by its item."""
    value = record.value or b""
    good: list[Reading] = []
    items: list[int] = []
    try:
        raws = _list_decoder.decode(value)
    except NOT_READABLE:
        raws = []
    if not raws or len(raws) > MAX_LIST:
        refused = refuse_unreadable(error, value) if not raws else _too_long(len(raws))
        refusals.append(refusal_of(record, refused.reason, refused.detail))
        return good, np.array(items, np.int64)
    for item, raw in enumerate(raws):
        try:
            good.append(_one_decoder.decode(raw))
            items.append(item)
        except NOT_READABLE as why:
            refused = refuse_unreadable(why, bytes(raw))
            said = refused.reason, refused.detail, item, bytes(raw)
            refusals.append(refusal_of(record, *said))
    return good, np.array(items, np.int64)


def _well_formed(readings: Readings) -> NDArray[np.bool_]:
    """Readings of known accounts that say when, and how much in one of the two ways."""
    has_interval = readings.interval_seconds > 0
    has_register = readings.register_wh >= 0
    return np.asarray(
        (readings.account_row >= 0)
        & (readings.read_at >= EARLIEST_AT)
        & (readings.read_at < LATEST_AT)
        & (readings.quality != NO_QUALITY)
        & (has_register | has_interval)
        & (has_interval == (readings.interval_wh >= 0))
        & (has_register | (readings.rate_register_wh < 0).all(axis=1))
    )


def _why(
    one: Reading, record: Record, read_at: int, item: int, partitions: int
) -> tuple[Reason, str]:
    """Why a reading that could be parsed is not taken; the first thing wrong counts."""
    key = one.account_id.encode()
    if item < 0 and record.key != key:
        return Reason.KEY_MISMATCH, f"key {record.key!r} is not the account {one.account_id!r}"
    wanted = partition_of(key, partitions)
    if wanted != record.partition:
        return Reason.WRONG_PARTITION, f"{one.account_id!r} belongs to {wanted} of {partitions}"
    if read_at == UNREADABLE_AT:
        said = f"readAt {one.read_at[:64]!r} is no instant; write 2026-07-01T00:15:00+08:00"
        return Reason.WRONG_SHAPE, said
    if not EARLIEST_AT <= read_at < LATEST_AT:
        return Reason.AMOUNT_OUT_OF_RANGE, f"readAt {one.read_at!r} is not in 2000 to 2099"
    if quality_of(one.quality) == NO_QUALITY:
        return Reason.WRONG_SHAPE, f"quality {one.quality[:64]!r} is no category.index (domain 4.1)"
    if (one.interval_seconds > 0) != (one.interval_wh >= 0):
        return Reason.WRONG_SHAPE, "intervalSeconds and intervalWh only come together"
    if one.register_wh < 0 and one.rate_registers_wh:
        return Reason.WRONG_SHAPE, "rateRegistersWh without the total registerWh"
    if one.register_wh < 0 and not one.interval_seconds:
        return Reason.WRONG_SHAPE, "neither registerWh nor intervalWh"
    return Reason.UNKNOWN_ACCOUNT, f"no account-settings yet for {one.account_id!r}"
