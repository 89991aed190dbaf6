"""What is each collector asked to do, by when, and what became of it?

Work items go to named collectors with a deadline (domain.md 0: 立即组织催费) and are closed by a
person with an outcome; the daily review (日点评) says per collector what was due, done and late.
The figures of the month are in `scoring.kpis`, fair comparison in `scoring.benchmark`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from scoring.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable


class Task(StrEnum):
    """What a person is asked to do."""

    COLLECT = "collect"  # 催费
    DELIVER_NOTICE = "deliver-notice"  # 送达通知
    TRIP_BY_CREW = "trip-by-crew"
    RESTORE_BY_CREW = "restore-by-crew"
    LOOK_AT_SWITCH = "look-at-switch"
    DECIDE_POLICY = "decide-policy"  # 审批一户一策
    ASK_SECURITY = "ask-security"  # 追加担保
    RENEW_CONTRACT = "renew-contract"  # 续签合同
    VISIT = "visit"  # 现场走访


DEADLINE_HOURS: dict[Task, int] = {
    Task.COLLECT: 24,
    Task.DELIVER_NOTICE: 24,
    Task.TRIP_BY_CREW: 48,
    Task.RESTORE_BY_CREW: 2,  # the law allows 24 h (K9); somebody sits in the dark
    Task.LOOK_AT_SWITCH: 24,
    Task.DECIDE_POLICY: 5 * 24,
    Task.ASK_SECURITY: 10 * 24,
    Task.RENEW_CONTRACT: 30 * 24,
    Task.VISIT: 10 * 24,
}
"""Hours from opening to deadline (proposals, but for the restore)."""

NOBODY = "duty-desk"
"""Who gets the work of an account that has no collector."""


class WorkRefused(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A step with a work item that is not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing one person is asked to do; `closed_at` 0 while it is open.

    `about_id` is the effect, policy or contract it comes from; `outcome` what became of it, in the
    words of `closed_by`, or that it is no longer needed.
    """

    account_id: str
    task: Task
    about_id: str
    collector: str
    opened_at: int
    due_at: int
    text_zh: str = ""
    text_en: str = ""
    closed_at: int = 0
    closed_by: str = ""
    outcome: str = ""

    @property
    def work_id(self) -> str:
        """Account, task and cause: the same cause never makes two items."""
        return f"{self.account_id}@{self.task.value}@{self.about_id}"

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return not self.closed_at

    def is_late(self, now: int) -> bool:
        """Whether it was, or is by now, not closed in time."""
        return (self.closed_at or now) > self.due_at


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One collector's day: items open at its end, opened, due, closed in time and late, overdue."""

    collector: str
    opened: int
    due: int
    closed_in_time: int
    closed_late: int
    open_now: int
    overdue: int
    oldest_overdue_at: int


def ask(account_id: str, task: Task, about_id: str, collector: str, at: int) -> Work:
    """A new item for a collector, due by the task's hours."""
    due_at = at + DEADLINE_HOURS[task] * SECONDS_PER_HOUR
    return Work(account_id, task, about_id, collector or NOBODY, at, due_at)


def close(work: Work, person: str, outcome: str, at: int) -> Work:
    """The item with what became of it.  Raises WorkRefused without a name, an outcome, or twice."""
    if not work.is_open:
        raise WorkRefused(f"{work.work_id} was closed by {work.closed_by}: {work.outcome}")
    if not person.strip() or not outcome.strip():
        raise WorkRefused("say who closes it and what became of it")
    if at < work.opened_at:
        raise WorkRefused("it cannot be closed before it was opened")
    return replace(work, closed_at=at, closed_by=person, outcome=outcome)


def review(items: Iterable[Work], begins_at: int, ends_at: int) -> list[Reviewed]:
    """The daily review of the day [begins_at, ends_at), most overdue first.

    >>> one = ask("home-1", Task.COLLECT, "home-1:warning:1", "li", 0)
    >>> review([one], 86_400, 172_800)[0].overdue
    1
    """
    of_collector: dict[str, list[Work]] = defaultdict(list)
    for one in items:
        if one.opened_at < ends_at:
            of_collector[one.collector].append(one)
    found = [_reviewed(name, mine, begins_at, ends_at) for name, mine in of_collector.items()]
    return sorted(found, key=lambda one: (-one.overdue, one.collector))


def _reviewed(name: str, items: list[Work], begins_at: int, ends_at: int) -> Reviewed:
    closed = [one for one in items if begins_at <= one.closed_at < ends_at]
    waiting = [one for one in items if one.is_open or one.closed_at >= ends_at]
    overdue = [one for one in waiting if one.due_at < ends_at]
    return Reviewed(
        collector=name,
        opened=sum(begins_at <= one.opened_at for one in items),
        due=sum(begins_at <= one.due_at < ends_at for one in items),
        closed_in_time=sum(one.closed_at <= one.due_at for one in closed),
        closed_late=sum(one.closed_at > one.due_at for one in closed),
        open_now=len(waiting),
        overdue=len(overdue),
        oldest_overdue_at=min((one.due_at for one in overdue), default=0),
    )
