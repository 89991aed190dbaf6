"""How does a simulated utility run against a real Kilowatch on Kafka?

`kilowatch simulate` steps a world at a multiple of real time (or flat out), writes what it says to
Kafka under simulated time, feeds what Kilowatch answers back to field and customers, and sums up
what happened.  What the world does is told in `world`; whether the answers were right is judged by
the oracle in `tests`, where it is at hand (`--check`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console

from simulator.choices import parser, plan_of, verifier_of
from simulator.link import (
    LinkBroken,
    Progress,
    Reader,
    SendTimes,
    Taken,
    Writer,
    read_all,
    wait_until_known,
)
from simulator.pace import run
from simulator.world import Plan, World
from streams import topics
from streams.settings import settings_from
from streams.topics import ensure_topics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.messages import Input
    from streams.command_verifier import CommandVerifier

EFFECT_TOPICS = (
    topics.LOW_BALANCE_WARNINGS,
    topics.DISCONNECTION_NOTICES,
    topics.TRIP_COMMANDS,
    topics.RESTORE_COMMANDS,
    topics.STATUS_READS,
    topics.DECISIONS,
    topics.DAILY_USAGE,
    topics.WORK_ITEMS,
    topics.PLAN_NOTICES,
    topics.ACCOUNT_FORECASTS,
    topics.REFUSALS,
)
ANSWERED_TOPICS = EFFECT_TOPICS[:6]
URGENT_TOPICS = EFFECT_TOPICS[:4]

QUIET_SECONDS = 1.0
"""Nothing said for so long after everything was committed: the run is over."""

COMMITTED_TOPICS = frozenset(topics.SOURCE_OF_TOPIC)


@dataclass(slots=True)
class Tally:
    """What came back."""

    effects: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    urgent_seconds: list[float] = field(default_factory=list)
    all_seconds: list[float] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    repeats: int = 0
    strangers: int = 0


class Drive:
    """One run of a world on Kafka.

    `kept` False forgets what was sent and said (a long run cannot be judged then); `group` is the
    worker's consumer group.  With a `verifier` the field carries out only what is signed.
    """

    def __init__(
        self,
        plan: Plan,
        bootstrap: str,
        *,
        kept: bool = True,
        group: str = "kilowatch",
        verifier: CommandVerifier | None = None,
    ) -> None:
        self.world = World(plan, verifier)
        self.tally = Tally()
        self.sent: Counter[str] = Counter()
        self.inputs: list[tuple[int, Input]] = []
        self.effects: list[Taken] = []
        self._accounts = {account.customer.account_id for account in self.world.accounts}
        self._kept = kept
        self._times = SendTimes()
        self.bootstrap = bootstrap
        self._writer = Writer(bootstrap)
        found = self._writer.partitions(topics.READINGS)
        if found != plan.partitions:
            raise LinkBroken(
                f"{topics.READINGS} has {found} partitions, this world was made for "
                f"{plan.partitions}: set KILOWATCH_PARTITIONS={found}"
            )
        self._reader = Reader(bootstrap, (*EFFECT_TOPICS, topics.INTERLOCK))
        self._progress = Progress(bootstrap, group)

    def open(self) -> None:
        """Send tariffs, terms and opening payments, and wait until a worker has entered them."""
        self._send(self.world.opening())
        self._writer.flush()
        wait_until_known(self.bootstrap, self._accounts)

    def step(self, until: int) -> None:
        """Let the world go on to an instant of its own time, then hear what was answered."""
        self._send(self.world.step(until))
        self._writer.check()
        self.hear(0.0)

    def hear(self, seconds: float) -> int:
        """Take up what Kilowatch said; how many records that was."""
        count = 0
        for record in self._reader.poll(seconds):
            count += 1
            self._take(record)
        return count

    def uncommitted(self) -> dict[tuple[str, int], int]:
        """Where records wait to be committed, and the offset of the first of them."""
        written = {
            place: offset
            for place, offset in self._writer.next_offsets().items()
            if place[0] in COMMITTED_TOPICS
        }
        committed = self._progress.committed(written)
        return {place: committed[place] for place, end in written.items() if committed[place] < end}

    def behind_seconds(self) -> float:
        """For how long the oldest record that is not committed has been under way."""
        now = self._times.clock()
        sent = [self._times.sent_at(*place, first) for place, first in self.uncommitted().items()]
        return max((now - at for at in sent if at is not None), default=0.0)

    def drain(self, most_seconds: float = 60.0) -> bool:
        """Send nothing more; wait until all is committed and all is said. False if it is not."""
        self._writer.flush()
        started = last = time.monotonic()
        is_done = False
        while not is_done or time.monotonic() - last < QUIET_SECONDS:
            if self.hear(0.2):
                last = time.monotonic()
            elif not is_done:
                is_done = not self.uncommitted()
                last = time.monotonic()
            if time.monotonic() - started > most_seconds:
                return False
        return True

    def settle(self) -> None:
        """`drain`, or LinkBroken."""
        if not self.drain():
            raise LinkBroken("the worker did not come to the end of what was sent")

    def close(self) -> None:
        """End the connections."""
        self._reader.close()
        self._progress.close()
        self._writer.close()

    def _send(self, records: list[Input]) -> None:
        for record in records:
            offset = self._writer.write(record)
            self._times.note(record.topic, record.partition, offset)
            self.sent[record.topic] += 1
            if self._kept:
                self.inputs.append((offset, record))

    def _take(self, record: Taken) -> None:
        body = json.loads(record.value)
        now = self._times.clock()
        if record.topic == topics.INTERLOCK:
            self.world.observe(record.topic, record.value)  # two people must look into a freeze
            return
        if record.topic == topics.REFUSALS:
            self.tally.refusals[body["reason"]] += 1
            if self._kept:
                self.effects.append(record)
            return
        if body["accountId"] not in self._accounts:
            self.tally.strangers += 1
            return
        if self._kept:
            self.effects.append(record)
        if body["effectId"] in self.tally.seen:
            self.tally.repeats += 1
        else:
            self.tally.seen.add(body["effectId"])
            self.tally.effects[record.topic] += 1
            if record.topic == topics.DECISIONS and body["told"] is None:
                for word in body["evidence"]["holds"] or [""]:
                    self.tally.decisions[f"{body['kind']} {word}".strip()] += 1
        cause = body["cause"]
        sent_at = self._times.sent_at(cause["topic"], cause["partition"], cause["offset"])
        if sent_at is not None:
            self.tally.all_seconds.append(now - sent_at)
            if record.topic in URGENT_TOPICS and cause["topic"] == topics.READINGS:
                self.tally.urgent_seconds.append(now - sent_at)
        if record.topic in ANSWERED_TOPICS:
            self.world.observe(record.topic, record.value)

    def summary(self, wall_seconds: float) -> dict[str, Any]:
        """The run in figures."""
        effects, tally = self.tally.effects, self.tally
        simulated = self.world.now - self.world.plan.starts_at
        return {
            "seed": self.world.plan.seed,
            "accounts": len(self._accounts),
            "simulatedDays": round(simulated / 86_400, 3),
            "wallSeconds": round(wall_seconds, 3),
            "readings": self.sent[topics.READINGS],
            "readingsPerSecond": round(self.sent[topics.READINGS] / max(wall_seconds, 1e-9)),
            "payments": self.world.counts["payments"],
            "refusals": sum(tally.refusals.values()),
            "refusalsByReason": dict(sorted(tally.refusals.items())),
            "warnings": effects[topics.LOW_BALANCE_WARNINGS],
            "notices": effects[topics.DISCONNECTION_NOTICES],
            "trips": effects[topics.TRIP_COMMANDS],
            "restores": effects[topics.RESTORE_COMMANDS],
            "tripsExecuted": self.world.counts["trips executed"],
            "restoresExecuted": self.world.counts["restores executed"],
            "fieldIgnored": dict(sorted(self.world.field.ignored.items())),
            "forgedCommands": self.world.field.forged,
            "decisions": dict(sorted(tally.decisions.items())),
            "dailyUsage": effects[topics.DAILY_USAGE],
            "repeatedEffects": tally.repeats,
            "readingToEffectSeconds": {
                "p50": share(tally.urgent_seconds, 0.5),
                "p99": share(tally.urgent_seconds, 0.99),
                "count": len(tally.urgent_seconds),
            },
            "causeToAnySeconds": {
                "p50": share(tally.all_seconds, 0.5),
                "p99": share(tally.all_seconds, 0.99),
                "count": len(tally.all_seconds),
            },
            "faults": dict(sorted(self.world.faults.struck.items())),
        }


def share(values: Sequence[float], part: float) -> float | None:
    """The value below which this part of the values lies, None of none.

    >>> share([3.0, 1.0, 2.0], 0.5), share([], 0.99)
    (2.0, None)
    """
    if not values:
        return None
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 4)


def main(argv: list[str] | None = None) -> int:
    """`kilowatch simulate`: 0 when the run went through and nothing was judged wrong."""
    options = parser().parse_args(argv)
    settings = settings_from()
    console = Console(stderr=True)
    asyncio.run(ensure_topics(settings))
    try:
        plan = plan_of(options, settings.partitions)
        verifier = verifier_of(options)
        drive = Drive(plan, settings.bootstrap, group=settings.group, verifier=verifier)
        drive.open()
        wall_seconds = run(drive, options, console)
        drive.settle()
        summary = drive.summary(wall_seconds)
        wrong = judged(drive, options.check, summary)
        drive.close()
    except LinkBroken as error:
        print(f"kilowatch simulate: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(summary))
    else:
        Console().print_json(data=summary)
    return 1 if wrong else 0


def judged(drive: Drive, check: bool | None, summary: dict[str, Any]) -> bool:
    """Add the oracle's judgment to the summary; True if anything was wrong.

    The oracle lives in `tests` and shares no code with what it judges; an installed wheel has none.
    """
    if check is False:
        return False
    try:
        from tests.oracle_run import judge_drive  # noqa: PLC0415 - see above
    except ImportError:
        if check:
            raise LinkBroken("--check needs the oracle of a source checkout (tests/)") from None
        summary["oracle"] = "not at hand"
        return False
    rows: dict[int, list[Taken]] = {}
    for record in read_all(drive.bootstrap, [topics.LEDGER_ROWS]):
        rows.setdefault(record.partition, []).append(record)
    faults: dict[str, list[str]] = judge_drive(drive, rows)
    summary["oracle"] = {name: len(found) for name, found in faults.items()}
    summary["oracleSays"] = [line for found in faults.values() for line in found][:20]
    return any(faults.values())


if __name__ == "__main__":
    sys.exit(main())
