"""Which quarter-hours are counted already, and how is one gap's energy shared among its own?

A slot is a quarter-hour of UTC (units.SLOT_SECONDS).  Kept apart from the rules of usage because it
is bit and share arithmetic that every one of them leans on: a ring of bits per account that says
which slots' energy is known exactly, and the split of a whole number of watt-hours over slots by
weight, such that the parts always add up to the whole.
It does not know what a reading is or when a split is needed: `scoring.usage` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.book import COUNTED_SLOT_WORDS, COUNTED_SLOTS
from scoring.units import SECONDS_PER_DAY, SLOT_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_SPLIT_SECONDS = 730 * SECONDS_PER_DAY
"""A gap is spread over no more than its last two years: what lies before them cannot be in an open
billing month, and a clock that is wrong by decades must not fill the memory."""

FEW_SLOTS = 4
"""Up to an hour's slots are marked one by one; more by whole words, which costs the same for any
number."""

_LOW_BITS = np.array([(1 << k) - 1 for k in range(65)], np.uint64)
_WORD_START = np.arange(COUNTED_SLOT_WORDS) * 64
_FITS = 2**62


def is_counted(
    ring: NDArray[np.uint64],
    until: NDArray[np.int64],
    position: NDArray[np.int64],
    slot: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether each slot (k,) of the account at `position` (k,) is marked in its ring.

    `ring` (n, COUNTED_SLOT_WORDS), `until` (n,) first slot after the ring's newest.  Slots outside
    the ring are not marked: newer ones have not been counted, of older ones nothing is known.
    """
    place = slot % COUNTED_SLOTS
    bit = ring[position, place >> 6] >> (place & 63).astype(np.uint64)
    end = until[position]
    inside = (slot < end) & (slot >= end - COUNTED_SLOTS)
    counted: NDArray[np.bool_] = inside & ((bit & np.uint64(1)) == 1)
    return counted


def counted_among(
    ring: NDArray[np.uint64],
    until: NDArray[np.int64],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many of the slots first <= slot < end are marked; `ring` (n, 9), the others (n,)."""
    inside = _range_mask(
        np.maximum(first, until - COUNTED_SLOTS), np.maximum(np.minimum(end, until), first)
    )
    counted: NDArray[np.int64] = np.bitwise_count(ring & inside).sum(axis=1, dtype=np.int64)
    return counted


def advance(ledger: NDArray[Any], end: NDArray[np.int64]) -> None:
    """Move each ring on to end no earlier than `end` (n,); slots that enter it are unmarked."""
    until = ledger["counted_until_slot"]
    moved = end > until
    if not moved.any():
        return
    enters = np.where(moved, np.maximum(until, end - COUNTED_SLOTS), end)
    ledger["counted_slots"] &= ~_range_mask(enters, np.maximum(end, enters))
    np.maximum(until, end, out=until)


def mark(ledger: NDArray[Any], first: NDArray[np.int64], end: NDArray[np.int64]) -> None:
    """Mark the slots first <= slot < end (n,) as counted, moving the rings on as far as needed."""
    until = ledger["counted_until_slot"]
    if not len(first):
        return
    without_gap = (first <= until) & (first >= until - COUNTED_SLOTS)
    if (end - first).max() <= FEW_SLOTS and without_gap.all():
        _mark_few(ledger, first, end)
        return
    advance(ledger, end)
    first = np.maximum(first, ledger["counted_until_slot"] - COUNTED_SLOTS)
    ledger["counted_slots"] |= _range_mask(first, np.maximum(end, first))


def _mark_few(ledger: NDArray[Any], first: NDArray[np.int64], end: NDArray[np.int64]) -> None:
    """Mark slots one by one.  None is skipped on the way, so nothing has to be unmarked."""
    ring, until = ledger["counted_slots"], ledger["counted_until_slot"]
    rows = np.arange(len(first))
    for step in range(int((end - first).max())):
        slot = first + step
        place = slot % COUNTED_SLOTS
        bit = np.where(slot < end, np.uint64(1) << (place & 63).astype(np.uint64), np.uint64(0))
        ring[rows, place >> 6] |= bit
    np.maximum(until, end, out=until)


def _range_mask(first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The ring's bits of the slots first <= slot < end, at most a whole ring; (n, 9)."""
    start = (first % COUNTED_SLOTS)[:, None] - _WORD_START
    stop = start + np.minimum(np.maximum(end - first, 0), COUNTED_SLOTS)[:, None]
    low, high, wrapped = (
        np.minimum(np.maximum(bit, 0), 64) for bit in (start, stop, stop - COUNTED_SLOTS)
    )
    mask: NDArray[np.uint64] = (_LOW_BITS[high] & ~_LOW_BITS[low]) | _LOW_BITS[wrapped]
    return mask


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of some pieces of time, piece by piece and in order of time; (k,) each.

    `piece` is the number of the piece, `seconds` how much of the slot lies inside it.
    """

    piece: NDArray[np.int64]
    slot: NDArray[np.int64]
    seconds: NDArray[np.int64]

    def where(self, keep: NDArray[np.bool_]) -> Slots:
        """Only these slots."""
        return Slots(self.piece[keep], self.slot[keep], self.seconds[keep])


def expand(start: NDArray[np.int64], end: NDArray[np.int64]) -> Slots:
    """All slots that the pieces start <= at < end (p,) touch; every piece must have a length.

    >>> expand(np.array([0, 1000]), np.array([900, 2000]))
    Slots(piece=array([0, 1, 1]), slot=array([0, 1, 2]), seconds=array([900, 800, 200]))
    """
    first = start // SLOT_SECONDS
    length = (end - 1) // SLOT_SECONDS - first + 1
    piece = np.repeat(np.arange(len(start)), length)
    skip = np.cumsum(length) - length
    slot = np.arange(len(piece)) + np.repeat(first - skip, length)
    begins = slot * SLOT_SECONDS
    seconds = np.minimum(end[piece], begins + SLOT_SECONDS) - np.maximum(start[piece], begins)
    return Slots(piece, slot, seconds)


def starts_run(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each value (n,) of a grouped array differs from the one before it.

    >>> starts_run(np.array([0, 0, 2]))
    array([ True, False,  True])
    """
    starts = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return starts


def first_of_each(piece: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions at which a new value starts in a grouped array; empty for an empty one.

    >>> first_of_each(np.array([0, 0, 2, 2, 2, 5]))
    array([0, 2, 5])
    """
    if not len(piece):
        return np.zeros(0, np.int64)
    return np.flatnonzero(starts_run(piece))


def share_out(
    energy_wh: NDArray[np.int64], slots: Slots, load: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Each slot's part (k,) of its piece's energy (p,), by seconds x load; the parts add up.

    Part number i is floor(E x W_i / W) less what the slots before it got, where W_i is the weight
    up to and with slot i: whole numbers only, so that anyone can follow it by hand.  Where no slot
    of a piece has any load, its seconds alone weigh.

    >>> whole = expand(np.array([0]), np.array([2700]))
    >>> share_out(np.array([100]), whole, np.array([1, 1, 2]))
    array([25, 25, 50])
    >>> share_out(np.array([100]), whole, np.array([0, 0, 0]))
    array([33, 33, 34])
    """
    if not len(slots.piece):
        return np.zeros(0, np.int64)
    starts = first_of_each(slots.piece)
    length = np.diff(np.r_[starts, len(slots.piece)])
    weight = slots.seconds * load
    idle = np.add.reduceat(weight, starts) == 0
    if idle.any():
        weight = np.where(np.repeat(idle, length), slots.seconds, weight)
    run = np.cumsum(weight)
    before = run[starts] - weight[starts]
    upto = run - np.repeat(before, length)
    whole = np.repeat(run[np.r_[starts[1:] - 1, len(run) - 1]] - before, length)
    given = floor_share(energy_wh[slots.piece], upto, whole)
    part = np.diff(given, prepend=0)
    part[starts] = given[starts]
    return part


def floor_share(
    energy_wh: NDArray[np.int64], weight: NDArray[np.int64], whole: NDArray[np.int64]
) -> NDArray[np.int64]:
    """floor(energy x weight / whole), exact although the product may need more than 64 bits.

    0 <= weight <= whole <= 2^42 (two years of slots at full load) and 0 <= energy < 2^60, so that
    long division by digits of 20 bits never leaves 62 bits.
    """
    if int(energy_wh.max()) * int(weight.max()) < _FITS:
        return energy_wh * weight // whole
    result = np.zeros_like(energy_wh)
    rest = np.zeros_like(energy_wh)
    for shift in (40, 20, 0):
        digit = (energy_wh >> shift) & 0xFFFFF
        quotient, rest = np.divmod((rest << 20) + digit * weight, whole)
        result = (result << 20) + quotient
    return result
