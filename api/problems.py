"""What is said when there is no answer?

Every error is `application/problem+json` (RFC 9457) whose `detail` says what to do next, because
whoever reads it is mostly not whoever wrote it.  Which error applies is decided where it arises.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import Response

from api.shapes import ProblemShown

if TYPE_CHECKING:
    from api.state import State


PROBLEM_TYPE = "application/problem+json"
ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemShown, "description": "No such account"},
    422: {"model": ProblemShown, "description": "The query cannot be answered"},
    503: {"model": ProblemShown, "description": "Still reading accounts; ask again"},
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error; `type` is a name that never changes, `detail` a sentence that says what to do."""

    type: str
    title: str
    status: int
    detail: str

    def encoded(self) -> bytes:
        """The body."""
        return msgspec.json.encode(asdict(self))


def not_found(account_id: str) -> Problem:
    """No such account."""
    return Problem(
        "urn:kilowatch:account-not-found",
        "no such account",
        404,
        f"no account-settings have been read for {account_id[:80]!r}; check the id, or send its "
        "terms to the topic account-settings",
    )


def not_ready(state: State) -> Problem:
    """The view is not complete."""
    behind = state.tail.behind
    left = "" if behind is None else f", {behind} records to go"
    return Problem(
        "urn:kilowatch:not-ready",
        "still reading accounts",
        503,
        f"{len(state.view)} accounts so far{left}; ask again in a second, or watch /readyz",
    )


def no_history() -> Problem:
    """The history's database does not answer, or has no tables yet."""
    return Problem(
        "urn:kilowatch:no-history",
        "the history cannot be asked",
        503,
        "its database does not answer or is empty; start `kilowatch history` with the same "
        "KILOWATCH_HISTORY_URL, or ask again",
    )


def wrong_query(detail: str) -> Problem:
    """The query cannot be answered."""
    return Problem("urn:kilowatch:wrong-query", "the query cannot be answered", 422, detail)


def other(status: int, title: str) -> Problem:
    """What the framework itself refuses: an unknown path, another method."""
    hint = "see /docs for the paths there are" if status in {404, 405} else title
    return Problem("about:blank", title, status, hint)


def said(problem: Problem) -> Response:
    """A problem as a response."""
    headers = {"retry-after": "1"} if problem.status == 503 else None
    return Response(problem.encoded(), problem.status, headers, PROBLEM_TYPE)
