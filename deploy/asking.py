"""Does the API say what is true?

The demo asks it like any client, first while balances fall and at the end about every account, and
compares each balance to the last decimal with the truth: the independent oracle where the source
checkout has it, else the durable rows.  How the API makes its answers is `api`'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.local import asked
from scoring.units import instant, nanos
from simulator.answers import answers, book_of, tariffs_of
from simulator.link import read_all
from streams.topics import LEDGER_ROWS

if TYPE_CHECKING:
    from simulator.drive import Drive


@dataclass(slots=True)
class Checked:
    """How many answers were asked for, and what was wrong with some."""

    asked: int = 0
    right: int = 0
    against: str = ""
    wrong: list[str] | None = None

    def note(self, fault: str) -> None:
        """One answer was looked at; `fault` is empty if it was right."""
        self.asked += 1
        if fault:
            self.wrong = [*(self.wrong or []), fault]
        else:
            self.right += 1


def answer_of(address: str, account_id: str) -> dict[str, Any]:
    """The API's answer on one account; empty if it gives none."""
    text = asked(f"{address}/v1/accounts/{account_id}")
    answer: dict[str, Any] = json.loads(text) if text else {}
    return answer


def lists(address: str, limit: int) -> list[dict[str, Any]]:
    """The accounts whose money ends first, as the API ranks them."""
    text = asked(f"{address}/v1/accounts?sort=runway&limit={limit}")
    found: list[dict[str, Any]] = json.loads(text)["accounts"] if text else []
    return found


def truth(bootstrap: str, drive: Drive) -> tuple[str, dict[str, int]]:
    """Who says what every account's balance is, and what, in nanos."""
    try:
        from tests.oracle import Oracle
        from tests.oracle_facts import LogRecord
    except ImportError:
        return "durable rows", _durable(bootstrap, drive)
    oracle = Oracle(
        [LogRecord(r.topic, r.partition, at, r.at, r.key, r.value) for at, r in drive.inputs]
    )
    return "oracle", {name: oracle.balance_nanos(name) for name in oracle.accounts}


def _durable(bootstrap: str, drive: Drive) -> dict[str, int]:
    records: list[Any] = list(read_all(bootstrap, [LEDGER_ROWS]))
    book, sheets = book_of(records), drive.world.sheets
    tariffs = tariffs_of(dict(s.plain) for name in sheets.ids() for s in sheets.versions(name))
    return {name: answer.balance_nanos for name, answer in answers(book, tariffs).items()}


def check_all(address: str, bootstrap: str, drive: Drive) -> Checked:
    """Ask about every account once nothing more is under way."""
    checked = Checked()
    checked.against, true = truth(bootstrap, drive)
    for account_id, balance_nanos in sorted(true.items()):
        checked.note(_fault(account_id, answer_of(address, account_id), balance_nanos, drive))
    return checked


def _fault(account_id: str, answer: dict[str, Any], true_nanos: int, drive: Drive) -> str:
    if not answer:
        return f"{account_id}: no answer"
    if nanos(answer["balance"]) != true_nanos:
        return f"{account_id}: balance {answer['balance']}, in truth {true_nanos} nanos"
    if answer["asOf"] is not None and instant(answer["asOf"]) > drive.world.now:
        return f"{account_id}: as of {answer['asOf']}, which is not yet"
    return ""
