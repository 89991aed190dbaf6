"""How was each version of a durable row laid out, and how does an old row become today's?

A log keeps rows for years, so every layout that was ever shipped stays here, with the way from it
to the newest.  Apart from `rows`, which reads and writes them, because this list only ever grows.
What a column means is told in `scoring.book` and `scoring.annex`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.annex import ANNEX, ANNEX_VERSION, empty_annexes
from scoring.book import LEARNED, LEARNED_VERSION, LEDGER, LEDGER_VERSION, empty_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Upgrade = Callable[[NDArray[Any]], NDArray[Any]]
    Layouts = dict[int, tuple[np.dtype[Any], Upgrade]]

NEW_IN_LEDGER_2 = (
    *("charged_nanos", "payment_days", "payments_forgotten_day"),
    *("industry", "voltage_level", "collector", "area"),
)
LEDGER_1 = np.dtype(
    [
        (name, LEDGER[name].base, LEDGER[name].shape)
        for name in LEDGER.names or ()
        if name not in NEW_IN_LEDGER_2
    ],
    align=True,
)


def ledger_rows_of_version_1(rows: NDArray[Any]) -> NDArray[Any]:
    """Version 1 had no days of payments and no groups, and told no day's charge.

    Its payment ids are kept as old as can be, so the next ones take their places first, and the
    first day told afterwards carries what the open months have cost before it.
    """
    return carry_over(rows, empty_ledger(len(rows)))


NEW_IN_ANNEX_2 = (
    *("capacity_va", "suspended_va", "contract_w", "adjust_micros", "basis", "max_demand_w"),
    *("max_demand_at", "reactive_varh", "reactive_register_varh", "reactive_read_at"),
    *("has_reactive", "earlier_capacity_va", "earlier_suspended_va", "earlier_contract_w"),
    *("earlier_adjust_micros", "earlier_max_demand_w", "earlier_month", "earlier_days"),
    "earlier_basis",
)
ANNEX_1 = np.dtype(
    [
        (name, ANNEX[name].base, ANNEX[name].shape)
        for name in ANNEX.names or ()
        if name not in NEW_IN_ANNEX_2
    ],
    align=True,
)


def annexes_of_version_1(rows: NDArray[Any]) -> NDArray[Any]:
    """Version 1 knew nothing of capacity, demand and reactive energy."""
    return carry_over(rows, empty_annexes(len(rows)))


LEDGER_LAYOUTS: Layouts = {
    1: (LEDGER_1, ledger_rows_of_version_1),
    2: (LEDGER, lambda rows: rows),
}
"""Every version ever shipped: its layout, and how its rows become today's (see `carry_over`)."""

LEARNED_LAYOUTS: Layouts = {
    1: (LEARNED, lambda rows: rows),
}

ANNEX_LAYOUTS: Layouts = {
    1: (ANNEX_1, annexes_of_version_1),
    2: (ANNEX, lambda rows: rows),
}

assert LEDGER_VERSION in LEDGER_LAYOUTS
assert LEARNED_VERSION in LEARNED_LAYOUTS
assert ANNEX_VERSION in ANNEX_LAYOUTS


def carry_over(old: NDArray[Any], fresh: NDArray[Any]) -> NDArray[Any]:
    """`fresh` rows with every column that `old` rows also have: the usual start of a migration."""
    assert old.dtype.names is not None
    assert fresh.dtype.names is not None
    for name in fresh.dtype.names:
        if name in old.dtype.names:
            fresh[name] = old[name]
    return fresh
