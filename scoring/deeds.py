"""What does each step about a supply say, and which columns does it write?

One function per deed: a notice, a trip, a question to the switch, a restore, what a person is
asked to do, and why nothing is done.  They stand apart from the road that chooses among them
(`scoring.decide`); none of them asks whether it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring.annex import MAX_APPROVERS, MAX_STEPS
from scoring.effects import (
    NO_HOLD,
    DecisionKind,
    DisconnectionNotice,
    Hold,
    Proof,
    RestoreCommand,
    Stage,
    StatusRead,
    TripCommand,
    WorkItem,
    WorkItemKind,
)
from scoring.events import Switch
from scoring.guards import foremost, notice_holds, procedure_called_for, trip_holds
from scoring.messages import notice_texts, work_texts
from scoring.procedures import CLOSES_AT_ONCE, CommandState, Procedure
from scoring.rules import ARM_FOR_CLOSURE_CODE, DIRECT_CLOSE_CODE, TRIP_CODE, next_window
from scoring.situation import NOTHING, Verdict, decision, hold_names
from scoring.units import NO_TIME

if TYPE_CHECKING:
    from scoring.situation import Situation

NOBODY_APPROVED: dict[str, Any] = {
    "approved_until": NO_TIME,
    "approved_at": (NO_TIME,) * MAX_APPROVERS,
    "approvers": ("",) * MAX_APPROVERS,
}
"""An approval dies with its episode."""


def send_notice(here: Situation, step: int) -> Verdict:
    """Take a step of the procedure.

    The first opens an episode: everything an older one left behind is wiped.
    """
    opens = here.stage is Stage.NORMAL
    number = 1 if opens else here.notices + 1
    earlier = (0,) * MAX_STEPS if opens else here.step_notice
    changes: dict[str, Any] = {
        "stage": Stage.NOTICE_SENT,
        "stage_since": here.now,
        "step": step,
        "notices": number,
        "step_notice": (*earlier[:step], number, *earlier[step + 1 :]),
        "notice_delivered_at": NO_TIME,
        "holds": NO_HOLD,
        "command": CommandState.ASKED,
    }
    if opens:
        changes |= NOBODY_APPROVED | {
            "procedure": here.procedure,
            "trip_episode": here.trip_episode + 1,
            "attempt": 0,
            "restore_attempt": 0,
            "proven_at": (NO_TIME,) * MAX_STEPS,
            "proof_from": NO_TIME,
            "command_expires_at": NO_TIME,
        }
    then = here.after(changes)
    holds = trip_holds(then)
    waits = sum(line.wait_seconds for line in here.steps[step:])
    lead_ends_at = here.now + waits
    found = next_window(here.rules, here.zone, lead_ends_at, here.weather)
    not_before = lead_ends_at if found is None else found
    if not opens:
        not_before = max(not_before, here.not_before_at)  # what was promised first still holds
    is_by_law = here.procedure is Procedure.ARREARS_STOP
    due = max(0, -here.ledger_nanos) if is_by_law else -here.available_nanos
    english, chinese = notice_texts(then, then.line.step, due, not_before)
    notice = DisconnectionNotice(
        then.notice_id,
        here.account_id,
        here.now,
        here.cause,
        here.evidence(holds),
        due,
        not_before,
        here.procedure.name.lower(),
        then.line.step.name.lower(),
        english,
        chinese,
    )
    # the notice's own evidence has told these holds
    return Verdict((notice,), changes | {"holds": foremost(holds), "not_before_at": not_before})


def withdraw_notice(here: Situation, why: str) -> Verdict:
    """The procedure ends before its trip; a person asked to help with it is called back."""
    procedure = procedure_called_for(here)
    holds = notice_holds(here._replace(procedure=procedure)) if procedure else NO_HOLD
    told = decision(here, DecisionKind.NOTICE_WITHDRAWN, f"{here.notice_id}: {why}", holds)
    changes = NOBODY_APPROVED | {
        "stage": Stage.NORMAL,
        "stage_since": here.now,
        "notice_delivered_at": NO_TIME,
        "holds": foremost(holds),
        "command": CommandState.NONE,
    }
    verdict = told + Verdict(changes=changes)
    return verdict + withdraw_items(here.after(verdict.changes), here.notice_id)


def trip(here: Situation) -> Verdict:
    """Command the trip, with the proof of every step and who approved it."""
    attempt = here.attempt + 1
    expires_at = here.now + here.rules.command_validity_seconds
    changes: dict[str, Any] = {
        "stage": Stage.TRIP_COMMANDED,
        "stage_since": here.now,
        "attempt": attempt,
        "command": CommandState.SENT,
        "command_expires_at": expires_at,
        "trip_sent_at": here.now,
        "proof_from": NO_TIME,
        # commanded is not actual (domain.md 8.3): until a report comes nobody knows
        "switch": Switch.UNKNOWN,
        "holds": NO_HOLD,
    }
    command = TripCommand(
        here.after(changes).trip_id,
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        TRIP_CODE,
        expires_at,
        attempt,
        here.notice_id,
        here.notice_delivered_at,
        here.procedure.name.lower(),
        proofs_of(here),
        here.approved_by,
    )
    return Verdict((command,), changes)


def proofs_of(here: Situation) -> tuple[Proof, ...]:
    """Each step taken so far, with when its proof was in hand; the last is the newest notice."""
    return tuple(
        Proof(line.step.name.lower(), here.notice_of(place), at)
        for place, (line, at) in enumerate(zip(here.steps, here.step_proofs, strict=False))
    )


def ask_status(here: Situation) -> Verdict:
    """A command has expired without a word: what became of it is unknown, so the switch is asked.

    Until it answers, or has had its time, nothing more is sent.
    """
    expires_at = here.now + here.rules.status_read_seconds
    changes = {"command": CommandState.UNKNOWN, "command_expires_at": expires_at}
    asked = StatusRead(
        f"{here.account_id}:status:{here.trip_episode}:{here.attempt}",
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        here.trip_id,
        expires_at,
    )
    return Verdict((asked,), changes)


def restore(here: Situation, why: str) -> Verdict:
    """No guard, no throttle; a crew that was asked to trip is called back.

    After several without proof a crew is asked to go, and the commands go on all the same.
    """
    attempt = here.restore_attempt + 1
    expires_at = here.now + here.rules.restore_repeat_seconds
    changes: dict[str, Any] = NOBODY_APPROVED | {
        "stage": Stage.RESTORE_COMMANDED,
        "restore_attempt": attempt,
        "command": CommandState.SENT,
        "command_expires_at": expires_at,
        "notice_delivered_at": NO_TIME,
        "holds": NO_HOLD,
    }
    if here.stage is not Stage.RESTORE_COMMANDED:
        # a repeat is not a new beginning: how long somebody waits in the dark must be seen
        changes |= {"stage_since": here.now, "proof_from": here.now}
        if here.stage is not Stage.TRIPPED:  # its trip may still be carried out, also unheard of
            changes["opened_at"] = max(here.now, here.trip_ends_at)
    command = RestoreCommand(
        here.after(changes).restore_id,
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        restore_code(here),
        expires_at,
        attempt,
        here.trip_id if here.attempt else "",
        why,
    )
    verdict = Verdict((command,), changes)
    if here.holds & Hold.TRIES_USED_UP:
        detail = f"{here.trip_id}: {why}"
        verdict += decision(here, DecisionKind.FIELD_ORDER_WITHDRAWN, detail)
    verdict += withdraw_items(here.after(verdict.changes), here.trip_id)
    if attempt > here.rules.restore_crew_attempts:
        verdict += open_item(here.after(verdict.changes), WorkItemKind.RESTORE_BY_CREW,
                             command.effect_id)  # fmt: skip
    return verdict


def restore_code(here: Situation) -> str:
    """Close at once only where the contract agrees and the switch can; else arm it for the hand.

    A sudden closing may injure (domain.md 2.2, 4.2, 8.8).
    """
    at_once = here.direct_close_agreed and here.control_mode in CLOSES_AT_ONCE
    return DIRECT_CLOSE_CODE if at_once else ARM_FOR_CLOSURE_CODE


def tell_holds(here: Situation, holds: Hold) -> Verdict:
    """Say once per change why the next step is not taken; ask a person where only one can help."""
    news = foremost(holds)
    if news == here.holds:
        return NOTHING
    fresh = news & ~here.holds
    if not news:
        kind, detail = DecisionKind.HOLD_ENDED, "no trip is called for any more"
    elif fresh & Hold.TRIES_USED_UP:
        kind = DecisionKind.FIELD_ORDER
        detail = f"{here.attempt} trip commands without proof: a crew must look"
    else:
        kind, detail = DecisionKind.HELD, ", ".join(hold_names(news))
    changes: dict[str, Any] = {"holds": news}
    if fresh & Hold.TRIES_USED_UP:
        changes["command"] = CommandState.FIELD_ORDER
    verdict = decision(here, kind, detail, holds) + Verdict(changes=changes)
    for hold, item, about_id in (
        (Hold.TRIES_USED_UP, WorkItemKind.TRIP_BY_CREW, here.trip_id),
        (Hold.NOTICE_OVERDUE, WorkItemKind.DELIVER_NOTICE, here.notice_id),
    ):
        # a notice that was proven and has aged is not brought by anybody: it is given again
        is_wanted = hold is not Hold.NOTICE_OVERDUE or here.stage is Stage.NOTICE_SENT
        if fresh & hold and is_wanted:
            verdict += open_item(here.after(verdict.changes), item, about_id)
    return verdict


# --- what people are asked to do ----------------------------------------------------------------


def open_item(here: Situation, kind: WorkItemKind, about_id: str) -> Verdict:
    """Ask the account's collector, or the duty desk, once until it is withdrawn."""
    if here.open_items & (1 << kind):
        return NOTHING
    return ask(here, kind, about_id)


def ask(here: Situation, kind: WorkItemKind, about_id: str, caller: str = "") -> Verdict:
    """Ask, also if somebody has been asked before: `caller` names who must go this time."""
    return _item(here, kind, "open", about_id, here.open_items | (1 << kind), caller)


ABOUT_A_TRIP = (WorkItemKind.DELIVER_NOTICE, WorkItemKind.TRIP_BY_CREW)
"""No longer wanted when a notice is withdrawn or a restore is sent."""


def withdraw_items(
    here: Situation, about_id: str, kinds: tuple[WorkItemKind, ...] = ABOUT_A_TRIP
) -> Verdict:
    """What was asked is no longer needed."""
    verdict = NOTHING
    for kind in kinds:
        then = here.after(verdict.changes)
        if then.open_items & (1 << kind):
            left = then.open_items & ~(1 << kind)
            verdict += _item(then, kind, "withdrawn", about_id, left)
    return verdict


def _item(
    here: Situation, kind: WorkItemKind, status: str, about_id: str, items: int, caller: str = ""
) -> Verdict:
    number = here.decision_number + 1
    name = kind.name.lower().replace("_", "-")
    english, chinese = work_texts(here, kind, caller)
    item = WorkItem(
        f"{here.account_id}:work-{name}:{number}",
        here.account_id,
        here.now,
        here.cause,
        here.evidence(here.holds),
        name,
        status,
        here.collector,
        about_id,
        english,
        chinese,
    )
    return Verdict((item,), {"decision_number": number, "open_items": items})
