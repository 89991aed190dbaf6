"""Which are all the mistakes of a tariff sheet?

A sheet is read field by field and refused at the first mistake; whoever writes one wants to hear of
all at once.  So each mistake that is found is put right in a copy by something that cannot be
wrong there, and the copy is read again.  Kept apart from `scoring.sheet`, which says what is right,
and from `deploy.sheet_files`, which knows where in a file a field stands.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from scoring.sheet import TariffSheetInvalid, sheet_from_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MISTAKES = 100
"""Of one sheet; each costs a few readings of it, and nobody mends more at one time."""

NOTHING = object()
"""Stands for a field that is not there."""

HARMLESS: dict[str, tuple[Any, ...]] = {
    "tariffId": ("x",),
    "currency": ("XXX",),
    "zone": ("UTC",),
    "validFrom": ("2000-01-01",),
    "reset": ("month",),
    "hours": (["00:00-24:00"],),
    "standard": ("0.90",),
    "table": ("cn-1983-215",),
}
"""What can stand in a field that must be there and is no amount."""

Path = tuple[str | int, ...]


def mistakes(plain: Any) -> list[TariffSheetInvalid]:
    """Every mistake of a sheet in its plain form, in the order of reading; none if it is right.

    Where a mistake cannot be put right without guessing at what it hides, what it hides is not
    told: nothing is called wrong that may be right.
    """
    found: list[TariffSheetInvalid] = []
    mended, error = plain, _first(plain)
    while error is not None and len(found) < MOST_MISTAKES:
        found.append(error)
        told = {one.field for one in found}
        for attempt in _attempts(mended, error.field):
            following = _first(attempt)
            if following is None or (
                following.field not in told and _is_written(following.field, attempt, plain)
            ):
                mended, error = attempt, following
                break
        else:
            break
    return found


def _first(plain: Any) -> TariffSheetInvalid | None:
    try:
        sheet_from_dict(plain)
    except TariffSheetInvalid as error:
        return error
    return None


def _is_written(field: str, mended: Any, plain: Any) -> bool:
    """Whether a field still says what was written, so that a mistake in it is the writer's."""
    path = _path(mended, field)
    return bool(_at(mended, path) == _at(plain, path))


def _path(plain: Any, field: str) -> Path:
    """The steps to a field that is named like `tiers.steps[1].addPerKwh.peak`."""
    steps: list[str | int] = []
    here, rest = plain, field
    while rest:
        number = re.match(r"\[(\d+)\]", rest)
        if number:
            step: str | int = int(number[1])
            rest = rest[number.end() :]
        else:
            rest = rest.removeprefix(".")
            keys = here if isinstance(here, dict) else ()
            known = [key for key in keys if re.match(re.escape(key) + r"([.\[]|$)", rest)]
            step = max(known, key=len, default=re.split(r"[.\[]", rest, maxsplit=1)[0])
            rest = rest[len(step) :]
        steps.append(step)
        here = _at(here, (step,))
    return tuple(steps)


def _at(plain: Any, path: Path) -> Any:
    for step in path:
        is_here = isinstance(plain, dict) and step in plain
        if isinstance(plain, list) and isinstance(step, int):
            is_here = step < len(plain)
        if not is_here:
            return NOTHING
        plain = plain[step]
    return plain


def _attempts(plain: Any, field: str) -> Iterator[Any]:
    """Copies in which a field says something that may be right, the least changed first."""
    path = _path(plain, field)
    if not path or not isinstance(_at(plain, path[:-1]), dict | list):
        return
    for value in _harmless(plain, path):
        yield _with(plain, path, value)
    # what holds the field goes whole, but no list is shortened: its places are told by number
    for length in range(len(path), 0, -1):
        if isinstance(path[length - 1], str) and _at(plain, path[:length]) is not NOTHING:
            yield _with(plain, path[:length], NOTHING)


def _harmless(plain: Any, path: Path) -> Iterator[Any]:
    name, periods = path[-1], _at(plain, ("ratePeriods",))
    known = (
        [one["name"] for one in periods if isinstance(one, dict) and one.get("name")]
        if (isinstance(periods, list))
        else []
    )
    if name == "ratePeriod":
        yield from known[:1]
    elif name == "name":
        yield f"name-{path[-2]}"
    elif name == "uptoKwh":
        yield from (None, _above(_at(plain, path[:-2]), path[-2]))
    elif name == "timeOfUse" and known and isinstance(_at(plain, path), list):
        yield [*_at(plain, path), {"ratePeriod": known[0]}]
    elif path[:1] == ("levies",) and len(path) == 2:
        yield {"name": f"name-{name}", "perKwh": "0"}
    else:
        yield from HARMLESS.get(str(name), ())
        yield from ("0", "1", "2026-01-01") if path[:1] == ("holidays",) else ("0", "1")


def _above(steps: Any, place: str | int) -> str:
    """An edge just above those of the tiers before."""
    edges = [
        float(one["uptoKwh"])
        for one in (steps[:place] if isinstance(steps, list) and isinstance(place, int) else [])
        if isinstance(one, dict) and re.fullmatch(r"\d+(\.\d+)?", str(one.get("uptoKwh")))
    ]
    return f"{max(edges, default=0) + 0.001:.3f}"


def _with(plain: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(plain)
    holder = _at(changed, path[:-1])
    if value is NOTHING:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed
