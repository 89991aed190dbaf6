"""Which row is an account's, and whose is a row?

A partition may hold a million accounts, and Python's own dictionary, list, texts and numbers for
them took 144 bytes each, a tenth of all that a worker keeps of an account.  Here the texts stand
one behind the other and are found through a table of hashes: 36 bytes for an id of twelve
characters, and a batch's ids are looked up as columns.  What a row holds is the `Book`'s.
"""

from __future__ import annotations

from itertools import accumulate, count
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scoring.ids import hashes_of_points, text_hash, text_hashes
from scoring.room import with_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

FIRST_SLOTS = 1024
"""Always a power of two, so that a hash's lowest bits tell its slot."""

SLOTS_PER_ACCOUNT = 2
"""At least: of the slots looked at for an id that is there, one or two are then not its own."""

NOBODY = -1


class AccountIds:
    """The ids of a book's accounts, in the order of their rows.

    >>> ids = AccountIds()
    >>> ids.add_all(["home-1", "home-2", "home-1"])
    array([0, 1, 0])
    >>> ids.row("home-2"), ids.row("nobody"), ids[1], list(ids)
    (1, None, 'home-2', ['home-1', 'home-2'])
    """

    def __init__(self) -> None:
        self._text = np.zeros(0, np.uint8)  # UTF-8, one behind the other
        self._end = np.zeros(1, np.int64)  # of row - 1's text; all arrays have room for more
        self._hash = np.zeros(0, np.uint64)
        self._slots = np.full(FIRST_SLOTS, NOBODY, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> str:
        """The id of the account in this row (0 to the count less 1)."""
        return self._key(row).decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self.of(np.arange(self._count)))

    def _key(self, row: int) -> bytes:
        return self._text[self._end[row] : self._end[row + 1]].tobytes()

    def of(self, rows: Rows) -> list[str]:
        """The ids of the accounts in these rows."""
        return [key.decode() for key in self.keys_of(rows)]

    def keys_of(self, rows: Rows) -> list[bytes]:
        """The same as bytes, as they stand on the wire."""
        first, end = self._end[rows], self._end[rows + 1]
        if not len(rows):
            return []
        length = int(end[0] - first[0])
        if (end - first == length).all():  # the usual case
            joined = self._characters(first, length).tobytes()
            return [joined[at : at + length] for at in range(0, len(joined), length)]
        pairs = zip(first.tolist(), end.tolist(), strict=True)
        return [self._text[start:behind].tobytes() for start, behind in pairs]

    def _characters(self, first: Rows, length: int) -> NDArray[np.uint8]:
        """The bytes (n, length) that begin at these places."""
        found: NDArray[np.uint8] = sliding_window_view(self._text, length)[first]
        return found

    # --- finding -------------------------------------------------------------------------------

    def row(self, account_id: str) -> int | None:
        """The account's row, None if it has none."""
        wanted, key = text_hash(account_id), account_id.encode()
        slot = wanted & (len(self._slots) - 1)
        while (row := int(self._slots[slot])) != NOBODY:
            if int(self._hash[row]) == wanted and self._key(row) == key:
                return row
            slot = (slot + 1) % len(self._slots)
        return None

    def rows_of(self, account_ids: Sequence[str]) -> Rows:
        """The rows (n,) of these accounts, `NOBODY` where there is none."""
        return self._rows_of(account_ids, text_hashes(account_ids))

    def rows_of_points(self, points: NDArray[np.uint8]) -> Rows:
        """The rows (n,) of ids of one length and in ASCII, given as characters (n, length)."""

        def is_same(places: Rows, rows: Rows) -> NDArray[np.bool_]:
            return self._are(rows, points[places])

        return self._find(hashes_of_points(np.ascontiguousarray(points.T)), is_same)

    def _rows_of(self, account_ids: Sequence[str], hashes: NDArray[np.uint64]) -> Rows:
        def is_same(places: Rows, rows: Rows) -> NDArray[np.bool_]:
            wanted = [account_ids[place] for place in places.tolist()]
            joined, length = "".join(wanted), len(wanted[0])
            if joined.isascii() and set(map(len, wanted)) == {length}:
                points = np.frombuffer(joined.encode(), np.uint8)
                return self._are(rows, points.reshape(len(wanted), length))
            pairs = zip(wanted, self.of(rows), strict=True)
            return np.array([mine == theirs for mine, theirs in pairs], np.bool_)

        return self._find(hashes, is_same)

    def _are(self, rows: Rows, points: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether the ids of these rows (n,) are these characters (n, length)."""
        first, length = self._end[rows], points.shape[1]
        same = np.asarray(self._end[rows + 1] - first == length)
        if same.any():
            text = self._characters(first[same], length)
            same[same] = (text == points[same]).all(axis=1)
        return same

    def _find(
        self,
        hashes: NDArray[np.uint64],
        is_same: Callable[[Rows, Rows], NDArray[np.bool_]],
    ) -> Rows:
        """The rows (n,) of ids with these hashes; `is_same` tells which of some are in rows."""
        found = np.full(len(hashes), NOBODY, np.int64)
        left, slot = np.arange(len(hashes)), _homes(hashes, len(self._slots))
        while len(left):
            row = self._slots[slot].astype(np.int64)
            is_taken = row != NOBODY
            is_it = is_taken.copy()
            is_it[is_taken] = self._hash[row[is_taken]] == hashes[left[is_taken]]
            if is_it.any():
                is_it[is_it] = is_same(left[is_it], row[is_it])
            found[left[is_it]] = row[is_it]
            on = is_taken & ~is_it
            left, slot = left[on], (slot[on] + 1) % len(self._slots)
        return found

    # --- adding --------------------------------------------------------------------------------

    def add_all(self, account_ids: Sequence[str]) -> Rows:
        """The accounts' rows (n,); who has none gets the next."""
        hashes = text_hashes(account_ids)
        rows = self._rows_of(account_ids, hashes)
        places = np.flatnonzero(rows == NOBODY)
        if len(places):
            new = [account_ids[place] for place in places.tolist()]
            row_of = dict(zip(dict.fromkeys(new), count(self._count), strict=False))
            rows[places] = list(map(row_of.__getitem__, new))
            _rows, first = np.unique(rows[places], return_index=True)
            self._append(list(row_of), hashes[places[first]])
        return rows

    def _append(self, new: list[str], hashes: NDArray[np.uint64]) -> None:
        """Rows for these ids, which have none and are each here once."""
        first, end = self._count, self._count + len(new)
        text = "".join(new).encode()
        lengths = list(map(len, new if text.isascii() else map(str.encode, new)))
        text_end = int(self._end[first])
        ends = list(accumulate(lengths, initial=text_end))
        self._text = with_room(self._text, text_end, ends[-1])
        self._text[text_end : ends[-1]] = np.frombuffer(text, np.uint8)
        self._end = with_room(self._end, first + 1, end + 1)
        self._end[first : end + 1] = ends
        self._hash = with_room(self._hash, first, end)
        self._hash[first:end] = hashes
        self._count = end
        if end * SLOTS_PER_ACCOUNT > len(self._slots):
            slots = 1 << (end * SLOTS_PER_ACCOUNT - 1).bit_length()
            self._slots = np.full(slots, NOBODY, np.int32)
            first = 0
        self._settle(np.arange(first, end))

    def _settle(self, rows: Rows) -> None:
        """Give each of these rows the first free slot from its hash's own on."""
        slot = _homes(self._hash[rows], len(self._slots))
        while len(rows):
            is_free = self._slots[slot] == NOBODY
            self._slots[slot[is_free]] = rows[is_free]  # of several that want one, the last has it
            has_none = self._slots[slot] != rows
            rows, slot = rows[has_none], (slot[has_none] + 1) % len(self._slots)


def _homes(hashes: NDArray[np.uint64], slots: int) -> Rows:
    """The slots at which ids of these hashes are looked for first."""
    return (hashes & np.uint64(slots - 1)).astype(np.int64)
