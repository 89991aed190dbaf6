"""How are readings that all look alike read at once?

A head-end writes its records from one pattern: the same keys in the same order, ids and dates of
one length.  So the first record of its length is decoded as ever and shows where in the bytes the
texts and numbers stand; the others are compared with it as one block of bytes and read in columns,
at a third of the cost of decoding each.  Whatever differs in any other byte, and whatever the
decoder might refuse, is left to the decoder: what is read here is exactly what it would have said
(`tests/test_alike.py`).  Nothing is refused here, and no account is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring.ids import bytes_at, hashes_of_points
from streams.instants import UNREADABLE_AT, USUAL_LENGTHS, instants_of_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from streams.blocks import Block

    Bytes = NDArray[np.uint8]
    Span = tuple[int, int]

FEWEST = 48
"""Records of one length below which columns cost more than decoding one by one (measured)."""

MOST_PATTERNS = 4
"""Patterns tried among records of one length: a longer id may make up for a shorter number.  What
fits none of them is decoded one by one."""

MOST_DIGITS = 15
"""Of a number read in columns: more than any register has, less than 64 bits hold."""

MOST_BYTES = 1_024
"""Of a value that is read in columns: a plain reading has 150."""

TEXTS = ("accountId", "meterId", "readAt")
NUMBERS = ("registerWh", "intervalSeconds", "intervalWh")
_PAIR = re.compile(rb'"(\w+)"\s*:\s*(?:"([^"\\]*)"|(0|[1-9]\d*))')
_BETWEEN = re.compile(rb"\s*,\s*")
_BEGIN, _END = re.compile(rb"\s*\{\s*"), re.compile(rb"\s*\}\s*")
_OF_A_TEXT = np.zeros(256, np.bool_)
_OF_A_TEXT[0x20:0x7F] = True
_OF_A_TEXT[[ord('"'), ord("\\")]] = False
_ZERO = np.uint8(ord("0"))


@dataclass(frozen=True, slots=True)
class Alike:
    """Readings in columns, length k; `place` is the place of each one's record in its block.

    `account_id` are the ids' characters (k, length); `numbers` holds the columns of those `NUMBERS`
    that the pattern has; `quality` is the one code of all of them.
    """

    place: NDArray[np.int64]
    account_id: Bytes
    meter_hash: NDArray[np.uint64]
    read_at: NDArray[np.int64]
    numbers: Mapping[str, NDArray[np.int64]]
    quality: str


def alike(
    records: Block,
    quality_of: Callable[[bytes], str | None],
    bounds: Mapping[str, tuple[int, int]],
) -> list[Alike]:
    """The readings among these records' values that follow patterns, together by pattern.

    `quality_of` decodes a value and tells its quality code, None if it is not one plain reading;
    `bounds` are the least and the greatest that each of `NUMBERS` may be.

    >>> from streams.blocks import Block
    >>> from streams.log import PlainRecord
    >>> value = b'{"accountId":"a-%d","meterId":"m","readAt":"1970-01-01T00:00:%dZ"}'
    >>> some = [PlainRecord("", 0, n, 0, None, value % (n, n)) for n in range(10, 60)]
    >>> found, = alike(Block.of(some), lambda value: "0.0", {})
    >>> found.account_id[-1].tobytes(), found.read_at[-1].item(), found.numbers
    (b'a-59', 59, {})
    """
    found: list[Alike] = []
    for of_one_length in _by_length(records):
        places, block = of_one_length
        for _ in range(MOST_PATTERNS):
            if len(places) < FEWEST:
                break
            model = records.value(int(places[0]))
            assert model is not None, "no length"
            quality = quality_of(model)
            spans = None if quality is None else _spans(model)
            fits = np.zeros(len(places), np.bool_)
            if quality is not None and spans is not None:
                fits, columns = _read(block, spans, bounds)
                found.append(_chosen(fits, places, block, spans, columns, quality))
            fits[0] = True  # the model has had its turn
            places, block = places[~fits], block[~fits]
    return found


def _by_length(records: Block) -> Iterator[tuple[NDArray[np.int64], Bytes]]:
    """Places (k,) and bytes (k, length) of the values of each length that enough have."""
    lengths = np.maximum(records.value_bytes, 0)
    lengths[lengths > MOST_BYTES] = 0
    for length in np.flatnonzero(np.bincount(lengths) >= FEWEST).tolist():
        if length == 0:
            continue
        places = np.flatnonzero(lengths == length)
        yield places, bytes_at(records.data, records.value_at[places], length)


def _spans(model: bytes) -> dict[str, Span] | None:
    """Where in the bytes each text and number stands; None if this is no flat object of such.

    What lies between the pairs is looked at too, so that nothing is taken for a whole value of
    which it is only a part (1e3).
    """
    spans: dict[str, Span] = {}
    begin = _BEGIN.match(model)
    at = begin.end() if begin else -1
    while at >= 0:
        pair = _PAIR.match(model, at)
        if pair is None or pair[1].decode() in spans:
            return None
        spans[pair[1].decode()] = pair.span(2) if pair[2] is not None else pair.span(3)
        if _END.fullmatch(model, pair.end()):
            break
        between = _BETWEEN.match(model, pair.end())
        at = between.end() if between else -1
    varying = {name: spans[name] for name in (*TEXTS, *NUMBERS) if name in spans}
    return varying if at >= 0 and all(name in spans for name in TEXTS) else None


def _read(
    block: Bytes, spans: Mapping[str, Span], bounds: Mapping[str, tuple[int, int]]
) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.int64]]]:
    """Which rows of the block (k, length) follow the first one's pattern; their instants, numbers.

    What is read of rows that do not follow it means nothing.
    """
    same = block == block[0]
    for first, end in spans.values():
        same[:, first:end] = True
    fits: NDArray[np.bool_] = same.all(axis=1)
    for name in ("accountId", "meterId"):
        first, end = spans[name]
        fits &= _OF_A_TEXT[block[:, first:end]].all(axis=1)
    columns: dict[str, NDArray[np.int64]] = {}
    first, end = spans["readAt"]
    if end - first not in USUAL_LENGTHS:
        return np.zeros(len(block), np.bool_), columns
    columns["readAt"] = instants_of_points(np.ascontiguousarray(block[:, first:end].T))
    fits &= columns["readAt"] != UNREADABLE_AT
    for name in NUMBERS:
        if name in spans:
            columns[name] = _numbers(block, spans[name], fits)
            least, most = bounds[name]
            fits &= (columns[name] >= least) & (columns[name] <= most)
    return fits, columns


def _numbers(block: Bytes, span: Span, fits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The numbers that stand at this span; strikes from `fits` where none stands."""
    first, end = span
    if end - first > MOST_DIGITS:
        fits[:] = False
        return np.zeros(len(block), np.int64)
    digits = np.ascontiguousarray(block[:, first:end].T) - _ZERO  # below "0" wraps to far above 9
    for digit in digits:
        fits &= digit < 10
    if len(digits) > 1:
        fits &= digits[0] > 0  # JSON knows no leading zeros
    number: NDArray[np.int64] = digits[0].astype(np.int64)
    for digit in digits[1:]:
        number *= 10
        number += digit
    return number


def _chosen(
    fits: NDArray[np.bool_],
    places: NDArray[np.int64],
    block: Bytes,
    spans: Mapping[str, Span],
    columns: dict[str, NDArray[np.int64]],
    quality: str,
) -> Alike:
    """The rows that follow the pattern, with their ids."""
    if not fits.all():
        places, block = places[fits], block[fits]
        columns = {name: column[fits] for name, column in columns.items()}
    first, end = spans["meterId"]
    meter_hash = hashes_of_points(np.ascontiguousarray(block[:, first:end].T))
    first, end = spans["accountId"]
    account_id = np.ascontiguousarray(block[:, first:end])
    read_at = columns.pop("readAt", np.zeros(0, np.int64))
    return Alike(places, account_id, meter_hash, read_at, columns, quality)
