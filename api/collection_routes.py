"""What must collectors do, and how do their months compare, asked over HTTP?

Work items with deadlines, the day's review (日点评) and the month's appraisal (月考核, 同业对标) as
JSON, CSV and PDF.  A collector sees their own work and their own line, nobody else's; the figures
of all together are everybody's.  How they are made is `scoring.collection`'s and
`scoring.benchmark`'s.
"""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from io import StringIO
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api import problems
from api.appraisal_words import appraisal_body, appraisal_csv
from api.customer_routes import AS_PDF, PDF, as_file
from api.gate import PERSON
from api.papers import FontsMissing, printed
from api.replies import NOT_CHANGED, reply
from scoring.collection import review
from scoring.units import instant_text
from streams.wire_customers import plain_fact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.meters import Meters
    from api.people import Person
    from api.state import State
    from scoring.benchmark import Appraised
    from scoring.collection import Reviewed, Work

CSV = "text/csv; charset=utf-8"
AS_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": AS_PDF[200]["content"] | {"text/csv": {"schema": {"type": "string"}}}}
}
ZONE = ZoneInfo("Asia/Shanghai")
"""Whose day the review means, as in `kilowatch collection`, unless `zone` names another."""

MONTH = r"^20\d\d-(0[1-9]|1[0-2])$"
MOST_ITEMS = 1_000

Month = Annotated[str | None, Query(pattern=MONTH, description="2026-07; else the newest")]


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class WorkList(_Shape):
    """Work items, the most urgent first."""

    as_of: str | None
    items: list[dict[str, Any]] = Field(
        examples=[[{"workId": "mill-1@collect@mill-1:warning:1", "isLate": False}]]
    )


class CollectorDay(_Shape):
    """One collector's day."""

    collector: str
    opened: int
    due: int
    closed_in_time: int
    closed_late: int
    open_now: int
    overdue: int


class DayReview(_Shape):
    """The review of a local day, most overdue first."""

    day: str
    as_of: str | None
    collectors: list[CollectorDay]


class Appraisal(_Shape):
    """A month's appraisal: figures with intervals, and collectors on portfolios alike."""

    month: str | None
    as_of: str | None
    months: list[str] = Field(description="those there are, newest first")
    everybody: dict[str, Any] | None = Field(description="all collectors together")
    collectors: list[dict[str, Any]]


class Collected:
    """What a person may see of collection."""

    def __init__(self, state: State) -> None:
        self._state = state

    def work(self, person: Person, collector: str | None, *, open_only: bool) -> list[Work]:
        """Items of a collector, or of all."""
        mine = collector if person.sees_all else person.collector
        return [
            one
            for one in self._state.register.work()
            if (mine is None or one.collector == mine) and (one.is_open or not open_only)
        ]

    def now(self) -> int:
        """The instant by which work is late."""
        return self._state.now()

    def as_of(self, items: Iterable[Work] = ()) -> str | None:
        """The newest fact or, if later, the newest deadline missed: since then nothing changed."""
        now = self.now()
        missed = (one.due_at for one in items if one.is_open and one.is_late(now))
        newest = self._state.register.as_of
        if self._state.is_simulated:
            newest = min(newest, now)
        found = max(newest, max(missed, default=0))
        return instant_text(found) if found else None

    def review(self, person: Person, day: date, zone: ZoneInfo = ZONE) -> list[Reviewed]:
        """A local day's review."""
        begins = datetime(day.year, day.month, day.day, tzinfo=zone)
        after = day + timedelta(days=1)
        ends = datetime(after.year, after.month, after.day, tzinfo=zone)
        items = self.work(person, None, open_only=False)
        return review(items, int(begins.timestamp()), int(ends.timestamp()))

    def today(self) -> date:
        """The local day of now."""
        return datetime.fromtimestamp(self.now(), ZONE).date()

    def appraised(self, person: Person, month: str | None) -> tuple[str | None, list[Appraised]]:
        """A month and its lines, those of others left out for a collector."""
        months = self._state.register.appraised_months()
        wanted = month or (months[0] if months else None)
        found = [] if wanted is None else self._state.register.appraised(wanted)
        return wanted, [
            one
            for one in found
            if person.sees_all or one.compared is None or one.collector == person.collector
        ]


def add_collection(app: FastAPI, state: State, meters: Meters) -> None:
    """Serve the questions."""
    seen = Collected(state)
    _add_work(app, state, seen, meters)
    _add_appraisal(app, state, seen, meters)


def _add_work(app: FastAPI, state: State, seen: Collected, meters: Meters) -> None:
    @app.get(
        "/v1/collection/work",
        response_model=WorkList,
        responses=problems.errors(422, 503) | NOT_CHANGED,
        summary="Work items of collectors, with their deadlines",
    )
    def work(
        request: Request,
        collector: Annotated[str | None, Query(max_length=64)] = None,
        open_only: Annotated[bool, Query(alias="open")] = True,
        limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 200,
    ) -> Response:
        """The most urgent first."""
        began_at, person = perf_counter(), _person(request)
        if not state.tail.is_ready:
            response = problems.said(problems.not_ready(state))
        elif _is_anothers(person, collector):
            response = problems.said(problems.forbidden("this is not your work"))
        else:
            now = seen.now()
            items = seen.work(person, collector, open_only=open_only)
            as_of, items = seen.as_of(items), items[:limit]
            told = [plain_fact(w) | {"workId": w.work_id, "isLate": w.is_late(now)} for w in items]
            response = reply(request, {"asOf": as_of, "items": told})
        meters.answered("work", response.status_code, perf_counter() - began_at)
        return response

    @app.get(
        "/v1/collection/review",
        response_model=DayReview,
        responses=problems.errors(422, 503) | NOT_CHANGED,
        summary="The day's review of collectors' work",
    )
    def day_review(
        request: Request, day: Annotated[date | None, Query(description="local day")] = None
    ) -> Response:
        """What was opened, due, closed in time and late, and what is overdue."""
        began_at = perf_counter()
        if not state.tail.is_ready:
            response = problems.said(problems.not_ready(state))
        else:
            on = min(max(day or seen.today(), date(2000, 1, 1)), date(2099, 12, 30))
            body = {"day": on.isoformat(), "asOf": seen.as_of()}
            found = [reviewed_told(one) for one in seen.review(_person(request), on)]
            response = reply(request, body | {"collectors": found})
        meters.answered("review", response.status_code, perf_counter() - began_at)
        return response

    @app.get(
        "/v1/collection/review.csv",
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
        | problems.errors(422, 503)
        | NOT_CHANGED,
        response_class=Response,
        summary="The day's review as CSV",
    )
    def review_csv(
        request: Request, day: Annotated[date | None, Query(description="local day")] = None
    ) -> Response:
        """The same lines for a spreadsheet."""
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        on = min(max(day or seen.today(), date(2000, 1, 1)), date(2099, 12, 30))
        file = StringIO("\ufeff")
        file.seek(0, 2)
        writer = csv.DictWriter(file, list(CollectorDay.model_fields))
        writer.writeheader()
        for one in seen.review(_person(request), on):
            told = reviewed_told(one)
            writer.writerow({name: told[to_camel(name)] for name in CollectorDay.model_fields})
        return as_file(request, file.getvalue().encode(), f"review-{on}.csv", CSV)


def _add_appraisal(app: FastAPI, state: State, seen: Collected, meters: Meters) -> None:
    @app.get(
        "/v1/collection/appraisal",
        response_model=Appraisal,
        responses=problems.errors(422, 503) | NOT_CHANGED,
        summary="The month's appraisal, collectors compared on portfolios alike",
    )
    def appraisal(request: Request, month: Month = None) -> Response:
        """Figures with 95 % intervals; a verdict only beyond chance."""
        began_at = perf_counter()
        if not state.tail.is_ready:
            response = problems.said(problems.not_ready(state))
        else:
            wanted, found = seen.appraised(_person(request), month)
            everybody = [plain_fact(one) for one in found if one.compared is None]
            body = {
                "month": wanted,
                "asOf": seen.as_of(),
                "months": state.register.appraised_months(),
                "everybody": everybody[0] if everybody else None,
                "collectors": [plain_fact(one) for one in found if one.compared is not None],
            }
            response = reply(request, body)
        meters.answered("appraisal", response.status_code, perf_counter() - began_at)
        return response

    @app.get(
        "/v1/collection/appraisal/{kind}",
        responses=AS_FILES | problems.errors(404, 422, 503) | NOT_CHANGED,
        response_class=Response,
        summary="The month's appraisal as a file",
    )
    def file(request: Request, kind: Literal["csv", "pdf"], month: Month = None) -> Response:
        """CSV for a spreadsheet, PDF for the meeting."""
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        wanted, found = seen.appraised(_person(request), month)
        if not found or wanted is None:
            return problems.said(problems.other(404, f"no appraisal of {wanted or 'any month'}"))
        if kind == "csv":
            content = appraisal_csv(found).encode()
            return as_file(request, content, f"appraisal-{wanted}.csv", CSV)
        body = appraisal_body(found, wanted, state.sender.utility)
        try:
            content = printed("appraisal.typ", body, 0, state.fonts)
        except FontsMissing as error:
            return problems.said(problems.other(503, str(error)))
        return as_file(request, content, f"appraisal-{wanted}.pdf", PDF)


def reviewed_told(one: Reviewed) -> dict[str, Any]:
    """A line of the review as JSON."""
    return {to_camel(name): getattr(one, name) for name in CollectorDay.model_fields}


def _person(request: Request) -> Person:
    person: Person = request.scope[PERSON]
    return person


def _is_anothers(person: Person, collector: str | None) -> bool:
    return not person.sees_all and collector not in {None, person.collector}
