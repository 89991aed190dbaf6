"""Would anybody notice if a mistake crept in?

Each mutant is one small mistake of the kind a tired person makes: a guard that is not asked, a
limit off by one, an id that loses its number, an order turned round.  It is put into a copy of the
tree, and the tests named for it must fail within their time; if none does, so must a few seeds of
the simulation; else the mutant lives and this program says so and fails.

    python -m tests.mutants              all of them, as a table
    python -m tests.mutants stale-reading      one, with what the tests said
"""

from __future__ import annotations

import argparse
import os
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
SEEDS = 30
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: in `file`, `old` becomes `new`; `tests` are those that should notice."""

    name: str
    about: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


GUARDS = ("tests/test_decide.py", "tests/test_guard_road.py")
ROAD = ("tests/test_partition.py", "tests/test_chain.py")

MUTANTS = (
    Mutant("stale-reading", "guard", "scoring/guards.py",
           "if here.now - here.read_at > limit:", "if False:", GUARDS),
    Mutant("estimated-share", "estimated share", "scoring/guards.py",
           "too_much = here.estimated_wh * MILLION > rules.max_estimated_ppm * here.used_wh",
           "too_much = False", GUARDS),
    Mutant("newest-estimated", "estimated share", "scoring/guards.py",
           "if too_much or here.newest_quality is not Quality.VALID:", "if too_much:", GUARDS),
    Mutant("payments-behind", "guard", "scoring/guards.py",
           "if not here.feed.caught_up:", "if False:", GUARDS),
    Mutant("life-support", "guard", "scoring/guards.py",
           "    | Hold.LIFE_SUPPORT\n", "", GUARDS),
    Mutant("approval", "approvals", "scoring/guards.py",
           "def _by_approval(here: Situation) -> Hold:\n",
           "def _by_approval(here: Situation) -> Hold:\n    return NO_HOLD\n", GUARDS),
    Mutant("one-try-more", "retry", "scoring/guards.py",
           "here.attempt >= here.rules.max_trip_attempts",
           "here.attempt > here.rules.max_trip_attempts", GUARDS),
    Mutant("day-before-holiday", "calendar", "scoring/rules.py",
           "        and works_next\n", "", ("tests/test_rules.py",)),
    Mutant("window-end", "calendar", "scoring/rules.py",
           "end = datetime.fromtimestamp(at + rules.command_validity_seconds, zone)",
           "end = datetime.fromtimestamp(at, zone)", ("tests/test_rules.py", *GUARDS)),
    Mutant("trip-id", "ids", "scoring/situation.py",
           "trip:{self.trip_episode}:{self.attempt}", "trip:{self.trip_episode}:1",
           ("tests/test_decide.py", "tests/test_supply_road.py")),
    Mutant("restore-rank", "restore rank", "scoring/decide.py",
           "    why = why_unfounded(here)\n    if why:\n"
           "        return restore(here, why)\n    if here.now <",
           "    why = why_unfounded(here)\n    if here.now <",
           ("tests/test_decide.py", "tests/test_supply_road.py")),
    Mutant("repeated-event", "replay", "scoring/scoring.py",
           'event.source_offset <= one.ledger["source_offset"][0, source]',
           'event.source_offset < one.ledger["source_offset"][0, source]',
           ("tests/test_scoring.py", *ROAD)),
    Mutant("told-before-kept", "order", "streams/partition.py",
           "for step in reversed(steps) if told_first else steps:",
           "for step in steps if told_first else reversed(steps):", ROAD),
    Mutant("no-fence", "order", "streams/partition.py",
           "if not await self._log.still_owned(self.number):", "if False:", ROAD),
    Mutant("link-not-kept", "chain", "streams/chain.py",
           '    row["chain_hash"] = np.frombuffer(digest, "<u8")\n', "", ROAD),
    Mutant("other-bytes", "chain", "streams/chain.py",
           '"sha256": sha256(said.value).hexdigest()', '"sha256": sha256(b"").hexdigest()', ROAD),
    Mutant("expired-command", "expiry", "streams/command_verifier.py",
           "if expires_at < now:", "if False:", ("tests/test_signing.py",)),
    Mutant("old-key", "signature", "streams/command_verifier.py",
           "if not key.valid_from <= decided_at <= key.valid_until:", "if False:",
           ("tests/test_signing.py",)),
    Mutant("key-by-last", "signature", "streams/signing.py",
           "key = begun[-1] if begun else self._keys[0]", "key = self._keys[-1]",
           ("tests/test_signing.py",)),
    Mutant("feeder-of-all", "interlock", "scoring/interlock.py",
           "return self.rules.feeder_trips_per_minute if drawn == self.partition else 0",
           "return self.rules.feeder_trips_per_minute", ("tests/test_interlock.py",)),
    Mutant("one-person-twice", "interlock", "scoring/interlock.py",
           'state.first_release_by not in ("", person)', 'state.first_release_by != ""',
           ("tests/test_interlock.py",)),
    Mutant("frozen-restores", "interlock", "scoring/interlock.py",
           "        if self.state.is_frozen:\n            return Hold.INTERLOCK_FROZEN\n", "",
           ("tests/test_interlock.py",)),
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
        code, said = _run(tree, TEST_SECONDS, "pytest", "-q", "-x", "-p", "no:cacheprovider",
                          *mutant.tests)  # fmt: skip
        killer = _failed_test(said) if code == 1 else "time limit" if code is None else ""
        if code == 0:
            seeds = str(SEEDS)
            code, said = _run(tree, SIMULATION_SECONDS, "tests.simulation", "--seeds", seeds)
            killer = "" if code == 0 else "the simulation"
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
