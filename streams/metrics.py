"""What does a worker show about itself?

Counters and gauges in Prometheus' form, in full words, with units, and with labels whose values are
few and known beforehand: never an account, since a million label values are a million time series.
They stand together so that dashboards and alerts can be checked against one file.  What the figures
should be is told in the alerts; where they are counted, in `streams.worker`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from scoring.effects import Hold
from scoring.events import CustomerClass, Source
from scoring.interlock import Freeze
from streams.field_reports import OUTCOMES
from streams.topics import (
    DISCONNECTION_NOTICES,
    LOW_BALANCE_WARNINGS,
    RESTORE_COMMANDS,
    TOPIC_OF_SOURCE,
    TRIP_COMMANDS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.clerk import Clerk
    from streams.entry import Tally

BATCH_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
RESTORE_SECONDS = (15.0, 30.0, 60.0, 180.0, 600.0, 1_200.0, 3_600.0, 14_400.0, 86_400.0)
"""Around the usual quarter of a minute, the target of 20 minutes and the law's 24 hours (domain.md
5 and 6)."""

LATENCY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Meters:
    """All figures of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.readings = self._counter("readings", "Readings taken, by outcome", "outcome")
        self.refusals = self._counter("refusals", "Inputs refused, by reason", "reason")
        self.effects = self._counter("effects", "Effects told, by topic", "topic")
        self.records = self._counter("records", "Input records taken, by topic", "topic")
        self.rows = self._counter("rows_appended", "Rows appended to the log, by topic", "topic")
        self.commits = self._counter("commits", "Offset commits, by outcome", "outcome")
        self.quarantines = self._counter("quarantines", "Accounts put into quarantine")
        self.entry_seconds = self._histogram(
            "entry_seconds", "Decoding and scoring one entry", BATCH_SECONDS
        )
        self.reading_to_effect = self._histogram(
            "reading_to_effect_seconds",
            "From the timestamp of a record to the acknowledgement of the effect it caused",
            LATENCY_SECONDS,
        )
        self.recovery_seconds = self._histogram(
            "recovery_seconds",
            "Taking up one partition",
            (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        )
        self.reports = self._counter("switch_reports", "Field reports, by outcome", "outcome")
        self.restore_seconds = self._histogram(
            "restore_seconds",
            "From a restore's command to the report that the supply is on or armed",
            RESTORE_SECONDS,
        )
        self.partitions = self._gauge("partitions_owned", "Partitions this worker is ready for")
        self.recovering = self._gauge("partitions_recovering", "Partitions being taken up")
        self.accounts = self._gauge("accounts", "Accounts in this worker's books")
        self.quarantined = self._gauge("accounts_quarantined", "Accounts in quarantine now")
        self.held = self._gauge("accounts_held", "Exhausted accounts left connected", "hold")
        self.lag = self._gauge("lag_records", "Records not yet taken, by topic", "topic")
        self.heartbeat_age = self._gauge(
            "payments_heartbeat_age_seconds",
            "Since the instant up to which the payments system says it has sent all; the oldest "
            "of this worker's partitions",
        )
        self.forecast = {
            name: self._gauge(f"forecast_{name}", meaning, "customer_class")
            for name, meaning in (
                ("wape", "Day-ahead error over usage, of about the last fortnight"),
                ("bias", "Day-ahead forecast less usage, over usage, likewise"),
                ("coverage", "Share of days inside their 80 % interval, likewise"),
            )
        }
        self.frozen = self._gauge(
            "interlock_frozen",
            "Partitions of this worker whose trips are frozen, by cause",
            "cause",
        )
        self.census = self._gauge(
            "interlock_accounts", "Accounts as the fleet interlock counts them", "what"
        )
        self.loop_lag = self._gauge("loop_lag_seconds", "How late the event loop's timer was")
        self.alive_at = self._gauge(
            "worker_alive_timestamp_seconds",
            "When the worker last took stock with a partition to work on, by its machine's clock",
        )
        for source in Source:  # a series that starts at 0 can be alerted on
            self.records.labels(TOPIC_OF_SOURCE[source])
        for topic in (LOW_BALANCE_WARNINGS, DISCONNECTION_NOTICES, TRIP_COMMANDS, RESTORE_COMMANDS):
            self.effects.labels(topic)
        for outcome in OUTCOMES:
            self.reports.labels(outcome)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"kilowatch_{name}_total", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"kilowatch_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"kilowatch_{name}", meaning, buckets=buckets, registry=self.registry)

    def settled(self, tally: Tally) -> None:
        """An entry is durable and told."""
        for outcome, count in tally.outcomes.items():
            self.readings.labels(outcome).inc(count)
        for reason, count in tally.refusals.items():
            self.refusals.labels(reason).inc(count)
        for topic, count in tally.effects.items():
            self.effects.labels(topic).inc(count)
        for source, count in tally.records.items():
            self.records.labels(TOPIC_OF_SOURCE[source]).inc(count)
        for topic, count in tally.rows.items():
            self.rows.labels(topic).inc(count)
        for outcome, count in tally.reports.items():
            self.reports.labels(outcome).inc(count)
        for seconds in tally.restore_seconds:
            self.restore_seconds.observe(seconds)
        self.quarantines.inc(tally.quarantined)
        if tally.stamped_ms:
            now_ms = time.time() * 1000
            for stamped_ms in tally.stamped_ms:
                self.reading_to_effect.observe(max(now_ms - stamped_ms, 0.0) / 1000)

    def look(self, clerks: Mapping[int, Clerk], lag: Mapping[Source, int]) -> None:
        """Take stock of the books: a few milliseconds per million accounts."""
        self.accounts.set(sum(len(clerk.book) for clerk in clerks.values()))
        quarantined = 0
        held = dict.fromkeys(Hold, 0)
        for clerk in clerks.values():
            ledger = clerk.book.ledger
            quarantined += int((ledger["quarantined"] != 0).sum())
            holds = ledger["holds"][ledger["holds"] != 0]
            for hold in held:
                held[hold] += int(((holds & int(hold)) != 0).sum())
        self.quarantined.set(quarantined)
        for hold, count in held.items():
            self.held.labels(str(hold.name).lower()).set(count)
        self._look_at_forecasts(clerks)
        self._look_at_interlocks(clerks)
        for source, topic in TOPIC_OF_SOURCE.items():
            self.lag.labels(topic).set(lag.get(source, 0))
        if clerks:
            self.alive_at.set_to_current_time()
        heartbeats = [clerk.feed.heartbeat_at for clerk in clerks.values()]
        if heartbeats:
            self.heartbeat_age.set(max(time.time() - min(heartbeats), 0.0))

    def _look_at_interlocks(self, clerks: Mapping[int, Clerk]) -> None:
        """What is frozen, and the counts that freeze."""
        found = [clerk.interlock for clerk in clerks.values() if clerk.interlock is not None]
        for cause in Freeze:
            frozen = sum(bool(each.state.why & cause) for each in found)
            self.frozen.labels(str(cause.name).lower()).set(frozen)
        for what in ("accounts", "out_of_money", "estimated", "tripped_in_hour"):
            self.census.labels(what).set(sum(getattr(each.census, what) for each in found))

    def _look_at_forecasts(self, clerks: Mapping[int, Clerk]) -> None:
        """How right the forecasts of each customer class were, over all partitions."""
        if not clerks:
            return
        quality = sum(clerk.book.pools.quality for clerk in clerks.values())
        for customer_class, (used, error, signed, inside, days) in zip(
            CustomerClass, np.transpose(quality).tolist(), strict=True
        ):
            if days > 0 and used > 0:
                for name, share in (
                    ("wape", error / used),
                    ("bias", signed / used),
                    ("coverage", inside / days),
                ):
                    self.forecast[name].labels(customer_class.value).set(share)
