"""What can become of a reading, and how is that said for a whole batch?

Every reading gets exactly one named outcome, and a refused one its reason (DESIGN D7); here are the
names, the columns that carry them, and the pad on which rules write them in turn.  Kept apart
because checking, counting and telling all speak these words.  Which reading deserves which is told
in `scoring.validation`, what an accepted one does in `scoring.usage`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from scoring.effects import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.events import Readings


class Outcome(IntEnum):
    """What became of a reading."""

    ACCEPTED = 0
    REPEATED = 1  # the same fact as before
    SUPERSEDED = 2  # a true fact, but nothing new: what is counted already contains it
    REFUSED = 3


class Kind(IntEnum):
    """What an accepted reading is for `usage.count`."""

    NOTHING = 0
    REGISTER = 1  # energy since the last register reading
    BASELINE = 2  # the first register reading: opens the count
    CORRECTION = 3  # an actual register below what the head end had estimated
    RATES = 4  # per-rate registers that come after their total
    INTERVAL = 5  # new energy of its slots
    TRUE_UP = 6  # says when energy was used that a register has counted already
    LATE_ENERGY = 7  # as INTERVAL, of a month that is closed
    LATE_TRUE_UP = 8  # as TRUE_UP, of a month that is closed


REASONS: tuple[Reason, ...] = (
    Reason.UNKNOWN_ACCOUNT,
    Reason.UNKNOWN_METER,
    Reason.UNKNOWN_TARIFF,
    Reason.WRONG_SHAPE,
    Reason.READ_IN_FUTURE,
    Reason.READ_TOO_OLD,
    Reason.MONTH_CLOSED,
    Reason.QUALITY_SUSPECT,
    Reason.REGISTER_WENT_BACK,
    Reason.REGISTER_CONFLICT,
    Reason.RATE_REGISTERS_DISAGREE,
    Reason.ENERGY_IMPOSSIBLE,
    Reason.INTERVAL_MISALIGNED,
    Reason.INTERVAL_OVERLAPS,
    Reason.INTERVALS_ABOVE_REGISTER,
)
NO_REASON = -1


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of each of n readings; all (n,).

    `reason` is a place in REASONS where `outcome` is REFUSED, else NO_REASON.  `kind` and
    `energy_wh` are for `usage.count`: the energy of the register's whole gap (below zero where a
    correction takes some back) or of the interval, after the multiplier.  `with_interval`: the
    reading's own interval says how the end of its register's gap was used.  `has_rates`: its
    per-rate registers are to be kept.
    """

    readings: Readings
    outcome: NDArray[np.uint8]
    reason: NDArray[np.int8]
    kind: NDArray[np.uint8]
    energy_wh: NDArray[np.int64]
    with_interval: NDArray[np.bool_]
    has_rates: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.outcome)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The checked readings at these positions."""
        columns = {f.name: getattr(self, f.name)[index] for f in fields(self)[1:]}
        return replace(self, readings=self.readings.take(index), **columns)


class Verdicts:
    """Collects verdicts; for each reading the first rule that speaks is the one that counts."""

    def __init__(self, count: int) -> None:
        self.outcome = np.zeros(count, np.uint8)
        self.reason = np.full(count, NO_REASON, np.int8)
        self.kind = np.zeros(count, np.uint8)
        self.energy_wh = np.zeros(count, np.int64)
        self.with_interval = np.zeros(count, np.bool_)
        self.has_rates = np.zeros(count, np.bool_)
        self.open = np.ones(count, np.bool_)

    def settle(self, when: NDArray[np.bool_], outcome: Outcome) -> None:
        """Give these readings this outcome, unless a rule has spoken before."""
        now = when & self.open
        self.outcome[now] = outcome
        self.open &= ~now

    def refuse(self, when: NDArray[np.bool_], reason: Reason) -> None:
        """Refuse these readings for this reason, unless a rule has spoken before."""
        self.reason[when & self.open] = REASONS.index(reason)
        self.settle(when, Outcome.REFUSED)

    def accept(
        self, when: NDArray[np.bool_], kind: Kind, energy_wh: NDArray[np.int64] | int = 0
    ) -> None:
        """Accept these readings as this kind, unless a rule has spoken before."""
        now = when & self.open
        self.kind[now] = kind
        self.energy_wh[now] = energy_wh if isinstance(energy_wh, int) else energy_wh[now]
        self.settle(when, Outcome.ACCEPTED)
