"""What does the office know of the works of `kilowatch demo --story`?

Its contract, the seven blocks of its file, and the facts that no meter tells, as a utility's staff
would have entered them before the first day.  The plot is `story`'s.
"""

from __future__ import annotations

from datetime import date

from scoring.contracts import CapacityChange, Change, Contract, Deposit, Transformer
from scoring.customer_file import Block, CustomerFile, Fact
from scoring.units import NANOS_PER_UNIT

FACTS = {
    "ownershipChanges": 0, "isLeased": False,
    "outlook": "stable", "keyList": "city", "demandResponse": "complied", "leaving": "not",
    "bankRating": "aa", "returnedDebits": 0, "taxArrears": False, "netProfitCents": 20,
    "revenueCents": 100, "liabilitiesCents": 40, "assetsCents": 100, "capitalCents": 10**10,
    "connectedDay": "2015-03-01",
}  # fmt: skip

FILED = (
    (Block.OWNERS, "legal_representative", "王建国"),
    (Block.OWNERS, "shareholders", "鲁纺集团 70%，职工持股会 30%"),
    (Block.OWNERS, "capital", "1 亿元"),
    (Block.SUPPLY, "usage_nature", "大工业，连续生产"),
    (Block.SUPPLY, "transformers", "T-1，630 kVA，10 kV"),
    (Block.EQUIPMENT, "main_equipment", "细纱机 42 台，织机 96 台"),
    (Block.EQUIPMENT, "shifts", "三班"),
    (Block.OPERATIONS, "products", "棉纱、坯布"),
    (Block.OPERATIONS, "orders", "排产至 2025 年 3 月"),
    (Block.FINANCE, "bank_rating", "AA"),
    (Block.FINANCE, "tax_arrears", "无"),
    (Block.CONTRACT, "contact", "李敏，财务科"),
)


def contract_of(account_id: str) -> Contract:
    """Its supply contract, with a deposit and one special transformer."""
    installed = CapacityChange(Change.INSTALLED, date(2015, 3, 1), 630_000, "so-31")
    return Contract(
        account_id, "GD-2015-031", "鲁纺棉业有限公司", date(2015, 2, 1), date(2015, 3, 1),
        date(2030, 2, 28), has_prepayment_clause=True, has_plan_clause=True,
        deposits=(Deposit("D-1", 50_000 * NANOS_PER_UNIT, date(2015, 2, 1)),),
        transformers=(Transformer("T-1", 10_000, (installed,)),),
    )  # fmt: skip


def file_of(account_id: str, day: date) -> CustomerFile:
    """Its file as of a local day."""
    facts = tuple(Fact(block, name, text, day, "li.lei") for block, name, text in FILED)
    return CustomerFile(account_id, day.year * 12 + day.month - 1, 1, facts)
