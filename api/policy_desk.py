"""How does a person decide a customer's policy over HTTP, and read what is known of the customer?

One place for the API's routes and the console's page: the decision is written to
`customer-policies` in the name of whoever proved to ask, and given to the stream by
`kilowatch customers`.  What may be decided is `scoring.policy`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from aiokafka.errors import KafkaError

from api import problems
from api.papers import printed
from api.register import NotKnown
from api.sheet_words import policy_body, why_texts
from api.told_letters import paper_of, reader_of
from scoring import policy
from scoring.contracts import expiries
from scoring.policy import Policy, PolicyRefused
from scoring.units import instant_text
from streams.wire_customers import encode_fact, plain_fact

if TYPE_CHECKING:
    from datetime import tzinfo

    from api.people import Person
    from api.problems import Problem
    from api.state import State
    from scoring.letters import Served

DecisionWord = Literal["approve", "reject"]


class PolicyDesk:
    """Reads and decides, one decision after the other."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._one_at_a_time = asyncio.Lock()

    def zone_of(self, account_id: str) -> tzinfo:
        """The account's own local time; UTC of one whose tariff is not known."""
        view = self._state.view
        row = view.book.row(account_id)
        place = None if row is None else view.places[view.book.tariff_index[row]]
        return UTC if place is None or place.zone is None else place.zone

    def today(self, account_id: str) -> date:
        """The account's local day."""
        now = self._state.now_of(account_id)
        return datetime.fromtimestamp(now, self.zone_of(account_id)).date()

    def _as_of(self, account_id: str) -> str:
        """The newest fact or, if later, the account's midnight: what holds changes by the day."""
        today = self.today(account_id)
        begins = datetime(today.year, today.month, today.day, tzinfo=self.zone_of(account_id))
        newest = self._state.register.as_of
        if self._state.is_simulated:  # another customer's facts may lie ahead of this one's time
            newest = min(newest, self._state.now_of(account_id))
        return instant_text(max(newest, int(begins.timestamp())))

    def is_known(self, account_id: str) -> bool:
        """Whether there is such an account."""
        return self._state.view.book.row(account_id) is not None

    def told(self, account_id: str) -> dict[str, Any]:
        """All versions, the one in force and those that wait, as JSON."""
        register = self._state.register
        holds = register.holding(account_id, self.today(account_id))
        versions = register.policies(account_id)
        file = register.file(account_id)
        contract = register.contract(account_id, self.today(account_id))
        by_contract = () if contract is None else contract.fills()
        have, wanted = file.filled(by_contract) if file is not None else (0, 0)
        return {
            "accountId": account_id,
            "asOf": self._as_of(account_id),
            "inForce": None if holds is None else version_told(holds),
            "waiting": [version_told(v) for v in register.waiting_of(account_id)],
            "versions": [version_told(v) for v in versions],
            "file": None if file is None else plain_fact(file),
            "fileFactsKnown": have,
            "fileFactsWanted": wanted,
        }

    def contracts(self, account_id: str) -> dict[str, Any]:
        """The contract that holds, capacity and security of today, and what ends soon."""
        today = self.today(account_id)
        contract = self._state.register.contract(account_id, today)
        ends = [] if contract is None else expiries([contract], today)
        return {
            "accountId": account_id,
            "asOf": self._as_of(account_id),
            "contract": None if contract is None else plain_fact(contract),
            "capacityVa": 0 if contract is None else contract.capacity_on(today),
            "isSpecialTransformer": contract is not None
            and any(each.is_special for each in contract.transformers),
            "ends": [
                {"what": e.what, "lastDay": e.last_day.isoformat(), "daysLeft": e.days_left}
                for e in ends
            ],
        }

    def letters(self, account_id: str) -> dict[str, Any]:
        """The letters served, newest first, with their proofs."""
        served = self._state.register.letters(account_id)
        return {
            "accountId": account_id,
            "asOf": self._as_of(account_id),
            "letters": [
                plain_fact(each) | {"letterId": each.letter_id, "isProven": each.proof is not None}
                for each in reversed(served)
            ],
        }

    def sheet(self, account_id: str, version: int, languages: tuple[str, ...]) -> bytes | Problem:
        """A version's sheet as PDF.  Raises FontsMissing."""
        register = self._state.register
        try:
            one = register.policy(f"{account_id}@{version}")
        except NotKnown as error:
            return problems.other(404, str(error))
        contract = register.contract(account_id, self.today(account_id))
        body = policy_body(
            one, contract, register.file(account_id), self._state.sender.utility,
            self.zone_of(account_id), languages,
        )  # fmt: skip
        return printed("policy.typ", body, one.decided_at or one.proposed_at, self._state.fonts)

    def letter(self, account_id: str, number: str) -> bytes | Problem:
        """A letter's PDF, only if it is byte for byte the one that was served."""
        found = [s for s in self._state.register.letters(account_id) if s.number == number]
        if not found:
            return problems.other(404, f"no letter {number[:80]!r} to {account_id[:80]!r}")
        return self._paper(found[0])

    def _paper(self, served: Served) -> bytes | Problem:
        register, account_id = self._state.register, served.account_id
        contract = register.contract(account_id, served.by_date)
        reader = reader_of(served, contract)
        pdf = paper_of(served, reader, self.zone_of(account_id), self._state.fonts)
        if hashlib.sha256(pdf).hexdigest() != served.pdf_sha256:
            return problems.conflict(
                f"{served.number} was served with other words, names or fonts than are here now: "
                f"look for the file with SHA-256 {served.pdf_sha256 or 'of that day'}"
            )
        return pdf

    async def decide(
        self, person: Person, account_id: str, version: int, word: DecisionWord, reason: str,
        effective_on: date | None,
    ) -> Policy | Problem:  # fmt: skip
        """Approve or reject a version in somebody's name, or say why not."""
        async with self._one_at_a_time:
            state, today = self._state, self.today(account_id)
            now = state.now_of(account_id)
            try:
                one = state.register.policy(f"{account_id}@{version}")
                done = (
                    policy.approve(
                        one,
                        person.name,
                        reason,
                        now,
                        today,
                        effective_on or today,
                        state.register.policies(account_id),
                    )
                    if word == "approve"
                    else policy.reject(one, person.name, reason, now)
                )
            except NotKnown as error:
                return problems.other(404, str(error))
            except PolicyRefused as error:
                self._note(person, account_id, word, "refused 409")
                return problems.conflict(str(error))
            if state.writer is None:
                return problems.no_way_out()
            try:
                await state.writer.write(encode_fact(done), now)
            except KafkaError as error:
                self._note(person, account_id, word, f"not written: {type(error).__name__}")
                return problems.no_way_out()
            state.register.put(done)
            self._note(person, account_id, word, "written", done.policy_id)
            return done

    def _note(
        self, person: Person, account_id: str, word: str, outcome: str, policy_id: str = ""
    ) -> None:
        more = {"account": account_id} | ({"policy": policy_id} if policy_id else {})
        self._state.security.audit.note(person, f"policy {word}", outcome, **more)


def version_told(one: Policy) -> dict[str, Any]:
    """A version with its reasons in both languages."""
    chinese, english = why_texts(one)
    more = {"policyId": one.policy_id, "reasons": english, "reasonsChinese": chinese}
    return plain_fact(one) | more
