"""How does the audit become readable, and what stands in it?

The lines that `audit` appends are the first truth.  They are copied from the file into the
database of the history, each once by its id, and the place in the file up to which they are is kept
in the same transaction; so a database that is away, or a process that dies, delays a line and loses
none.  A file is known by its first line, wherever it lies and whatever it is called by now.  The
HTTP route is in `audit_routes`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from api.history import insert_of, read_after
from api.history_tables import AUDIT, AUDIT_FILES
from scoring.units import instant, instant_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Engine

log = logging.getLogger(__name__)

COPY_SECONDS = 0.5
"""How often the file is looked at: what somebody did is in the list about as soon."""

AWAY_SECONDS = 10.0
"""How long a database that does not answer is left alone."""

CHUNK_BYTES = 1 << 20
"""Copied in one transaction: some 5,000 lines, a fraction of a second."""


class _Line(msgspec.Struct, gc=False):
    """What is looked for in a line; the rest stays in its text."""

    id: str
    at: str
    deed: str
    person: str | None = None
    account: str | None = None


_line_decoder = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines are wanted; None: of all.  `since` and `until` in UTC seconds, until excluded."""

    person: str | None = None
    deed: str | None = None
    account: str | None = None
    since: int | None = None
    until: int | None = None


class AuditHistory:
    """The audit in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = insert_of(engine)

    def take(self, path: Path) -> int:
        """Copy what is not copied of a file; how many lines were new.

        Half a line at the end is left for the next time.  Raises OSError, SQLAlchemyError.
        """
        with path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b"\n"):
                return 0
            name = hashlib.sha256(first).hexdigest()
            place = self._place(name)
            file.seek(place)
            taken = 0
            while lines := [each for each in file.readlines(CHUNK_BYTES) if each.endswith(b"\n")]:
                place += sum(map(len, lines))
                taken += self._keep(name, place, lines)
        return taken

    def _place(self, name: str) -> int:
        known = select(AUDIT_FILES.c.next_byte).where(AUDIT_FILES.c.file == name)
        with self._engine.connect() as connection:
            return connection.execute(known).scalar() or 0

    def _keep(self, name: str, place: int, lines: Sequence[bytes]) -> int:
        rows, strange = {}, 0
        for line in lines:
            try:
                row = _row_of(line)
            except (msgspec.MsgspecError, ValueError):
                strange += 1
            else:
                rows[row["event_id"]] = row
        if strange:
            log.warning("%d lines of the audit's file are none of ours; they stay there", strange)
        move = self._insert(AUDIT_FILES)
        move = move.on_conflict_do_update(
            index_elements=["file"], set_={"next_byte": move.excluded.next_byte}
        )
        new = self._insert(AUDIT).on_conflict_do_nothing().returning(AUDIT.c.event_id)
        with self._engine.begin() as connection:
            written = connection.execute(new, list(rows.values())).all() if rows else []
            connection.execute(move, [{"file": name, "next_byte": place}])
        return len(written)

    def page(
        self, asked: Asked, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The lines asked for, newest first, and the `after` of the next page.

        `deed` is how a deed begins.  Raises CursorUnreadable.
        """
        wanted = select(AUDIT.c.noted_at, AUDIT.c.event_id, AUDIT.c.body)
        for column, text in ((AUDIT.c.person, asked.person), (AUDIT.c.account_id, asked.account)):
            if text is not None:
                wanted = wanted.where(column == _storable(text))
        if asked.deed is not None:
            begins = func.substr(AUDIT.c.deed, 1, len(asked.deed)) == _storable(asked.deed)
            wanted = wanted.where(begins)
        if asked.since is not None:
            wanted = wanted.where(AUDIT.c.noted_at >= asked.since)
        if asked.until is not None:
            wanted = wanted.where(AUDIT.c.noted_at < asked.until)
        if after is not None:
            noted_at, event_id = read_after(after)
            place = tuple_(AUDIT.c.noted_at, AUDIT.c.event_id)
            wanted = wanted.where(place < tuple_(literal(noted_at), literal(event_id)))
        newest = wanted.order_by(AUDIT.c.noted_at.desc(), AUDIT.c.event_id.desc())
        with self._engine.connect() as connection:
            found = connection.execute(newest.limit(limit + 1)).all()
        last = found[limit - 1] if len(found) > limit else None
        following = None if last is None else f"{last.noted_at}~{last.event_id}"
        return [_told(each.body) for each in found[:limit]], following

    def as_of(self) -> str | None:
        """When the newest line was written that the database has."""
        with self._engine.connect() as connection:
            newest = connection.execute(select(func.max(AUDIT.c.noted_at))).scalar()
        return None if newest is None else instant_text(newest)


class AuditCopier:
    """Copies an API process's own file whenever it has grown; `is_away`: the lines wait there."""

    def __init__(self, audit: AuditHistory, path: Path) -> None:
        self._audit, self._path = audit, path
        self._copied: tuple[int, int] | None = None
        self.is_away = False

    async def run(self) -> None:
        """Copy until cancelled."""
        while True:
            await asyncio.to_thread(self.copy)
            await asyncio.sleep(AWAY_SECONDS if self.is_away else COPY_SECONDS)

    def waiting_bytes(self) -> int:
        """How much of the file is not copied yet; 0 where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return 0
        inode, size = self._copied or (found.st_ino, 0)
        return found.st_size - size if found.st_ino == inode else found.st_size

    def copy(self) -> None:
        """Copy what is new; what cannot be copied now stays in the file."""
        try:
            found = self._path.stat()
            if (found.st_ino, found.st_size) != self._copied:
                self._audit.take(self._path)
                self._copied = found.st_ino, found.st_size
        except (OSError, SQLAlchemyError) as error:
            if not self.is_away:
                log.warning("the audit waits in its file: %s", type(error).__name__)
            self.is_away = True
        else:
            self.is_away = False


def _row_of(line: bytes) -> dict[str, Any]:
    noted = _line_decoder.decode(line)
    return {
        "event_id": _storable(noted.id),
        "noted_at": instant(noted.at),
        "person": _storable(noted.person),
        "deed": _storable(noted.deed),
        "account_id": _storable(noted.account),
        "body": line.decode().rstrip("\n"),
    }


def _storable(text: str | None) -> str | None:
    """Without the one character that PostgreSQL keeps in no text."""
    return None if text is None else text.replace("\x00", "\N{SYMBOL FOR NULL}")


SHOWN = ("id", "at", "person", "proof", "from", "deed", "outcome", "account")


def _told(body: str) -> dict[str, Any]:
    """A line as it is answered: what every line has, and apart from it what some have."""
    line = msgspec.json.decode(body)
    more = {name: str(text) for name, text in line.items() if name not in SHOWN}
    return {name: line.get(name) for name in SHOWN} | {"more": more}
