"""Does the meter show that a trip or a restore has really happened?

A switch that says it has moved is executed, not proven: after a trip the meter must show next to no
load, after a restore that the supply is used again (domain.md 8.3).  Only a gap between two
measured readings that lies wholly after the deed speaks; and of a register that had stood still
since before the switch opened, the first load may be older: it may have been stuck, and now tells
all at once.  It stands apart from what switches report (`scoring.told`); what follows from a
contradiction is a person's work, never a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.deeds import ask, withdraw_items
from scoring.effects import DecisionKind, Stage, WorkItemKind
from scoring.events import Quality, Switch
from scoring.procedures import CommandState
from scoring.situation import NOTHING, Verdict, decision
from scoring.units import NO_TIME, SECONDS_PER_HOUR
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from scoring.book import Accounts
    from scoring.situation import Situation
    from scoring.verdicts import Checked

MILLION = 1_000_000


def note_load(accounts: Accounts, checked: Checked) -> None:
    """Keep the newest measured gap of those who have an annex; before the readings are counted."""
    at = accounts.annexes.position
    ledger, readings, rows = accounts.ledger[at], checked.readings, accounts.annexes.rows
    read_at, kind = readings.read_at[at], checked.kind[at]
    is_gap = (kind == Kind.REGISTER.value) & (ledger["interval_since_register_wh"] == 0)
    starts = np.where(
        kind == Kind.INTERVAL.value,
        read_at - readings.interval_seconds[at],
        ledger["register_read_at"],
    )
    shown = (is_gap | (kind == Kind.INTERVAL.value)) & (readings.quality[at] == Quality.VALID.value)
    shown &= (starts > NO_TIME) & (starts < read_at) & (read_at > rows["load_until"])
    shown &= (ledger["unproven_wh"] == 0) & (checked.energy_wh[at] >= 0)
    follows = rows["load_until"] == starts
    stood_still = np.where(rows["load_wh"] == 0, rows["still_from"], starts)
    rows["still_from"][shown] = np.where(follows, stood_still, NO_TIME)[shown]
    rows["load_wh"][shown] = checked.energy_wh[at][shown]
    rows["load_from"][shown] = starts[shown]
    rows["load_until"][shown] = read_at[shown]


def shows_load(here: Situation, since: int, opened_at: int) -> bool | None:
    """Whether energy was drawn after `since`; None where no measured gap says so.

    `opened_at`: when the switch opened; what a register that stood still since before then shows at
    last may have been drawn before it.
    """
    margin = here.rules.clock_margin_seconds
    if here.load_until == NO_TIME or here.load_from < since + margin:
        return None
    seconds = here.load_until - here.load_from
    drawn = here.load_wh * SECONDS_PER_HOUR * MILLION
    if drawn <= here.rules.near_zero_ppm * here.max_power_w * seconds:
        return False
    return True if here.still_from >= opened_at + margin else None


def proof_by_metering(here: Situation) -> Verdict:
    """What the meter says of a switch that was reported to have moved."""
    if here.proof_from == NO_TIME:
        return NOTHING
    if here.stage is Stage.TRIPPED:
        return _after_trip(here, load=shows_load(here, here.proof_from, here.opened_at))
    if here.command not in (CommandState.EXECUTED, CommandState.FIELD_ORDER):
        return NOTHING
    if shows_load(here, here.proof_from, here.opened_at):
        return _proven(here, DecisionKind.RESTORE_PROVEN)
    if here.command is CommandState.FIELD_ORDER:
        return NOTHING
    if here.now - here.stage_since < here.rules.metering_proof_seconds:
        return NOTHING
    asked = ask(here, WorkItemKind.LOOK_AT_SWITCH, here.restore_id)  # whoever went before
    return asked + Verdict(changes={"command": CommandState.FIELD_ORDER})


def _after_trip(here: Situation, *, load: bool | None) -> Verdict:
    """No load proves the trip; load means a switch that did not open, or a way around it."""
    if load is False and here.command is CommandState.EXECUTED:
        return _proven(here, DecisionKind.TRIP_PROVEN)
    if load and here.command in (CommandState.EXECUTED, CommandState.PROVEN):
        return _contradicted(here, f"{here.load_wh} Wh drawn after {here.trip_id}")
    return NOTHING


def proof_by_voltage(here: Situation, volts: int) -> Verdict:
    """What voltage behind the switch, told with a report that speaks of now, says of its position.

    It proves a restore.  No voltage does not prove a trip, since a sensor may be dead; but voltage
    behind a switch that is said to be open is a person's work, like load.
    """
    is_live = volts >= here.rules.live_from_volts
    if not is_live or here.command not in (CommandState.EXECUTED, CommandState.PROVEN):
        return NOTHING
    if here.stage is Stage.NORMAL:
        is_back = here.switch is Switch.CONNECTED and here.command is CommandState.EXECUTED
        if not is_back or here.now < here.opened_at:
            return NOTHING
        return _proven(here, DecisionKind.RESTORE_PROVEN, f"{volts} V behind the switch")
    if here.stage is Stage.TRIPPED:
        return _contradicted(here, f"{volts} V behind the switch after {here.trip_id}")
    return NOTHING


def _contradicted(here: Situation, detail: str) -> Verdict:
    told = decision(here, DecisionKind.LOAD_AFTER_TRIP, f"{detail} was reported carried out")
    told += ask(here.after(told.changes), WorkItemKind.LOOK_AT_SWITCH, here.trip_id)
    return told + Verdict(changes={"command": CommandState.FIELD_ORDER})


def _proven(here: Situation, kind: DecisionKind, shown: str = "") -> Verdict:
    about = here.trip_id if kind is DecisionKind.TRIP_PROVEN else here.restore_id
    shown = shown or f"{here.load_wh} Wh between two readings after it"
    told = decision(here, kind, f"{about}: {shown}")
    items = (WorkItemKind.LOOK_AT_SWITCH, WorkItemKind.RESTORE_BY_CREW)
    told += withdraw_items(here.after(told.changes), about, items)
    return told + Verdict(changes={"command": CommandState.PROVEN})


def back_in_use(here: Situation) -> Verdict:
    """Load after a restore was commanded proves it, though no report has come.

    What was drawn before the switch was last reported open proves nothing.
    """
    if here.proof_from == NO_TIME or not shows_load(here, here.proof_from, here.opened_at):
        return NOTHING
    changes: dict[str, Any] = {
        "stage": Stage.NORMAL,
        "stage_since": here.now,
        "switch": Switch.CONNECTED,
        "command_expires_at": NO_TIME,
    }
    return _proven(here, DecisionKind.RESTORE_PROVEN) + Verdict(changes=changes)
