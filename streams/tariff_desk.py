"""Which tariff sheets are in force, as last heard on the `tariffs` topic?

Every worker (and every API process) reads all of the small compacted topic before it scores
anything, and follows it from then on.  It stands apart because tariffs belong to no partition of
accounts.  The days' prices of dynamic tariffs stand on the same topic.  What makes no sense is
refused by name and the registry stays as it was; what a sheet means is told in `scoring.tariff`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scoring.effects import Reason
from scoring.market import DAYS_KEPT, DayPrices, prices_from_dict, slots_of, with_prices
from scoring.sheet import TariffSheet, TariffSheetInvalid, sheet_from_dict
from scoring.tariff import Tariffs
from streams.wire import Refusal, decode_tariff, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.log import Record

log = logging.getLogger(__name__)

PRICES = ":prices"
"""Ends the key of a day's market prices: tariffId@date:prices."""


class TariffDesk:
    """All sheets and days of market prices by key, and the registry made of them."""

    def __init__(self) -> None:
        self.tariffs = Tariffs()
        self._sheets: dict[str, TariffSheet] = {}
        self._prices: dict[str, DayPrices] = {}

    def take(self, records: Sequence[Record]) -> list[Refusal]:
        """Take up new, changed and withdrawn sheets; the refusals of those that make no sense."""
        refusals, before = [], dict(self._prices)
        for record in records:
            refusal = self._take_one(record)
            if refusal is not None:
                log.error("tariff sheet refused: %s: %s", refusal.reason, refusal.detail)
                refusals.append(refusal)
        if self._prices != before:
            self._forget_old_prices()
            self.tariffs = with_prices(self.tariffs, self._prices.values())
        return refusals

    def _take_one(self, record: Record) -> Refusal | None:
        decoded = decode_tariff(record)
        if isinstance(decoded, Refusal):
            return decoded
        try:
            if decoded.key.endswith(PRICES):
                self._take_prices(decoded.key, decoded.sheet)
            else:
                self._take_sheet(decoded.key, decoded.sheet)
        except TariffSheetInvalid as error:
            return refusal_of(record, Reason.TARIFF_SHEET_INVALID, str(error))
        return None

    def _take_sheet(self, key: str, plain: dict[str, Any] | None) -> None:
        sheets = dict(self._sheets)
        if plain is None:
            sheets.pop(key, None)
        else:
            sheets[key] = sheet_from_dict(plain)
        if sheets != self._sheets:
            tariffs = with_prices(Tariffs(sheets.values()), self._prices.values())
            self._sheets, self.tariffs = sheets, tariffs

    def _take_prices(self, key: str, plain: dict[str, Any] | None) -> None:
        """Prices may come before their sheet, as they may after a compaction of the log."""
        if plain is None:
            self._prices.pop(key, None)
            return
        prices = prices_from_dict(plain)
        if prices.tariff_id in self.tariffs.ids:
            slots_of(self.tariffs, prices)
        self._prices[key] = prices

    def _forget_old_prices(self) -> None:
        newest: dict[str, int] = {}
        for one in self._prices.values():
            newest[one.tariff_id] = max(one.day, newest.get(one.tariff_id, 0))
        self._prices = {
            key: one
            for key, one in self._prices.items()
            if one.day > newest[one.tariff_id] - DAYS_KEPT
        }
