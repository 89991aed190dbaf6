"""How is one account answered five thousand times a second?

`GET /v1/accounts/{id}` is taken here, before the web framework, because the framework's routing and
middleware cost several times what the answer does; and it is sent at once (`protocol`).  All other
requests go on to it; it documents this route too, and answers it the same way should it ever be
asked.  What is answered is told in `answer`, errors in `problems`.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from api.answer import answer
from api.problems import not_found, not_ready
from api.protocol import Reply
from api.replies import CACHE, etag_of, is_the_same

if TYPE_CHECKING:
    from api.gate import Gate
    from api.meters import Meters
    from api.state import State

PREFIX = b"/v1/accounts/"
JSON = [(b"content-type", b"application/json"), (b"cache-control", CACHE.encode())]
PROBLEM = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]


class AccountsFirst:
    """An ASGI application in front of another."""

    def __init__(self, gate: Gate, state: State, meters: Meters) -> None:
        self._rest = gate
        self._state = state
        self._meters = meters

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer the hot route, pass everything else on."""
        reply = self.at_once(scope) if scope["type"] == "http" else None
        if reply is None:
            await self._rest(scope, receive, send)
            return
        length = (b"content-length", str(len(reply.body)).encode())
        headers = [*reply.headers, length]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def at_once(self, scope: dict[str, Any]) -> Reply | None:
        """The answer to a question for one account; None to every other request."""
        if scope["method"] != "GET":
            return None
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        if not path.startswith(PREFIX) or path == PREFIX or b"/" in path[len(PREFIX) :]:
            return None
        began_at = perf_counter()
        account_id = unquote(path[len(PREFIX) :].decode("ascii", "replace"))
        person = self._rest.quick(scope)
        # whoever is new, far from every day, or not allowed is the gate's to answer
        if person is None or not self._rest.passes(person, account_id):
            return None
        known = b""
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                known = value
        reply = account_answer(self._state, account_id, known.decode("latin-1"))
        self._meters.answered("account", reply.status, perf_counter() - began_at)
        return reply


def account_answer(state: State, account_id: str, if_none_match: str = "") -> Reply:
    """The answer about one account."""
    if not state.tail.is_ready:
        return Reply(503, [*PROBLEM, (b"retry-after", b"1")], not_ready(state).encoded())
    row = state.view.book.row(account_id)
    if row is None:
        return Reply(404, PROBLEM, not_found(account_id).encoded())
    body = answer(state.view, row, state.windows)
    etag = etag_of(body)
    headers = [*JSON, (b"etag", etag.encode())]
    if if_none_match and is_the_same(etag, if_none_match):
        return Reply(304, headers, b"")
    return Reply(200, headers, body)
