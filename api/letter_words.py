"""What does each letter say, in Chinese or in English?

The texts lie in `paper/letters.yaml`, where a utility's lawyer can change them: articles of law are
not quoted, since their numbers change by province and year.  Amount and date come first and in a
box; then why, what follows, and what the customer can do.  No letter threatens more than its step
allows (`scoring.letters`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from api.papers import TEMPLATES
from scoring.amounts import amount_in_capitals
from scoring.units import money_text

if TYPE_CHECKING:
    from datetime import tzinfo

    from scoring.letters import Served


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose paper it is: the utility's name, how to pay, its telephone."""

    utility: str
    how_to_pay: str
    telephone: str


@lru_cache(maxsize=1)
def wordings() -> dict[str, dict[str, dict[str, Any]]]:
    """By language and letter: its title, what its date means, and its paragraphs."""
    text = (TEMPLATES / "letters.yaml").read_text("utf-8")
    found: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(text)
    return found


@lru_cache(maxsize=1)
def sender() -> Sender:
    """Whose letters these are, by `paper/sender.yaml`."""
    told = yaml.safe_load((TEMPLATES / "sender.yaml").read_text("utf-8"))
    return Sender(told["utility"], told["howToPay"], str(told["telephone"]))


def _amount(nanos: int, language: str) -> str:
    """Money as a letter states it.

    >>> _amount(687_585_810_000_000, "zh"), _amount(1_200_000_000_000, "en")
    ('人民币 687,585.81 元', 'CNY 1,200.00')
    """
    whole, _, cents = money_text(nanos).partition(".")
    text = f"{int(whole):,}.{cents}"
    return f"人民币 {text} 元" if language == "zh" else f"CNY {text}"


def letter_body(
    served: Served, reader: str, sender: Sender, zone: tzinfo, language: str = "zh"
) -> dict[str, Any]:
    """The body of `letter.typ`; `reader` is the customer's name, or the guarantor's.

    What is proven later is not part of it: the paper's hash must stay that of what was served.
    """
    wording = wordings()[language][served.letter.value]
    blank = {"method": "", "at": "", "reference": "", "receivedBy": "", "photo": ""}
    return {
        "language": language,
        "number": served.number,
        "title": wording["title"],
        "date": f"{datetime.fromtimestamp(served.drafted_at, zone):%Y-%m-%d}",
        "utility": sender.utility,
        "howToPay": sender.how_to_pay,
        "telephone": sender.telephone,
        "reader": reader,
        "account": served.account_id,
        "amount": _amount(served.amount_nanos, language),
        "capitals": amount_in_capitals(served.amount_nanos),
        "dateLabel": wording["dateLabel"],
        "byDate": served.by_date.isoformat(),
        "overdueSince": served.debt_since.isoformat() if served.debt_since else "",
        "paragraphs": wording["paragraphs"],
        "decidedBy": "、".join(served.decided_by),
        "restsOn": served.notice_id,
        "proof": blank,
    }
