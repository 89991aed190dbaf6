"""Which paths show usage and charge by day, ten days, week and month?

`GET /v1/monitor?by=industry&span=ten-days` for all groups of a kind, and
`GET /v1/monitor/accounts/{id}?span=week` for one account.  Apart from `app` because these are asked
by people who plan, a few times a day, and not for every account; what they say is `monitor`'s.
"""

from __future__ import annotations

from datetime import date
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import FastAPI, Query, Request, Response

from api import problems
from api.monitor import DAYS_KEPT
from api.replies import NOT_CHANGED, reply
from api.shapes import AccountSpan, GroupSpans
from scoring.spans import Span

if TYPE_CHECKING:
    from api.meters import Meters
    from api.problems import Problem
    from api.state import State

By = Literal["industry", "voltage-level", "collector", "area", "payment-mode"]
OnDay = Annotated[
    date | None, Query(alias="date", description="up to and with this day; the newest if left out")
]


def add_monitor(app: FastAPI, state: State, meters: Meters) -> None:
    """Add the monitor's routes; not async, so that summing a million holds up no other answer."""

    @app.get(
        "/v1/monitor",
        response_model=GroupSpans,
        responses=problems.errors(422, 503) | NOT_CHANGED,
        summary="Usage, charge, arrears and advance share of every group",
    )
    def groups(request: Request, by: By, span: Span = Span.MONTH, day: OnDay = None) -> Response:
        """The span so far against as many days of the span before; arrears are those of now."""
        began_at = perf_counter()
        day, problem = _day(state, span, day)
        if problem is None:
            told = state.view.monitor.by_group(by, span, day)
            body = {"by": by, "span": span.value, "date": day.isoformat(), "groups": told}
            response = reply(request, body)
        else:
            response = problems.said(problem)
        meters.answered("monitor", response.status_code, perf_counter() - began_at)
        return response

    @app.get(
        "/v1/monitor/accounts/{account_id}",
        response_model=AccountSpan,
        responses=problems.errors(404, 422, 503) | NOT_CHANGED,
        summary="Usage and charge of one account",
    )
    def account(
        request: Request, account_id: str, span: Span = Span.MONTH, day: OnDay = None
    ) -> Response:
        """The span so far against as many days of the span before."""
        day, problem = _day(state, span, day)
        told = None if problem else state.view.monitor.of_account(account_id, span, day)
        if told is None:
            return problems.said(problem or problems.not_found(account_id))
        body = {"accountId": account_id, "span": span.value, "date": day.isoformat()} | told
        return reply(request, body)


def _day(state: State, span: Span, day: date | None) -> tuple[date, Problem | None]:
    """The day that is asked about, and why nothing can be said about it."""
    monitor = state.view.monitor
    newest = date.fromordinal(max(1, monitor.newest))
    day = day or newest
    if not (state.tail.is_ready and monitor.is_complete):
        return day, problems.not_ready(state)
    if not monitor.newest:
        return day, problems.wrong_query("no finished day has been told yet; ask again tomorrow")
    if not monitor.reaches(span, day):
        return day, problems.wrong_query(
            f"date: {DAYS_KEPT} days up to {newest} are kept; a {span.value} and the one before "
            "must lie among them"
        )
    return day, None
