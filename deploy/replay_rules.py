"""Which rules does a YAML file change, and can they mean what it says?

A limit of the wrong kind (`"93600"` for 93600) would make scoring fail on every account, which then
cuts nobody: a replay that looks like good news.  So each value is held against the limit's default
before anything is replayed (`deploy.policy_replay`).
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import yaml

from scoring.rules import SupplyRules, WorkingCalendar

if TYPE_CHECKING:
    from pathlib import Path

OWN_FIELD = "holidays"
"""Days off have a field of their own; they make the calendar."""

A_CALENDAR = "a list of dates, as [2026-10-01, 2026-10-02], or `none` for weekends only"


class RulesWrong(ValueError):  # noqa: N818 - the operator reads it as a sentence
    """The file of rules cannot be used; the message names the field."""


def rules_from(path: Path, in_force: SupplyRules) -> SupplyRules:
    """The rules in force with the fields of a YAML file changed.  Raises RulesWrong, OSError.

    `holidays` is a list of dates (the years named are known), or `none` for weekends only.
    """
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise RulesWrong(f"{path} is not UTF-8: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RulesWrong(f"{path} is no YAML: {error}") from error
    if not isinstance(said, dict):
        raise RulesWrong(f"{path}: write fields of the rules, e.g. `notice_lead_seconds: 3600`")
    defaults = {each.name: each.default for each in fields(SupplyRules) if each.name != "calendar"}
    changes: dict[str, Any] = {}
    for name, value in said.items():
        if name == OWN_FIELD:
            calendar = _calendar(value)
            if calendar is None:
                raise RulesWrong(f"{path}: {name} is {_shown(value)}; write {A_CALENDAR}")
            changes["calendar"] = calendar
            continue
        if name not in defaults:
            known = ", ".join(sorted([*defaults, OWN_FIELD]))
            raise RulesWrong(f"{path}: {name} is no rule; known are {known}")
        wanted = _wanted(value, defaults[name])
        if wanted:
            raise RulesWrong(f"{path}: {name} is {_shown(value)}; write {wanted}")
        changes[name] = tuple(value) if isinstance(value, list) else value
    try:
        return replace(in_force, **changes)
    except ValueError as error:
        raise RulesWrong(f"{path}: {error}") from error


def _wanted(value: object, default: object) -> str:
    """What to write instead of a value that is of another kind than the default, "" if it is not.

    Limits are whole numbers, yes or no, so many whole numbers, or codes of areas.
    """
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "`true` or `false`"
    if isinstance(default, int):
        return "" if _is_whole(value) else f"a whole number without quotes, as {default}"
    assert isinstance(default, tuple)
    listed = value if isinstance(value, list) else None
    if not default:
        is_well = listed is not None and all(isinstance(each, str) for each in listed)
        return "" if is_well else "a list of areas, as [north, south]"
    if listed is not None and len(listed) == len(default) and all(map(_is_whole, listed)):
        return ""
    return f"{len(default)} whole numbers, as {list(default)}"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _calendar(value: object) -> WorkingCalendar | None:
    """The calendar of `holidays`, None if it is none."""
    if value == "none":
        return WorkingCalendar.weekends_only()
    if not isinstance(value, list) or not value:
        return None
    # a datetime is a date to Python, and no day
    if any(not isinstance(day, date) or isinstance(day, datetime) for day in value):
        return None
    first, last = min(value).replace(month=1, day=1), max(value).replace(month=12, day=31)
    return WorkingCalendar(first, last, frozenset(value))


def _shown(value: object) -> str:
    """A value as YAML spells it, in one short line."""
    if isinstance(value, date):
        return str(value)
    return repr(value)[:80]
