"""Who did what can be asked, by auditors alone, and no line is lost while a database is away."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import application
from api.audit import Audit
from api.audit_history import Asked, AuditCopier, AuditHistory
from api.audit_routes import AuditAnswer
from api.history import History
from api.history_tables import engine_of, migrate
from api.security import Security
from api.shapes import ProblemShown
from deploy.cli import main
from streams.settings import Settings
from tests.audit_cases import audit_lines, noted
from tests.test_actions import Kept
from tests.test_security import Asking

if TYPE_CHECKING:
    from pathlib import Path

ACT = "/v1/accounts/mine/actions"
DISPUTE = {"action": "dispute", "reason": "the meter"}


class Audited(Asking):
    """An API with keys whose audit is copied into a database when the test says so."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.engine = engine_of(f"sqlite:///{directory}/history.db")
        self.state = replace(self.state, history=History(self.engine), writer=Kept())
        self.app = application(self.state)
        self.copier = AuditCopier(AuditHistory(self.engine), self.audit)

    def notes(self, query: str = "") -> list[dict]:
        return self.as_("auditor", "GET", f"/v1/audit{query}").json()["notes"]


@pytest.fixture
def audited(tmp_path) -> Audited:
    audited = Audited(tmp_path)
    migrate(audited.engine)
    yield audited
    audited.engine.dispose()


def test_a_deed_and_a_refusal_can_be_read(audited):
    audited.as_("operator", "POST", ACT, json=DISPUTE)
    audited.as_("viewer", "POST", ACT, json=DISPUTE)
    audited.as_("collector", "GET", "/v1/accounts/theirs")
    audited.request("GET", "/v1/accounts", headers={"authorization": "Bearer kw_secret"})
    audited.copier.copy()
    answer = audited.as_("auditor", "GET", "/v1/audit")
    AuditAnswer.model_validate(answer.json())
    notes = answer.json()["notes"]
    assert [(each["person"], each["deed"], each["outcome"], each["account"]) for each in notes] == [
        (None, "GET /v1/accounts", "refused 401", None),
        ("collector", "GET /v1/accounts/{account_id}", "refused 403", "theirs"),
        ("viewer", "POST /v1/accounts/{account_id}/actions", "refused 403", "mine"),
        ("viewer", "dispute", "refused 403", "mine"),
        ("operator", "POST /v1/accounts/{account_id}/actions", "answered 202", "mine"),
        ("operator", "dispute", "written", "mine"),
    ]
    assert notes[-1]["proof"].startswith("key ")
    assert notes[-1]["more"].keys() == {"action_id"}
    assert answer.json()["asOf"] == notes[0]["at"]
    assert "kw_" not in answer.text


def test_a_list_that_has_not_changed_is_not_sent_again(audited):
    audited.as_("operator", "POST", ACT, json=DISPUTE)
    audited.copier.copy()
    first = audited.as_("auditor", "GET", "/v1/audit")
    known = {"if-none-match": first.headers["etag"]}
    assert audited.as_("auditor", "GET", "/v1/audit", headers=known).status_code == 304
    audited.as_("operator", "POST", ACT, json=DISPUTE)
    audited.copier.copy()
    assert audited.as_("auditor", "GET", "/v1/audit", headers=known).status_code == 200


def test_it_is_asked_by_who_what_whom_and_when_page_by_page(audited, tmp_path):
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(audit_lines(60)))
    AuditHistory(audited.engine).take(lines)
    assert len(audited.notes("?person=li&deed=hold&account=home-0")) == 10
    assert len(audited.notes("?from=2026-07-01T12:10:00%2B08:00")) == 50
    assert len(audited.notes("?to=2026-07-01T04:10:00Z")) == 10
    assert audited.notes("?person=nobody") == audited.notes("?account=a%00b") == []
    path, seen = "/v1/audit?limit=7&person=li", []
    while path is not None:
        body = audited.as_("auditor", "GET", path).json()
        seen += [each["id"] for each in body["notes"]]
        path = body["next"]
    assert seen == noted(History(audited.engine), Asked(person="li"))
    assert len(seen) == 30


@pytest.mark.parametrize(
    "query",
    ["from=yesterday", "from=2026-07-01T12:00:00", "after=x", "limit=0", "person=" + "x" * 201],
)
def test_what_cannot_be_answered_is_a_named_problem(audited, query):
    answer = audited.as_("auditor", "GET", f"/v1/audit?{query}")
    assert answer.status_code == 422
    ProblemShown.model_validate(answer.json())


@pytest.mark.parametrize("page", ["/v1/audit", "/audit"])
@pytest.mark.parametrize("lacking", ["file", "history", "tables"])
def test_where_it_cannot_be_read_the_answer_says_what_to_do(tmp_path, lacking, page):
    audited = Audited(tmp_path)
    if lacking == "file":
        told = Settings(keys_file=str(audited.path))
        audited.state = replace(audited.state, security=Security(told))
    if lacking == "history":
        audited.state = replace(audited.state, history=None)
    audited.app = application(audited.state)
    answer = audited.as_("auditor", "GET", page)
    assert answer.status_code == 503
    if page == "/v1/audit":
        advice = {"file": "KILOWATCH_AUDIT_FILE"}.get(lacking, "kilowatch history")
        assert advice in answer.json()["detail"]
    else:
        assert 'role="alert"' in answer.text
    audited.engine.dispose()


def test_while_the_database_is_away_lines_wait_in_their_file(audited, tmp_path, caplog):
    database, away = tmp_path / "history.db", tmp_path / "away.db"
    audited.engine.dispose()
    database.rename(away)
    database.mkdir()  # whatever opens it now fails
    for _ in range(3):
        assert audited.as_("operator", "POST", ACT, json=DISPUTE).status_code == 202
        audited.copier.copy()
    assert audited.copier.is_away
    assert audited.copier.waiting_bytes() == audited.audit.stat().st_size > 0
    assert caplog.text.count("waits in its file") == 1, "said once"
    assert audited.as_("auditor", "GET", "/v1/audit").status_code == 503
    database.rmdir()
    away.rename(database)
    audited.copier.copy()
    assert not audited.copier.is_away
    assert audited.copier.waiting_bytes() == 0
    assert len(audited.notes("?deed=dispute")) == 3


def test_a_file_that_was_moved_away_is_begun_anew_and_taken_by_hand(
    audited, tmp_path, monkeypatch, caplog
):
    audited.as_("operator", "POST", ACT, json=DISPUTE)
    moved = tmp_path / "audit.jsonl.1"
    audited.audit.rename(moved)
    audited.as_("operator", "POST", ACT, json=DISPUTE)
    assert audited.audit.stat().st_mode & 0o777 == 0o600
    audited.copier.copy()
    assert len(audited.notes("?deed=dispute")) == 1
    monkeypatch.setenv("KILOWATCH_HISTORY_URL", f"sqlite:///{tmp_path}/history.db")
    with caplog.at_level(logging.INFO):
        assert main(["history", "take-audit", str(moved)]) == 0
    assert "2 lines are new" in caplog.text
    assert len(audited.notes("?deed=dispute")) == 2


def test_ids_stand_in_the_order_of_deeds(tmp_path):
    audit = Audit(str(tmp_path / "audit.jsonl"))
    for number in range(200):
        audit.note(None, f"deed {number}", "done")
    lines = [json.loads(each) for each in (tmp_path / "audit.jsonl").read_text().splitlines()]
    ids = [each["id"] for each in lines]
    assert ids == sorted(ids)
    assert len(set(ids)) == 200


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3_000), max_size=6), again=st.booleans(), count=st.integers(1, 12)
)
def test_however_the_file_grows_and_whoever_copies_each_line_is_there_once(
    tmp_path_factory, cuts, again, count
):
    directory = tmp_path_factory.mktemp("audit")
    engine = engine_of(f"sqlite:///{directory}/history.db")
    migrate(engine)
    text, path = b"".join(audit_lines(count)), directory / "audit.jsonl"
    copier = AuditCopier(AuditHistory(engine), path)
    for cut in [*sorted(cuts), len(text)]:
        path.write_bytes(text[:cut])
        copier.copy()
        if again:
            AuditHistory(engine).take(path)  # another process, of the same file
    wanted = [json.loads(each)["id"] for each in reversed(text.splitlines())]
    assert noted(History(engine)) == wanted
    engine.dispose()
