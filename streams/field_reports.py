"""What became of the commands that were sent, for the meters?

Counted before the core takes the reports up, because afterwards a restored account no longer shows
that it was waiting.  It changes nothing: what a report does to an account is `scoring`'s.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scoring.effects import Stage
from scoring.events import Switch, SwitchReported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scoring.book import Book
    from scoring.events import AccountEvent

OUTCOMES = ("acknowledged", "executed", "failed", "uncommanded")


@dataclass(slots=True)
class FieldReports:
    """Reports by outcome, and seconds from a restore's command to the report that it is done."""

    outcomes: Counter[str] = field(default_factory=Counter)
    restore_seconds: list[int] = field(default_factory=list)

    def note(self, book: Book, events: Iterable[AccountEvent]) -> None:
        """Count the reports among these events, which the book has not taken up yet."""
        for event in events:
            if isinstance(event, SwitchReported):
                self.outcomes[outcome_of(event)] += 1
                self._note_restore(book, event)

    def _note_restore(self, book: Book, event: SwitchReported) -> None:
        row = book.row(event.account_id)
        is_on = event.switch in {Switch.CONNECTED, Switch.READY_FOR_RECONNECTION}
        if row is None or not is_on or not event.succeeded or event.acknowledges:
            return
        ledger = book.ledger[row]
        if ledger["stage"] == Stage.RESTORE_COMMANDED:
            self.restore_seconds.append(max(event.reported_at - int(ledger["stage_since"]), 0))


def outcome_of(event: SwitchReported) -> str:
    """One of OUTCOMES."""
    if not event.command_id:
        return "uncommanded"
    if event.acknowledges:
        return "acknowledged"
    return "executed" if event.succeeded else "failed"
