"""Whose is each account of a block that is scored at once, and what has changed in whose book?

The fixed cost of columns is paid per block, so the readings that a fetch brought to several
partitions are scored as one block.  The columns do not see it; what differs between partitions is
kept apart here: the book and what it has learned of all its accounts, the state of its feeds, its
interlock, and what is to be told and remembered.  It stands apart from the order of scoring
(`scoring.scoring`) and from what a turn does (`scoring.turn`), and it only holds and divides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from scoring.day_kinds import DayKinds, weekdays_only
from scoring.late_charge import LateChargeRules
from scoring.weather import NO_WEATHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from scoring.effects import Effect, RefusedReading
    from scoring.events import Feed
    from scoring.grounds import Grounds
    from scoring.interlock import Interlock
    from scoring.rules import SupplyRules
    from scoring.tariff import Tariffs
    from scoring.weather import Weather


@dataclass(slots=True)
class Scored:
    """What a batch, event or tick changed: to be remembered, told and counted.

    `grounds` are those of the effects that were judged, by effect id.
    """

    rows: set[int] = field(default_factory=set)
    learned_rows: set[int] = field(default_factory=set)
    effects: list[tuple[int, Effect]] = field(default_factory=list)
    refusals: list[RefusedReading] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    grounds: dict[str, Grounds] = field(default_factory=dict)

    def count(self, outcome: str, number: int) -> None:
        """Count records by outcome."""
        if number:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number

    def add(self, later: Scored) -> None:
        """What was scored after this, in the same order of effects."""
        self.rows |= later.rows
        self.learned_rows |= later.learned_rows
        self.effects += later.effects
        self.refusals += later.refusals
        for outcome, count in later.outcomes.items():
            self.count(outcome, count)
        self.quarantined += later.quarantined
        self.grounds |= later.grounds


@dataclass(frozen=True, slots=True)
class World:
    """What holds for a whole partition at this moment, apart from its accounts.

    Only `feed`, `partition` and `interlock` may differ between partitions that are scored at once.
    """

    tariffs: Tariffs
    feed: Feed
    rules: SupplyRules
    partition: int
    late_charges: LateChargeRules = field(default_factory=LateChargeRules)
    day_kinds: DayKinds = field(default_factory=weekdays_only)
    interlock: Interlock | None = None
    weather: Weather = NO_WEATHER


@dataclass(slots=True)
class Share:
    """One partition's share of a block: its book, what holds there, and what has changed in it."""

    book: Book
    world: World
    scored: Scored = field(default_factory=Scored)


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of a block of n accounts, one behind the other.

    `of` (n,) is the number of each account's share in `all`, ascending.
    """

    of: NDArray[np.int64]
    all: Sequence[Share]

    @classmethod
    def whole(cls, count: int, share: Share) -> Self:
        """A block of one partition."""
        return cls(np.zeros(count, np.int64), (share,))

    @property
    def world(self) -> World:
        """What is the same for all; not to be asked for what may differ."""
        return self.all[0].world

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Of the accounts at these places, which must ascend."""
        return type(self)(self.of[index], self.all)

    def at(self, position: int) -> Share:
        """Whose the account at this place is."""
        return self.all[int(self.of[position])]

    def parts(self) -> Iterator[tuple[Share, slice]]:
        """Each share that has accounts here, and where they are."""
        if len(self.all) == 1:
            if len(self.of):
                yield self.all[0], slice(0, len(self.of))
            return
        ends = np.searchsorted(self.of, np.arange(len(self.all)), side="right").tolist()
        for share, start, end in zip(self.all, [0, *ends[:-1]], ends, strict=True):
            if end > start:
                yield share, slice(start, end)

    def count(self, outcome: str, which: NDArray[np.bool_] | None = None) -> None:
        """Count the records of these accounts (truths; None all) by outcome."""
        of = self.of if which is None else self.of[which]
        for share, number in zip(self.all, np.bincount(of, minlength=len(self.all)), strict=True):
            share.scored.count(outcome, int(number))
