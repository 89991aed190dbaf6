"""What does this API process know of every account?

The view is the workers' ledger and learned rows in the same Book, and beside each its outlook,
computed when a row arrives, so that a question costs a look-up and not a forecast.  It stands apart
from Kafka (`tail`) so that tests can feed it records, and from HTTP (`answer`, `ranking`, `app`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from api.credit_route import Grades
from api.id_order import IdOrder
from api.monitor import Monitor
from scoring.book import Book
from scoring.ids import text_hashes
from scoring.outlook import OUTLOOK, outlook
from scoring.room import with_room
from scoring.situation import zone_named
from scoring.tariff import Tariffs
from scoring.units import NO_TIME
from streams.rightful import Taken, adopt_learned_rows, adopt_ledger_rows
from streams.rows import decode_learned_rows, decode_ledger_rows
from streams.tariff_desk import TariffDesk
from streams.weather_desk import WeatherDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

    from scoring.weather import Weather
    from streams.rows import DecodedRows
    from streams.wire import Record

log = logging.getLogger(__name__)

LOOK_BLOCK = 8_192
"""Accounts whose outlook is computed at once while nobody waits: enough for numpy to be cheap,
little enough to stay in the processor's cache."""


class Place(NamedTuple):
    """Where an account's clock and money are; all None while its tariff is unknown."""

    zone_name: str | None
    zone: tzinfo | None
    currency: str | None


COPIED = {
    "tier": "u1", "stage": "u1", "customer_class": "u1", "collector": "S8",
    "protections": "u1", "quarantined": "u1",
}  # fmt: skip
"""Ledger columns by which lists are often chosen."""

GROWING = ("_look", "_partition", "_id_hash", "_runway_hours", "_balance_nanos",
           *(f"_{name}" for name in COPIED))  # fmt: skip


class View:
    """All accounts of all partitions, as of what has been read.

    The `monitor` knows the finished days, `grades` the credit of large customers.

    While `is_loading`, rows are only taken up; `looks` then computes every outlook, and from there
    on each change computes its own.  `places` are the tariffs' places by number.  `look` (n,) is
    OUTLOOK, `partition` (n,) where a row was read, `id_hash` (n,) a stable number that orders
    accounts of equal rank alike in every process; `runway_hours` (n,), `balance_nanos` (n,) and
    the columns of COPIED (n,) are copies that lie together, because a column of a million rows
    takes ten times as long to walk through.  `newest_read_at` and `newest_received_at` are those of
    all accounts; `on_rows`, if set, is told which rows have been computed anew.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.tariffs = Tariffs()
        self.monitor = Monitor(self)
        self.grades = Grades()
        self.places = places_of(self.tariffs)
        self.is_loading = True
        self.rows_taken = 0
        self.unreadable = 0
        self.ids_in_order = IdOrder.of(self.book.account_ids)
        self._desk, self._skies = TariffDesk(), WeatherDesk()
        self._taken = Taken(self.book)
        self._look = np.zeros(0, OUTLOOK)
        self._partition = np.zeros(0, np.int32)
        self._id_hash = np.zeros(0, np.uint64)
        self._runway_hours = np.zeros(0, np.float32)
        self._balance_nanos = np.zeros(0, np.int64)
        for name, kind in COPIED.items():
            setattr(self, f"_{name}", np.zeros(0, kind))
        self.newest_read_at = self.newest_received_at = NO_TIME
        self.on_rows: Callable[[View, NDArray[np.int64]], None] | None = None

    def __len__(self) -> int:
        return len(self.book)

    @property
    def look(self) -> NDArray[Any]:
        """The outlook of every account."""
        return self._look[: len(self)]

    @property
    def partition(self) -> NDArray[np.int32]:
        """The partition of every account."""
        return self._partition[: len(self)]

    @property
    def id_hash(self) -> NDArray[np.uint64]:
        """A number for every account, the same in every process."""
        return self._id_hash[: len(self)]

    @property
    def runway_hours(self) -> NDArray[np.float32]:
        """The median runway of every account, infinite beyond the horizon."""
        return self._runway_hours[: len(self)]

    @property
    def balance_nanos(self) -> NDArray[np.int64]:
        """The balance of every account."""
        return self._balance_nanos[: len(self)]

    @property
    def tier(self) -> NDArray[np.uint8]:
        """The warning tier of every account."""
        return self.copied("tier")

    def copied(self, name: str) -> NDArray[Any]:
        """A column of COPIED of every account."""
        column: NDArray[Any] = getattr(self, f"_{name}")
        return column[: len(self)]

    # --- taking up records -----------------------------------------------------------------------

    def take_ledger_rows(self, partition: int, records: Sequence[Record]) -> None:
        """Ledger rows of one partition, in log order."""
        decoded = decode_ledger_rows(records)
        self._note(decoded, "ledger-rows", partition)
        before = len(self)
        rows = adopt_ledger_rows(self.book, self._taken, decoded).changed
        if len(self) > before:
            self._welcome(before)
        self._partition[rows] = partition
        self.book.tariff_index[rows] = self.tariffs.index_of(self.book.ledger["tariff_id"][rows])
        self._changed(rows)

    def take_learned_rows(self, partition: int, records: Sequence[Record]) -> None:
        """Learned rows of one partition.

        Of an account whose ledger row has not been read yet they are dropped: the next day's close
        brings them again, and until then a forecast is a little worse and money is exact.
        """
        decoded = decode_learned_rows(records)
        self._note(decoded, "learned-rows", partition)
        self._changed(adopt_learned_rows(self.book, decoded))

    def take_tariffs(self, records: Sequence[Record]) -> bool:
        """Sheets and market prices; True if any changed, and with it every account's outlook."""
        before = self.tariffs
        self._desk.take(records)
        if self._desk.tariffs is before:
            return False
        self.tariffs = self._desk.tariffs
        self.places = places_of(self.tariffs)
        self.book.tariff_index[:] = self.tariffs.index_of(self.book.ledger["tariff_id"])
        return True

    @property
    def weather(self) -> Weather:
        """What the weather feed has stated, as the workers know it."""
        return self._skies.weather

    def take_weather(self, records: Sequence[Record]) -> None:
        """Words on the weather; one that cannot be read makes its area unknown, as for a worker."""
        self._skies.take(records)

    def looks(self) -> Iterator[int]:
        """Compute every account's outlook, block by block; yields how many are done.

        What is taken up between two blocks is computed at once.
        """
        self.is_loading = False
        if len(self.ids_in_order) != len(self):
            self.ids_in_order = IdOrder.of(self.book.account_ids)
        for first in range(0, len(self), LOOK_BLOCK):
            self._compute(np.arange(first, min(first + LOOK_BLOCK, len(self))))
            yield first + LOOK_BLOCK

    def _changed(self, rows: NDArray[np.int64]) -> None:
        self.rows_taken += len(rows)
        if not self.is_loading and len(rows):
            self._compute(rows)

    def _compute(self, rows: NDArray[np.int64]) -> None:
        accounts = self.book.take(rows)
        self._look[rows] = look = outlook(accounts, self.tariffs)
        self._runway_hours[rows] = look["runway_hours_p50"]
        self._balance_nanos[rows] = look["balance_nanos"]
        ledger = accounts.ledger
        for name in COPIED:
            getattr(self, f"_{name}")[rows] = ledger[name]
        self.newest_read_at = max(self.newest_read_at, int(ledger["read_at"].max()))
        self.newest_received_at = max(self.newest_received_at, int(ledger["received_at"].max()))
        if self.on_rows is not None:
            self.on_rows(self, rows)

    def _welcome(self, first: int) -> None:
        """Make room for accounts that are new from row `first` on."""
        count = len(self)
        if count > len(self._look):
            for name in GROWING:
                setattr(self, name, with_room(getattr(self, name), first, count))
        new = self.book.account_ids.of(np.arange(first, count))
        self._id_hash[first:count] = text_hashes(new)
        if not self.is_loading:
            self.ids_in_order = self.ids_in_order.with_rows_from(first)

    def _note(self, decoded: DecodedRows, topic: str, partition: int) -> None:
        self.unreadable += len(decoded.unreadable)
        for offset, why in decoded.unreadable:
            log.error("%s: partition %d offset %d passed over: %s", topic, partition, offset, why)


def places_of(tariffs: Tariffs) -> list[Place]:
    """The place of each tariff by its number, and last, at -1, that of an unknown one."""
    names = [tariffs.zone_name(index) for index in range(len(tariffs.ids))]
    known = [
        Place(name, zone_named(name), tariffs.currency(index)) for index, name in enumerate(names)
    ]
    return [*known, Place(None, None, None)]
