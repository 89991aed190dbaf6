"""Where does an account stand with its settlement plan, and what must it be told?

Large customers pay a month in instalments: by agreed shares of an estimate (分次划拨), or each time
for what has been read by then (分次结算); the bill at the month's end settles the rest (domain.md
2.5).  At every reading a plan says what should be paid by now, what is, what has been used and what
the month will cost, and warns before an instalment fails.  It stands apart from the prepaid road
(`scoring.decide`), which never trips an account on a plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.annex import MAX_INSTALMENTS
from scoring.effects import PlanNotice, PlanNoticeKind
from scoring.events import PaymentMode, PlanMode
from scoring.situation import PAYMENT_MODES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.events import Plan
    from scoring.turn import Turn

MODES = tuple(PlanMode)
ON_PLAN = PAYMENT_MODES.index(PaymentMode.PLAN)

WHOLE_SHARE = 10_000
"""Shares are kept in hundredths of a per cent."""

LEAD_DAYS = 3
"""An instalment is announced so many days before (proposal; as the second prepaid warning)."""

OUTRUNS_PERCENT = 110
"""A forecast above so much of the agreed month is told: the plan no longer covers it (proposal)."""

MISSED_BIT = 8
OUTRUNS_BIT = 16
BEFORE_BIT = 16
"""From here on (and the number): missed, of the month before."""
HELD_BIT = 24
"""The plan held in the month before too, so its last instalments are its own."""


@dataclass(frozen=True, slots=True)
class Instalment:
    """One date of a month: its number from 1, its local day as an ordinal, all to be paid by it."""

    number: int
    due_day: int
    planned_nanos: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A plan as of one local day; money in nanos.

    `planned_nanos` should be paid by now, `paid_nanos` is, for this month; `used_nanos` is its bill
    so far, `forecast_nanos` at its end; `exposure_nanos` is what would be lost if the customer paid
    nothing more, less deposit and guarantee.
    """

    instalments: tuple[Instalment, ...]
    planned_nanos: int
    paid_nanos: int
    used_nanos: int
    forecast_nanos: int
    exposure_nanos: int

    @property
    def shortfall_nanos(self) -> int:
        """What should be paid by now and is not."""
        return max(0, self.planned_nanos - self.paid_nanos)


PLAN = ("days", "shares", "mode", "grace_days", "month_nanos", "security_nanos")
"""The columns of a plan, "plan_" before the names of that in force, "next_plan_" of one to come."""


def enter_plan(annex: NDArray[Any], plan: Plan | None, day: int = 0) -> None:
    """Put newly agreed terms into an annex (1,); what has been told of this month stays told.

    `day` is the newest local day that is known: a plan from a later one on waits until then, and
    the plan before it goes on.  None ends any plan.
    """
    annex["next_plan_day"] = 0
    terms = [annex[f"plan_{name}"][0].tolist() for name in PLAN]
    if plan is None:
        annex["plan_days"] = 0
        return
    later = "next_" if plan.from_day > day else ""
    rest = [0] * (MAX_INSTALMENTS - len(plan.instalments))
    annex[f"{later}plan_days"][0] = [of_month for of_month, _ in plan.instalments] + rest
    annex[f"{later}plan_shares"][0] = [share for _, share in plan.instalments] + rest
    annex[f"{later}plan_mode"] = MODES.index(plan.mode)
    annex[f"{later}plan_grace_days"] = plan.grace_days
    annex[f"{later}plan_month_nanos"] = plan.month_nanos
    annex[f"{later}plan_security_nanos"] = plan.deposit_nanos + plan.guarantee_nanos
    if later:
        annex["next_plan_day"] = plan.from_day
    elif terms != [annex[f"plan_{name}"][0].tolist() for name in PLAN]:
        _held_no_more(annex)


def _held_no_more(annex: NDArray[Any]) -> None:
    """Other terms are in force: nothing of the month before is judged by them."""
    annex["plan_told"] = int(annex["plan_told"][0]) & ~(1 << HELD_BIT)


def take_up(annex: NDArray[Any], day: int) -> None:
    """Let the plan that was agreed for this local day or an earlier one be in force."""
    if 0 < int(annex["next_plan_day"][0]) <= day:
        for name in PLAN:
            annex[f"plan_{name}"] = annex[f"next_plan_{name}"]
        annex["next_plan_day"] = 0
        _held_no_more(annex)


def begin_month(annex: NDArray[Any], month: int) -> None:
    """Let the plan of this annex (1,) be told of another month (year x 12 + month - 1)."""
    last = int(annex["plan_month"][0])
    if last == month:
        return
    told = int(annex["plan_told"][0]) if last == month - 1 else 0
    missed = told >> MISSED_BIT & (1 << MAX_INSTALMENTS + 1) - 2
    annex["plan_told"] = missed << BEFORE_BIT | (last == month - 1) << HELD_BIT
    annex["plan_month"] = month
    annex["plan_read_day"] = annex["plan_read_nanos"] = 0


def standing(
    annex: NDArray[Any],
    month: int,
    day: int,
    ledger_nanos: int,
    previous_bill_nanos: int,
    bill_nanos: int,
    forecast_nanos: int,
) -> Standing:
    """Where the account of this annex (1,) stands in a month (year x 12 + month - 1) on a day.

    By estimate an instalment is its share of the agreed month, or of the forecast where none is
    agreed; by reading, the newest past one is what had been used at the first reading after it,
    and those before it are settled with it.  Money on the account pays what is owed from before
    first, then this month's instalments.
    """
    first = date(month // 12, month % 12 + 1, 1).toordinal()
    length = date((month + 1) // 12, (month + 1) % 12 + 1, 1).toordinal() - first
    by_reading = MODES[int(annex["plan_mode"][0])] is PlanMode.READING
    whole = forecast_nanos if by_reading else int(annex["plan_month_nanos"][0]) or forecast_nanos
    read_day, read_nanos = 0, 0
    if int(annex["plan_month"][0]) == month:
        read_day, read_nanos = int(annex["plan_read_day"][0]), int(annex["plan_read_nanos"][0])
    instalments = []
    agreed = zip(annex["plan_days"][0].tolist(), annex["plan_shares"][0].tolist(), strict=True)
    for number, (day_of_month, share) in enumerate(agreed, 1):
        if not day_of_month:
            break
        due_day = first + min(day_of_month, length) - 1
        if by_reading and due_day < read_day:
            continue
        planned = max(0, whole) * share // WHOLE_SHARE
        if by_reading and due_day <= day:
            planned = read_nanos if due_day <= read_day else bill_nanos
        instalments.append(Instalment(number, due_day, planned))
    left = ledger_nanos - previous_bill_nanos
    return Standing(
        instalments=tuple(instalments),
        planned_nanos=max((i.planned_nanos for i in instalments if i.due_day <= day), default=0),
        paid_nanos=max(0, left),
        used_nanos=bill_nanos,
        forecast_nanos=forecast_nanos,
        exposure_nanos=max(0, bill_nanos - left - int(annex["plan_security_nanos"][0])),
    )


def what_to_tell(
    annex: NDArray[Any], month: int, day: int, now: Standing, read_day: int | None = None
) -> list[tuple[PlanNoticeKind, Instalment | None]]:
    """What this month has not been told yet by `day`; notes it in the annex (1,) as told.

    `read_day` is the local day of the newest reading, if it is another: what an instalment by
    reading comes to is known at the first reading after its date, not when a day has passed.
    """
    begin_month(annex, month)
    read = day if read_day is None else read_day
    past = [each.due_day for each in now.instalments if each.due_day <= read]
    if past and max(past) > int(annex["plan_read_day"][0]):
        annex["plan_read_day"], annex["plan_read_nanos"] = max(past), now.used_nanos
    grace, agreed = int(annex["plan_grace_days"][0]), int(annex["plan_month_nanos"][0])
    found: list[tuple[PlanNoticeKind, Instalment | None, int]] = []
    for each in now.instalments:
        if now.paid_nanos >= each.planned_nanos:
            continue
        if each.due_day - LEAD_DAYS <= day <= each.due_day:
            found.append((PlanNoticeKind.INSTALMENT_DUE, each, each.number))
        elif day > each.due_day + grace:
            found.append((PlanNoticeKind.INSTALMENT_MISSED, each, MISSED_BIT + each.number))
    if agreed and now.forecast_nanos * 100 > agreed * OUTRUNS_PERCENT:
        found.append((PlanNoticeKind.FORECAST_OUTRUNS_PLAN, None, OUTRUNS_BIT))
    told = int(annex["plan_told"][0])
    news = [(kind, each) for kind, each, bit in found if not told >> bit & 1]
    for _, _, bit in found:
        told |= 1 << bit
    annex["plan_told"] = told
    return news


def missed_before(
    annex: NDArray[Any], month: int, day: int, now: Standing
) -> list[tuple[PlanNoticeKind, Instalment]]:
    """Instalments of the month before `month` whose days of grace have ended only in this one.

    `now` is that month's standing by its bill.  By reading only its last day is judged: what had
    been read by an earlier one is not kept.  Notes them in the annex (1,) as told.
    """
    told = int(annex["plan_told"][0])
    if not told >> HELD_BIT & 1:
        return []
    end = date(month // 12, month % 12 + 1, 1).toordinal() - 1
    by_reading = MODES[int(annex["plan_mode"][0])] is PlanMode.READING
    grace, found = int(annex["plan_grace_days"][0]), []
    for each in now.instalments:
        last_day = each.due_day + grace
        is_late = end <= last_day < day and now.paid_nanos < each.planned_nanos
        if is_late and not told >> (BEFORE_BIT + each.number) & 1:
            if by_reading and each.due_day < end:
                continue
            found.append((PlanNoticeKind.INSTALMENT_MISSED, each))
            told |= 1 << (BEFORE_BIT + each.number)
    annex["plan_told"] = told
    return found


def tell_plans(turn: Turn, positions: NDArray[Any], days: NDArray[Any] | None = None) -> None:
    """Tell those of these accounts of the turn that are on a plan what a reading has shown.

    Or what time alone has brought: `days` (k,) are then their local days.
    """
    annexes = turn.accounts.annexes
    agreed = (annexes.rows["plan_days"][:, 0] != 0) | (annexes.rows["next_plan_day"] > 0)
    for number in np.flatnonzero(np.isin(positions, annexes.position[agreed])).tolist():
        position = int(positions[number])
        annex = annexes.row(position)
        assert annex is not None
        read_day = int(turn.accounts.ledger["day"][position])
        day = read_day if days is None else max(read_day, int(days[number]))
        row, look = turn.accounts.ledger[position], turn.look[position]
        month = int(row["month"])
        begin_month(annex, month)
        take_up(annex, day)
        if not annex["plan_days"][0, 0]:
            continue
        if row["payment_mode"] != ON_PLAN or look["version"] < 0:
            continue
        ledger_nanos, before_nanos = int(row["ledger_nanos"]), int(look["previous_bill_nanos"])
        if row["previous_month_open"]:
            then = standing(annex, month - 1, day, ledger_nanos, 0, before_nanos, before_nanos)
            for kind, late in missed_before(annex, month, day, then):
                turn.tell(position, _notice(turn, position, month - 1, then, kind, late))
        now = standing(
            annex,
            month,
            day,
            ledger_nanos,
            before_nanos,
            int(look["bill_nanos"]),
            int(look["forecast_month_nanos"]),
        )
        for kind, instalment in what_to_tell(annex, month, day, now, read_day):
            turn.tell(position, _notice(turn, position, month, now, kind, instalment))


def _notice(
    turn: Turn,
    position: int,
    month: int,
    now: Standing,
    kind: PlanNoticeKind,
    instalment: Instalment | None,
) -> PlanNotice:
    here = turn.here(position)
    number = 0 if instalment is None else instalment.number
    planned = now.planned_nanos if instalment is None else instalment.planned_nanos
    month_text = f"{month // 12:04d}-{month % 12 + 1:02d}"
    return PlanNotice(
        f"{here.account_id}:plan:{month_text}:{kind.value}:{number}",
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        kind=kind.value,
        instalment=number,
        due_date=None if instalment is None else date.fromordinal(instalment.due_day).isoformat(),
        planned_nanos=planned,
        paid_nanos=now.paid_nanos,
        used_nanos=now.used_nanos,
        forecast_month_nanos=now.forecast_nanos,
        shortfall_nanos=max(0, planned - now.paid_nanos),
        exposure_nanos=now.exposure_nanos,
    )
