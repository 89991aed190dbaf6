"""How do policies, letters, work and appraisals stay as new as the stream?  `kilowatch customers`.

One process for all partitions, without a group: it reads the register to its end, then what the
stream said in the last weeks, and goes on for ever.  What it writes has names made from its causes,
so a crash anywhere only repeats, and reading again finds everything done.  Terms go to the stream
before the mark that they went.  Nothing that decides about a supply waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import CollectorRegistry, Gauge

from api.customer_desk import STREAM_TOPICS, CustomerDesk
from api.papers import USUAL_FONTS, fonts_missing
from api.register import TOPICS
from scoring.policy import Status, overtaken_by
from scoring.units import SECONDS_PER_DAY
from streams.connection import connection_terms
from streams.service import keep_until_told
from streams.settings import settings_from, settings_table
from streams.topics import (
    ACCOUNT_SETTINGS,
    APPRAISED_DAYS,
    CREDIT_GRADES,
    PAYMENTS,
    ensure_topics,
    partition_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings
    from streams.wire import Encoded, Record

log = logging.getLogger(__name__)

LOOK_BACK_DAYS = 70
"""Of the stream that is read again at each start: two months and late data."""

MOST_RECORDS = 5_000
WAIT_MS = 300

OVERTAKEN = "overtaken"
"""Of a proposal that a newer one has replaced before anybody decided it."""

SHOW_SECONDS = 10.0
"""How often the register is counted for /metrics."""


class CustomerMeters:
    """What the customers' process shows about itself and the register."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.policies = self._gauge(
            "kilowatch_policies", "Versions of customers' policies by status", "status"
        )
        self.in_force = self._gauge(
            "kilowatch_policies_in_force", "Customers by the payment mode of their policy", "mode"
        )
        self.letters = self._gauge(
            "kilowatch_letters", "Letters served, by kind and proof of delivery", "letter", "proven"
        )
        self.work = self._gauge(
            "kilowatch_collection_work", "Open work items, in time and late", "task", "is_late"
        )
        self.contracts = self._gauge(
            "kilowatch_contracts", "Supply contracts: in force, ending within 30 days, ended",
            "state",
        )  # fmt: skip
        self.figures = self._gauge(
            "kilowatch_collection_figure", "Figures of the newest appraised month, all collectors",
            "figure",
        )  # fmt: skip
        self.collectors = self._gauge(
            "kilowatch_collectors", "Collectors by the verdict of the newest appraisal", "verdict"
        )
        self.unreadable = self._gauge(
            "kilowatch_customers_unreadable_records", "Records passed over since the start"
        )
        self.behind = self._gauge("kilowatch_customers_behind_records", "Records not taken up yet")
        self.alive_at = self._gauge(
            "kilowatch_customers_alive_timestamp_seconds",
            "When the customers' process was last up to work, by the clock of its machine",
        )

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def show(self, desk: CustomerDesk, now: int, today: date) -> None:
        """Count the register."""
        register = desk.register
        for gauge in (self.policies, self.in_force, self.letters, self.work, self.contracts,
                      self.figures, self.collectors):  # fmt: skip
            gauge.clear()
        for status in (*(each.value for each in Status), OVERTAKEN):
            self.policies.labels(status).set(0)
        for account_id in register.accounts():
            versions = register.policies(account_id)
            for one in versions:
                status = OVERTAKEN if overtaken_by(one, versions) else one.status.value
                self.policies.labels(status).inc()
            holds = register.holding(account_id, today)
            if holds is not None:
                self.in_force.labels(holds.terms.payment_mode.value).inc()
            for served in register.letters(account_id):
                proven = "yes" if served.proof else "no"
                self.letters.labels(served.letter.value, proven).inc()
        for item in register.work():
            if item.is_open:
                late = "yes" if item.is_late(now) else "no"
                self.work.labels(item.task.value, late).inc()
        for contract in register.contracts():
            left = (contract.valid_to - today).days
            state = "ended" if left < 0 else "ends soon" if left <= 30 else "in force"
            self.contracts.labels(state).inc()
        self._show_appraisal(desk)
        self.unreadable.set(desk.unreadable + register.unreadable)

    def _show_appraisal(self, desk: CustomerDesk) -> None:
        months = desk.register.appraised_months()
        for one in desk.register.appraised(months[0]) if months else ():
            if one.compared is not None:
                self.collectors.labels(one.compared.verdict.value).inc()
                continue
            for name in ("current_recovery", "old_arrears_recovery", "advance_share",
                         "prepaid_coverage", "prepaid_sales", "carry_over",
                         "days_past_due", "dunning_to_payment_hours",
                         "wrongful_trips_per_10000", "restore_seconds_p95"):  # fmt: skip
                value = getattr(one.kpis, name).value
                if value is not None:
                    self.figures.labels(name).set(value)


class CustomersApp:
    """Feeds a desk from Kafka, and Kafka from the desk."""

    def __init__(self, desk: CustomerDesk, settings: Settings, meters: CustomerMeters) -> None:
        self.desk = desk
        self._settings = settings
        self._meters = meters
        self._is_caught_up = False
        self._show_at = 0.0
        terms = connection_terms(settings)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=WAIT_MS,
            **terms,
        )
        self._producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", **terms)
        self._register = [TopicPartition(topic, 0) for topic in TOPICS]
        shared = range(settings.partitions)
        self._stream = [TopicPartition(topic, each) for topic in STREAM_TOPICS for each in shared]

    async def run(self) -> None:
        """Read all there is, then go on until cancelled."""
        await self._consumer.start()
        await self._producer.start()
        try:
            self._consumer.assign([*self._register, *self._stream])
            self._consumer.pause(*self._stream)
            while not await self._are_at_end(self._register):
                await self._take_some()
            await self._look_back()
            self._consumer.resume(*self._stream)
            while True:
                await self._take_some()
                if not self._is_caught_up:
                    self._is_caught_up = await self._are_at_end([*self._register, *self._stream])
        finally:
            await self._producer.stop()
            await self._consumer.stop()

    async def _look_back(self) -> None:
        """To the first record of the last weeks; grades, the newest of each, from the beginning.

        Where payments begin later than a month, they are not all there: what was told of that month
        stands, and is not told anew with less.
        """
        if self._settings.timestamps == "producer":
            return  # simulated time is not that of the wall; such logs are short
        first_ms = int(time.time() - LOOK_BACK_DAYS * SECONDS_PER_DAY) * 1000
        wanted = [each for each in self._stream if each.topic != CREDIT_GRADES]
        found = await self._consumer.offsets_for_times(dict.fromkeys(wanted, first_ms))
        begins = date.min
        for place, at in found.items():
            if at is None:
                await self._consumer.seek_to_end(place)
                continue
            self._consumer.seek(place, at.offset)
            if place.topic == PAYMENTS and at.offset:
                began = datetime.fromtimestamp(at.timestamp / 1000, UTC).date()
                begins = max(begins, began + timedelta(days=1))
        self.desk.months_from = begins
        if begins > date.min:
            log.warning(
                "months that began before %s are not appraised anew: the topic %s holds no earlier "
                "payments (it needs retention.ms of %d days)",
                *(begins, PAYMENTS, APPRAISED_DAYS),
            )

    async def _are_at_end(self, places: Sequence[TopicPartition]) -> bool:
        for each in places:
            end = self._consumer.highwater(each)  # None until the first fetch is answered
            if end is None or await self._consumer.position(each) < end:
                return False
        return True

    async def _take_some(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST_RECORDS)
        records: list[Record] = [record for some in fetched.values() for record in some]
        said = self.desk.take(records, int(time.time()), is_caught_up=self._is_caught_up)
        await self._send([each for each in said if each.topic == ACCOUNT_SETTINGS])
        await self._send([each for each in said if each.topic != ACCOUNT_SETTINGS])
        ends = {each: self._consumer.highwater(each) for each in self._consumer.assignment()}
        read_to = {each: await self._consumer.position(each) for each, end in ends.items() if end}
        self._meters.behind.set(sum(max(0, (ends[e] or 0) - at) for e, at in read_to.items()))
        if time.monotonic() >= self._show_at:
            self._show_at = time.monotonic() + SHOW_SECONDS
            self._meters.show(self.desk, int(time.time()), datetime.now(self.desk.zone).date())
        self._meters.alive_at.set_to_current_time()

    async def _send(self, said: Sequence[Encoded]) -> None:
        sent = []
        for each in said:
            key, partition = each.key or b"", 0
            if each.topic == ACCOUNT_SETTINGS:
                partition = partition_of(key, self._settings.partitions)
            stamp = self.desk.stamp_of(key.decode()) if self._is_simulated else None
            sent.append(
                await self._producer.send(
                    each.topic, each.value, key, partition, timestamp_ms=stamp
                )
            )
        await asyncio.gather(*sent)  # raises what was not taken; the process ends, and repeats

    @property
    def _is_simulated(self) -> bool:
        return self._settings.timestamps == "producer"


async def serve(settings: Settings, zone: ZoneInfo) -> None:
    """Keep the register until told to stop."""
    await ensure_topics(settings, (*TOPICS, *STREAM_TOPICS, ACCOUNT_SETTINGS))
    meters = CustomerMeters()
    fonts = settings.fonts or USUAL_FONTS
    missing = fonts_missing(fonts)
    if missing:
        log.warning("letters are registered but not printed: %s", missing)
    desk = CustomerDesk(
        settings.partitions,
        zone,
        is_simulated=settings.timestamps == "producer",
        fonts="" if missing else fonts,
    )
    await keep_until_told(CustomersApp(desk, settings, meters).run, meters.registry, settings)


def main(arguments: list[str]) -> int:
    """`kilowatch customers`."""
    parser = argparse.ArgumentParser(
        prog="kilowatch customers",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Keep policies, letters, work and appraisals as the stream and grades say.",
        epilog="Settings (environment):\n\n" + settings_table(),
    )
    parser.add_argument("--zone", default="Asia/Shanghai", help="whose local days are meant")
    zone = ZoneInfo(parser.parse_args(arguments).zone)
    settings = settings_from()
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, zone))
    return 0
