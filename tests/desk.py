"""A clerk who posts to one account, and the days and months he writes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from scoring.balance import BillsClosed
from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.debts import Debts
from scoring.events import CustomerClass, PaymentKind, PaymentMode, PaymentReceived
from scoring.late_charge import LateChargeRules
from scoring.postings import CLASSES, MODES, post_bills, post_payment
from scoring.tariff import Tariffs
from scoring.units import SECONDS_PER_DAY, money_text, nanos

if TYPE_CHECKING:
    from scoring.effects import Reason

RULES = LateChargeRules()
NO_TARIFFS = Tariffs()
TODAY = date(2026, 6, 10)


def at(day: date) -> int:
    """Noon of a day, in UTC: the account's tariff is unknown, so its days are UTC's."""
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * SECONDS_PER_DAY + 43_200


def month(text: str) -> int:
    year, of_year = map(int, text.split("-"))
    return year * 12 + of_year - 1


class Desk:
    """A clerk who posts to one account."""

    def __init__(
        self, who: CustomerClass = CustomerClass.BUSINESS, mode: PaymentMode = PaymentMode.PLAN
    ) -> None:
        self.one = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.array([-1]))
        self.one.ledger["customer_class"] = CLASSES.index(who)
        self.one.ledger["payment_mode"] = MODES.index(mode)
        self.number = 0

    def pay(
        self,
        amount: str,
        on: date = TODAY,
        kind: PaymentKind = PaymentKind.PAYMENT,
        *,
        name: str | None = None,
        received: date | None = None,
        pays: int = 0,
        due: date | None = None,
    ) -> Reason | str:
        """What becomes of a record: "taken", "repeat" or the reason it is refused."""
        self.number += 1
        paid = PaymentReceived(
            "works-1", self.number, at(received or on), name or f"p-{self.number}",
            nanos(amount), at(on), kind, pays, due.toordinal() if due else 0,
        )  # fmt: skip
        posted = post_payment(self.one, paid, NO_TARIFFS, RULES)
        return posted.refused or ("repeat" if posted.is_repeat else "taken")

    def bill(self, of: str, amount: str, on: date) -> None:
        self.one.ledger["ledger_nanos"] -= nanos(amount)
        closed = BillsClosed([(0, month(of), nanos(amount))])
        post_bills(self.one, closed, np.array([at(on)]), NO_TARIFFS, RULES)

    @property
    def ledger(self) -> str:
        return money_text(self.one.ledger["ledger_nanos"][0])

    @property
    def debts(self) -> Debts:
        annex = self.one.annexes.row(0)
        return Debts() if annex is None else Debts.of(annex)

    @property
    def owed(self) -> list[str]:
        """Costs, late charge, and of each debt what is left and its last day to pay."""
        debts = self.debts
        lines = [
            f"{money_text(d.nanos)} due {date.fromordinal(d.due_day)}"
            for d in debts.principal
            if d.nanos
        ]
        return [money_text(debts.costs_nanos), money_text(debts.late_charge_nanos), *lines]
