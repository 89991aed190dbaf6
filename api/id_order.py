"""In which order do the ids of all accounts stand, without keeping their texts twice?

Lists page by id, and look for ids that begin with something.  A sorted list of a million texts cost
70 MB beside those that the book has; here is the number of each one's row, four bytes.  An order is
never changed: new accounts make a new one, so that a list that is being made goes on by its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.account_ids import AccountIds

BLOCK = 65_536
"""Ids whose texts are made at once to sort them."""


class IdOrder(Sequence[str]):
    """The ids of a book in their order; `rows` (n,) are their rows.

    >>> from scoring.account_ids import AccountIds
    >>> ids = AccountIds()
    >>> _ = ids.add_all(["home-2", "home-1"])
    >>> order = IdOrder.of(ids)
    >>> _ = ids.add_all(["home-3", "home-15", "home-0"])
    >>> later = order.with_rows_from(2)
    >>> list(order), later[1:4], later.rows.tolist()
    (['home-1', 'home-2'], ['home-1', 'home-15', 'home-2'], [4, 1, 3, 0, 2])
    """

    def __init__(self, ids: AccountIds, rows: NDArray[np.int32]) -> None:
        self._ids = ids
        self.rows = rows

    @classmethod
    def of(cls, ids: AccountIds) -> IdOrder:
        """All ids there are.  UTF-8 sorts as its text does, and no id holds a NUL."""
        count = len(ids)
        blocks = [
            np.array(ids.keys_of(np.arange(first, min(first + BLOCK, count))), np.bytes_)
            for first in range(0, count, BLOCK)
        ]
        keys = np.concatenate(blocks) if blocks else np.empty(0, np.bytes_)
        return cls(ids, np.argsort(keys, kind="stable").astype(np.int32))

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """The id at a place."""
        if isinstance(place, slice):
            return self._ids.of(self.rows[place].astype(np.int64))
        return self._ids[self.rows.item(place)]

    def with_rows_from(self, first: int) -> IdOrder:
        """With the accounts in the book's rows from `first` on, that are new."""
        new = sorted((self._ids[row], row) for row in range(first, len(self._ids)))
        places = [bisect_left(self, account_id) for account_id, _row in new]
        rows = np.array([row for _account_id, row in new], np.int32)
        return IdOrder(self._ids, np.insert(self.rows, places, rows))
