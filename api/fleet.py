"""How does the fleet's interlock stand, as each partition last said?

The newest word of every partition on `interlock`, for people to look at; what freezes trips is
`scoring.interlock`'s, and who ends a freeze types `kilowatch interlock release`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.wire_interlock import decode_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.wire import Record
    from streams.wire_interlock import Word


class Fleet:
    """The newest words."""

    def __init__(self) -> None:
        self._words: dict[int, Word] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Remember these words; what is none is passed over."""
        for record in records:
            word = decode_word(record.value)
            if word is not None:
                self._words[word.partition] = word

    def words(self) -> list[Word]:
        """By partition."""
        return [self._words[partition] for partition in sorted(self._words)]
