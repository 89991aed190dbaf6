"""A member of a consumer group, to be killed: `python -m tests.brokers.member BOOTSTRAP TOPIC`."""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaConsumer

GROUP = "self-test"
SESSION_MS = 3_000


def consumer(bootstrap: str, topic: str) -> AIOKafkaConsumer:
    """A member of the self-test's group."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=GROUP,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=500,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )


async def belong(bootstrap: str, topic: str) -> None:
    """Join and stay."""
    async with consumer(bootstrap, topic) as member:
        while True:
            await member.getmany(timeout_ms=200)
            print("assigned", len(member.assignment()), flush=True)


if __name__ == "__main__":
    asyncio.run(belong(*sys.argv[1:3]))
