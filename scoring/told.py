"""What does a switch report, an operator's action or a delivery receipt tell us about an account?

These events state facts about the world; here they become ledger columns, with doubts about old,
repeated and foreign reports settled so that nobody stays in the dark.  What follows from the new
facts is `scoring.decide.judge`'s answer, to be asked right after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring.annex import APPROVER_BYTES, MAX_APPROVERS
from scoring.deeds import ask, withdraw_items
from scoring.effects import NO_HOLD, DecisionKind, Stage, WorkItemKind
from scoring.events import (
    Action,
    NoticeDelivered,
    OperatorActed,
    Protection,
    Switch,
    SwitchReported,
)
from scoring.ids import person_key_in
from scoring.metered import proof_by_voltage, shows_load
from scoring.procedures import CommandState
from scoring.situation import NOTHING, Verdict, decision
from scoring.units import NO_TIME

if TYPE_CHECKING:
    from scoring.situation import Situation

HOLDING = (Action.HOLD_SUPPLY, Action.REJECT_TRIP, Action.DISPUTE)
"""Whatever the person calls it, the supply stays on until somebody releases it."""

UNDECIDED = (CommandState.SENT, CommandState.ACKNOWLEDGED, CommandState.UNKNOWN)
APPROVABLE = (Stage.NOTICE_SENT, Stage.NOTICED, Stage.TRIP_COMMANDED)


def on_event(here: Situation, event: SwitchReported | OperatorActed | NoticeDelivered) -> Verdict:
    """The facts this event states, as changes; ask `judge` again with them applied."""
    if isinstance(event, SwitchReported):
        return on_switch_report(here, event)
    if isinstance(event, OperatorActed):
        return on_operator_action(here, event)
    return on_receipt(here, event)


def on_receipt(here: Situation, event: NoticeDelivered) -> Verdict:
    """Proof that the newest notice, or warning, arrived; any other receipt says nothing.

    Waits count from now, when the proof is in hand: `delivered_at` is a foreign clock.
    """
    if here.episode and event.notice_id == here.warning_id:
        return Verdict(changes={"warning_proven": here.now})
    if here.stage is not Stage.NOTICE_SENT or event.notice_id != here.notice_id:
        return NOTHING
    proven = list(here.proven_at)
    proven[here.step] = here.now
    changes = {
        "stage": Stage.NOTICED,
        "stage_since": here.now,
        "notice_delivered_at": here.now,
        "proven_at": tuple(proven),
        "step_at": here.now + here.line.wait_seconds,
    }
    items = withdraw_items(here, here.notice_id, (WorkItemKind.DELIVER_NOTICE,))
    return items + Verdict(changes=changes)


def on_operator_action(here: Situation, event: OperatorActed) -> Verdict:
    """A person holds, releases or approves; the record on its topic is the trace of who and why."""
    held = int(Protection.HELD_BY_OPERATOR)
    if event.action is Action.NOTE:
        return NOTHING
    if event.action in HOLDING:
        return Verdict(changes={"protections": here.protections | held})
    if event.action is Action.RELEASE_SUPPLY:
        return Verdict(changes={"protections": here.protections & ~held})
    if event.action is Action.RELEASE_QUARANTINE:
        return Verdict(changes={"quarantined": 0})
    if here.stage in APPROVABLE:
        return _approved(here, event)
    # an approval is never kept for a trip that nobody has announced yet
    detail = f"{event.operator} approved a trip, but none is pending"
    return decision(here, DecisionKind.APPROVAL_NOT_NEEDED, detail)


def _approved(here: Situation, event: OperatorActed) -> Verdict:
    """One more person has approved; the same one again only renews what they said.

    What was said counts from when it was said, if that is before it was heard: a record that was
    under way for days is no fresh approval.
    """
    life, since = here.rules.approval_valid_seconds, min(event.acted_at, here.now)
    if here.now >= since + life:
        detail = f"{event.operator} approved {here.now - since} s ago, longer than that holds"
        return decision(here, DecisionKind.APPROVAL_NOT_NEEDED, detail)
    said: dict[str, int] = {}
    before = zip(here.approvers, here.approved_at, strict=True)
    for who, at in [(event.operator, since), *before]:
        name = person_key_in(who, APPROVER_BYTES)
        if name and here.now < at + life:  # a blank name is nobody, as an empty place is
            said[name] = max(at, said.get(name, at))
    newest = sorted(said.items(), key=lambda each: -each[1])[:MAX_APPROVERS]
    room = MAX_APPROVERS - len(newest)
    changes: dict[str, Any] = {
        "approvers": tuple(who for who, _ in newest) + ("",) * room,
        "approved_at": tuple(at for _, at in newest) + (NO_TIME,) * room,
    }
    if len(newest) >= max(1, here.approvers_needed):
        changes["approved_until"] = min(at for _, at in newest) + life
        if here.command is CommandState.ASKED:
            changes["command"] = CommandState.APPROVED
    return Verdict(changes=changes)


def on_switch_report(here: Situation, event: SwitchReported) -> Verdict:
    """What the field says, weighed against what was commanded.

    A report speaks of now if it answers the command on its way, whatever the field's clock says, or
    is not older than the stage; others are echoes.  One echo is never ignored: that a trip nobody
    wants any more was carried out.
    """
    if event.acknowledges:
        is_newest = event.command_id == ON_ITS_WAY.get(here.stage, _nothing)(here)
        if is_newest and here.command is CommandState.SENT:
            return Verdict(changes={"command": CommandState.ACKNOWLEDGED})
        return NOTHING
    stands = _on_position(here, event)
    if event.load_side_volts is None or not _speaks_of_now(here, event):
        return stands
    return stands + proof_by_voltage(here.after(stands.changes), event.load_side_volts)


def _on_position(here: Situation, event: SwitchReported) -> Verdict:
    """Where the switch is said to stand."""
    if event.switch is Switch.DISCONNECTED:
        return _reported_open(here, event)
    if not _speaks_of_now(here, event):
        return NOTHING
    if event.switch is Switch.CONNECTED:
        return _reported_closed(here)
    changes: dict[str, Any] = {"switch": event.switch}
    if event.switch is Switch.READY_FOR_RECONNECTION and here.stage is Stage.RESTORE_COMMANDED:
        # armed: the customer's hand is awaited, and a repeat would only start the wait anew; but
        # whoever says so every hour must not put off the repeat, and the crew, for ever
        if here.command is not CommandState.EXECUTED:
            changes["command_expires_at"] = here.now + here.rules.armed_repeat_seconds
        changes["command"] = CommandState.EXECUTED
    return Verdict(changes=changes)


def _trip_id(here: Situation) -> str:
    return here.trip_id


def _restore_id(here: Situation) -> str:
    return here.restore_id


def _nothing(_here: Situation) -> str:
    return "-"


ON_ITS_WAY = {Stage.TRIP_COMMANDED: _trip_id, Stage.RESTORE_COMMANDED: _restore_id}
"""Which command a switch is about to answer."""


def _speaks_of_now(here: Situation, event: SwitchReported) -> bool:
    answers = event.command_id == ON_ITS_WAY.get(here.stage, _nothing)(here)
    # a clock that runs ahead makes old news look new
    is_ahead = event.reported_at > here.now + here.rules.clock_margin_seconds
    return answers or (event.reported_at >= here.stage_since and not is_ahead)


def _reported_open(here: Situation, event: SwitchReported) -> Verdict:
    answers_trip = event.command_id.startswith(f"{here.account_id}:trip:")
    answers_restore = event.command_id.startswith(f"{here.account_id}:restore:")
    is_new = event.reported_at >= here.stage_since
    if here.stage is Stage.TRIP_COMMANDED:
        return _reported_open_after_trip(here, event)
    if here.stage is Stage.TRIPPED:
        return Verdict(changes={"switch": Switch.DISCONNECTED})
    is_on_its_way = here.stage is Stage.RESTORE_COMMANDED
    is_wanted_back = answers_restore and is_new and not is_on_its_way
    if answers_trip and _is_an_echo(here, event):
        return NOTHING
    if answers_trip or is_wanted_back:
        # a cancelled trip was carried out, or a restore failed after all: due at once
        return Verdict(
            changes={
                "stage": Stage.RESTORE_COMMANDED,
                "stage_since": here.stage_since if is_on_its_way else here.now,
                "switch": Switch.DISCONNECTED,
                "command": CommandState.FAILED,
                "command_expires_at": here.now,
                "proof_from": here.now,
                "opened_at": here.now,
            }
        )
    # opened by others, or our restore has not worked yet: its repeat is already on the clock
    if not is_new:
        return NOTHING
    changes: dict[str, Any] = {"switch": Switch.DISCONNECTED}
    if is_on_its_way:
        changes |= {"proof_from": here.now, "command": CommandState.FAILED}
        if here.command is CommandState.EXECUTED:  # it was armed and is no more: due at once
            changes["command_expires_at"] = here.now
    told = Verdict(changes=changes)
    if here.stage is Stage.NORMAL and here.attempt and event.reported_at <= here.trip_ends_at:
        # perhaps our trip, called back and carried out all the same; perhaps an electrician at work
        told += ask(here.after(changes), WorkItemKind.LOOK_AT_SWITCH, here.trip_id)
    return told


def _is_an_echo(here: Situation, event: SwitchReported) -> bool:
    """An old trip told again, of a switch that others have opened since: not ours to close.

    The meter has shown load after what the report speaks of, so that cut is over; whoever opened
    the switch then may be at work behind it.
    """
    is_others = here.stage is Stage.NORMAL and here.switch is Switch.DISCONNECTED
    return is_others and bool(shows_load(here, event.reported_at, event.reported_at))


def _reported_open_after_trip(here: Situation, event: SwitchReported) -> Verdict:
    this_episode = f"{here.account_id}:trip:{here.trip_episode}:"
    is_older_trip = event.command_id.startswith(f"{here.account_id}:trip:")
    if not event.command_id.startswith(this_episode) and (
        is_older_trip or event.reported_at < here.stage_since
    ):
        return NOTHING  # an echo of older days; the account may well be connected
    if not event.succeeded:
        changes = {"switch": Switch.DISCONNECTED, "command": CommandState.FAILED}
        return Verdict(changes=changes)
    executed: dict[str, Any] = {
        "stage": Stage.TRIPPED,
        "stage_since": here.now,
        "switch": Switch.DISCONNECTED,
        "command": CommandState.EXECUTED,
        "proof_from": here.now,
        "opened_at": here.now,
        "command_expires_at": NO_TIME,
        "holds": NO_HOLD,
    }
    items = withdraw_items(here, here.trip_id, (WorkItemKind.TRIP_BY_CREW,))
    return items + Verdict(changes=executed)


def _reported_closed(here: Situation) -> Verdict:
    if here.stage is Stage.RESTORE_COMMANDED:
        executed: dict[str, Any] = {
            "stage": Stage.NORMAL,
            "stage_since": here.now,
            "switch": Switch.CONNECTED,
            "command": CommandState.EXECUTED,
            "proof_from": here.now,
            "step_at": here.now + here.rules.metering_proof_seconds,
            "command_expires_at": NO_TIME,
        }
        items = withdraw_items(here, here.restore_id, (WorkItemKind.RESTORE_BY_CREW,))
        return items + Verdict(changes=executed)
    closed = Verdict(changes={"switch": Switch.CONNECTED})
    if here.stage is Stage.TRIP_COMMANDED and here.command in UNDECIDED:
        failed: dict[str, Any] = {"command": CommandState.FAILED}
        asked_at = here.command_expires_at - here.rules.status_read_seconds
        if here.command is CommandState.UNKNOWN and here.now >= asked_at:
            # asked and answered: no need to wait longer (an older report may be entered later, and
            # in its time the command was still in force)
            failed["command_expires_at"] = here.now
        return closed + Verdict(changes=failed)
    if here.stage is Stage.TRIPPED and here.switch is not Switch.CONNECTED:
        # the stage stays, so that a payment still sends a restore even if this report was wrong
        detail = "the switch reports connected after our trip; a person must look"
        return closed + decision(here, DecisionKind.CONNECTED_BY_OTHERS, detail)
    return closed
