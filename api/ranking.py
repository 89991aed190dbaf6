"""Which accounts come first?

Lists are ranked over a million accounts in columns, and paged by value, not by position, so that a
page is right in every process and while accounts change.  It stands apart from `answer`, which
tells what is said about each; nothing here knows HTTP.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.view import View

SORTS = ("runway", "balance", "id")
FEW = 20_000
"""So many ids are quicker sorted than looked for along all ids in order."""


class AfterUnreadable(ValueError):  # noqa: N818 - the caller reads it as a sentence
    """`after` was not written by this API for this sort."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in rank order, and the `after` of the next page, None on the last."""

    rows: list[int]
    after: str | None


def page(
    view: View, sort: str, chosen: NDArray[np.bool_] | None, limit: int, after: str | None
) -> Page:
    """The `limit` accounts of those chosen (n,) (None: all) that come after `after` (None: first).

    `runway`: shortest median runway first; `balance`: least first; `id`: by account id.  Equal
    accounts follow each other in an arbitrary but lasting order.  Raises AfterUnreadable.
    """
    if sort == "id":
        return _by_id(view, chosen, limit, after)
    count = len(view) if chosen is None else len(chosen)  # accounts come meanwhile
    values = (view.runway_hours if sort == "runway" else view.balance_nanos)[:count]
    hashes = view.id_hash[:count]
    if after is not None:
        value, number = _read_after(after)
        later = (values > value) | ((values == value) & (hashes > np.uint64(number)))
        chosen = later if chosen is None else chosen & later
    rows = None if chosen is None else np.flatnonzero(chosen)
    found = _first(values, hashes, rows, limit + 1).tolist()
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    return Page(found[:limit], f"{values[last].item()!r}~{int(hashes[last]):x}")


def _first(
    values: NDArray[Any],
    hashes: NDArray[np.uint64],
    rows: NDArray[np.int64] | None,
    count: int,
) -> NDArray[np.int64]:
    """The `count` rows smallest by (value, hash), in order, without sorting the rest.

    `rows` are those to choose from, None all.
    """
    if rows is not None:
        values, hashes = values[rows], hashes[rows]
    if len(values) > count:
        edge = np.partition(values, count - 1)[count - 1]
        near = np.flatnonzero(values <= edge)
        below = near[values[near] < edge]
        equal = near[values[near] == edge]
        wanted = count - len(below)
        if len(equal) > wanted:
            equal = equal[np.argpartition(hashes[equal], wanted - 1)[:wanted]]
        near = np.concatenate([below, equal])
    else:
        near = np.arange(len(values))
    near = near[np.lexsort((hashes[near], values[near]))]
    return np.asarray(near if rows is None else rows[near])


def _read_after(after: str) -> tuple[float | int, int]:
    """The rank and the hash in an `after`; a rank is an int64, a float32 or infinite."""
    value, tilde, number = after.partition("~")
    try:
        rank = int(value) if value.lstrip("-").isdecimal() else float(value)
        hashed = int(number, 16)
    except ValueError as error:
        raise AfterUnreadable(f"{after[:80]!r} is not an `after` of this sort") from error
    is_rank = abs(rank) < 2**63 or math.isinf(rank)  # not a number is neither
    if not (tilde and is_rank and 0 <= hashed < 2**64):
        raise AfterUnreadable(f"{after[:80]!r} is not an `after` of this sort")
    return rank, hashed


def _by_id(view: View, chosen: NDArray[np.bool_] | None, limit: int, after: str | None) -> Page:
    ids, row_of = view.ids_in_order, view.book.row
    found: list[str] = []
    few = None if chosen is None else np.flatnonzero(chosen)
    if few is not None and len(few) <= FEW:
        names = (view.book.account_ids[row] for row in few.tolist())
        found = nsmallest(limit + 1, (name for name in names if after is None or name > after))
    else:
        for place in range(bisect_right(ids, after) if after is not None else 0, len(ids)):
            row = ids.rows[place]
            if chosen is None or (row < len(chosen) and chosen[row]):
                found.append(ids[place])
                if len(found) > limit:
                    break
    rows = [row for row in map(row_of, found[:limit]) if row is not None]
    return Page(rows, found[limit - 1] if len(found) > limit else None)
