"""Which paths does the API serve, and how is it started?

`GET /v1/accounts/{id}` is the live balance forecast, `GET /v1/accounts` ranks; /healthz, /readyz
and /metrics are for whoever runs it, `/` is the console.  It stands apart from what is answered
(`answer`, `ranking`), from who may ask (`gate`) and from how the view stays new (`tail`).
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

import uvicorn
import uvloop
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from api import problems, ranking
from api.acting import Desk, add_actions
from api.actions import Actions
from api.answer import summary
from api.audit_history import AuditCopier, AuditHistory
from api.audit_routes import add_audit
from api.changes import MOST_WATCHERS, Changes
from api.choosing import Choice
from api.collection_routes import add_collection
from api.console import add_console
from api.console_customers import add_customer_pages
from api.credit_route import add_credit
from api.customer_routes import add_customers
from api.decisions import links_of
from api.document import add_docs, describe
from api.fleet import Fleet
from api.gate import PERSON, Gate
from api.history import History
from api.history_tables import engine_of
from api.hot import AccountsFirst, account_answer
from api.interlock_route import InterlockDesk, add_interlock
from api.meters import Meters
from api.past import add_past
from api.policy_desk import PolicyDesk
from api.protocol import protocol_of
from api.register import TOPICS, Register
from api.replies import NOT_CHANGED, reply
from api.security import Security, check_safe
from api.shapes import AccountAnswer, AccountList, StageName, TierName
from api.state import State
from api.tail import STATE_TOPICS, Tail
from api.view import View
from api.watching import add_monitor
from api.why_route import add_why
from api.writer import KafkaWriter
from scoring.events import CustomerClass  # noqa: TC001 - read at run time
from streams.settings import settings_from, settings_table, supply_rules
from streams.topics import INTERLOCK, OPERATOR_ACTIONS, ensure_topics
from streams.wire import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.people import Person
    from streams.settings import Settings

log = logging.getLogger(__name__)

MAX_LIMIT = 1_000
"""Accounts on one page: about five milliseconds of writing."""

HEARTBEAT_SECONDS = 15
"""Proxies close a stream on which nothing has come for half a minute or a minute."""

GOODBYE_SECONDS = 3
"""How long an ending process waits for open streams."""


def application(state: State) -> AccountsFirst:
    """The whole ASGI application over a view."""
    meters = Meters(state)
    app = FastAPI(
        title="Kilowatch",
        redirect_slashes=False,
        docs_url=None,  # `document` shows it without a stranger's server
        redoc_url=None,
        version="1",
        description="Live balance, forecast and supply state of electricity accounts.",
    )
    desk, interlock, policies = Desk(state), InterlockDesk(state), PolicyDesk(state)
    _add_accounts(app, state, meters)
    add_actions(app, state, desk, meters)
    _add_changes(app, state)
    add_monitor(app, state, meters)
    add_past(app, state, meters)
    add_why(app, state, meters)
    add_credit(app, state, meters)
    add_customers(app, state, policies, meters)
    add_collection(app, state, meters)
    add_interlock(app, state, interlock, meters)
    _add_operations(app, state, meters)
    _add_errors(app)
    add_audit(app, state, meters)
    add_console(app, state, desk, interlock)
    add_customer_pages(app, state, policies)
    add_docs(app)
    describe(app)
    return AccountsFirst(Gate(app, state), state, meters)


Code = Annotated[str | None, Query(max_length=64)]


def _add_accounts(app: FastAPI, state: State, meters: Meters) -> None:
    @app.get(
        "/v1/accounts/{account_id}",
        response_model=AccountAnswer,
        responses=problems.errors(404, 503) | NOT_CHANGED,
        summary="The live balance forecast of one account",
    )
    async def account(account_id: str, request: Request) -> Response:
        """Balance, bill, forecast, runway, where the account stands and what comes next."""
        known = request.headers.get("if-none-match", "")
        status, headers, body = account_answer(state, account_id, known)
        plain = {name.decode(): value.decode() for name, value in headers}
        return Response(body, status, plain)

    @app.get(
        "/v1/accounts",
        response_model=AccountList,
        responses=problems.errors(422, 503) | NOT_CHANGED,
        summary="Accounts in order of runway, balance or id",
    )
    def accounts(
        request: Request,
        tier: Annotated[TierName | None, Query(description="only this warning tier")] = None,
        stage: Annotated[StageName | None, Query(description="only this stage")] = None,
        size: Annotated[CustomerClass | None, Query(description="only such customers")] = None,
        collector: Annotated[Code, Query(description="only this collector's")] = None,
        area: Annotated[Code, Query(description="only of this area")] = None,
        industry: Annotated[Code, Query(description="only of this industry")] = None,
        voltage_level: Annotated[Code, Query(alias="voltageLevel")] = None,
        prefix: Annotated[str, Query(description="ids that begin so", max_length=64)] = "",
        sort: Annotated[Literal["runway", "balance", "id"], Query()] = "runway",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
        after: Annotated[str | None, Query(description="from `next` of the page before")] = None,
    ) -> Response:
        """Those whose money ends first come first; follow `next` for more."""
        # not async: it runs in a thread, so that ranking a million holds up no other answer
        began_at = perf_counter()
        person: Person = request.scope[PERSON]
        size_name = None if size is None else size.value
        mine = collector if person.sees_all else person.collector
        choice = Choice(tier, stage, size_name, mine, area, industry, voltage_level, prefix)
        if not state.tail.is_ready:
            response = problems.said(problems.not_ready(state))
        elif collector not in {None, mine}:
            response = problems.said(problems.forbidden("these are not customers of yours"))
        else:
            response = _page(request, state, choice, sort, limit, after)
        meters.answered("accounts", response.status_code, perf_counter() - began_at)
        return response


def _page(
    request: Request, state: State, choice: Choice, sort: str, limit: int, after: str | None
) -> Response:
    try:
        page = ranking.page(state.view, sort, choice.rows(state.view), limit, after)
    except ranking.AfterUnreadable as error:
        return problems.said(
            problems.wrong_query(f"{error}; take it from `next` of the page before")
        )
    query = {**request.query_params, "sort": sort, "limit": limit, "after": page.after}
    body = {
        "asOf": time_text(state.view.newest_read_at),
        "accounts": [summary(state.view, row) for row in page.rows],
        "next": None if page.after is None else f"/v1/accounts?{urlencode(query)}",
    }
    return reply(request, body)


def _add_changes(app: FastAPI, state: State) -> None:
    @app.get(
        "/v1/changes",
        response_class=EventSourceResponse,
        responses={
            200: {"content": {"text/event-stream": {}}, "description": "A stream without end"},
            503: problems.ERRORS[503],
        },
        summary="Accounts that have just changed, as server-sent events",
    )
    async def changes(
        request: Request,
        account: Annotated[str | None, Query(description="of this account all readings")] = None,
    ) -> Response:
        """`change` names an account; `reset` asks to load anew; comments keep the line open."""
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        if state.changes.watchers >= MOST_WATCHERS:
            return problems.said(problems.too_many_watchers())
        person: Person = request.scope[PERSON]
        place = state.changes.place(request.headers.get("last-event-id"))
        told = state.changes.follow(place, account, lambda each: person.may_see(each.collector))
        return EventSourceResponse(told, ping=HEARTBEAT_SECONDS)


def _add_operations(app: FastAPI, state: State, meters: Meters) -> None:
    @app.get("/healthz", summary="Whether the process answers at all")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        summary="Whether every account has been read",
        responses=problems.errors(503),
    )
    async def readyz(request: Request) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        body = {"status": "ready", "accounts": len(state.view), "behind": state.tail.behind}
        return reply(request, body)

    @app.get("/metrics", summary="For Prometheus", include_in_schema=False)
    def metrics() -> Response:  # not async: counting a million holds up no other answer
        return Response(meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> Response:
        return problems.said(problems.other(error.status_code, str(error.detail)), error.headers)

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
    """Read and answer until told to stop; the exit code.

    Raises SettingsWrong before anything listens, TopicsWrong, KafkaError.

    When reading ends by an error the process ends too: an API that answers from a view that no
    longer moves would be worse than none, and its supervisor starts it again.
    """
    security = Security(settings)
    check_safe(settings, security.keys)
    await ensure_topics(settings, (*STATE_TOPICS, *TOPICS, OPERATOR_ACTIONS, INTERLOCK))
    view, writer, actions, changes = View(), KafkaWriter(settings), Actions(), Changes()
    interlock, register = Fleet(), Register()
    tail = Tail(view, settings, actions, changes, interlock, register)
    is_simulated = settings.timestamps == "producer"
    history = History(engine_of(settings.history_url))
    path = security.audit.path
    audit = None if path is None else AuditCopier(AuditHistory(history.engine), path)
    state = State(
        view, tail, supply_rules(settings), history,
        partial(links_of, settings, history=history), security, actions, changes, writer, interlock,
        register, fonts=settings.fonts, audit=audit, is_simulated=is_simulated,
    )  # fmt: skip
    app = application(state)
    await writer.start()
    config = uvicorn.Config(
        app,
        host=settings.bind,
        port=settings.api_port,
        log_level=settings.log_level.lower(),
        access_log=False,  # a line per answer would cost more than the answer
        lifespan="off",
        server_header=False,
        loop="none",
        http=protocol_of(app.at_once),
        timeout_graceful_shutdown=GOODBYE_SECONDS,
        ssl_certfile=settings.api_certificate_file or None,
        ssl_keyfile=settings.api_certificate_key_file or None,
    )
    server = Server(config)
    reading = asyncio.create_task(tail.run(), name="tail")
    reading.add_done_callback(lambda _: setattr(server, "should_exit", True))
    copying = None if audit is None else asyncio.create_task(audit.run(), name="audit")
    await server.serve()
    await writer.stop()
    if audit is not None and copying is not None:
        copying.cancel()
        await asyncio.to_thread(audit.copy)  # what was done last
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
