"""Would anybody notice if a mistake crept in?

Each mutant is one small mistake of the kind a tired person makes: a guard that is not asked, a
limit off by one, an id that loses its number, an order turned round.  It is put into a copy of the
tree, and the tests named for it must fail within their time; if none does or none is named, a few
seeds of the simulation must; else the mutant lives and this program says so and fails.  To add one,
write a line into `tests.mistakes`, or `tests.mistakes_supply`.

    python -m tests.mutants              all of them, as a table
    python -m tests.mutants stale-reading      one, with what the tests said
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
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

from tests.mistakes import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent
COPIED = ("scoring", "streams", "api", "simulator", "deploy", "tests")
TEST_SECONDS = 120
SIMULATION_SECONDS = 300
"""Of processor time: a machine that has other work to do kills no mutant."""
HANGING_SECONDS = 1_200
"""Of the clock: who waits so long waits for ever."""
SEEDS = 60
SAID_CHARACTERS = 4_000
"""Of the end of what was said: so much is shown."""
AT_ONCE = 2


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
            shutil.copytree(ROOT / name, tree / name)  # with what is compiled already
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
            is_endless = code in (None, -signal.SIGXCPU)
            killer = _failed_test(said) if code == 1 else "time limit" if is_endless else ""
        if code == 0:
            seeds = ("--first-seed", "1", "--seeds", str(SEEDS), "--jobs", "1", "--first-wrong")
            code, said = _run(tree, SIMULATION_SECONDS, "tests.simulation", *seeds)
            killer = _wrong_seed(said) if code == 1 else ""
        return Fate(mutant, killer, time.monotonic() - began, said[-SAID_CHARACTERS:])


def _run(tree: Path, seconds: int, module: str, *arguments: str) -> tuple[int | None, str]:
    """The exit code (None: it hangs) and what was said."""
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    limited = ("prlimit", f"--cpu={seconds}", sys.executable, "-m", module)
    try:
        done = subprocess.run(
            [*limited, *arguments], cwd=tree, env=environment, timeout=HANGING_SECONDS,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"not done after {HANGING_SECONDS} s"
    return done.returncode, done.stdout + done.stderr


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
            if not console.is_terminal:  # a log tells as much as was done, if it is cut off too
                who = fate.killed_by or "NOBODY"
                console.print(f"{fate.mutant.name}: {who}, {fate.seconds:.0f} s", soft_wrap=True)
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
