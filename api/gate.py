"""May this request pass?

Every request goes through here: who asks is proven, how often they ask is measured, and their roles
are held against the path's (`people`), by the routes the application really has; a collector's
accounts must be their own.  What passes carries its person in the scope.  Refusals say what to do
and are written to the audit, and so is what became of every deed that passed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import cookie_parser
from starlette.routing import Match

from api import problems
from api.people import NOBODY_IN_PARTICULAR, PUBLIC, Role, roles_for
from api.security import is_loopback

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.people import Person
    from api.problems import Problem
    from api.state import State

COOKIE = "kilowatch"
PROBLEM = [
    (b"content-type", problems.PROBLEM_TYPE.encode()),
    (b"cache-control", b"no-store"),
]
SAFE = frozenset({"GET", "HEAD"})
PERSON = "kilowatch.person"
"""Where in an ASGI scope the person stands."""


class Gate:
    """An ASGI application around the framework's."""

    def __init__(self, app: FastAPI, state: State) -> None:
        self._app = app
        self._state = state
        self._security = state.security

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no websockets
        method = scope["method"]
        path, parameters = self._route(scope)
        if (method, path) in PUBLIC:
            await self._app(scope, receive, send)
            return
        person = self.quick(scope) or await self._proven(scope)
        problem = self._fault(scope, person, path, parameters)
        if problem is None:
            scope[PERSON] = person
            if method not in SAFE:
                send = self._noting(scope, person, path, parameters, send)
            await self._app(scope, receive, send)
            return
        self._note(scope, person, path, parameters, problem)
        if problem.status == 401 and _wants_a_page(scope):
            await _send(send, 303, [(b"location", b"/sign-in")], b"")
            return
        headers = list(PROBLEM)
        if problem.status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="kilowatch"'))
        if problem.status == 429:
            headers.append((b"retry-after", b"1"))
        await _send(send, problem.status, headers, problem.encoded())

    # --- who -------------------------------------------------------------------------------------

    def quick(self, scope: dict[str, Any]) -> Person | None:
        """The person of a header that was proven before; None: look closer."""
        if self._security.is_on:
            for name, value in scope["headers"]:
                if name == b"authorization":
                    return self._security.known(value)
            return None
        headers = dict(scope["headers"])
        is_plain = b"cookie" not in headers and not _is_rebound(headers)
        return NOBODY_IN_PARTICULAR if is_plain else None

    async def _proven(self, scope: dict[str, Any]) -> Person | None:
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization")
        if authorization is not None and self._security.is_on:
            return await asyncio.to_thread(self._security.prove, authorization)
        cookie = session_cookie(headers)
        person = self._security.session(cookie) if cookie else None
        if person is None and not self._security.is_on:
            return NOBODY_IN_PARTICULAR
        return person

    # --- what ------------------------------------------------------------------------------------

    def passes(self, person: Person, account_id: str) -> bool:
        """Whether one account may be shown at once: somebody who sees it, not asking too often."""
        may = person.sees_all or person.may_see(self._state.collector_of(account_id))
        return may and not self._security.is_too_often(person.name)

    def _route(self, scope: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The form of the path that will answer, and its parts; as asked for if none will."""
        nearly: tuple[str, dict[str, Any]] | None = None
        for route in self._app.router.routes:
            match, child = route.matches(scope)
            found = getattr(route, "path", scope["path"]), child.get("path_params", {})
            if match is Match.FULL:
                return found
            if match is Match.PARTIAL and nearly is None:  # another method
                nearly = found
        return nearly or (scope["path"], {})

    def _fault(
        self, scope: dict[str, Any], person: Person | None, path: str, parameters: dict[str, Any]
    ) -> Problem | None:
        """Why the request may not pass."""
        headers = dict(scope["headers"])
        if _is_forged(scope, headers) or (not self._security.is_on and _is_rebound(headers)):
            return problems.forbidden("the request comes from another site's page")
        if self._security.is_too_often(_address(scope) if person is None else person.name):
            return problems.too_often()
        if person is None:
            return problems.not_known()
        wanted = roles_for(scope["method"], path)
        if not person.roles & wanted:
            names = ", ".join(sorted(wanted))
            return problems.forbidden(f"it needs one of the roles {names}")
        account_id = parameters.get("account_id")
        if account_id is not None and not person.may_see(self._state.collector_of(account_id)):
            return problems.forbidden(f"{account_id[:80]!r} is not a customer of yours")
        if not person.sees_all and Role.COLLECTOR in person.roles and not person.collector:
            return problems.forbidden("it is not known which collector's customers are yours")
        return None

    def _noting(
        self,
        scope: dict[str, Any],
        person: Person | None,
        path: str,
        parameters: dict[str, Any],
        send: Any,
    ) -> Any:
        """`send`, which writes down first what became of a deed, whichever route does it."""

        async def noting(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                outcome = f"{'refused' if status >= 400 else 'answered'} {status}"
                deed, about = f"{scope['method']} {path}", _about(parameters)
                self._security.audit.note(person, deed, outcome, _address(scope), **about)
            await send(message)

        return noting

    def _note(
        self,
        scope: dict[str, Any],
        person: Person | None,
        path: str,
        parameters: dict[str, Any],
        problem: Problem,
    ) -> None:
        if problem.status != 429:  # a flood must not fill the audit
            deed = f"{scope['method']} {path}"
            more = _about(parameters)
            outcome = f"refused {problem.status}"
            self._security.audit.note(person, deed, outcome, _address(scope), **more)


def session_cookie(headers: dict[bytes, bytes]) -> str:
    """The session in a request's cookies, empty if none."""
    return cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE, "")


def _about(parameters: dict[str, Any]) -> dict[str, str]:
    """Whom a path speaks of, for the audit."""
    account_id = parameters.get("account_id")
    return {} if account_id is None else {"account": account_id[:80]}


def _address(scope: dict[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_forged(scope: dict[str, Any], headers: dict[bytes, bytes]) -> bool:
    """A browser sent it on behalf of another site's page (a header key cannot be sent so)."""
    if scope["method"] in SAFE or b"authorization" in headers:
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return headers.get(b"sec-fetch-site", b"same-origin") not in {b"same-origin", b"none"}
    return urlsplit(origin.decode("latin-1")).netloc != headers.get(b"host", b"").decode("latin-1")


def _is_rebound(headers: dict[bytes, bytes]) -> bool:
    """Without keys, a name that a stranger's DNS has pointed at this machine would open it."""
    host = urlsplit("//" + headers.get(b"host", b"localhost").decode("latin-1")).hostname
    return "." in (host or "") and not is_loopback(host or "")


def _wants_a_page(scope: dict[str, Any]) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return scope["method"] == "GET" and b"text/html" in accepted


async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
