"""How does a person see the fleet interlock, freeze it, and release it?

`kilowatch interlock` shows each partition's newest word; `freeze` and `release` write one person's
word to every partition.  One freezes; trips go on only when a second, different person has released
within the hour of the first (`scoring.interlock`).  Restores never wait for it.  Whoever may write
to Kafka is believed here; the API proves who asks (`POST /v1/interlock/actions`).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from streams.connection import connection_terms
from streams.settings import settings_from
from streams.topics import INTERLOCK, OPERATOR_ACTIONS
from streams.wire_interlock import InterlockAction, Word, decode_word, encode_interlock_action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings

POLL_MS = 200
SAID = {
    "freeze": (InterlockAction.FREEZE, "no trip is sent until two people have released it"),
    "release": (InterlockAction.RELEASE, "a second person's ends the freeze"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Show, or release; 1 if something is frozen."""
    parser = argparse.ArgumentParser(description="The fleet interlock: what freezes trips.")
    words = parser.add_subparsers(dest="word")
    words.add_parser("show", help="each partition's newest word (the usual)")
    freeze = words.add_parser("freeze", help="stop all trips; one person may")
    release = words.add_parser("release", help="say that trips may go on; two people must")
    for each in (freeze, release):
        each.add_argument("--operator", required=True, help="your name or staff number")
        each.add_argument("--reason", required=True, help="why, for the record")
    options = parser.parse_args(argv)
    settings = settings_from()
    console = Console()
    if options.word in SAID:
        action, said = SAID[options.word]
        asyncio.run(_say(settings, action, options.operator, options.reason))
        console.print(f"{options.operator}'s {options.word} is written; {said}", markup=False)
        return 0
    newest = asyncio.run(_newest(settings))
    console.print(table_of(newest, settings.partitions))
    return 1 if any(word.why for word in newest.values()) else 0


def table_of(newest: dict[int, Word], partitions: int) -> Table:
    """Each partition's word as a line; one that never spoke holds all trips."""
    table = Table("partition", "as of", "trips", "why", "released by", "accounts", "out of money",
                  "estimated", "tripped in the hour")  # fmt: skip
    for number in range(partitions):
        word = newest.get(number)
        if word is None:
            table.add_row(str(number), "never", "held", "not heard from")
            continue
        trips = f"frozen since {word.frozen_at}" if word.why else "allowed"
        counts = (word.accounts, word.out_of_money, word.estimated, word.tripped_in_hour)
        table.add_row(
            str(number), word.at, trips, ", ".join(word.why), word.first_release_by,
            *map(str, counts),
        )  # fmt: skip
    return table


async def _say(settings: Settings, action: InterlockAction, operator: str, reason: str) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap, **connection_terms(settings), acks="all"
    )
    value = encode_interlock_action(action, operator, reason, int(time.time()))
    try:
        await producer.start()
        for partition in range(settings.partitions):
            await producer.send_and_wait(OPERATOR_ACTIONS, value, partition=partition)
    finally:
        await producer.stop()


async def _newest(settings: Settings) -> dict[int, Word]:
    """The newest word of each partition that has spoken."""
    place, newest = TopicPartition(INTERLOCK, 0), dict[int, Word]()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        **connection_terms(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        consumer.assign([place])
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MS)
            for record in fetched.get(place, ()):
                word = decode_word(record.value)
                if word is not None:
                    newest[word.partition] = word
            end = consumer.highwater(place)
            if end is not None and await consumer.position(place) >= end:
                return newest
    finally:
        await consumer.stop()
