"""What do we know of customers: their files, policies, contracts, letters and the work on them?

The compacted topics of customers, taken up record by record; the newest of each key holds, so there
is no second truth to keep in step.  Commands and routes ask here; how the records are written is
told in `streams.wire_customers`, and what may be done with a fact, in `scoring`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from scoring.benchmark import ALL, Appraised, Verdict
from scoring.collection import Work
from scoring.contracts import Contract, contract_on
from scoring.customer_file import CustomerFile
from scoring.letters import Served
from scoring.policy import Policy, Status, in_force, overtaken_by, to_obey
from streams.wire_base import Refusal
from streams.wire_customers import TYPE_OF_TOPIC, Fact, decode_fact, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from streams.wire_base import Record

log = logging.getLogger(__name__)

TOPICS = tuple(TYPE_OF_TOPIC)


class NotKnown(LookupError):  # noqa: N818 - a named refusal, not a program error
    """There is no such fact; the message names it."""


class Register:
    """All facts of customers by account; `unreadable` counts records that were passed over.

    `as_of` is the stamp of the newest record taken up, 0 before the first.
    """

    def __init__(self) -> None:
        self.unreadable = 0
        self.as_of = 0
        self._of: dict[type[Fact], dict[str, dict[str, Fact]]] = {
            kind: defaultdict(dict) for kind in TYPE_OF_TOPIC.values()
        }

    def take(self, records: Iterable[Record]) -> None:
        """Take up records in the order of their logs; one that cannot be read is logged, no more.

        Whoever writes these topics reads them first, so an unreadable one is a foreign writer's.
        """
        for record in records:
            self.as_of = max(self.as_of, record.timestamp // 1000)
            if record.value is None:
                self._forget(record)
                continue
            fact = decode_fact(record)
            if isinstance(fact, Refusal):
                self.unreadable += 1
                log.warning("%s offset %d: %s", record.topic, record.offset, fact.detail)
                continue
            self.put(fact)

    def put(self, fact: Fact) -> None:
        """A fact replaces the one of its key."""
        if not isinstance(fact, Policy) or not self._is_decided_otherwise(fact):
            self._of[type(fact)][_group_of(fact)][key_of(fact)] = fact

    def _is_decided_otherwise(self, fact: Policy) -> bool:
        """Of two decisions on one version the first stands, whoever reads."""
        known = self._of[Policy].get(fact.account_id, {}).get(fact.policy_id)
        return (
            isinstance(known, Policy)
            and known.status is not Status.PROPOSED
            and (known.status, known.decided_by) != (fact.status, fact.decided_by)
        )

    def _forget(self, record: Record) -> None:
        key = (record.key or b"").decode(errors="replace")
        self._of[TYPE_OF_TOPIC[record.topic]][key.partition("@")[0]].pop(key, None)

    def accounts(self) -> list[str]:
        """Every account of which anything is known."""
        return sorted({
            name
            for kind, of_kind in self._of.items()
            for name, some in of_kind.items()
            if some and kind is not Appraised
        })  # fmt: skip

    def policies(self, account_id: str) -> list[Policy]:
        """The versions of an account's policy, oldest first."""
        found = [f for f in self._facts(Policy, account_id) if isinstance(f, Policy)]
        return sorted(found, key=lambda one: one.version)

    def policy(self, policy_id: str) -> Policy:
        """One version.  Raises NotKnown."""
        account_id = policy_id.rpartition("@")[0]
        for one in self.policies(account_id):
            if one.policy_id == policy_id:
                return one
        raise NotKnown(f"there is no policy {policy_id!r}; `kilowatch policy list` names all")

    def holding(self, account_id: str, day: date) -> Policy | None:
        """The policy in force on a local day."""
        return in_force(self.policies(account_id), day)

    def waiting_of(self, account_id: str) -> list[Policy]:
        """The proposals of an account that somebody is asked to decide; none that is overtaken."""
        known = self.policies(account_id)
        return [
            one
            for one in known
            if one.status is Status.PROPOSED and overtaken_by(one, known) is None
        ]

    def waiting(self) -> list[Policy]:
        """All proposals that wait, the oldest first."""
        found = [one for account_id in self.accounts() for one in self.waiting_of(account_id)]
        return sorted(found, key=lambda one: (one.proposed_at, one.policy_id))

    def to_obey(self, day: date) -> list[Policy]:
        """Policies in force that the stream has not been given."""
        found = [to_obey(self.policies(account_id), day) for account_id in self.accounts()]
        return [one for one in found if one is not None]

    def contract(self, account_id: str, day: date) -> Contract | None:
        """The contract that holds on a local day, else the newest; None without any."""
        found = [f for f in self._facts(Contract, account_id) if isinstance(f, Contract)]
        return contract_on(found, day)

    def contracts(self) -> list[Contract]:
        """All contracts."""
        return [
            one
            for account_id in self.accounts()
            for one in self._facts(Contract, account_id)
            if isinstance(one, Contract)
        ]

    def file(self, account_id: str) -> CustomerFile | None:
        """The newest file of an account."""
        found = [f for f in self._facts(CustomerFile, account_id) if isinstance(f, CustomerFile)]
        return max(found, key=lambda one: (one.month, one.version), default=None)

    def letters(self, account_id: str) -> tuple[Served, ...]:
        """The letters of an account in the order they were drafted."""
        found = [f for f in self._facts(Served, account_id) if isinstance(f, Served)]
        return tuple(sorted(found, key=lambda one: (one.drafted_at, one.number)))

    def letter(self, letter_id: str) -> Served:
        """One letter.  Raises NotKnown."""
        for one in self.letters(letter_id.rpartition("@")[0]):
            if one.letter_id == letter_id:
                return one
        raise NotKnown(f"there is no letter {letter_id!r}; `kilowatch notices list` names all")

    def work(self) -> list[Work]:
        """All work items, the most urgent first."""
        groups = list(self._of[Work].values())  # others may write while a thread reads
        found = [one for of_one in groups for one in list(of_one.values()) if isinstance(one, Work)]
        return sorted(found, key=lambda one: (not one.is_open, one.due_at, one.work_id))

    def open_work(self, account_id: str) -> list[Work]:
        """The open work about one account."""
        found = [f for f in self._facts(Work, account_id) if isinstance(f, Work)]
        return [one for one in found if one.is_open]

    def work_item(self, account_id: str, work_id: str) -> Work | None:
        """One work item, None where there is none."""
        found = self._of[Work].get(account_id, {}).get(work_id)
        return found if isinstance(found, Work) else None

    def appraised_months(self) -> list[str]:
        """The months that were appraised, newest first, as 2026-07."""
        return sorted((name for name, some in self._of[Appraised].items() if some), reverse=True)

    def appraised(self, month: str) -> list[Appraised]:
        """A month's appraisal: all together, then the best lead first; empty if there is none."""
        found = [f for f in self._facts(Appraised, month) if isinstance(f, Appraised)]
        newest = max((each.as_of for each in found), default=None)
        return sorted((each for each in found if each.as_of == newest), key=_rank)

    def _facts(self, kind: type[Fact], account_id: str) -> list[Fact]:
        return list(self._of[kind].get(account_id, {}).values())


def _group_of(fact: Fact) -> str:
    return key_of(fact).partition("@")[0] if isinstance(fact, Appraised) else fact.account_id


def _rank(one: Appraised) -> tuple[bool, bool, float, str]:
    compared = one.compared
    if compared is None:
        return (one.collector != ALL, False, 0.0, one.collector)
    return (True, compared.verdict is Verdict.TOO_FEW, -compared.lead, one.collector)
