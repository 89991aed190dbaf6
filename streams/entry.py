"""What does one part of a fetch leave behind, to be made durable, told and counted?

The entry is what passes from the clerk, who writes it (`streams.clerk`), to the road, which carries
it to the log (`streams.partition`); it stands apart so that neither needs to know the other.  It
only holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from scoring.effects import AccountForecast, DailyUsage
from streams.topics import INTERLOCK, LEARNED_ROWS, LEDGER_ROWS, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scoring.effects import Effect
    from scoring.events import Source
    from streams.draft import Draft
    from streams.log import Fetched, Message


NO_EFFECTS = frozenset({REFUSALS, INTERLOCK})
"""Topics of an entry that tell no effect."""

NOT_URGENT = (DailyUsage, AccountForecast)
"""Effects nobody waits for: they are left out of the latency that the meters show."""


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
    `carriers` are the keys of those rows that have something inside that is yet to be told;
    `next_offset` is the offset to read next of each source once all that is done.
    """

    rows: Sequence[Message] = ()
    carriers: frozenset[bytes] = frozenset()
    learned: Sequence[Message] = ()
    told: dict[str, list[Message]] = field(default_factory=dict)
    next_offset: dict[Source, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


def go_together(waiting: Iterable[Entry]) -> list[Entry]:
    """The first of these that may go down the road as one (`as_one`), at least the first of all.

    The newest row of an account must carry whatever of its effects may still be untold, or
    compaction could take them away: where an account has a further row, those before it are told
    first.  A refusal is told before any further row at all: the row of its own account may not have
    changed by it, and one that an event changes would make a repeat of it.
    """
    found: list[Entry] = []
    carriers: set[bytes] = set()
    refuses = False
    for entry in waiting:
        if refuses and entry.rows:
            break
        if carriers and any(key in carriers for key, _row in entry.rows):
            break
        found.append(entry)
        carriers |= entry.carriers
        refuses |= REFUSALS in entry.told
    return found


def as_one(entries: Sequence[Entry]) -> Entry:
    """What these entries write and tell, one behind the other; each counts for itself."""
    if len(entries) == 1:
        return entries[0]
    one = Entry()
    one.rows = [row for entry in entries for row in entry.rows]
    one.learned = [row for entry in entries for row in entry.learned]
    for entry in entries:
        for topic, messages in entry.told.items():
            one.told.setdefault(topic, []).extend(messages)
    return one


def tally_of(draft: Draft, entry: Entry, fetched: Fetched) -> Tally:
    """What the meters want to know of an entry."""
    return Tally(
        records={source: len(records) for source, records in fetched.records.items()},
        rows={LEDGER_ROWS: len(entry.rows), LEARNED_ROWS: len(entry.learned)},
        outcomes=dict(draft.outcomes),
        refusals=dict(Counter(refusal.reason for refusal in draft.refusals)),
        effects={topic: len(told) for topic, told in entry.told.items() if topic not in NO_EFFECTS},
        quarantined=draft.quarantined,
        stamped_ms=[
            _stamp_ms(fetched, effect)
            for _row, effect in draft.effects
            if not isinstance(effect, NOT_URGENT) and effect.cause.source in fetched.records
        ],
        reports=dict(draft.reports.outcomes),
        restore_seconds=draft.reports.restore_seconds,
    )


def _stamp_ms(fetched: Fetched, effect: Effect) -> int:
    """The timestamp of the record that caused an effect."""
    records = fetched.records[effect.cause.source]
    place = bisect_left(records, effect.cause.offset, key=attrgetter("offset"))
    return records[place].timestamp
