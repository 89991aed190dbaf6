"""How is one account answered five thousand times a second?

`GET /v1/accounts/{id}` is taken here, before the web framework, because the framework's routing and
middleware cost several times what the answer does.  All other requests go on to it; it documents
this route too, and answers it the same way should it ever be asked.
What is answered is told in `answer`, errors in `problems`.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from api.answer import answer
from api.problems import not_found, not_ready
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
        if scope["type"] == "http" and scope["method"] == "GET":
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            if path.startswith(PREFIX) and b"/" not in path[len(PREFIX) :] and path != PREFIX:
                account_id = unquote(path[len(PREFIX) :].decode("ascii", "replace"))
                person = self._rest.quick(scope)
                # whoever is new, far from every day, or not allowed is the gate's to answer
                if person is not None and self._rest.passes(person, account_id):
                    await self._account(account_id, scope, send)
                    return
        await self._rest(scope, receive, send)

    async def _account(self, account_id: str, scope: dict[str, Any], send: Any) -> None:
        began_at = perf_counter()
        known = b""
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                known = value
        status, headers, body = account_answer(self._state, account_id, known.decode("latin-1"))
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})
        self._meters.answered("account", status, perf_counter() - began_at)


def account_answer(
    state: State, account_id: str, if_none_match: str = ""
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body for one account."""
    if not state.tail.is_ready:
        return 503, [*PROBLEM, (b"retry-after", b"1")], not_ready(state).encoded()
    row = state.view.book.row(account_id)
    if row is None:
        return 404, PROBLEM, not_found(account_id).encoded()
    body = answer(state.view, row, state.rules)
    etag = etag_of(body)
    headers = [*JSON, (b"etag", etag.encode())]
    if if_none_match and is_the_same(etag, if_none_match):
        return 304, headers, b""
    return 200, headers, body
