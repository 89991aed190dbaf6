"""How do rows that an older program wrote become today's?

Every layout ever written, and what the columns of the old ones mean in today's words; apart from
`streams.rows`, which reads and writes, because this only grows.  What today's columns mean is told
in `scoring.book`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import days_ahead, experts, intervals, splits
from scoring.annex import ANNEX, ANNEX_VERSION, empty_annexes
from scoring.book import LEARNED, LEARNED_VERSION, LEDGER, LEDGER_VERSION, empty_ledger
from scoring.day_kinds import weekdays_only
from scoring.effects import Stage
from scoring.procedures import USUAL_MODE_DIRECT, Procedure
from scoring.units import NO_TIME
from streams.layouts import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray


def without(layout: np.dtype[Any], names: set[str], *then: tuple[Any, ...]) -> np.dtype[Any]:
    """The layout before columns of these names were added; `then` stood at its end."""
    assert layout.fields is not None
    kept = [(name, layout.fields[name][0]) for name in layout.names or () if name not in names]
    return np.dtype([*kept, *then], align=True)


def carry_over(old: NDArray[Any], fresh: NDArray[Any]) -> NDArray[Any]:
    """`fresh` rows with every column that `old` rows also have: the usual start of a migration."""
    assert old.dtype.names is not None
    assert fresh.dtype.names is not None
    for name in fresh.dtype.names:
        if name in old.dtype.names and name != "spare":
            fresh[name] = old[name]
    return fresh


LEDGER_OF_VERSION_1 = without(
    LEDGER,
    {
        *("step_at", "warned_day", "command", "procedure", "control_mode", "warned_today"),
        *("chain_hash", "chain_number", "feeder", "trip_sent_at", "customer_hash"),
    },
)
"""One procedure, and no word of what became of a command."""


def ledger_rows_of_version_1(old: NDArray[Any]) -> NDArray[Any]:
    """Whoever was on the road to a trip was on the contract's; of its command nothing is known."""
    fresh = carry_over(old, empty_ledger(len(old)))
    on_the_road = old["stage"] != Stage.NORMAL
    fresh["procedure"] = np.where(on_the_road, Procedure.PREPAID_TRIP, Procedure.NONE)
    is_off = np.isin(old["stage"], (Stage.TRIP_COMMANDED, Stage.TRIPPED))
    fresh["trip_sent_at"] = np.where(is_off, old["stage_since"], NO_TIME)
    fresh["control_mode"][old["direct_close_agreed"] != 0] = USUAL_MODE_DIRECT
    return fresh


LEDGER_OF_VERSION_2 = without(LEDGER, {"customer_hash"})
"""Nobody said who the customer was."""


def ledger_rows_of_version_2(old: NDArray[Any]) -> NDArray[Any]:
    """Whoever is named next has been there all along."""
    return carry_over(old, empty_ledger(len(old)))


LEARNED_OF_VERSION_1 = np.dtype(
    [
        ("source_offset", "i8"),
        ("last_day", "i4"),
        ("days", "u4"),
        ("level_wh", "f4"),
        ("weekday_share", "f4", (7,)),  # over the level, less 1
        ("error_share", "f4", (2,)),
        ("period_share", "f4", (6,)),
    ],
    align=True,
)
"""One level and one weekday profile."""


def learned_rows_of_version_1(old: NDArray[Any]) -> NDArray[Any]:
    """Every expert starts from the level and the profile, as if four such weeks had passed.

    Intervals start anew: they are learned again in days.
    """
    rows = np.zeros(len(old), LEARNED)
    for name in ("source_offset", "last_day", "days"):
        rows[name] = old[name]
    _split_alike(rows, old["period_share"])
    rows["level_wh"] = old["level_wh"][:, None]
    known = np.flatnonzero(old["days"] > 0)
    if len(known):
        some = rows[known]
        level_wh, day = old["level_wh"][known], old["last_day"][known].astype(np.int64)
        kinds = weekdays_only()
        experts.begin(some, kinds.of(day), level_wh)
        intervals.begin(some, level_wh)
        some["weekday_share"] = np.maximum(1 + old["weekday_share"][known], experts.LEAST_SHARE)
        some["kind_days"][:, : experts.WEEK] = np.minimum(old["days"][known] // 7, 255)[:, None]
        days = day[:, None] + 1 - np.arange(experts.HISTORY_DAYS, 0, -1)
        some["history_wh"] = level_wh[:, None] * experts.share_of(some, kinds.of(days))
        tomorrow = experts.share_of(some, kinds.of(day[:, None] + 1))
        some["regressed_wh"] = level_wh[:, None] * tomorrow
        coming = day[:, None] + 1 + np.arange(experts.HORIZON_DAYS)
        days_ahead.write(some, experts.path(some, kinds.of(coming)))
        intervals.tell(some)
        rows[known] = some
    return rows


def _split_alike(rows: NDArray[Any], share: NDArray[Any]) -> None:
    """One split by rate period for all days, where one was known."""
    rows["split_share"][:, splits.WORKDAY] = np.rint(share / splits.SHARE_UNIT)
    rows["split"] = np.where(share.any(axis=1), splits.ALIKE, splits.NOT_KNOWN)


def _learned_of_version_4() -> np.dtype[Any]:
    """The days ahead had twice the bytes."""
    then = without(LEARNED, {"ahead_steps", "ahead_step", "spare"})
    columns = [(name, then[name]) for name in then.names or ()]
    place = [name for name, _ in columns].index("told_wh")
    columns.insert(place, ("ahead_wh", np.dtype(("f4", (35,)))))
    return np.dtype(columns, align=True)


LEARNED_OF_VERSION_4 = _learned_of_version_4()


def learned_rows_of_version_4(old: NDArray[Any]) -> NDArray[Any]:
    """The same days, each to one part in thirty thousand of the largest."""
    rows = carry_over(old, np.zeros(len(old), LEARNED))
    days_ahead.write(rows, old["ahead_wh"])
    return rows


def _learned_of_version_3() -> np.dtype[Any]:
    """Neither weather nor customers were known; quantiles had twice the bytes."""
    then = without(LEARNED_OF_VERSION_4, {"degree_answer", "customer"})
    wide = {"error_quantile": np.dtype(("f4", (2, 3)))}
    return np.dtype([(name, wide.get(name, then[name])) for name in then.names or ()], align=True)


LEARNED_OF_VERSION_3 = _learned_of_version_3()


def learned_rows_of_version_3(old: NDArray[Any]) -> NDArray[Any]:
    """What the weather does is learned from now on."""
    rows = learned_rows_of_version_4(old)
    rows["error_quantile"] = intervals.written_quantile(old["error_quantile"])
    return rows


def _learned_of_version_2() -> np.dtype[Any]:
    """One split for all days; neither the newest change of level nor odd days were kept."""
    added = {"odd_days", "counted_wh", "split_share", "split", "drift_days"}
    added |= {"drift_mean", "drift_up", "drift_down"}
    then = without(LEARNED_OF_VERSION_3, added, ("spare", "u1", (3,)))
    columns = [(name, then[name]) for name in then.names or ()]
    place = [name for name, _ in columns].index("known_days")
    columns.insert(place, ("period_share", np.dtype(("f4", (6,)))))
    return np.dtype(columns, align=True)


LEARNED_OF_VERSION_2 = _learned_of_version_2()


def learned_rows_of_version_2(old: NDArray[Any]) -> NDArray[Any]:
    """All days are split alike until each kind shows its own."""
    rows = learned_rows_of_version_3(old)
    _split_alike(rows, old["period_share"])
    return rows


ANNEX_OF_VERSION_3 = without(ANNEX, {"still_from", "opened_at", "not_before_at"})
"""Nobody asked how long a register had stood still, nor what hour a notice had named."""


def annex_rows_of_version_3(old: NDArray[Any]) -> NDArray[Any]:
    """Since when a switch stands open is not known; when its newest command was given, is."""
    fresh = carry_over(old, empty_annexes(len(old)))
    fresh["opened_at"] = old["proof_from"]
    return fresh


LEDGER_LAYOUTS = {
    1: Layout(
        carry_over(empty_ledger(1), np.zeros(1, LEDGER_OF_VERSION_1)), ledger_rows_of_version_1
    ),
    2: Layout(
        carry_over(empty_ledger(1), np.zeros(1, LEDGER_OF_VERSION_2)), ledger_rows_of_version_2
    ),
    3: Layout(empty_ledger(1)),
}
"""Of every version its layout, and how its rows become today's."""

LEARNED_LAYOUTS = {
    1: Layout(np.zeros(1, LEARNED_OF_VERSION_1), learned_rows_of_version_1),
    2: Layout(np.zeros(1, LEARNED_OF_VERSION_2), learned_rows_of_version_2),
    3: Layout(np.zeros(1, LEARNED_OF_VERSION_3), learned_rows_of_version_3),
    4: Layout(np.zeros(1, LEARNED_OF_VERSION_4), learned_rows_of_version_4),
    5: Layout(np.zeros(1, LEARNED)),
}

ANNEX_LAYOUTS = {
    3: Layout(np.zeros(1, ANNEX_OF_VERSION_3), annex_rows_of_version_3),
    4: Layout(empty_annexes(1)),
}

assert LEDGER_VERSION in LEDGER_LAYOUTS
assert LEARNED_VERSION in LEARNED_LAYOUTS
assert ANNEX_VERSION in ANNEX_LAYOUTS
