"""Why does a large customer have its credit grade, asked over HTTP?

`GET /v1/accounts/{id}/credit` answers with the newest record of `credit-grades`, to the letter: the
score item by item, what is published, which overrides hold, what would raise it, and the learned
chance of a late payment, which only advises.  The record is made by `kilowatch credit`.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Literal

from fastapi import Request, Response  # noqa: TC002 - read at run time
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api import problems
from api.replies import NOT_CHANGED, reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from api.meters import Meters
    from api.state import State
    from streams.wire import Record


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class GradedPeriod(_Shape):
    """A grade of a month."""

    month: str
    score: str = Field(description="per cent, two decimals")
    grade: str
    stars: int


class CreditOverride(_Shape):
    """What holds the grade down, whatever the score."""

    override: str
    text: str
    chinese: str


class CreditNote(_Shape):
    """Which of two statements of a fact holds, and on what document it rests."""

    text: str
    chinese: str


class CreditItem(_Shape):
    """One of the 18 items; `points` and `line` null where facts are missing."""

    item: str
    name: str
    chinese: str
    group: str
    points: int | None
    weight: int
    line: str | None = Field(description="the rule's line that holds")
    line_chinese: str | None
    facts: dict[str, int] = Field(description="those that are known")
    missing: list[str]
    notes: list[CreditNote] = Field(description="on what document the facts rest")


class CreditImprovement(_Shape):
    """One line better in one item."""

    item: str
    effort: str
    to: str
    to_chinese: str
    points: int
    raises_by: str = Field(description="per cent of the score, two decimals")


class LearnedRisk(_Shape):
    """What the learned risk says of a month; it only advises."""

    month: str
    chance_late: float = Field(ge=0, le=1)


class CreditGrade(_Shape):
    """A customer's credit, explained: a record of `credit-grades`."""

    version: Literal[1]
    account_id: str
    as_of: str = Field(description="newest finished local day")
    terms: dict[str, str] = Field(description="presets of weights, bands and missing facts")
    score: str = Field(description="per cent, two decimals, as of that day")
    coverage: str = Field(description="per cent of the weight whose facts are known")
    grade_by_score: str
    grade: str = Field(description="after overrides")
    stars: int
    monthly: GradedPeriod | None
    published: GradedPeriod | None = Field(description="what holds; changes each quarter")
    held_by: list[CreditOverride]
    items: list[CreditItem]
    improvements: list[CreditImprovement] = Field(description="cheapest first")
    next_grade: str | None
    enough: list[str] = Field(description="items whose next lines together reach the next grade")
    risk: LearnedRisk | None


class Grades:
    """The newest record of `credit-grades` of each account, as read."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}

    def take(self, records: Sequence[Record]) -> None:
        """Newer records; one without a value takes a grade back."""
        for record in records:
            account_id = (record.key or b"").decode(errors="replace")
            if record.value is None:
                self._newest.pop(account_id, None)
            else:
                self._newest[account_id] = record.value

    def of(self, account_id: str) -> bytes | None:
        """An account's record, None if it is graded by nobody."""
        return self._newest.get(account_id)


def add_credit(app: FastAPI, state: State, meters: Meters) -> None:
    """Serve the question."""

    @app.get(
        "/v1/accounts/{account_id}/credit",
        response_model=CreditGrade,
        responses=problems.errors(404, 503) | NOT_CHANGED,
        summary="The credit grade of a large customer, explained",
    )
    async def credit(request: Request, account_id: str) -> Response:
        """Item by item, with what is published, what holds it down and what would raise it."""
        began_at = perf_counter()
        response = _answer(request, state, account_id)
        meters.answered("credit", response.status_code, perf_counter() - began_at)
        return response


def _answer(request: Request, state: State, account_id: str) -> Response:
    if not state.tail.is_ready:
        return problems.said(problems.not_ready(state))
    found = state.view.grades.of(account_id)
    if found is None:
        return problems.said(problems.not_found(account_id))
    return reply(request, found)
