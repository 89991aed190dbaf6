"""What happens out there when a command or a notice is sent?

The field system obeys trip and restore commands keyed by their id, honours expiry and `cancels`,
and reports: usually within seconds, sometimes late, sometimes never, sometimes that it failed and a
crew must go (domain.md 5).  The notice gateway delivers and says so.  What the switch does to the
load, and to the customer's mood, is `world`'s.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from streams.command_verifier import CommandRefused

if TYPE_CHECKING:
    from streams.command_verifier import CommandVerifier

DIRECT_CLOSE = "3.31.0.18"
"""CIM code: the switch closes by itself; any other restore code arms it for the customer's hand."""

NOT_GENUINE = (
    "unreadable", "unsigned", "unknown_key", "wrong_signature", "key_not_valid", "unknown_control"
)  # fmt: skip
"""Why a command is refused whoever may have sent it; the others are late or come again."""

CREW_SECONDS = 20 * 3_600
"""A crew goes to a switch that could not be reached within about a working day."""

Road = Literal["radio", "hand", "crew"]
"""How a switch came to be moved: by the command, by the customer's hand, by a crew."""

MAINS_VOLTS = 230


@dataclass(frozen=True, slots=True)
class FieldRates:
    """How the field behaves, as in domain.md 5; shares of commands, seconds lognormal.

    97 % succeed at the first attempt, 99.5 % after three; the rest needs a crew.
    """

    fails_once: float = 0.03
    needs_crew: float = 0.003
    acknowledged: float = 0.3
    report_lost: float = 0.001
    report_late: float = 0.01
    report_late_seconds: int = 4 * 3_600
    acts_median_seconds: float = 15.0
    acts_sigma: float = 1.51  # p95 about 3 min
    notice_lost: float = 0.01
    receipt_median_seconds: float = 40.0
    receipt_repeated: float = 0.01
    measures_volts: float = 0.0  # of switches: those whose meter can tell what lies behind them


@dataclass(frozen=True, slots=True)
class Happening:
    """Something the world must take up: a switch moved, a report or a receipt is ready."""

    at: int
    kind: Literal["switched", "report", "receipt"]
    account_id: str
    subject_id: str
    acted_at: int
    switch: str = "unknown"
    succeeded: bool = True
    acknowledges: bool = False
    volts: int | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """A switch that really moved because of a command: what a wrongful trip is judged by.

    `stands`: where it stands since then; a restore may only arm it.
    """

    at: int
    account_id: str
    command_id: str
    is_trip: bool
    road: Road = "radio"
    stands: str = "disconnected"


@dataclass(order=True, slots=True)
class _Order:
    """A command on its way to a switch."""

    at: int
    sequence: int
    body: dict[str, Any]
    is_trip: bool
    taken: int  # when its command came, as a sequence number
    road: Road = "radio"
    asks: bool = False

    @property
    def by_people(self) -> bool:
        """Somebody stands at the switch: no radio can fail, and no expiry holds."""
        return self.road != "radio"


def seconds_of(text: str) -> int:
    """Seconds since 1970 of an ISO instant in an effect."""
    return int(datetime.fromisoformat(text).timestamp())


class Field:
    """All switches of the world.

    A command is carried out at most once per id; one that arrives again is answered again.
    """

    def __init__(
        self, rates: FieldRates, seed: int, verifier: CommandVerifier | None = None
    ) -> None:
        self.rates = rates
        self._verifier = verifier
        self.executions: list[Execution] = []
        self.ignored: dict[str, int] = {}
        self._seed = seed
        self._position: dict[str, str] = {}
        self._orders: list[_Order] = []
        self._happenings: list[tuple[int, int, Happening]] = []
        self._sequence = 0
        self._seen: set[str] = set()
        self._cancelled: set[str] = set()
        self._unreachable: set[str] = set()
        self._last_trip: dict[str, int] = {}

    @property
    def forged(self) -> int:
        """Commands refused because no key of Kilowatch stands behind them."""
        return sum(self.ignored.get(f"{reason} command", 0) for reason in NOT_GENUINE)

    def position(self, account_id: str) -> str:
        """Where the account's switch stands."""
        return self._position.get(account_id, "connected")

    def take(self, value: bytes, now: int, *, is_trip: bool) -> None:
        """The bytes of a command arrive; what is not genuine, in force and new is refused."""
        if self._verifier is not None:
            try:
                self._verifier.accept(value, now)
            except CommandRefused as refused:
                self._ignore(f"{refused.reason} command")
                return
        body = json.loads(value)
        if is_trip:
            self.take_trip(body, now)
        else:
            self.take_restore(body, now)

    def take_trip(self, body: dict[str, Any], now: int) -> None:
        """A trip command arrives at the field system."""
        self._take(body, now, is_trip=True)

    def take_restore(self, body: dict[str, Any], now: int) -> None:
        """A restore command arrives; from now on the trip it cancels is void."""
        self._cancelled.add(body["cancels"])
        self._take(body, now, is_trip=False)

    def take_status_read(self, body: dict[str, Any], now: int) -> None:
        """A question where a switch stands: it moves nothing, so it bears no signature."""
        read_id = str(body["effectId"])
        if read_id in self._seen:
            return
        self._seen.add(read_id)
        dice = self._dice(read_id)
        at = now + self._wait(dice, self.rates.acts_median_seconds, self.rates.acts_sigma)
        self._sequence += 1
        asked = _Order(at, self._sequence, body, False, self._sequence, asks=True)
        heapq.heappush(self._orders, asked)

    def take_notice(self, body: dict[str, Any], now: int) -> bool:
        """A disconnection notice arrives at the gateway; True if it will reach the customer."""
        notice_id = str(body["effectId"])
        if notice_id in self._seen:
            return False
        self._seen.add(notice_id)
        dice = self._dice(notice_id)
        if dice.random() < self.rates.notice_lost:
            return False
        at = now + self._wait(dice, self.rates.receipt_median_seconds, 1.0)
        self._later(Happening(at, "receipt", body["accountId"], notice_id, at))
        if dice.random() < self.rates.receipt_repeated:
            self._later(Happening(at + 3_600, "receipt", body["accountId"], notice_id, at))
        return True

    def advance(self, until: int) -> list[Happening]:
        """Everything that happens up to and including `until`, in order of time."""
        while self._orders and self._orders[0].at <= until:
            self._carry_out(heapq.heappop(self._orders))
        ready = []
        while self._happenings and self._happenings[0][0] <= until:
            ready.append(heapq.heappop(self._happenings)[2])
        return ready

    def _take(self, body: dict[str, Any], now: int, *, is_trip: bool) -> None:
        command_id = str(body["effectId"])
        if command_id in self._seen:
            self._ignore("repeated command")
            return
        self._seen.add(command_id)
        dice = self._dice(command_id)
        at = now + self._wait(dice, self.rates.acts_median_seconds, self.rates.acts_sigma)
        self._sequence += 1
        heapq.heappush(self._orders, _Order(at, self._sequence, body, is_trip, self._sequence))
        if self._dice(f"{command_id}:taken").random() < self.rates.acknowledged:
            account_id = str(body["accountId"])
            taken = Happening(now + 1, "report", account_id, command_id, now, acknowledges=True)
            self._later(taken)
        if is_trip:
            self._last_trip[str(body["accountId"])] = self._sequence

    def _carry_out(self, order: _Order) -> None:
        body, account_id = order.body, str(order.body["accountId"])
        command_id = str(body["effectId"])
        dice = self._dice(f"{command_id}:{order.by_people}")
        if order.asks:
            self._answer(order, account_id)
            return
        if order.is_trip and command_id in self._cancelled:
            self._ignore("cancelled trip")
            return
        if order.by_people and self._last_trip.get(account_id, 0) > order.taken:
            self._ignore("hand overtaken by a trip")
            return
        if order.at > seconds_of(body["expiresAt"]) and not order.by_people:
            self._ignore("expired command")
            self._report(order.at, account_id, command_id, dice, succeeded=False)
            return
        if not order.by_people and self._fails(account_id, command_id, dice):
            self._report(order.at, account_id, command_id, dice, succeeded=False)
            if not order.is_trip:  # nobody is left in the dark because a radio is dead
                self._send_crew(order)
            return
        self._move(order, account_id, command_id, dice)

    def _answer(self, order: _Order, account_id: str) -> None:
        """The switch says where it stands, unless nobody reaches it, or too late."""
        if order.at > seconds_of(order.body["expiresAt"]) or account_id in self._unreachable:
            self._ignore("status not told")
            return
        stands = self.position(account_id)
        self._later(
            Happening(order.at, "report", account_id, str(order.body["aboutId"]), order.at, stands,
                      succeeded=stands == "disconnected", volts=self._volts(account_id))
        )  # fmt: skip

    def _fails(self, account_id: str, command_id: str, dice: random.Random) -> bool:
        if self._dice(f"crew:{command_id.rsplit(':', 1)[0]}").random() < self.rates.needs_crew:
            self._unreachable.add(account_id)
        return account_id in self._unreachable or dice.random() < self.rates.fails_once

    def _send_crew(self, order: _Order) -> None:
        self._sequence += 1
        at = order.at + CREW_SECONDS
        by_crew = replace(order, at=at, sequence=self._sequence, road="crew")
        heapq.heappush(self._orders, by_crew)

    def _move(self, order: _Order, account_id: str, command_id: str, dice: random.Random) -> None:
        direct = order.body.get("controlCode") == DIRECT_CLOSE or order.by_people
        before = self.position(account_id)
        if order.road == "crew" and before == "connected":
            self._ignore("crew not needed")
            self._report(order.at, account_id, command_id, dice, succeeded=True)
            return
        if order.is_trip:
            after = "disconnected"
        elif direct or before == "connected":
            after = "connected"
        else:
            after = "ready_for_reconnection"
        self._position[account_id] = after
        self._unreachable.discard(account_id)
        self.executions.append(
            Execution(order.at, account_id, command_id, order.is_trip, order.road, after)
        )
        self._later(Happening(order.at, "switched", account_id, command_id, order.at, after))
        if dice.random() < self.rates.report_lost:
            self._ignore("report lost")
        else:
            self._report(order.at, account_id, command_id, dice, succeeded=True)
        if after == "ready_for_reconnection":
            self._press_button(order.at + 60 + int(dice.expovariate(1 / 1_200)), order)

    def _press_button(self, at: int, order: _Order) -> None:
        """The customer closes an armed switch by hand."""
        self._sequence += 1
        body = order.body | {"controlCode": DIRECT_CLOSE}
        by_hand = replace(order, at=at, sequence=self._sequence, body=body, road="hand")
        heapq.heappush(self._orders, by_hand)

    def _report(
        self, at: int, account_id: str, command_id: str, dice: random.Random, *, succeeded: bool
    ) -> None:
        ready = at + dice.randrange(1, 10)
        if dice.random() < self.rates.report_late:
            ready += dice.randrange(60, self.rates.report_late_seconds)
        switch, volts = self.position(account_id), self._volts(account_id)
        self._later(
            Happening(ready, "report", account_id, command_id, at, switch, succeeded, volts=volts)
        )

    def _volts(self, account_id: str) -> int | None:
        """What the meter measures behind the switch at this moment; None where it cannot."""
        if self._dice(f"volts:{account_id}").random() >= self.rates.measures_volts:
            return None
        return MAINS_VOLTS if self.position(account_id) == "connected" else 0

    def _later(self, happening: Happening) -> None:
        self._sequence += 1
        heapq.heappush(self._happenings, (happening.at, self._sequence, happening))

    def _wait(self, dice: random.Random, median_seconds: float, sigma: float) -> int:
        return 1 + int(dice.lognormvariate(math.log(median_seconds), sigma))

    def _dice(self, subject: str) -> random.Random:
        """Dice of their own for each command, so that the order of arrival changes no outcome."""
        return random.Random(f"{self._seed}:field:{subject}")

    def _ignore(self, why: str) -> None:
        self.ignored[why] = self.ignored.get(why, 0) + 1
