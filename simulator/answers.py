"""What does Kilowatch say each account's balance is, and how far has it come?

Read from its durable rows, the same ones the API answers from, with the core's own functions: this
is the side that is checked, not the truth it is checked against (the oracle in `tests`).  It stands
apart because simulation, drive and tests all ask the same question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring.balance import balance
from scoring.book import Book
from scoring.scoring import find_tariffs
from scoring.sheet import sheet_from_dict
from scoring.tariff import Tariffs
from streams.recall import Recall

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Answer(NamedTuple):
    """Kilowatch's word on one account."""

    balance_nanos: int
    ledger_nanos: int
    bill_nanos: int
    """Of the open months."""

    read_at: int
    used_wh: tuple[tuple[int, ...], tuple[int, ...]]
    is_quarantined: bool
    charged_nanos: int
    """Of the open months' bills: what has been told as days' charges."""


def book_of(records: Sequence[Any]) -> Book:
    """The book that ledger-rows make, each account's rightful row in it.

    Records of several partitions may follow each other in any order, of one in that of the log: an
    account's rows all lie in one partition.
    """
    book = Book()
    Recall(book, known_epoch=-1).ledger(records)
    return book


def tariffs_of(sheets: Iterable[dict[str, Any]]) -> Tariffs:
    """The registry of these plain sheets."""
    return Tariffs(sheet_from_dict(plain) for plain in sheets)


def answers(book: Book, tariffs: Tariffs) -> dict[str, Answer]:
    """Every account's balance as of its newest accepted reading."""
    find_tariffs(book, tariffs)
    ledger, annexes = book.take_ledger(np.arange(len(book)))
    said = balance(ledger, tariffs, book.tariff_index, annexes)
    return {
        account_id: Answer(
            int(said.balance_nanos[row]),
            int(book.ledger["ledger_nanos"][row]),
            int(said.bill_nanos[row] + said.previous_bill_nanos[row]),
            int(book.ledger["read_at"][row]),
            tuple(tuple(month.tolist()) for month in book.ledger["used_wh"][row]),  # type: ignore[arg-type]
            bool(book.ledger["quarantined"][row]),
            int(book.ledger["charged_nanos"][row]),
        )
        for row, account_id in enumerate(book.account_ids)
    }
