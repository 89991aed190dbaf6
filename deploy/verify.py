"""Was any decision changed, dropped or added since it was made?

`kilowatch verify` proves the chain of every account's decisions (`streams.chain`) and names the
first broken link.  It reads the topic, or a file of its records, one JSON object a line (what
`kcat -C -t decisions` writes), so that evidence can be handed over and proven without Kafka.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api.decisions import read_decisions
from streams.chain import Proof
from streams.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streams.chain import Broken

    Take = Callable[[str, bytes | None], None]

HELD = (
    "all hold. Each is as it was written, and none was changed, dropped or added between the first"
    " and the last of its account.\nWhether later ones are missing at the end no chain can show:"
    " compare the newest hash of an account, which `kilowatch why` names, with a copy of your own."
)
SHOWN = 20
"""Broken links that are shown; the rest is counted."""


def main(argv: Sequence[str] | None = None) -> int:
    """`kilowatch verify`: 0 every chain holds, 1 one is broken."""
    parser = argparse.ArgumentParser(
        description="Proves that no decision was changed, dropped or added since it was made."
    )
    parser.add_argument("file", nargs="?", type=Path, help="records, one a line; else Kafka")
    options = parser.parse_args(argv)
    proof = Proof()
    broken: list[str] = []

    def take(place: str, value: bytes | None) -> None:
        found: Broken | None = proof.take(place, value)
        if found is not None:
            broken.append(str(found))

    if options.file is not None:
        _prove_file(options.file, take)
    else:
        asyncio.run(_prove_topic(take))
    console = Console()
    for line in broken[:SHOWN]:
        console.print(f"BROKEN {line}", markup=False, soft_wrap=True)
    if len(broken) > SHOWN:
        console.print(f"and {len(broken) - SHOWN} more")
    accounts = len(proof.newest)
    checked = f"{proof.links} decisions about {accounts} accounts were checked"
    if proof.repeats:
        checked += f" ({proof.repeats} stand there twice, byte for byte, as after a crash)"
    held = HELD if not broken else f"{len(broken)} links are BROKEN; the first: {broken[0]}"
    console.print(f"{checked}: {held}", markup=False, soft_wrap=True)
    return 1 if broken else 0


def _prove_file(path: Path, take: Take) -> None:
    size = path.stat().st_size
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("bytes", total=size)
        for place, line in lines_of(path):
            take(place, line)
            progress.update(task, advance=len(line) + 1)


async def _prove_topic(take: Take) -> None:
    settings = settings_from()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("partitions", total=settings.partitions)
        for partition in range(settings.partitions):
            async for place, _key, value in read_decisions(settings, [partition]):
                take(place, value)
            progress.update(task, advance=1)


def lines_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """The records (place, bytes) of a file, one a line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path.name} line {number}", line.rstrip(b"\r\n")
