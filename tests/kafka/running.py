"""How does a utility go on while its workers are killed?

A simulated utility on a real Kafka, and a supervisor that starts a worker again when one has ended;
both in turns of one thread, so that a test can strike at a certain point of the work's progress and
not at one of time.  It stands apart because every test of this kind needs it whole; what is struck
is told in `test_chaos`, and whether the outcome was right in `evidence`.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.local import Site, asked, metric
from deploy.processes import Child, free_port
from simulator.drive import ANSWERED_TOPICS, Drive
from simulator.link import RECONNECT_MS, Reader
from simulator.world import Plan
from streams.topics import LEDGER_ROWS, READINGS, SOURCE_OF_TOPIC, TARIFFS
from tests.kafka.evidence import Worked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from simulator.link import Taken

PARTITIONS = 4
STEP_SECONDS = 300
PACE_SECONDS = 0.05
"""A step lasts at least so long: an hour in 0.6 s, some 700 readings a second of 100 accounts."""
HOUR = 3_600

MAX_BEHIND = 150
"""Records under way at which the utility waits for the workers: a quarter of a simulated hour of a
hundred accounts, so that most trips are obeyed before they expire."""

PLACES = tuple((topic, number) for topic in SOURCE_OF_TOPIC for number in range(PARTITIONS))
"""The partitions of all inputs that workers share."""

ASK_SECONDS = 0.1
LOOK_SECONDS = 0.5
ASK_TIMEOUT_MS = 3_000
HEAR_SECONDS = 0.01
PATIENCE_SECONDS = 300.0
"""Longer than anything here takes on a loaded machine; what takes longer is dead."""


def plan_of(seed: int, accounts: int = 100) -> Plan:
    """A world in which many run out of money within the first days."""
    return Plan(seed=seed, accounts=accounts, partitions=PARTITIONS, opening_days=(0.1, 4.0))


@dataclass(slots=True)
class Post:
    """A place at which a worker always stands; `name` is its instance id if it keeps one."""

    name: str
    child: Child
    port: int  # of its metrics
    number: int = 1
    is_kept: bool = True  # the supervisor starts another when this one has ended
    ended_with: list[int] = field(default_factory=list)  # by itself, not by our hand
    last_words: list[str] = field(default_factory=list)  # its log's end, each time


class Running:
    """One utility, its workers and what they have written, while the `with` block runs.

    `named`: workers keep their instance id over a restart (static membership), as pods of a
    stateful set do.
    """

    def __init__(
        self, bootstrap: str, directory: Path, plan: Plan, *, workers: int = 2, named: bool = False
    ) -> None:
        self.group = f"chaos-{directory.name}"
        self.max_behind = MAX_BEHIND
        self.worked = Worked(PARTITIONS)
        self.seen: Counter[str] = Counter()
        self.rows: dict[int, list[Taken]] = {number: [] for number in range(PARTITIONS)}
        self.posts: list[Post] = []
        more = {"KILOWATCH_GROUP": self.group, "KILOWATCH_LOG_LEVEL": "INFO"}
        self.site = Site(directory, bootstrap, PARTITIONS, more)
        self._plan, self._named, self._count = plan, named, workers
        self._asked_at = self._stepped_at = self._looked_at = 0.0
        self._committed = self._repeated = 0

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self.site.stop)
            self.site.start_broker()  # it is there: makes the topics
            self._admin = KafkaAdminClient(
                bootstrap_servers=[self.site.bootstrap],
                request_timeout_ms=ASK_TIMEOUT_MS,
                reconnect_backoff_max_ms=RECONNECT_MS,
            )
            starting.callback(self._admin.close)
            self._watch = Reader(self.site.bootstrap, [LEDGER_ROWS])
            starting.callback(self._watch.close)
            for _ in range(self._count):
                self.add_worker()
            self.drive = Drive(self._plan, self.site.bootstrap, kept=False)
            starting.callback(self.drive.close)
            # The topics are new, so the first offset of each place need not be waited for: a broker
            # that is down must not hold up the thread that starts it again.
            self.drive._writer._base = dict.fromkeys(PLACES, 0)
            self.drive.open()
            self._ending = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.close()

    # --- workers ---------------------------------------------------------------------------------

    def add_worker(self) -> Post:
        """One more worker, started and kept."""
        name = f"worker-{len(self.posts) + 1}"
        post = Post(name, *self._start(name, name))
        self.posts.append(post)
        return post

    def stop(self, post: Post) -> int:
        """SIGTERM, while the utility goes on; the exit code.  Nobody starts it until `start`."""
        post.is_kept = False
        post.child.ask_to_stop()
        self.until(lambda: not post.child.is_running, f"{post.name} ends when asked to")
        return int(post.child.process.returncode)

    def kill(self, post: Post) -> float:
        """SIGKILL; the wall time at which.  Nobody starts it until `start`."""
        post.is_kept = False
        at = time.time()
        post.child.kill()
        self.seen["kills"] += 1
        return at

    def start(self, post: Post) -> None:
        """The supervisor starts this worker again, and from now on whenever it ends."""
        post.is_kept = True
        self._again(post)

    def _again(self, post: Post) -> None:
        post.number += 1
        post.child, post.port = self._start(f"{post.name}.{post.number}", post.name)

    def _start(self, name: str, instance_id: str) -> tuple[Child, int]:
        port = free_port()
        more = {"KILOWATCH_METRICS_PORT": str(port)}
        if self._named:
            more["KILOWATCH_INSTANCE_ID"] = instance_id
        return self.site._start(name, "worker", more), port

    def supervise(self) -> None:
        """Start a worker again that has ended by itself, and remember that it has."""
        for post in self.posts:
            if post.is_kept and not post.child.is_running:
                post.ended_with.append(int(post.child.process.returncode))
                post.last_words.append(post.child.log_end())
                self._again(post)

    def members(self) -> int:
        """Workers in the group, once it is settled; 0 while it is shared out anew."""
        try:
            group = self._admin.describe_groups([self.group])[self.group]
        except KafkaError:
            return 0  # the broker is down, or has not read its groups yet
        return len(group["members"]) if group["group_state"] == "Stable" else 0

    def is_at_work(self, post: Post) -> bool:
        """Whether this worker is in the settled group and ready for all partitions it was given."""
        shown = asked(f"http://127.0.0.1:{post.port}/metrics")
        is_ready = metric(shown, "partitions_owned") > 0 == metric(shown, "partitions_recovering")
        return is_ready and self.members() > 0

    def is_settled(self) -> bool:
        """Whether all who should be are in the group and at work.

        A worker that was killed counts as a member until its session ends.
        """
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        posts = [post for post in self.posts if post.is_kept]
        return self.members() == len(posts) and all(self.is_at_work(post) for post in posts)

    def logs(self) -> str:
        """The ends of all workers' logs."""
        paths = sorted(self.site.directory.glob("worker-*.log"), key=lambda p: p.stat().st_mtime)
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-12:])
            for path in paths[-4:]
        )

    # --- the utility -----------------------------------------------------------------------------

    def turn(self) -> None:
        """Look after the workers, let the utility go on if they keep up, hear what is said."""
        self.supervise()
        now = time.monotonic()
        if now - self._stepped_at > PACE_SECONDS and self.behind() < self.max_behind:
            self._stepped_at = now
            self.drive.step(self.drive.world.now + STEP_SECONDS)
        else:
            self.drive.hear(HEAR_SECONDS)
        self.look()

    def behind(self) -> int:
        """Input records written and not committed yet, as last heard."""
        now = time.monotonic()
        if now - self._asked_at > ASK_SECONDS:
            self._asked_at = now
            try:
                self._committed = sum(self.committed().values())
            except KafkaError:
                self.seen["coordinator silent"] += 1  # what was committed before still is
        return self.sent - self._committed

    def committed(self) -> dict[tuple[str, int], int]:
        """The group's committed offsets."""
        offsets = self._admin.list_group_offsets(self.group)[self.group]
        return {
            (here.topic, here.partition): max(found.offset, 0)
            for here, found in offsets.items()
            if here.topic in SOURCE_OF_TOPIC
        }

    @property
    def sent(self) -> int:
        """Input records written so far."""
        return sum(self.drive.sent.values()) - self.drive.sent[TARIFFS] + self._repeated

    def recount(self) -> None:
        """Count as written what the utility wrote twice because a broker died before it answered.

        Without it the utility would believe the workers nearer behind it than they are.
        """
        self.drive._writer.flush()
        ends = self._watch._consumer.end_offsets([TopicPartition(*place) for place in PLACES])
        self._repeated += sum(ends.values()) - self.sent

    def look(self) -> None:
        """Take up the ledger rows and claims that workers have written, before compaction does."""
        records = list(self._watch.poll())
        for record in records:
            self.rows[record.partition].append(record)
        claims = self.worked.take(records)
        self.seen["claims"] += claims
        self.seen["rows"] += len(records) - claims

    def progress(self, kind: str) -> int:
        """How far the work has come, counted in one of its kinds."""
        if kind == "readings written":
            return self.drive.sent[READINGS]
        if kind == "rows remembered":
            return self.seen["rows"]
        if kind == "partitions claimed":
            return self.seen["claims"]
        assert kind == "effects told"
        effects = self.drive.tally.effects
        return sum(effects[topic] for topic in ANSWERED_TOPICS)

    def work(self, kind: str, count: int) -> None:
        """Go on until the work has come further by `count`."""
        goal = self.progress(kind) + count
        self.until(lambda: self.progress(kind) >= goal, f"{count} more {kind}")

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Go on until something is so; fails with the workers' logs if it takes too long."""
        self._wait(is_so, self.turn, what)

    def settle(self) -> None:
        """The utility waits until everything it wrote is worked off and heard."""
        self.recount()

        def still() -> None:
            self.supervise()
            self.drive.hear(HEAR_SECONDS)
            self.look()

        self._wait(self._is_worked_off, still, "all that was written is committed")
        reader = self.drive._reader
        self._wait(lambda: _is_at_end(reader), still, "all that was said is heard")
        self._wait(lambda: _is_at_end(self._watch), still, "all rows are seen")

    def finish(self, hours: int = 3) -> None:
        """Some more hours in calm: what is on its way arrives and is worked off."""
        for _ in range(hours):
            self.settle()
            self.drive.step(self.drive.world.now + HOUR)
        self.settle()

    def _is_worked_off(self) -> bool:
        self._asked_at = 0.0
        return self.behind() <= 0

    def _wait(self, is_so: Callable[[], bool], deed: Callable[[], None], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            deed()
            assert time.monotonic() < deadline, (
                f"after {PATIENCE_SECONDS:g} s still not: {what}; behind {self.behind()}, "
                f"seen {dict(self.seen)}\n{self.logs()}"
            )


def _is_at_end(reader: Reader) -> bool:
    consumer = reader._consumer
    ends = consumer.end_offsets(list(consumer.assignment()))
    return all(consumer.position(here) >= end for here, end in ends.items())
