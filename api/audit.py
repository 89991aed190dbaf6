"""Who did what, and who was refused?

One JSON line for every sign-in, deed and refusal, appended and never changed: who, by which key,
from where, what, about whom, with what outcome.  The gate writes one for whatever changes anything,
by path and status, so that no route can forget it; desks add what was meant.  Keys made and revoked
at a terminal stand there too.  No secret is ever in a line: keys appear by
number.  Reading is not written down; the metrics count it.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

import msgspec

from scoring.units import instant_text

if TYPE_CHECKING:
    from api.people import Person

log = logging.getLogger("kilowatch.audit")


class Audit:
    """Appends to a file, or to the log where none is named."""

    def __init__(self, path: str) -> None:
        self._descriptor = (
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None
        )

    def note(
        self, person: Person | None, deed: str, outcome: str, address: str = "", **more: str
    ) -> None:
        """One line; an append this short is whole even when several processes share the file."""
        line = {
            "at": instant_text(int(time.time())),
            "person": person.name if person else None,
            "proof": person.proof if person else None,
            "from": address,
            "deed": deed,
            "outcome": outcome,
            **more,
        }
        encoded = msgspec.json.encode(line)
        if self._descriptor is None:
            log.info("%s", encoded.decode())
        else:
            os.write(self._descriptor, encoded + b"\n")
