"""Does "why" claim no more than its records show, whoever wrote them?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api.why import why
from scoring.events import Action, OperatorActed
from streams.chain import NO_LINK
from tests.office import DAY, HOUR, MONDAY, Office
from tests.test_chain import FOREIGN, rewritten
from tests.test_why import LINKS, cut

if TYPE_CHECKING:
    from api.words import Language


def test_no_record_is_no_proof():
    told = why("home-9", [])
    assert told.answer == "There is no record of a decision about this account."
    assert (told.is_proven, told.proof) == (False, "Nothing is proven.")
    assert not why("home-9", [], "zh").is_proven


HOSTILE = {
    name: rewritten(LINKS[-1], **fields)
    for name, fields in {
        "a kind that is a template": {"kind": "broken", "told": None},
        "a notice that is a template": {
            "told": {"topic": "disconnection-notices", "effectId": "home-1:cut", "sha256": ""}
        },
        "a visit that is a template": {
            "told": {"topic": "work-items", "effectId": "home-1:proof", "sha256": ""}
        },
        "a stop without grounds": {
            "told": {"topic": "trip-commands", "effectId": "home-1:trip", "sha256": ""},
            "grounds": None,
        },
        "a step that nobody knows": {
            "grounds": json.loads(LINKS[-1])["grounds"]
            | {"proofs": [{"step": "x", "effectId": "y", "provenAt": None}]}
        },
    }.items()
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_link_of_somebody_elses_making_is_told_as_it_stands(
    value: bytes, language: Language
) -> None:
    assert len(why("home-1", [*LINKS[:-1], value], language).steps) == len(LINKS)


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_record_does_not_stop_the_answer(value: bytes) -> None:
    told = why("home-1", [LINKS[0], value, *LINKS[1:]])
    assert told.answer == why("home-1", LINKS).answer
    assert not told.is_proven


def test_a_link_of_another_account_is_not_told() -> None:
    """A foreign record under the account's key is neither its proof nor its story."""
    other = rewritten(LINKS[0], accountId="home-2")
    told = why("home-1", [other, *LINKS])
    assert not told.is_proven
    assert "home-2, link 1 at record 0: is about another account" in told.proof
    assert [step.number for step in told.steps] == list(range(1, len(LINKS) + 1))
    assert why("home-2", LINKS).answer == "There is no record of a decision about this account."


SINCE: dict[Language, tuple[str, str]] = {
    "en": (
        (
            "The supply was not ordered off since record {first} of 2026-07-08 03:00 UTC; what was "
            "decided before it is not among these records. It was ordered back on 2026-07-08 03:00"
        ),
        "since record {first} hold together; the {missing} before it are not among them.",
    ),
    "zh": (
        (
            "自第 {first} 条记录（2026-07-08 03:00 UTC）以来未对该户下达停电命令；此前的决定不在"
            "这些记录之内。 复电命令下达于 2026-07-08 03:00"
        ),
        "自第 {first} 条起的全部 {links} 条记录首尾相连，校验无误；此前的 {missing} 条不在其内。",
    ),
}


@pytest.mark.parametrize("language", SINCE)
def test_what_is_no_longer_kept_is_not_denied(language: Language) -> None:
    """The records up to the trip are too old and gone: nobody may say that it never was."""
    trip = next(n for n, link in enumerate(LINKS) if b'"trip-commands"' in link)
    told = why("home-1", LINKS[trip + 1 :], language)
    answer, proof = SINCE[language]
    counts = {"first": trip + 2, "missing": trip + 1, "links": len(LINKS) - trip - 1}
    assert told.is_proven
    assert told.answer.startswith(answer.format(**counts))
    assert proof.format(**counts) in told.proof


@pytest.mark.parametrize(
    ("language", "caveat"),
    [
        ("en", "If a copy of your own names the same newest hash"),
        ("zh", "若与自行留存的末条哈希值一致"),
    ],
)
def test_a_chain_written_anew_is_not_called_true(language: Language, caveat: str) -> None:
    """Without its trip, renumbered and rehashed: it holds together, and only a kept hash tells."""
    anew: list[bytes] = []
    previous = NO_LINK
    for link in LINKS:
        if b'"trip-commands"' not in link:
            anew.append(rewritten(link, number=len(anew) + 1, previous=previous))
            previous = json.loads(anew[-1])["hash"]
    told = why("home-1", anew, language)
    assert told.is_proven
    assert caveat in told.proof
    assert why("home-1", LINKS).proof != told.proof


def waiting(*hours: float) -> Office:
    """A home whose money is gone and whose meter never answers after the command, by the hour."""
    office = cut(None)
    for hour in hours:
        at = int(MONDAY + 2 * DAY + hour * HOUR)
        office.beat(at)
        office.tick(at + 60)
    return office


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_first_of_repeated_commands_is_the_answer(language: Language) -> None:
    """The law's hours count from the first stop, and until the first order to end it."""
    office = waiting(11, 11.5, 12, 13)
    assert len(office.told["trip-commands"]) > 1
    told = why("home-1", office.links("home-1"), language)
    assert told.answer.startswith("2026-07-08 02:02 UTC")
    office.pay("home-1", "100", MONDAY + 2 * DAY + 14 * HOUR)
    for minutes in range(30, 150, 30):
        office.beat(MONDAY + 2 * DAY + 14 * HOUR + minutes * 60)
        office.tick(MONDAY + 2 * DAY + 14 * HOUR + minutes * 60 + 60)
    assert len(office.told["restore-commands"]) > 1
    told = why("home-1", office.links("home-1"), language)
    assert told.answer.startswith("2026-07-08 02:02 UTC")
    assert told.answer.endswith(("ordered back on 2026-07-08 06:00 UTC.", "2026-07-08 06:00 UTC。"))


def test_a_later_episode_is_the_answer_though_the_one_before_was_never_ended() -> None:
    trip = next(link for link in LINKS if b'"trip-commands"' in link)
    told = json.loads(trip)["told"]
    chain: list[bytes] = []
    for episode, attempt, hour in ((1, 1, 2), (1, 2, 3), (2, 1, 4), (2, 2, 5)):
        chain.append(
            rewritten(
                trip,
                told=told | {"effectId": f"home-1:trip:{episode}:{attempt}"},
                decidedAt=f"2026-07-08T0{hour}:00:00Z",
                number=len(chain) + 1,
                previous=json.loads(chain[-1])["hash"] if chain else NO_LINK,
            )
        )
    answers = [why("home-1", chain[:length]).answer for length in range(1, 5)]
    assert [answer[11:16] for answer in answers] == ["02:00", "02:00", "04:00", "04:00"]


def test_the_newest_word_is_the_answer():
    """First the payments were unheard of, then a notice went out, then an operator held it."""
    office = Office()
    office.open("home-1", direct_close_agreed=True)
    office.pay("home-1", "10")
    office.live("home-1", 2, watts=2_000)
    assert "The supply was left on: the payments" in why("home-1", office.links("home-1")).answer
    at = MONDAY + 2 * DAY + 9 * HOUR
    office.read("home-1", (at, 57 * 2_000))
    office.beat(at + 60)
    office.tick(at + 120)
    assert why("home-1", office.links("home-1")).answer == (
        "The supply was never ordered off. 2026-07-08 01:02 UTC: "
        "A disconnection notice was sent: -52.35 was available."
    )
    held = OperatorActed("home-1", 0, at + 600, Action.HOLD_SUPPLY, "li", "newborn", at + 600)
    office.event(held, at + 600)
    assert why("home-1", office.links("home-1")).answer == (
        "The supply was never ordered off. 2026-07-08 01:10 UTC: The notice was withdrawn: "
        "home-1:notice:1: protected: an operator asked to leave the supply on."
    )


@pytest.mark.parametrize("stage", ["trip_commanded", "tripped", "restore_commanded"])
def test_nobody_says_left_on_where_it_may_be_off(stage: str) -> None:
    link = next(link for link in LINKS if b'"kind":"held"' in link)
    assert why("home-1", [link]).steps[0].sentence.startswith("The supply was left on")
    grounds = json.loads(link)["grounds"] | {"stage": stage}
    (step,) = why("home-1", [rewritten(link, grounds=grounds)]).steps
    assert step.sentence.startswith("No further command was sent: the ")
