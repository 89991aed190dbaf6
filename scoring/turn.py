"""What is judged and told of some accounts once a record of each has been entered?

Readings, events and ticks enter their facts in different ways, but what follows is the same for
all: outlook, screen, judge the few, tell, write back, quarantine what cannot be true.  The order
in which records are taken, and their facts, are `scoring.scoring`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import debts, decide, large
from scoring.annex import beside
from scoring.book import GROUP_BYTES, LEDGER, copied, side_by_side
from scoring.day_charges import charge_days
from scoring.effects import (
    AccountForecast,
    Cause,
    DailyUsage,
    Decision,
    DecisionKind,
    Effect,
    Evidence,
    Hold,
    Tier,
    TripCommand,
)
from scoring.from_rows import evidence_of, situation
from scoring.grounds import grounds
from scoring.outlook import outlook
from scoring.pools import LARGE
from scoring.situation import PAYMENT_MODES, finite_hours
from scoring.units import MAX_NANOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.book import Accounts
    from scoring.days import DaysClosed
    from scoring.events import Source
    from scoring.grounds import Grounds
    from scoring.shares import Shares
    from scoring.situation import Situation


class Turn:
    """At most one record of each of some accounts, after its facts have been entered.

    `accounts` is the block of their rows, `rows` those in the books of their `shares`, `offsets`
    and `now` where each record stands in `source` and when it was received; (n,) each.
    """

    def __init__(
        self,
        accounts: Accounts,
        rows: NDArray[np.int64],
        source: Source,
        offsets: NDArray[np.int64],
        now: NDArray[np.int64],
        shares: Shares,
    ) -> None:
        self.accounts, self.rows, self.source = accounts, rows, source
        self.offsets, self.now, self.shares = offsets, now, shares
        self.look = outlook(accounts, shares.world.tariffs)
        decide.note_deadlines(accounts.ledger, self.look, shares.world.rules)
        decide.note_steps(accounts, shares.world.rules)
        self._seen: dict[int, Situation] = {}
        self._for_annexes: list[tuple[int, str, Any]] = []
        self._evidence: dict[int, Evidence] = {}

    def here(self, position: int) -> Situation:
        """The situation of the account at this position, as it stands in the block now."""
        seen = self._seen.get(position)
        if seen is None:
            world = self.shares.at(position).world
            cause = Cause(self.source, world.partition, int(self.offsets[position]))
            now, account_id = int(self.now[position]), self._account_id(position)
            seen = situation(self.accounts, self.look, position, account_id, now, cause, world)
            self._seen[position] = seen
        return seen

    def screen(self) -> NDArray[np.bool_]:
        """Which accounts a rule must look at."""
        return decide.needs_judgement(self.accounts, self.look, self.now, self.shares.world.rules)

    def take(self, position: int, verdict: decide.Verdict) -> None:
        """Write a verdict's changes into the block and keep its effects."""
        if verdict:
            row, share = int(self.rows[position]), self.shares.at(position)
            if verdict.effects:
                stood_on = self._grounds(position)
                share.scored.grounds.update((each.effect_id, stood_on) for each in verdict.effects)
            self._seen.pop(position, None)
            for column, value in verdict.changes.items():
                if column in IN_LEDGER:
                    self.accounts.ledger[column][position] = value
                else:
                    self._for_annexes.append((position, column, value))
            share.scored.effects.extend((row, effect) for effect in verdict.effects)
            if share.world.interlock is not None:
                trips = [each for each in verdict.effects if isinstance(each, TripCommand)]
                for trip in trips:
                    feeder = bytes(self.accounts.ledger["feeder"][position])
                    share.world.interlock.sent(feeder, trip.decided_at)
            share.scored.rows.add(row)

    def _grounds(self, position: int) -> Grounds:
        """What a judgement of the account at this position stands on, before it is written."""
        row = self.accounts.ledger[position : position + 1]
        version = int(self.look["version"][position])
        return grounds(self.here(position), row, version, self.shares.world.tariffs)

    def tell(self, position: int, effect: Effect) -> None:
        """Keep one effect of the account at this position."""
        self.shares.at(position).scored.effects.append((int(self.rows[position]), effect))

    def decide(self, doubtful: NDArray[np.bool_], told: NDArray[np.bool_] | None = None) -> None:
        """Judge the doubtful ones; tell the forecast where `told` or where the tier moved."""
        self._write_annexes()
        tiers = self.accounts.ledger["tier"].copy()
        for position in np.flatnonzero(doubtful).tolist():
            self.take(position, decide.judge(self.here(position)))
        self._write_annexes()
        moved = tiers != self.accounts.ledger["tier"]
        self._tell_forecasts(np.flatnonzero(moved if told is None else moved | told))

    def _write_annexes(self) -> None:
        """Who needs an annex for what was decided gets one: all at once, a storm has thousands."""
        if not self._for_annexes:
            return
        wanted, self._for_annexes = self._for_annexes, []
        annexes = self.accounts.annexes
        annexes.ensure(np.array(sorted({position for position, _, _ in wanted}), np.int64))
        place = {at: number for number, at in enumerate(annexes.position.tolist())}
        for position, column, value in wanted:
            written = [each.encode() for each in value] if column == "approvers" else value
            annexes.rows[column][place[position]] = written

    def put(self, broken: NDArray[np.bool_], learned: NDArray[np.bool_] | None = None) -> None:
        """Write the block back; broken accounts stay as they were and are quarantined.

        `learned` (n,) tells who has learned a day; None: nobody.
        """
        for position in np.flatnonzero(broken).tolist():
            self._quarantine(position)
        if learned is None:
            learned = np.zeros(len(self.rows), np.bool_)
        for share, here in self.shares.parts():
            rows, accounts, changed = self.rows[here], self.accounts.between(here), learned[here]
            if broken[here].any():
                whole = ~broken[here]
                rows, accounts, changed = rows[whole], accounts.take(whole), changed[whole]
            share.book.put(rows, accounts, changed)
            share.scored.rows.update(rows.tolist())
            share.scored.learned_rows.update(rows[changed].tolist())

    def _quarantine(self, position: int) -> None:
        """Leave the account as it was, take it out of every automatic road, call a person."""
        here, row, share = self.here(position), self.rows[[position]], self.shares.at(position)
        before = share.book.take(row)
        before.ledger["quarantined"] = 1
        before.ledger["source_offset"][0, self.source] = here.cause.offset
        share.book.put(row, before)
        share.scored.rows.add(int(row[0]))
        share.scored.quarantined += 1
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

    def tell_days(self, days: DaysClosed, broken: NDArray[np.bool_]) -> None:
        """Tell the local days that are finished, and what each has cost."""
        told = np.flatnonzero(~broken[days.position])
        if not len(told):
            return
        days = days.chosen(told)
        tariffs = self.shares.world.tariffs
        charges = charge_days(self._before, self.accounts, self.look, days, tariffs)
        positions, ledger = days.position, self.accounts.ledger
        for (
            position, offset, now, evidence, day, used_wh, estimated_wh, charge, in_ledger, mode,
            customer, *groups,
        ) in zip(
            positions.tolist(),
            self.offsets[positions].tolist(),
            self.now[positions].tolist(),
            self._evidence_of(positions),
            days.day.tolist(),
            days.used_wh.tolist(),
            days.estimated_wh.tolist(),
            charges.tolist(),
            ledger["ledger_nanos"][positions].tolist(),
            ledger["payment_mode"][positions].tolist(),
            ledger["customer_class"][positions].tolist(),
            *(ledger[name][positions].tolist() for name in GROUP_BYTES),
            strict=True,
        ):  # fmt: skip
            account_id, date = self._account_id(position), decide.date_text(day)
            cause = Cause(self.source, self.shares.at(position).world.partition, offset)
            industry, voltage_level, collector, area = (group.decode() for group in groups)
            effect = DailyUsage(
                f"{account_id}:day:{date}", account_id, now, cause, evidence, date, used_wh,
                estimated_wh, charge, max(0, -in_ledger), PAYMENT_MODES[mode].value,
                industry, voltage_level, collector, area,
                large.day_told(ledger[position], self._annex(position), day)
                if customer == LARGE else None,
            )  # fmt: skip
            self.tell(position, effect)

    def _before(self, positions: NDArray[np.int64]) -> tuple[NDArray[Any], Annexes]:
        """Ledger rows and annexes of these accounts as their books still have them, in this order.

        The days of a block come by kind of reading, so the accounts need not ascend.
        """
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        found = [
            share.book.take_ledger(self.rows[ascending[here]])
            for share, here in self.shares.take(ascending).parts()
        ]
        ledgers, annexes = zip(*found, strict=True)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        all_annexes = beside(annexes, list(map(len, ledgers)))
        return copied(side_by_side(ledgers), back), all_annexes.take(back, len(back))

    def _annex(self, position: int) -> Any | None:
        """The annex of the account at this place, None if it has none."""
        row = self.accounts.annexes.row(position)
        return None if row is None else row[0]

    def _tell_forecasts(self, positions: NDArray[np.int64]) -> None:
        """Tell the forecasts of the accounts at these positions (n,)."""
        look = self.look[positions]
        for position, offset, now, evidence, today_wh, today_nanos, month_nanos, p90, tier in zip(
            positions.tolist(),
            self.offsets[positions].tolist(),
            self.now[positions].tolist(),
            self._evidence_of(positions),
            look["forecast_today_wh"].tolist(),
            look["forecast_today_nanos"].tolist(),
            look["forecast_month_nanos"].tolist(),
            look["runway_hours_p90"].tolist(),
            self.accounts.ledger["tier"][positions].tolist(),
            strict=True,
        ):
            account_id = self._account_id(position)
            # One record may hold several readings of an account: read_at tells them apart, and if a
            # late one moves the tier without moving read_at, the number of the warning does.
            place = f"{int(self.source)}-{offset}-{evidence.read_at}"
            episode, number = self._warning(position)
            effect_id = f"{account_id}:forecast:{place}-{episode}-{number}"
            cause = Cause(self.source, self.shares.at(position).world.partition, offset)
            effect = AccountForecast(
                effect_id, account_id, now, cause, evidence,
                round(today_wh), today_nanos, month_nanos, finite_hours(p90), Tier(tier),
            )  # fmt: skip
            self.tell(position, effect)

    def _warning(self, position: int) -> tuple[int, int]:
        """Episode and number of the account's newest warning."""
        ledger = self.accounts.ledger
        return int(ledger["episode"][position]), int(ledger["warning_number"][position])

    def _evidence_of(self, positions: NDArray[np.int64]) -> list[Evidence]:
        """The evidence (n,) on which days and forecasts are told: one object for an account."""
        seen = self._evidence
        new = np.array([each for each in positions.tolist() if each not in seen], np.int64)
        if len(new):
            found = evidence_of(self.accounts, self.look, new)
            seen.update(zip(new.tolist(), found, strict=True))
        return [seen[each] for each in positions.tolist()]

    def _account_id(self, position: int) -> str:
        return self.shares.at(position).book.account_ids[int(self.rows[position])]


IN_LEDGER = frozenset(LEDGER.names or ())


def broken_beliefs(accounts: Accounts) -> NDArray[np.bool_]:
    """Accounts of which something is true that cannot be: a belief of this code is wrong."""
    ledger, annexes = accounts.ledger, accounts.annexes
    used, estimated = ledger["used_wh"], ledger["estimated_wh"]
    broken = np.asarray(
        ((used < 0) | (estimated < 0) | (estimated > used)).any(axis=(1, 2))
        | (ledger["day_wh"] < 0)
        | (np.abs(ledger["ledger_nanos"]) > MAX_NANOS)
    )
    if len(annexes):
        lack = np.maximum(0, -ledger["ledger_nanos"][annexes.position])
        broken[annexes.position] |= debts.owed_nanos(annexes.rows) != lack
    return broken
