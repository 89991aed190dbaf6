"""Was this whole run right?

One verdict over a finished run, in memory or on Kafka: the records that went in, the effects that
came out, the durable rows that remain and what the field did.  Each judgment has a name and a list
of sentences, empty where nothing was wrong.  The judgments themselves are `oracle` (money) and
`oracle_judge` (warnings, trips, restores).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from simulator.answers import Answer, answers, book_of, tariffs_of
from streams.chain import Proof
from streams.rows import decode_ledger_rows
from tests.oracle import NANOS, Oracle, small
from tests.oracle_facts import LogRecord
from tests.oracle_judge import (
    EFFECT_TOPICS,
    NOTICES,
    RESTORES,
    TRIPS,
    WARNINGS,
    Said,
    Witness,
    missed_warnings,
    not_restored,
    short_notices,
    wrong_days,
    wrongful_trips,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.drive import Drive
    from simulator.field import Execution

    Rows = Mapping[int, Sequence[Any]]


def judge_run(
    inputs: list[LogRecord],
    outputs: list[LogRecord],
    rows: Rows,
    executions: list[Execution],
    ended_at: int,
) -> dict[str, list[str]]:
    """Every judgment of a run by name; `rows` are the records of ledger-rows by partition."""
    said = Said.of(record for record in outputs if record.topic in EFFECT_TOPICS)
    oracle = Witness(inputs, said)
    plain = [dict(sheet.plain) for t in oracle.sheets.ids() for sheet in oracle.sheets.versions(t)]
    found = answers(book_of([r for some in rows.values() for r in some]), tariffs_of(plain))
    return {
        "wrongBalances": wrong_balances(oracle, found),
        "wrongRefusals": wrong_refusals(oracle, outputs),
        "wrongDays": wrong_days(oracle, said),
        "wrongCharges": wrong_charges(oracle, said, found),
        "lostEffects": lost_effects(rows, said),
        "twoBodies": said.two_bodies,
        "brokenChains": broken_chains(outputs, said),
        "wrongfulTrips": wrongful_trips(oracle, said),
        "shortNotices": short_notices(oracle, said),
        "missedWarnings": missed_warnings(oracle, said),
        "notRestored": not_restored(oracle, said, executions, ended_at),
        "quarantined": [
            f"{body['effectId']}: {body['detail']}"
            for body in said.by_topic["decisions"]
            if body["kind"] == "quarantined"
        ],
    }


def broken_chains(outputs: list[LogRecord], said: Said) -> list[str]:
    """Links of the chains of decisions that do not hold, and what was told without a link."""
    proof, wrong = Proof(), []
    for record in outputs:
        if record.topic == "decisions":
            broken = proof.take(f"{record.partition} {record.offset}", record.value)
            wrong += [str(broken)] if broken else []
    for topic in (WARNINGS, NOTICES, TRIPS, RESTORES):
        wrong += [
            f"{effect_id} was told by other bytes than its link says"
            for effect_id in (body["effectId"] for body in said.by_topic[topic])
            if not proof.proves(effect_id, said.by_id[effect_id])
        ]
    return wrong


def wrong_balances(oracle: Oracle, found: dict[str, Answer]) -> list[str]:
    """Accounts whose money differs from the truth, if only by a nano."""
    wrong = []
    for account_id, account in oracle.accounts.items():
        answer = found.get(account_id)
        if answer is None:
            wrong.append(f"{account_id} has no row")
            continue
        true = oracle.balance_nanos(account_id)
        if answer.balance_nanos != true:
            read_at = account.usage.read_at if account.usage else 0
            wrong.append(
                f"{account_id}: {answer.balance_nanos / NANOS:.9f} as of {answer.read_at}, "
                f"the oracle says {true / NANOS:.9f} as of {read_at}"
            )
    return wrong


def wrong_charges(oracle: Oracle, said: Said, found: dict[str, Answer]) -> list[str]:
    """Accounts whose days, with what is not told yet, do not add up to their bills."""
    told: dict[str, int] = {}
    for body in said.by_topic["daily-usage"]:
        told[body["accountId"]] = told.get(body["accountId"], 0) + small(body["charge"], NANOS)
    wrong = []
    for account_id, answer in found.items():
        if account_id not in oracle.accounts or answer.is_quarantined:
            continue
        untold = answer.bill_nanos - answer.charged_nanos
        true = oracle.billed_nanos(oracle.accounts[account_id])
        if told.get(account_id, 0) + untold != true:
            days = told.get(account_id, 0) / NANOS
            wrong.append(
                f"{account_id}: days {days:.9f} and {untold / NANOS:.9f} open are not "
                f"{true / NANOS:.9f}"
            )
    return wrong


UNREADABLE = frozenset({"not_json", "wrong_shape", "unknown_version"})
"""Bytes that are no reading may be called any of these: which one is the parser's taste."""


def _named(reason: str) -> str:
    if reason in UNREADABLE:
        return "unreadable"
    return "unknown_account" if reason == "wrong_partition" else reason


def wrong_refusals(oracle: Oracle, outputs: list[LogRecord]) -> list[str]:
    """Readings refused that should count, and the other way round, and wrong names."""
    told = set()
    for record in outputs:
        if record.topic == "refusals":
            body = json.loads(record.value or b"")
            if body["topic"] == "meter-readings":
                item = -1 if body["item"] is None else body["item"]
                told.add((body["partition"], body["offset"], item, _named(body["reason"])))
    true = {(r.partition, r.offset, r.item, _named(r.reason)) for r in oracle.refusals}
    return [f"{each} was not refused" for each in sorted(true - told)] + [
        f"{each} was refused" for each in sorted(told - true)
    ]


def lost_effects(rows: Rows, said: Said) -> list[str]:
    """Effects that were remembered in a durable row and never told.

    A row that stands behind the claim of a later writer is void: its writer had lost the partition
    and knew nothing of it, and what it would have said is not to be said.
    """
    lost = []
    for records in rows.values():
        decoded = decode_ledger_rows(records)
        for position, kept in decoded.effects.items():
            written_at, epoch = int(decoded.log_offset[position]), int(decoded.epoch[position])
            if any(epoch < claimed_at < written_at for claimed_at, _ in decoded.claims):
                continue
            for each in kept:
                if each.effect.topic == "refusals":
                    continue  # named by its offset, and checked against the oracle's refusals
                effect_id = json.loads(each.effect.value)["effectId"]
                if effect_id not in said.by_id:
                    lost.append(f"{effect_id} is in row {written_at} and was never told")
    return lost


def judge_drive(drive: Drive, rows: Rows) -> dict[str, list[str]]:
    """The verdict on a drive over Kafka."""
    inputs = [
        LogRecord(r.topic, r.partition, offset, r.at, r.key, r.value) for offset, r in drive.inputs
    ]
    outputs = [
        LogRecord(t.topic, t.partition, t.offset, t.timestamp // 1000, None, t.value)
        for t in drive.effects
    ]
    world = drive.world
    return judge_run(inputs, outputs, rows, world.field.executions, world.now)
