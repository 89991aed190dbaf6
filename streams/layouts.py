"""How do the columns of a row become few bytes, and columns again?

A home's row is 752 bytes of which most say what an empty row says too.  So a row is kept as the
64-bit words in which it differs from the empty row, behind a bit for each word of the layout: a
third of the bytes to append, send, compact and read back, and a column that an account does not
need costs a bit (measured in ARCHITECTURE, "A row's bytes are its difference").  Both ways work on
thousands of rows at once.  What stands around a row, head and effects, is told in `streams.rows`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.book import words_of
from scoring.ids import bytes_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Places = NDArray[np.int64]

WORD_BYTES = 8
MASK_WORD_BITS = 64


def as_it_is(rows: NDArray[Any]) -> NDArray[Any]:
    """The newest version's rows need no change."""
    return rows


@dataclass(frozen=True)
class Layout:
    """One version of a row: its columns, what they hold when nothing is known, how to go on.

    `empty` (1,) is the row of an account about which nothing is known; `upgrade` makes this
    version's rows today's.
    """

    empty: NDArray[Any]
    upgrade: Callable[[NDArray[Any]], NDArray[Any]] = as_it_is
    words: int = field(init=False)
    mask_words: int = field(init=False)
    filled: NDArray[np.int64] = field(init=False)
    """The words in which the empty row is not zero."""

    def __post_init__(self) -> None:
        fields: Any = self.empty.dtype.fields
        in_columns = sum(column[0].itemsize for column in fields.values())
        assert in_columns == self.empty.dtype.itemsize, "bytes of no column would hold anything"
        words = words_of(self.empty).shape[1]
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "mask_words", -(-words // MASK_WORD_BITS))
        object.__setattr__(self, "filled", np.flatnonzero(words_of(self.empty)[0]))

    def pack(self, heads: NDArray[Any], rows: NDArray[Any]) -> list[bytes]:
        """The bytes of each row (n,) behind its head (n,), whose bytes are whole words.

        Mask bit i, least significant first, says that word i differs; the words that do follow.
        """
        return self._pack(words_of(heads), rows)

    def pack_bare(self, rows: NDArray[Any]) -> list[bytes]:
        """The bytes of each row (n,) without a head."""
        return self._pack(np.empty((len(rows), 0), np.uint64), rows)

    def _pack(self, head: NDArray[np.uint64], rows: NDArray[Any]) -> list[bytes]:
        first = head.shape[1] + self.mask_words
        whole = np.empty((len(rows), first + self.words), np.uint64)
        differs = np.ones(whole.shape, np.bool_)
        whole[:, : head.shape[1]] = head
        np.bitwise_xor(
            words_of(np.ascontiguousarray(rows)), words_of(self.empty), out=whole[:, first:]
        )
        np.not_equal(whole[:, first:], 0, out=differs[:, first:])
        mask = np.zeros((len(rows), self.mask_words * WORD_BYTES), np.uint8)
        bits = np.packbits(differs[:, first:], axis=1, bitorder="little")
        mask[:, : bits.shape[1]] = bits
        whole[:, head.shape[1] : first] = mask.view(np.uint64)
        block = whole[differs].tobytes()
        ends = np.cumsum(np.count_nonzero(differs, axis=1)) * WORD_BYTES
        last = ends.tolist()
        return [block[start:end] for start, end in zip([0, *last[:-1]], last, strict=True)]

    def ends(self, data: bytes, at: Places, until: Places) -> Places:
        """Where each of the rows (n,) ends whose masks begin at `at`; -1: no row.

        No row is what does not end before `until`, or has bits for words that this layout does not
        have.
        """
        size = self.mask_words * WORD_BYTES
        is_whole = at + size <= until
        mask = self._masks(data, np.where(is_whole, at, 0))
        ends = at + size + np.bitwise_count(mask).sum(axis=1, dtype=np.int64) * WORD_BYTES
        spare_bits = self.words % MASK_WORD_BITS
        if spare_bits:
            is_whole &= mask[:, -1] >> np.uint64(spare_bits) == 0
        return np.where(is_whole & (ends <= until), ends, -1)

    def _masks(self, data: bytes, at: Places) -> NDArray[np.uint64]:
        """The masks (n, mask_words) that begin at these places."""
        size = self.mask_words * WORD_BYTES
        if len(data) < size:  # nowhere is one
            return np.zeros((len(at), self.mask_words), np.uint64)
        return bytes_at(data, at, size).view(np.uint64)

    def unpack(self, data: bytes, at: Places, ends: Places) -> NDArray[Any]:
        """The rows (n,) whose masks begin at `at` and that end where `ends` says."""
        mask = self._masks(data, at).view(np.uint8)
        differs = np.unpackbits(mask, axis=1, count=self.words, bitorder="little").view(np.bool_)
        starts = (at + self.mask_words * WORD_BYTES).tolist()
        spans = zip(starts, ends.tolist(), strict=True)
        packed = b"".join([data[start:end] for start, end in spans])
        words = np.zeros((len(at), self.words), np.uint64)
        words.reshape(-1)[np.flatnonzero(differs)] = np.frombuffer(packed, np.uint64)
        words[:, self.filled] ^= words_of(self.empty)[:, self.filled]
        return words.reshape(-1).view(self.empty.dtype)
