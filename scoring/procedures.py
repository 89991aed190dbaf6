"""Which steps lead to a stopped supply, by which right, and what becomes of a command?

Two procedures, each a table of steps, never mixed (domain.md 2.1): the prepaid trip rests on the
contract, the arrears stop on the law.  No step is skipped, and each counts only with the proof that
it reached the customer.  How the tables are walked is told in `scoring.decide`; what else must hold
at each send, in `scoring.guards`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from scoring.events import CustomerClass
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from scoring.rules import SupplyRules


class Procedure(IntEnum):
    """By what right a supply is stopped; the two are never mixed (domain.md 2.1)."""

    NONE = 0
    PREPAID_TRIP = 1
    """By contract: the money agreed is used up."""
    ARREARS_STOP = 2
    """By law: bills long overdue, dunned, and given notice of in writing."""


class Step(IntEnum):
    """What must reach the customer, with proof, before a supply is stopped."""

    DISCONNECTION_NOTICE = 0
    DUNNING = 1
    WRITTEN_NOTICE = 2
    SECOND_NOTICE = 3


class CommandState(IntEnum):
    """What is known of the newest command to the switch; `stage` says whether a trip or a restore.

    What is not known is UNKNOWN and never taken for done or failed (domain.md 8.3).
    """

    NONE = 0
    ASKED = 1
    """The procedure has begun: proofs, waits and approvals are outstanding."""
    APPROVED = 2
    SENT = 3
    ACKNOWLEDGED = 4
    """The field has taken it and not carried it out yet."""
    EXECUTED = 5
    """The switch is reported to have moved."""
    PROVEN = 6
    """The meter shows it: no load after a trip, load or voltage after a restore."""
    FAILED = 7
    UNKNOWN = 8
    """Expired without a word; the switch's position has been asked for."""
    FIELD_ORDER = 9
    """A crew has been asked to go."""


class NoticeStep(NamedTuple):
    """One line of a procedure: what must reach the customer, from when on, and what comes after.

    It may be sent when a bill is more than `overdue_days` overdue; after its proof `wait_seconds`
    must pass before the next step; a proof older than `valid_seconds` counts no more, and the step
    is taken again.
    """

    step: Step
    overdue_days: int
    wait_seconds: int
    valid_seconds: int


FOR_EVER = 2**62


def steps_of(
    procedure: Procedure, who: CustomerClass, rules: SupplyRules
) -> tuple[NoticeStep, ...]:
    """The steps before a trip, in order; the trip follows the last one's wait.

    >>> from scoring.rules import SupplyRules
    >>> home, works = CustomerClass.RESIDENT, CustomerClass.LARGE
    >>> for line in steps_of(Procedure.ARREARS_STOP, home, SupplyRules()):
    ...     print(line.step.name, line.overdue_days, line.wait_seconds // 60)
    DUNNING 10 0
    WRITTEN_NOTICE 30 10080
    SECOND_NOTICE 30 30
    >>> steps_of(Procedure.ARREARS_STOP, works, SupplyRules())[1].wait_seconds // 86_400
    3
    >>> [line.step.name for line in steps_of(Procedure.PREPAID_TRIP, home, SupplyRules())]
    ['DISCONNECTION_NOTICE']
    """
    if procedure is not Procedure.ARREARS_STOP:
        wait, valid = rules.notice_lead_seconds, rules.notice_valid_days * SECONDS_PER_DAY
        return (NoticeStep(Step.DISCONNECTION_NOTICE, 0, wait, valid),)
    is_home = who is CustomerClass.RESIDENT
    days = rules.written_notice_resident_days if is_home else rules.written_notice_other_days
    valid = rules.written_notice_valid_days * SECONDS_PER_DAY
    overdue = rules.arrears_overdue_days
    return (
        NoticeStep(Step.DUNNING, rules.dunning_overdue_days, 0, FOR_EVER),
        NoticeStep(Step.WRITTEN_NOTICE, overdue, days * SECONDS_PER_DAY, valid),
        NoticeStep(
            Step.SECOND_NOTICE,
            overdue,
            rules.second_notice_lead_seconds,
            rules.second_notice_valid_seconds,
        ),
    )


CLASSES = tuple(CustomerClass)


def approvers_needed(procedure: Procedure, who: CustomerClass, rules: SupplyRules) -> int:
    """How many different people must approve a trip of this customer (domain.md 6, K26)."""
    is_by_law = procedure is Procedure.ARREARS_STOP
    needed = rules.arrears_approvers if is_by_law else rules.prepaid_approvers
    return needed[CLASSES.index(who)]


# --- what a switch can do: DLMS class 70 control modes (domain.md 4.2) ---------------------------

CONTROL_MODES = range(7)
NEVER_DISCONNECTS = (0,)
CLOSES_AT_ONCE = (2, 4)
"""A remote reconnect closes the switch (transition a): somebody may be at work on the wires."""

USUAL_MODE_ARMED = 3
"""Remote disconnect; a remote reconnect arms the switch and the customer closes it by hand."""

USUAL_MODE_DIRECT = 4
