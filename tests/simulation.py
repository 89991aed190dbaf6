"""Does anything go wrong, whenever the process dies?

One seed makes one small utility, faults on its way in, and workers that crash at any await, lose
partitions, come back as zombies and wait for slow acknowledgements; the real `streams.partition`
and `streams.clerk` run over the log in memory.  At the end every balance must equal the oracle's to
the last nano, every remembered effect must have been told, nobody wrongly cut off.

    python -m tests.simulation --seed 7              one seed, told in detail
    python -m tests.simulation --seeds 300 --first-seed 1000
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
import traceback
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from scoring.interlock import InterlockRules
from scoring.rules import SupplyRules, WorkingCalendar
from simulator.answers import tariffs_of
from simulator.customers import LARGE_SHARE, PLAN_SHARE
from simulator.faults import FaultRates
from simulator.field import FieldRates
from simulator.sheets import shipped_sheets
from simulator.world import Plan, World
from streams.topics import (
    ACCOUNT_SETTINGS,
    INTERLOCK,
    LEDGER_ROWS,
    MORATORIA,
    SOURCE_OF_TOPIC,
    TARIFFS,
)
from tests.keys import rotating
from tests.memory_log import Cluster
from tests.oracle_facts import LogRecord
from tests.oracle_interlock import over_limits
from tests.oracle_judge import EFFECT_TOPICS, NOTICES
from tests.oracle_run import judge_run
from tests.watch import Watch
from tests.workers import Workers

if TYPE_CHECKING:
    from simulator.messages import Input
    from streams.log import PlainRecord
    from streams.signing import Signer
    from tests.memory_log import MemoryLog

DAY, HOUR = 86_400, 3_600
ACCOUNTS = (8, 14)
DAYS = 3
"""Monday to Wednesday or Tuesday to Thursday: nobody is tripped on a Friday, and whoever runs out
on the third day is restored in the calm after it."""
WIDE_SHARE = 0.6
PARTITIONS = (1, 1, 2)
"""Mostly one, between two workers: what a second one costs is better spent on more seeds."""
GRIDS = (6 * HOUR, 6 * HOUR, 6 * HOUR, 6 * HOUR, 3 * HOUR, HOUR)
WORKS_SHARE = 0.25
"""Of seeds whose world is a district of works, where a person must approve each trip."""
DAYS_BY_LAW = 8
"""Of a world in which many settle by plan: dunned and noticed in one week, stopped in the next."""
STEP_HOURS = (2, 5, 7, 10, 13, 24)
"""Steps of a day, UTC: several within the trip windows of Shanghai, Johannesburg and London."""
NOTICE_WATCHED_SHARE = 0.3
NOTICE_WATCHED_SECONDS, NOTICE_STEP_SECONDS = 40 * 60, 5 * 60
"""In these worlds time goes in small steps after a notice, so that ticks, heartbeats and readings
fall on both sides of the half hour that it must stand: a trip that comes too soon shows."""
FIRST_MONDAY = 1_767_571_200  # 2026-01-05T00:00Z
WEEK = 7 * DAY
JUDGED = (
    *("wrongfulTrips", "missedWarnings", "notRestored", "skippedSteps", "shortNotices"),
    *("tripsOnEstimates", "expiredExecuted", "cancelledExecuted", "twoActive", "falselyProven"),
    *("overLimit", "trippedWhileFrozen"),
    *("brokenChains", "twoBodies", "lostEffects", "wrongBalances", "raised"),
)
"""The judgments that a score always shows, also when nothing was wrong."""
ROADS = {
    "radio": "switch closed or armed by it",
    "hand": "armed switch closed by the customer",
    "crew": "switch closed by a crew, where the radio failed",
}
COME_ALONE = (ACCOUNT_SETTINGS, MORATORIA)
OBSERVED = frozenset({*EFFECT_TOPICS, INTERLOCK}) - {
    "daily-usage",
    "account-forecasts",
    "plan-notices",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one seed: everything wrong, by judgment, and what the run went through."""

    seed: int
    wrong: dict[str, list[str]]
    counts: dict[str, int]
    seconds: float
    restore_seconds: dict[str, list[int]] = field(default_factory=dict)  # by road

    @property
    def is_right(self) -> bool:
        """Nothing was wrong."""
        return not any(self.wrong.values())

    def report(self) -> str:
        """What was wrong and the command that shows it again."""
        lines = [f"seed {self.seed} is WRONG; repeat it with: make sim SEED={self.seed}"]
        for name, found in self.wrong.items():
            lines += [f"  {name}: {line}" for line in found[:5]]
            lines += [f"  {name}: and {len(found) - 5} more"] if len(found) > 5 else []
        return "\n".join(lines)


def plan_of(seed: int) -> Plan:
    """A small world: few accounts, two partitions, some weeks in coarse steps, hard faults."""
    dice = random.Random(f"{seed}:plan")
    faults = FaultRates(
        delay_median_seconds=dice.choice((30, 120, 600)), delay_sigma=dice.choice((0.3, 1.2, 2.18))
    ).times(dice.choice((0, 3, 10)))
    is_works = dice.random() < WORKS_SHARE
    return Plan(
        seed=seed,
        accounts=dice.randint(*ACCOUNTS),
        feeders=dice.choice((0, 2, 4)),
        partitions=dice.choice(PARTITIONS),
        starts_at=FIRST_MONDAY + dice.randrange(47) * WEEK + dice.randrange(2) * DAY,
        grid_seconds=HOUR if is_works else dice.choice(GRIDS),  # large customers: fresh readings
        beat_seconds=0,
        faults=faults,
        field_rates=FieldRates(
            fails_once=0.1,
            needs_crew=0.05,
            report_lost=0.05,
            report_late=0.1,
            notice_lost=0.05,
            measures_volts=dice.choice((0.0, 0.0, 0.5)),
        ),
        opening_days=(0.05, 2.0),
        bulk_share=0.2,
        exchange_share=0.1,
        held_share=0.1,
        horizon_days=float(DAYS),
        forgetful_share=0.5,
        bookkeeping_share=0.4,
        large_share=0.6 if is_works else LARGE_SHARE,
        large_credit_days=0.1,
        heat_days=dice.choice(((0, 0), (1, 3))),
        payday=dice.choice((-1, -1, 2)),
        race_share=dice.choice((0.0, 0.5)),
        mistake_share=dice.choice((0.0, 0.3)),
        areas=dice.choice(((), (), ("north", "south"))),
        spell=dice.choice(("heat", "cold")),
        weather_silent_days=dice.choice(((0, 0), (0, 0), (2, 3))),
        plan_share=dice.choice((*(PLAN_SHARE,) * 7, 0.7)),
        move_share=dice.choice((0.0, 0.0, 0.0, 0.2)),
    )


def limits_of(seed: int) -> InterlockRules:
    """Of the whole fleet: mostly wide, in some worlds so tight that they hold and freeze."""
    dice = random.Random(f"{seed}:interlock")
    if dice.random() < WIDE_SHARE:
        return InterlockRules(most_payments_lag_seconds=DAY, least_accounts=ACCOUNTS[1])
    return InterlockRules(
        fleet_trips_per_minute=dice.choice((1, 2, 3)),
        feeder_trips_per_minute=dice.choice((1, 2)),
        trips_per_policy_change=dice.choice((2, 500)),
        most_trips_per_hour_ppm=300_000,
        most_negative_ppm=dice.choice((400_000, 900_000)),
        most_payments_lag_seconds=DAY,
        least_accounts=2,
    )


@dataclass
class Simulation:
    """One world, one log, some workers."""

    seed: int
    days: int = DAYS
    world: World = field(init=False)
    cluster: Cluster = field(init=False)
    workers: Workers = field(init=False)
    signer: Signer = field(init=False)
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = plan_of(self.seed)
        if plan.plan_share > PLAN_SHARE:  # the law's days: a written notice stands for three
            self.days = max(self.days, DAYS_BY_LAW)
        self.dice = random.Random(f"{self.seed}:simulation")
        rotates_at = plan.starts_at + self.days * DAY // 2
        self.signer, verifier = rotating(rotates_at, overlap_seconds=DAY)
        self.world = World(plan, verifier)
        self.cluster = Cluster(plan.partitions, appended=self._appended)
        rules = SupplyRules(calendar=WorkingCalendar.weekends_only())
        tariffs, self.watch = tariffs_of(shipped_sheets()), Watch()
        self.limits = limits_of(self.seed)
        self.watches_notices = random.Random(f"{self.seed}:notices").random() < NOTICE_WATCHED_SHARE
        self.noticed_until = plan.starts_at
        self.workers = Workers(self.cluster, self.dice, tariffs, rules, self.signer, self.limits)

    def _appended(
        self, topic: str, _partition: int, kept: list[PlainRecord], _log: MemoryLog
    ) -> None:
        if topic in OBSERVED:
            self.heard += [(topic, record.value or b"") for record in kept]

    async def run(self) -> dict[str, list[str]]:
        """Let the world go by, then judge."""
        await self._send(self.world.opening(), settle=True)
        end = self.world.plan.starts_at + self.days * DAY
        while self.world.now < end:
            sent = self.world.step(min(self._next_step(), end))
            await self._send(sent, settle=any(r.topic == ACCOUNT_SETTINGS for r in sent))
            self._hear()
        for hours in (1, 2):  # what is on its way arrives, in a calm
            self.workers.calm = True
            await self._send(self.world.step(end + hours * HOUR), settle=True)
            self._hear()
        await self.workers.stop()
        return self._judge()

    def _next_step(self) -> int:
        """A few steps a day, most of them while people may be tripped somewhere."""
        now = self.world.now
        midnight, hour = now // DAY * DAY, now % DAY // HOUR
        step = midnight + next(h for h in STEP_HOURS if h > hour) * HOUR
        return min(step, now + NOTICE_STEP_SECONDS) if now < self.noticed_until else step

    async def _send(self, records: list[Input], *, settle: bool) -> None:
        """Into the log, and the workers at it; `settle` waits until all of it is committed.

        Terms and weather come alone, when all before them is settled: between topics Kafka orders
        nothing, and the oracle must know which readings were met under which meter and sky.
        """
        for is_terms, some in groupby(records, lambda each: each.topic in COME_ALONE):
            await self._put(list(some), settle=settle or is_terms)

    async def _put(self, records: list[Input], *, settle: bool) -> None:
        for record in records:
            key = None if record.key is None else record.key.encode()
            self.cluster.put(record.topic, record.partition, key, record.value, record.at * 1000)
        words = [record for record in records if record.topic == MORATORIA]
        self.workers.hear_weather(self.cluster.topics[MORATORIA, 0][-len(words) :] if words else ())
        await self.workers.work(settle=settle)

    def _hear(self) -> None:
        heard, self.heard = self.heard, []
        for topic, value in heard:
            if topic == NOTICES and self.watches_notices:
                self.noticed_until = self.world.now + NOTICE_WATCHED_SECONDS
            self.watch.heard(topic, value, self.world.now)
            self.world.observe(topic, value)
        self.watch.executed(self.world.field.executions)

    def _judge(self) -> dict[str, list[str]]:
        inputs: list[LogRecord] = []
        outputs: list[LogRecord] = []
        rows = {}
        for (topic, partition), kept in self.cluster.topics.items():
            if topic == LEDGER_ROWS:
                rows[partition] = kept
            else:
                is_input = topic in SOURCE_OF_TOPIC or topic in (TARIFFS, MORATORIA)
                into = inputs if is_input else outputs
                into += [
                    LogRecord(topic, partition, r.offset, r.timestamp // 1000,
                              r.key.decode() if r.key else None, r.value)
                    for r in kept
                ]  # fmt: skip
        executions = self.world.field.executions
        wrong = judge_run(inputs, outputs, rows, executions, self.world.now)
        return wrong | over_limits(inputs, outputs, self.limits) | dict(self.watch.wrong)

    def counts(self) -> dict[str, int]:
        """What the run went through."""
        told = {
            topic: sum(len(self.cluster.topics[topic, n]) for n in range(self.cluster.partitions))
            for topic in ("meter-readings", "refusals", *EFFECT_TOPICS)
        }
        held = {f"held: {name}": count for name, count in self.watch.held.items()}
        field = {f"field: {why}": count for why, count in self.world.field.ignored.items()}
        struck = {f"fault: {name}": count for name, count in self.world.faults.struck.items()}
        mine = dict(self.workers.counts) | dict(self.world.counts)
        return told | mine | held | field | struck


def run_seed(seed: int, days: int = DAYS) -> Verdict:
    """One seed from beginning to end; an exception is a wrong like any other."""
    started = time.process_time()
    simulation = Simulation(seed, days)
    try:
        wrong = asyncio.run(simulation.run())
    except Exception:  # noqa: BLE001 - whatever breaks is the finding, told with its seed
        wrong = {"raised": [traceback.format_exc()]}
    took = time.process_time() - started
    restored = dict(simulation.watch.restore_seconds)
    return Verdict(seed, wrong, simulation.counts(), took, restored)


def main(argv: list[str] | None = None) -> int:
    """Run one seed or many; 0 if all are right."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="run this one seed and tell what happened")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (default 100)")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=DAYS, help="simulated days of each seed")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help="processes (default: cores)")
    parser.add_argument("--first-wrong", action="store_true", help="stop at the first wrong seed")
    options = parser.parse_args(argv)
    console = Console()
    if options.seed is not None:
        verdict = run_seed(options.seed, options.days)
        console.print_json(data=verdict.counts)
        said = f"seed {verdict.seed} is right" if verdict.is_right else verdict.report()
        console.print(said, markup=False, soft_wrap=True)
        return 0 if verdict.is_right else 1
    return _many(options, console)


def score_table(
    totals: Counter[str], wrong: list[Verdict], restores: dict[str, list[int]]
) -> Table:
    """The run in the figures a utility would judge it by."""
    found = Counter(name for verdict in wrong for name, some in verdict.wrong.items() if some)
    table = Table("what", "figure")
    for name in (*JUDGED, *sorted(found.keys() - set(JUDGED))):
        table.add_row(name, str(found[name]))
    table.add_row("trips executed", str(totals["trips executed"]))
    table.add_row("restores executed", str(totals["restores executed"]))
    for road, seconds in sorted(restores.items()):
        some = sorted(seconds)
        half, most = some[len(some) // 2], some[len(some) * 95 // 100]
        figures = f"p50 {half} s, p95 {most} s, {len(some)} of them"
        table.add_row(f"restore heard by the field to {ROADS[road]}", figures)
    for name, count in totals.most_common():
        if name.startswith("held: "):
            table.add_row(f"trips {name}", str(count))
    return table


def _many(options: argparse.Namespace, console: Console) -> int:
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    wrong: list[Verdict] = []
    totals: Counter[str] = Counter()
    restores: defaultdict[str, list[int]] = defaultdict(list)
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        ProcessPoolExecutor(options.jobs) as pool,
        Progress(*columns, TimeRemainingColumn(), console=console) as progress,
    ):
        task = progress.add_task("seeds", total=len(seeds))
        runs = [pool.submit(run_seed, seed, options.days) for seed in seeds]
        ran = 0
        for done in as_completed(runs):
            ran += 1
            verdict = done.result()
            totals.update(verdict.counts)
            for road, seconds in verdict.restore_seconds.items():
                restores[road] += seconds
            if not verdict.is_right:
                wrong.append(verdict)
                console.print(verdict.report(), markup=False, soft_wrap=True)
            progress.update(task, advance=1, description=f"seeds, {len(wrong)} wrong")
            if wrong and options.first_wrong:
                pool.shutdown(cancel_futures=True)
                break
    seconds = time.monotonic() - started
    console.print_json(data=dict(sorted(totals.items())))
    console.print(score_table(totals, wrong, restores))
    console.print(
        f"{ran} seeds from {options.first_seed} in {seconds:.0f} s ({ran / seconds:.1f}/s): "
        f"{len(wrong)} wrong" + "".join(f"\n  make sim SEED={v.seed}" for v in wrong)
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
