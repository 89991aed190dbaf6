"""What do the routes of one API process share?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from api.actions import Actions
from api.changes import Changes
from api.fleet import Fleet
from api.letter_words import Sender, sender
from api.papers import USUAL_FONTS
from api.register import Register
from api.security import Security
from scoring.windows import TripWindows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.acting import Writer
    from api.audit_history import AuditCopier
    from api.history import History
    from api.view import View
    from scoring.rules import SupplyRules


class Reader(Protocol):
    """Who keeps the view new: `tail.Tail`; in tests, whoever feeds it."""

    @property
    def is_ready(self) -> bool:
        """Whether all there was at first has been read."""

    @property
    def behind(self) -> int | None:
        """Records known and not read yet; None while not known."""


@dataclass(frozen=True, slots=True)
class State:
    """The view, who reads for it, the rules that say what may come next, and who may ask.

    `history` is what was said before; `links` reads an account's records of `decisions`, in order.
    `security` off is for an application that only this process can reach: `app.serve` states its
    own from the settings.
    """

    view: View
    tail: Reader
    rules: SupplyRules
    history: History | None = None
    links: Callable[[str], Awaitable[list[bytes]]] | None = None
    security: Security = field(default_factory=Security.off)
    actions: Actions = field(default_factory=Actions)
    changes: Changes = field(default_factory=Changes)
    writer: Writer | None = None
    interlock: Fleet = field(default_factory=Fleet)
    register: Register = field(default_factory=Register)
    sender: Sender = field(default_factory=sender)
    fonts: str = USUAL_FONTS
    audit: AuditCopier | None = None
    is_simulated: bool = False
    """Whether time is that of the records, years away from the wall's perhaps."""
    windows: TripWindows = field(init=False)
    """By the rules."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "windows", TripWindows(self.rules))
        if self.tail.is_ready:  # else the tail does when it is
            self.changes.watch(self.view)

    def now(self) -> int:
        """The instant at which somebody acts, in UTC seconds."""
        return self.view.newest_received_at if self.is_simulated else int(time.time())

    def now_of(self, account_id: str) -> int:
        """The same for one account: simulated time is its own."""
        row = self.view.book.row(account_id)
        if not self.is_simulated or row is None:
            return self.now()
        return int(self.view.book.ledger["received_at"][row])

    def collector_of(self, account_id: str) -> str | None:
        """The staff number of an account's collector; None of an account that is not known."""
        row = self.view.book.row(account_id)
        return None if row is None else bytes(self.view.book.ledger["collector"][row]).decode()
