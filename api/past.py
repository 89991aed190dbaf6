"""Which path shows what was said about an account?

`GET /v1/accounts/{id}/history`, newest first, page by page.  Apart from `app` because it asks a
database, which may be slow or away while live answers go on; what is kept is `history`'s.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from api import problems
from api.answer import as_of
from api.history import KINDS, CursorUnreadable, bodies
from api.replies import NOT_CHANGED, reply
from api.shapes import AccountHistory

if TYPE_CHECKING:
    from api.meters import Meters
    from api.state import State

log = logging.getLogger(__name__)

MAX_LIMIT = 1_000
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[KINDS]  # in the OpenAPI document


def add_past(app: FastAPI, state: State, meters: Meters) -> None:
    """Add the route; not async, so that a slow database holds up no other answer."""

    @app.get(
        "/v1/accounts/{account_id}/history",
        response_model=AccountHistory,
        responses=problems.errors(404, 422, 503) | NOT_CHANGED,
        summary="What was said about an account, newest first",
    )
    def history(
        request: Request,
        account_id: str,
        kind: Annotated[Kind | None, Query(description="only this topic")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
        after: Annotated[str | None, Query(description="from `next` of the page before")] = None,
    ) -> Response:
        """Warnings, notices, commands, decisions and closed days with their evidence.

        `body` is the record as it was told, to the letter; follow `next` for older ones.
        """
        began_at = perf_counter()
        response = _page(request, state, account_id, kind, limit, after)
        meters.answered("history", response.status_code, perf_counter() - began_at)
        return response


def _page(
    request: Request,
    state: State,
    account_id: str,
    kind: str | None,
    limit: int,
    after: str | None,
) -> Response:
    if state.history is None:
        return problems.said(problems.no_history())
    try:
        said, following = state.history.page(account_id, kind, limit, after)
    except CursorUnreadable as error:
        return problems.said(
            problems.wrong_query(f"{error}; take it from `next` of the page before")
        )
    except SQLAlchemyError as error:
        log.warning("the history does not answer: %s", type(error).__name__)
        return problems.said(problems.no_history())
    row = state.view.book.row(account_id)
    if not said and after is None and row is None:
        return problems.said(problems.not_found(account_id))
    body = {
        "accountId": account_id,
        "asOf": None if row is None else as_of(state.view, row),
        "history": bodies(said),
        "next": None,
    }
    if following is not None:
        query = {"kind": kind, "limit": limit, "after": following}
        text = urlencode({name: value for name, value in query.items() if value is not None})
        body["next"] = f"/v1/accounts/{quote(account_id, safe='')}/history?{text}"
    return reply(request, body)
