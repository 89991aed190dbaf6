"""How does another program ask Kilowatch?

One file of the standard library alone: take it with `from api.client import Kilowatch`, or copy it.
Answers are typed dictionaries, shaped as in the OpenAPI document; what is not an answer raises
`Refused` with the problem's sentence.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

Tier = Literal["normal", "low", "lower", "lowest"]
Action = Literal[
    "hold-supply", "release-supply", "approve-trip", "release-quarantine", "reject-trip", "dispute",
    "note",
]  # fmt: skip

PAGE = 500
STREAM_SECONDS = 60.0
"""The server says something every fifteen seconds, so a minute of silence is a broken line."""


class Quantiles(TypedDict):
    """Hours; None beyond the horizon; p10 is the pessimistic one."""

    p10: float | None
    p50: float | None
    p90: float | None


class Account(TypedDict):
    """The live balance forecast of one account (its main fields; money as exact decimal text)."""

    accountId: str
    asOf: str | None
    currency: str | None
    balance: str
    available: str
    billSoFar: str
    forecastBillToday: str | None
    forecastBillMonth: str | None
    runwayHours: Quantiles
    tier: Tier
    stage: str
    switch: str
    reasons: list[dict[str, str]]
    nextStep: dict[str, Any]


class AccountLine(TypedDict):
    """One account of a list."""

    accountId: str
    asOf: str | None
    balance: str
    available: str
    currency: str | None
    runwayHoursP50: float | None
    tier: Tier
    stage: str
    switch: str


class Acted(TypedDict):
    """An action and what became of it."""

    actionId: str
    accountId: str
    action: Action
    person: str
    reason: str
    actedAt: str | None
    state: Literal["written", "taken-up"]


class Changed(TypedDict):
    """Something has changed about an account; `kind` "reset": load anew."""

    accountId: str
    kind: Literal["supply", "reading", "action", "reset"]


AuditNote = TypedDict(
    "AuditNote",
    {
        "id": str, "at": str, "person": str | None, "proof": str | None, "from": str, "deed": str,
        "outcome": str, "account": str | None, "more": dict[str, str],
    },
)  # fmt: skip
"""A line of the audit; not a class, since `from` is a word of Python's own."""


class Refused(Exception):  # noqa: N818 - what the server said, not a fault of the program
    """No answer: `status` of HTTP, `type` a lasting name; the text says what to do."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.type = str(problem.get("type", "about:blank"))
        super().__init__(f"{problem.get('title', status)}: {problem.get('detail', '')}")


class Kilowatch:
    """One API, asked with one key.

    `context` is a TLS context where the system's authorities are not enough.
    """

    def __init__(
        self,
        address: str,
        key: str = "",
        timeout: float = 10.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout, self._context = timeout, context

    def account(self, account_id: str) -> Account:
        """The live balance forecast of one account."""
        found: Account = self._ask("GET", f"/v1/accounts/{quote(account_id, safe='')}")
        return found

    def accounts(self, **query: str) -> Iterator[AccountLine]:
        """All accounts chosen by `query` (tier, stage, size, collector, prefix, sort), by pages."""
        return self._pages("/v1/accounts", "accounts", query)

    def act(self, account_id: str, action: Action, reason: str, once: str = "") -> Acted:
        """Do something about an account's supply.

        `once` names this deed: sent again with the same name it is done once.
        """
        body = json.dumps({"action": action, "reason": reason}).encode()
        headers = {"Idempotency-Key": once or str(uuid.uuid4()), "Content-Type": "application/json"}
        path = f"/v1/accounts/{quote(account_id, safe='')}/actions"
        done: Acted = self._ask("POST", path, body, headers)
        return done

    def action(self, action_id: str) -> Acted:
        """What became of an action."""
        found: Acted = self._ask("GET", f"/v1/actions/{quote(action_id, safe='')}")
        return found

    def audit(self, **query: str) -> Iterator[AuditNote]:
        """Who did what, newest first, chosen by `query` (person, deed, account, from, to)."""
        return self._pages("/v1/audit", "notes", query)

    def _pages(self, path: str, name: str, query: dict[str, str]) -> Iterator[Any]:
        """What stands under this name in all pages of a list."""
        following: str | None = f"{path}?{urlencode({'limit': PAGE, **query})}"
        while following is not None:
            page = self._ask("GET", following)
            yield from page[name]
            following = page["next"]

    def changes(self, account_id: str = "") -> Iterator[Changed]:
        """Accounts as they change, without end; a broken line is taken up where it broke."""
        path = "/v1/changes" + (f"?{urlencode({'account': account_id})}" if account_id else "")
        last = ""
        while True:
            try:
                with self._open(
                    "GET", path, None, {"Last-Event-ID": last}, STREAM_SECONDS
                ) as lines:
                    kind = ""
                    for raw in lines:
                        name, _colon, text = raw.decode().rstrip("\r\n").partition(": ")
                        if name == "id":
                            last = text
                        elif name == "event":
                            kind = text
                        elif name == "data":
                            told = json.loads(text)
                            yield told if kind == "change" else {"accountId": "", "kind": "reset"}
            except (TimeoutError, ConnectionError):
                continue

    def _ask(
        self, method: str, path: str, body: bytes | None = None, more: dict[str, str] | None = None
    ) -> Any:
        with self._open(method, path, body, more or {}, self._timeout) as answer:
            return json.load(answer)

    def _open(
        self, method: str, path: str, body: bytes | None, more: dict[str, str], timeout: float
    ) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the caller's own address
            self._address + path, body, {**self._headers, **more}, method=method
        )
        try:
            return urllib.request.urlopen(request, timeout=timeout, context=self._context)  # noqa: S310 - as above
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, _problem(error.read())) from None


def _problem(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
