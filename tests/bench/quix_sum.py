"""Line (b2): Quix Streams with its state store, keeping only a running sum per account."""

from __future__ import annotations

import logging
import os
import sys
import tempfile

from quixstreams import Application, State

from tests.bench.clock import Clock

GROUP = "bench-b2"
CHANGELOG = "changelog__{group}--{topic}--default"


def run(bootstrap: str, topic: str, enough: int, seconds: float) -> None:
    """Sum the registers of each account."""
    clock = Clock(enough, seconds)
    app = Application(
        broker_address=bootstrap,
        consumer_group=GROUP,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        state_dir=tempfile.mkdtemp(),
        loglevel=logging.WARNING,
    )

    def add(value: dict[str, object], state: State) -> None:
        state.set("sum", state.get("sum", 0) + value["registerWh"])
        if clock.count():
            clock.tell()
            os._exit(0)

    frame = app.dataframe(app.topic(topic, value_deserializer="json"))
    frame.update(add, stateful=True)
    app.run()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
