"""How does an answer that stands ready go out without waiting for its turn?

Most questions are for one account, and its answer needs nothing but memory.  uvicorn makes a task
of each request all the same and sends it in two pieces, which costs as much as the answer.  Here
what `at_once` can answer is written as soon as its headers are read, in one piece; everything else
goes uvicorn's way.  Names of uvicorn that are not public are in `PINNED`, held by `test_protocol`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Callable

PINNED = {
    "uvicorn": "0.54.0",
    "hooks": (
        "HttpToolsProtocol._start_asgi_task, .pipeline, .flow, .transport, .server_state",
        "RequestResponseCycle.scope, .keep_alive, .on_response, .response_started",
        "RequestResponseCycle.response_complete, FlowControl.write_paused",
    ),
}

_STATUS_LINES = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus
}
WITHOUT_A_BODY = frozenset({204, 304})


class Reply(NamedTuple):
    """A whole answer; header names in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def protocol_of(at_once: Callable[[dict[str, Any]], Reply | None]) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol, with what `at_once` answers of an ASGI scope sent at once.

    `at_once` answers None to what is not its own.
    """

    class Protocol(HttpToolsProtocol):
        """One connection."""

        def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
            # behind others that wait, and where the client does not read, uvicorn keeps the order
            is_free = not self.pipeline and not self.flow.write_paused
            reply = None
            if is_free:
                try:
                    reply = at_once(cycle.scope)  # type: ignore[arg-type]  # a typed dictionary
                except Exception:  # noqa: BLE001 - comes again in the task: logged, answered by 500
                    reply = None
            if reply is None:
                super()._start_asgi_task(cycle, app)
                return
            parts = [_STATUS_LINES[reply.status]]
            for name, value in (*self.server_state.default_headers, *reply.headers):
                parts += (name, b": ", value, b"\r\n")
            if reply.status not in WITHOUT_A_BODY:
                parts.append(b"content-length: %d\r\n" % len(reply.body))
            parts += (b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", reply.body)
            self.transport.write(b"".join(parts))
            cycle.response_started = cycle.response_complete = True
            if not cycle.keep_alive:
                self.transport.close()
            cycle.on_response()

    return Protocol
