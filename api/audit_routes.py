"""Who did what, and who was refused: asked over HTTP, and shown to an auditor?

`GET /v1/audit` and the console's page `/audit`, newest first, by person, deed, account and time.
Both are for the role auditor alone; what stands there is `audit_history`'s.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from api import problems
from api.audit_history import Asked, AuditHistory
from api.history import CursorUnreadable
from api.pages import Pages
from api.problems import Problem
from api.replies import NOT_CHANGED, reply

if TYPE_CHECKING:
    from api.meters import Meters
    from api.state import State

log = logging.getLogger(__name__)

MAX_LIMIT = 1_000
ON_PAGE = 100
Text = Annotated[str | None, Query(max_length=200)]


class AuditNote(BaseModel):
    """One line of the audit."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="in the order in which things were noted")
    at: str
    person: str | None = Field(description="null: nobody known")
    proof: str | None = Field(description="which key or issuer said who it was, never a secret")
    from_: str = Field(alias="from", description="address; at a terminal the user of the machine")
    deed: str = Field(description="what was asked (method and path), or what was meant")
    outcome: str
    account: str | None
    more: dict[str, str]


class AuditAnswer(BaseModel):
    """Lines of the audit, newest first."""

    model_config = ConfigDict(extra="forbid")

    as_of: str | None = Field(alias="asOf", description="the newest line there is")
    notes: list[AuditNote]
    next: str | None


def add_audit(app: FastAPI, state: State, meters: Meters) -> None:
    """Add the route and the page; not async, so that a slow database holds up no other answer."""
    pages = Pages(state)

    @app.get(
        "/v1/audit",
        response_model=AuditAnswer,
        responses=problems.errors(422, 503) | NOT_CHANGED,
        summary="Who did what, and who was refused, newest first",
    )
    def audit(
        request: Request,
        person: Text = None,
        deed: Annotated[
            str | None, Query(max_length=200, description="deeds that begin so")
        ] = None,
        account: Text = None,
        since: Annotated[
            AwareDatetime | None, Query(alias="from", description="not before this instant")
        ] = None,
        until: Annotated[
            AwareDatetime | None, Query(alias="to", description="before this instant")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
        after: Annotated[str | None, Query(description="from `next` of the page before")] = None,
    ) -> Response:
        """Sign-ins, deeds, refusals, keys made and revoked; follow `next` for older ones."""
        began_at = perf_counter()
        asked = Asked(person, deed, account, _seconds(since), _seconds(until))
        found = _found(state, asked, limit, after)
        if isinstance(found, Problem):
            response = problems.said(found)
        else:
            query = {**request.query_params, "limit": limit, "after": found["next"]}
            path = found["next"] and f"/v1/audit?{urlencode(query)}"
            response = reply(request, found | {"next": path})
        meters.answered("audit", response.status_code, perf_counter() - began_at)
        return response

    @app.get("/audit", include_in_schema=False)
    def page(request: Request) -> Response:
        fields = {name: text.strip()[:200] for name, text in request.query_params.items()}
        first, last = (_day(fields.get(name, "")) for name in ("from", "to"))
        asked = Asked(
            fields.get("person") or None, fields.get("deed") or None, fields.get("account") or None,
            first, None if last is None else last + int(timedelta(days=1).total_seconds()),
        )  # fmt: skip
        found = _found(state, asked, ON_PAGE, fields.get("after") or None)
        if isinstance(found, Problem):
            return pages.show(request, "audit.html", found.status, here="audit", problem=found)
        chosen = {name: text for name, text in fields.items() if name not in {"after", "lang"}}
        following = found["next"] and urlencode(chosen | {"after": found["next"]})
        return pages.show(
            request, "audit.html", here="audit", chosen=chosen, following=following,
            notes=found["notes"], as_of=found["asOf"], after=fields.get("after"),
        )  # fmt: skip


def _found(state: State, asked: Asked, limit: int, after: str | None) -> dict[str, Any] | Problem:
    if state.security.audit.path is None:
        return problems.no_audit()
    if state.history is None:
        return problems.no_history()
    audit = AuditHistory(state.history.engine)
    try:
        as_of = audit.as_of()
        notes, following = audit.page(asked, limit, after)
    except CursorUnreadable as error:
        return problems.wrong_query(f"{error}; take it from `next` of the page before")
    except SQLAlchemyError as error:
        log.warning("the audit cannot be asked: %s", type(error).__name__)
        return problems.no_history()
    return {"asOf": as_of, "notes": notes, "next": following}


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def _day(text: str) -> int | None:
    """The first second of a day in UTC; None for what is no day."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
