"""Is every decision tied to the one before, and is a change of any of them found?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.chain import HASH_TAIL, NO_LINK, Proof, broken_links
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


def rehashed(link: bytes) -> bytes:
    """Somebody who knows how hashes are made changes a link."""
    from hashlib import sha256

    bare = changed(link)[:-HASH_TAIL] + b"}"
    return bare[:-1] + f',"hash":"{sha256(bare).hexdigest()}"}}'.encode()


@pytest.mark.parametrize(
    ("spoil", "number", "why"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_the_first_broken_link_is_named(spoil, number, why):
    first = next(broken_links(places(spoil(LINKS))))
    assert first.number == number
    assert why in first.why
    assert first.place.startswith("decisions 0 ")


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
