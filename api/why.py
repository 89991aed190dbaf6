"""Why was I cut, warned or left on?  In words a person can follow.

From the links of an account's decisions (`streams.chain`), oldest first, one sentence each, and one
answer to the question itself; in English, or Chinese where customers and clerks read it.  It only
tells what the links say, and says so if they do not hold together, or if their beginning is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.why_words import SENTENCES, STEP_WORDS
from api.words import detail_sentence, hold_sentence
from scoring.effects import DecisionKind, Stage
from streams.chain import ITEM_STATUSES, RECOVERED, Broken, Proof, link_of
from streams.topics import (
    DISCONNECTION_NOTICES,
    LOW_BALANCE_WARNINGS,
    PLAN_NOTICES,
    RESTORE_COMMANDS,
    STATUS_READS,
    TRIP_COMMANDS,
    WORK_ITEMS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo

    from api.words import Language
    from streams.chain import Link, LinkGrounds

NEVER = "-"
"""How an instant is said that there is none of."""

KEPT_ON = (
    DecisionKind.HELD,
    DecisionKind.HOLD_ENDED,
    DecisionKind.NOTICE_WITHDRAWN,
    DISCONNECTION_NOTICES,
)
"""Kinds of links of which the newest says how things stand where nothing was ordered off."""

NOTICES_BY_LAW = ("dunning", "written-notice", "second-notice")
KINDS = {each.value for each in DecisionKind} | {
    LOW_BALANCE_WARNINGS,
    DISCONNECTION_NOTICES,
    TRIP_COMMANDS,
    RESTORE_COMMANDS,
    WORK_ITEMS,
    STATUS_READS,
    PLAN_NOTICES,
}
"""Kinds of links with a sentence of their own; of any other its detail is told as it stands."""

MAYBE_OFF = {
    stage.name.lower() for stage in (Stage.TRIP_COMMANDED, Stage.TRIPPED, Stage.RESTORE_COMMANDED)
}
"""Stages in which nobody may say that the supply was left on."""


@dataclass(frozen=True, slots=True)
class Step:
    """One link in words; `at` is ISO 8601, `cause` the input record it followed from."""

    number: int
    at: str
    kind: str
    effect_id: str
    sentence: str
    cause: str
    hash: str


@dataclass(frozen=True, slots=True)
class Why:
    """The answer, the steps it rests on (oldest first), and whether their chain holds."""

    account_id: str
    answer: str
    steps: tuple[Step, ...]
    is_proven: bool
    proof: str


def why(
    account_id: str, links: Iterable[bytes], language: Language = "en", zone: tzinfo = UTC
) -> Why:
    """Why things are as they are with this account, from its records of `decisions` in order."""
    proof, steps, broken = Proof(), [], ""
    for number, value in enumerate(links):
        known, place, body = proof.links, f"record {number}", link_of(value)
        found = (
            Broken(body.account_id, body.number, place, "is about another account")
            if body is not None and body.account_id != account_id
            else proof.take(place, value)
        )
        if found is not None:
            broken = broken or str(found)
        elif proof.links > known and body is not None:  # else told again after a crash
            steps.append(_step(body, language, zone))
    first = proof.first.get(account_id, 0)
    answer = _answer(steps, first, language)
    told = _proof(proof, account_id, broken, language)
    return Why(account_id, answer, tuple(steps), not broken and first > 0, told)


def _answer(steps: Sequence[Step], first: int, language: Language) -> str:
    """The newest stop and what ended it; without one, the newest of what kept the supply on.

    Commands are repeated until they are proven: the first trip of an episode and the first restore
    after it are the answer, since from them the law's hours count.  `first` is the number of the
    oldest link.
    """
    say = SENTENCES[language]
    cut: Step | None = None
    back: Step | None = None
    newest: Step | None = None
    for step in steps:
        if step.kind == TRIP_COMMANDS:
            if cut is None or back is not None or _episode(cut) != _episode(step):
                cut, back = step, None
        elif step.kind == RESTORE_COMMANDS:
            back = back or step
        elif step.kind in KEPT_ON:
            newest = step
    said = []
    if cut is not None:
        said.append(say["cut"].format(at=_said_of(cut), sentence=cut.sentence))
    elif not steps:
        said.append(say["none"])
    else:
        never = say["never" if first == 1 else "never-since"]
        said.append(never.format(first=first, at=_said_of(steps[0])))
        if newest is not None:
            said.append(say["cut"].format(at=_said_of(newest), sentence=newest.sentence))
    if back is not None:
        said.append(say["back"].format(at=_said_of(back)))
    return " ".join(said)


def _episode(step: Step) -> str:
    """Which episode a command belongs to: its id without the attempt."""
    return step.effect_id.rpartition(":")[0]


def _said_of(step: Step) -> str:
    """When a step was decided, as people tell the time."""
    if step.at == NEVER:
        return NEVER
    at = datetime.fromisoformat(step.at)
    return _said(at, at.tzinfo or UTC)


def _proof(proof: Proof, account_id: str, broken: str, language: Language) -> str:
    """What the records prove, and what they do not: a chain written anew as a whole holds, too."""
    say, newest = SENTENCES[language], proof.newest.get(account_id)
    if broken:
        return say["broken"].format(why=broken)
    if newest is None:
        return say["unproven"]
    first, (last, digest) = proof.first[account_id], newest
    return say["proven" if first == 1 else "proven-since"].format(
        links=proof.links,
        first=first,
        missing=first - 1,
        compare=say["compare"].format(last=last, hash=digest),
    )


def _step(body: Link, language: Language, zone: tzinfo) -> Step:
    told, evidence, grounds = body.told, body.evidence, body.grounds
    kind = body.kind if told is None else told.topic
    effect_id = body.effect_id if told is None else told.effect_id
    say = SENTENCES[language]
    sentence = _template(body, kind, effect_id, say).format(
        ledger=evidence.ledger,
        kind=kind,
        effect_id=effect_id,
        detail=detail_sentence(body.detail, language),
        asked=say[body.detail if body.detail in ITEM_STATUSES else "either"],
        available=evidence.available,
        read_at=_said(evidence.read_at, zone),
        holds=hold_sentence(evidence.holds, language),
        **_said_grounds(grounds, language, zone),
    )
    at, cause = body.decided_at, body.cause
    return Step(
        number=body.number,
        at=NEVER if at is None else at.astimezone(zone).isoformat(),
        kind=kind,
        effect_id=effect_id,
        sentence=sentence,
        cause=f"{cause.topic} {cause.partition} {cause.offset}",
        hash=body.hash,
    )


def _template(body: Link, kind: str, effect_id: str, say: Mapping[str, str]) -> str:
    """The sentence of a link, before its figures."""
    grounds = body.grounds
    what = effect_id.removeprefix(f"{body.account_id}:").split(":")[0]
    if kind == TRIP_COMMANDS and grounds is not None and grounds.procedure == "arrears_stop":
        return say["stop-by-law"]
    if kind == LOW_BALANCE_WARNINGS and body.detail == RECOVERED:
        return say["recovered"]
    if kind == DecisionKind.HELD and grounds is not None and grounds.stage in MAYBE_OFF:
        return say["held-after-trip"]
    if (kind == DISCONNECTION_NOTICES and what in NOTICES_BY_LAW) or (
        kind == WORK_ITEMS and what.startswith("work-")
    ):
        return say.get(what, say[kind])
    return say[kind] if kind in KINDS else "{kind}: {detail}."


def _said_grounds(
    grounds: LinkGrounds | None, language: Language, zone: tzinfo
) -> dict[str, object]:
    """What a sentence says of a judgement's inputs."""
    say, named = SENTENCES[language], STEP_WORDS[language]
    if grounds is None:
        return dict.fromkeys(("delivered_at", "owed", "oldest_due", "overdue_days"), NEVER) | {
            "approved": "",
            "missed": 0,
            "proofs": NEVER,
        }
    proofs = [
        say["proof"].format(step=named.get(each.step, each.step), at=_said(each.proven_at, zone))
        for each in grounds.proofs
    ]
    names = ", ".join(grounds.approvers)
    return {
        "approved": say["approved"].format(approvers=names) if names else "",
        "delivered_at": _said(grounds.notice_delivered_at, zone),
        "missed": len(grounds.guards_missed),
        "owed": grounds.owed,
        "oldest_due": grounds.oldest_due,
        "overdue_days": grounds.overdue_days,
        "proofs": ("; " if language == "en" else "；").join(proofs),
    }


def _said(at: datetime | None, zone: tzinfo) -> str:
    """An instant in a zone for a sentence: to the minute; a dash for "never".

    >>> _said(datetime(2026, 7, 8, 2, 2, 31, tzinfo=UTC), UTC)
    '2026-07-08 02:02 UTC'
    """
    if at is None:
        return NEVER
    there = at.astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M}" + ("" if there.utcoffset() else " UTC")
