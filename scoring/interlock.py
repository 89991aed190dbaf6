"""May one more supply be stopped now, as far as the whole fleet is concerned?

A wrong figure trips one home; a wrong tariff, a dead payments feed or a bad release trips a city.
The interlock therefore counts and freezes trips, never restores:

* limits: trips a minute over the fleet and on one feeder, and in the first day of a new policy;
* a freeze, which only two different people end: too many trips in an hour, too many estimated
  readings, payments too far behind, too many accounts out of money at once; or one person's word.

Accounts of a feeder are spread over the partitions by a hash, and no partition needs to ask
another: each has its own part of the fleet's minute, and in any one minute a feeder's whole limit
belongs to one partition, drawn by a hash of feeder and minute.  So the sum of what all may do is
the limit, and no message can be lost, late or repeated.  The same hash makes every partition a fair
sample of the fleet: what is abnormal in it is abnormal.  What is counted is read from the accounts'
rows, so it is as durable as they are.  That a freeze of one partition holds all others is the
shell's part (`elsewhere`), and it holds too when another has not been heard from.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import IntFlag
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.effects import NO_HOLD, Hold, Stage
from scoring.events import Quality
from scoring.ids import person_key
from scoring.units import NO_TIME, SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.events import Feed
    from scoring.rules import SupplyRules
    from scoring.tariff import Tariffs

MILLION = 1_000_000
MINUTE = 60


class Freeze(IntFlag):
    """Why trips are frozen."""

    TRIP_RATE = 1
    ESTIMATED_READINGS = 2
    PAYMENTS_LAG = 4
    MASS_NEGATIVE = 8
    BY_A_PERSON = 16


NO_FREEZE = Freeze(0)


@dataclass(frozen=True, slots=True)
class InterlockRules:
    """The limits of the whole fleet; all proposals unless a source is named."""

    fleet_trips_per_minute: int = 60
    """About what a call centre and a desk of collectors can answer for in an hour of trips."""

    feeder_trips_per_minute: int = 3
    """Load that leaves one line at a time: a few homes are noise to it, fifty are not."""

    trips_per_policy_change: int = 500
    """Trips in the first day after rules or tariff sheets have changed: a mistake in them shows by
    its first complaints, not by its ten-thousandth trip."""

    most_trips_per_hour_ppm: int = 2_000
    """Share of accounts tripped within an hour that freezes: CenterPoint carried out 20,000 orders
    of 2.2 million meters in its busiest day (K85), about 1,000 ppm in each of eight hours."""

    most_estimated_ppm: int = 200_000
    """Share of accounts whose newest reading is no measurement that freezes."""

    most_negative_ppm: int = 100_000
    """Share of accounts out of money or on the road to a trip that freezes: so many do not forget
    to pay on one day, so a tariff or the payments are wrong."""

    most_payments_lag_seconds: int = SECONDS_PER_HOUR
    """Age of the payments feed's heartbeat that freezes; a quarter of an hour already holds."""

    least_accounts: int = 20
    """Fewer accounts than this are never "too many": shares of a small book mean nothing."""

    people_to_release: int = 2

    release_within_seconds: int = SECONDS_PER_HOUR
    """Between the first person's release and the second's: they speak of the same matter."""

    released_for_seconds: int = SECONDS_PER_DAY
    """After a release the same cause does not freeze again for so long; another one does."""


@dataclass(frozen=True, slots=True)
class InterlockState:
    """What must survive the process; instants in UTC seconds, NO_TIME for none.

    `tick_offset` and `action_offset` say which records have shaped it, so that a repeat changes
    nothing.
    """

    frozen_at: int = NO_TIME
    why: Freeze = NO_FREEZE
    first_release_by: str = ""
    first_release_at: int = NO_TIME
    released: Freeze = NO_FREEZE
    released_until: int = NO_TIME
    policy: int = 0
    policy_since: int = NO_TIME
    tick_offset: int = -1
    action_offset: int = -1

    @property
    def is_frozen(self) -> bool:
        """Whether trips are frozen."""
        return self.why != NO_FREEZE


@dataclass(frozen=True, slots=True)
class Census:
    """A partition's accounts at one instant, as far as the interlock asks."""

    accounts: int
    out_of_money: int
    estimated: int
    tripped_in_hour: int


@dataclass(slots=True)
class Counted:
    """Trips already sent: in each minute over all and by feeder, and since the policy changed."""

    in_minute: Counter[int] = field(default_factory=Counter)
    by_feeder: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    since_policy: int = 0


class Interlock:
    """The interlock of one partition."""

    def __init__(self, partition: int, partitions: int, rules: InterlockRules) -> None:
        self.partition, self.partitions, self.rules = partition, partitions, rules
        self.state = InterlockState()
        self.census = Census(0, 0, 0, 0)
        self.elsewhere = NO_HOLD
        self.counted = Counted()
        self.has_looked = False

    # --- asked before every trip ---------------------------------------------------------------

    @property
    def is_frozen(self) -> bool:
        """Whether trips are frozen, here or elsewhere."""
        return self.state.is_frozen or self.elsewhere == Hold.INTERLOCK_FROZEN

    def hold(self, feeder: bytes, now: int) -> Hold:
        """Why no trip of an account on this feeder may be sent now; b"" is an unknown feeder."""
        if self.state.is_frozen:
            return Hold.INTERLOCK_FROZEN
        if self.elsewhere or not self.has_looked:
            return self.elsewhere or Hold.INTERLOCK_SILENT
        minute, counted = now // MINUTE, self.counted
        is_full = (
            counted.in_minute[minute] >= self._fleet_part(minute)
            or (feeder and counted.by_feeder[minute, feeder] >= self._feeder_part(feeder, minute))
            or self._policy_is_used_up(now)
        )
        return Hold.INTERLOCK_LIMIT if is_full else NO_HOLD

    def sent(self, feeder: bytes, now: int) -> None:
        """A trip has been decided."""
        self.counted.in_minute[now // MINUTE] += 1
        self.counted.by_feeder[now // MINUTE, feeder] += 1
        self.counted.since_policy += 1

    def taken_up(self) -> None:
        """The partition has come, perhaps back, from another owner: trips wait for the next look.

        What was counted before is of another time; the other may have tripped since.
        """
        self.has_looked = False

    def _fleet_part(self, minute: int) -> int:
        """This partition's part of the fleet's limit; what does not divide goes round."""
        whole, rest = divmod(self.rules.fleet_trips_per_minute, self.partitions)
        return whole + ((minute + self.partition) % self.partitions < rest)

    def _feeder_part(self, feeder: bytes, minute: int) -> int:
        """A feeder's whole limit in the minutes that are this partition's, else nothing."""
        drawn = zlib.crc32(b"%s:%d" % (feeder, minute)) % self.partitions
        return self.rules.feeder_trips_per_minute if drawn == self.partition else 0

    def _policy_is_used_up(self, now: int) -> bool:
        part = -(-self.rules.trips_per_policy_change // self.partitions)
        is_new = now - self.state.policy_since < SECONDS_PER_DAY
        return is_new and self.counted.since_policy >= part

    # --- as time passes ------------------------------------------------------------------------

    def look(self, ledger: NDArray[Any], feed: Feed, policy: int, at: int, offset: int) -> None:
        """Count anew from the rows, and freeze if the census is abnormal; at each tick."""
        state, self.has_looked = self.state, True
        is_new = offset > state.tick_offset
        if policy != state.policy and is_new:
            state = self.state = replace(state, policy=policy, policy_since=at, tick_offset=offset)
        self.census = census_of(ledger, at)
        self.counted = counted_of(ledger, at, state.policy_since)
        found = abnormal(self.census, feed, self.rules, at)
        if at < state.released_until:
            found &= ~state.released
        if found & ~state.why and is_new:
            # nobody was held before what was sent last, though an old tick finds it out
            begins_at = max(at, int(ledger["trip_sent_at"].max(initial=NO_TIME)))
            self.state = replace(
                state,
                tick_offset=offset,
                frozen_at=state.frozen_at if state.is_frozen else begins_at,
                why=state.why | found,
                first_release_by="",  # whoever released did not know of this
                first_release_at=NO_TIME,
            )

    def freeze(self, at: int, offset: int) -> None:
        """A named person wants no more trips; it takes one to freeze and two to go on."""
        state = self.state
        if offset <= state.action_offset:
            return
        self.state = replace(
            state,
            action_offset=offset,
            frozen_at=state.frozen_at if state.is_frozen else at,
            why=state.why | Freeze.BY_A_PERSON,
            first_release_by="",  # whoever released did not know of this
            first_release_at=NO_TIME,
        )

    def release(self, person: str, at: int, offset: int) -> None:
        """A named person says that trips may go on; the second, different one ends the freeze."""
        state = self.state
        if offset <= state.action_offset:
            return
        state = replace(state, action_offset=offset)
        if not person_key(person):
            self.state = state  # nobody's word ends no freeze
            return
        rules = self.rules
        is_second = (
            person_key(state.first_release_by) not in ("", person_key(person))
            and at - state.first_release_at <= rules.release_within_seconds
        )
        if state.is_frozen and (is_second or rules.people_to_release == 1):
            state = replace(
                state,
                why=NO_FREEZE,
                frozen_at=NO_TIME,
                first_release_by="",
                first_release_at=NO_TIME,
                released=state.why,
                released_until=at + rules.released_for_seconds,
            )
        elif state.is_frozen:
            state = replace(state, first_release_by=person, first_release_at=at)
        self.state = state


def census_of(ledger: NDArray[Any], at: int) -> Census:
    """What the rows (n,) of a partition say at an instant.

    A tick that is judged again after a crash meets rows that are ahead of it: trips that were sent
    since are no trips of its hour.
    """
    known = ledger["settings_version"] > 0
    stage = ledger["stage"]
    on_road = (ledger["holds"] != 0) | ((stage != Stage.NORMAL) & (stage <= Stage.TRIPPED))
    sent_at = ledger["trip_sent_at"]
    recently = (at - SECONDS_PER_HOUR < sent_at) & (sent_at < at)
    estimated = (ledger["read_at"] != NO_TIME) & (ledger["newest_quality"] != Quality.VALID)
    return Census(
        accounts=int(known.sum()),
        out_of_money=int((known & on_road).sum()),
        estimated=int((known & estimated).sum()),
        tripped_in_hour=int(recently.sum()),
    )


def counted_of(ledger: NDArray[Any], at: int, policy_since: int) -> Counted:
    """Trips by the rows (n,), by when they were commanded: whatever became of them since.

    Those of later minutes too: after a crash the rows may be ahead of the tick that asks.
    """
    sent_at, minute = ledger["trip_sent_at"], at // MINUTE
    now = np.flatnonzero(sent_at >= max(minute * MINUTE, NO_TIME + 1))
    minutes = (sent_at[now] // MINUTE).tolist()
    return Counted(
        in_minute=Counter(minutes),
        by_feeder=Counter(zip(minutes, ledger["feeder"][now].tolist(), strict=True)),
        since_policy=int((sent_at >= max(policy_since, NO_TIME + 1)).sum()),
    )


def abnormal(census: Census, feed: Feed, rules: InterlockRules, at: int) -> Freeze:
    """Everything about these figures that no ordinary day explains."""
    found = NO_FREEZE
    for number, most_ppm, why in (
        (census.tripped_in_hour, rules.most_trips_per_hour_ppm, Freeze.TRIP_RATE),
        (census.estimated, rules.most_estimated_ppm, Freeze.ESTIMATED_READINGS),
        (census.out_of_money, rules.most_negative_ppm, Freeze.MASS_NEGATIVE),
    ):
        if number >= rules.least_accounts and number * MILLION > most_ppm * census.accounts:
            found |= why
    lag_is_known = feed.caught_up and feed.heartbeat_at != NO_TIME
    if lag_is_known and at - feed.heartbeat_at > rules.most_payments_lag_seconds:
        found |= Freeze.PAYMENTS_LAG
    return found


def policy_of(rules: SupplyRules, limits: InterlockRules, tariffs: Tariffs) -> int:
    """A number that changes when the rules or the dated sheets of a deployment do."""
    sheets = sorted(f"{sheet.tariff_id}@{sheet.valid_from}" for sheet in tariffs.sheets)
    text = "\n".join([repr(rules), repr(limits), *sheets])
    return int.from_bytes(sha256(text.encode()).digest()[:7])
