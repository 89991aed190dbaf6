"""Does each step of a run keep what must hold at every moment?

The judgments at the end know the whole truth but not when it was broken; these look at each thing
said and each switch moved as it happens, by the words of the records alone.  They are named as in
domain.md: what a lawyer and a safety engineer would ask.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.oracle_facts import seconds_of
from tests.oracle_judge import RESTORES, TRIPS

if TYPE_CHECKING:
    from simulator.field import Execution

MOST_TRIES = 3

PROVEN = {"trip-proven": "disconnected", "restore-proven": "connected"}
"""Where a switch must really stand when Kilowatch says that metering has proven it."""


@dataclass
class Watch:
    """What was said and done so far, and what of it must not have been."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    held: Counter[str] = field(default_factory=Counter)
    restore_seconds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    _alive_until: dict[str, int] = field(default_factory=dict)
    _cancelled_at: dict[str, int] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _moved: dict[str, list[Execution]] = field(default_factory=lambda: defaultdict(list))
    _proofs: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    _wanted_at: dict[str, int] = field(default_factory=dict)
    _back: set[tuple[str, str]] = field(default_factory=set)
    _executed: int = 0

    def heard(self, topic: str, value: bytes, now: int) -> None:
        """One record that the outside hears at `now`; repeats are passed over."""
        body = json.loads(value)
        effect_id = body.get("effectId")
        if effect_id is None or effect_id in self._seen:
            return
        self._seen.add(effect_id)
        if topic == TRIPS:
            self._trip(effect_id, body)
        elif topic == RESTORES:
            self._commands[effect_id] = body
            self._wanted_at.setdefault(_episode(effect_id), now)
            self._alive_until[body["accountId"]] = 0
            if body["cancels"]:
                self._cancelled_at.setdefault(body["cancels"], now)
        elif topic == "decisions" and body["kind"] == "held":
            self.held.update(body["evidence"]["holds"])
        elif topic == "decisions" and body["kind"] in PROVEN:
            self._proofs.append((effect_id, seconds_of(body["decidedAt"]), body))
        elif topic == "decisions" and body["told"] and body["told"]["topic"] == TRIPS:
            self._grounds(body)

    def _trip(self, trip_id: str, body: dict[str, Any]) -> None:
        self._commands[trip_id] = body
        decided_at, account_id = seconds_of(body["decidedAt"]), body["accountId"]
        if decided_at < self._alive_until.get(account_id, 0):
            self.wrong["twoActive"].append(f"{trip_id} while another command is in force")
        self._alive_until[account_id] = seconds_of(body["expiresAt"])
        if body["attempt"] > MOST_TRIES:
            self.wrong["skippedSteps"].append(f"{trip_id} is try {body['attempt']}")
        delivered = body["noticeDeliveredAt"]
        if not body["noticeId"] or body["noticeId"] not in self._seen:
            self.wrong["skippedSteps"].append(f"{trip_id} without its notice")
        if delivered is None or seconds_of(delivered) >= decided_at:
            self.wrong["skippedSteps"].append(f"{trip_id} before its notice was delivered")

    def _grounds(self, link: dict[str, Any]) -> None:
        grounds, trip_id = link["grounds"], link["told"]["effectId"]
        if grounds["newestQuality"] != "valid":
            self.wrong["tripsOnEstimates"].append(f"{trip_id} on {grounds['newestQuality']}")
        if grounds["guardsHit"]:
            self.wrong["wrongfulTrips"].append(f"{trip_id} although {grounds['guardsHit']}")

    def executed(self, executions: list[Execution]) -> None:
        """Every switch that was moved so far; then every proof that was claimed meanwhile."""
        for done in executions[self._executed :]:
            self._moved[done.account_id].append(done)
            body = self._commands.get(done.command_id)
            if body is None:
                self.wrong["unheardExecuted"].append(done.command_id)
                continue
            if done.is_trip and done.at > seconds_of(body["expiresAt"]):
                self.wrong["expiredExecuted"].append(f"{done.command_id} at {done.at}")
            cancelled_at = self._cancelled_at.get(done.command_id)
            if done.is_trip and cancelled_at is not None and done.at > cancelled_at:
                self.wrong["cancelledExecuted"].append(f"{done.command_id} at {done.at}")
            if not done.is_trip:
                self._restored(done)
        self._executed = len(executions)
        proofs, self._proofs = self._proofs, []
        for effect_id, at, body in proofs:
            moved = [done.stands for done in self._moved[body["accountId"]] if done.at <= at]
            stood = moved[-1] if moved else "connected"
            if stood != PROVEN[body["kind"]]:
                self.wrong["falselyProven"].append(f"{effect_id} while it stood {stood}")

    def _restored(self, done: Execution) -> None:
        """How long a restore took, by its road; what is armed or closed already is not again."""
        episode = _episode(done.command_id)
        if {(episode, done.stands), (episode, "connected")} & self._back:
            return
        self._back.add((episode, done.stands))
        self.restore_seconds[done.road].append(done.at - self._wanted_at[episode])


def _episode(command_id: str) -> str:
    """`home-1:restore:3` of `home-1:restore:3:2`, whose second try this is."""
    return command_id.rsplit(":", 1)[0]
