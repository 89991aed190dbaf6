"""Does anything go wrong in a hundred faults on end?

One simulated utility under load on a real Kafka, two workers, and round after round one of five
faults at a moment that is drawn: a worker is killed (-9), stands still and wakes up as a zombie, or
leaves and comes back; the broker is stopped, or killed.  Half of the kills strike while the group
still recovers from the fault before.  Then every topic is judged as in `test_chaos`.  It stands
apart because here faults meet each other, and rows are old enough to be compacted meanwhile.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from streams.app import FAILED
from tests.kafka.running import Running, plan_of
from tests.kafka.test_chaos import (  # the fixtures too
    MOMENTS,
    SEED,
    bare_kafka,
    figures,
    judge,
    restless_client,
    stand_still,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.brokers.kafka_node import KafkaNode
    from tests.kafka.running import Post

__all__ = ["bare_kafka", "figures", "restless_client"]

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "100"))
OF_WORKERS = ("kill", "pause", "rebalance")
FAULTS = (*OF_WORKERS, "broker stopped", "broker killed")
NO_BROKER = " answers at "
"""Of a worker that was started while the broker was down."""
ENDS_WHEN_ASKED = (0, FAILED, -signal.SIGTERM)
"""Of a worker that is asked to end: it may lose its partitions that moment; or it has just ended by
itself, and the one started in its place hears no signal yet."""
SETTLED_SHARE = 0.5
"""Of kills: those that wait until the group has settled after the fault before."""


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("restless_client")
@pytest.mark.parametrize("rounds", [len(FAULTS), pytest.param(ROUNDS, marks=pytest.mark.long)])
def test_faults_of_every_kind_on_end_lose_nothing(
    bare_kafka: KafkaNode,
    run_directory: Path,
    figures: dict[str, Any],
    rounds: int,
) -> None:
    dice = random.Random(f"{SEED}:faults:{rounds}")
    struck: Counter[str] = Counter()
    lasted: defaultdict[str, float] = defaultdict(float)
    with Running(bare_kafka.bootstrap, run_directory, plan_of(SEED + 7)) as running:
        for fault in dealt(rounds, dice):
            began = time.monotonic()
            strike(fault, running, bare_kafka, dice)
            struck[fault] += 1
            lasted[fault] += time.monotonic() - began
            print(f"round {struck.total()} of {rounds}: {fault}, seen {dict(running.seen)}")
        running.until(running.is_settled, "both workers are at work")
        figures[f"{rounds} faults"] = {
            "struck": dict(struck),
            "secondsARound": {name: round(all_ / struck[name], 1) for name, all_ in lasted.items()},
        }
        judge(running, figures, f"{rounds} faults")
        unexplained = [words for post in running.posts for words in unexplained_ends(post)]
    assert unexplained == []
    assert struck.total() == rounds
    assert set(struck) == set(FAULTS)


def unexplained_ends(post: Post) -> list[str]:
    """What a worker said last that ended by itself, unless it gave up or found no broker."""
    ends = zip(post.ended_with, post.last_words, strict=True)
    return [said for code, said in ends if code != FAILED and NO_BROKER not in said]


def dealt(rounds: int, dice: random.Random) -> list[str]:
    """The faults in an order that is drawn; those of workers twice as often as the broker's."""
    some: list[str] = []
    while len(some) < rounds:
        some += dice.sample(FAULTS, len(FAULTS)) + dice.sample(OF_WORKERS, len(OF_WORKERS))
    return some[:rounds]


def strike(fault: str, running: Running, kafka: KafkaNode, dice: random.Random) -> None:
    """One round: work goes on up to a drawn moment, then the fault."""
    if fault != "kill" or dice.random() < SETTLED_SHARE:
        running.until(running.is_settled, "both workers are at work")
    moment = dice.choice(sorted(MOMENTS))
    running.work(moment, dice.randint(1, MOMENTS[moment]))
    post = dice.choice(running.posts)
    if fault == "kill":
        running.kill(post)
        running.start(post)
    elif fault == "pause":
        stand_still(running, post)
    elif fault == "rebalance":
        assert running.stop(post) in ENDS_WHEN_ASKED
        running.start(post)
    else:
        restart(running, kafka, is_killed=fault == "broker killed")


def restart(running: Running, kafka: KafkaNode, *, is_killed: bool) -> None:
    """The broker goes, by SIGTERM or -9, and comes back with what it had written."""
    if is_killed:
        kafka.child.kill()
    else:
        kafka.child.ask_to_stop()
    running.until(lambda: not kafka.child.is_running, "the broker is down")
    kafka.launch()
    running.until(lambda: running.members() > 0, "the broker shares the partitions out again")
    running.recount()
