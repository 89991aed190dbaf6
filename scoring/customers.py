"""Whose use is it that an account's learned row knows?

The customer information system names who uses the energy.  When it names somebody else, the shape
of the load and all that was learned begin again from what is known of the group
(`scoring.cold_start`), as for a new account, and nobody is shown what the former tenant used.
That nobody is tripped meanwhile is `scoring.terms`' to see to; a tenant that no record names is
noticed by its use (`scoring.drift`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.ids import text_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts

HALF = np.uint64(2**32 - 1)
"""The lower half of a hash, as a learned row keeps it."""


def enter(accounts: Accounts, customer_id: str) -> bool:
    """The one account is used by this customer now; whether it was somebody else's before.

    Who is named for the first time has used it all along.
    """
    ledger, learned = accounts.ledger, accounts.learned
    before, now = int(ledger["customer_hash"][0]), text_hash(customer_id)
    ledger["customer_hash"] = now
    is_new = before not in (0, now)
    if is_new:
        forget(ledger, learned)
        ledger["hour_load"] = 0
        learned["level_wh"] = -ledger["day_wh"][:, None]
    return is_new


def forget(ledger: NDArray[Any], learned: NDArray[Any]) -> None:
    """Nothing is known any more of these accounts (n,); what was learned when stays in order.

    `level_wh`, which holds the first part of a day until a whole one is known, is set by `enter` to
    what of today was the former customer's.
    """
    newest = learned["source_offset"].copy()
    learned[:] = np.zeros((), learned.dtype)
    learned["source_offset"], learned["customer"] = newest, halves(ledger["customer_hash"])


def are_former(
    customer_hash: NDArray[np.uint64], customer: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """Whether learned rows of `customer` (n,) are of somebody whom another one has followed.

    A crash may lose a learned row that the ledger's row is ahead of.
    """
    ours = halves(customer_hash)
    former: NDArray[np.bool_] = (customer != 0) & (ours != 0) & (customer != ours)
    return former


def halves(customer_hash: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """What stands in learned rows for these customers (n,)."""
    return (customer_hash & HALF).astype(np.uint32)
