"""The real application on a real port of this machine, in a thread, for whoever asks over HTTP."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from api.protocol import protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served(app) -> Iterator[str]:
    """Its address while the block runs."""
    config = uvicorn.Config(
        app, port=0, log_level="error", access_log=False, lifespan="off",
        http=protocol_of(app.at_once), timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="api", daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
