"""Who did what, and who was refused?

One JSON line for every sign-in, deed and refusal, appended and never changed: when, who, by which
key, from where, what, about whom, with what outcome, under an id of its own.  The gate writes one
for whatever changes anything, by path and status, so that no route can forget it; desks add what
was meant.  Keys made and revoked at a terminal stand there too.  No secret is ever in a line: keys
appear by number.  Reading is not written down; the metrics count it.  How the lines can be asked
for is told in `audit_history`.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scoring.units import instant_text

if TYPE_CHECKING:
    from api.people import Person

log = logging.getLogger("kilowatch.audit")


class Audit:
    """Appends to a file, or to the log where none is named."""

    def __init__(self, path: str) -> None:
        self.path = Path(path) if path else None
        self._descriptor = -1
        if self.path is not None:
            self._open(self.path)

    def note(
        self, person: Person | None, deed: str, outcome: str, address: str = "", **more: str
    ) -> None:
        """One line; an append this short is whole even when several processes share the file."""
        line = {
            "id": f"{time.time_ns() // 1000:016x}{secrets.token_hex(4)}",  # in the order of deeds
            "at": instant_text(int(time.time())),
            "person": person.name if person else None,
            "proof": person.proof if person else None,
            "from": address,
            "deed": deed,
            "outcome": outcome,
            **more,
        }
        encoded = msgspec.json.encode(line)
        if self.path is None:
            log.info("%s", encoded.decode())
        else:
            if not self._is_there(self.path):
                self._open(self.path)
            os.write(self._descriptor, encoded + b"\n")

    def _open(self, path: Path) -> None:
        before = self._descriptor
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if before >= 0:
            os.close(before)

    def _is_there(self, path: Path) -> bool:
        """Whether the path still means the open file; it does not once somebody has moved it."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False
