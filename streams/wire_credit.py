"""What do `customer-facts`, `credit-rows` and `credit-grades` say?

Facts of customers that no meter tells (files, statements, ratings, lists, thefts), entered by staff
or imported from a rating agency or the tax authority: strict, and refused by name.  The other two
are written by `kilowatch credit` alone: what it keeps of a customer, and each grade with its
reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from scoring.calendar import EPOCH_DAY
from scoring.credit_facts import (
    MAX_FACT_CENTS,
    DemandResponse,
    KeyList,
    Leaving,
    Outlook,
    Rating,
)
from scoring.customer_history import CustomerHistory  # noqa: TC001 - msgspec reads the columns
from scoring.effects import Reason
from streams import topics
from streams.wire_base import (
    VERSION,
    Body,
    Encoded,
    Id,
    Instant,
    Record,
    Refusal,
    Refused,
    account_of,
    read,
    refusal_of,
    seconds_of,
    to_json,
)

if TYPE_CHECKING:
    from scoring.credit import Bands
    from scoring.credit_told import Improvement, ItemTold, Told

WORDS: dict[str, type[Outlook | KeyList | DemandResponse | Leaving | Rating]] = {
    "outlook": Outlook,
    "keyList": KeyList,
    "demandResponse": DemandResponse,
    "leaving": Leaving,
    "bankRating": Rating,
}
"""Facts told by a word: the names of these enumerations, in lower case with hyphens."""

COUNTS = {
    "fileSectionsFilled": 1_000,
    "fileSectionsRequired": 1_000,
    "ownershipChanges": 1_000,
    "returnedDebits": 100_000,
    "latestDays": 10_000,
    "powerFactorStandard": 100,
}
"""Facts told by a number, and the largest (the smallest is 0, for latestDays its negative)."""

TRUTHS = ("isLeased", "closureFiled", "taxArrears", "repaymentAgreementKept")

DATES = ("visitedDay", "theftDay", "misuseDay", "accidentDay", "hazardDay", "unsignedChangeDay",
         "insolvencyDay", "connectedDay")  # fmt: skip

AMOUNTS = ("securityCents", "netProfitCents", "revenueCents", "liabilitiesCents", "assetsCents",
           "capitalCents")  # fmt: skip
SIGNED = ("netProfitCents",)

PERSONAL = frozenset({"sex", "gender", "age", "marriage", "marital"})

EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)

FACT_NAMES = frozenset({*WORDS, *COUNTS, *TRUTHS, *DATES, *AMOUNTS})


class FactsBody(Body):
    """A record of customer-facts: what a source states as of an instant, fact by fact.

    A fact not named stays as it was, null takes it back; of two statements the later one holds.
    """

    account_id: Id
    source: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}$")]
    stated_at: Instant
    facts: Annotated[dict[str, Any], msgspec.Meta(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """Facts by the names of `credit_facts`, as of a day since 1970 (UTC); None takes one back."""

    account_id: str
    source: str
    day: int
    facts: dict[str, int | None]


_facts_decoder = msgspec.json.Decoder(FactsBody)


def decode_customer_facts(record: Record, partitions: int) -> CustomerFacts | Refusal:
    """What a record of customer-facts states, or its named refusal; never raises."""
    try:
        body = read(_facts_decoder, record)
        account_of(record, body.account_id, partitions)
        day = seconds_of(body.stated_at, "statedAt") // 86_400
        facts = {_snake(name): _value(name, told) for name, told in body.facts.items()}
    except Refused as refused:
        return refusal_of(record, refused.reason, refused.detail)
    return CustomerFacts(body.account_id, body.source, day, facts)


def encode_customer_facts(
    account_id: str, source: str, stated_at: str, facts: dict[str, Any]
) -> Encoded:
    """A statement as its record; facts as they are written (`FactsBody`)."""
    body = {"version": VERSION, "accountId": account_id, "source": source, "statedAt": stated_at}
    return Encoded(topics.CUSTOMER_FACTS, account_id.encode(), to_json(body | {"facts": facts}))


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def _value(name: str, told: Any) -> int | None:
    """A fact's number; Refused for an unknown name or a value of the wrong kind."""
    if name not in FACT_NAMES:
        what = "a personal trait" if name.lower() in PERSONAL else "no fact"
        raise Refused(Reason.WRONG_SHAPE, f"{name} is {what}")
    if told is None:
        return None
    if name in WORDS:
        known = words_of(name)
        if not isinstance(told, str) or told not in known:
            raise Refused(Reason.WRONG_SHAPE, f"{name} is one of {', '.join(known)}")
        return known[told]
    if name in TRUTHS:
        if not isinstance(told, bool):
            raise Refused(Reason.WRONG_SHAPE, f"{name} is true or false")
        return int(told)
    if name in DATES:
        return _day(name, told)
    if not isinstance(told, int) or isinstance(told, bool):
        raise Refused(Reason.WRONG_SHAPE, f"{name} is a whole number")
    least, most = range_of(name)
    if not least <= told <= most:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"{name} is from {least} to {most}")
    return told


def words_of(name: str) -> dict[str, int]:
    """The words by which a fact of WORDS is told, with their numbers."""
    return {_word(each.name): int(each) for each in WORDS[name]}


def range_of(name: str) -> tuple[int, int]:
    """The least and the most that a fact of COUNTS or AMOUNTS may be."""
    most = COUNTS.get(name, MAX_FACT_CENTS)
    return (-most if name in {*SIGNED, "latestDays"} else 0), most


def _day(name: str, told: Any) -> int:
    try:
        when = date.fromisoformat(told)
    except (TypeError, ValueError) as error:
        raise Refused(Reason.WRONG_SHAPE, f"{name} is a date such as 2026-07-01") from error
    if not EARLIEST <= when <= LATEST:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"{name} {when} is not in 2000 to 2099")
    return when.toordinal() - EPOCH_DAY


# --- what is kept ---------------------------------------------------------------------------------

CREDIT_ROW_VERSION = 1


@dataclass(slots=True)
class Graded:
    """A grade of a period: month as year * 12 + month - 1, level and stars as in `credit`."""

    month: int
    percent_hundredths: int
    level: int
    stars: int


@dataclass(slots=True)
class Lesson:
    """What the learned risk was told of a month and what became of it; None: not known yet."""

    month: int
    told_day: int
    features: dict[str, float | None]
    said: float
    is_late: bool | None = None


@dataclass(slots=True)
class CreditRow:
    """All that `kilowatch credit` keeps of a customer.

    `standing` is the newest published level that is a grade: promotion counts from it, so that
    nobody escapes the worst grade by having his facts withdrawn.
    """

    history: CustomerHistory
    monthly: Graded | None = None
    published: Graded | None = None
    standing: int = 0
    lessons: list[Lesson] = field(default_factory=list)
    version: int = CREDIT_ROW_VERSION


_row_decoder = msgspec.json.Decoder(CreditRow)


def encode_credit_row(row: CreditRow) -> Encoded:
    """A customer's row for the compacted topic."""
    return Encoded(topics.CREDIT_ROWS, row.history.account_id.encode(), to_json(row))


def decode_credit_row(value: bytes) -> CreditRow:
    """A customer's row. Raises msgspec.MsgspecError, or ValueError for another version."""
    row = _row_decoder.decode(value)
    if row.version != CREDIT_ROW_VERSION:
        raise ValueError(f"credit row of version {row.version}; expected {CREDIT_ROW_VERSION}")
    return row


# --- what is said ---------------------------------------------------------------------------------


def encode_grade(row: CreditRow, told: Told, bands: Bands, terms: dict[str, str]) -> Encoded:
    """A customer's grade with its reasons, as a record of credit-grades."""
    history = row.history
    newest = row.lessons[-1] if row.lessons else None
    body = {
        "version": VERSION,
        "accountId": history.account_id,
        "asOf": date.fromordinal(history.newest_day + EPOCH_DAY).isoformat(),
        "terms": terms,
        "score": percent_text(told.percent_hundredths),
        "coverage": percent_text(told.coverage_hundredths),
        "gradeByScore": told.grade_by_score,
        "grade": told.grade,
        "stars": told.stars,
        "monthly": _graded(row.monthly, bands),
        "published": _graded(row.published, bands),
        "heldBy": [
            {"override": _word(one.name), "text": english, "chinese": chinese}
            for one, english, chinese in told.held_by
        ],
        "items": [_item(each) for each in told.items],
        "improvements": [_improvement(each) for each in told.improvements],
        "nextGrade": told.next_grade or None,
        "enough": [each.code for each in told.enough],
        "risk": None
        if newest is None
        else {"month": month_text(newest.month), "chanceLate": round(newest.said, 4)},
    }
    return Encoded(topics.CREDIT_GRADES, history.account_id.encode(), to_json(body))


def percent_text(hundredths: int) -> str:
    """Hundredths of a per cent as people read them.

    >>> percent_text(3_059), percent_text(5)
    ('30.59', '0.05')
    """
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def month_text(month: int) -> str:
    """A billing month as ISO writes it.

    >>> month_text(2026 * 12 + 5)
    '2026-06'
    """
    return f"{month // 12}-{month % 12 + 1:02d}"


def _word(name: str | None) -> str:
    return (name or "").lower().replace("_", "-")


def _graded(graded: Graded | None, bands: Bands) -> dict[str, Any] | None:
    if graded is None:
        return None
    return {
        "month": month_text(graded.month),
        "score": percent_text(graded.percent_hundredths),
        "grade": bands.grade_name(graded.level),
        "stars": graded.stars,
    }


def _item(told: ItemTold) -> dict[str, Any]:
    return {
        "item": told.code,
        "name": told.english,
        "chinese": told.chinese,
        "group": told.group,
        "points": told.points or None,
        "weight": told.weight,
        "line": told.line and told.line.english,
        "lineChinese": told.line and told.line.chinese,
        "facts": told.facts,
        "missing": list(told.missing),
        "notes": [{"text": each.english, "chinese": each.chinese} for each in told.notes],
    }


def _improvement(one: Improvement) -> dict[str, Any]:
    return {
        "item": one.code,
        "effort": _word(one.effort.name),
        "to": one.line.english,
        "toChinese": one.line.chinese,
        "points": one.points_then,
        "raisesBy": percent_text(one.gain_hundredths),
    }
