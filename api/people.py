"""Who asks, and what may each role do?

Every path is closed to everybody unless a rule here opens it, so that a new route is safe before
anybody thought of it: reading needs a role that reads, whatever else needs an approver.  How a
person proves who they are is told in `keys` and `tokens`; that the rules are kept, in `gate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scoring.events import Action
from streams.wire_interlock import InterlockAction


class Role(StrEnum):
    """What a person is here for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    COLLECTOR = "collector"
    FIELD = "field"
    AUDITOR = "auditor"


MEANINGS = {
    Role.VIEWER: "reads everything, changes nothing",
    Role.OPERATOR: "reads everything; holds supplies, notes disputes, rejects trips, writes notes",
    Role.APPROVER: "reads everything; approves trips, releases holds and quarantined accounts",
    Role.COLLECTOR: "reads and notes the customers of one collector, no others",
    Role.FIELD: "reads and notes one account at a time, no lists",
    Role.AUDITOR: "reads who did what and who was refused, nothing else",
}

EVERYWHERE = frozenset({Role.VIEWER, Role.OPERATOR, Role.APPROVER})
"""Roles that read about all customers."""

ANYBODY = frozenset(Role) - {Role.AUDITOR}
"""Roles that read about some customer.  Who audits the others has no part in what they do."""

STAFF = EVERYWHERE | {Role.COLLECTOR}

PUBLIC = frozenset(
    {
        ("GET", "/healthz"),  # a supervisor's probe has no key, and learns nothing
        ("GET", "/readyz"),
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("GET", "/assets/{name}"),
    }
)
"""What answers without knowing who asks; it tells nothing about any customer."""

OPENED: dict[tuple[str, str], frozenset[Role]] = {
    ("GET", "/"): frozenset(Role),  # who may see no list gets the page without
    ("GET", "/v1/audit"): frozenset({Role.AUDITOR}),
    ("GET", "/audit"): frozenset({Role.AUDITOR}),
    ("GET", "/rows"): STAFF,
    ("GET", "/find"): ANYBODY,
    ("GET", "/v1/accounts"): STAFF,
    ("GET", "/v1/changes"): STAFF,
    ("GET", "/v1/actions"): STAFF,
    ("GET", "/v1/actions/{action_id}"): ANYBODY,
    ("GET", "/v1/collection/work"): STAFF,
    ("GET", "/v1/collection/review"): STAFF,
    ("GET", "/v1/collection/review.csv"): STAFF,
    ("GET", "/v1/collection/appraisal"): STAFF,
    ("GET", "/v1/collection/appraisal/{kind}"): STAFF,
    ("GET", "/collection"): STAFF,
    ("POST", "/v1/accounts/{account_id}/actions"): ANYBODY,
    ("POST", "/accounts/{account_id}/actions"): ANYBODY,
    ("POST", "/v1/interlock/actions"): frozenset({Role.OPERATOR, Role.APPROVER}),
    ("POST", "/system/interlock"): frozenset({Role.OPERATOR, Role.APPROVER}),
    ("POST", "/sign-out"): frozenset(Role),
}
"""Exceptions from the general rule, by method and path."""

MAY_ACT: dict[Action, frozenset[Role]] = {
    Action.HOLD_SUPPLY: frozenset({Role.OPERATOR, Role.APPROVER}),
    Action.DISPUTE: frozenset({Role.OPERATOR, Role.APPROVER}),
    Action.REJECT_TRIP: frozenset({Role.OPERATOR, Role.APPROVER}),
    Action.NOTE: ANYBODY - {Role.VIEWER},
    Action.APPROVE_TRIP: frozenset({Role.APPROVER}),
    Action.RELEASE_SUPPLY: frozenset({Role.APPROVER}),
    Action.RELEASE_QUARANTINE: frozenset({Role.APPROVER}),
}
"""Leaving the power on needs an operator; whatever may end in a trip needs an approver."""

MAY_TELL_INTERLOCK: dict[InterlockAction, frozenset[Role]] = {
    InterlockAction.FREEZE: frozenset({Role.OPERATOR, Role.APPROVER}),
    InterlockAction.RELEASE: frozenset({Role.APPROVER}),
}
"""The same of the whole fleet."""


def roles_for(method: str, path: str) -> frozenset[Role]:
    """Who may ask for this path (a route's own form, with its {names})."""
    opened = OPENED.get((method, path))
    if opened is not None:
        return opened
    if method not in {"GET", "HEAD"}:
        return frozenset({Role.APPROVER})
    return ANYBODY if "{account_id}" in path else EVERYWHERE


def roles_to_act(action: Action) -> frozenset[Role]:
    """Who may do this; an action nobody has thought of here needs an approver."""
    return MAY_ACT.get(action, frozenset({Role.APPROVER}))


@dataclass(frozen=True, slots=True)
class Person:
    """One known person or program, by the name that stands in records and logs.

    `collector` is the staff number whose customers a collector may see; `proof` names the key or
    issuer, never a secret.
    """

    name: str
    roles: frozenset[Role]
    collector: str = ""
    proof: str = ""

    @property
    def sees_all(self) -> bool:
        """Whether all customers' lists are open."""
        return bool(self.roles & EVERYWHERE)

    @property
    def is_staff(self) -> bool:
        """Whether any customer is theirs to look at."""
        return bool(self.roles & ANYBODY)

    @property
    def is_auditor(self) -> bool:
        """Whether they may read the audit."""
        return Role.AUDITOR in self.roles

    def may_see(self, collector: str | None) -> bool:
        """Whether an account of this collector (None: no such account) may be looked at."""
        if self.sees_all or Role.FIELD in self.roles:
            return True
        return bool(self.collector) and collector == self.collector

    def may(self, action: Action) -> bool:
        """Whether this action is theirs to do."""
        return bool(self.roles & roles_to_act(action))

    def may_tell_interlock(self, action: InterlockAction) -> bool:
        """Whether this freeze or release is theirs to say."""
        return bool(self.roles & MAY_TELL_INTERLOCK[action])


NOBODY_IN_PARTICULAR = Person("demo", frozenset(Role) - {Role.COLLECTOR, Role.FIELD}, "", "off")
"""Who asks where security is off."""
