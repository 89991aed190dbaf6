"""Is what stands in a field of a tariff sheet what belongs there?

Readers of single fields: a text, an amount, a list, a date, each refused by the path of its field.
They stand apart because `scoring.sheet`, `scoring.sheet_calendar` and `scoring.sheet_charges` all
read fields, and a mistake must be told the same way wherever it stands.  What a field means is
told there; in which line of which file it stands, `streams.sheet_files` adds.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from scoring.units import NotExact, whole

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PICOS_PER_UNIT = 10**12
"""Prices per kWh are kept in whole picos: twelve decimals, since a published price has eight
(0.02716875) and a ratio times a component a few more."""

PPM_PER_ONE = 10**6
SHARE = (PPM_PER_ONE, "millionths")
PRICE = (PICOS_PER_UNIT, "picos (twelve decimals)")

MAX_PRICE_PICOS = 10**6 * PICOS_PER_UNIT
"""A kWh costs at most a million units of currency (the dearest currencies ask a few thousand)."""

MAX_NAME_CHARACTERS = 40


class TariffSheetInvalid(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A sheet cannot be used; `field` is where, the message is why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


def only(data: Any, known: Collection[str], where: str) -> None:
    """Only these fields: a misspelt field must not be silently without effect."""
    if not hasattr(data, "keys"):
        raise TariffSheetInvalid(where.rstrip(".") or "sheet", "must be an object")
    for name in data:
        if name not in known:
            raise TariffSheetInvalid(f"{where}{name}", "is not a field of a tariff sheet")


def text(data: Mapping[str, Any], field: str, where: str = "") -> str:
    """A text that is not empty."""
    found = data.get(field)
    if not isinstance(found, str) or not found:
        raise TariffSheetInvalid(f"{where}{field}", "must be a text")
    return found


def one_of(data: Mapping[str, Any], field: str, choices: Collection[str], where: str = "") -> str:
    """One of the words that may stand here."""
    found = data.get(field)
    if not isinstance(found, str) or found not in choices:
        raise TariffSheetInvalid(f"{where}{field}", f"must be one of {', '.join(choices)}")
    return found


def day(data: Mapping[str, Any], field: str) -> date:
    """A date such as 2026-01-01."""
    return a_date(text(data, field), field)


def a_date(written: Any, field: str) -> date:
    """A date such as 2026-01-01."""
    try:
        return date.fromisoformat(str(written))
    except ValueError as error:
        raise TariffSheetInvalid(field, "must be a date such as 2026-01-01") from error


def amount(
    written: Any, unit: tuple[int, str], field: str, most: int, least: int | None = None
) -> int:
    """A written amount in small units (how many make one, and their name), within its limits.

    `least` None: the amount may be as far below zero as above.
    """
    if isinstance(written, (float, bool)):
        raise TariffSheetInvalid(field, f"write {written} as a text, so that it stays exact")
    try:
        found = whole(written, *unit)
    except NotExact as error:
        raise TariffSheetInvalid(field, str(error)) from error
    if not (-most if least is None else least) <= found <= most:
        raise TariffSheetInvalid(field, f"{written} is out of range")
    return found


def price(written: Any, field: str, least: int | None = None) -> int:
    """A price per kWh in picos; it may be negative unless `least` says otherwise."""
    return amount(written, PRICE, field, MAX_PRICE_PICOS, least)


def share(written: Any, field: str, most: int = PPM_PER_ONE) -> int:
    """A part of one in millionths, not negative: 0.15 is 15 %."""
    return amount(written, SHARE, field, most, 0)


def items(value: Any, field: str, most: int) -> list[Any]:
    """A list of 1 to `most`."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= most:
        raise TariffSheetInvalid(field, f"must be a list of 1 to {most}")
    return list(value)


def new_name(data: Mapping[str, Any], where: str, taken: Collection[str]) -> str:
    """The name of a rate period, component or levy, different from the others'."""
    name = data.get("name")
    if isinstance(name, bool):
        why = f"a file reads on, off, yes and no as {str(name).lower()}: write the name in quotes"
        raise TariffSheetInvalid(f"{where}name", why)
    if not isinstance(name, str) or not name or name in taken or len(name) > MAX_NAME_CHARACTERS:
        why = f"must be a text of at most {MAX_NAME_CHARACTERS}, different from the others"
        raise TariffSheetInvalid(f"{where}name", why)
    return name


def decimal_text(small: int, units_per_one: int) -> str:
    """A whole number of small units as a decimal text, without needless zeros.

    >>> decimal_text(546_900_000_000, PICOS_PER_UNIT), decimal_text(-5, 1000)
    ('0.5469', '-0.005')
    """
    digits = len(str(units_per_one)) - 1
    sign, size = ("-" if small < 0 else ""), abs(small)
    fraction = f"{size % units_per_one:0{digits}d}".rstrip("0")
    return f"{sign}{size // units_per_one}" + (f".{fraction}" if fraction else "")
