"""How does an operator write the limits of supply: days off, watched areas, numbers by name?

Apart from `streams.settings`, which says what can be set, because each of these is a small language
of its own.  What the limits mean is told in `scoring.rules`.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from scoring.rules import SupplyRules, WorkingCalendar

NO_HOLIDAYS = "none"
OWN_SETTINGS = frozenset({"calendar", "moratoria_areas"})
"""Limits that have a setting of their own."""


def days_off(text: str) -> tuple[date, ...]:
    """The dates of KILOWATCH_HOLIDAYS."""
    if text == NO_HOLIDAYS:
        return ()
    try:
        return tuple(date.fromisoformat(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("write dates as 2026-10-01, separated by commas, or `none`") from error


def calendar(text: str) -> WorkingCalendar | None:
    """The calendar of KILOWATCH_HOLIDAYS, None if it states none."""
    if text == NO_HOLIDAYS:
        return WorkingCalendar.weekends_only()
    days = days_off(text)
    if not days:
        return None
    first, last = min(days).year, max(days).year
    return WorkingCalendar(date(first, 1, 1), date(last, 12, 31), frozenset(days))


def areas(text: str) -> tuple[str, ...]:
    """The areas of KILOWATCH_MORATORIA."""
    return tuple(sorted({part.strip() for part in text.split(",")} - {""}))


def limits(text: str) -> dict[str, Any]:
    """The limits named in KILOWATCH_SUPPLY_LIMITS; ValueError for one that nobody knows.

    >>> limits("second_notice_lead_seconds=3600, arrears_approvers=1/1/2")
    {'second_notice_lead_seconds': 3600, 'arrears_approvers': (1, 1, 2)}
    """
    known = {
        each.name: each.default for each in fields(SupplyRules) if each.name not in OWN_SETTINGS
    }
    found: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, written = (each.strip() for each in part.partition("="))
        if name not in known:
            raise ValueError(f"{name} is no limit; known are {', '.join(known)}")
        default = known[name]
        if isinstance(default, bool):
            if written not in {"true", "false"}:
                raise ValueError(f"{name} is `true` or `false`")
            found[name] = written == "true"
        elif isinstance(default, tuple):
            found[name] = tuple(int(each) for each in written.split("/"))
            if len(found[name]) != len(default):
                raise ValueError(f"{name} wants {len(default)} numbers, as 0/0/2")
        else:
            found[name] = int(written)
    return found
