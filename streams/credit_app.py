"""How does the credit of large customers stay as new as the stream?  `kilowatch credit` does it.

One process for all partitions reads contracts and files whole, then finished days, missed
instalments, switch reports and stated facts; it makes its rows durable, then publishes grades, then
commits how far it has read.  What is read twice changes nothing (`customer_history`), so a crash
anywhere only repeats.  Nothing that decides about supply waits for it or reads it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import CollectorRegistry, Gauge

from scoring import credit
from streams.connection import connection_terms
from streams.credit_desk import INPUTS, REGISTER, CreditDesk, CreditTerms
from streams.service import keep_until_told
from streams.settings import settings_from, settings_table
from streams.topics import CREDIT_GRADES, CREDIT_ROWS, REFUSALS, ensure_topics, partition_of
from streams.wire_credit import decode_credit_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings
    from streams.wire import Encoded
    from streams.wire_credit import CreditRow

log = logging.getLogger(__name__)

MOST_RECORDS = 5_000
"""Records taken at once: the days of a middling utility's large customers."""

WAIT_MS = 500


class CreditMeters:
    """What the credit process shows about itself and about how good its chances are."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.brier = self._gauge(
            "kilowatch_arrears_risk_brier_score",
            "Mean squared error of the learned chances of late payment, newest outcomes",
        )
        self.auc = self._gauge(
            "kilowatch_arrears_risk_auc",
            "Chance that a late payer had been told as likelier than another, newest outcomes",
        )
        self.learned = self._gauge(
            "kilowatch_arrears_risk_outcomes", "Outcomes the learned risk has seen"
        )
        self.customers = Gauge(
            "kilowatch_credit_customers", "Large customers by published grade", ["grade"],
            registry=self.registry,
        )  # fmt: skip
        self.refused = Gauge(
            "kilowatch_customer_facts_refused", "Statements not taken since the start", ["reason"],
            registry=self.registry,
        )  # fmt: skip
        self.passed_over = self._gauge(
            "kilowatch_credit_passed_over_records",
            "Records that could not be read, since the start",
        )
        self.behind = self._gauge("kilowatch_credit_behind_records", "Records not taken up yet")
        self.alive_at = self._gauge(
            "kilowatch_credit_alive_timestamp_seconds",
            "When the credit process was last up to work, by the clock of its machine",
        )

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self.registry)

    def show(self, desk: CreditDesk, bands: credit.Bands) -> None:
        """The desk's figures of now."""
        self.brier.set(desk.risk.brier)
        self.auc.set(desk.risk.auc)
        self.learned.set(desk.risk.learned)
        self.passed_over.set(desk.passed_over)
        count = dict.fromkeys(range(bands.best + 1), 0)
        for row in desk.rows.values():
            count[0 if row.published is None else row.published.level] += 1
        for level, customers in count.items():
            self.customers.labels(bands.grade_name(level)).set(customers)
        for reason, refused in desk.refused.items():
            self.refused.labels(reason).set(refused)
        self.alive_at.set_to_current_time()


class CreditApp:
    """Feeds a desk from Kafka, and Kafka from the desk."""

    def __init__(self, desk: CreditDesk, settings: Settings, meters: CreditMeters) -> None:
        self.desk = desk
        self._settings = settings
        self._meters = meters
        self._bands = credit.PRESETS[settings.credit_bands]
        terms = connection_terms(settings)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            group_id=f"{settings.group}-credit",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=WAIT_MS,
            **terms,
        )
        self._producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", **terms)

    async def run(self) -> None:
        """Take up what was kept, then read and publish until cancelled."""
        self.desk.load(await load_rows(self._settings))
        log.info("%d large customers taken up", len(self.desk.rows))
        await self._consumer.start()
        await self._producer.start()
        try:
            shared = range(self._settings.partitions)
            stream = [TopicPartition(each, p) for each in INPUTS for p in shared]
            register = [TopicPartition(each, 0) for each in REGISTER]
            self._consumer.assign([*register, *stream])
            await self._consumer.seek_to_beginning(*register)
            self._consumer.pause(*stream)
            await self._take_register(register)
            self._consumer.resume(*stream)
            while True:
                await self._take_some()
        finally:
            await self._producer.stop()
            await self._consumer.stop()

    async def _take_register(self, places: Sequence[TopicPartition]) -> None:
        """Contracts and files to their ends: a grade must not rest on half of them."""
        waiting = set(places)
        while waiting:
            fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST_RECORDS)
            for some in fetched.values():
                self.desk.load_register(some)
            for each in list(waiting):
                end = self._consumer.highwater(each)  # None until the first fetch is answered
                if end is not None and await self._consumer.position(each) >= end:
                    waiting.remove(each)

    async def _take_some(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST_RECORDS)
        if fetched:
            records = [record for some in fetched.values() for record in some]
            said = self.desk.take(records)
            # rows before grades: what was published must never be forgotten
            await self._send([each for each in said if each.topic != CREDIT_GRADES])
            await self._send([each for each in said if each.topic == CREDIT_GRADES])
            read = {
                each: some[-1].offset + 1
                for each, some in fetched.items()
                if some and each.topic not in REGISTER  # read whole at each start
            }
            if read:
                await self._consumer.commit(read)
        ends = {each: self._consumer.highwater(each) for each in self._consumer.assignment()}
        read_to = {each: await self._consumer.position(each) for each, end in ends.items() if end}
        self._meters.behind.set(sum(max(0, (ends[e] or 0) - at) for e, at in read_to.items()))
        self._meters.show(self.desk, self._bands)

    async def _send(self, said: Sequence[Encoded]) -> None:
        sent = []
        for each in said:
            partition = partition_of(each.key or b"", self._settings.partitions)
            sent.append(await self._producer.send(each.topic, each.value, each.key, partition))
        await asyncio.gather(*sent)  # raises what was not taken; the process ends, and repeats


async def load_rows(settings: Settings) -> list[CreditRow]:
    """All rows as they were last written; raises when one cannot be read."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=WAIT_MS,
        **connection_terms(settings),
    )
    rows: dict[bytes, CreditRow] = {}
    await consumer.start()
    try:
        partitions = [TopicPartition(CREDIT_ROWS, each) for each in range(settings.partitions)]
        consumer.assign(partitions)
        waiting = set(partitions)
        while waiting:
            fetched = await consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST_RECORDS)
            for records in fetched.values():
                for record in records:
                    rows[record.key] = decode_credit_row(record.value)
            for each in list(waiting):
                end = consumer.highwater(each)
                if end is not None and await consumer.position(each) >= end:
                    waiting.remove(each)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{CREDIT_ROWS} holds what this version cannot read: {error}") from error
    finally:
        await consumer.stop()
    return list(rows.values())


async def serve(settings: Settings) -> None:
    """Keep the grades until told to stop."""
    await ensure_topics(settings, (*REGISTER, *INPUTS, CREDIT_ROWS, CREDIT_GRADES, REFUSALS))
    meters = CreditMeters()
    terms = CreditTerms(settings.credit_weights, settings.credit_bands, settings.credit_missing)
    app = CreditApp(CreditDesk(settings.partitions, terms), settings, meters)
    await keep_until_told(app.run, meters.registry, settings)


def main(arguments: list[str]) -> int:
    """`kilowatch credit`."""
    parser = argparse.ArgumentParser(
        prog="kilowatch credit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Grade large customers as their facts arrive; one process for all partitions.",
        epilog="Settings (environment):\n\n" + settings_table(),
    )
    parser.parse_args(arguments)
    settings = settings_from()
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))
    return 0
