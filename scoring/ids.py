"""How is a name of any length known in a column of numbers?

A row has room for a 64-bit number, not for a meter's or a payment's id, so the id's FNV-1a hash
stands for it (eight bytes; two different ids of one account share one with a chance of 5e-20).
It is computed in columns because every reading names its meter, and keeps no cache because a
dictionary of a million meters would cost more memory than their rows.
It does not check an id's form; `streams.wire` does.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.uint8]

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x00000100000001B3
_WORD = 2**64 - 1


def text_hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The hash of each text, never 0: a column's 0 means "none".

    FNV-1a over Unicode code points (for ASCII ids the same as over bytes); these numbers are in
    durable rows, so the function may never change.

    >>> [hex(number) for number in text_hashes(["a", "foobar", "a"])]
    ['0xaf63dc4c8601ec8c', '0x85944171f73967e8', '0xaf63dc4c8601ec8c']
    """
    if not len(texts):
        return np.empty(0, np.uint64)
    return hashes_of_points(_points(texts))


def hashes_of_points(points: NDArray[Any]) -> NDArray[np.uint64]:
    """The hashes (n,) of texts given as code points (length, n), one row per place.

    Shorter texts are padded with zeros.
    """
    hashes = np.full(points.shape[1], FNV_OFFSET, np.uint64)
    for point in points:
        mixed = (hashes ^ point) * np.uint64(FNV_PRIME)
        # a text that has ended takes no further part
        hashes = mixed if point.all() else np.where(point > 0, mixed, hashes)
    hashes[hashes == 0] = 1
    return hashes


def _points(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The texts' characters, one row per place (zero where a text has ended)."""
    joined, length = "".join(texts), len(texts[0])
    if length and len(joined) == length * len(texts) and set(map(len, texts)) == {length}:
        # ids of one length, the usual case: three times faster than numpy's own strings
        points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    else:
        points = np.array(texts, np.str_).view(np.uint32)
    return np.ascontiguousarray(points.reshape(len(texts), -1).T)


def text_hash(text: str) -> int:
    """The hash of one text.

    >>> text_hash("foobar") == int(text_hashes(["foobar"])[0])
    True
    """
    # In plain numbers: a question for one account has no columns, and numpy's would take 30 us.
    wanted = FNV_OFFSET
    for character in text.replace("\0", ""):  # as the columns pass over it
        wanted = (wanted ^ ord(character)) * FNV_PRIME & _WORD
    return wanted or 1


def bytes_at(data: bytes | NDArray[np.uint8], at: NDArray[np.int64], size: int) -> Points:
    """So many of these bytes from each place on (n, size).

    >>> bytes_at(b"home-1home-2", np.array([6, 0]), 4).tobytes()
    b'homehome'
    """
    if not len(at):
        return np.zeros((0, size), np.uint8)
    # as items of that size numpy copies them twice as fast as rows of bytes
    items: NDArray[Any] = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    return items[at].view(np.uint8).reshape(len(at), size)


UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800").union(
    map(chr, range(0xFE00, 0xFE10)), map(chr, range(0xE0100, 0xE01F0))
)
"""Characters that show nothing though Unicode calls them letters, marks or symbols (its property
Default_Ignorable_Code_Point, as far as NFKC leaves them, and the Braille blank)."""


def person_key(name: str) -> str:
    r"""Who a person is, however the name was typed; "" if it names nobody.

    Case, width, blanks and what cannot be seen (zero-width, directions, controls) make no second
    person.  Letters of two scripts that look alike do: whoever enrols people looks at that.

    >>> person_key(" Li.Lei"), person_key("li.lei "), person_key("\uff2c\uff29.le\u200bi")
    ('li.lei', 'li.lei', 'li.lei')
    >>> person_key(" \u3000\u200b\u3164")
    ''
    """
    seen = "".join(filter(_is_seen, unicodedata.normalize("NFKC", name))).casefold()
    # what was dropped, and the folding, may have left letters that now compose
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())


def _is_seen(character: str) -> bool:
    """Whether a reader sees it, be it as a gap."""
    is_control = unicodedata.category(character) in ("Cc", "Cf", "Cs")
    return character.isspace() or not (is_control or character in UNSEEN)


def person_key_in(name: str, most_bytes: int) -> str:
    """The part of a person's key that a row has room for, so many bytes of UTF-8.

    Two people whose keys are the same as far as that count as one: then a trip waits.
    """
    return person_key(name).encode()[:most_bytes].decode(errors="ignore").rstrip()
