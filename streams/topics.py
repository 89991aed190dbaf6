"""Which topics are there, who shares their partitions, and how long do they keep what they hold?

The topics are data here, because worker, API, simulator and operators must agree on them to the
letter: a topic made by accident with another number of partitions sends an account's payments to
one worker and its readings to another.  This file creates and checks them; what is written in
their records is told in `wire` and `rows`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import murmur2

from scoring.events import Source
from streams.connection import connection_terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.settings import Settings

log = logging.getLogger(__name__)

DAY_MS = 86_400_000

MAX_ROW_BYTES = 16 * 1024 * 1024
"""Largest record of ledger-rows.  A row carries the effects it caused, and one record may hold ten
thousand readings of one account, each closing a day: some 13 MB said at once, never in daily life.
A broker that refused it would stop the worker there for good."""
ANY_TIME_MS = 2**63 - 1

LOOK_SECONDS = 60.0
"""How often at least a worker sees from the offsets of its own rows whether a former owner has
written between them (`streams.partition`)."""

COMPACTION_LAG_SECONDS = 10 * int(LOOK_SECONDS)
"""A former owner's row must be seen and put right before compaction may take the rightful row it
stands after (platform.md 1.3 L10).  Not longer: what is not compacted yet is read in recovery."""

STATE_SEGMENT_BYTES = 32 * 1024 * 1024
"""Of the state topics; the newest segment is never compacted."""

READINGS = "meter-readings"
ACCOUNT_SETTINGS = "account-settings"
PAYMENTS = "payments"
SWITCH_REPORTS = "switch-reports"
OPERATOR_ACTIONS = "operator-actions"
DELIVERY_RECEIPTS = "delivery-receipts"
TICKS = "ticks"
TARIFFS = "tariffs"
MORATORIA = "moratoria"
LOW_BALANCE_WARNINGS = "low-balance-warnings"
DISCONNECTION_NOTICES = "disconnection-notices"
TRIP_COMMANDS = "trip-commands"
RESTORE_COMMANDS = "restore-commands"
STATUS_READS = "status-reads"
WORK_ITEMS = "work-items"
PLAN_NOTICES = "plan-notices"
DECISIONS = "decisions"
DAILY_USAGE = "daily-usage"
ACCOUNT_FORECASTS = "account-forecasts"
REFUSALS = "refusals"
INTERLOCK = "interlock"
CUSTOMER_FILES = "customer-files"
CUSTOMER_POLICIES = "customer-policies"
CUSTOMER_CONTRACTS = "customer-contracts"
CUSTOMER_LETTERS = "customer-letters"
COLLECTION_WORK = "collection-work"
APPRAISALS = "appraisals"
CUSTOMER_FACTS = "customer-facts"
CREDIT_ROWS = "credit-rows"
CREDIT_GRADES = "credit-grades"
LEDGER_ROWS = "ledger-rows"
LEARNED_ROWS = "learned-rows"

APPRAISED_DAYS = 75
"""How long payments, reports and receipts are kept: the appraisal of a month (`kilowatch
customers`) is made anew at each start from all of that month and the one before."""

CHECKED_TERMS = ("cleanup.policy", "message.timestamp.type")
"""What would lose data or falsify time if somebody had made a topic otherwise."""

TO_ALL = frozenset({INTERLOCK})
"""Topics of one partition that every worker writes and reads."""

TOPIC_OF_SOURCE: dict[Source, str] = {
    Source.READINGS: READINGS,
    Source.SETTINGS: ACCOUNT_SETTINGS,
    Source.PAYMENTS: PAYMENTS,
    Source.SWITCH_REPORTS: SWITCH_REPORTS,
    Source.OPERATOR_ACTIONS: OPERATOR_ACTIONS,
    Source.DELIVERY_RECEIPTS: DELIVERY_RECEIPTS,
    Source.TICKS: TICKS,
}
SOURCE_OF_TOPIC: dict[str, Source] = {name: source for source, name in TOPIC_OF_SOURCE.items()}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic's terms.

    `partitions` None: as many as all co-partitioned topics have (KILOWATCH_PARTITIONS).
    `retention_days` None: kept for ever (compacted topics keep the newest record of each key).
    `stamped` True: the record's timestamp is `received_at` (ARCHITECTURE, "Time"), so the broker
    must write it in production.
    """

    name: str
    meaning: str
    partitions: int | None = None
    compacted: bool = False
    retention_days: int | None = None
    stamped: bool = False

    def configs(self, settings: Settings) -> dict[str, str]:
        """The broker's own words for these terms."""
        configs = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(
                -1 if self.retention_days is None else self.retention_days * DAY_MS
            ),
            "message.timestamp.type": "CreateTime",
        }
        if self.name in {LEDGER_ROWS, LEARNED_ROWS}:
            configs |= {
                "max.message.bytes": str(MAX_ROW_BYTES),
                "min.compaction.lag.ms": str(COMPACTION_LAG_SECONDS * 1000),
                "max.compaction.lag.ms": str(2 * COMPACTION_LAG_SECONDS * 1000),
                "segment.ms": str(COMPACTION_LAG_SECONDS * 1000),
                "segment.bytes": str(STATE_SEGMENT_BYTES),
                "min.cleanable.dirty.ratio": "0.2",
            }
        elif self.compacted:
            configs |= {"min.compaction.lag.ms": str(DAY_MS), "segment.ms": str(DAY_MS)}
        if self.stamped and settings.timestamps == "broker":
            configs["message.timestamp.type"] = "LogAppendTime"
        elif self.stamped:
            # Simulated time may lie years away from the broker's, which would refuse records from
            # its future and delete those from its past at once.
            configs["message.timestamp.before.max.ms"] = str(ANY_TIME_MS)
            configs["message.timestamp.after.max.ms"] = str(ANY_TIME_MS)
            configs["retention.ms"] = "-1"
        if settings.replication >= 3:
            configs["min.insync.replicas"] = "2"  # one replica may be down without loss or stop
        return configs


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        # inputs; 35 days outlive the longest repair of a stopped worker
        Topic(READINGS, "registers and intervals from the head-end", None, False, 35, True),
        Topic(ACCOUNT_SETTINGS, "an account's terms, whole each time", None, False, 35, True),
        Topic(
            *(PAYMENTS, "money received, and the payments system's heartbeat"),
            *(None, False, APPRAISED_DAYS, True),
        ),
        Topic(
            *(SWITCH_REPORTS, "what became of commands in the field"),
            *(None, False, APPRAISED_DAYS, True),
        ),
        Topic(OPERATOR_ACTIONS, "holds, releases and approvals by people", None, False, 35, True),
        Topic(
            *(DELIVERY_RECEIPTS, "proof that a notice reached the customer"),
            *(None, False, APPRAISED_DAYS, True),
        ),
        Topic(TICKS, "the passing of time, one per partition and interval", None, False, 7, True),
        Topic(TARIFFS, "tariff sheets, tariffId@validFrom; prices, tariffId@date:prices", 1, True),
        Topic(MORATORIA, "weather that forbids trips, by area", 1, True, stamped=True),
        # what Kilowatch says; evidence of warnings and trips is kept two years
        Topic(LOW_BALANCE_WARNINGS, "the money will not last", None, False, 730),
        Topic(DISCONNECTION_NOTICES, "supply stops unless paid", None, False, 730),
        Topic(TRIP_COMMANDS, "disconnect, until an expiry", None, False, 730),
        Topic(RESTORE_COMMANDS, "connect again", None, False, 730),
        Topic(STATUS_READS, "where does this switch stand?", None, False, 730),
        Topic(WORK_ITEMS, "what a named person is asked to do", None, False, 730),
        Topic(PLAN_NOTICES, "an instalment fails, or a plan is outrun", None, False, 730),
        Topic(DECISIONS, "what was decided and why, also to do nothing", None, False, 730),
        Topic(DAILY_USAGE, "one closed local day of one account", None, False, 730),
        Topic(ACCOUNT_FORECASTS, "the newest outlook of each account", None, True),
        Topic(INTERLOCK, "how each partition's interlock stands, to all", 1, True),
        Topic(REFUSALS, "inputs not taken, with reason and original bytes", None, False, 90),
        # what people agree, decide and do about customers; kept for ever, the newest of each key
        Topic(CUSTOMER_FILES, "the seven blocks of a customer, key account@month.version", 1, True),
        Topic(CUSTOMER_POLICIES, "versions of a customer's terms, key account@version", 1, True),
        Topic(CUSTOMER_CONTRACTS, "supply contracts, guarantors, transformers", 1, True),
        Topic(CUSTOMER_LETTERS, "letters served and their proofs, key account@number", 1, True),
        Topic(COLLECTION_WORK, "work of named collectors, key account@task@cause", 1, True),
        Topic(APPRAISALS, "collectors' months, fairly compared, key month@collector", 1, True),
        # credit of large customers (`kilowatch credit`)
        Topic(CUSTOMER_FACTS, "facts no meter tells, by source", None, False, 730),
        Topic(CREDIT_GRADES, "each large customer's score, grade, stars and why", None, True),
        Topic(CREDIT_ROWS, "what the credit score remembers of each of them", None, True),
        # state
        Topic(LEDGER_ROWS, "ledger rows with the effects they caused (binary)", None, True),
        Topic(LEARNED_ROWS, "learned rows (binary)", None, True),
    )
}


class TopicsWrong(RuntimeError):  # noqa: N818 - the operator reads it as a sentence
    """Topics exist that this Kilowatch cannot work with; the message says which and what to do."""


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key under murmur2, Java's default (librdkafka's differs).

    >>> partition_of(b"home-0001", 8)
    3
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def partitions_of(topic: Topic, settings: Settings) -> int:
    """How many partitions this topic must have."""
    return settings.partitions if topic.partitions is None else topic.partitions


async def ensure_topics(settings: Settings, names: Iterable[str] = tuple(TOPICS)) -> list[str]:
    """Create the topics that are missing and check all; the names of those created.

    Raises TopicsWrong naming every topic whose partitions or terms do not fit.  A broker that does
    not know a term (the embedded one) is taken as it is, with a log line.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap, **connection_terms(settings))
    await admin.start()
    try:
        wanted = [TOPICS[name] for name in names]
        there = await _partition_counts(admin, [topic.name for topic in wanted])
        missing = [topic for topic in wanted if topic.name not in there]
        for topic in missing:
            await _create(admin, topic, settings)
        if missing:
            there = await _wait_for(admin, [topic.name for topic in wanted])
        wrong = _wrong_partitions(wanted, there, settings)
        wrong += await _wrong_terms(admin, [t for t in wanted if t not in missing], settings)
    finally:
        await admin.close()
    if wrong:
        raise TopicsWrong("topics do not fit:\n" + "\n".join(f"- {line}" for line in wrong))
    return [topic.name for topic in missing]


def _wrong_partitions(wanted: list[Topic], there: dict[str, int], settings: Settings) -> list[str]:
    return [
        f"{topic.name} has {there[topic.name]} partitions and needs "
        f"{partitions_of(topic, settings)}: set KILOWATCH_PARTITIONS to what the co-partitioned "
        "topics have, or make the topic anew (a key's partition must never change)"
        for topic in wanted
        if there[topic.name] != partitions_of(topic, settings)
    ]


async def _create(admin: AIOKafkaAdminClient, topic: Topic, settings: Settings) -> None:
    """Create with all terms; a broker that refuses them gets the topic without, and a log line."""
    refusal: KafkaError | None = None
    for configs in (topic.configs(settings), {}):
        new = NewTopic(
            name=topic.name,
            num_partitions=partitions_of(topic, settings),
            replication_factor=settings.replication,
            topic_configs=configs,
        )
        try:
            response = await admin.create_topics([new], timeout_ms=30_000)
            _raise_errors(response)
        except TopicAlreadyExistsError:
            return  # another process was quicker; the check that follows looks at what it made
        except KafkaError as error:
            refusal = refusal or error
        else:
            if refusal is not None:
                log.warning("broker made %s without its terms: %s", topic.name, refusal)
            return
    raise TopicsWrong(f"the broker does not create {topic.name}: {refusal}") from refusal


def _raise_errors(response: Any) -> None:
    for _name, code, *message in response.topic_errors:
        if code:
            kind = for_code(code)
            raise kind(*message)


async def _partition_counts(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    existing = set(await admin.list_topics())
    described = await admin.describe_topics([name for name in names if name in existing] or None)
    return {
        entry["topic"]: len(entry["partitions"])
        for entry in described
        if entry["topic"] in existing and entry["partitions"]
    }


async def _wait_for(
    admin: AIOKafkaAdminClient, names: list[str], seconds: float = 30.0
) -> dict[str, int]:
    """Partition counts once every broker that is asked knows all topics."""
    pause = 0.05
    for _ in range(int(seconds / pause)):
        there = await _partition_counts(admin, names)
        if set(names) <= set(there):
            return there
        await asyncio.sleep(pause)
    unknown = ", ".join(sorted(set(names) - set(there)))
    raise TopicsWrong(f"created, but after {seconds:g} s the broker still does not know: {unknown}")


async def _wrong_terms(
    admin: AIOKafkaAdminClient, topics: list[Topic], settings: Settings
) -> list[str]:
    """Terms of topics somebody else made that would lose data or falsify time."""
    actual = await _configs(admin, [topic.name for topic in topics])
    wrong = []
    for topic in topics:
        wanted = topic.configs(settings)
        wrong += [
            f"{topic.name} has {term}={found} and needs {wanted[term]}: "
            f"kafka-configs --alter --topic {topic.name} --add-config {term}={wanted[term]}"
            for term, found in actual.get(topic.name, {}).items()
            if found != wanted[term]
        ]
    return wrong


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Of each topic the `CHECKED_TERMS`; one question for all, since a restart waits for it."""
    asked = dict.fromkeys(CHECKED_TERMS, "")
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, asked) for name in names]
    try:
        answers = await admin.describe_configs(resources)
    except KafkaError as error:
        log.warning("broker does not tell the terms of its topics: %s", error)
        return {}
    configs: dict[str, dict[str, str]] = {}
    for answer in answers:
        for _code, _message, _type, name, entries in answer.resources:
            told = {entry[0]: entry[1] for entry in entries}
            configs[name] = {term: told[term] for term in CHECKED_TERMS if term in told}
    return configs
