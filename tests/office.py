"""A small utility office whose papers are real: events through a worker's clerk, rows out of it.

`Office` writes inputs in the wire format, has the clerk of their partition enter them as a worker
would, and keeps the state records that a broker would hold, for tests of those who read them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.events import (
    AccountSettings,
    CustomerClass,
    MeterSettings,
    NoticeDelivered,
    PaymentMode,
    PaymentReceived,
    SettingsChanged,
)
from scoring.rules import SupplyRules, WorkingCalendar
from scoring.sheet import sheet_from_dict
from scoring.tariff import Tariffs
from scoring.units import instant, nanos
from streams import wire
from streams.clerk import Clerk, Terms
from streams.log import Fetched, PlainRecord
from streams.rows import HEAD
from streams.topics import (
    DECISIONS,
    DISCONNECTION_NOTICES,
    INTERLOCK,
    LEARNED_ROWS,
    LEDGER_ROWS,
    READINGS,
    SOURCE_OF_TOPIC,
    TARIFFS,
    partition_of,
)
from streams.wire_interlock import Word, decode_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.view import View
    from scoring.events import AccountEvent
    from scoring.interlock import InterlockRules
    from streams.log import Message

SHEETS: list[dict[str, Any]] = json.loads(
    files("simulator").joinpath("tariffs.json").read_text("utf-8")
)
TARIFF_ID = SHEETS[0]["tariffId"]
RULES = SupplyRules(calendar=WorkingCalendar.weekends_only())
MONDAY = instant("2026-07-06T00:00:00+08:00")
HOUR = 3600
DAY = 24 * HOUR


class Office:
    """One worker's clerks, and all they have written."""

    def __init__(self, partitions: int = 2, interlock: InterlockRules | None = None) -> None:
        self.partitions = partitions
        tariffs = Tariffs(map(sheet_from_dict, SHEETS))
        terms = Terms(tariffs, RULES, partitions, interlock=interlock)
        self.clerks = [Clerk(number, terms) for number in range(partitions)]
        self.kept: dict[tuple[str, int], list[PlainRecord]] = defaultdict(list)
        self.offsets: dict[tuple[str, int], int] = defaultdict(int)
        self.told: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.said: dict[str, list[Message]] = defaultdict(list)

    # --- what is said to the worker --------------------------------------------------------------

    def enter(self, topic: str, partition: int, *said: tuple[str | None, bytes, int]) -> None:
        """Input records (key, value, when) through the clerk; what it writes is kept."""
        place = topic, partition
        records = []
        for key, value, at in said:
            raw_key = None if key is None else key.encode()
            records.append(
                PlainRecord(topic, partition, self.offsets[place], at * 1000, raw_key, value)
            )
            self.offsets[place] += 1
        fetched = Fetched(records={SOURCE_OF_TOPIC[topic]: records})
        entry = self.clerks[partition].enter(fetched, payments_caught_up=True)
        for told_topic, told in entry.told.items():
            self.said[told_topic] += told
            self.told[told_topic] += [json.loads(raw_value) for _key, raw_value in told]
        for state_topic, messages in ((LEDGER_ROWS, entry.rows), (LEARNED_ROWS, entry.learned)):
            log = self.kept[state_topic, partition]
            for raw_key, raw_value in messages:
                stamp = records[-1].timestamp
                log.append(PlainRecord(state_topic, partition, len(log), stamp, raw_key, raw_value))
        heads = np.frombuffer(b"".join(row[: HEAD.itemsize] for _, row in entry.rows), HEAD)
        pairs = zip(entry.rows, heads["effects"].tolist(), strict=True)
        carriers = {raw_key for (raw_key, _row), inside in pairs if inside}
        assert entry.carriers == carriers, "an entry knows which of its rows carry something"

    def event(self, event: AccountEvent, at: int) -> None:
        """A control record."""
        encoded = wire.encode_event(event)
        partition = partition_of(event.account_id.encode(), self.partitions)
        self.enter(encoded.topic, partition, (event.account_id, encoded.value, at))

    def open(self, account_id: str, at: int = MONDAY, **terms: Any) -> None:
        """Terms of a prepaid home."""
        settings = AccountSettings(
            version=1,
            customer_class=CustomerClass.RESIDENT,
            payment_mode=PaymentMode.PREPAID,
            tariff_id=TARIFF_ID,
            max_power_w=12_000,
            meter=MeterSettings(f"m-{account_id}", at, start_register_wh=0),
            warning_amount_nanos=nanos("50"),
        )
        self.event(SettingsChanged(account_id, 0, 0, replace(settings, **terms)), at)

    def pay(self, account_id: str, amount: str, at: int = MONDAY) -> None:
        """Money."""
        number = self.offsets[("payments", partition_of(account_id.encode(), self.partitions))]
        paid = PaymentReceived(account_id, 0, 0, f"p-{number}", nanos(amount), at)
        self.event(paid, at)

    def beat(self, at: int) -> None:
        """The payments system says to every partition that it has sent all up to now."""
        for partition in range(self.partitions):
            beat = wire.encode_heartbeat(at)
            self.enter(beat.topic, partition, (None, beat.value, at))

    def tick(self, at: int) -> None:
        """Time passes for every partition."""
        for partition in range(self.partitions):
            tick = wire.encode_tick(at)
            self.enter(tick.topic, partition, (None, tick.value, at))

    def receive(self, account_id: str, at: int) -> None:
        """The gateway proves that the account's newest notice has arrived."""
        notices = self.told[DISCONNECTION_NOTICES]
        notice_id = [each["effectId"] for each in notices if each["accountId"] == account_id][-1]
        self.event(NoticeDelivered(account_id, 0, at, notice_id, at), at)

    def words(self) -> list[Word]:
        """What the interlocks have said."""
        return [w for _key, value in self.said[INTERLOCK] if (w := decode_word(value))]

    def links(self, account_id: str) -> list[bytes]:
        """The account's records of `decisions`."""
        return [v for key, v in self.said[DECISIONS] if key == account_id.encode() and v]

    def read(self, account_id: str, *readings: tuple[int, int]) -> None:
        """Register readings (when, Wh) in one fetch."""
        said = [
            (
                account_id,
                wire.encode_reading(account_id, f"m-{account_id}", at, register_wh=register_wh),
                at + 20,
            )
            for at, register_wh in readings
        ]
        self.enter(READINGS, partition_of(account_id.encode(), self.partitions), *said)

    def live(self, account_id: str, days: int, watts: int = 500, from_at: int = MONDAY) -> None:
        """Hourly readings of an even load, fetched a day at a time."""
        for day in range(days):
            hours = range(day * 24, day * 24 + 24 + (day == days - 1))
            self.read(account_id, *((from_at + hour * HOUR, hour * watts) for hour in hours))

    # --- what a reader of the state topics gets --------------------------------------------------

    @property
    def tariff_records(self) -> list[PlainRecord]:
        """The tariffs topic."""
        encoded = map(wire.encode_tariff, SHEETS)
        return [
            PlainRecord(TARIFFS, 0, offset, 0, each.key, each.value)
            for offset, each in enumerate(encoded)
        ]

    def records(self, topic: str) -> Iterable[tuple[int, list[PlainRecord]]]:
        """The log of each partition of a state topic."""
        for partition in range(self.partitions):
            yield partition, self.kept[topic, partition]

    def feed(self, view: View) -> View:
        """All of it into a view, as `api.tail` does it."""
        view.take_tariffs(self.tariff_records)
        for partition, records in self.records("ledger-rows"):
            view.take_ledger_rows(partition, records)
        for partition, records in self.records("learned-rows"):
            view.take_learned_rows(partition, records)
        for _done in view.looks():
            pass
        return view
