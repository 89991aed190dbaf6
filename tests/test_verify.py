"""Does a terminal tell why, and prove a file of decisions, however it was saved?"""

from __future__ import annotations

import json

import pytest

from deploy.verify import main as verify
from deploy.why import main as ask
from tests.test_why import LINKS


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"\n".join(LINKS) + b"\n")
    return path


def test_at_a_terminal(file, capsys):
    assert ask(["home-1", "--file", str(file), "--zone", "Asia/Shanghai"]) == 0
    said = capsys.readouterr().out
    assert "2026-07-08 10:02: The supply was ordered off" in said
    assert ask(["home-1", "--file", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_proven"] is True


def test_verify_a_file(file, capsys):
    assert verify([str(file)]) == 0
    told = capsys.readouterr().out
    assert f"{len(LINKS)} decisions about 1 accounts were checked: all hold" in told
    assert "written anew from some record on to its end" in told
    file.write_bytes(file.read_bytes().replace(b'"attempt":0', b'"attempt":1', 1))
    assert verify([str(file)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN home-1, link 1 at decisions.jsonl line 1" in said


def test_verify_counts_chains_without_their_beginning(file, capsys):
    file.write_bytes(b"\n".join(LINKS[3:]))
    assert verify([str(file)]) == 0
    assert "the beginning of 1 accounts is missing" in capsys.readouterr().out


def test_verify_against_a_kept_hash(file, capsys):
    kept = json.loads(LINKS[-1])["hash"]
    assert verify([str(file), "--newest", f"home-1={kept[:16].upper()}"]) == 0
    assert verify([str(file), "--newest", f"home-1={kept}", "--newest", f"home-2={kept}"]) == 1
    assert "NOT YOURS home-2" in capsys.readouterr().out
    file.write_bytes(b"\n".join(LINKS[:-1]))
    assert verify([str(file), "--newest", f"home-1={kept}"]) == 1
    assert "NOT YOURS home-1" in capsys.readouterr().out
    for wrong in (kept, f"home-1={kept[:15]}", f"home-1={'g' * 16}"):
        with pytest.raises(SystemExit):
            verify([str(file), "--newest", wrong])


AS_SAVED = {
    "with a byte order mark": b"\xef\xbb\xbf" + b"\n".join(LINKS),
    "by Windows": b"\r\n".join(LINKS) + b"\r\n",
    "with trailing blanks": b" \n".join(LINKS) + b" ",
    "with tabs": b"\t\n".join(LINKS) + b"\t",
    "with empty lines": b"\n\n \n".join(LINKS),
}


@pytest.mark.parametrize("saved", AS_SAVED.values(), ids=AS_SAVED)
def test_what_an_editor_puts_around_the_records_breaks_nothing(saved, file, capsys):
    file.write_bytes(saved)
    assert verify([str(file)]) == 0
    assert ask(["home-1", "--file", str(file)]) == 0
    assert "no record of a decision" not in capsys.readouterr().err


NO_RECORDS = {
    "empty": (b"", 0),
    "blank": (b"\n \n", 0),
    "junk": (b"{}\nnothing\n" * 20, 40),
    "of another encoding": (b"\n".join(LINKS).decode().encode("utf-16"), len(LINKS)),
}


@pytest.mark.parametrize(("saved", "lines"), NO_RECORDS.values(), ids=NO_RECORDS)
def test_a_file_without_records_proves_nothing(saved, lines, file, capsys):
    file.write_bytes(saved)
    assert ask(["home-1", "--file", str(file)]) == 1
    said = capsys.readouterr()
    assert "There is no record of a decision about this account." in said.out
    assert said.err.count("no record of a decision: decisions.jsonl line") == min(lines, 20)
    assert ("more" in said.err) is (lines > 20)
    assert verify([str(file)]) == 1
    told = capsys.readouterr().out
    assert "all hold" not in told
    assert ("There is no record of a decision here" in told) is (lines == 0)


def test_a_spoilt_record_of_the_account_is_no_foreign_line(file, capsys):
    file.write_bytes(b"\n".join([*LINKS[:-1], LINKS[-1][:-1]]))
    assert ask(["home-1", "--file", str(file)]) == 1
    assert "prove nothing" in capsys.readouterr().out
