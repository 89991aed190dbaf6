"""How do rows that an older program wrote become today's?

Layouts that are no longer written, and what their columns mean in today's words; apart from
`streams.rows`, which reads and writes, because this only grows.  What today's columns mean is told
in `scoring.book`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import experts, intervals
from scoring.book import LEARNED
from scoring.day_kinds import weekdays_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    for name in ("source_offset", "last_day", "days", "period_share"):
        rows[name] = old[name]
    rows["level_wh"] = old["level_wh"][:, None]
    known = np.flatnonzero(old["days"] > 0)
    if len(known):
        some = rows[known]
        level_wh, day = old["level_wh"][known], old["last_day"][known].astype(np.int64)
        experts.begin(some, level_wh)
        intervals.begin(some, level_wh)
        some["weekday_share"] = np.maximum(1 + old["weekday_share"][known], experts.LEAST_SHARE)
        some["kind_days"][:, : experts.WEEK] = np.minimum(old["days"][known] // 7, 255)[:, None]
        kinds = weekdays_only()
        days = day[:, None] + 1 - np.arange(experts.HISTORY_DAYS, 0, -1)
        some["history_wh"] = level_wh[:, None] * experts.share_of(some, kinds.of(days))
        tomorrow = experts.share_of(some, kinds.of(day[:, None] + 1))
        some["regressed_wh"] = level_wh[:, None] * tomorrow
        coming = day[:, None] + 1 + np.arange(experts.HORIZON_DAYS)
        some["ahead_wh"] = experts.path(some, kinds.of(coming))
        intervals.tell(some)
        rows[known] = some
    return rows
