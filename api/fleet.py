"""How does the fleet's interlock stand, and what have people said to it?

The newest word of every partition on `interlock`, and the newest freezes and releases of
`operator-actions`, whoever wrote them.  What freezes trips and what ends
it is `scoring.interlock`'s; how a person says it over HTTP, `interlock_route`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams import wire
from streams.topics import OPERATOR_ACTIONS
from streams.wire_interlock import InterlockActed, InterlockAction, decode_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.wire import Record
    from streams.wire_interlock import Word

MOST_DEEDS = 1_000
"""Remembered freezes and releases: years of them."""


@dataclass(slots=True)
class Deed:
    """One person's freeze or release; `offsets` by partition, each of which has a record of it."""

    action_id: str
    action: InterlockAction
    person: str
    reason: str
    acted_at: int
    offsets: dict[int, int] = field(default_factory=dict)


class Fleet:
    """The newest words, and what people have said, in the order in which it was read."""

    def __init__(self) -> None:
        self._words: dict[int, Word] = {}
        self._deeds: dict[str, Deed] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Remember what these records say; what is none of it is passed over."""
        for record in records:
            if record.topic == OPERATOR_ACTIONS:
                said = wire.decode_event(record, 1)
                if isinstance(said, InterlockActed):
                    self._take_deed(said, record.partition)
                continue
            word = decode_word(record.value)
            if word is not None:
                self._words[word.partition] = word

    def _take_deed(self, said: InterlockActed, partition: int) -> None:
        # what was typed at a terminal has one id in no partition, but one text in all
        action_id = said.action_id or f"{said.action.value}-{said.operator}-{said.acted_at}"
        deed = self._deeds.get(action_id)
        if deed is None:
            deed = Deed(action_id, said.action, said.operator, said.reason, said.acted_at)
            self.remember(deed)
        deed.offsets[partition] = max(deed.offsets.get(partition, -1), said.source_offset)

    def remember(self, deed: Deed) -> None:
        """One that has been acknowledged, before it is read back."""
        while len(self._deeds) >= MOST_DEEDS:
            del self._deeds[next(iter(self._deeds))]
        self._deeds[deed.action_id] = deed

    def words(self) -> list[Word]:
        """By partition."""
        return [self._words[partition] for partition in sorted(self._words)]

    def deeds(self) -> list[Deed]:
        """Newest first."""
        return list(self._deeds.values())[::-1]

    def find(self, action_id: str) -> Deed | None:
        """The freeze or release of this id."""
        return self._deeds.get(action_id)

    def is_taken_up(self, deed: Deed) -> bool:
        """Whether every partition it was written to has said since that it has heard it."""
        heard = {number: word.action_offset for number, word in list(self._words.items())}
        return all(heard.get(number, -1) >= offset for number, offset in list(deed.offsets.items()))

    def is_frozen(self) -> bool:
        """Whether a partition is frozen, or somebody's freeze is on its way."""
        on_its_way = (
            each.action is InterlockAction.FREEZE and not self.is_taken_up(each)
            for each in list(self._deeds.values())  # a copy: pages ask from other threads
        )
        return any(word.why for word in self.words()) or any(on_its_way)
