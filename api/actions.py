"""What have people done about the accounts, and has it been taken up?

Every action stands on the topic `operator-actions`, whoever wrote it; here the newest of them are
remembered, read from there, so that every API process knows the same, also after a restart.  An
action counts once the account's row has seen its record.  Who may act is `people`'s, how an action
is written `acting`'s.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from api.answer import time_in
from scoring.events import Action, OperatorActed, Source
from scoring.ids import person_key
from streams import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from api.state import State
    from api.view import View
    from streams.wire import Record

log = logging.getLogger(__name__)

MOST_ACTIONS = 100_000
"""Remembered in all: 35 days of a utility in which three people act a minute."""

MOST_OF_ACCOUNT = 50
HOLDING = (Action.HOLD_SUPPLY, Action.REJECT_TRIP, Action.DISPUTE)


class Acted(NamedTuple):
    """One action as it stands on the topic; `acted_at` and `stamped_at` in UTC seconds."""

    action_id: str
    account_id: str
    action: Action
    operator: str
    reason: str
    acted_at: int
    stamped_at: int
    partition: int
    offset: int


class Actions:
    """The newest actions, in the order in which they were read."""

    def __init__(self) -> None:
        self._by_id: dict[str, Acted] = {}
        self._of_account: dict[str, deque[Acted]] = defaultdict(
            lambda: deque(maxlen=MOST_OF_ACCOUNT)
        )
        # Never forgotten, lest whoever holds a supply release it after fifty notes: one for each
        # account that was ever held, a small part of all.
        self._of_hold: dict[str, Acted] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def take(self, records: Iterable[Record], partitions: int) -> list[Acted]:
        """Remember these records; what is no action is the workers' to refuse.  The new ones."""
        new = []
        for record in records:
            event = wire.decode_event(record, partitions)
            if not isinstance(event, OperatorActed):
                continue
            acted = Acted(
                event.action_id or f"{record.partition}-{record.offset}",
                event.account_id,
                event.action,
                event.operator,
                event.reason,
                event.acted_at,
                record.timestamp // 1000,
                record.partition,
                record.offset,
            )
            if acted.action_id not in self._by_id:
                self.remember(acted)
                new.append(acted)
        return new

    def remember(self, acted: Acted) -> None:
        """One action that has been acknowledged, before it is read back."""
        while len(self._by_id) >= MOST_ACTIONS:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            kept = self._of_account.get(oldest.account_id)
            if kept and kept[0] == oldest:
                kept.popleft()
                if not kept:
                    del self._of_account[oldest.account_id]
        self._by_id[acted.action_id] = acted
        self._of_account[acted.account_id].append(acted)
        if acted.action in HOLDING or acted.action is Action.RELEASE_SUPPLY:
            known = self._of_hold.get(acted.account_id, acted)
            # one that was written here may be remembered before an older one of others is read
            if (known.partition, known.offset) <= (acted.partition, acted.offset):
                self._of_hold[acted.account_id] = acted

    def find(self, action_id: str) -> Acted | None:
        """The action of this id."""
        return self._by_id.get(action_id)

    def of_account(self, account_id: str) -> Sequence[Acted]:
        """Its actions, oldest first."""
        return tuple(self._of_account.get(account_id, ()))

    def newest(self, count: int) -> list[Acted]:
        """The actions read last, newest first."""
        found = []
        for action_id in reversed(self._by_id):
            found.append(self._by_id[action_id])
            if len(found) == count:
                break
        return found

    def approvers(self, account_id: str, since: int) -> list[str]:
        """Who has approved its trip since this instant, each once, in order, as first written."""
        found: dict[str, str] = {}
        for each in self.of_account(account_id):
            said_at = min(each.acted_at, each.stamped_at)
            if each.action is Action.APPROVE_TRIP and said_at >= since:
                found.setdefault(person_key(each.operator), each.operator)
        return list(found.values())

    def holder(self, account_id: str) -> Acted | None:
        """The action that holds its supply now, as far as is remembered."""
        newest = self._of_hold.get(account_id)
        return newest if newest is not None and newest.action in HOLDING else None


def approvers_now(state: State, row: int) -> list[str]:
    """Who has approved the trip that this row waits for, and not longer ago than that holds."""
    announced_at = int(state.view.book.ledger["stage_since"][row])
    oldest = state.now() - state.rules.approval_valid_seconds + 1
    account_id = state.view.book.account_ids[row]
    return state.actions.approvers(account_id, max(announced_at, oldest))


def is_taken_up(view: View, acted: Acted) -> bool:
    """Whether the account's row has seen the action's record."""
    row = view.book.row(acted.account_id)
    if row is None:
        return False
    seen = int(view.book.ledger["source_offset"][row, Source.OPERATOR_ACTIONS])
    return seen >= acted.offset


def shown(view: View, acted: Acted) -> dict[str, Any]:
    """An action as it is answered, its time in the account's zone."""
    row = view.book.row(acted.account_id)
    zone = None if row is None else view.places[view.book.tariff_index[row]].zone
    return {
        "actionId": acted.action_id,
        "accountId": acted.account_id,
        "action": acted.action.value,
        "person": acted.operator,
        "reason": acted.reason,
        "actedAt": time_in(acted.acted_at, zone),
        "state": "taken-up" if is_taken_up(view, acted) else "written",
        "source": {"partition": acted.partition, "offset": acted.offset},
    }
