"""Which accounts does a list speak of?

What may stand in a query beside the order of a list: state, size, groups, the beginning of an id.
Each becomes a column of truths over all accounts; which of them come first is `ranking`'s.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from scoring.effects import Stage, Tier
from scoring.events import CustomerClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.view import View

SIZES = [each.value for each in CustomerClass]
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted; None and "" choose nothing away.  `collector` "" means of none."""

    tier: str | None = None
    stage: str | None = None
    size: str | None = None
    collector: str | None = None
    area: str | None = None
    industry: str | None = None
    voltage_level: str | None = None
    prefix: str = ""

    def rows(self, view: View) -> NDArray[np.bool_] | None:
        """Truths (n,), None where everything is wanted."""
        count = len(view)  # accounts come meanwhile
        columns = []
        if self.tier is not None:
            columns.append(view.copied("tier") == Tier[self.tier.upper()])
        if self.stage is not None:
            columns.append(view.copied("stage") == Stage[self.stage.upper()])
        if self.size is not None:
            columns.append(view.copied("customer_class") == SIZES.index(self.size))
        if self.collector is not None:
            columns.append(view.copied("collector") == _bytes(self.collector))
        for name in ("area", "industry", "voltage_level"):
            wanted = getattr(self, name)
            if wanted is not None:
                columns.append(view.book.ledger[name] == _bytes(wanted))
        if self.prefix:
            columns.append(_beginning_with(view, self.prefix))
        return reduce(np.logical_and, (each[:count] for each in columns)) if columns else None


def _bytes(code: str) -> bytes:
    return code.encode("utf-8", "surrogatepass")


def _beginning_with(view: View, prefix: str) -> NDArray[np.bool_]:
    ids, chosen = view.ids_in_order, np.zeros(len(view), np.bool_)
    first, last = bisect_left(ids, prefix), bisect_left(ids, prefix + LAST_CHARACTER)
    rows = ids.rows[first:last]
    chosen[rows[rows < len(chosen)]] = True  # accounts come meanwhile
    return chosen
