"""What is told of readings that do not count?

Whether a reading counts is said elsewhere (`scoring.validation`, the month, the tariff, the
prices); here its refusal gets its name, its place and its owner.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scoring.effects import Reason, RefusedReading
from scoring.validation import REASONS, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.events import Readings
    from scoring.shares import Shares
    from scoring.tariff import Tariffs
    from scoring.validation import Checked


TOO_LATE = (Reason.MONTH_CLOSED, Reason.READ_TOO_OLD)
"""Refusals that name the billing month whose bill a person can still put right."""


def tell_outcomes(
    shares: Shares,
    readings: Readings,
    checked: Checked,
    tariffs: Tariffs,
    index: NDArray[np.int64],
) -> None:
    """Count the readings that were checked and not accepted, and name the refused."""
    for outcome in (Outcome.REPEATED, Outcome.SUPERSEDED, Outcome.REFUSED):
        shares.count(outcome.name.lower(), checked.outcome == outcome)
    for position in np.flatnonzero(checked.outcome == Outcome.REFUSED.value).tolist():
        reason = REASONS[int(checked.reason[position])]
        refused = refused_reading(readings, position, reason)
        if reason in TOO_LATE and readings.interval_seconds[position]:
            begins = readings.read_at[position] - readings.interval_seconds[position]
            month = tariffs.month_of(index[position : position + 1], np.array([begins]))
            refused = replace(refused, month=int(month[0]))
        shares.at(position).scored.refusals.append(refused)


def refuse(shares: Shares, readings: Readings, which: NDArray[np.bool_], reason: Reason) -> None:
    """Refuse these readings (n,) by name."""
    shares.count("refused", which)
    for position in np.flatnonzero(which).tolist():
        shares.at(position).scored.refusals.append(refused_reading(readings, position, reason))


def refused_reading(readings: Readings, position: int, reason: Reason) -> RefusedReading:
    """The refusal of one reading of a batch."""
    offset, row = int(readings.source_offset[position]), int(readings.account_row[position])
    return RefusedReading(offset, row, reason, int(readings.item[position]))
