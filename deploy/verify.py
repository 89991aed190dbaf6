"""Was any decision changed, dropped or added since it was made?

`kilowatch verify` proves the chain of every account's decisions (`streams.chain`) and names the
broken links.  It reads the topic, or a file of its records, one JSON object a line (what
`kcat -C -t decisions` writes), so that evidence can be handed over and proven without Kafka.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api.decisions import read_decisions
from streams.chain import HASH_HEX, NO_LINK, Proof
from streams.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streams.chain import Broken

    Take = Callable[[str, bytes | None], None]

HELD = (
    "all hold: each names the one before it by its hash, so one that was changed, dropped or added"
    " among them would show.\nWhat no chain can show by itself: that it was written anew from some"
    " record on to its end, or that its end was cut off. Compare the newest hash of an account,"
    " which `kilowatch why` names, with a copy of your own."
)
NO_RECORD = "There is no record of a decision here, so nothing is proven."
LEAST_HEX = 16
"""Digits of a kept hash: 64 bits cannot be met by trying."""
SHOWN = 20
"""Broken links that are shown; the rest is counted."""


def main(argv: Sequence[str] | None = None) -> int:
    """`kilowatch verify`: 0 every chain holds, 1 one is broken, or there is none."""
    parser = argparse.ArgumentParser(
        description="Proves that no decision was changed, dropped or added among those it reads."
    )
    parser.add_argument("file", nargs="?", type=Path, help="records, one a line; else Kafka")
    parser.add_argument(
        "--newest",
        action="append",
        type=_kept_hash,
        default=[],
        metavar="ACCOUNT=HASH",
        help="a newest hash of which you kept a copy, or its beginning; may be given again",
    )
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
    later = sum(number > 1 for number in proof.first.values())
    if later:
        checked += f" (the beginning of {later} accounts is missing, as it is once it is too old)"
    if not proof.links and not broken:
        console.print(NO_RECORD)
        return 1
    for account_id, kept in options.newest:
        number, digest = proof.newest.get(account_id, (0, NO_LINK))
        if not digest.startswith(kept):
            broken.append(f"{account_id}, link {number}: its hash is {digest}, your copy is {kept}")
            console.print(f"NOT YOURS {broken[-1]}", markup=False, soft_wrap=True)
    held = HELD if not broken else f"{len(broken)} links are BROKEN; the first: {broken[0]}"
    console.print(f"{checked}: {held}", markup=False, soft_wrap=True)
    return 1 if broken else 0


def _kept_hash(text: str) -> tuple[str, str]:
    """ACCOUNT=HASH. Raises ArgumentTypeError."""
    account_id, _, kept = text.rpartition("=")
    if not account_id or not re.fullmatch(rf"[0-9a-f]{{{LEAST_HEX},{HASH_HEX}}}", kept.lower()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ACCOUNT=HASH with at least {LEAST_HEX} hexadecimal digits"
        )
    return account_id, kept.lower()


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
    """The records (place, bytes) of a file, one a line, without what editors put around them."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            record = line.removeprefix(BOM_UTF8).strip() if number == 1 else line.strip()
            if record:
                yield f"{path.name} line {number}", record
