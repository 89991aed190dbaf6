"""How do ratings, tax arrears and statements come to the credit score?

`kilowatch facts state` reads a file of a rating agency, a tax office or the staff and writes each
line to `customer-facts`, once all of them can be read; `names` lists what may be stated.  A system
of your own may write the same records.  What they weigh is `scoring.credit_items`'.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.desk import Deeds, rows_of
from simulator.link import write_all
from simulator.messages import as_input
from streams.log import PlainRecord
from streams.settings import settings_from
from streams.topics import CUSTOMER_FACTS, ensure_topics, partition_of
from streams.wire import Refusal
from streams.wire_credit import (
    AMOUNTS,
    COUNTS,
    DATES,
    TRUTHS,
    WORDS,
    decode_customer_facts,
    encode_customer_facts,
    words_of,
)

if TYPE_CHECKING:
    import argparse

    from streams.wire import Encoded

EXAMPLES = """examples:
  kilowatch facts names                                      what may be stated, and how
  kilowatch facts state ratings.csv --source rating-agency
  kilowatch facts state tax.csv --source tax-office --stated-at 2026-07-01T00:00:00Z

A file has a line for each customer: accountId and a column for each fact, for example
  accountId,bankRating,taxArrears
  mill-1,bbb,false
An empty cell states nothing; "none" takes back what was stated, where it is no word of the fact.
Of two statements of a fact the later one holds. Nothing is written unless all can be read."""

TAKEN_BACK = "none"


def main(arguments: list[str]) -> int:
    """Do one deed; 0 done, 1 refused with a sentence that says why."""
    return _deeds().carry_out(arguments)


def statements(path: Path, source: str, stated_at: str, partitions: int) -> list[Encoded]:
    """The records of a file.  Raises ValueError naming the line, and the fact that is none."""
    found = []
    for where, row in rows_of(path):
        account_id = str(row.pop("accountId", "")).strip()
        if not account_id or not row:
            raise ValueError(f"{where}: a line needs accountId and a fact")
        one = encode_customer_facts(account_id, source, stated_at, _facts(row))
        place = partition_of(account_id.encode(), partitions)
        # read by the very code that will read it from the topic
        record = PlainRecord(one.topic, place, 0, 0, one.key, one.value)
        read = decode_customer_facts(record, partitions)
        if isinstance(read, Refusal):
            raise ValueError(f"{where}: {read.detail}")  # noqa: TRY004 - the line, not its type
        found.append(one)
    return found


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    """Cells as facts: words in lower case, since agencies write BBB."""
    facts: dict[str, Any] = {}
    for name, cell in row.items():
        told = cell.strip().lower() if isinstance(cell, str) else cell
        is_word = name in WORDS and TAKEN_BACK in words_of(name)
        facts[name.strip()] = None if told == TAKEN_BACK and not is_word else told
    return facts


def state(options: argparse.Namespace) -> int:
    """Write the lines of a file to the topic."""
    settings, now = settings_from(), int(time.time())
    stated_at = options.stated_at or datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    some = statements(options.file, options.source, stated_at, settings.partitions)
    asyncio.run(ensure_topics(settings, (CUSTOMER_FACTS,)))
    places = [partition_of(one.key or b"", settings.partitions) for one in some]
    write_all(
        settings.bootstrap,
        [as_input(one, place, now) for one, place in zip(some, places, strict=True)],
    )
    print(f"{len(some)} customer(s) stated by {options.source} as of {stated_at}")
    return 0


def names(_options: argparse.Namespace) -> int:
    """Every fact and what it may be."""
    for name in WORDS:
        print(f"{name:22} {', '.join(words_of(name))}")
    for name, most in COUNTS.items():
        print(f"{name:22} whole number to {most}")
    for name in TRUTHS:
        print(f"{name:22} true or false")
    for name in DATES:
        print(f"{name:22} date, as 2026-07-01")
    for name in AMOUNTS:
        print(f"{name:22} money in cents")
    return 0


def _deeds() -> Deeds:
    deeds = Deeds(
        "kilowatch facts",
        "Facts that no meter tells, into the credit score of large customers.",
        EXAMPLES,
        at_desk=False,
    )
    one = deeds.add("state", state, "write a file of facts to the topic customer-facts")
    one.add_argument("file", type=Path)
    one.add_argument("--source", required=True, help="who states it, as rating-agency")
    one.add_argument("--stated-at", default="", help="instant; else now")
    deeds.add("names", names, "what may be stated")
    return deeds
