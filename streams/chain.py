"""How is every decision about an account tied to the one before it, and how is that proven?

Each thing decided or said about an account (all but daily figures) gets one record on `decisions`,
a link: what was decided, its inputs (`scoring.grounds`), the SHA-256 of the exact bytes that went
to another topic, its number, the hash of the link before, and last its own hash.  The hash is
SHA-256 over the record's bytes without the hash itself: cut the last `HASH_TAIL` bytes off and put
the brace back.  So anybody who reads the topic can prove it with nothing but SHA-256, and nobody
can change, drop or add a link without a break that `broken_links` names.  The newest hash stands in
the account's durable row, so the chain goes on after a crash where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from scoring.effects import (
    AccountForecast,
    DailyUsage,
    Decision,
    LowBalanceWarning,
    RestoreCommand,
    Tier,
    WorkItem,
)
from streams.topics import DECISIONS
from streams.wire_base import Encoded
from streams.wire_effects import decision_body, encode_grounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from scoring.effects import Effect
    from scoring.grounds import Grounds

NOT_LINKED = (DailyUsage, AccountForecast)
"""Daily figures: their inputs are the readings themselves, and nothing follows from them."""

HASH_HEAD = b',"hash":"'
HASH_HEX = 64
HASH_TAIL = len(HASH_HEAD) + HASH_HEX + len(b'"}')

NO_LINK = "0" * HASH_HEX
"""What the first link names as the one before it."""

RECOVERED = "recovered"
"""Detail of a warning's link that takes the warnings before it back."""

ITEM_STATUSES = ("open", "withdrawn")
"""Details of a work item's link."""

TOLD = "told"
"""Kind of a link that stands for what was said on another topic."""


def link(row: NDArray[Any], effect: Effect, said: Encoded, grounds: Grounds | None) -> Encoded:
    """The link of an effect in its account's chain; the row (1,) is changed to end with it.

    `said` is the effect's own record.  A Decision is its own link, with the chain's fields added.
    """
    number = int(row["chain_number"][0]) + 1
    previous = np.ascontiguousarray(row["chain_hash"][0]).astype("<u8").tobytes().hex()
    told, decision = None, effect
    if not isinstance(decision, Decision):
        told = {
            "topic": said.topic,
            "effectId": effect.effect_id,
            "sha256": sha256(said.value).hexdigest(),
        }
        decision = Decision(
            f"{effect.account_id}:link:{number}",
            effect.account_id,
            effect.decided_at,
            effect.cause,
            effect.evidence,
            TOLD,
            _detail(effect),
        )
    body = decision_body(decision) | {
        "grounds": None if grounds is None else encode_grounds(grounds),
        "told": told,
        "number": number,
        "previous": previous,
    }
    bare = msgspec.json.encode(body)
    digest = sha256(bare).digest()
    row["chain_number"] = number
    row["chain_hash"] = np.frombuffer(digest, "<u8")
    value = bare[:-1] + HASH_HEAD + digest.hex().encode() + b'"}'
    return Encoded(DECISIONS, effect.account_id.encode(), value)


def _detail(effect: Effect) -> str:
    """What of an effect a reader of its link wants to know, and the link's evidence lacks."""
    match effect:
        case RestoreCommand():
            return effect.reason
        case LowBalanceWarning():
            return RECOVERED if effect.tier is Tier.NORMAL else effect.tier.name.lower()
        case WorkItem():
            assert effect.status in ITEM_STATUSES, effect.status
            return effect.status
        case _:
            return effect.effect_id


def is_linked(effect: Effect) -> bool:
    """Whether this effect stands in its account's chain."""
    return not isinstance(effect, NOT_LINKED)


@dataclass(frozen=True, slots=True)
class Broken:
    """A link that does not hold: whose, its number (0 unreadable), where it stands, and why."""

    account_id: str
    number: int
    place: str
    why: str

    def __str__(self) -> str:
        return f"{self.account_id or 'nobody'}, link {self.number} at {self.place}: {self.why}"


@dataclass(slots=True)
class Proof:
    """What was proven so far: the newest link of each account, and how many there are.

    Links may come again after a crash, byte for byte; that is no break.  `said` are the hashes of
    what the links say was told, by effect id, for those who hold the other topics.
    """

    newest: dict[str, tuple[int, str]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)
    links: int = 0
    repeats: int = 0

    def take(self, place: str, value: bytes | None) -> Broken | None:
        """Prove one more record of `decisions`; why its chain breaks there, None if it holds."""
        body = _body(value)
        if body is None or value is None:
            return Broken("", 0, place, "no link: not written by this version of Kilowatch")
        account_id, number = str(body["accountId"]), int(body["number"])
        stated, previous = str(body["hash"]), str(body["previous"])
        true = sha256(value[:-HASH_TAIL] + b"}").hexdigest()
        if true != stated:
            return Broken(account_id, number, place, f"its bytes hash to {true[:16]}..., changed")
        if true in self.seen:
            self.repeats += 1
            return None
        known = self.newest.get(account_id)
        if known is not None:
            before_number, before = known
            if previous != before:
                why = f"names {previous[:16]}... as the link before, it is {before[:16]}..."
                return Broken(account_id, number, place, why)
            if number != before_number + 1:
                return Broken(account_id, number, place, f"comes after link {before_number}")
        elif (number == 1) != (previous == NO_LINK):
            return Broken(account_id, number, place, "begins a chain with a wrong number")
        self.newest[account_id] = number, true
        self.seen.add(true)
        self.links += 1
        if body["told"] is not None:
            self.said[body["told"]["effectId"]] = body["told"]["sha256"]
        return None

    def proves(self, effect_id: str, value: bytes) -> bool:
        """Whether these are the very bytes a link says were told under this id."""
        return self.said.get(effect_id) == sha256(value).hexdigest()


def broken_links(records: Iterable[tuple[str, bytes | None]]) -> Iterator[Broken]:
    """Every break among records (place, value) of `decisions`, in their order.

    After a break the account's chain goes on from the link that broke it, so that one change is
    named once.
    """
    proof = Proof()
    for place, value in records:
        broken = proof.take(place, value)
        if broken is not None:
            yield broken
            body = _body(value)
            if body is not None:
                proof.newest[str(body["accountId"])] = int(body["number"]), str(body["hash"])


def _body(value: bytes | None) -> Mapping[str, Any] | None:
    """A link's body, None if it is none."""
    if value is None or value[-HASH_TAIL : -HASH_TAIL + len(HASH_HEAD)] != HASH_HEAD:
        return None
    try:
        body = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    wanted = ("accountId", "number", "hash", "previous", "told", "grounds")
    is_whole = isinstance(body, dict) and all(name in body for name in wanted)
    return body if is_whole and isinstance(body["number"], int) else None
