"""How many accounts stand where, and with how much money, for Prometheus?

Counted from the view when Prometheus asks, by customer class and never by account: some tens of
milliseconds for a million accounts, in a thread of its own.  Every API process sees all accounts
and tells the same figures, so dashboards take the maximum over them, not the sum.  Groups that are
many (areas, collectors) are `monitor`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scoring.effects import Stage, Tier
from scoring.events import CustomerClass, Switch
from scoring.units import NANOS_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from api.state import State

CLASSES = tuple(CustomerClass)
LARGE = CLASSES.index(CustomerClass.LARGE)

COUNTS = {
    "accounts_in_tier": ("Accounts by warning tier", "tier", Tier),
    "accounts_in_stage": ("Accounts by stage on the road to a trip and back", "stage", Stage),
    "accounts_by_switch": ("Accounts by the switch's last report", "switch", Switch),
}
MONEY = {
    "balance": "What accounts with money left have left, open bills taken off",
    "exposure": "What accounts without money left have used beyond it, billed or not",
    "arrears": "What closed bills and costs are owed",
    "open_bills": "Bills of the months that are not closed yet",
    "paid_in_advance": "The part of the open bills that is paid already",
}


class Standing(Collector):
    """The figures of a view, made when they are asked for."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them, also before there is an account."""
        view = self._state.view
        count = min(len(view.book.ledger), len(view.look))  # records come meanwhile
        ledger, look = view.book.ledger[:count], view.look[:count]
        classes = ledger["customer_class"].astype(np.int64)
        for name, (meaning, label, names) in COUNTS.items():
            yield _by(name, meaning, label, names, classes, ledger[label])
        yield self._stale(ledger, classes)
        yield _restore_pending(ledger)
        yield from self._money(ledger, look, classes, view.book.tariff_index[:count])

    def _stale(self, ledger: NDArray[Any], classes: NDArray[np.int64]) -> GaugeMetricFamily:
        """Accounts whose newest reading is too old for a trip, as of the newest record."""
        rules = self._state.rules
        limit = np.where(
            classes == LARGE, rules.max_reading_age_large_seconds, rules.max_reading_age_seconds
        )
        stale = ledger["read_at"] < _newest(ledger) - limit
        family = _family(
            "accounts_reading_stale", "Accounts whose readings are too old for a trip",
            ["customer_class"],
        )  # fmt: skip
        for each, found in zip(CLASSES, _counts(classes[stale], len(CLASSES)), strict=True):
            family.add_metric([each.value], found)
        return family

    def _money(
        self,
        ledger: NDArray[Any],
        look: NDArray[Any],
        classes: NDArray[np.int64],
        tariff: NDArray[np.int64],
    ) -> Iterator[GaugeMetricFamily]:
        places = self._state.view.places
        names = sorted({each.currency for each in places if each.currency is not None})
        numbers = {name: number for number, name in enumerate(names)}
        currency_of = np.array([numbers.get(each.currency or "", -1) for each in places])
        known = np.flatnonzero(tariff < len(places) - 1)
        currency = currency_of[tariff[known]]
        known, currency = known[currency >= 0], currency[currency >= 0]
        key = classes[known] * len(names) + currency
        posted, balance = ledger["ledger_nanos"][known], look["balance_nanos"][known]
        bills = (look["bill_nanos"] + look["previous_bill_nanos"])[known]
        sums = {
            "balance": np.maximum(balance, 0),
            "exposure": np.maximum(-balance, 0),
            "arrears": np.maximum(-posted, 0),
            "open_bills": bills,
            "paid_in_advance": np.minimum(np.maximum(posted, 0), np.maximum(bills, 0)),
        }
        for name, meaning in MONEY.items():
            family = _family(f"{name}_currency_units", meaning, ["customer_class", "currency"])
            size = len(CLASSES) * len(names)
            found = np.bincount(key, sums[name] / NANOS_PER_UNIT, size)
            for place in range(size):
                each, unit = divmod(place, len(names))
                family.add_metric([CLASSES[each].value, names[unit]], float(found[place]))
            yield family


def _by(
    name: str, meaning: str, label: str, names: Any, classes: NDArray[Any], column: NDArray[Any]
) -> GaugeMetricFamily:
    family = _family(name, meaning, ["customer_class", label])
    found = _counts(classes * len(names) + column, len(CLASSES) * len(names))
    for place, count in enumerate(found):
        each, value = divmod(place, len(names))
        family.add_metric([CLASSES[each].value, names(value).name.lower()], count)
    return family


def _restore_pending(ledger: NDArray[Any]) -> GaugeMetricFamily:
    """The age of the oldest restore that nobody has reported done, as of the newest record."""
    family = _family(
        "restore_pending_oldest_seconds", "Since the oldest restore not reported done; 0 none", []
    )
    since = ledger["stage_since"][ledger["stage"] == Stage.RESTORE_COMMANDED]
    age = max(_newest(ledger) - int(since.min()), 0) if len(since) else 0
    family.add_metric([], age)
    return family


def _newest(ledger: NDArray[Any]) -> int:
    """The newest instant anything was received at: time is data, also here."""
    return int(ledger["received_at"].max(initial=0))


def _counts(values: NDArray[Any], size: int) -> list[int]:
    return [int(each) for each in np.bincount(values, minlength=size)]


def _family(name: str, meaning: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"kilowatch_{name}", meaning, labels=labels)
