"""Which of several rows of an account, from one log or another, is the rightful one?

Rightful is the row of the latest claim, among these the one that has come furthest, among these the
last in the log.  So a worker that had already lost its partition changes nothing that its successor
has written (platform.md 1.3 L10).  It stands apart from `rows` because how a row looks as bytes is
another question; a worker's own recovery, which must also tell what was not told, is `recall`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Book
    from streams.rows import DecodedRows


def progress(ledger: NDArray[Any]) -> NDArray[np.int64]:
    """How far each row (n,) has come: the sum of its source offsets, which only ever grows."""
    return np.asarray(ledger["source_offset"].sum(axis=1))


@dataclass(slots=True)
class Taken:
    """Under which claim each row of a book was written: what `adopt_ledger_rows` remembers."""

    epoch: NDArray[np.int64]

    @classmethod
    def nothing(cls) -> Taken:
        """Of an empty book."""
        return cls(np.empty(0, np.int64))

    def grow(self, count: int) -> None:
        """Make room for the rows of a book of this size."""
        if count > len(self.epoch):
            more = np.full(count + count // 4, NO_CLAIM, np.int64)
            more[: len(self.epoch)] = self.epoch
            self.epoch = more


NO_CLAIM = -2
"""Below the epoch of every row ever written."""


def adopt_ledger_rows(book: Book, taken: Taken, decoded: DecodedRows) -> NDArray[np.int64]:
    """Take up the rightful rows, annexes too; the rows of the book that changed, each once."""
    if not len(decoded.rows):
        return np.empty(0, np.int64)
    rows = np.array([book.add(account_id) for account_id in decoded.account_ids], np.int64)
    taken.grow(len(book))
    far = progress(decoded.rows)
    best = _last_of_each(rows, decoded.epoch, far)
    epoch, ours = decoded.epoch[best], taken.epoch[rows[best]]
    is_further = far[best] >= progress(book.ledger[rows[best]])
    best = best[(epoch > ours) | ((epoch == ours) & is_further)]
    rows = rows[best]
    book.adopt(rows, decoded.rows, best, decoded.annexes)
    taken.epoch[rows] = decoded.epoch[best]
    return np.asarray(rows)


def adopt_learned_rows(book: Book, decoded: DecodedRows) -> NDArray[np.int64]:
    """Take up learned rows of accounts the book knows, if they learned at least as much.

    The book's rows that were changed, each once.
    """
    if not len(decoded.rows):
        return np.empty(0, np.int64)
    rows = book.rows_of(decoded.account_ids)
    known = np.flatnonzero(rows >= 0)
    rows, learned = rows[known], decoded.rows[known]
    best = _last_of_each(rows, learned["source_offset"])
    rows, learned = rows[best], learned[best]
    new = learned["source_offset"] >= book.learned["source_offset"][rows]
    rows = rows[new]
    _words(book.learned)[rows] = _words(learned)[new]
    return np.asarray(rows)


def _words(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Rows as plain 64-bit words, which numpy copies faster than records."""
    return rows.view(np.uint64).reshape(len(rows), -1)


def _last_of_each(rows: NDArray[np.int64], *rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row once: the position of the highest rank, the last one where several are equal."""
    order = np.lexsort((*reversed(rank), rows))  # stable: log order is kept among equals
    last = np.r_[rows[order][1:] != rows[order][:-1], True]
    return np.asarray(order[last])
