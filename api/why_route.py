"""How is "why was I cut" asked over HTTP?

`GET /v1/accounts/{id}/why` answers with one sentence, the steps it rests on and whether their chain
holds.  The words are `why`'s, the records are read by `decisions`.
"""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from aiokafka.errors import KafkaError
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api import problems
from api.answer import as_of
from api.replies import NOT_CHANGED, reply
from api.why import why

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.meters import Meters
    from api.state import State
    from api.why import Why


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class StepShown(_Shape):
    """One decision, as it was made."""

    number: int = Field(description="place in the account's chain, from 1")
    at: str = Field(description="when it was decided, in the account's zone")
    kind: str = Field(description="what was decided, or the topic on which something was said")
    effect_id: str
    sentence: str
    cause: str = Field(description="topic, partition and offset of the record it followed from")
    hash: str = Field(description="SHA-256 of this link")


class WhyAnswer(_Shape):
    """Why things are as they are with an account."""

    account_id: str
    as_of: str | None = Field(description="newest counted reading")
    answer: str
    steps: list[StepShown] = Field(description="oldest first")
    is_proven: bool = Field(description="whether there are links, and all hold together")
    proof: str


def add_why(app: FastAPI, state: State, meters: Meters) -> None:
    """Serve the question."""

    @app.get(
        "/v1/accounts/{account_id}/why",
        response_model=WhyAnswer,
        responses=problems.errors(404, 422, 503) | NOT_CHANGED,
        summary="Why an account was warned, cut or left on",
    )
    async def ask(
        request: Request,
        account_id: str,
        lang: Annotated[Literal["en", "zh"], Query(description="English or Chinese")] = "en",
    ) -> Response:
        """Every decision about the account in words, with the record it followed from."""
        began_at = perf_counter()
        response = await _answer(request, state, account_id, lang)
        meters.answered("why", response.status_code, perf_counter() - began_at)
        return response


async def _answer(
    request: Request, state: State, account_id: str, lang: Literal["en", "zh"]
) -> Response:
    if not state.tail.is_ready or state.links is None:
        return problems.said(problems.not_ready(state))
    row = state.view.book.row(account_id)
    if row is None:
        return problems.said(problems.not_found(account_id))
    zone = state.view.tariffs.zone_name(int(state.view.book.tariff_index[row]))
    try:
        links = await state.links(account_id)
    except KafkaError:
        return problems.said(problems.no_decisions())
    told = why(account_id, links, lang, ZoneInfo(zone))
    return reply(request, _body(told, as_of(state.view, row)))


def _body(told: Why, at: str | None) -> dict[str, object]:
    steps = [StepShown.model_validate(asdict(step), by_name=True) for step in told.steps]
    shown = WhyAnswer.model_validate(asdict(told) | {"steps": steps, "as_of": at}, by_name=True)
    return shown.model_dump(by_alias=True)
