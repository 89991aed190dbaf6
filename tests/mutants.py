"""Would anybody notice if a mistake crept in?

Each mutant is one small mistake of the kind a tired person makes: a guard that is not asked, a
limit off by one, an id that loses its number, an order turned round.  It is put into a copy of the
tree, and the tests named for it must fail within their time; if none does or none is named, a few
seeds of the simulation must; else the mutant lives and this program says so and fails.  To add one,
write a line into `MUTANTS`.

    python -m tests.mutants              all of them, as a table
    python -m tests.mutants stale-reading      one, with what the tests said
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

ROOT = Path(__file__).parent.parent
COPIED = ("scoring", "streams", "api", "simulator", "deploy", "tests")
TEST_SECONDS = 240
SIMULATION_SECONDS = 600
SEEDS = 60
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: in `file`, `old` becomes `new`; `tests` are those that should notice.

    Without tests the seeded simulation must find it, which knows the outside alone.
    """

    name: str
    about: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def among(file: str, tests: tuple[str, ...], *mistakes: tuple[str, str, str, str]) -> list[Mutant]:
    """Mistakes in one file that the same tests should notice: (name, about, old, new) of each."""
    return [Mutant(name, about, file, old, new, tests) for name, about, old, new in mistakes]


SIMULATION = ()
GUARDS = ("tests/test_decide.py", "tests/test_guard_road.py")
DECIDED = ("tests/test_decide.py", "tests/test_supply_road.py")
ROAD = ("tests/test_partition.py", "tests/test_chain.py")
RULES = ("tests/test_rules.py", *GUARDS)
SIGNED = ("tests/test_signing.py",)
INTERLOCK = ("tests/test_interlock.py",)
TICK = ("tests/test_tick_round.py",)
WEATHER = ("tests/test_weather.py", "tests/test_decide.py")
CLOSED = ("tests/test_closed.py", "tests/test_money_road.py")
BILLS = ("tests/test_worked_bills.py", "tests/test_worked_lines.py", "tests/test_charges.py")
FILES = ("tests/test_strange_bills.py",)
MARKET = ("tests/test_dynamic.py",)

MUTANTS = (
    *among(
        "scoring/turn.py", ("tests/test_rounds.py",),
        ("days-of-a-neighbour", "one block of several partitions",
         'order = np.argsort(positions, kind="stable")', "order = np.arange(len(positions))"),
    ),
    *among(
        "scoring/scoring.py", ("tests/test_rounds.py",),
        ("pools-of-a-neighbour", "one block of several partitions",
         "Knowledge(kinds, share.book.pools, rows[here])",
         "Knowledge(kinds, shares.all[0].book.pools, rows[here])"),
    ),
    *among(
        "streams/rounds.py", ("tests/test_rounds.py",),
        ("no-turns", "one block of several partitions",
         "lines = [line for line in lines if line not in together] + together",
         "lines = list(lines)"),
    ),
    *among(
        "scoring/guards.py", GUARDS,
        ("stale-reading", "guard", "if here.now - here.read_at > limit:", "if False:"),
        ("estimated-share", "estimated share",
         "too_much = here.estimated_wh * MILLION > rules.max_estimated_ppm * here.used_wh",
         "too_much = False"),
        ("newest-estimated", "estimated share",
         "if too_much or here.newest_quality is not Quality.VALID:", "if too_much:"),
        ("payments-behind", "guard", "if not here.feed.caught_up:", "if False:"),
        ("life-support", "guard", "    | Hold.LIFE_SUPPORT\n", ""),
        ("approval", "approvals", "def _by_approval(here: Situation) -> Hold:\n",
         "def _by_approval(here: Situation) -> Hold:\n    return NO_HOLD\n"),
        ("one-try-more", "retry", "here.attempt >= here.rules.max_trip_attempts",
         "here.attempt > here.rules.max_trip_attempts"),
    ),
    *among(
        "scoring/rules.py", RULES,
        ("day-before-holiday", "calendar", "        and works_next\n", ""),
        ("window-end", "calendar",
         "end = datetime.fromtimestamp(at + rules.command_validity_seconds, zone)",
         "end = datetime.fromtimestamp(at, zone)"),
    ),
    *among(
        "scoring/rules.py", SIMULATION,
        ("sim-hours-of-elsewhere", "calendar", "    start = datetime.fromtimestamp(at, zone)\n",
         "    start = datetime.fromtimestamp(at + 9_000, zone)\n"),
    ),
    *among(
        "scoring/situation.py", DECIDED,
        ("trip-id", "ids", "trip:{self.trip_episode}:{self.attempt}",
         "trip:{self.trip_episode}:1"),
    ),
    *among(
        "scoring/decide.py", DECIDED,
        ("restore-rank", "restore rank",
         ("    why = why_unfounded(here) or why_trip_is_void(here)\n    if why:\n"
         "        return restore(here, why)\n    if here.now <"),
         "    why = why_unfounded(here)\n    if here.now <"),
        ("two-alive", "life cycle", ("    if here.now < here.command_expires_at:\n"
         "        return NOTHING\n    is_unheard_of"),
         "    is_unheard_of"),
        ("no-status-read", "life cycle", "    if is_unheard_of and here.switch is Switch.UNKNOWN:",
         "    if False:"),
    ),
    *among(
        "scoring/decide.py", SIMULATION,
        ("sim-stays-dark", "restore", "return restore(here, why) if why else proof_by_metering",
         "return NOTHING if why else proof_by_metering"),
    ),
    *among(
        "scoring/scoring.py", ("tests/test_scoring.py", *ROAD),
        ("repeated-event", "replay",
         'event.source_offset <= one.ledger["source_offset"][0, source]',
         'event.source_offset < one.ledger["source_offset"][0, source]'),
    ),
    *among(
        "scoring/closed.py", CLOSED,
        ("closed-charge", "closed month",
         '                one["charged_nanos"] += before - after\n', ""),
        ("closed-tiers", "closed month",
         '        one["year_used_before_wh"] += wh\n', "        pass\n"),
        ("closed-doubt", "closed month", '        annex["closed_month"] = 0\n', ""),
    ),
    *among(
        "streams/partition.py", ROAD,
        ("told-before-kept", "order", "for step in reversed(steps) if told_first else steps:",
         "for step in steps if told_first else reversed(steps):"),
        ("no-fence", "order", "if not await self._log.still_owned(self.number):", "if False:"),
    ),
    *among(
        "scoring/guards.py", SIMULATION,
        ("sim-approval", "approvals", "def _by_approval(here: Situation) -> Hold:\n",
         "def _by_approval(here: Situation) -> Hold:\n    return NO_HOLD\n"),
    ),
    *among(
        "scoring/charges.py", BILLS,
        ("no-levies", "bill",
         "before_tax = of_energy + basic + adjusted + standing + levy.sum(axis=0)",
         "before_tax = of_energy + basic + adjusted + standing"),
        ("tiers-begin-anew", "bill",
         "filled = np.clip(after - lower, 0, width) - np.clip(before_wh - lower, 0, width)",
         "filled = np.clip(after - before_wh - lower, 0, width)"),
        ("no-losses", "bill", "used = used_wh + _losses(terms, used_wh, days, facts)",
         "used = used_wh"),
    ),
    *among(
        "scoring/basic_charge.py", BILLS,
        ("over-once", "bill",
         'dearer = drawn + above * (terms["over_factor_ppm"] - PPM) // PPM', "dearer = drawn"),
    ),
    *among(
        "scoring/power_factor.py", BILLS,
        ("factor-cut", "bill", "np.floor(factor + 0.5)", "np.floor(factor)"),
    ),
    *among(
        "deploy/usage_files.py", FILES,
        ("gap-unseen", "bill", "if uneven.any():", "if False:"),
    ),
    *among(
        "simulator/table.py", FILES,
        ("autumn-hour", "bill", "fold=int(second in shown)", "fold=0"),
    ),
    *among(
        "scoring/dynamic.py", MARKET,
        ("no-price-is-free", "market", "missing = asked & (picos == MISSING)",
         "missing = asked & False"),
    ),
    *among(
        "scoring/parts.py", MARKET,
        ("cost-of-no-part", "market",
         '_keep_cost(annex, place, before, annex["earlier_month"] == month)', "pass"),
    ),
    *among(
        "scoring/closed.py", ("tests/test_large_customers.py",),
        ("late-demand", "bill", "_raise_demand(annex, start, end, wh, next(iter(places))[0])",
         "pass"),
    ),
    *among(
        "scoring/plans.py", ("tests/test_plans.py",),
        ("another-dates-reading", "plan", "if by_reading and due_day < read_day:", "if False:"),
        ("month-end-unsaid", "plan", "if not told >> HELD_BIT & 1:", "if True:"),
    ),
    *among(
        "scoring/postings.py", ("tests/test_postings.py",),
        ("paid-twice", "money",
         '(one.ledger["payment_hashes"][0] == wanted).any()', "False"),
    ),
    *among(
        "scoring/postings.py", SIMULATION,
        ("sim-paid-twice", "money",
         '(one.ledger["payment_hashes"][0] == wanted).any()', "False"),
    ),
    *among(
        "streams/partition.py", SIMULATION,
        ("sim-committed-early", "order",
         ("                    await self._settle(entry)\n"
         "                    self.committable.update(entry.next_offset)\n"),
         ("                    self.committable.update(entry.next_offset)\n"
         "                    await self._settle(entry)\n")),
    ),
    *among(
        "streams/chain.py", ROAD,
        ("link-not-kept", "chain", '    row["chain_hash"] = np.frombuffer(digest, "<u8")\n', ""),
        ("other-bytes", "chain", '"sha256": sha256(said.value).hexdigest()',
         '"sha256": sha256(b"").hexdigest()'),
    ),
    *among(
        "streams/command_verifier.py", SIGNED,
        ("expired-command", "expiry", "if expires_at < now:", "if False:"),
        ("old-key", "signature", "if not key.valid_from <= decided_at <= key.valid_until:",
         "if False:"),
    ),
    *among(
        "scoring/deeds.py", SIMULATION,
        ("sim-command-lives-on", "expiry",
         "    expires_at = here.now + here.rules.command_validity_seconds\n",
         "    expires_at = here.now + here.rules.command_validity_seconds * 4\n"),
    ),
    *among(
        "scoring/situation.py", SIMULATION,
        ("sim-trip-id", "ids", "trip:{self.trip_episode}:{self.attempt}",
         "trip:{self.trip_episode}:1"),
    ),
    *among(
        "streams/signing.py", SIGNED,
        ("key-by-last", "signature", "key = begun[-1] if begun else self._keys[0]",
         "key = self._keys[-1]"),
    ),
    *among(
        "scoring/procedures.py", ("tests/test_procedures.py", *DECIDED),
        ("notice-lead", "notice", "wait, valid = rules.notice_lead_seconds,",
         "wait, valid = rules.notice_lead_seconds // 3,"),
    ),
    *among(
        "scoring/metered.py", SIMULATION,
        ("sim-dead-line-proven", "proof", "is_live = volts >= here.rules.live_from_volts",
         "is_live = volts >= 0"),
    ),
    *among(
        "streams/clerk.py", TICK,
        ("tick-committed-first", "tick commit",
         "self.round.next_offset = entry.next_offset.pop(Source.TICKS)",
         "self.round.next_offset = entry.next_offset[Source.TICKS]"),
        ("tick-never-committed", "tick commit",
         "            entry.next_offset[Source.TICKS] = self.round.next_offset\n",
         "            pass\n"),
    ),
    *among(
        "streams/tick_round.py", TICK,
        ("tick-waiting-last", "tick order", "due[np.lexsort((due, ~waited, ~to_repeat))]",
         "due[np.lexsort((due, ~to_repeat))]"),
        ("tick-restores-last", "tick order", "due[np.lexsort((due, ~waited, ~to_repeat))]",
         "due[np.lexsort((due, ~waited))]"),
    ),
    *among(
        "scoring/weather.py", WEATHER,
        ("silent-feed", "weather", "age <= max_age_seconds", "age < NO_TIME + 2**40"),
        ("heat-one-day-after", "weather", "timedelta(days=aftermath_days + 1)",
         "timedelta(days=aftermath_days)"),
        ("spell-begins-within", "weather", "if spell.from_at <= end", "if spell.from_at <= start"),
        ("area-unknown", "weather", " and (area or not (watched or self.words))", ""),
        ("newer-of-two-words", "weather", "as_of = min((word.as_of", "as_of = max((word.as_of"),
    ),
    *among(
        "streams/weather_desk.py", WEATHER,
        ("unreadable-word", "weather", "word = AreaWord() if isinstance(decoded, Refusal) else",
         "word = self.weather.words.get(area) if isinstance(decoded, Refusal) else"),
        ("feed-clock-ahead", "weather",
         'as_of = min(seconds_of(body.as_of, "asOf"), received_at(record))',
         'as_of = seconds_of(body.as_of, "asOf")'),
    ),
    *among(
        "scoring/guards.py", SIMULATION,
        ("sim-weather", "weather",
         "        | weather_hold(here.rules, here.zone, here.now, here.weather)\n", ""),
    ),
    *among(
        "scoring/interlock.py", INTERLOCK,
        ("feeder-of-all", "interlock",
         "return self.rules.feeder_trips_per_minute if drawn == self.partition else 0",
         "return self.rules.feeder_trips_per_minute"),
        ("one-person-twice", "interlock",
         'person_key(state.first_release_by) not in ("", person_key(person))',
         'state.first_release_by != ""'),
        ("frozen-restores", "interlock",
         "        if self.state.is_frozen:\n            return Hold.INTERLOCK_FROZEN\n", ""),
        ("counted-by-another", "interlock", "        self.has_looked = False\n\n    def _fleet",
         "        pass\n\n    def _fleet"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: who killed it ("" nobody), how long that took, and what was said."""

    mutant: Mutant
    killed_by: str
    seconds: float
    said: str = ""


def fate_of(mutant: Mutant) -> Fate:
    """Put the mistake into a copy of the tree and see who notices."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as place:
        tree = Path(place)
        for name in COPIED:
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / file, tree / file)
        path = tree / mutant.file
        text = path.read_text("utf-8")
        if text.count(mutant.old) != 1:
            why = f"its place stands {text.count(mutant.old)} times in {mutant.file}: mend it"
            return Fate(mutant, "", time.monotonic() - began, why)
        path.write_text(text.replace(mutant.old, mutant.new), "utf-8")
        code: int | None = 0
        said = killer = ""
        if mutant.tests:
            code, said = _run(tree, TEST_SECONDS, "pytest", "-q", "-x", "-p", "no:cacheprovider",
                              *mutant.tests)  # fmt: skip
            killer = _failed_test(said) if code == 1 else "time limit" if code is None else ""
        if code == 0:
            seeds = ("--first-seed", "1", "--seeds", str(SEEDS), "--jobs", "1", "--first-wrong")
            code, said = _run(tree, SIMULATION_SECONDS, "tests.simulation", *seeds)
            killer = _wrong_seed(said) if code == 1 else ""
        return Fate(mutant, killer, time.monotonic() - began, said)


def _run(tree: Path, seconds: float, module: str, *arguments: str) -> tuple[int | None, str]:
    """The exit code (None: it ran too long) and the end of what was said."""
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=tree, env=environment, timeout=seconds,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"not done after {seconds:g} s"
    return done.returncode, (done.stdout + done.stderr)[-4_000:]


def _failed_test(said: str) -> str:
    failed = [line.split(" ")[1] for line in said.splitlines() if line.startswith("FAILED ")]
    return failed[0].removeprefix("tests/") if failed else ""


def _wrong_seed(said: str) -> str:
    """The seed that found it, and by which judgment."""
    found = re.search(r"seed (\d+) is WRONG.*\n  (\w+):", said)
    return f"seed {found[1]}: {found[2]}" if found else ""


def main(argv: list[str] | None = None) -> int:
    """0 if every mutant is noticed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="only these")
    options = parser.parse_args(argv)
    chosen = [each for each in MUTANTS if not options.names or each.name in options.names]
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    fates: list[Fate] = []
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        task = progress.add_task("mutants", total=len(chosen))
        for fate in pool.map(fate_of, chosen):
            fates.append(fate)
            progress.update(task, advance=1, description=f"mutants, {fate.mutant.name} done")
    table = Table("mutant", "about", "file", "killed by", "s")
    for fate in fates:
        killer = fate.killed_by or "NOBODY"
        about = (fate.mutant.name, fate.mutant.about, fate.mutant.file)
        table.add_row(*about, killer, f"{fate.seconds:.0f}")
    console.print(table)
    alive = [fate for fate in fates if not fate.killed_by]
    for fate in alive if not options.names else fates:
        console.print(f"{fate.mutant.name}: {fate.said}", markup=False)
    console.print(f"{len(fates)} mutants, {len(alive)} alive")
    return 1 if alive or not fates else 0


if __name__ == "__main__":
    sys.exit(main())
