"""Does a field system let through exactly the commands Kilowatch meant, once and in time?"""

from __future__ import annotations

import ast
import io
import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.signing_keys import main as keys_command
from scoring.units import instant
from streams import command_verifier
from streams.command_verifier import CommandRefused, CommandVerifier, KeysWrong
from streams.command_verifier import main as verifier_command
from streams.signing import Signer, SigningKey, signer_from
from tests.keys import DECIDED_AT, NEW_FROM, command, secret, signer, verifier


def test_a_genuine_command_is_let_through_once():
    signed, receiver = signer().signed(command(), DECIDED_AT), verifier()
    assert receiver.accept(signed, DECIDED_AT + 60)["effectId"] == "home-1:trip:1:1"
    with pytest.raises(CommandRefused, match="repeated"):
        receiver.accept(signed, DECIDED_AT + 61)


def respelt(signed):
    """The same signature with another last letter, of which base64 drops four bits."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    place = letters.index(chr(signed[-5]))
    other = letters[place ^ 1].encode()
    return signed[:-5] + other + signed[-4:]


REFUSED = [
    # what is done to the command, seconds after its decision, why it is refused
    ("in its last second", lambda body: signer().signed(body, DECIDED_AT), 1_800, None),
    ("a second too late", lambda body: signer().signed(body, DECIDED_AT), 1_801, "expired"),
    ("a little early", lambda body: signer().signed(body, DECIDED_AT), -120, None),
    ("from the future", lambda body: signer().signed(body, DECIDED_AT), -121, "from_future"),
    ("not signed", lambda body: body, 60, "unsigned"),
    ("not JSON", lambda _body: b"trip!", 60, "unreadable"),
    ("a tombstone", lambda _body: None, 60, "unreadable"),
    ("nested without end", lambda _body: b"[" * 100_000, 60, "unreadable"),
    ("nested in a small record", lambda _body: b"[" * 60_000, 60, "unreadable"),
    ("endless", lambda body: signer().signed(body, DECIDED_AT) + b" " * 65_536, 60, "unreadable"),
    ("a number as its id", lambda _body: command(effectId=7), 60, "unreadable"),
    ("with an expiry that is no instant", lambda _body: signer().signed(
        command(expiresAt="later"), DECIDED_AT), 60, "unreadable"),
    ("of before all time", lambda _body: signer().signed(
        command(decidedAt="0001-01-01T00:00:00+14:00"), DECIDED_AT), 60, "key_not_valid"),
    ("a list as its key", lambda _body: command(keyId=[], signature=""), 60, "unsigned"),
    ("signed in words", lambda body: signer().signed(body, DECIDED_AT)[:-90] + "é".encode() * 44
     + b'"}', 60, "wrong_signature"),
    ("signed in escapes", lambda body: signer().signed(body, DECIDED_AT)[:-90] + b"A" * 82
     + rb"\ud800" + b'"}', 60, "wrong_signature"),
    ("signed in other letters", lambda body: respelt(signer().signed(body, DECIDED_AT)), 60,
     "wrong_signature"),
    ("of another account", lambda body: signer().signed(body, DECIDED_AT).replace(
        b"home-1:trip", b"home-2:trip"), 60, "wrong_signature"),
    ("with a later expiry", lambda body: signer().signed(body, DECIDED_AT).replace(
        b"T04:30", b"T05:30"), 60, "wrong_signature"),
    ("by a stranger's key", lambda body: signer("stranger").signed(body, DECIDED_AT), 60,
     "unknown_key"),
    ("by a key of the future", lambda body: signer(only="new").signed(body, DECIDED_AT), 60,
     "key_not_valid"),
    ("with an unknown control", lambda body: signer().signed(
        body.replace(b"3.31.0.23", b"3.31.0.99"), DECIDED_AT), 60, "unknown_control"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("done", "later", "why"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_the_rest_is_refused_by_name(done, later, why):
    value = done(command())
    if why is None:
        assert verifier().accept(value, DECIDED_AT + later)
        return
    with pytest.raises(CommandRefused) as refused:
        verifier().accept(value, DECIDED_AT + later)
    assert refused.value.reason == why


def test_a_slow_clock_in_the_field_keeps_nobody_in_the_dark():
    """An hour behind, the receiver refuses trips as from the future; restores it lets through."""
    receiver, sign = verifier(), signer()
    restore = command(
        effectId="home-1:restore:1:1", controlCode="3.31.0.5", cancels="home-1:trip:1:1"
    )
    assert receiver.accept(sign.signed(restore, DECIDED_AT), DECIDED_AT - 3_600)
    with pytest.raises(CommandRefused, match="repeated"):
        receiver.accept(sign.signed(restore, DECIDED_AT), DECIDED_AT - 3_599)
    with pytest.raises(CommandRefused, match="from_future"):
        receiver.accept(sign.signed(command(), DECIDED_AT), DECIDED_AT - 3_600)


def test_a_trip_is_void_once_its_restore_has_come():
    receiver, sign = verifier(), signer()
    restore = command(
        effectId="home-1:restore:1:1", controlCode="3.31.0.18", cancels="home-1:trip:1:1"
    )
    assert receiver.accept(sign.signed(restore, DECIDED_AT), DECIDED_AT + 5)
    with pytest.raises(CommandRefused, match="cancelled"):
        receiver.accept(sign.signed(command(), DECIDED_AT), DECIDED_AT + 6)


def test_a_restore_that_has_expired_still_cancels_its_trip():
    receiver, sign = verifier(), signer()
    restore = command(
        effectId="home-1:restore:1:1", controlCode="3.31.0.18", cancels="home-1:trip:1:1",
        expiresAt="2026-07-06T04:00:01Z",
    )  # fmt: skip
    with pytest.raises(CommandRefused, match="expired"):
        receiver.accept(sign.signed(restore, DECIDED_AT), DECIDED_AT + 5)
    with pytest.raises(CommandRefused, match="cancelled"):
        receiver.accept(sign.signed(command(), DECIDED_AT), DECIDED_AT + 6)


def test_a_clock_that_steps_back_brings_no_trip_to_life():
    receiver, signed = verifier(), signer().signed(command(), DECIDED_AT)
    receiver.accept(signed, DECIDED_AT)
    later = command(effectId="home-2:trip:1:1", expiresAt="2026-07-06T06:00:00Z")
    receiver.accept(signer().signed(later, DECIDED_AT), DECIDED_AT + 1_900)
    untold = command(effectId="home-3:trip:1:1")
    for body in (signed, signer().signed(untold, DECIDED_AT)):
        with pytest.raises(CommandRefused, match="expired"):
            receiver.accept(body, DECIDED_AT + 1_790)


@pytest.mark.parametrize(("hours", "why"), [(1, "repeated"), (5, "repeated"), (7, None)])
def test_a_restore_is_remembered_for_hours_after_its_expiry(hours, why):
    receiver, sign = verifier(), signer()
    restore = command(effectId="home-1:restore:1:1", controlCode="3.31.0.5")
    signed, late = sign.signed(restore, DECIDED_AT), DECIDED_AT + 1_800 + hours * 3_600
    assert receiver.accept(signed, DECIDED_AT)
    other = command(
        effectId="home-2:restore:1:1", controlCode="3.31.0.5", expiresAt="2026-07-07T00:00:00Z"
    )
    assert receiver.accept(sign.signed(other, DECIDED_AT), late)
    if why is None:
        assert receiver.accept(signed, DECIDED_AT + 60)
        return
    with pytest.raises(CommandRefused, match=why):
        receiver.accept(signed, DECIDED_AT + 60)


def test_a_restore_is_not_held_back_by_a_clock_that_was_wrong_for_a_while():
    receiver = verifier()
    receiver.accept(signer().signed(command(
        effectId="home-2:restore:1:1", controlCode="3.31.0.5", expiresAt="2026-07-09T00:00:00Z"
    ), DECIDED_AT), DECIDED_AT + 2 * 86_400)  # fmt: skip
    restore = command(effectId="home-1:restore:1:1", controlCode="3.31.0.5")
    signed = signer().signed(restore, DECIDED_AT)
    assert receiver.accept(signed, DECIDED_AT + 5)
    with pytest.raises(CommandRefused, match="repeated"):
        receiver.accept(signed, DECIDED_AT + 6)


@pytest.mark.parametrize(("starts", "why"), [(-1, None), (0, None), (1, "before_start")])
def test_a_receiver_that_starts_anew_refuses_trips_decided_before(starts, why):
    receiver, sign = verifier(), signer()
    receiver.accept_from = DECIDED_AT + starts
    restore = command(effectId="home-1:restore:1:1", controlCode="3.31.0.5")
    assert receiver.accept(sign.signed(restore, DECIDED_AT), DECIDED_AT + 5)
    if why is None:
        assert receiver.accept(sign.signed(command(), DECIDED_AT), DECIDED_AT + 5)
        return
    with pytest.raises(CommandRefused, match=why):
        receiver.accept(sign.signed(command(), DECIDED_AT), DECIDED_AT + 5)


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_whatever_the_bytes_the_answer_is_a_refusal(value):
    with pytest.raises(CommandRefused) as refused:
        verifier().accept(value, DECIDED_AT)
    assert str(refused.value).isprintable()


@given(st.data())
def test_no_byte_can_be_changed(data):
    signed = signer().signed(command(), DECIDED_AT)
    place = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != signed[place]))
    with pytest.raises(CommandRefused):
        verifier().accept(signed[:place] + bytes([byte]) + signed[place + 1 :], DECIDED_AT)


def test_rotation_keeps_one_body_per_command_and_both_keys_are_taken_while_they_overlap():
    old_only, both = signer(only="old"), signer()
    before = NEW_FROM - 1
    assert both.signed(command(), before) == old_only.signed(command(), before)
    assert json.loads(both.signed(command(), NEW_FROM))["keyId"] == "new"
    for sign, decided_at in ((old_only, NEW_FROM), (both, NEW_FROM)):
        said = command(decidedAt="2026-07-10T00:00:00Z", expiresAt="2026-07-10T00:30:00Z")
        assert verifier().accept(sign.signed(said, decided_at), NEW_FROM + 5)


@pytest.mark.parametrize(
    ("day", "key"), [(5, "long"), (10, "short"), (39, "short"), (41, "long"), (101, "short")]
)
def test_a_key_that_has_ended_gives_way_to_one_that_has_not(day, key):
    long = SigningKey("long", 0, 100 * 86_400, secret("long"))
    short = SigningKey("short", 10 * 86_400, 40 * 86_400, secret("short"))
    both = Signer([long, short])
    assert json.loads(both.signed(command(), day * 86_400))["keyId"] == key
    assert both.is_valid_at(day * 86_400) == (day <= 100)


def test_keys_are_made_listed_and_read_back(tmp_path, capsys):
    place = str(tmp_path / "keys")
    made = ["new", place, "--id", "k1", "--from", "2026-07-01T00:00:00Z", "--days", "30"]
    assert keys_command(made) == 0
    assert keys_command(["new", place, "--id", "k2", "--from", "2026-07-20T00:00:00Z"]) == 0
    assert keys_command(["list", place]) == 0
    assert "k1" in capsys.readouterr().out
    assert (tmp_path / "keys" / "k1.pem").stat().st_mode & 0o077 == 0
    assert "PRIVATE" not in (tmp_path / "keys" / "keys.json").read_text()
    sign = signer_from(place)
    assert isinstance(sign, Signer)
    receiver = CommandVerifier.from_file(tmp_path / "keys" / "keys.json")
    at = instant("2026-07-06T04:00:00Z")
    assert receiver.accept(sign.signed(command(), at), at)["keyId"] == "k1"
    assert keys_command(made) == 1, "a key is never overwritten"


def test_keys_that_have_ended_are_marked(tmp_path, capsys):
    gone = ["--id", "gone", "--from", "2020-01-01T00:00:00Z", "--days", "30"]
    for words in (gone, ["--id", "here"]):
        assert keys_command(["new", str(tmp_path), *words]) == 0
    capsys.readouterr()
    assert keys_command(["list", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [("gone" in line) == ("ended" in line) for line in lines if "UTC" in line] == [True] * 2


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (["--from", "yesterday"], "is no instant: write e.g. 2026-12-01T00:00:00Z"),
        (["--from", "2026-12-01"], "names no zone: write e.g. 2026-12-01T00:00:00Z"),
        (["--days", "0"], "1 to 3660 days"),
        (["--days", "-5"], "1 to 3660 days"),
        (["--days", "99999999"], "1 to 3660 days"),
        (["--from", "9999-12-01T00:00:00Z"], "beyond the calendar: write e.g. 2026-12-01"),
        (["--from", "0001-01-01T00:00:00+14:00"], "beyond the calendar: write e.g. 2026-12-01"),
        (["--id", "a/b"], "letters, digits, dots and dashes"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(tmp_path, capsys, wrong, advice):
    assert keys_command(["new", str(tmp_path / "keys"), "--id", "k1", *wrong]) == 1
    assert advice in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "keys").exists()


def test_wrong_keys_are_told_in_a_sentence(tmp_path):
    assert signer_from("") is None
    with pytest.raises(KeysWrong, match=r"keys\.json"):
        signer_from(str(tmp_path))


UNUSABLE = [
    b"xx", b"{}", b"[]", b'{"keys": 5}', b'{"keys": [5]}', b'{"keys": [{"keyId": "a"}]}', b"\xff",
    b'{"keys": [{"keyId": "a", "publicKey": "AA==", "validFrom": "", "validUntil": ""}]}',
    b'{"keys": [{"keyId": 5, "publicKey": "", "validFrom": "", "validUntil": ""}]}', b"[" * 99_999,
]  # fmt: skip


@pytest.mark.parametrize("said", UNUSABLE)
def test_a_broken_list_of_keys_is_told_by_whoever_reads_it(tmp_path, capsys, said):
    path = tmp_path / "keys.json"
    path.write_bytes(said)
    for read in (lambda: signer_from(str(tmp_path)), lambda: CommandVerifier.from_file(path)):
        with pytest.raises(KeysWrong, match=r"keys\.json"):
            read()
    assert verifier_command([str(path)]) == 2
    assert str(path) in capsys.readouterr().err
    for words in (["new", "--id", "k1"], ["list"]):
        assert keys_command([*words, str(tmp_path)]) == 1
        assert str(path) in capsys.readouterr().err
    assert path.read_bytes() == said
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_the_verifier_as_a_program_judges_lines_and_wants_its_keys(tmp_path, capsys, monkeypatch):
    assert verifier_command([]) == 2
    assert "name one keys.json" in capsys.readouterr().err
    assert verifier_command([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
    assert keys_command(["new", str(tmp_path), "--id", "k1"]) == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[[\n")))
    capsys.readouterr()
    assert verifier_command([str(tmp_path / "keys.json")]) == 1
    assert capsys.readouterr().out.startswith("REFUSED unreadable")


def test_the_verifier_is_one_file_that_knows_nothing_of_kilowatch():
    tree = ast.parse(Path(command_verifier.__file__).read_text("utf-8"))
    known = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not known & {"scoring", "streams", "api", "simulator", "deploy"}
