"""Does the watch over a simulated run speak up, and stay quiet where nothing is wrong?

Each judgment that it makes at the moment itself, with what must not have been and its neighbour
that may; what is judged at the end of a run is in `tests/test_oracle.py`.
"""

from __future__ import annotations

import json

import pytest

from scoring.units import instant_text
from simulator.field import Execution
from tests.watch import Watch

TEN = 1_783_389_600
TRIP, RESTORE, NOTICE = "home-1:trip:1:1", "home-1:restore:1:1", "home-1:notice:1"
TRIPS, RESTORES, NOTICES = "trip-commands", "restore-commands", "disconnection-notices"


def trip(at: int = TEN, **more: object) -> tuple[str, dict]:
    body = {
        "effectId": TRIP, "accountId": "home-1", "decidedAt": instant_text(at), "attempt": 1,
        "expiresAt": instant_text(at + 1_800), "noticeId": NOTICE,
        "noticeDeliveredAt": instant_text(TEN - 1_800),
    }  # fmt: skip
    return TRIPS, body | more


def restore(number: int = 1, cancels: str = TRIP) -> tuple[str, dict]:
    name = f"home-1:restore:1:{number}"
    body = {"effectId": name, "accountId": "home-1", "decidedAt": instant_text(TEN + 60)}
    return RESTORES, body | {"cancels": cancels}


def proof(kind: str, at: int) -> tuple[str, dict]:
    body = {"effectId": f"home-1:{kind}:1", "accountId": "home-1", "kind": kind}
    return "decisions", body | {"decidedAt": instant_text(at), "told": None}


def grounds(**more: object) -> tuple[str, dict]:
    body = {"effectId": "home-1:trip-commanded:1", "kind": "trip-commanded"}
    told = {"topic": TRIPS, "effectId": TRIP}
    held = {"newestQuality": "valid", "guardsHit": []} | more
    return "decisions", body | {"told": told, "grounds": held}


TOLD = (NOTICES, {"effectId": NOTICE})


def watched(said: list[tuple[str, dict]], moved: list[Execution], now: int = TEN) -> Watch:
    watch = Watch()
    for topic, body in said:
        watch.heard(topic, json.dumps(body).encode(), now)
    watch.executed(moved)
    return watch


def move(at: int, command_id: str, road: str = "radio", stands: str = "disconnected") -> Execution:
    return Execution(at, "home-1", command_id, command_id == TRIP, road, stands)  # type: ignore[arg-type]


SECOND = trip(TEN + 1_799, effectId="home-1:trip:1:2", attempt=2)
LATER = trip(TEN + 1_800, effectId="home-1:trip:1:2", attempt=2)
AFTER = trip(TEN + 90, effectId="home-1:trip:2:1")
OPENED = move(TEN + 9, TRIP)
CLOSED = move(TEN + 70, RESTORE, stands="connected")
ARMED = move(TEN + 70, RESTORE, stands="ready_for_reconnection")


@pytest.mark.parametrize(
    ("wrong", "said", "moved"),
    [
        ("", [TOLD, trip()], [OPENED]),
        ("twoActive", [TOLD, trip(), SECOND], []),
        ("", [TOLD, trip(), LATER], []),
        ("", [TOLD, trip(), restore(), AFTER], []),
        ("", [TOLD, trip(attempt=3)], []),
        ("skippedSteps", [TOLD, trip(attempt=4)], []),
        ("skippedSteps", [trip()], []),
        ("skippedSteps", [TOLD, trip(noticeId="")], []),
        ("skippedSteps", [TOLD, trip(noticeDeliveredAt=None)], []),
        ("skippedSteps", [TOLD, trip(noticeDeliveredAt=instant_text(TEN))], []),
        ("", [TOLD, trip(noticeDeliveredAt=instant_text(TEN - 1))], []),
        ("", [grounds()], []),
        ("tripsOnEstimates", [grounds(newestQuality="estimated")], []),
        ("wrongfulTrips", [grounds(guardsHit=["life_support"])], []),
        ("unheardExecuted", [TOLD], [OPENED]),
        ("", [TOLD, trip()], [move(TEN + 1_800, TRIP)]),
        ("expiredExecuted", [TOLD, trip()], [move(TEN + 1_801, TRIP)]),
        ("", [TOLD, trip(), restore()], [move(TEN, TRIP)]),
        ("cancelledExecuted", [TOLD, trip(), restore()], [move(TEN + 1, TRIP)]),
        ("", [TOLD, trip(), proof("trip-proven", TEN + 9)], [OPENED]),
        ("falselyProven", [TOLD, trip(), proof("trip-proven", TEN + 8)], [OPENED]),
        ("falselyProven", [TOLD, trip(), proof("trip-proven", TEN + 9)], []),
        ("", [restore(cancels=""), proof("restore-proven", TEN)], []),  # it never opened
        ("", [restore(cancels=""), proof("restore-proven", TEN + 70)], [CLOSED]),
        ("falselyProven", [restore(cancels=""), proof("restore-proven", TEN + 70)], [ARMED]),
    ],
)
def test_what_must_not_have_been_is_named(wrong: str, said: list, moved: list):
    assert list(watched(said, moved).wrong) == ([wrong] if wrong else [])


def test_a_repeat_is_passed_over():
    assert not watched([TOLD, trip(), trip(), TOLD], []).wrong


def test_restores_are_told_apart_by_their_road():
    """Armed by radio and closed by hand counts on both roads, and each once."""
    again = "home-1:restore:1:2"
    said = [TOLD, trip(), restore(), restore(2)]
    by_hand = move(TEN + 400, RESTORE, "hand", "connected")
    armed_again = move(TEN + 90, again, stands="ready_for_reconnection")
    by_crew = move(TEN + 72_000, RESTORE, "crew", "connected")
    watch = watched(said, [ARMED, armed_again, by_hand, by_crew])
    assert watch.restore_seconds == {"radio": [70], "hand": [400]}
    assert watched(said, [by_crew]).restore_seconds == {"crew": [72_000]}
    assert watched(said, [CLOSED, by_crew]).restore_seconds == {"radio": [70]}
