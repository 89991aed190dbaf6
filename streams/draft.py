"""What has been written so far of an entry that a clerk is at?

It only holds: what goes into it, and what becomes of it, is the clerk's work (`streams.clerk`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.field_reports import FieldReports

if TYPE_CHECKING:
    from scoring.effects import Effect, RefusedReading
    from scoring.events import AccountEvent, Source
    from scoring.grounds import Grounds
    from scoring.shares import Scored
    from streams import wire
    from streams.log import Fetched, Record


@dataclass(slots=True)
class Draft:
    """What has been written so far of one entry."""

    rows: set[int] = field(default_factory=set)
    learned_rows: set[int] = field(default_factory=set)
    effects: list[tuple[int, Effect]] = field(default_factory=list)
    refusals: list[wire.Refusal] = field(default_factory=list)
    refused_rows: list[tuple[Source, RefusedReading]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
    grounds: dict[str, Grounds] = field(default_factory=dict)
    words: list[wire.Encoded] = field(default_factory=list)
    reports: FieldReports = field(default_factory=FieldReports)

    def take(self, scored: Scored) -> None:
        """Add what the core says has changed."""
        self.rows |= scored.rows
        self.learned_rows |= scored.learned_rows
        self.effects += scored.effects
        self.outcomes.update(scored.outcomes)
        self.quarantined += scored.quarantined
        self.grounds |= scored.grounds


@dataclass(slots=True)
class Heard:
    """What records of one topic say: about accounts, each with its record, or what time it is."""

    events: list[AccountEvent] = field(default_factory=list)
    ticks: list[wire.Tick] = field(default_factory=list)
    of_offset: dict[int, Record] = field(default_factory=dict)


@dataclass(slots=True)
class Begun:
    """A part that is being entered, and what is written of it so far."""

    fetched: Fetched
    draft: Draft
