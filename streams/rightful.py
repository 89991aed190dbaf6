"""Which of several rows of an account is the rightful one?

Workers and API processes read the same log, in which a worker that had already lost its partition
may have written late.  The rule by which its rows lose stands here once for both.  How rows look as
bytes is told in `streams.rows`; what else a worker draws from its log, in `streams.recall`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import customers
from scoring.book import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Book
    from streams.rows import DecodedRows

NO_CLAIM = -2
"""Below the epoch of every row ever written."""


def progress(ledger: NDArray[Any]) -> NDArray[np.int64]:
    """How far each row (n,) has come: the sum of its source offsets, which only ever grows."""
    return np.asarray(ledger["source_offset"].sum(axis=1))


class Taken:
    """Under which claim each row of a book was written; `known_epoch` is of those it has now."""

    def __init__(self, book: Book, known_epoch: int = NO_CLAIM) -> None:
        self._epoch = np.full(len(book), known_epoch, np.int64)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The epochs (n,) of these rows, NO_CLAIM where nothing has been taken up yet."""
        beyond = int(rows.max(initial=-1)) + 1 - len(self._epoch)
        if beyond > 0:
            more = np.full(beyond + len(self._epoch), NO_CLAIM, np.int64)
            self._epoch = np.concatenate([self._epoch, more])
        return self._epoch[rows]

    def note(self, rows: NDArray[np.int64], epoch: NDArray[np.int64]) -> None:
        """These rows were written under these epochs."""
        self._epoch[rows] = epoch


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of a chunk of rows.

    `rows` (n,) in the book; `places` (k,) in the chunk of those that were taken up, one for each
    account at most; `newest` (m,) those of each account's last record.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    newest: NDArray[np.int64]

    @property
    def changed(self) -> NDArray[np.int64]:
        """The book's rows that were changed, each once."""
        return self.rows[self.places]

    def overtaken(self) -> tuple[list[int], list[int]]:
        """Accounts whose newest record in this chunk is not the rightful one, and the others."""
        is_taken = np.zeros(len(self.rows), np.bool_)
        is_taken[self.places] = True
        taken = is_taken[self.newest]
        newest = self.rows[self.newest]
        return newest[~taken].tolist(), newest[taken].tolist()


def adopt_ledger_rows(book: Book, taken: Taken, decoded: DecodedRows) -> Adopted:
    """Take up the rightful rows of a chunk of the log, annexes too.

    Rightful is the row of the latest claim, among these the one that has come furthest, among these
    the last in the log.  So a worker that had already lost its partition changes nothing that its
    successor has written (platform.md 1.3 L10).
    """
    rows = book.add_column(decoded.ids)
    far = progress(decoded.rows)
    newest = best = _last_of_each(rows)
    if len(newest) < len(rows):
        best = _last_of_each(rows, decoded.epoch, far)
    theirs, ours = decoded.epoch[best], taken.of(rows[best])
    is_further = far[best] >= book.ledger["source_offset"][rows[best]].sum(axis=1)
    best = best[(theirs > ours) | ((theirs == ours) & is_further)]
    book.adopt(rows[best], decoded.rows, best, decoded.annexes)
    taken.note(rows[best], decoded.epoch[best])
    return Adopted(rows, best, newest)


def adopt_learned_rows(book: Book, decoded: DecodedRows) -> NDArray[np.int64]:
    """Take up learned rows of accounts the book knows, if they learned at least as much.

    Not of a customer whom another one has followed.

    The book's rows that were changed, each once.
    """
    rows = book.rows_of_column(decoded.ids)
    known = np.flatnonzero(rows >= 0)
    rows, offset = rows[known], decoded.rows["source_offset"][known]
    best = _last_of_each(rows, offset)
    of_former = customers.are_former(
        book.ledger["customer_hash"][rows], decoded.rows["customer"][known]
    )
    new = best[(offset[best] >= book.learned["source_offset"][rows[best]]) & ~of_former[best]]
    words_of(book.learned)[rows[new]] = words_of(decoded.rows)[known[new]]
    return np.asarray(rows[new])


def _last_of_each(rows: NDArray[np.int64], *rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row once: the place of the highest rank, the last one where several are equal."""
    in_order = np.sort(rows)
    if not (in_order[1:] == in_order[:-1]).any():  # a compacted log: each account once
        return np.arange(len(rows))
    order = np.lexsort((*reversed(rank), rows))  # stable: log order is kept among equals
    last = np.r_[rows[order][1:] != rows[order][:-1], True]
    return np.asarray(order[last])
