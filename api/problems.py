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
    from collections.abc import Mapping

    from api.state import State


PROBLEM_TYPE = "application/problem+json"
EVERYWHERE: tuple[int, ...] = (401, 403, 429)
"""Answered by the gate whatever the path."""

ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemShown, "description": "Nobody known asks"},
    403: {"model": ProblemShown, "description": "Not for this role, or not your customer"},
    404: {"model": ProblemShown, "description": "No such account"},
    409: {"model": ProblemShown, "description": "It contradicts what was done"},
    429: {"model": ProblemShown, "description": "Too many requests"},
    422: {"model": ProblemShown, "description": "The query cannot be answered"},
    503: {"model": ProblemShown, "description": "Still reading accounts; ask again"},
}


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`."""
    return {code: ERRORS[code] for code in codes}


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


def no_audit() -> Problem:
    """The lines of the audit go to the log and nowhere else."""
    return Problem(
        "urn:kilowatch:no-audit",
        "the audit cannot be asked",
        503,
        "this API writes its audit to its log only; start it with KILOWATCH_AUDIT_FILE, and its "
        "lines come into the history's database",
    )


def no_decisions() -> Problem:
    """Kafka does not give the records of `decisions`."""
    return Problem(
        "urn:kilowatch:no-decisions",
        "the decisions cannot be read",
        503,
        "Kafka does not answer for the topic decisions; live figures are not affected: ask again",
    )


def wrong_query(detail: str) -> Problem:
    """The query cannot be answered."""
    return Problem("urn:kilowatch:wrong-query", "the query cannot be answered", 422, detail)


def not_known() -> Problem:
    """Nobody in particular asks."""
    return Problem(
        "urn:kilowatch:not-known",
        "who are you?",
        401,
        "send a key or token as `Authorization: Bearer ...`; `kilowatch keys create` makes keys, "
        "and an expired or revoked one is not taken",
    )


def forbidden(why: str) -> Problem:
    """Somebody known asks for what is not theirs."""
    return Problem("urn:kilowatch:forbidden", "not allowed", 403, why)


def too_often() -> Problem:
    """More requests than one person may send."""
    return Problem(
        "urn:kilowatch:too-often",
        "too many requests",
        429,
        "wait a second; KILOWATCH_REQUESTS_PER_SECOND is the measure",
    )


def conflict(detail: str) -> Problem:
    """The request contradicts what has been done already."""
    return Problem("urn:kilowatch:conflict", "it contradicts what was done", 409, detail)


def too_many_watchers() -> Problem:
    """As many open streams as one process bears."""
    return Problem(
        "urn:kilowatch:too-many-watchers",
        "too many open streams",
        503,
        "ask another API process, or again later",
    )


def unknown_action(action_id: str) -> Problem:
    """No such action."""
    return Problem(
        "urn:kilowatch:action-not-found",
        "no such action",
        404,
        f"no action {action_id[:80]!r} has been read; actions of the last days are kept",
    )


def no_way_out() -> Problem:
    """Kafka does not take the action."""
    return Problem(
        "urn:kilowatch:not-written",
        "the action could not be written",
        503,
        "Kafka did not acknowledge it; it may or may not count: look at the account's actions, and "
        "send it again with the same Idempotency-Key",
    )


def other(status: int, title: str) -> Problem:
    """What the framework itself refuses: an unknown path, another method."""
    hint = "see /docs for the paths there are" if status in {404, 405} else title
    return Problem("about:blank", title, status, hint)


def said(problem: Problem, more: Mapping[str, str] | None = None) -> Response:
    """A problem as a response, with further headers."""
    headers = {"cache-control": "no-store", **(more or {})}
    if problem.status == 503:
        headers["retry-after"] = "1"
    return Response(problem.encoded(), problem.status, headers, PROBLEM_TYPE)
