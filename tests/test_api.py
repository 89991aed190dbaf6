"""What the API answers, asked over HTTP of the real application over a real view."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.answer import LOOKED, OFFSETS, SHOWN, Looked, Shown
from api.app import application
from api.shapes import EXAMPLE, AccountAnswer, AccountList, ProblemShown
from api.state import State
from api.view import View
from api.words import HOLD_WORDS
from scoring.book import LEDGER
from scoring.effects import Hold, Stage
from scoring.events import (
    Action,
    Groups,
    NoticeDelivered,
    OperatorActed,
    PaymentMode,
    Switch,
    SwitchReported,
)
from scoring.outlook import OUTLOOK
from scoring.units import instant
from scoring.weather import AreaWord, Spell, WeatherKind
from streams import wire
from streams.log import PlainRecord
from streams.topics import PAYMENTS, TICKS, partition_of
from streams.weather_desk import encode_word
from tests.office import DAY, HOUR, MONDAY, RULES, Office


@dataclass
class Fed:
    """Stands for the tail: the tests feed the view themselves."""

    is_ready: bool = True
    behind: int | None = 0


class Client:
    """Asks an ASGI application over HTTP, without a socket."""

    def __init__(self, app) -> None:
        self.app = app

    def request(self, method: str, path: str, **query) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, path, **query)

        return asyncio.run(ask())

    def get(self, path: str, **query) -> httpx.Response:
        return self.request("GET", path, **query)


def client_of(office: Office) -> Client:
    return Client(application(State(office.feed(View()), Fed(), RULES)))


def a_home() -> Office:
    """A home that paid 200 and used 12 kWh a day for three weeks."""
    office = Office()
    office.open("home-1")
    office.pay("home-1", "200")
    office.live("home-1", days=20)
    return office


HOME = client_of(a_home())


def test_one_account_reads_like_this():
    answer = HOME.get("/v1/accounts/home-1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    AccountAnswer.model_validate(body)
    assert body["asOf"] == "2026-07-26T00:00:00+08:00"
    assert body["receivedAt"] == "2026-07-26T00:00:20+08:00"
    # 20 days x 12 kWh at 0.5469, and of 200 that leaves
    assert (body["billSoFar"], body["balance"]) == ("131.26", "68.74")
    assert body["forecastTodayWh"] == 12_000
    assert body["forecastBillToday"] == "6.56"
    hours = body["runwayHours"]
    assert hours["p10"] <= hours["p50"] <= hours["p90"]
    ends_at = instant(body["runwayEndsAt"]["p50"])
    assert ends_at == pytest.approx(instant(body["asOf"]) + hours["p50"] * 3600, abs=40)
    assert (body["tier"], body["stage"], body["switch"]) == ("normal", "normal", "unknown")
    assert body["nextStep"]["step"] == "low-balance-warning"
    assert body["source"]["offsets"] == {
        "meter-readings": 480,
        "account-settings": 0,
        "payments": 0,
    }


def test_the_framework_would_answer_the_same():
    app = HOME.app
    behind = Client(app._rest)
    hot, slow = HOME.get("/v1/accounts/home-1"), behind.get("/v1/accounts/home-1")
    assert (slow.status_code, slow.content) == (hot.status_code, hot.content)


def test_an_unknown_account_says_what_to_do():
    answer = HOME.get("/v1/accounts/nobody")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "account-settings" in ProblemShown.model_validate(answer.json()).detail


def test_until_all_is_read_nothing_is_answered():
    office = a_home()
    client = Client(application(State(office.feed(View()), Fed(False, 12), RULES)))
    for path in ("/v1/accounts/home-1", "/v1/accounts", "/readyz"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "12 records to go" in answer.json()["detail"]
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_says_how_many_accounts_there_are():
    assert HOME.get("/readyz").json() == {"status": "ready", "accounts": 1, "behind": 0}


WRONG = [
    ("/v1/accounts?limit=0", "limit"),
    ("/v1/accounts?limit=1001", "limit"),
    ("/v1/accounts?sort=name", "sort"),
    ("/v1/accounts?tier=3", "tier"),
    ("/v1/accounts?after=x", "take it from `next`"),
]


@pytest.mark.parametrize(("path", "advice"), WRONG)
def test_a_wrong_query_is_named(path, advice):
    answer = HOME.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert advice in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v2", 404), ("GET", "/v1/accounts/a/b", 404), ("POST", "/v1/accounts/home-1", 405)],
)
def test_an_unknown_path_is_a_problem_too(method, path, status):
    answer = HOME.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_lists_rank_and_page():
    office = Office()
    for number in range(5):
        office.open(f"home-{number}")
        office.pay(f"home-{number}", f"{(number + 1) * 30}")
        office.live(f"home-{number}", days=2)
    client = client_of(office)
    first = client.get("/v1/accounts?limit=2").json()
    AccountList.model_validate(first)
    assert [line["accountId"] for line in first["accounts"]] == ["home-0", "home-1"]
    second = client.get(first["next"]).json()
    assert [line["accountId"] for line in second["accounts"]] == ["home-2", "home-3"]
    third = client.get(second["next"]).json()
    assert [line["accountId"] for line in third["accounts"]] == ["home-4"]
    assert third["next"] is None
    low = client.get("/v1/accounts?tier=normal&sort=id").json()
    tiers = {
        line["accountId"]: line["tier"] for line in client.get("/v1/accounts").json()["accounts"]
    }
    assert [line["accountId"] for line in low["accounts"]] == sorted(
        each for each, tier in tiers.items() if tier == "normal"
    )


# --- where the account stands, and what comes next -----------------------------------------------


class Road:
    """One prepaid home that has used up its money, step by step."""

    def __init__(self, area: str = "") -> None:
        self.office, self.now = Office(), MONDAY + 2 * DAY + 10 * HOUR
        self.office.open("home-1", groups=Groups(area=area))
        self.office.pay("home-1", "5")
        self.partition = partition_of(b"home-1", self.office.partitions)
        self.heartbeat(MONDAY)
        for hour in range(58):
            self.heartbeat(MONDAY + hour * HOUR)
            self.office.read("home-1", (MONDAY + hour * HOUR, hour * 500))

    def heartbeat(self, at: int) -> None:
        beat = wire.encode_heartbeat(at)
        self.office.enter(PAYMENTS, self.partition, (None, beat.value, at))

    def tick(self, at: int) -> None:
        self.heartbeat(at)
        self.office.enter(TICKS, self.partition, (None, wire.encode_tick(at).value, at))

    def answer(self) -> dict:
        body = client_of(self.office).get("/v1/accounts/home-1").json()
        AccountAnswer.model_validate(body)
        return body


def test_the_road_to_a_trip_and_back_is_told_step_by_step():
    road = Road()
    office, now = road.office, road.now
    body = road.answer()
    assert (body["stage"], body["nextStep"]["step"]) == ("notice_sent", "notice-delivery")
    assert body["runwayHours"]["p50"] == 0

    office.event(NoticeDelivered("home-1", 0, 0, "home-1:notice:1", now), now)
    body = road.answer()
    assert (body["stage"], body["nextStep"]["step"]) == ("noticed", "trip-command")
    assert body["nextStep"]["at"] == body["noTripBefore"] == "2026-07-08T10:30:00+08:00"

    office.read("home-1", (now + 35 * 60, 58 * 500))
    road.tick(now + 40 * 60)
    body = road.answer()
    assert (body["stage"], body["nextStep"]["step"]) == ("trip_commanded", "trip-report")
    assert body["noTripBefore"] is body["payBy"] is None, "it may come at any time"

    report = SwitchReported(
        "home-1", 0, 0, "home-1:trip:1:1", Switch.DISCONNECTED, True, now + 41 * 60
    )
    office.event(report, now + 41 * 60)
    body = road.answer()
    assert (body["stage"], body["switch"]) == ("tripped", "disconnected")
    assert body["nextStep"]["step"] == "restore-command"

    office.pay("home-1", "100", now + HOUR)
    body = road.answer()
    assert (body["stage"], body["nextStep"]["step"]) == ("restore_commanded", "restore-report")


SKIES = [
    # what the feed says of the home's area, from Wednesday noon, and when the cut may come
    ([], "2026-07-08T10:30:00+08:00", "nothing: half an hour after the notice's proof"),
    ([("cold", 1)], "2026-07-08T13:00:00+08:00", "frost until one o'clock"),
    ([("heat", 1)], "2026-07-13T09:00:00+08:00", "two whole days after a heat warning, a weekend"),
]


@pytest.mark.parametrize(("spells", "at", "why"), SKIES)
def test_no_cut_is_named_before_a_moratorium_ends(spells, at, why):
    road = Road(area="north")
    office, now = road.office, road.now
    office.event(NoticeDelivered("home-1", 0, 0, "home-1:notice:1", now), now)
    view, noon = office.feed(View()), MONDAY + 2 * DAY + 12 * HOUR
    told = (Spell(WeatherKind(kind), MONDAY, noon + hours * HOUR) for kind, hours in spells)
    said = encode_word("north", AreaWord(now, tuple(told)))
    view.take_weather([PlainRecord(said.topic, 0, 0, now * 1000, said.key, said.value)])
    body = Client(application(State(view, Fed(), RULES))).get("/v1/accounts/home-1").json()
    assert (body["nextStep"]["step"], body["nextStep"]["at"]) == ("trip-command", at), why
    assert body["noTripBefore"] == at, why


def test_a_hold_is_told_in_plain_words():
    road = Road()
    hold = OperatorActed("home-1", 0, 0, Action.HOLD_SUPPLY, "Li", "newborn", road.now)
    road.office.event(hold, road.now)
    road.tick(road.now + 60)
    body = road.answer()
    assert {"name": "held_by_operator", "text": HOLD_WORDS[Hold.HELD_BY_OPERATOR]} in body[
        "reasons"
    ]


def test_before_terms_and_readings_the_next_step_says_what_is_missing():
    office = Office()
    office.pay("early", "10")
    office.open("silent")
    office.pay("silent", "10")
    office.open("lost", tariff_id="no-such-tariff")
    office.live("lost", days=1)
    office.open("planned", payment_mode=PaymentMode.PLAN)
    office.live("planned", days=2)
    client = client_of(office)
    steps = {
        each: client.get(f"/v1/accounts/{each}").json()["nextStep"]["step"]
        for each in ("early", "silent", "lost", "planned")
    }
    assert steps == {
        "early": "account-settings",
        "silent": "first-reading",
        "lost": "tariff",
        "planned": "payment",
    }
    assert client.get("/v1/accounts/early").json()["balance"] == "10.00"


# --- the document, the metrics, any request ------------------------------------------------------


def test_the_document_describes_what_is_answered():
    document = HOME.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/accounts/{account_id}",
        "/v1/audit",
        "/v1/accounts/{account_id}/history",
        "/v1/accounts/{account_id}/why",
        "/v1/accounts/{account_id}/credit",
        "/v1/accounts/{account_id}/policy",
        "/v1/accounts/{account_id}/policy/{version}.pdf",
        "/v1/accounts/{account_id}/policy/decisions",
        "/v1/accounts/{account_id}/contract",
        "/v1/accounts/{account_id}/letters",
        "/v1/accounts/{account_id}/letters/{number}.pdf",
        "/v1/collection/work",
        "/v1/collection/review",
        "/v1/collection/review.csv",
        "/v1/collection/appraisal",
        "/v1/collection/appraisal/{kind}",
        "/v1/accounts",
        "/v1/accounts/{account_id}/actions",
        "/v1/actions",
        "/v1/actions/{action_id}",
        "/v1/changes",
        "/v1/interlock",
        "/v1/interlock/actions",
        "/v1/interlock/actions/{action_id}",
        "/v1/monitor",
        "/v1/monitor/accounts/{account_id}",
        "/healthz",
        "/readyz",
    }
    AccountAnswer.model_validate(EXAMPLE)
    told = document["components"]["schemas"]["AccountAnswer"]["example"]
    assert told == EXAMPLE


def test_metrics_count_requests_without_naming_accounts():
    client = client_of(a_home())
    client.get("/v1/accounts/home-1")
    client.get("/v1/accounts/nobody")
    client.get("/v1/accounts")
    text = client.get("/metrics").text
    assert 'kilowatch_api_requests_total{route="account",status="200"} 1.0' in text
    assert 'kilowatch_api_requests_total{route="account",status="404"} 1.0' in text
    assert 'kilowatch_api_requests_total{route="accounts",status="200"} 1.0' in text
    assert "kilowatch_api_accounts 1.0" in text
    assert "kilowatch_api_ready 1.0" in text
    assert "home-1" not in text


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=40))
def test_any_account_id_is_answered_or_not_found(account_id):
    answer = HOME.get(f"/v1/accounts/{quote(account_id, safe='', errors='surrogatepass')}")
    assert answer.status_code in {200, 404}
    json.loads(answer.content)


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(["tier", "sort", "limit", "after", "x"]), st.text(max_size=20), max_size=4
    )
)
def test_any_query_is_a_page_or_a_named_problem(query):
    answer = HOME.get("/v1/accounts", params=query)
    assert answer.status_code in {200, 422}
    shape = AccountList if answer.status_code == 200 else ProblemShown
    shape.model_validate(answer.json())


def test_every_hold_and_stage_has_words():
    assert set(HOLD_WORDS) == set(Hold)
    assert len(Stage) == 6


@given(st.data())
def test_a_row_is_read_as_numpy_reads_it(data):
    for layout, reader, shape in ((LEDGER, SHOWN, Shown), (OUTLOOK, LOOKED, Looked)):
        given_bytes = data.draw(st.binary(min_size=layout.itemsize, max_size=layout.itemsize))
        row = np.frombuffer(given_bytes, layout)[0]
        read = shape._make(reader.unpack(row.tobytes()))
        for name, value in read._asdict().items():
            theirs = row[name]
            if name == "source_offset":
                assert list(OFFSETS.unpack(value)) == theirs.tolist()
            elif isinstance(value, bytes):
                assert value.rstrip(b"\0") == theirs.item()
            else:
                assert value == theirs.item() or (np.isnan(value) and np.isnan(theirs))
