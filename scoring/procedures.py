"""Which steps lead to a stopped supply, by which right, and what becomes of a command?

Two procedures, each a table of steps, never mixed (domain.md 2.1): the prepaid trip rests on the
contract, the arrears stop on the law.  No step is skipped, and each counts only with the proof that
it reached the customer.  How the tables are walked is told in `scoring.decide`; what else must hold
at each send, in `scoring.guards`.
"""

from __future__ import annotations

from enum import IntEnum


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


# --- what a switch can do: DLMS class 70 control modes (domain.md 4.2) ---------------------------

CONTROL_MODES = range(7)
NEVER_DISCONNECTS = (0,)
CLOSES_AT_ONCE = (2, 4)
"""A remote reconnect closes the switch (transition a): somebody may be at work on the wires."""

USUAL_MODE_ARMED = 3
"""Remote disconnect; a remote reconnect arms the switch and the customer closes it by hand."""

USUAL_MODE_DIRECT = 4
