"""What follows from a batch of readings, an event or the passing of time?

This is the one road through the core, in the order of the five words: usage, bill, balance, runway,
decision.  It stands apart so that the rules in the files it calls stay free of order and of each
other.  It does not decode, remember or publish: it changes the Book in memory and says what
changed (`Scored`); making that durable is `streams.partition`'s work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import balance, decide, forecast, usage
from scoring.book import Accounts
from scoring.effects import (
    AccountForecast,
    Cause,
    DailyUsage,
    Decision,
    DecisionKind,
    Effect,
    Hold,
    Reason,
    RefusedReading,
    Tier,
)
from scoring.events import (
    NoticeDelivered,
    OperatorActed,
    PaymentReceived,
    SettingsChanged,
    Source,
    SwitchReported,
)
from scoring.outlook import outlook
from scoring.situation import situation
from scoring.terms import enter
from scoring.units import MAX_NANOS
from scoring.validation import REASONS, Outcome, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from scoring.days import DaysClosed
    from scoring.events import AccountEvent, Feed, Readings
    from scoring.rules import SupplyRules
    from scoring.situation import Situation
    from scoring.tariff import Tariffs
    from scoring.validation import Checked


@dataclass(slots=True)
class Scored:
    """What a batch, event or tick changed: to be remembered, told and counted."""

    rows: set[int] = field(default_factory=set)
    learned_rows: set[int] = field(default_factory=set)
    effects: list[tuple[int, Effect]] = field(default_factory=list)
    refusals: list[RefusedReading] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0

    def add(self, later: Scored) -> None:
        """What was scored after this, in the same order of effects."""
        self.rows |= later.rows
        self.learned_rows |= later.learned_rows
        self.effects += later.effects
        self.refusals += later.refusals
        for outcome, count in later.outcomes.items():
            _tally(self, outcome, count)
        self.quarantined += later.quarantined


@dataclass(frozen=True, slots=True)
class World:
    """What holds for a whole partition at this moment, apart from its accounts."""

    tariffs: Tariffs
    feed: Feed
    rules: SupplyRules
    partition: int


def score_readings(book: Book, readings: Readings, world: World) -> Scored:
    """Count a batch of readings; `readings.account_row` must name rows of `book`.

    Readings at or below the row's source offset are already counted and change nothing.  Several
    readings of one account are taken in turn, so that how a stream is cut into batches never
    changes a result.
    """
    scored = Scored()
    rows = readings.account_row
    fresh = readings.source_offset > book.ledger["source_offset"][rows, Source.READINGS]
    _tally(scored, "already_counted", int(len(rows) - fresh.sum()))
    shut = fresh & (book.ledger["quarantined"][rows] != 0)
    _refuse(scored, readings.take(shut), Reason.ACCOUNT_QUARANTINED)
    fresh &= ~shut
    if not fresh.all():
        readings = readings.take(fresh)
    for turn in _turns(readings.account_row):
        _score_turn(book, readings.take(turn), world, scored)
    return scored


def score_events(book: Book, events: Sequence[AccountEvent], world: World) -> Scored:
    """What settings changes, payments, reports, actions or receipts do; all of one source.

    In source order; an event at or below the row's source offset changes nothing.  An account
    that is not in the book yet gets a row, so that money that comes before the terms is never
    lost; only settings make it more than that.
    """
    scored = Scored()
    if not events:
        return scored
    rows = np.array([book.add(event.account_id) for event in events], np.int64)
    for positions in _turns(rows):
        _score_event_turn(book, [events[i] for i in positions], rows[positions], world, scored)
    return scored


def score_tick(book: Book, at: int, source_offset: int, world: World) -> Scored:
    """What the passing of time alone brings: deadlines reached, windows opened, notices aged."""
    scored = Scored()
    rows = np.flatnonzero(decide.due(book.ledger, at, world.rules))
    if not len(rows):
        return scored
    offsets, now = np.full(len(rows), source_offset), np.full(len(rows), at)
    turn = Turn(book.take(rows), rows, Source.TICKS, offsets, now, book, world, scored)
    turn.decide(np.ones(len(rows), np.bool_))
    changed = np.array([row in scored.rows for row in rows.tolist()])
    turn.accounts.ledger["source_offset"][changed, Source.TICKS] = source_offset
    book.put(rows[changed], turn.accounts.take(changed))
    return scored


def find_tariffs(book: Book, tariffs: Tariffs) -> None:
    """Look up every row's tariff number again, after a load or a new tariff sheet."""
    book.tariff_index[:] = tariffs.index_of(book.ledger["tariff_id"])


SOURCE_OF: dict[type, Source] = {
    SettingsChanged: Source.SETTINGS,
    PaymentReceived: Source.PAYMENTS,
    SwitchReported: Source.SWITCH_REPORTS,
    OperatorActed: Source.OPERATOR_ACTIONS,
    NoticeDelivered: Source.DELIVERY_RECEIPTS,
}


class Turn:
    """At most one record of each of some accounts, after its facts have been entered.

    `accounts` is the block of their rows, `offsets` and `now` where each record stands in
    `source` and when it was received; (n,) each.
    """

    def __init__(  # noqa: PLR0913 - the parts of one turn, each used once
        self,
        accounts: Accounts,
        rows: NDArray[np.int64],
        source: Source,
        offsets: NDArray[np.int64],
        now: NDArray[np.int64],
        book: Book,
        world: World,
        scored: Scored,
    ) -> None:
        self.accounts, self.rows, self.source = accounts, rows, source
        self.offsets, self.now = offsets, now
        self.book, self.world, self.scored = book, world, scored
        self.look = outlook(accounts, world.tariffs)
        decide.note_deadlines(accounts.ledger, self.look)

    def here(self, position: int) -> Situation:
        """The situation of the account at this position, as it stands in the block now."""
        cause = Cause(self.source, self.world.partition, int(self.offsets[position]))
        now, account_id = int(self.now[position]), self.book.account_ids[self.rows[position]]
        return situation(self.accounts, self.look, position, account_id, now, cause, self.world)

    def screen(self) -> NDArray[np.bool_]:
        """Which accounts a rule must look at."""
        return decide.needs_judgement(self.accounts, self.look, self.now, self.world.rules)

    def take(self, position: int, verdict: decide.Verdict) -> None:
        """Write a verdict's changes into the block and keep its effects."""
        if verdict:
            row = int(self.rows[position])
            for column, value in verdict.changes.items():
                self.accounts.ledger[column][position] = value
            self.scored.effects.extend((row, effect) for effect in verdict.effects)
            self.scored.rows.add(row)

    def tell(self, position: int, effect: Effect) -> None:
        """Keep one effect of the account at this position."""
        self.scored.effects.append((int(self.rows[position]), effect))

    def decide(self, doubtful: NDArray[np.bool_], told: NDArray[np.bool_] | None = None) -> None:
        """Judge the doubtful ones; tell the forecast where `told` or where the tier moved."""
        tiers = self.accounts.ledger["tier"].copy()
        for position in np.flatnonzero(doubtful).tolist():
            self.take(position, decide.judge(self.here(position)))
        moved = tiers != self.accounts.ledger["tier"]
        for position in np.flatnonzero(moved if told is None else moved | told).tolist():
            self.tell(position, _forecast_told(self.here(position)))

    def put(self, broken: NDArray[np.bool_]) -> None:
        """Write the block back; broken accounts stay as they were and are quarantined."""
        for position in np.flatnonzero(broken).tolist():
            self._quarantine(position)
        rows, accounts = self.rows, self.accounts
        if broken.any():
            rows, accounts = rows[~broken], accounts.take(~broken)
        self.book.put(rows, accounts)
        self.scored.rows.update(rows.tolist())

    def _quarantine(self, position: int) -> None:
        """Leave the account as it was, take it out of every automatic road, call a person."""
        here, row = self.here(position), self.rows[[position]]
        before = self.book.take(row)
        before.ledger["quarantined"] = 1
        before.ledger["source_offset"][0, self.source] = here.cause.offset
        self.book.put(row, before)
        self.scored.rows.add(int(row[0]))
        self.scored.quarantined += 1
        decision = Decision(
            f"{here.account_id}:quarantined:{int(here.cause.source)}-{here.cause.offset}",
            here.account_id,
            here.now,
            here.cause,
            here.evidence(Hold.QUARANTINED),
            DecisionKind.QUARANTINED,
            "figures that cannot be true; the state before this record is kept; see the runbook",
        )
        self.tell(position, decision)


def _turns(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Positions of the first record of each account, then of the second, and so on."""
    if not len(rows):
        return
    order = np.argsort(rows, kind="stable")
    in_order = rows[order]
    first = np.r_[True, in_order[1:] != in_order[:-1]]
    if first.all():
        yield np.arange(len(rows))
        return
    start = np.flatnonzero(first)
    turn = np.arange(len(rows)) - np.repeat(start, np.diff(np.r_[start, len(rows)]))
    by_turn = order[np.argsort(turn, kind="stable")]
    yield from np.split(by_turn, np.cumsum(np.bincount(turn))[:-1])


def _score_turn(book: Book, readings: Readings, world: World, scored: Scored) -> None:
    """Enter at most one reading of each account, in columns."""
    accounts = book.take(readings.account_row)
    checked = check(accounts.ledger, readings, world.tariffs, accounts.tariff_index)
    accepted = checked.outcome == Outcome.ACCEPTED
    if not accepted.all():
        _tell_refused(scored, readings, checked)
        accounts, checked = accounts.take(accepted), checked.take(accepted)
    ready = balance.close_months(
        accounts.ledger, world.tariffs, accounts.tariff_index, checked.readings.read_at
    )
    if not ready.all():
        _refuse(scored, checked.readings.take(~ready), Reason.UNKNOWN_TARIFF)
        accounts, checked = accounts.take(ready), checked.take(ready)
    readings, ledger = checked.readings, accounts.ledger
    _tally(scored, "accepted", len(readings))
    if not len(readings):
        return
    days = usage.count(ledger, checked, world.tariffs, accounts.tariff_index)
    newest = readings.read_at >= ledger["read_at"]
    ledger["newest_quality"] = np.where(newest, readings.quality, ledger["newest_quality"])
    ledger["received_at"] = readings.received_at
    ledger["source_offset"][:, Source.READINGS] = readings.source_offset
    learned = forecast.learn(accounts, days, world.tariffs)
    accounts.learned["source_offset"][learned] = readings.source_offset[learned]
    rows = readings.account_row
    turn = Turn(
        accounts, rows, Source.READINGS, readings.source_offset, readings.received_at,
        book, world, scored,
    )  # fmt: skip
    broken = _broken(ledger)
    _tell_days(turn, days, broken)
    is_learned = np.zeros(len(rows), np.bool_)
    is_learned[learned] = True
    turn.decide(turn.screen() & ~broken, is_learned & ~broken)
    turn.put(broken)
    scored.learned_rows.update(rows[is_learned & ~broken].tolist())


def _score_event_turn(
    book: Book,
    events: Sequence[AccountEvent],
    rows: NDArray[np.int64],
    world: World,
    scored: Scored,
) -> None:
    """Enter at most one event of each account: its facts one by one, what follows in columns."""
    accounts, source = book.take(rows), SOURCE_OF[type(events[0])]
    entered = np.zeros(len(events), np.bool_)
    for i, event in enumerate(events):
        one = Accounts(
            accounts.ledger[i : i + 1], accounts.learned[i : i + 1], accounts.tariff_index[i : i + 1]
        )
        if event.source_offset <= one.ledger["source_offset"][0, source]:
            _tally(scored, "already_counted", 1)
        elif refused := enter(one, event, world.tariffs):
            scored.refusals.append(RefusedReading(event.source_offset, int(rows[i]), refused))
        else:
            one.ledger["source_offset"][0, source] = event.source_offset
            entered[i] = True
    if not entered.any():
        return
    taken = [event for event, is_in in zip(events, entered, strict=True) if is_in]
    offsets = np.array([event.source_offset for event in taken], np.int64)
    now = np.array([event.received_at for event in taken], np.int64)
    turn = Turn(accounts.take(entered), rows[entered], source, offsets, now, book, world, scored)
    for position, event in enumerate(taken):
        if isinstance(event, SwitchReported | OperatorActed | NoticeDelivered):
            turn.take(position, decide.on_event(turn.here(position), event))
    broken = _broken(turn.accounts.ledger)
    turn.decide(turn.screen() & ~broken)
    turn.put(broken)


def _broken(ledger: NDArray[Any]) -> NDArray[np.bool_]:
    """Accounts of which something is true that cannot be: a belief of this code is wrong."""
    used, estimated = ledger["used_wh"], ledger["estimated_wh"]
    return np.asarray(
        ((used < 0) | (estimated < 0) | (estimated > used)).any(axis=(1, 2))
        | (ledger["day_wh"] < 0)
        | (np.abs(ledger["ledger_nanos"]) > MAX_NANOS)
    )


def _tell_days(turn: Turn, days: DaysClosed, broken: NDArray[np.bool_]) -> None:
    for position, day, used_wh, estimated_wh in zip(
        days.position.tolist(),
        days.day.tolist(),
        days.used_wh.tolist(),
        days.estimated_wh.tolist(),
        strict=True,
    ):
        if broken[position]:
            continue
        here, date = turn.here(position), decide.date_text(day)
        effect_id = f"{here.account_id}:day:{date}"
        effect = DailyUsage(
            effect_id,
            here.account_id,
            here.now,
            here.cause,
            here.evidence(),
            date,
            used_wh,
            estimated_wh,
        )
        turn.tell(position, effect)


def _forecast_told(here: Situation) -> AccountForecast:
    return AccountForecast(
        f"{here.account_id}:forecast:{here.cause.source}-{here.cause.offset}",
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        here.forecast_today_wh,
        here.forecast_today_nanos,
        here.forecast_month_nanos,
        here.runway_hours_p90,
        Tier(here.tier),
    )


def _tell_refused(scored: Scored, readings: Readings, checked: Checked) -> None:
    for outcome in (Outcome.REPEATED, Outcome.SUPERSEDED, Outcome.REFUSED):
        _tally(scored, outcome.name.lower(), int((checked.outcome == outcome).sum()))
    for position in np.flatnonzero(checked.outcome == Outcome.REFUSED).tolist():
        offset, row = int(readings.source_offset[position]), int(readings.account_row[position])
        scored.refusals.append(
            RefusedReading(offset, row, REASONS[int(checked.reason[position])])
        )


def _refuse(scored: Scored, readings: Readings, reason: Reason) -> None:
    _tally(scored, "refused", len(readings))
    scored.refusals.extend(
        RefusedReading(offset, row, reason)
        for offset, row in zip(
            readings.source_offset.tolist(), readings.account_row.tolist(), strict=True
        )
    )


def _tally(scored: Scored, outcome: str, count: int) -> None:
    if count:
        scored.outcomes[outcome] = scored.outcomes.get(outcome, 0) + count
