"""What has just changed, for those who watch?

Each account whose tier, stage, switch or holds differ from before becomes one numbered change in a
ring of bounded length; whoever watches reads along the ring at their own pace, and is told to load
anew when it has turned past them.  Nobody's slowness costs memory or holds up another.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray

    from api.view import View

MOST_KEPT = 10_000
"""Changes that a watcher may be behind: minutes of a busy utility."""

MOST_WATCHERS = 500
"""Open streams of one process, each a connection."""

STATE = np.dtype([("tier", "u1"), ("stage", "u1"), ("switch", "u1"), ("holds", "u4")])


class Change(NamedTuple):
    """One account has changed; `kind` says what: "supply", "reading" or "action"."""

    number: int
    kind: str
    account_id: str
    collector: str


class Changes:
    """The ring, and who waits for it to turn."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.watchers = 0
        self._ring: deque[Change] = deque(maxlen=MOST_KEPT)
        self._next = 1
        self._turned: asyncio.Event | None = None
        self._seen = np.zeros(0, STATE)
        self._watched: dict[str, int] = {}

    # --- who writes ------------------------------------------------------------------------------

    def watch(self, view: View) -> None:
        """From now on: all accounts as they stand are known, what changes is told."""
        self._seen = np.zeros(0, STATE)
        self._make_room(view)
        self._seen[: len(view)] = self._state(view, slice(0, len(view)))
        view.on_rows = self.note_rows

    def note_rows(self, view: View, rows: NDArray[np.int64]) -> None:
        """These rows of the view were computed anew."""
        self._make_room(view)
        now = self._state(view, rows)
        changed = rows[now != self._seen[rows]]
        self._seen[rows] = now
        for row in changed.tolist():
            self._append("supply", view.book.account_ids[row], view)
        for account_id in self._watched:  # few: one for each open page
            row = view.book.row(account_id)
            if row is not None and (rows == row).any():
                self._append("reading", account_id, view)
        self._wake()

    def _make_room(self, view: View) -> None:
        if len(self._seen) < len(view):
            more = np.zeros(max(1024, 2 * len(view)), STATE)
            more[: len(self._seen)] = self._seen
            self._seen = more

    @staticmethod
    def _state(view: View, rows: NDArray[np.int64] | slice) -> NDArray[Any]:
        ledger = view.book.ledger[rows]
        state = np.zeros(len(ledger), STATE)
        for name in STATE.names or ():
            state[name] = ledger[name]
        return state

    def note_action(self, view: View, account_id: str) -> None:
        """Somebody has acted about an account."""
        self._append("action", account_id, view)
        self._wake()

    def _append(self, kind: str, account_id: str, view: View) -> None:
        row = view.book.row(account_id)
        collector = "" if row is None else bytes(view.book.ledger["collector"][row]).decode()
        self._ring.append(Change(self._next, kind, account_id, collector))
        self._next += 1

    def _wake(self) -> None:
        if self._turned is not None:
            self._turned.set()
            self._turned = None

    # --- who reads -------------------------------------------------------------------------------

    def place(self, last_event_id: str | None) -> int | None:
        """The number to read next after this id; None when that is no longer known."""
        if not last_event_id:
            return self._next
        epoch, _dash, number = last_event_id.partition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        following = int(number) + 1
        first = self._ring[0].number if self._ring else self._next
        return following if first <= following <= self._next else None

    async def follow(
        self, place: int | None, account_id: str | None, may_see: Callable[[Change], bool]
    ) -> AsyncIterator[dict[str, Any]]:
        """Changes from this number on as server-sent events; first "reset" if it is None."""
        self.watchers += 1
        if account_id is not None:
            self._watched[account_id] = self._watched.get(account_id, 0) + 1
        try:
            if place is None:
                yield self._reset()
                place = self._next
            while True:
                first = self._ring[0].number if self._ring else self._next
                if place < first:
                    yield self._reset()
                    place = self._next
                for change in [each for each in self._ring if each.number >= place]:
                    place = change.number + 1
                    is_wanted = change.account_id == account_id or (
                        account_id is None and change.kind != "reading"
                    )
                    if is_wanted and may_see(change):
                        yield self._told(change)
                if place == self._next:
                    self._turned = self._turned or asyncio.Event()
                    await self._turned.wait()
        finally:
            self.watchers -= 1
            if account_id is not None:
                self._watched[account_id] -= 1
                if not self._watched[account_id]:
                    del self._watched[account_id]

    def _reset(self) -> dict[str, Any]:
        return {"event": "reset", "id": f"{self.epoch}-{self._next - 1}", "data": "{}"}

    def _told(self, change: Change) -> dict[str, Any]:
        told = {"accountId": change.account_id, "kind": change.kind}
        data = msgspec.json.encode(told).decode()
        return {"event": "change", "id": f"{self.epoch}-{change.number}", "data": data}
