"""What does an exchange of meters do to an account?

The old meter's final register closes its energy, the new one's start register opens the next count.
Kept apart from `scoring.usage`, which knows one meter at a time; that another meter stands there is
said by the account's terms (`scoring.terms`), never guessed from a reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import balance, dynamic, slots
from scoring.days import DaysClosed
from scoring.effects import Reason
from scoring.events import MAX_RATE_PERIODS, Quality, Readings
from scoring.ids import text_hash
from scoring.units import SLOT_SECONDS
from scoring.usage import count
from scoring.validation import check
from scoring.verdicts import REASONS, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.events import MeterSettings
    from scoring.tariff import Tariffs


@dataclass(frozen=True, slots=True)
class MeterChanged:
    """What an exchange did: the fate of the old meter's final register, and the days it closed.

    `final_outcome` is None where no final register was stated (or nothing was exchanged).
    """

    final_outcome: Outcome | None
    final_reason: Reason | None
    days: DaysClosed


def change_meter(
    ledger: NDArray[Any],
    meter: MeterSettings,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    closed: balance.BillsClosed | None = None,
    annexes: Annexes | None = None,
) -> MeterChanged:
    """Put the stated meter in force for the one account in `ledger`.

    Another `meter_id` is an exchange (domain.md 4.4): the old meter's final register, if stated and
    plausible, closes its energy like a reading at `installed_at`; the new one's start register, if
    stated, opens the new count, else its first reading does.  What the old meter counted after its
    last accepted reading is not guessed.  The same meter only renews its multiplier and modulus.
    """
    new_hash = text_hash(meter.meter_id)
    changed = MeterChanged(None, None, DaysClosed.none())
    if int(ledger["meter_hash"][0]) != new_hash:
        if meter.previous_final_register_wh is not None and ledger["register_wh"][0] >= 0:
            final = _final_reading(ledger, meter)
            changed = _count_final(ledger, final, tariffs, index, closed, annexes)
        _open_meter(ledger, meter)
    ledger["meter_hash"] = new_hash
    ledger["multiplier"] = meter.multiplier
    ledger["register_modulus_wh"] = meter.register_modulus_wh
    return changed


def _final_reading(ledger: NDArray[Any], meter: MeterSettings) -> Readings:
    """The old meter's final register as a reading at the moment of the exchange."""
    at, none = np.array([meter.installed_at]), np.array([-1])
    return Readings(
        account_row=none,
        source_offset=none,
        item=none,
        read_at=at,
        received_at=at,
        meter_hash=ledger["meter_hash"].copy(),
        register_wh=np.array([meter.previous_final_register_wh]),
        rate_register_wh=np.full((1, MAX_RATE_PERIODS), -1),
        interval_seconds=np.zeros(1, np.int64),
        interval_wh=np.zeros(1, np.int64),
        quality=np.array([Quality.VALID], np.uint8),
    )


def _count_final(
    ledger: NDArray[Any],
    final: Readings,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    closed: balance.BillsClosed | None,
    annexes: Annexes | None,
) -> MeterChanged:
    checked = check(ledger, final, tariffs, index)
    outcome = Outcome(int(checked.outcome[0]))
    if outcome is Outcome.ACCEPTED:
        if not balance.close_months(ledger, tariffs, index, final.read_at, closed, annexes)[0]:
            return MeterChanged(Outcome.REFUSED, Reason.UNKNOWN_TARIFF, DaysClosed.none())
        found = dynamic.cost(ledger, checked, tariffs, index)
        if found is not None and found.missing.any():
            return MeterChanged(Outcome.REFUSED, Reason.PRICE_MISSING, DaysClosed.none())
        return MeterChanged(outcome, None, count(ledger, checked, tariffs, index, annexes))
    reason = REASONS[int(checked.reason[0])] if outcome is Outcome.REFUSED else None
    return MeterChanged(outcome, reason, DaysClosed.none())


def _open_meter(ledger: NDArray[Any], meter: MeterSettings) -> None:
    start = -1 if meter.start_register_wh is None else meter.start_register_wh
    ledger["register_wh"], ledger["rate_register_wh"] = start, -1
    ledger["register_read_at"] = meter.installed_at
    ledger["since_rate_wh"] = 0
    ledger["interval_since_register_wh"] = ledger["unproven_wh"] = 0
    if start >= 0 and meter.installed_at % SLOT_SECONDS:
        cut = np.array([meter.installed_at // SLOT_SECONDS])
        slots.mark(ledger, cut, cut + 1)
