"""What does a part of a fetch write into the book, and what must the log be told about it?

The clerk of a partition decodes records (`streams.wire`), has them scored (`scoring.scoring`) and
makes of what changed one entry: rows with their effects inside, and the same effects and refusals
for their topics.  It is pure of I/O and clocks, and apart from the road that makes the entry
durable (`streams.partition`).  What it does with an account that breaks the scoring is told in
`streams.quarantine`, how it takes up a log in `streams.recall`.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from scoring.book import Book, copied
from scoring.day_kinds import weekdays_only
from scoring.effects import RestoreCommand, TripCommand
from scoring.events import Feed, Source
from scoring.interlock import Interlock, policy_of
from scoring.late_charge import LateChargeRules
from scoring.scoring import find_tariffs
from scoring.shares import Scored, Share, World
from scoring.units import NO_TIME
from scoring.weather import NO_WEATHER
from streams import wire
from streams.chain import is_linked, link
from streams.draft import Begun, Draft, Heard
from streams.entry import Entry, tally_of
from streams.log import Fetched, PartitionLost
from streams.order import Part
from streams.recall import Owed, Recall
from streams.rows import (
    CLAIM_KEY,
    INTERLOCK_KEY,
    LOOK_KEY,
    KeptEffect,
    decode_ledger_rows,
    encode_claim,
    encode_interlock,
    encode_learned_rows,
    encode_ledger_rows,
    encode_look,
)
from streams.tick_round import TickRound
from streams.together import enter_together
from streams.topics import REFUSALS
from streams.wire_interlock import InterlockActed, decode_state, encode_state, encode_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring.day_kinds import DayKinds
    from scoring.effects import Effect, Reason
    from scoring.interlock import InterlockRules, InterlockState
    from scoring.rules import SupplyRules
    from scoring.tariff import Tariffs
    from scoring.weather import Weather
    from streams.board import Board
    from streams.log import Message, Record
    from streams.signing import Signer


log = logging.getLogger(__name__)


@dataclass(slots=True)
class Terms:
    """What all partitions of a worker share: tariffs as last heard, and the rules of supply.

    Without a `signer` commands are not signed; without `interlock` limits nothing counts or freezes
    trips; the `board` tells how the other partitions stand; `weather` as last heard.
    """

    tariffs: Tariffs
    rules: SupplyRules
    partitions: int
    day_kinds: DayKinds = field(default_factory=weekdays_only)
    late_charges: LateChargeRules = field(default_factory=LateChargeRules)
    signer: Signer | None = None
    interlock: InterlockRules | None = None
    board: Board | None = None
    weather: Weather = NO_WEATHER
    judged_at_once: int | None = None


class Clerk:
    """Keeps the book of one partition."""

    def __init__(self, partition: int, terms: Terms) -> None:
        self.partition = partition
        self.terms = terms
        self.book = Book()
        self.feed = Feed(heartbeat_at=NO_TIME, caught_up=False)
        self.epoch = -1
        self._judged_offset = -1  # of the newest reading that has been judged
        self._owed = Owed()
        self._recall: Recall | None = None
        limits = terms.interlock
        self.interlock: Interlock | None = None
        if limits is not None:
            self.interlock = Interlock(partition, terms.partitions, limits)
        self._kept_state: InterlockState | None = None
        self.round = TickRound(terms.judged_at_once)

    # --- entries -------------------------------------------------------------------------------

    def enter(self, fetched: Fetched, *, payments_caught_up: bool) -> Entry:
        """Decode and score, topics in `ORDER`; changes the book, says what must be said."""
        return enter_together([(self, Part(fetched, payments_caught_up))])[0]

    def begin(self, part: Part) -> Begun:
        """A part, before anything in it is heard."""
        self.feed = Feed(self.feed.heartbeat_at, part.payments_caught_up)
        if self.interlock is not None and self.terms.board is not None:
            self.interlock.elsewhere = self.terms.board.hold()
        return Begun(part.fetched, Draft())

    def finish(self, begun: Begun) -> Entry:
        """What follows once all else is scored: time, and the writing."""
        draft, entry, records = begun.draft, Entry(), begun.fetched.records
        if records.get(Source.TICKS):
            heard = self.hear(Source.TICKS, records[Source.TICKS], draft)
            self.note(Source.TICKS, heard, self._score_newest(heard.ticks, draft), draft)
        for source, some in records.items():
            if some:
                entry.next_offset[source] = some[-1].offset + 1
        self._keep_open(entry)
        self._write(draft, entry, begun.fetched)
        if self.interlock is not None and self._kept_state != self.interlock.state:
            entry.rows = [*entry.rows, self._interlock_row(self.interlock)]
        return entry

    def enter_more(self, *, payments_caught_up: bool) -> Entry:
        """Some more of those about whom the newest tick asks."""
        self.feed = Feed(self.feed.heartbeat_at, payments_caught_up)
        draft, entry = Draft(), Entry()
        scored = self.round.score_some(self.book, self._world())
        self._close_judged(scored)
        draft.take(scored)
        if not self.round.is_unfinished:
            entry.next_offset[Source.TICKS] = self.round.next_offset
        self._write(draft, entry, Fetched())
        return entry

    def _keep_open(self, entry: Entry) -> None:
        """A tick may be committed when its last slice is told: until then a crash repeats it."""
        if self.round.is_unfinished and Source.TICKS in entry.next_offset:
            self.round.next_offset = entry.next_offset.pop(Source.TICKS)

    def tariffs_changed(self) -> None:
        """A tariff sheet came: look up again which tariff each account has."""
        find_tariffs(self.book, self.terms.tariffs)

    def share(self) -> Share:
        """This partition's share of a block, as things are now."""
        return Share(self.book, self._world())

    def _world(self) -> World:
        terms = self.terms
        here = (terms.tariffs, self.feed, terms.rules, self.partition)
        held = self.interlock, terms.weather
        return World(*here, terms.late_charges, terms.day_kinds, *held)

    def note_readings(
        self,
        records: Sequence[Record],
        decoded: wire.DecodedReadings,
        scored: Scored,
        draft: Draft,
    ) -> None:
        """What the readings of a part have come to."""
        draft.refusals += decoded.refusals
        draft.outcomes["refused"] += len(decoded.refusals)
        refused = self._owed.due(Source.READINGS, records)
        draft.take(scored)
        refused += scored.refusals
        draft.refusals += wire.refused_readings(decoded, records, refused)
        draft.refused_rows += [(Source.READINGS, each) for each in scored.refusals]
        self._judged_offset = records[-1].offset

    def hear(self, source: Source, records: Sequence[Record], draft: Draft) -> Heard:
        """What these records of one topic say; nothing of it is entered in the book yet."""
        heard = Heard()
        owed: dict[int, list[Reason]] = {}
        for each in self._owed.due(source, records):
            owed.setdefault(each.source_offset, []).append(each.reason)
        for record in records:
            for reason in owed.get(record.offset, ()):
                draft.refusals.append(wire.refusal_of(record, reason))
            event = wire.decode_event(record, self.terms.partitions)
            if isinstance(event, wire.Refusal):
                draft.refusals.append(event)
            elif isinstance(event, wire.Heartbeat):
                # a clock that runs ahead proves nothing about payments still to come
                beat_at = min(event.heartbeat_at, event.received_at)
                heartbeat_at = max(self.feed.heartbeat_at, beat_at)
                self.feed = Feed(heartbeat_at, self.feed.caught_up)
            elif isinstance(event, wire.Tick):
                heard.ticks.append(event)
            elif isinstance(event, InterlockActed):
                if self.interlock is not None:
                    event.reach(self.interlock)
            else:
                heard.events.append(event)
                heard.of_offset[record.offset] = record
        draft.reports.note(self.book, heard.events)
        return heard

    def note(self, source: Source, heard: Heard, scored: Scored, draft: Draft) -> None:
        """What was heard has come to this."""
        self._close_judged(scored)
        draft.take(scored)
        for each in scored.refusals:
            record = heard.of_offset[each.source_offset]
            draft.refusals.append(wire.refusal_of(record, each.reason))
            draft.refused_rows.append((source, each))

    def _score_newest(self, ticks: Sequence[wire.Tick], draft: Draft) -> Scored:
        """Time is what the newest of these ticks says: it speaks for all before it.

        After a standstill hundreds lie there, and one by one they would send commands that have
        expired, and use up the tries.
        """
        if not ticks:
            return Scored()
        tick = max(ticks, key=attrgetter("received_at", "source_offset"))
        if self.interlock is not None:
            terms, at = self.terms, tick.received_at
            policy = policy_of(terms.rules, self.interlock.rules, terms.tariffs)
            self.interlock.look(self.book.ledger, self.feed, policy, at, tick.source_offset)
            draft.words = [encode_word(self.interlock, at)]
        self.round.begin(self.book, tick, self._world())
        return self.round.score_some(self.book, self._world())

    def _close_judged(self, scored: Scored) -> None:
        """No reading judged so far is judged again under what these rows say now.

        A repeated or refused reading leaves no trace in its account's row.  After a crash it comes
        again, and by newer terms it might be refused by another name, or even count.
        """
        if scored.rows:
            judged, rows = self.book.ledger["source_offset"], list(scored.rows)
            before = judged[rows, Source.READINGS]
            judged[rows, Source.READINGS] = np.maximum(before, self._judged_offset)

    def _write(self, draft: Draft, entry: Entry, fetched: Fetched) -> None:
        """Rows with what they owe inside; effects and refusals for their topics."""
        kept: dict[int, list[KeptEffect]] = {}
        for row, effect in draft.effects:
            cause = effect.cause
            for encoded in self._records(row, effect, draft):
                kept.setdefault(row, []).append(KeptEffect(encoded, cause.source, cause.offset))
                entry.told.setdefault(encoded.topic, []).append((encoded.key, encoded.value))
        for source, each in draft.refused_rows:
            if each.account_row in draft.rows:
                kept.setdefault(each.account_row, []).append(Owed.kept(source, each))
        self._owed.keep_owing(draft.rows, kept)
        entry.rows = self._ledger_rows(sorted(draft.rows), kept)
        entry.carriers = frozenset(self.book.account_ids.keys_of(np.array([*kept], np.int64)))
        self._owed.forget(entry.next_offset)
        entry.learned = self._learned_rows(sorted(draft.learned_rows))
        for word in draft.words:
            entry.told[word.topic] = [(word.key, word.value)]
        if draft.refusals:
            refused = map(wire.encode_refusal, draft.refusals)
            entry.told[REFUSALS] = [(each.key, each.value) for each in refused]
        entry.tally = tally_of(draft, entry, fetched)

    def _records(self, row: int, effect: Effect, draft: Draft) -> Sequence[wire.Encoded]:
        """An effect as it is told: signed if it is a command, and linked to what went before.

        What is chosen here (the key, the link before) is remembered with the row, so that the same
        effect is told by the same bytes whenever it is told again.
        """
        encoded = wire.encode_effect(effect)
        if not is_linked(effect):
            return (encoded,)
        if isinstance(effect, TripCommand | RestoreCommand) and self.terms.signer is not None:
            value = self.terms.signer.signed(encoded.value, effect.decided_at)
            encoded = replace(encoded, value=value)
        grounds = draft.grounds.get(effect.effect_id)
        linked = link(self.book.ledger[row : row + 1], effect, encoded, grounds)
        return (linked,) if encoded.topic == linked.topic else (encoded, linked)

    def _ledger_rows(
        self, rows: list[int], kept: Mapping[int, Sequence[KeptEffect]]
    ) -> list[Message]:
        """These rows as records, with what they owe inside."""
        if not rows:
            return []
        here = np.array(rows)
        ledger, annexes = self.book.take_ledger(here)
        effects = {bisect_left(rows, row): some for row, some in kept.items()}
        assert all(rows[place] == row for place, row in zip(effects, kept, strict=True))
        values = encode_ledger_rows(ledger, self.epoch, effects, annexes)
        return list(zip(self.book.account_ids.keys_of(here), values, strict=True))

    def _learned_rows(self, rows: list[int]) -> list[Message]:
        if not rows:
            return []
        here = np.array(rows)
        values = encode_learned_rows(copied(self.book.learned, here), self.epoch)
        return list(zip(self.book.account_ids.keys_of(here), values, strict=True))

    # --- taking up a log -----------------------------------------------------------------------

    def claim(self) -> Message:
        """The record that says in the partition's own log: from here on I write."""
        return CLAIM_KEY, encode_claim(self.epoch)

    def look(self) -> Entry:
        """A record that only shows by its offset whether all before it is ours."""
        return Entry(rows=[(LOOK_KEY, encode_look())])

    def overtaken(self, records: Sequence[Record]) -> Entry:
        """Our rows again, of accounts of which somebody else's row is the newest of these records.

        Raises PartitionLost if one of them is another worker's claim: then the somebody else is us.
        """
        decoded = decode_ledger_rows(records)
        if any(epoch != self.epoch for _offset, epoch in decoded.claims):
            raise PartitionLost(f"partition {self.partition} was claimed by another worker")
        newest = dict(zip(decoded.account_ids, decoded.epoch.tolist(), strict=True))
        theirs = [account_id for account_id, epoch in newest.items() if epoch != self.epoch]
        rows = self.book.rows_of(theirs)
        if theirs:
            log.warning("partition %d: rows of a former owner, ours come again", self.partition)
        known = sorted(rows[rows >= 0].tolist())
        ours = self._ledger_rows(known, self._owed.of(known))
        is_stale = any(epoch != self.epoch for epoch, _state in decoded.interlocks)
        if is_stale and self.interlock is not None:
            ours.append(self._interlock_row(self.interlock))
        return Entry(rows=ours)

    def _interlock_row(self, interlock: Interlock) -> Message:
        """The interlock's state as a record of the partition's own log."""
        self._kept_state = interlock.state
        return INTERLOCK_KEY, encode_interlock(encode_state(interlock.state), self.epoch)

    def claimed(self, epoch: int) -> None:
        """The claim is durable at offset `epoch`; later rows carry it."""
        self.round.forget()
        self._recall = Recall(self.book, self.epoch)
        self.epoch = epoch
        if self.interlock is not None:
            self.interlock.taken_up()

    def recall_rows(self, records: Sequence[Record]) -> None:
        """Take up ledger rows, the rightful one of each account winning."""
        assert self._recall is not None, "rows before a claim"
        self._recall.ledger(records)

    def recall_learned(self, records: Sequence[Record]) -> None:
        """Take up learned rows, the newest of each account winning."""
        assert self._recall is not None, "rows before a claim"
        self._recall.learned(records)

    def recalled(self, committed: Mapping[Source, int]) -> Entry:
        """All is read: what was remembered and perhaps never told, and rows to write again."""
        assert self._recall is not None, "recalled twice"
        recall, self._recall = self._recall, None
        find_tariffs(self.book, self.terms.tariffs)
        self._judged_offset = committed.get(Source.READINGS, 0) - 1
        if recall.interlock is not None and self.interlock is not None:
            state = decode_state(recall.interlock[1])
            assert state is not None, "an interlock of another version: migrate it"
            self.interlock.state = self._kept_state = state
        entry = Entry()
        self._owed = recall.owed(committed, entry.told)
        heal = recall.rows_to_heal()
        entry.rows = self._ledger_rows(heal, self._owed.of(heal))
        return entry
