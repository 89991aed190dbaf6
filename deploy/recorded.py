"""What happened, as far as it is recorded: from the topics, a file of their records, or a table?

`kilowatch replay-policy` lives through it (`deploy.policy_replay`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scoring.situation import zone_named
from simulator.link import read_all
from simulator.replay import plan_replay
from simulator.sheets import shipped_sheets
from simulator.table import FileWrong, TimesLocal, read_table
from streams import topics
from streams.log import PlainRecord
from streams.settings import settings_from

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

MOST_READING_SECONDS = 3_600
"""A year of a large utility's topics is read in less."""


def from_lines(path: Path) -> list[PlainRecord]:
    """Records of a file, one JSON object a line."""
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file):
            try:
                found.append(_from_line(json.loads(line.decode("utf-8")), number))
            except (
                ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError
            ) as error:  # fmt: skip
                raise FileWrong(
                    f"{path} line {number + 1}: not a record, which is one JSON object with topic,"
                    f" timestamp in milliseconds, key and value ({type(error).__name__}: {error})"
                ) from error
    return found


def _from_line(said: dict[str, Any], number: int) -> PlainRecord:
    """One line; a value of null is a tombstone, which withdraws what its key said."""
    value, key = said["value"], said.get("key")
    text = value if isinstance(value, str) else json.dumps(value)
    raw = None if value is None else text.encode()
    key = None if key is None else key.encode()
    if not isinstance(said["topic"], str):
        raise TypeError("topic is no text")
    return PlainRecord(said["topic"], 0, number, int(said["timestamp"]), key, raw)


def from_table(path: Path, opening: str, zone: tzinfo | None) -> list[PlainRecord]:
    """A wide table of readings as customers who pay once."""
    sheet = shipped_sheets()[0]
    try:
        table = read_table(path, zone)
    except TimesLocal:
        table = read_table(path, zone_named(sheet["zone"]))
    plan = plan_replay(table, 1, prefix="", tariff=sheet, opening=opening)
    inputs = plan.opening_records()
    for _at, some in plan.moments(lists=True):
        inputs += some
    return [
        PlainRecord(r.topic, 0, n, r.at * 1000, r.key.encode() if r.key else None, r.value)
        for n, r in enumerate(inputs)
    ]


def from_topics() -> list[PlainRecord]:
    """Everything the input topics hold."""
    wanted = [*topics.SOURCE_OF_TOPIC, topics.TARIFFS, topics.MORATORIA]
    return [
        PlainRecord(each.topic, 0, each.offset, each.timestamp, each.key, each.value or None)
        for each in read_all(settings_from().bootstrap, wanted, MOST_READING_SECONDS)
    ]
