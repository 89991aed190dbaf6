"""Which supply contracts are there, what do they secure, and what expires?

`kilowatch contracts`: contracts from a YAML file into the register, the register of special
transformers with capacity today, and what ends soon, as work for collectors.  What a contract may
say is `scoring.contracts`'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

from deploy.desk import Deeds, Desk
from scoring.collection import Task, ask
from scoring.contracts import Contract, expiries, to_warn_of
from scoring.units import money_text
from streams.wire_customers import fact_from

if TYPE_CHECKING:
    import argparse

    from scoring.collection import Work

EXAMPLES = """examples:
  kilowatch contracts put contracts.yaml      0: all kept; 1: mistakes, nothing kept
  kilowatch contracts list                    customers, security, capacity, last day
  kilowatch contracts transformers            special transformers (10 kV and above) and changes
  kilowatch contracts expiring --to li        what ends within 90 days; work is asked of li

contracts.yaml is a list such as
  - {accountId: mill-1, contractId: GD-7, customerName: 鲁纺棉业, signedOn: 2026-01-05,
     validFrom: 2026-02-01, validTo: 2029-01-31, hasPrepaymentClause: true, hasPlanClause: true,
     guarantors: [{name: 担保公司, amount: '500000', validFrom: 2026-02-01, validTo: 2027-01-31}],
     deposits: [{depositId: D-1, amount: '200000', receivedOn: 2026-02-01}],
     transformers: [{transformerId: T-1, voltageV: 10000, changes: [
       {kind: installed, on: 2026-02-01, capacityVa: 1250000, orderId: so-1}]}]}"""

MAX_FILE_BYTES = 10_000_000
"""No file of contracts is longer; a larger one is a mistake and is not read."""


def main(arguments: list[str]) -> int:
    """Do one deed; 0 done, 1 refused with a sentence that says why."""
    return _deeds().carry_out(arguments)


def put(desk: Desk, options: argparse.Namespace) -> int:
    """Contracts of a file into the register; all or none."""
    found = contracts_of(options.file)
    desk.write(found)
    print(f"{len(found)} contract(s) kept")
    return 0


def contracts_of(path: Path) -> list[Contract]:
    """The contracts in a YAML file.  Raises ValueError naming the entry and the field."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    try:
        # the base loader leaves every scalar as it is written: no float, no guessed date
        plain = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - plain texts only
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(plain, list):
        raise ValueError(f"{path}: is no list of contracts")  # noqa: TRY004 - a wrong file
    found = []
    for number, body in enumerate(plain, 1):
        try:
            found.append(fact_from(Contract, _typed(body)))
        except ValueError as error:
            raise ValueError(f"{path}: contract {number}: {error}") from error
    return found


NUMBERS = ("voltageV", "capacityVa")


def _typed(value: Any, name: str = "") -> Any:
    """Texts of YAML as the wire has them: whole numbers and truths where they are meant."""
    if isinstance(value, dict):
        return {key: _typed(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_typed(each) for each in value]
    if name.startswith("has"):
        return {"true": True, "false": False}.get(value, value)
    if name in NUMBERS and str(value).isdecimal():
        return int(value)
    return None if name == "returnedOn" and value in {"", "null"} else value


def listing(desk: Desk, _options: argparse.Namespace) -> int:
    """All contracts."""
    table = Table(title="contracts")
    for heading in ("contract", "customer", "last day", "security", "kVA", "clauses"):
        table.add_column(heading)
    for one in desk.register.contracts():
        clauses = [("prepayment", one.has_prepayment_clause), ("plan", one.has_plan_clause)]
        table.add_row(
            f"{one.account_id} {one.contract_id}", one.customer_name, one.valid_to.isoformat(),
            money_text(one.security_on(desk.today)), str(one.capacity_on(desk.today) // 1000),
            ", ".join(name for name, there in clauses if there),
        )  # fmt: skip
    Console().print(table)
    return 0


def transformers(desk: Desk, _options: argparse.Namespace) -> int:
    """The register of special transformers, with every change of capacity."""
    table = Table(title="special transformers")
    for heading in ("account", "transformer", "kV", "kVA today", "changes"):
        table.add_column(heading)
    for contract in desk.register.contracts():
        for one in contract.transformers:
            if one.is_special:
                changes = ", ".join(
                    f"{each.on} {each.kind.value} {each.capacity_va // 1000}"
                    for each in one.changes
                )
                table.add_row(
                    contract.account_id, one.transformer_id, f"{one.voltage_v / 1000:g}",
                    str(one.capacity_on(desk.today) // 1000), changes,
                )  # fmt: skip
    Console().print(table)
    return 0


def expiring(desk: Desk, options: argparse.Namespace) -> int:
    """What ends; on the days of warning somebody is asked to renew it."""
    asked: list[Work] = []
    known = {one.work_id for one in desk.register.work()}
    for one in expiries(desk.register.contracts(), desk.today):
        print(f"{one.account_id}: {one.what} ends {one.last_day} ({one.days_left} days)")
        about = f"{one.contract_id}:{one.what}:{one.last_day}"
        work = ask(one.account_id, Task.RENEW_CONTRACT, about, options.to, desk.now)
        if to_warn_of(one) and work.work_id not in known:
            asked.append(work)
    desk.write(asked)
    return 0


def _deeds() -> Deeds:
    deeds = Deeds(
        "kilowatch contracts",
        "Supply contracts, guarantors, deposits and special transformers.",
        EXAMPLES,
    )
    for word, do, meaning in (
        ("put", put, "contracts of a YAML file into the register"),
        ("list", listing, "all contracts"),
        ("transformers", transformers, "special transformers and their capacity"),
        ("expiring", expiring, "what ends soon"),
    ):
        one = deeds.add(word, do, meaning)
        if word == "put":
            one.add_argument("file", type=Path)
        if word == "expiring":
            one.add_argument("--to", default="", help="who is asked to renew; else the duty desk")
    return deeds
