"""How does an array grow?

The books of a million accounts grow while they are taken up from the log.  Memory asked of the
system itself comes as pages that cost nothing until they are used, moves without being copied, and
goes back the moment it is free; of what the C library gives, the unused half of a book was filled
with zeros, and freed books stayed behind as holes.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROWTH = 2
"""Room beyond what is needed costs address space and no memory until it is used."""

OWN_PAGES_FROM_BYTES = 256 * 1024
"""Below it an array is the C library's: so little leaves no hole worth a thought."""


def zeros(count: int, dtype: np.dtype[Any] | type[np.generic]) -> NDArray[Any]:
    """An array (count,) of zeros, if it is large in pages of its own."""
    size = count * np.dtype(dtype).itemsize
    if size < OWN_PAGES_FROM_BYTES:
        return np.zeros(count, dtype)
    return np.frombuffer(_pages(size), dtype)


def _pages(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def with_room(held: NDArray[Any], used: int, wanted: int) -> NDArray[Any]:
    """An array with the first `used` items of `held` and room for `wanted`, the rest zeros.

    It is `held` itself if that has the room.

    >>> grown = with_room(np.array([1, 2, 3]), 2, 4)
    >>> grown
    array([1, 2, 0, 0])
    >>> with_room(grown, 3, 4) is grown
    True
    """
    if wanted <= len(held):
        return held
    more = zeros(max(wanted, used * GROWTH), held.dtype)
    _copy(held, more, used)
    return more


def _copy(held: NDArray[Any], more: NDArray[Any], used: int) -> None:
    row = held.dtype.itemsize  # as bytes: numpy copies records six times slower
    more.view(np.uint8)[: used * row] = held.view(np.uint8)[: used * row]


class Growing:
    """An array that grows without being copied; `items` is all of it, used and not yet used.

    The system moves its pages to where there is room behind them.  While somebody holds a view of
    it, it is copied instead, as by `with_room`: what a view shows stays where it is.

    >>> some = Growing(np.array([1, 2, 3]))
    >>> some.reserve(2, 4)
    >>> some.items
    array([1, 2, 0, 0])
    """

    def __init__(self, items: NDArray[Any]) -> None:
        self.items = items
        self._pages: mmap.mmap | None = None

    def reserve(self, used: int, wanted: int) -> None:
        """Make room for `wanted` items, the first `used` as they were, the rest zeros."""
        if wanted <= len(self.items):
            return
        dtype = self.items.dtype
        size = max(wanted, used * GROWTH) * dtype.itemsize
        if size < OWN_PAGES_FROM_BYTES:
            self.items = with_room(self.items, used, wanted)
        elif not self._is_moved(size):
            pages = _pages(size)
            more = np.frombuffer(pages, dtype)
            _copy(self.items, more, used)
            self.items, self._pages = more, pages

    def _is_moved(self, size: int) -> bool:
        """Whether the pages could grow to so many bytes where they are or elsewhere."""
        if self._pages is None:
            return False
        dtype = self.items.dtype
        self.items = np.empty(0, dtype)  # what somebody looks at cannot be moved
        try:
            self._pages.resize(size)
        except BufferError:
            return False
        finally:
            self.items = np.frombuffer(self._pages, dtype)
        return True
