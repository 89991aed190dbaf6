"""What is agreed with a customer and written to them, asked and decided over HTTP?

`/v1/accounts/{id}/policy`, `/letters` and `/contract`, with the sheets and letters as PDF, and the
decision on a proposal, which needs an approver.  What stands behind them is `policy_desk`'s.
"""

from __future__ import annotations

from datetime import date
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api import problems
from api.gate import PERSON
from api.papers import FontsMissing
from api.policy_desk import PolicyDesk, version_told
from api.problems import Problem
from api.replies import CACHE, NOT_CHANGED, etag_of, is_the_same, reply
from scoring.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.meters import Meters
    from api.people import Person
    from api.state import State

PDF = "application/pdf"
AS_PDF: dict[int | str, dict[str, Any]] = {
    200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}
}
Body = dict[str, Any]
Language = Literal["zh", "en", "both"]


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class PolicyAnswer(_Shape):
    """One customer's policies (一户一策)."""

    account_id: str
    as_of: str
    in_force: Body | None = Field(description="the version that holds today")
    waiting: list[Body] = Field(description="proposals that nobody has decided")
    versions: list[Body] = Field(
        description="oldest first, with terms, facts and reasons",
        examples=[[{"policyId": "mill-1@2", "reasons": ["arrears risk grade C: prepayment"]}]],
    )
    file: Body | None = Field(description="the customer's file of seven blocks")
    file_facts_known: int
    file_facts_wanted: int


class LettersAnswer(_Shape):
    """Letters served on a customer, newest first."""

    account_id: str
    as_of: str
    letters: list[Body] = Field(
        description="with amount, date, hash and proof of delivery",
        examples=[[{"number": "TD-20260701-mill-1-1", "isProven": True}]],
    )


class ContractEnd(_Shape):
    """Something that ends soon or has ended."""

    what: str
    last_day: str
    days_left: int


class ContractAnswer(_Shape):
    """The supply contract with guarantors, deposits and transformers."""

    account_id: str
    as_of: str
    contract: Body | None
    capacity_va: int = Field(description="of all transformers in use today")
    is_special_transformer: bool = Field(description="fed from 10 kV or above (专变)")
    ends: list[ContractEnd]


class PolicyDecision(BaseModel):
    """What somebody decides on a proposal, and why."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        json_schema_extra={
            "example": {"version": 2, "decision": "approve", "reason": "agreed with the customer"}
        },
    )

    version: int = Field(ge=1, le=10**6)
    decision: Literal["approve", "reject"]
    reason: str = Field(min_length=1, max_length=500)
    effective_on: date | None = Field(None, description="local day; else today")


class PolicyVersion(_Shape):
    """A version as it stands after a decision."""

    policy: Body


def _fault(state: State, desk: PolicyDesk, account_id: str) -> Problem | None:
    """Why nothing can be said of this account now."""
    if not state.tail.is_ready:
        return problems.not_ready(state)
    return None if desk.is_known(account_id) else problems.not_found(account_id)


def add_customers(app: FastAPI, state: State, desk: PolicyDesk, meters: Meters) -> None:
    """Serve the questions and the decision."""
    _add_reading(app, state, desk, meters)
    _add_papers(app, state, desk, meters)

    @app.post(
        "/v1/accounts/{account_id}/policy/decisions",
        response_model=PolicyVersion,
        responses=problems.errors(404, 409, 422, 503),
        summary="Approve or reject a proposed policy",
    )
    async def decide(account_id: str, asked: PolicyDecision, request: Request) -> Response:
        """In force from its day; `kilowatch customers` then gives it to the stream."""
        fault = _fault(state, desk, account_id)
        if fault is not None:
            return problems.said(fault)
        person: Person = request.scope[PERSON]
        done = await desk.decide(
            person, account_id, asked.version, asked.decision, asked.reason.strip(),
            asked.effective_on,
        )  # fmt: skip
        meters.answered("policy-decide", 200 if isinstance(done, Policy) else done.status, 0.0)
        if isinstance(done, Problem):
            return problems.said(done)
        return reply(request, {"policy": version_told(done)})


def _add_reading(app: FastAPI, state: State, desk: PolicyDesk, meters: Meters) -> None:
    def answered(
        request: Request, account_id: str, route: str, told: Callable[[str], Body]
    ) -> Response:
        began_at = perf_counter()
        fault = _fault(state, desk, account_id)
        response = reply(request, told(account_id)) if fault is None else problems.said(fault)
        meters.answered(route, response.status_code, perf_counter() - began_at)
        return response

    errors = problems.errors(404, 503) | NOT_CHANGED

    @app.get(
        "/v1/accounts/{account_id}/policy",
        response_model=PolicyAnswer,
        responses=errors,
        summary="One customer, one policy: in force, proposed, and why",
    )
    async def policy(account_id: str, request: Request) -> Response:
        """Every version with its terms, the facts it was drawn from and its reasons."""
        return answered(request, account_id, "policy", desk.told)

    @app.get(
        "/v1/accounts/{account_id}/letters",
        response_model=LettersAnswer,
        responses=errors,
        summary="Letters served on a customer, with their proofs",
    )
    async def letters(account_id: str, request: Request) -> Response:
        """Amount, date, the decision each rests on, its hash, and how it was proven to arrive."""
        return answered(request, account_id, "letters", desk.letters)

    @app.get(
        "/v1/accounts/{account_id}/contract",
        response_model=ContractAnswer,
        responses=errors,
        summary="A customer's supply contract and security",
    )
    async def contract(account_id: str, request: Request) -> Response:
        """Clauses, guarantors, deposits, transformers and their changes, and what ends soon."""
        return answered(request, account_id, "contract", desk.contracts)


def _add_papers(app: FastAPI, state: State, desk: PolicyDesk, meters: Meters) -> None:
    def paper(
        request: Request, account_id: str, name: str, make: Callable[[], bytes | Problem]
    ) -> Response:
        began_at = perf_counter()
        made: bytes | Problem | None = _fault(state, desk, account_id)
        try:
            made = make() if made is None else made
        except FontsMissing as error:
            made = problems.other(503, str(error))
        if isinstance(made, Problem):
            response = problems.said(made)
        else:
            response = as_file(request, made, name, PDF)
        meters.answered("paper", response.status_code, perf_counter() - began_at)
        return response

    @app.get(
        "/v1/accounts/{account_id}/policy/{version}.pdf",
        responses=AS_PDF | problems.errors(404, 422, 503) | NOT_CHANGED,
        response_class=Response,
        summary="A policy sheet as PDF",
    )
    def sheet(
        account_id: str,
        version: Annotated[int, Path(ge=1, le=10**6)],
        request: Request,
        language: Annotated[Language, Query(description="of its pages")] = "both",
    ) -> Response:
        """In Chinese, in English, or a page each."""
        pages = ("zh", "en") if language == "both" else (language,)
        name = f"policy-{version}.pdf"
        return paper(request, account_id, name, lambda: desk.sheet(account_id, version, pages))

    @app.get(
        "/v1/accounts/{account_id}/letters/{number}.pdf",
        responses=AS_PDF | problems.errors(404, 409, 503) | NOT_CHANGED,
        response_class=Response,
        summary="A letter as PDF, byte for byte as it was served",
    )
    def letter(
        account_id: str, number: Annotated[str, Path(max_length=120)], request: Request
    ) -> Response:
        """409 where words, names or fonts have changed since: its hash would be another."""
        return paper(request, account_id, "letter.pdf", lambda: desk.letter(account_id, number))


def as_file(request: Request, content: bytes, name: str, media_type: str) -> Response:
    """A file to keep, or 304."""
    etag = etag_of(content)
    headers = {
        "etag": etag,
        "cache-control": CACHE,
        "content-disposition": f'inline; filename="{name}"',
        "x-content-type-options": "nosniff",
    }
    if is_the_same(etag, request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(content, 200, headers, media_type)
