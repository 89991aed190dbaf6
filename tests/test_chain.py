"""Is every decision tied to the one before, and is a change of any of them found?"""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.chain import HASH_HEAD, HASH_TAIL, NO_LINK, Proof, broken_links
from streams.topics import DECISIONS
from tests.memory_log import MemoryLog
from tests.road import live, run, utility


def chain_of(home: str = "home-1") -> list[bytes]:
    """The decisions about a home that ran out of money, from a worker's life."""
    cluster = utility()
    run(live(cluster, MemoryLog(cluster)))
    return [
        record.value
        for record in cluster.topics[DECISIONS, 0]
        if record.value is not None and record.key == home.encode()
    ]


LINKS = chain_of()


def places(links: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"decisions 0 {place}", link) for place, link in enumerate(links)]


def test_a_worker_leaves_an_unbroken_chain():
    assert len(LINKS) >= 3
    assert list(broken_links(places(LINKS))) == []
    numbers = [json.loads(link)["number"] for link in LINKS]
    assert numbers == list(range(1, len(LINKS) + 1))
    assert json.loads(LINKS[0])["previous"] == NO_LINK


def test_repeats_after_a_crash_are_no_break():
    proof = Proof()
    for place, link in places([*LINKS, *LINKS]):
        assert proof.take(place, link) is None
    assert (proof.links, proof.repeats) == (len(LINKS), len(LINKS))


def test_a_missing_first_part_is_no_break():
    """Retention takes the oldest links; what is left still holds together."""
    assert list(broken_links(places(LINKS[1:]))) == []


BROKEN = [
    ("a link is taken out", lambda links: [*links[:1], *links[2:]], 3, "as the link before"),
    ("two are swapped", lambda links: [links[0], links[2], links[1]], 3, "as the link before"),
    ("one says something else", lambda links: [changed(links[0]), *links[1:]], 1, "changed"),
    ("one has a new hash", lambda links: [links[0], rehashed(links[1]), *links[2:]], 3, "before"),
    ("one is no link", lambda links: [links[0], b"{}", *links[1:]], 0, "no link"),
]


def changed(link: bytes) -> bytes:
    return link.replace(b'"available":"', b'"available":"9', 1)


def hashed(bare: bytes) -> bytes:
    """Somebody who knows how hashes are made writes a record of his own."""
    return bare[:-1] + HASH_HEAD + sha256(bare).hexdigest().encode() + b'"}'


def rehashed(link: bytes) -> bytes:
    """The same somebody changes a link."""
    return hashed(changed(link)[:-HASH_TAIL] + b"}")


def rewritten(link: bytes, **fields: object) -> bytes:
    """Or gives it other fields."""
    body = json.loads(link) | fields
    del body["hash"]
    return hashed(json.dumps(body, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("spoil", "number", "why"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_the_first_broken_link_is_named(spoil, number, why):
    first = next(broken_links(places(spoil(LINKS))))
    assert first.number == number
    assert why in first.why
    assert first.place.startswith("decisions 0 ")


FIRST = json.loads(LINKS[0])
FOREIGN = {
    "told is a number": rewritten(LINKS[0], told=5),
    "told without an id": rewritten(LINKS[0], told={"a": 1}),
    "told by a list": rewritten(LINKS[0], told={"topic": "x", "effectId": [1], "sha256": "x"}),
    "evidence is a number": rewritten(LINKS[0], evidence=3),
    "evidence lacks figures": rewritten(LINKS[0], evidence={}),
    "no cause": rewritten(LINKS[0], cause=None),
    "no account": rewritten(LINKS[0], accountId=None),
    "no detail": rewritten(LINKS[0], detail=None),
    "no instant": rewritten(LINKS[0], decidedAt="yesterday"),
    "an instant without a zone": rewritten(LINKS[0], decidedAt="2026-07-08T02:00:00"),
    "an instant beyond the calendar": rewritten(LINKS[0], decidedAt="9999-12-31T23:59:59Z"),
    "grounds of proofs that are none": rewritten(
        LINKS[0], grounds=FIRST["grounds"] | {"proofs": [3]}
    ),
    "a number that is a truth": rewritten(LINKS[0], number=True),
    "a number below one": rewritten(LINKS[0], number=0),
    "a lone surrogate": rewritten(LINKS[0], detail="\ud800"),
    "nested without end": hashed(b'{"a":' + b"[" * 100_000 + b"}"),
    "nested in a known field": hashed(b'{"grounds":' + b'{"x":' * 100_000 + b"}"),
    "a list": hashed(b"[1]"),
    "nothing": None,
}


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_record_is_no_link_and_the_proof_goes_on(value):
    proof, other = Proof(), rewritten(LINKS[0], accountId="home-2")
    found = [proof.take("here", each) for each in (LINKS[0], value, other, *LINKS[1:])]
    assert [each is not None for each in found] == [False, True] + [False] * len(LINKS)
    assert "no link" in found[1].why
    assert proof.newest["home-1"][0] == len(LINKS)
    assert proof.newest["home-2"][0] == 1


def test_the_first_number_of_each_account_is_known():
    proof = Proof()
    for place, link in places([*LINKS[2:], rewritten(LINKS[0], accountId="home-2")]):
        assert proof.take(place, link) is None
    assert proof.first == {"home-1": 3, "home-2": 1}


@given(st.data())
@settings(max_examples=200)
def test_no_single_byte_can_be_changed_unseen(data):
    which = data.draw(st.integers(0, len(LINKS) - 1))
    place = data.draw(st.integers(0, len(LINKS[which]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != LINKS[which][place]))
    spoilt = LINKS[which][:place] + bytes([byte]) + LINKS[which][place + 1 :]
    assert list(broken_links(places([*LINKS[:which], spoilt, *LINKS[which + 1 :]])))


def test_a_link_proves_what_was_said_on_another_topic():
    cluster = utility()
    run(live(cluster, MemoryLog(cluster)))
    proof = Proof()
    for record in cluster.topics[DECISIONS, 0]:
        assert proof.take(str(record.offset), record.value) is None
    (warned,) = cluster.topics["low-balance-warnings", 0]
    assert warned.value is not None
    effect_id = json.loads(warned.value)["effectId"]
    assert proof.proves(effect_id, warned.value)
    assert not proof.proves(effect_id, warned.value + b" ")


def test_a_link_carries_all_inputs_of_the_decision():
    held = next(body for body in map(json.loads, LINKS) if body["kind"] == "held")
    grounds = held["grounds"]
    assert grounds["offsets"]["meter-readings"] == held["cause"]["offset"]
    assert grounds["tariffValidFrom"]
    assert grounds["newestQuality"] == "valid"
    assert grounds["paymentsCaughtUp"] is False
    assert "payments_feed_silent" in grounds["guardsHit"]
    assert "life_support" in grounds["guardsMissed"]
    assert not set(grounds["guardsHit"]) & set(grounds["guardsMissed"])
