"""What an audit in a history promises on whatever database; see `history_cases`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import delete

from api.audit_history import Asked, AuditHistory
from api.history import CursorUnreadable
from api.history_tables import AUDIT_FILES
from scoring.units import instant_text
from tests.history_cases import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from api.history import History


def audit_lines(count: int, at: int = NOON) -> list[bytes]:
    """Lines of an audit, a minute apart: li and wang take turns about two accounts."""
    return [
        msgspec.json.encode(
            {
                "id": f"{at + 60 * i:016x}", "at": instant_text(at + 60 * i),
                "person": ("li", "wang")[i % 2], "proof": "key 1f0c22aa", "from": "10.0.0.1",
                "deed": ("hold-supply", "note", "sign in")[i % 3], "outcome": "written",
                "account": f"home-{i % 2}", "action_id": f"a{i}",
            }
        ) + b"\n"
        for i in range(count)
    ]  # fmt: skip


def noted(history: History, asked: Asked | None = None) -> list[str]:
    """The ids in the audit, newest first, page by page."""
    audit, found, after = AuditHistory(history.engine), [], None
    while True:
        page, after = audit.page(asked or Asked(), 7, after)
        found += [each["id"] for each in page]
        if after is None:
            return found


class AuditCases:
    """The cases; beside `HistoryCases`, whose `history` they take."""

    def test_an_audit_is_copied_once_however_often(self, history: History, tmp_path: Path) -> None:
        path, lines = tmp_path / "audit.jsonl", audit_lines(20)
        audit = AuditHistory(history.engine)
        path.write_bytes(b"")
        assert audit.take(path) == 0
        path.write_bytes(b"".join(lines[:5]) + lines[5][:30])
        assert (audit.take(path), audit.take(path)) == (5, 0)
        path.write_bytes(b"".join(lines))
        assert AuditHistory(history.engine).take(path) == 15, "another process goes on"
        with history.engine.begin() as connection:
            connection.execute(delete(AUDIT_FILES))  # as if the place had never been kept
        assert audit.take(path) == 0
        assert noted(history) == [f"{NOON + 60 * i:016x}" for i in reversed(range(20))]

    def test_a_file_that_was_moved_or_cut_is_a_file_of_its_own(
        self, history: History, tmp_path: Path
    ) -> None:
        path, lines = tmp_path / "audit.jsonl", audit_lines(20)
        audit = AuditHistory(history.engine)
        path.write_bytes(b"".join(lines[:8]))
        assert audit.take(path) == 8
        path.write_bytes(b"".join(lines[:10]))
        path.rename(tmp_path / "audit.jsonl.1")
        path.write_bytes(b"".join(lines[10:]))
        assert audit.take(path) == 10
        assert audit.take(tmp_path / "audit.jsonl.1") == 2
        assert len(noted(history)) == 20

    def test_what_cannot_be_read_stays_in_the_file_and_stops_nothing(
        self, history: History, tmp_path: Path
    ) -> None:
        path, lines = tmp_path / "audit.jsonl", audit_lines(2)
        strange = lines[1].replace(b"home-1", b"a\\u0000b")
        broken = [b"\n", b"{}\n", b"\xff\n", lines[1].replace(b'"at":"2', b'"at":"x')]
        path.write_bytes(b"".join([*broken, lines[0], strange]))
        assert AuditHistory(history.engine).take(path) == 2
        (row,) = AuditHistory(history.engine).page(Asked(account="a\x00b"), 9, None)[0]
        assert row["account"] == "a\x00b", "to the letter"

    def test_an_audit_is_asked_by_who_what_whom_and_when(
        self, history: History, tmp_path: Path
    ) -> None:
        path = tmp_path / "audit.jsonl"
        path.write_bytes(b"".join(audit_lines(60)))
        audit = AuditHistory(history.engine)
        assert audit.as_of() is None
        audit.take(path)
        assert audit.as_of() == instant_text(NOON + 59 * 60)
        for asked, wanted in (
            (Asked(person="li"), range(0, 60, 2)),
            (Asked(account="home-1"), range(1, 60, 2)),
            (Asked(deed="note"), range(1, 60, 3)),
            (Asked(deed="s"), range(2, 60, 3)),
            (Asked(deed="NOTE"), range(0)),
            (Asked(deed="%"), range(0)),
            (Asked(person="li", deed="note"), range(4, 60, 6)),
            (Asked(since=NOON + 600), range(10, 60)),
            (Asked(until=NOON + 600), range(10)),
            (Asked(since=NOON + 600, until=NOON + 660, person="li"), range(10, 11)),
            (Asked(person="li\x00"), range(0)),
        ):
            assert noted(history, asked) == [f"{NOON + 60 * i:016x}" for i in reversed(wanted)]
        (newest,), after = audit.page(Asked(), 1, None)
        assert after is not None
        assert newest == {
            "id": f"{NOON + 59 * 60:016x}", "at": instant_text(NOON + 59 * 60), "person": "wang",
            "proof": "key 1f0c22aa", "from": "10.0.0.1", "deed": "sign in", "outcome": "written",
            "account": "home-1", "more": {"action_id": "a59"},
        }  # fmt: skip
        with pytest.raises(CursorUnreadable):
            audit.page(Asked(), 1, "yesterday")

    def test_an_old_audit_is_forgotten_by_its_own_newest_line(
        self, history: History, tmp_path: Path
    ) -> None:
        path, day = tmp_path / "audit.jsonl", 86_400
        path.write_bytes(b"".join(audit_lines(3) + audit_lines(3, NOON + 9 * day)))
        AuditHistory(history.engine).take(path)
        assert history.forget(10, NOON + 900 * day) == 0, "a clock that runs ahead"
        assert history.forget(8, NOON + 900 * day) == 3
        assert AuditHistory(history.engine).take(path) == 0, "it does not come back"
