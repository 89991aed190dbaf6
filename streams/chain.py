"""How is every decision about an account tied to the one before it, and how is that proven?

Each thing decided or said about an account (all but daily figures) gets one record on `decisions`,
a link: what was decided, its inputs (`scoring.grounds`), the SHA-256 of the exact bytes that went
to another topic, its number, the hash of the link before, and last its own hash.  The hash is
SHA-256 over the record's bytes without the hash itself: cut the last `HASH_TAIL` bytes off and put
the brace back.  So anybody who reads the topic can prove it with nothing but SHA-256, and nobody
can change, drop or add a link without a break that `broken_links` names, unless all links after it
are written anew: that shows where somebody else kept a newest hash.  The newest hash stands in the
account's durable row, so the chain goes on after a crash where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

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
    from collections.abc import Iterable, Iterator

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


Instant = Annotated[datetime, msgspec.Meta(tz=True)]
FIRST_YEAR, LAST_YEAR = 2, 9_998
"""The years of which every instant can be told in every zone."""


class LinkCause(msgspec.Struct, gc=False):
    """The input record that a decision followed from."""

    topic: str
    partition: int
    offset: int


class LinkTold(msgspec.Struct, rename="camel", gc=False):
    """What was said on another topic, and the hash of its bytes."""

    topic: str
    effect_id: str
    sha256: str


class LinkProof(msgspec.Struct, rename="camel", gc=False):
    """A step of the procedure, and when its proof was in hand."""

    step: str
    proven_at: Instant | None


class LinkEvidence(msgspec.Struct, rename="camel", gc=False):
    """The figures of a decision that are told in words."""

    read_at: Instant | None
    ledger: str
    available: str
    holds: list[str]


class LinkGrounds(msgspec.Struct, rename="camel", gc=False):
    """The inputs of a judgement that are told in words."""

    stage: str
    procedure: str
    guards_missed: list[str]
    owed: str
    oldest_due: str | None
    overdue_days: int
    notice_delivered_at: Instant | None
    proofs: list[LinkProof]
    approvers: list[str]


class Link(msgspec.Struct, rename="camel", gc=False):
    """A link as it is read: what is proven and told of it; whatever has another shape is none."""

    account_id: str
    effect_id: str
    decided_at: Instant | None
    cause: LinkCause
    evidence: LinkEvidence
    kind: str
    detail: str
    grounds: LinkGrounds | None
    told: LinkTold | None
    number: Annotated[int, msgspec.Meta(ge=1)]
    previous: str
    hash: str

    def __post_init__(self) -> None:
        """Raises ValueError for an instant that no calendar of a zone can tell."""
        told = [self.decided_at, self.evidence.read_at]
        if self.grounds is not None:
            told.append(self.grounds.notice_delivered_at)
            told += [each.proven_at for each in self.grounds.proofs]
        for at in told:
            if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
                raise ValueError(f"{at} cannot be told in every zone")


_link_decoder = msgspec.json.Decoder(Link)


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
    """What was proven so far: each account's newest link and first number, and how many there are.

    A first number above 1 says that the beginning is missing, as after two years of keeping.  Links
    may come again after a crash, byte for byte; that is no break.  `said` are the hashes of what
    the links say was told, by effect id, for those who hold the other topics.
    """

    newest: dict[str, tuple[int, str]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)
    links: int = 0
    repeats: int = 0

    def take(self, place: str, value: bytes | None) -> Broken | None:
        """Prove one more record of `decisions`; why its chain breaks there, None if it holds."""
        body = link_of(value)
        if body is None or value is None:
            return Broken("", 0, place, "no link: not written by this version of Kilowatch")
        account_id, number = body.account_id, body.number
        true = sha256(value[:-HASH_TAIL] + b"}").hexdigest()
        if true != body.hash:
            return Broken(account_id, number, place, f"its bytes hash to {true[:16]}..., changed")
        if true in self.seen:
            self.repeats += 1
            return None
        known = self.newest.get(account_id)
        if known is not None:
            before_number, before = known
            if body.previous != before:
                why = f"names {body.previous[:16]}... as the link before, it is {before[:16]}..."
                return Broken(account_id, number, place, why)
            if number != before_number + 1:
                return Broken(account_id, number, place, f"comes after link {before_number}")
        elif (number == 1) != (body.previous == NO_LINK):
            return Broken(account_id, number, place, "begins a chain with a wrong number")
        self.newest[account_id] = number, true
        self.first.setdefault(account_id, number)
        self.seen.add(true)
        self.links += 1
        if body.told is not None:
            self.said[body.told.effect_id] = body.told.sha256
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
            body = link_of(value)
            if body is not None:
                proof.newest[body.account_id] = body.number, body.hash


def link_of(value: bytes | None) -> Link | None:
    """What a record of `decisions` says, None if it is no link, whatever else it may be."""
    if value is None or value[-HASH_TAIL : -HASH_TAIL + len(HASH_HEAD)] != HASH_HEAD:
        return None
    try:
        return _link_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
