"""What do the books bring with each account, and what will clerks and banks add to it?"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simulator import messages
from simulator.meters import DAY_SECONDS

if TYPE_CHECKING:
    from simulator.messages import Input
    from simulator.plan import Account, Plan

HOUR_SECONDS = 3_600


def bookkeeping(plan: Plan, accounts: list[Account], at: int) -> tuple[list[Input], list[Input]]:
    """What an account brings from the books before, and what clerks and banks will add.

    Those who settle by plan have books for certain, and more to owe: late charges are theirs.
    The first list stands before any reading, the second comes in its time.
    """
    dice = random.Random(f"{plan.seed}:books")
    brought: list[Input] = []
    coming: list[Input] = []
    span = int(plan.horizon_days * DAY_SECONDS)
    for account in accounts:
        share, most = plan.bookkeeping_share, 400
        if share and account.customer.payment_mode == "plan":
            share, most = 1.0, 90_000
        if dice.random() >= share:
            continue
        account_id, partition = account.customer.account_id, account.partition
        due = datetime.fromtimestamp(at - dice.randrange(1, 120) * DAY_SECONDS, UTC).date()
        opening = messages.posting(
            account_id, partition, "opening", "opening-balance", at,
            amount=f"-{dice.randint(1, most)}.00", dueOn=due.isoformat(),
        )  # fmt: skip
        brought.append(opening)
        for number in range(dice.randint(1, 4)):
            then = at + dice.randrange(span)
            lands = then + dice.randrange(HOUR_SECONDS, DAY_SECONDS)
            amount, kind = f"{dice.randint(1, 300)}.00", dice.choice(("settled", "failed"))
            name = f"transfer-{number}"
            said = (account_id, partition, name)
            coming.append(messages.posting(*said, "in-flight", then, amount=amount))
            coming.append(messages.posting(*said, kind, lands))
        for kind, least in (("adjustment", -90), ("collection-costs", 1)):
            then, amount = at + dice.randrange(span), f"{dice.randint(least, 90)}.00"
            said = (account_id, partition, kind)
            coming.append(messages.posting(*said, kind, then, amount=amount))
    return brought, coming
