"""Which paths does the API serve, and how is it started?

`GET /v1/accounts/{id}` is the live balance forecast, `GET /v1/accounts` ranks; /healthz, /readyz
and /metrics are for whoever runs it.  It stands apart from what is answered (`answer`, `ranking`)
and from how the view stays new (`tail`).  It does not ask who asks: until the security work it
listens on 127.0.0.1 unless told otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlencode

import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI, Query, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api import problems, ranking
from api.answer import TIER_NAMES, summary
from api.decisions import links_of
from api.history import History
from api.history_tables import engine_of
from api.hot import AccountsFirst, account_answer
from api.meters import Meters
from api.past import add_past
from api.shapes import AccountAnswer, AccountList, TierName
from api.state import State
from api.tail import STATE_TOPICS, Tail
from api.view import View
from api.watching import add_monitor
from api.why_route import add_why
from streams.settings import settings_from, settings_table, supply_rules
from streams.topics import ensure_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from streams.settings import Settings

log = logging.getLogger(__name__)

MAX_LIMIT = 1_000
"""Accounts on one page: about five milliseconds of writing."""


def application(state: State) -> AccountsFirst:
    """The whole ASGI application over a view."""
    meters = Meters(state)
    app = FastAPI(
        title="Kilowatch",
        version="1",
        description="Live balance, forecast and supply state of electricity accounts.",
    )
    _add_accounts(app, state, meters)
    add_monitor(app, state, meters)
    add_past(app, state, meters)
    add_why(app, state, meters)
    _add_operations(app, state, meters)
    _add_errors(app)
    return AccountsFirst(app, state, meters)


def _add_accounts(app: FastAPI, state: State, meters: Meters) -> None:
    @app.get(
        "/v1/accounts/{account_id}",
        response_model=AccountAnswer,
        responses={each: problems.ERRORS[each] for each in (404, 503)},
        summary="The live balance forecast of one account",
    )
    async def account(account_id: str) -> Response:
        """Balance, bill, forecast, runway, where the account stands and what comes next."""
        status, headers, body = account_answer(state, account_id)
        plain = {name.decode(): value.decode() for name, value in headers}
        return Response(body, status, plain)

    @app.get(
        "/v1/accounts",
        response_model=AccountList,
        responses={each: problems.ERRORS[each] for each in (422, 503)},
        summary="Accounts in order of runway, balance or id",
    )
    def accounts(
        tier: Annotated[TierName | None, Query(description="only this warning tier")] = None,
        sort: Annotated[Literal["runway", "balance", "id"], Query()] = "runway",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
        after: Annotated[str | None, Query(description="from `next` of the page before")] = None,
    ) -> Response:
        """Those whose money ends first come first; follow `next` for more."""
        # not async: it runs in a thread, so that ranking a million holds up no other answer
        began_at = perf_counter()
        response = _page(state, tier, sort, limit, after)
        meters.answered("accounts", response.status_code, perf_counter() - began_at)
        return response


def _page(state: State, tier: str | None, sort: str, limit: int, after: str | None) -> Response:
    if not state.tail.is_ready:
        return problems.said(problems.not_ready(state))
    number = None if tier is None else TIER_NAMES.index(tier)
    try:
        page = ranking.page(state.view, sort, number, limit, after)
    except ranking.AfterUnreadable as error:
        return problems.said(
            problems.wrong_query(f"{error}; take it from `next` of the page before")
        )
    query = {"tier": tier, "sort": sort, "limit": limit, "after": page.after}
    following = urlencode({name: value for name, value in query.items() if value is not None})
    body = {
        "accounts": [summary(state.view, row) for row in page.rows],
        "next": None if page.after is None else f"/v1/accounts?{following}",
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


def _add_operations(app: FastAPI, state: State, meters: Meters) -> None:
    @app.get("/healthz", summary="Whether the process answers at all")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        summary="Whether every account has been read",
        responses={503: problems.ERRORS[503]},
    )
    async def readyz() -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        body = {"status": "ready", "accounts": len(state.view), "behind": state.tail.behind}
        return Response(msgspec.json.encode(body), media_type="application/json")

    @app.get("/metrics", summary="For Prometheus", include_in_schema=False)
    async def metrics() -> Response:
        return Response(meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> Response:
        return problems.said(problems.other(error.status_code, str(error.detail)))

    @app.exception_handler(RequestValidationError)
    async def wrong(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"][1:]))
        return problems.said(problems.wrong_query(f"{name}: {first['msg']}"))


class Server(uvicorn.Server):
    """uvicorn, except that a signal ends it once and gently, with an exit code of ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; uvicorn itself would raise them again afterwards."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        yield


async def serve(settings: Settings) -> int:
    """Read and answer until told to stop; the exit code.  Raises TopicsWrong, KafkaError.

    When reading ends by an error the process ends too: an API that answers from a view that no
    longer moves would be worse than none, and its supervisor starts it again.
    """
    await ensure_topics(settings, STATE_TOPICS)
    view = View()
    tail = Tail(view, settings)
    history = History(engine_of(settings.history_url))
    links = partial(links_of, settings)
    app = application(State(view, tail, supply_rules(settings), history, links))
    config = uvicorn.Config(
        app,
        host=settings.bind,
        port=settings.api_port,
        log_level=settings.log_level.lower(),
        access_log=False,  # a line per answer would cost more than the answer
        lifespan="off",
        server_header=False,
        loop="none",
        http="httptools",
    )
    server = Server(config)
    reading = asyncio.create_task(tail.run(), name="tail")
    reading.add_done_callback(lambda _: setattr(server, "should_exit", True))
    await server.serve()
    if reading.done() and not reading.cancelled():
        reading.result()  # raises what ended it
        return 1
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    return 0


def main(arguments: list[str]) -> int:
    """`kilowatch api`."""
    parser = argparse.ArgumentParser(
        prog="kilowatch api",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Answer live balances and forecasts over HTTP from the workers' state topics.",
        epilog="Settings (environment):\n\n" + settings_table(),
    )
    parser.parse_args(arguments)
    settings = settings_from()
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings))
