"""Does the learned arrears risk say more than the score alone, or a regression trained once?

`kilowatch risk FILE` goes through a table of customers (last column: 1 if the next due was paid
late) or, without a file, through a seeded world whose times change; each chance is told before any
outcome of its round is known, and all three are judged on the same rows.  It needs no Kafka.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring import credit, risk_quality
from scoring.arrears_risk import PERSONAL_TRAITS, ArrearsRisk, Features, features
from scoring.credit_facts import no_facts
from scoring.credit_weights import PRESETS
from simulator.payers import payers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from scoring.risk_quality import Bin

ROUND = 500
"""Rows of a table told before the first of their outcomes is learned: nobody's bill falls due the
moment the one before is paid."""

TAUGHT_SHARE = 0.3
"""First part of a file or world: it teaches the regression, and nothing is judged on it."""

WORLD_CUSTOMERS, WORLD_MONTHS = 400, 48

REPAYMENT = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
BILLS = tuple(f"BILL_AMT{month}" for month in range(1, 7))
DAYS_A_STATUS = 30
"""A repayment status of the public table counts months of delay."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Customers in the order of time: what was known, the score, and whether the due was late.

    `rounds` says where each round begins; `score` in per cent, NaN without facts.
    """

    known: list[Features]
    score: NDArray[np.float64]
    is_late: NDArray[np.bool_]
    rounds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One way of telling the risk, judged: `inside` of its ten bins lie in their 95 % bands."""

    name: str
    auc: float
    brier: float
    inside: int
    bins: list[Bin]


def main(arguments: list[str] | None = None) -> int:
    """Print how the three compare."""
    parser = argparse.ArgumentParser(description="the learned arrears risk beside its rivals")
    parser.add_argument("file", nargs="?", help="Parquet; last column 1 if paid late")
    parser.add_argument("--seed", type=int, default=1, help="of the world, without a file")
    parser.add_argument("--rows", type=int, help="only the first rows of the file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(arguments)
    outcomes = world(asked.seed) if asked.file is None else table(asked.file, asked.rows)
    judged = compare(outcomes)
    if asked.json:
        print(json.dumps([asdict(each) for each in judged]))
    else:
        _print(judged)
    return 0


def compare(outcomes: Outcomes) -> list[Judged]:
    """The learned risk, the score alone and a regression trained once, judged on the same rows."""
    taught = int(TAUGHT_SHARE * len(outcomes.is_late))
    came = outcomes.is_late[taught:]
    names = sorted({name for told in outcomes.known for name in told})
    columns = np.array(
        [[np.nan if (x := told.get(n)) is None else x for n in names] for told in outcomes.known]
    )
    ways = {
        "learned": learned(outcomes),
        # the score says no chance: it is given the best line through the log odds
        "score alone": risk_quality.trained_once(outcomes.score[:, None], outcomes.is_late, taught),
        "trained once": risk_quality.trained_once(columns, outcomes.is_late, taught),
    }
    return [_judged(name, said[taught:], came) for name, said in ways.items()]


def learned(outcomes: Outcomes) -> NDArray[np.float64]:
    """What the learned risk told (n,): all of a round before any of its outcomes."""
    risk, said = ArrearsRisk(), np.zeros(len(outcomes.known))
    ends = (*outcomes.rounds[1:], len(outcomes.known))
    for first, end in zip(outcomes.rounds, ends, strict=True):
        said[first:end] = [risk.chance(told) for told in outcomes.known[first:end]]
        for at in range(first, end):
            risk.learn(outcomes.known[at], bool(outcomes.is_late[at]), float(said[at]))
    return said


def world(seed: int, customers: int = WORLD_CUSTOMERS, months: int = WORLD_MONTHS) -> Outcomes:
    """The seeded world of `simulator.payers`; a round is a month."""
    made = payers(customers, months, seed)
    facts = made.facts.reshape(-1)
    scores = credit.score(facts, PRESETS["collection"])
    rounds = tuple(range(0, len(facts), customers))
    return Outcomes(features(facts), _percent(scores), made.is_late.reshape(-1), rounds)


def table(path: str | Path, rows: int | None = None) -> Outcomes:
    """A table of customers; ids and personal traits are left out.  Raises FileNotFoundError."""
    from pyarrow import parquet

    read = parquet.read_table(path)
    read = read if rows is None else read.slice(0, rows)
    *names, outcome = read.column_names
    columns = {name: np.asarray(read.column(name), np.float64) for name in names}
    usable = [name for name in names if name.lower() not in {"id", "index"} | PERSONAL_TRAITS]
    known: list[Features] = [
        dict(zip(usable, row, strict=True))
        for row in np.stack([columns[name] for name in usable], axis=1).tolist()
    ]
    late = np.asarray(read.column(outcome), np.float64) > 0
    return Outcomes(known, _score_of(columns), late, tuple(range(0, len(late), ROUND)))


def _score_of(columns: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The credit score of what the public table tells of its clients, by the items it can feed.

    Payment record from months of delay weighted by bills, instalments kept, capital as the limit
    against the mean bill, operating condition as the newest bill against the one before.
    """
    facts = no_facts(len(next(iter(columns.values()))))
    if all(name in columns for name in (*REPAYMENT, *BILLS, "LIMIT_BAL")):
        bills = np.stack([np.maximum(columns[name], 0) for name in BILLS])
        delay = np.stack([columns[name] for name in REPAYMENT])
        cents = (100 * bills).astype(np.int64)
        facts["dues_cents"] = cents.sum(axis=0)
        days = np.where(delay > 0, delay * DAYS_A_STATUS, -1).astype(np.int64)
        facts["days_late_cents"] = (cents * days).sum(axis=0)
        facts["latest_days"] = days.max(axis=0)
        facts["instalments_due"] = len(delay)
        facts["instalments_kept"] = (delay <= 0).sum(axis=0)
        facts["capital_cents"] = (100 * columns["LIMIT_BAL"]).astype(np.int64)
        facts["billed_cents"], facts["billed_months"] = cents.sum(axis=0), len(bills)
        facts["usage_recent_wh"], facts["usage_before_wh"] = cents[0], cents[1]
    return _percent(credit.score(facts, PRESETS["collection"]))


def _percent(scores: credit.Scores) -> NDArray[np.float64]:
    known = scores.possible > 0
    share = 100.0 * scores.reached / np.where(known, scores.possible, 1)
    return np.where(known, share, np.nan)


def _judged(name: str, said: NDArray[np.float64], came: NDArray[np.bool_]) -> Judged:
    bins = risk_quality.reliability(said, came)
    inside = sum(each.is_inside for each in bins)
    return Judged(name, risk_quality.auc(said, came), risk_quality.brier(said, came), inside, bins)


def _print(judged: list[Judged]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    shown = Table("", "AUC", "Brier", "bins inside their 95 % band")
    for each in judged:
        inside = f"{each.inside} of {len(each.bins)}"
        shown.add_row(each.name, f"{each.auc:.4f}", f"{each.brier:.5f}", inside)
    console.print(shown)
    bins = Table("customers", "told", "came", "95 % band", title="learned, by tenths")
    for one in judged[0].bins:
        bins.add_row(
            *(str(one.count), f"{one.said:.3f}", f"{one.came:.3f}"),
            f"{one.least:.3f} to {one.most:.3f}{'' if one.is_inside else '  outside'}",
        )
    console.print(bins)
