"""What is a mistake, to those who try it?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: in `file`, `old` becomes `new`; `tests` are those that should notice.

    Without tests the seeded simulation must find it, which knows the outside alone.
    """

    name: str
    about: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def among(file: str, tests: tuple[str, ...], *mistakes: tuple[str, str, str, str]) -> list[Mutant]:
    """Mistakes in one file that the same tests should notice: (name, about, old, new) of each."""
    return [Mutant(name, about, file, old, new, tests) for name, about, old, new in mistakes]


SIMULATION = ()
"""No tests: the seeded simulation alone must notice."""
