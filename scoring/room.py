"""How does an array grow?

The books of a million accounts grow while they are taken up from the log.  Memory asked of the
system itself comes as pages that cost nothing until they are used, and goes back the moment it is
free; of what the C library gives, the unused half of a book was filled with zeros, and freed books
stayed behind as holes.
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
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, dtype, count)


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
    row = held.dtype.itemsize  # as bytes: numpy copies records six times slower
    more.view(np.uint8)[: used * row] = held.view(np.uint8)[: used * row]
    return more
