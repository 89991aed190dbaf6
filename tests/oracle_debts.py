"""What does an account owe, worked out as a clerk would with a ledger book and a calendar?

The second answer to `scoring.postings`, `debts` and `late_charge`: claims are lines in a list, days
are dates counted one by one, and nothing is shared with the code it judges.  Rules: domain.md 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

CENT = 10_000_000
YUAN = 1_000_000_000
ROOM = 12
DAYS_TO_PAY = 15
A_THOUSANDTH = {"resident": (1, 1), "business": (2, 3), "large": (2, 3)}
"""Late charge a day by class: of this year's debts, and of those carried over a year's end."""


@dataclass
class Line:
    """A claim: of which month ("" if it is no bill), due when, and how it stands."""

    month: str
    due: date
    left: int
    charged_to: date
    paid: int = 0
    accrued: int = 0
    posted: int = 0


@dataclass
class LedgerBook:
    """One account's money: `nanos` is what it has, or lacks."""

    who: str = "resident"
    on_plan: bool = True
    nanos: int = 0
    charges: int = 0
    costs: int = 0
    late: int = 0
    lines: list[Line] = field(default_factory=list)

    def owed(self) -> int:
        """All claims together."""
        return self.costs + self.late + sum(line.left for line in self.lines)

    def charge(self, today: date, *, paid: bool = False) -> None:
        """Day by day, what lateness has cost since it was last reckoned.

        Money of an earlier day (`paid`) gives back the days after it.
        """
        if not self.on_plan:
            return
        this_year, carried = A_THOUSANDTH[self.who]
        for line in self.lines:
            if paid and today < line.charged_to:
                self._give_back_days(line, today)
            thousandths, day = 0, max(line.due, line.charged_to) + timedelta(days=1)
            while day <= today:
                thousandths += this_year if day.year == line.due.year else carried
                day += timedelta(days=1)
            line.accrued += line.left * thousandths // 1000
            if line.left:
                line.charged_to = max(line.charged_to, today)
            wanted = max(YUAN, (line.accrued + CENT // 2) // CENT * CENT) if line.accrued else 0
            self._charged(wanted - line.posted)
            line.posted = wanted

    def _give_back_days(self, line: Line, today: date) -> None:
        this_year, carried = A_THOUSANDTH[self.who]
        thousandths, day = 0, line.charged_to
        while day > max(line.due, today):
            thousandths += this_year if day.year == line.due.year else carried
            day -= timedelta(days=1)
        line.accrued = max(0, line.accrued - line.left * thousandths // 1000)
        if line.left:
            line.charged_to = max(line.due, today)

    def _charged(self, nanos: int) -> None:
        self.late = max(0, self.late + nanos)
        self.charges += nanos
        self.nanos -= nanos

    def _needs_books(self, after: int) -> bool:
        return self.nanos < 0 or bool(self.lines) or after < 0

    def receive(self, nanos: int, today: date, pays: str = "") -> None:
        """Money, or (negative) money taken back."""
        if not self._needs_books(self.nanos + nanos):
            self.nanos += nanos
            return
        self.charge(today, paid=nanos > 0)
        self.nanos += nanos
        short = max(0, -self.nanos) - self.owed()
        if short <= 0:
            self._pay(-short, pays)
        else:
            self._take_back(short, today)

    def correct(self, nanos: int, today: date, month: str = "", due: date | None = None) -> None:
        """A correction or an opening balance."""
        if not self._needs_books(self.nanos + nanos):
            self.nanos += nanos
            return
        self.charge(today, paid=nanos > 0)
        self.nanos += nanos
        short = max(0, -self.nanos) - self.owed()
        if short <= 0:
            self._pay(-short, month)
        else:
            self._owe(short, month, due or today + timedelta(days=DAYS_TO_PAY))

    def cost(self, nanos: int, today: date, pays: str = "") -> None:
        """Costs of collection."""
        if not self._needs_books(self.nanos - nanos):
            self.nanos -= nanos
            return
        self.charge(today)
        self.nanos -= nanos
        short = max(0, -self.nanos) - self.owed()
        if short > 0:
            self.costs += short
        else:
            self._pay(-short, pays)

    def bills(self, bills: list[tuple[str, date, int]], today: date) -> None:
        """Closed bills (month, due, nanos), oldest first, posted together."""
        self.nanos -= sum(nanos for _, _, nanos in bills)
        if self.nanos >= 0 and not self.lines and not self.owed():
            return
        self.charge(today)
        short = max(0, -self.nanos) - self.owed()
        if short < 0:
            self._pay(-short, "")
        for month, due, nanos in reversed(bills):
            part = max(0, min(short, nanos))
            if part:
                self._owe(part, month, due)
                short -= part

    def _pay(self, nanos: int, pays: str) -> None:
        wanted = [line for line in self.lines if line.month == pays != ""]
        if pays == "late-charge":
            nanos = self._pay_late(nanos)
        for line in wanted:
            nanos = _settle(line, nanos)
        part = min(nanos, self.costs)
        self.costs -= part
        nanos = self._pay_late(nanos - part)
        for line in self.lines:
            nanos = _settle(line, nanos)

    def _pay_late(self, nanos: int) -> int:
        part = min(nanos, self.late)
        self.late -= part
        return nanos - part

    def _take_back(self, nanos: int, today: date) -> None:
        for line in reversed(self.lines):
            part = min(nanos, line.paid)
            line.left, line.paid, nanos = line.left + part, line.paid - part, nanos - part
        if nanos:
            self._owe(nanos, "", today + timedelta(days=DAYS_TO_PAY))

    def _owe(self, nanos: int, month: str, due: date) -> None:
        for line in self.lines:
            if (line.month, line.due) == (month, due):
                line.left += nanos
                return
        if len(self.lines) == ROOM:
            paid = [line for line in self.lines if line.left == 0]
            if not paid:
                self.lines[-1].left += nanos
                return
            self.lines.remove(paid[0])
        self.lines.append(Line(month, due, nanos, due))
        self.lines.sort(key=lambda line: (line.due, line.month))


def _settle(line: Line, nanos: int) -> int:
    part = min(nanos, line.left)
    line.left, line.paid = line.left - part, line.paid + part
    return nanos - part
