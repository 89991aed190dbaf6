"""What do the routes of one API process share?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.history import History
    from api.view import View
    from scoring.rules import SupplyRules


class Reader(Protocol):
    """Who keeps the view new: `tail.Tail`; in tests, whoever feeds it."""

    @property
    def is_ready(self) -> bool:
        """Whether all there was at first has been read."""

    @property
    def behind(self) -> int | None:
        """Records known and not read yet; None while not known."""


@dataclass(frozen=True, slots=True)
class State:
    """The view, who reads for it, the rules that say what may come next, and the history."""

    """The view, who reads for it, and the rules that say what may come next.

    `links` reads an account's records of `decisions`, in their order.
    """

    view: View
    tail: Reader
    rules: SupplyRules
    history: History | None = None
    links: Callable[[str], Awaitable[list[bytes]]] | None = None
