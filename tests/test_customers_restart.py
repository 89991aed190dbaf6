"""`kilowatch customers` and `kilowatch credit`, killed in mid-work on a broker: what is told again?

Real processes, ended as a power cut would.  Days, a contract and facts come in, the rules propose,
a person approves, a notice is given and received; after each step both are killed and started
anew.  Nothing may be told twice with two bodies, and a start with nothing new to do says nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from datetime import date, timedelta

import pytest
from kafka import KafkaConsumer, TopicPartition

from api.register import TOPICS, Register
from deploy.broker import EmbeddedBroker
from deploy.local import asked, metric
from deploy.processes import Child, free_port
from scoring import policy
from scoring.collection import Task
from scoring.effects import DisconnectionNotice, WorkItem
from scoring.events import NoticeDelivered, PaymentMode, PaymentReceived
from simulator.link import Writer
from simulator.messages import Input
from streams import topics
from streams.settings import settings_from
from streams.topics import ensure_topics
from streams.wire import encode_effect, encode_event
from streams.wire_customers import encode_fact
from tests.both_desks import CAUSE, EVIDENCE, at
from tests.test_customer_desk import CONTRACT, FIRST, LATE
from tests.works import CENT, GOOD_FACTS, PARTITIONS, PLAIN, WORKS, days_of, facts_record, record

pytestmark = pytest.mark.broker
READY_SECONDS = 90.0
"""A loaded machine needs a while to start two processes."""

SAID = (*TOPICS, topics.ACCOUNT_SETTINGS, topics.CREDIT_GRADES)
NOTICE = f"{WORKS}:notice:9"


class Office:
    """Both processes on a broker, and all they have said."""

    def __init__(self, environment, directory) -> None:
        self.directory, self.environment = directory, environment
        bootstrap = environment["KILOWATCH_BOOTSTRAP"]
        self.writer = Writer(bootstrap)
        self.reader = KafkaConsumer(bootstrap_servers=[bootstrap], auto_offset_reset="earliest")
        self.reader.assign([
            TopicPartition(name, each)
            for name in SAID
            for each in range(1 if name in TOPICS else PARTITIONS)
        ])  # fmt: skip
        self.said = []
        self.running = []
        self.ports = {}
        self.sent = 1_750_000_000

    def start(self) -> None:
        """Both processes; at once, since readiness is seen from what they say."""
        for word in ("credit", "customers"):
            self.ports[word] = free_port()
            more = {"KILOWATCH_METRICS_PORT": str(self.ports[word])}
            command = [sys.executable, "-m", "deploy.cli", word]
            self.running.append(
                Child.start(word, command, self.directory, {**self.environment, **more})
            )

    def kill(self) -> None:
        for child in self.running:
            child.kill()
        self.running.clear()

    def write(self, *records) -> None:
        for one in records:
            self.sent += 1
            place = one.topic, getattr(one, "partition", 0)
            self.writer.write(Input(*place, (one.key or b"").decode(), one.value, self.sent))
        self.writer.flush()

    def put(self, fact) -> None:
        self.write(encode_fact(fact))

    def hear(self) -> Register:
        """What customers' topics hold now."""
        for some in self.reader.poll(timeout_ms=200).values():
            self.said += some
        register = Register()
        register.take(one for one in self.said if one.topic in TOPICS)
        return register

    def until(self, has_come) -> Register:
        found = []

        def look() -> bool:
            found[:] = [self.hear()]
            return bool(has_come(found[0]))

        self.running[-1].wait_until(look, READY_SECONDS)
        return found[0]

    def until_idle(self) -> None:
        """Until both have read all there is, and what they had to say about it is heard."""
        for word, port in self.ports.items():
            text = ""

            def is_idle(word=word, port=port) -> bool:
                nonlocal text
                text = asked(f"http://127.0.0.1:{port}/metrics")
                behind = f"{word}_behind_records"
                return f"kilowatch_{behind} " in text and metric(text, behind) == 0

            self.running[-1].wait_until(is_idle, READY_SECONDS)
        self.hear()

    def restart(self) -> None:
        self.kill()
        self.start()


def terms_told(office) -> list[dict]:
    return [
        body
        for one in office.said
        if one.topic == topics.ACCOUNT_SETTINGS and (body := json.loads(one.value))
    ]


def test_killed_after_every_step_nothing_is_told_in_two_ways(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:
        environment = {
            "KILOWATCH_BOOTSTRAP": broker.bootstrap, "KILOWATCH_PARTITIONS": str(PARTITIONS),
            "KILOWATCH_TIMESTAMPS": "producer", "KILOWATCH_TICKS": "outside",
            "KILOWATCH_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        asyncio.run(ensure_topics(settings_from(environment)))
        office = Office(environment, tmp_path)
        try:
            _live(office)
        finally:
            office.kill()
            office.writer.close()
            office.reader.close()


def _live(office):
    good = PLAIN
    office.put(CONTRACT)
    office.write(facts_record(GOOD_FACTS), *days_of(FIRST, 120, large=good, mode="plan"))
    office.start()
    office.until(lambda register: register.waiting())
    office.restart()  # a proposal waits: it is not made again

    office.write(*days_of(FIRST + timedelta(120), 70, large=LATE, mode="plan"))
    fall = office.until(
        lambda register: [
            one for one in register.waiting() if one.terms.payment_mode is PaymentMode.PREPAID
        ]
    ).waiting()[-1]
    today = date(2026, 7, 1)
    done = policy.approve(fall, "wang", "agreed", fall.proposed_at, today, today)
    office.kill()
    office.put(policy.replace(done, effective_on=FIRST))
    office.start()
    office.until(lambda _: terms_told(office))
    office.restart()  # between the terms and the mark that they went, or just after

    day = FIRST + timedelta(189)
    notice = DisconnectionNotice(
        NOTICE, WORKS, at(day), CAUSE, EVIDENCE, 4_000 * CENT, at(day, 12) + 86_400
    )
    asked_for = WorkItem(f"{WORKS}:w:1", WORKS, at(day), CAUSE, EVIDENCE, "collect", "open",
                         "col-1", "x", "", "")  # fmt: skip
    office.write(record(encode_effect(notice)), record(encode_effect(asked_for)))
    office.until(lambda register: register.letters(WORKS) and register.open_work(WORKS))
    office.restart()

    received = NoticeDelivered(WORKS, 0, 0, NOTICE, at(day, 11))
    paid = PaymentReceived(WORKS, 0, 0, "p-1", 9_000 * CENT, at(day, 12))
    office.write(record(encode_event(received)), record(encode_event(paid)))
    register = office.until(lambda register: register.letters(WORKS)[0].proof)
    office.until_idle()
    letters, work = register.letters(WORKS), office.hear().work()

    before = len(office.said)
    office.restart()
    office.until_idle()
    office.until_idle()  # twice, since the second process hears what the first one says
    assert office.said[before:] == [], "whoever starts anew finds everything done"
    register = office.hear()
    assert (register.letters(WORKS), register.work()) == (letters, work)
    assert len(letters) == 1
    assert [one.task for one in work if one.is_open] == [Task.COLLECT]
    assert register.policy(fall.policy_id).obeyed_at

    # the same cause told twice says the same: one paper, one step of a policy, one state of work
    papers = defaultdict(set)
    for one in office.said:
        if one.topic == topics.CUSTOMER_LETTERS:
            fact = json.loads(one.value)["fact"]
            papers[one.key, bool(fact["proof"])].add(one.value)
        elif one.topic == topics.CUSTOMER_POLICIES:
            fact = json.loads(one.value)["fact"]
            step = fact["status"], bool(fact["obeyedAt"])
            papers[one.key, *step].add(json.dumps(fact["terms"]))
        elif one.topic == topics.COLLECTION_WORK:
            fact = json.loads(one.value)["fact"]
            papers[one.key, bool(fact["closedAt"])].add(one.value)
        elif one.topic == topics.ACCOUNT_SETTINGS:
            body = json.loads(one.value)
            papers[one.key, body["policyVersion"]].add(one.value)
    assert {key: len(bodies) for key, bodies in papers.items() if len(bodies) > 1} == {}
