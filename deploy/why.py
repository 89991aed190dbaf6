"""Why was this account warned, cut or left on?

`kilowatch why ACCOUNT` reads the account's decisions from Kafka, or from a file of records of
`decisions`, one JSON object a line, and tells them in words (`api.why`); English or Chinese.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.console import Console

from api.decisions import links_of
from api.why import why
from deploy.verify import SHOWN, lines_of
from streams.chain import link_of
from streams.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """`kilowatch why`: 0 answered and proven, 1 no record of it, or they do not hold together."""
    parser = argparse.ArgumentParser(description="Why an account was warned, cut or left on.")
    parser.add_argument("account")
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    parser.add_argument("--zone", type=ZoneInfo, default=ZoneInfo("UTC"), help="of the times shown")
    parser.add_argument("--file", type=Path, help="records of `decisions`, one a line; else Kafka")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.file is None:
        links = asyncio.run(links_of(settings_from(), options.account))
    else:
        links = _links_in(options.file, options.account)
    told = why(options.account, links, options.lang, options.zone)
    if options.json:
        print(json.dumps(asdict(told), ensure_ascii=False))
    else:
        console = Console()
        console.print(f"{told.answer}\n", markup=False, soft_wrap=True)
        for step in told.steps:
            line = f"{step.at}  {step.sentence}  [{step.cause}]"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print(f"\n{told.proof}", markup=False, soft_wrap=True)
    return 0 if told.is_proven else 1


def _links_in(path: Path, account_id: str) -> list[bytes]:
    """The account's records in a file, also those that name it and cannot be read.

    Other lines that are no record are named: one of them may have been the account's.
    """
    named = f'"accountId":{json.dumps(account_id, ensure_ascii=False)},'.encode()
    links, unreadable = [], []
    for place, line in lines_of(path):
        link = link_of(line)
        if named in line if link is None else link.account_id == account_id:
            links.append(line)
        elif link is None:
            unreadable.append(place)
    console = Console(stderr=True)
    for place in unreadable[:SHOWN]:
        console.print(f"no record of a decision: {place}", markup=False, soft_wrap=True)
    if len(unreadable) > SHOWN:
        console.print(f"and {len(unreadable) - SHOWN} more")
    return links
