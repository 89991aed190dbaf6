"""What is the story of one large customer, from late payments to the star that comes back?

`kilowatch demo --story`: one works plays its months in seconds, while all that answers it are the
processes that run anywhere.  It pays well, then not at
all; its grade falls, the rules propose prepayment and shorter settlement, a person approves over
HTTP, the stream obeys, a notice is served and proven, the customer pays, and after clean months the
star comes back.  A town of
customers at one time is `demo`'s.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from deploy.local import asked
from deploy.story_works import FACTS, contract_of, file_of
from scoring.events import (
    AccountSettings,
    CustomerClass,
    Groups,
    MeterSettings,
    NoticeDelivered,
    PaymentMode,
    PaymentReceived,
    Plan,
    SettingsChanged,
)
from scoring.units import NANOS_PER_UNIT, WH_PER_KWH
from simulator.link import Reader, Writer
from simulator.messages import Input, tariff
from simulator.sheets import shipped_sheets
from streams import topics, wire
from streams.wire_credit import encode_customer_facts
from streams.wire_customers import encode_fact

if TYPE_CHECKING:
    from collections.abc import Callable

    from scoring.events import AccountEvent
    from streams.wire import Encoded

ZONE = ZoneInfo("Asia/Shanghai")
TARIFF, OWN_TARIFF = "cn-sd-ic-1kv", "cn-sd-ic-1kv-2025"
"""The works' prices are today's, from before its first day on."""

KILOWATTS = 300
BEGINS = date(2025, 1, 1)
STOPS_PAYING = date(2025, 3, 1)
FALL_IS_KNOWN = date(2025, 7, 8)
"""Late data of June is in on the sixth; then its quarter is published."""

STAR_IS_KNOWN = date(2026, 4, 8)
MONTHLY = 200_000
"""What the works pays on the first of a month, in whole yuan: a month of its use and some more."""

ALL_THAT_IS_OWED = 1_200_000
HOURS = (0, 12)
"""Local hours at which its meter reports: noon lies in the hours in which a notice may be sent."""

LAPSE_SECONDS = 0.05
"""Of real time a day of the works at least takes while nothing is waited for."""

WAIT_SECONDS = 0.5
MOST_DAYS_WAITED = 45
"""Who owes and is moved to prepayment keeps the time the law gives for arrears: 30 days and 7."""

PATIENCE_SECONDS = 120.0
"""A step that has not come after so long is told as missing."""

STEPS = (
    "graded", "terms agreed", "grade fell", "prepayment proposed", "approved", "obeyed",
    "notice served", "notice proven", "paid", "star came back",
)  # fmt: skip


class StoryStopped(Exception):  # noqa: N818 - the demo has ended
    """Nobody watches any more."""


@dataclass(slots=True)
class Heard:
    """What was said about the works, the newest of each."""

    grade: dict[str, Any] = field(default_factory=dict)
    policies: dict[int, dict[str, Any]] = field(default_factory=dict)
    notices: list[dict[str, Any]] = field(default_factory=list)
    letters: dict[str, dict[str, Any]] = field(default_factory=dict)


class Story:
    """The works and its clerk, on topics of one partition each."""

    def __init__(self, bootstrap: str, api_address: str) -> None:
        self.customer = "mill-1"
        self.steps: list[tuple[str, str, str]] = []
        self.day = BEGINS
        self._bootstrap, self._api = bootstrap, api_address
        self._heard = Heard()
        self._energy = 0
        self._paid = 0
        self._is_paying = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="story", daemon=True)
        self.fault = ""

    def start(self) -> None:
        """Play in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End, wherever it stands."""
        self._stop.set()
        self._thread.join(timeout=10)

    @property
    def is_playing(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def summary(self) -> dict[str, Any]:
        """What has come, and what has not yet."""
        told = [name for name, _day, _text in self.steps]
        return {
            "customer": self.customer,
            "steps": [{"step": name, "on": day, "text": text} for name, day, text in self.steps],
            "toCome": [name for name in STEPS if name not in told],
            "isComplete": len(told) == len(STEPS),
            "fault": self.fault,
        }

    def lines(self, address: str) -> list[str]:
        """What stands on the terminal."""
        told = [f"{day}  {name}: {text}"[:79] for name, day, text in self.steps]
        page = f"{address}/accounts/{self.customer}/policy"
        return [f"{self.customer} on {self.day}", *told, page]

    # --- the plot ---------------------------------------------------------------------------------

    def _run(self) -> None:
        self._writer = Writer(self._bootstrap)
        said = (topics.CREDIT_GRADES, topics.CUSTOMER_POLICIES, topics.DISCONNECTION_NOTICES,
                topics.CUSTOMER_LETTERS)  # fmt: skip
        self._reader = Reader(self._bootstrap, said)
        try:
            self._play()
        except StoryStopped:
            pass
        except TimeoutError as error:
            self.fault = f"{error} did not come within {PATIENCE_SECONDS:g} s"
        finally:
            self._reader.close()
            self._writer.close()

    def _play(self) -> None:
        heard = self._heard
        self._open()
        self._lapse(BEGINS + timedelta(days=3))
        self._until("stated facts", self._is_rated)  # before the first month is graded
        self._lapse(date(2025, 2, 8))
        self._until("graded", lambda: bool(heard.grade.get("published")))
        self._tell("graded", self._grade_text())
        first = self._decided(lambda body: body["facts"]["grade"] != "")
        self._until("terms agreed", lambda: bool(heard.policies[first]["obeyedAt"]), days=5)
        self._tell("terms agreed", self._terms_text(first))

        self._lapse(STOPS_PAYING)
        self._is_paying = False
        self._lapse(FALL_IS_KNOWN)
        self._until("grade fell", lambda: self._published("2025-06"))
        self._tell("grade fell", self._grade_text())
        fall = self._decided(
            lambda body: body["terms"]["paymentMode"] == "prepaid", "prepayment proposed"
        )
        self._tell("approved", f"by {heard.policies[fall]['decidedBy']}")
        self._until("obeyed", lambda: bool(heard.policies[fall]["obeyedAt"]), days=5)
        self._tell("obeyed", "the stream holds it to prepayment")

        def notices() -> list[dict[str, Any]]:
            wanted = "prepaid-disconnection"
            return [each for each in heard.letters.values() if each["letter"] == wanted]

        self._until("notice served", lambda: bool(notices()), days=MOST_DAYS_WAITED)
        letter = notices()[0]
        self._tell("notice served", f"letter {letter['number']}")
        self._receive(letter["restsOn"])
        number = letter["number"]
        self._until("notice proven", lambda: heard.letters[number]["proof"] is not None)
        self._tell("notice proven", f"by {heard.letters[number]['proof']['reference']}")
        self._is_paying = True
        self._pay(ALL_THAT_IS_OWED, self._at(12))
        self._until("paid", self._is_normal, days=5)
        self._tell("paid", f"{ALL_THAT_IS_OWED} yuan; no trip")

        self._lapse(STAR_IS_KNOWN)
        self._until("star came back", lambda: self._published("2026-03"))
        if heard.grade["published"]["stars"]:
            self._tell("star came back", self._grade_text())

    def _decided(self, is_meant: Callable[[dict[str, Any]], bool], step: str = "") -> int:
        """Wait for the rules' proposal, and have the clerk approve it as any person would."""
        policies = self._heard.policies

        def waiting() -> list[int]:
            return [n for n, body in policies.items()
                    if body["status"] == "proposed" and is_meant(body)]  # fmt: skip

        self._until(step or "first proposal", lambda: bool(waiting()))
        version = max(waiting())
        if step:
            self._tell(step, self._terms_text(version))
        self._until(
            "approved", lambda: self._approve(version) or policies[version]["status"] == "approved"
        )
        self._until("approved", lambda: policies[version]["status"] == "approved")
        return version

    def _approve(self, version: int) -> bool:
        """`POST /v1/accounts/{id}/policy/decisions`, signed in as the clerk."""
        where = urlsplit(self._api)
        line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)
        try:
            form = {"content-type": "application/x-www-form-urlencoded"}
            line.request("POST", "/sign-in", urlencode({"name": "wang.fang"}), form)
            answer = line.getresponse()
            answer.read()
            cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
            body = {"version": version, "decision": "approve", "reason": "agreed with the works"}
            path = f"/v1/accounts/{self.customer}/policy/decisions"
            headers = {"content-type": "application/json", "cookie": cookie}
            line.request("POST", path, json.dumps(body), headers)
            answer = line.getresponse()
            answer.read()
        except OSError:
            return False  # the API is asked again
        finally:
            line.close()
        return answer.status == 200

    def _published(self, month: str) -> bool:
        published = self._heard.grade.get("published")
        return published is not None and published["month"] >= month

    def _is_rated(self) -> bool:
        items = self._heard.grade.get("items", [])
        return any(each["item"] == "C2" and each["points"] for each in items)

    def _is_normal(self) -> bool:
        text = asked(f"{self._api}/v1/accounts/{self.customer}")
        return bool(text) and json.loads(text)["stage"] == "normal"

    def _grade_text(self) -> str:
        published = self._heard.grade["published"]
        return f"{published['grade']}, {published['stars']} stars, as of {published['month']}"

    def _terms_text(self, version: int) -> str:
        terms = self._heard.policies[version]["terms"]
        return f"{terms['paymentMode']}, settled every {terms['settlementDays']} days"

    def _tell(self, step: str, text: str) -> None:
        self.steps.append((step, self.day.isoformat(), text))

    # --- time and waiting -------------------------------------------------------------------------

    def _lapse(self, until: date) -> None:
        while self.day < until:
            began = time.monotonic()
            self._live_a_day()
            self._hear(0.0)
            self._stop.wait(max(0.0, LAPSE_SECONDS - (time.monotonic() - began)))
        self._writer.flush()

    def _until(self, step: str, has_come: Callable[[], bool], days: int = 0) -> None:
        """Wait; up to so many days pass meanwhile, since some things want time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._writer.flush()
        while not has_come():
            if time.monotonic() > deadline:
                raise TimeoutError(step)
            self._hear(WAIT_SECONDS)
            if days and not has_come():
                days -= 1
                self._live_a_day()
                self._writer.flush()

    def _hear(self, seconds: float) -> None:
        if self._stop.is_set():
            raise StoryStopped
        until = time.monotonic() + seconds
        while True:
            for record in self._reader.poll(max(0.0, min(0.1, until - time.monotonic()))):
                if (record.key or b"").decode().partition("@")[0] == self.customer:
                    self._take(record.topic, json.loads(record.value))
            if time.monotonic() >= until:
                return

    def _take(self, topic: str, body: dict[str, Any]) -> None:
        if topic == topics.CREDIT_GRADES:
            self._heard.grade = body
        elif topic == topics.DISCONNECTION_NOTICES:
            self._heard.notices.append(body)
        elif topic == topics.CUSTOMER_POLICIES:
            self._heard.policies[body["fact"]["version"]] = body["fact"]
        else:
            self._heard.letters[body["fact"]["number"]] = body["fact"]

    # --- what the works and its utility write -----------------------------------------------------

    def _at(self, hour: int) -> int:
        return int(datetime(self.day.year, self.day.month, self.day.day, hour, tzinfo=ZONE)
                   .timestamp())  # fmt: skip

    def _open(self) -> None:
        at = self._at(0)
        sheet = next(each for each in shipped_sheets() if each["tariffId"] == TARIFF)
        own = sheet | {"tariffId": OWN_TARIFF, "validFrom": "2024-01-01"}
        self._writer.write(tariff(own, at))
        self._write(encode_fact(contract_of(self.customer)), at)
        self._write(encode_fact(file_of(self.customer, BEGINS)), at)
        self._write(
            encode_customer_facts(self.customer, "office", f"{BEGINS}T00:00:00Z", FACTS), at
        )
        terms = AccountSettings(
            version=1,
            customer_class=CustomerClass.LARGE,
            payment_mode=PaymentMode.PLAN,
            tariff_id=OWN_TARIFF,
            max_power_w=1_000_000,
            meter=MeterSettings(
                f"m-{self.customer}", at, register_modulus_wh=10**11, start_register_wh=0
            ),
            plan=Plan(),
            groups=Groups(industry="1751", voltage_level="10kV", collector="c-01", area="wendeng"),
        )
        self._say(SettingsChanged(self.customer, 0, 0, terms), at)
        self._pay(MONTHLY, at)
        self._writer.flush()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not asked(f"{self._api}/v1/accounts/{self.customer}"):  # a reading before is refused
            self._hear(0.2)
            if time.monotonic() > deadline:
                raise TimeoutError("the works' account")

    def _live_a_day(self) -> None:
        for hour in HOURS:
            at = self._at(hour)
            if hour == 12 and self.day.day == 1 and self._is_paying and self.day > BEGINS:
                self._pay(MONTHLY, at)
            value = wire.encode_reading(
                self.customer, f"m-{self.customer}", at, register_wh=self._energy
            )
            self._writer.write(Input(topics.READINGS, 0, self.customer, value, at + 20))
            self._energy += KILOWATTS * WH_PER_KWH * 24 // len(HOURS)
            for beat in (wire.encode_heartbeat(at + 30), wire.encode_tick(at + 30)):
                self._writer.write(Input(beat.topic, 0, None, beat.value, at + 30))
        self.day += timedelta(days=1)

    def _pay(self, yuan: int, at: int) -> None:
        self._paid += 1
        amount = yuan * NANOS_PER_UNIT
        name = f"{self.customer}-{self._paid}"
        self._say(PaymentReceived(self.customer, 0, 0, name, amount, at), at)

    def _receive(self, notice_id: str) -> None:
        """The gateway's receipt of a notice, an hour after midnight of the day that comes."""
        at = self._at(0)
        self._say(NoticeDelivered(self.customer, 0, 0, notice_id, at), at)
        self._writer.flush()

    def _say(self, event: AccountEvent, at: int) -> None:
        self._write(wire.encode_event(event), at)

    def _write(self, one: Encoded, at: int) -> None:
        self._writer.write(Input(one.topic, 0, (one.key or b"").decode(), one.value, at))
