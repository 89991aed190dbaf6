"""Which row is an account's, and whose is a row?

A partition may hold a million accounts, and Python's own dictionary, list, texts and numbers for
them took 144 bytes each, a tenth of all that a worker keeps of an account.  Here the texts stand
one behind the other and are found through a table of hashes: 36 bytes for an id of twelve
characters, and a batch's ids are looked up as columns.  What a row holds is the `Book`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from scoring.ids import bytes_at, hashes_of_points, text_hash, text_hashes
from scoring.room import with_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Points = NDArray[np.uint8]

FIRST_SLOTS = 1024
"""Always a power of two, so that a hash's lowest bits tell its slot."""

SLOTS_PER_ACCOUNT = 2
"""At least: of the slots looked at for an id that is there, one or two are then not its own."""

NOBODY = -1

MOST_TEXT_BYTES = 2**32 - 1
"""Of all ids of a partition: a hundred times a million of forty characters."""


@dataclass(frozen=True, slots=True, eq=False)
class IdColumn:
    """Ids as they stand in bytes, UTF-8: from these places (n,) of `data` on, of these lengths."""

    data: bytes
    at: Rows
    length: Rows

    def texts(self) -> list[str]:
        """The ids as text; what is no UTF-8 in them as the replacement character."""
        spans = zip(self.at.tolist(), (self.at + self.length).tolist(), strict=True)
        return [self.data[start:end].decode(errors="replace") for start, end in spans]

    def alike(self) -> Iterator[tuple[IdColumn, Rows, Points | None]]:
        """Those of each length, their places, and their characters (k, length), None if not ASCII.

        Few lengths are usual, so columns are made of each.
        """
        for length in np.unique(self.length).tolist():
            places = np.flatnonzero(self.length == length)
            some = IdColumn(self.data, self.at[places], self.length[places])
            points = bytes_at(self.data, some.at, length)
            yield some, places, points if (points < 0x80).all() else None


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
        self._end = np.zeros(1, np.uint32)  # of row - 1's text; all arrays have room for more
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
        first, end = self._end[rows].astype(np.int64), self._end[rows + 1]
        if not len(rows):
            return []
        length = int(end[0] - first[0])
        if (end - first == length).all():  # the usual case
            joined = bytes_at(self._text, first, length).tobytes()
            return [joined[at : at + length] for at in range(0, len(joined), length)]
        pairs = zip(first.tolist(), end.tolist(), strict=True)
        return [self._text[start:behind].tobytes() for start, behind in pairs]

    # --- finding -------------------------------------------------------------------------------

    def row(self, account_id: str) -> int | None:
        """The account's row, None if it has none."""
        key = account_id.encode()
        row = self._look(text_hash(account_id), lambda row: self._key(row) == key)
        return None if row == NOBODY else row

    def _look(self, wanted: int, is_it: Callable[[int], bool]) -> int:
        """The first row of this hash that is the one looked for, `NOBODY` if there is none."""
        slot = wanted & (len(self._slots) - 1)
        while (row := int(self._slots[slot])) != NOBODY:
            if int(self._hash[row]) == wanted and is_it(row):
                break
            slot = (slot + 1) % len(self._slots)
        return row

    def rows_of(self, account_ids: Sequence[str]) -> Rows:
        """The rows (n,) of these accounts, `NOBODY` where there is none."""
        return self._rows_of(account_ids, text_hashes(account_ids))

    def rows_of_column(self, ids: IdColumn) -> Rows:
        """The same of ids as they stand in bytes."""
        return self._of_column(ids, self.rows_of_points, self.rows_of)

    def rows_of_points(self, points: Points) -> Rows:
        """The rows (n,) of ids of one length and in ASCII, given as characters (n, length)."""
        return self._rows_of_points(points, _hashes(points))

    @staticmethod
    def _of_column(
        ids: IdColumn,
        of_points: Callable[[Points], Rows],
        of_texts: Callable[[Sequence[str]], Rows],
    ) -> Rows:
        rows = np.empty(len(ids.at), np.int64)
        for some, places, points in ids.alike():
            rows[places] = of_texts(some.texts()) if points is None else of_points(points)
        return rows

    def _rows_of_points(self, points: Points, hashes: NDArray[np.uint64]) -> Rows:
        def is_same(places: Rows, rows: Rows) -> NDArray[np.bool_]:
            return self._are(rows, points[places])

        return self._find(hashes, is_same)

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
            text = bytes_at(self._text, first[same], length)
            same[same] = (text == points[same]).all(axis=1)
        return same

    def _find(
        self,
        hashes: NDArray[np.uint64],
        is_same: Callable[[Rows, Rows], NDArray[np.bool_]],
    ) -> Rows:
        """The rows (n,) of ids with these hashes; `is_same` tells which of some are in rows.

        The first row of the same hash is all but surely the one: all are compared at once, and only
        who shares a hash with another is looked for again.
        """
        found = np.full(len(hashes), NOBODY, np.int64)
        if not self._count:
            return found
        left, slot = np.arange(len(hashes)), _homes(hashes, len(self._slots))
        while len(left):
            row = self._slots[slot]
            is_taken = row != NOBODY
            has_hash = is_taken & (self._hash[row] == hashes[left])
            found[left[has_hash]] = row[has_hash]
            on = is_taken & ~has_hash
            left, slot = left[on], (slot[on] + 1) % len(self._slots)
        met = np.flatnonzero(found != NOBODY)
        if not len(met):
            return found
        for place in met[~is_same(met, found[met])].tolist():
            here = np.array([place])

            def is_it(row: int, here: Rows = here) -> bool:
                return bool(is_same(here, np.array([row]))[0])

            found[place] = self._look(int(hashes[place]), is_it)
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
            keys = [key.encode() for key in row_of]
            lengths = np.fromiter(map(len, keys), np.int64, len(keys))
            text = np.frombuffer(b"".join(keys), np.uint8)
            self._append(text, lengths, hashes[places[first]])
        return rows

    def add_column(self, ids: IdColumn) -> Rows:
        """The same of ids as they stand in bytes."""
        return self._of_column(ids, self._add_points, self.add_all)

    def _add_points(self, points: Points) -> Rows:
        """The rows (n,) of ids of one length and in ASCII; who has none gets the next."""
        hashes = _hashes(points)
        rows = self._rows_of_points(points, hashes)
        places = np.flatnonzero(rows == NOBODY)
        if len(places):
            _, first, which = np.unique(hashes[places], return_index=True, return_inverse=True)
            new = places[np.sort(first)]  # each once, in the order in which they came
            if (points[places[first]][which] != points[places]).any():  # two ids of one hash
                return self.add_all([each.tobytes().decode() for each in points])
            rows[places] = self._count + np.argsort(np.argsort(first))[which]
            self._append(points[new].reshape(-1), np.full(len(new), points.shape[1]), hashes[new])
        return rows

    def _append(self, text: NDArray[np.uint8], lengths: Rows, hashes: NDArray[np.uint64]) -> None:
        """Rows for ids which have none and are each here once: UTF-8 one behind the other."""
        first, end = self._count, self._count + len(lengths)
        text_end = int(self._end[first])
        ends = text_end + np.cumsum(lengths)
        assert ends[-1] <= MOST_TEXT_BYTES, "more accounts than a partition may hold"
        self._text = with_room(self._text, text_end, int(ends[-1]))
        self._text[text_end : ends[-1]] = text
        self._end = with_room(self._end, first + 1, end + 1)
        self._end[first + 1 : end + 1] = ends
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


def _hashes(points: Points) -> NDArray[np.uint64]:
    """The hashes (n,) of ids given as characters (n, length)."""
    return hashes_of_points(np.ascontiguousarray(points.T))


def _homes(hashes: NDArray[np.uint64], slots: int) -> Rows:
    """The slots at which ids of these hashes are looked for first."""
    return (hashes & np.uint64(slots - 1)).astype(np.int64)
