"""What is remembered of a large customer between two records, and what of it goes into its file?

The newest days, how it pays, its sector and collector, and the grade that holds.  What follows from
them is `customer_desk`'s.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from scoring.customer_file import Block

if TYPE_CHECKING:
    from api.decided_facts import GradeTold
    from scoring.customer_file import CustomerFile
    from streams.wire_effects import FinishedDay

MEAN_DAYS = 30
"""Days of which a large customer's mean day and month are made."""

THE_STREAM = "stream"
"""Who enters what the stream has told, and closes work that is no longer needed."""


@dataclass(slots=True)
class Large:
    """One customer; `newest_day` is a proleptic number of local time, `told_at` an instant."""

    sector: str = ""
    collector: str = ""
    payment_mode: str = ""
    newest_day: int = 0
    told_at: int = 0
    days: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MEAN_DAYS))
    grade: GradeTold | None = None

    def take_day(self, told: FinishedDay) -> None:
        """A finished day; one that is not newer says nothing new."""
        day = date.fromisoformat(told.local_date).toordinal()
        if day > self.newest_day:
            self.sector, self.collector = told.industry, told.collector
            self.payment_mode = told.payment_mode
            self.newest_day, self.told_at = day, int(told.decided_at.timestamp())
            self.days.append((told.used_wh, told.charge_nanos))

    @property
    def mean_month_wh(self) -> int:
        """Energy of a month of days such as the newest; 0 without any."""
        return sum(wh for wh, _ in self.days) * MEAN_DAYS // len(self.days) if self.days else 0

    @property
    def mean_day_nanos(self) -> int:
        """The mean charge of the newest days; 0 without any."""
        return sum(nanos for _, nanos in self.days) // len(self.days) if self.days else 0

    def file_facts(self, file: CustomerFile) -> dict[tuple[Block, str], str]:
        """What the stream tells for a file; what a person has entered stays theirs."""
        found = {}
        if self.days:
            found[Block.SUPPLY, "mean_month_usage"] = f"{self.mean_month_wh // 1000} kWh"
            found[Block.SUPPLY, "payment_mode"] = self.payment_mode
        if self.sector:
            found[Block.SUPPLY, "sector"] = self.sector
        if self.grade is not None and self.grade.grade:
            found[Block.PAYMENT_HISTORY, "grade"] = self.grade.grade
            found[Block.PAYMENT_HISTORY, "stars"] = str(self.grade.stars)
        entered = {(f.block, f.name) for f in file.facts if f.source != THE_STREAM}
        return {key: text for key, text in found.items() if key not in entered}
