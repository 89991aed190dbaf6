"""Which tariff sheets are in force, as last heard on the `tariffs` topic?

Every worker (and every API process) reads all of the small compacted topic before it scores
anything, and follows it from then on.  It stands apart because tariffs belong to no partition of
accounts.  A sheet that makes no sense is refused by name and the registry stays as it was; what a
sheet means is told in `scoring.tariff`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scoring.effects import Reason
from scoring.sheet import TariffSheet, TariffSheetInvalid
from scoring.tariff import Tariffs, streamed_sheet
from streams.wire import Refusal, decode_tariff, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.log import Record

log = logging.getLogger(__name__)


class TariffDesk:
    """All sheets by key, and the registry made of them."""

    def __init__(self) -> None:
        self.tariffs = Tariffs()
        self._sheets: dict[str, TariffSheet] = {}

    def take(self, records: Sequence[Record]) -> list[Refusal]:
        """Take up new, changed and withdrawn sheets; the refusals of those that make no sense."""
        refusals = []
        for record in records:
            refusal = self._take_one(record)
            if refusal is not None:
                log.error("tariff sheet refused: %s: %s", refusal.reason, refusal.detail)
                refusals.append(refusal)
        return refusals

    def _take_one(self, record: Record) -> Refusal | None:
        decoded = decode_tariff(record)
        if isinstance(decoded, Refusal):
            return decoded
        sheets = dict(self._sheets)
        try:
            if decoded.sheet is None:
                sheets.pop(decoded.key, None)
            else:
                sheets[decoded.key] = streamed_sheet(decoded.sheet)
            tariffs = Tariffs(sheets.values())
        except TariffSheetInvalid as error:
            return refusal_of(record, Reason.TARIFF_SHEET_INVALID, str(error))
        self._sheets, self.tariffs = sheets, tariffs
        return None
