"""How does a process live: who answers for its meters, and how does a signal end it?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Any

from prometheus_client import start_http_server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from prometheus_client import CollectorRegistry

    from streams.settings import Settings

log = logging.getLogger(__name__)


def answer_metrics(
    registry: CollectorRegistry, port: int, address: str
) -> tuple[int, Callable[[], None]]:
    """Answer GET /metrics on this address; the port listened on, and how to stop.

    Raises OSError when the port is taken.
    """
    server, thread = start_http_server(port, address, registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_port, stop


async def keep_until_told(
    work: Callable[[], Coroutine[Any, Any, None]], registry: CollectorRegistry, settings: Settings
) -> None:
    """Do this work until SIGINT or SIGTERM, its meters answered meanwhile.

    Raises OSError when the port is taken, and whatever the work raises.
    """
    port, stop = answer_metrics(registry, settings.metrics_port, settings.bind)
    log.info("metrics at port %d", port)
    working = asyncio.create_task(work())
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, working.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await working
    finally:
        stop()
