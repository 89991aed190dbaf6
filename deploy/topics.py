"""Are the topics as they must be?

`kilowatch topics` for an operator before the first worker starts; workers check the same at their
own start.  The terms themselves are written in `streams.topics`.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from streams.settings import settings_from
from streams.topics import TOPICS, ensure_topics, partitions_of

if TYPE_CHECKING:
    from streams.settings import Settings


def main(arguments: list[str]) -> int:
    """Create what is missing, check the rest, list all."""
    parser = argparse.ArgumentParser(
        prog="kilowatch topics",
        description="Create missing topics on KILOWATCH_BOOTSTRAP, check the others, list all.",
    )
    parser.parse_args(arguments)
    settings = settings_from()
    created = asyncio.run(ensure_topics(settings))
    Console().print(topics_table(settings, created))
    return 0


def topics_table(settings: Settings, created: list[str]) -> Table:
    """The topics for a person."""
    table = Table(title=f"topics on {settings.bootstrap}", title_justify="left")
    for heading in ("topic", "partitions", "kept", "holds", ""):
        table.add_column(heading)
    for topic in TOPICS.values():
        kept = "newest of each key" if topic.compacted else f"{topic.retention_days} days"
        partitions = str(partitions_of(topic, settings))
        new = "created" if topic.name in created else ""
        table.add_row(topic.name, partitions, kept, topic.meaning, new)
    return table
