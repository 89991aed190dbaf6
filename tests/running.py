"""The real application on a real port of this machine, in a thread, for whoever asks over HTTP."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from api.protocol import protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator


START_SECONDS = 60.0
"""Longer than a loaded machine needs to open a port."""


class _Server(uvicorn.Server):
    """A server that says when it listens, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_decided = threading.Event()

    async def startup(self, *args, **kwargs) -> None:
        await super().startup(*args, **kwargs)
        self.is_decided.set()

    def run(self, *args, **kwargs) -> None:
        try:
            super().run(*args, **kwargs)
        finally:
            self.is_decided.set()


@contextmanager
def served(app) -> Iterator[str]:
    """Its address while the block runs."""
    config = uvicorn.Config(
        app, port=0, log_level="error", access_log=False, lifespan="off",
        http=protocol_of(app.at_once), timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="api", daemon=True)
    thread.start()
    assert server.is_decided.wait(START_SECONDS), "the server does not start"
    assert server.started, "the server could not start"
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
