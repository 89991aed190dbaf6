"""Line (b), the idiomatic way: a Faust agent per event, a Table, and a River model per account.

As its documentation teaches, with the cheapest of River's forecasters (0.7 microseconds a reading;
a regression would take ten), no forecast asked of it, nothing checked, billed or decided.
"""

from __future__ import annotations

import os
import sys
import tempfile

import faust
from river import time_series

from tests.bench.clock import Clock

BOOTSTRAP, TOPIC, ENOUGH, SECONDS, PARTITIONS = sys.argv[1:6]
NAME = f"bench-b-{os.getpid()}"


class Reading(faust.Record, serializer="json"):
    """A reading as it stands on the wire."""

    version: int
    accountId: str  # noqa: N815 - the wire's own name
    meterId: str  # noqa: N815
    readAt: str  # noqa: N815
    registerWh: int  # noqa: N815


app = faust.App(
    NAME,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    datadir=tempfile.mkdtemp(),
    topic_partitions=int(PARTITIONS),
    topic_allow_declare=True,
    web_enabled=False,
    broker_session_timeout=10,
    broker_heartbeat_interval=2,
    stream_wait_empty=False,
    consumer_auto_offset_reset="earliest",
    table_standby_replicas=0,
)
topic = app.topic(TOPIC, value_type=Reading)
registers = app.Table("registers", default=int)
used = app.Table("used", default=int)
models: dict[str, time_series.HoltWinters] = {}
clock = Clock(int(ENOUGH), float(SECONDS))


@app.agent(topic)
async def score(stream: faust.Stream[Reading]) -> None:
    """Usage since the last register and a model that learns it."""
    async for reading in stream:
        name = reading.accountId
        last = registers.get(name, 0)
        registers[name] = reading.registerWh
        if last:
            energy = reading.registerWh - last
            used[name] += energy
            model = models.get(name)
            if model is None:
                model = models[name] = time_series.HoltWinters(
                    alpha=0.3, beta=0.1, gamma=0.6, seasonality=7
                )
            model.learn_one(energy)
        if clock.count():
            clock.tell()
            os._exit(0)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "--without-web", "-l", "warn"]
    app.main()
