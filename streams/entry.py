"""What does one part of a fetch leave behind, to be made durable, told and counted?

The entry is what passes from the clerk, who writes it (`streams.clerk`), to the road, which carries
it to the log (`streams.partition`); it stands apart so that neither needs to know the other.  It
only holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring.events import Source
    from streams.log import Message


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted about an entry: readings by outcome, refusals by reason, effects by topic.

    `records` are the input records taken, `rows` those appended by topic; `stamped_ms` are the
    timestamps of the records that caused its urgent effects; `reports` are the field's, by what
    became of the command, `restore_seconds` how long commanded restores took.
    """

    records: dict[Source, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    stamped_ms: list[int] = field(default_factory=list)
    reports: dict[str, int] = field(default_factory=dict)
    restore_seconds: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """What one part of a fetch wrote: to be made durable, then told, then committed.

    `rows` go to ledger-rows, each with the effects inside; `learned` to learned-rows; `told` are
    the same effects and the refusals per topic, in the order in which they were caused;
    `next_offset` is the offset to read next of each source once all that is done.
    """

    rows: Sequence[Message] = ()
    learned: Sequence[Message] = ()
    told: dict[str, list[Message]] = field(default_factory=dict)
    next_offset: dict[Source, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
