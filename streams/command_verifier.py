"""Is this command really from Kilowatch, still in force, and new?

For field systems: this one file needs Python and `cryptography` and nothing else of Kilowatch; copy
it, with the `keys.json` that `kilowatch signing-keys` wrote (public halves only).

    verifier = CommandVerifier.from_file("keys.json", accept_from=time.time())
    try:
        command = verifier.accept(record_value, now=time.time())
    except CommandRefused as refused:
        log(refused.reason, refused.detail)      # and do not switch
    else:
        switch(command["accountId"], command["controlCode"])

A command is the JSON object of a record of `trip-commands` or `restore-commands`.  Its last field
is `signature`: Ed25519, base64, over the bytes of the record without that field (cut the last
`SIGNATURE_TAIL` bytes, put the brace back).  Refused are, in this order: what cannot be read, keys
nobody knows, wrong signatures, keys that were not valid when the command was decided, trips from
the future or from before the start, commands past their expiry, repeats, and trips that a restore
has cancelled.  Whatever the bytes, the answer is a command or `CommandRefused`.

What was let through and what was cancelled is remembered in memory alone.  A receiver that starts
anew therefore names the instant as `accept_from`: trips decided before it are refused, since they
may have been carried out already, or cancelled; Kilowatch sends a trip again once it has expired.
Restores are let through: one too many gives power, one too few keeps it away.  For the same reason
a clock that steps back never brings a trip to life again: trips are judged by the latest instant
the verifier was ever told.

Run as a program it reads one command a line and says of each what it is:

    python command_verifier.py keys.json < commands.jsonl
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGNATURE_HEAD = b',"signature":"'
SIGNATURE_CHARACTERS = 88
SIGNATURE_TAIL = len(SIGNATURE_HEAD) + SIGNATURE_CHARACTERS + len(b'"}')

CLOCK_TOLERANCE_SECONDS = 120
"""How far the field's clock may be behind before a command seems to come from the future."""

FORGET_SECONDS = 60
"""How often what can no longer be repeated is forgotten."""

REMEMBERED_SECONDS = 6 * 3_600
"""How long after its expiry a command is remembered, should somebody set the clock back: longer
than any wrong zone or missed change of summer time that an operator sets right by the hour."""

MOST_BYTES = 64 * 1024
"""Longer records are not even parsed; a command with all its evidence has 2 to 3 thousand."""

MOST_DETAIL = 200
"""Characters of a stranger's record that a refusal repeats."""

TRIP_CODE = "3.31.0.23"
RESTORE_CODES = frozenset({"3.31.0.5", "3.31.0.18"})
"""CIM control codes: disconnect; arm for closure and close."""


class CommandRefused(Exception):  # noqa: N818 - a named refusal, not a program error
    """This command must not be carried out; `reason` is one word of a fixed list."""

    def __init__(self, reason: str, detail: str) -> None:
        # a stranger's text must neither break a log nor forge a line of it
        shown = (detail if detail.isprintable() else ascii(detail))[:MOST_DETAIL]
        super().__init__(f"{reason}: {shown}")
        self.reason = reason
        self.detail = shown


class KeysWrong(ValueError):  # noqa: N818 - the operator reads it as a sentence
    """The keys cannot be used; the message says which file and why."""


@dataclass(frozen=True)
class PublicKey:
    """A key and the instants (seconds since 1970) between which decisions may be signed with it."""

    key_id: str
    valid_from: float
    valid_until: float
    key: Ed25519PublicKey


@dataclass
class CommandVerifier:
    """Knows the keys, and the commands it has let through that could still be repeated.

    `accept_from` (seconds since 1970) is when the receiver started; None takes also trips decided
    before, for receivers that remember by themselves what they have carried out.
    """

    keys: Mapping[str, PublicKey]
    clock_tolerance_seconds: float = CLOCK_TOLERANCE_SECONDS
    accept_from: float | None = None
    _seen: dict[str, float] = field(default_factory=dict)
    _cancelled: dict[str, float] = field(default_factory=dict)
    _forgets_at: float = 0.0
    _latest: float = 0.0

    @classmethod
    def from_file(cls, path: str | Path, accept_from: float | None = None) -> CommandVerifier:
        """A verifier with the public keys of a `keys.json`.  Raises KeysWrong."""
        return cls({key.key_id: key for key in public_keys(path)}, accept_from=accept_from)

    def accept(self, value: bytes | None, now: float) -> dict[str, Any]:
        """The command in a record's bytes, if it may be carried out at `now`.

        Raises CommandRefused and nothing else.  What is accepted is remembered, in memory, until
        `REMEMBERED_SECONDS` after it has expired.
        """
        command = self.genuine(value)
        self._latest = max(self._latest, now)
        self._forget()
        command_id = command["effectId"]
        is_trip = command["controlCode"] == TRIP_CODE
        # a field clock that is behind must not keep anybody in the dark: it holds trips alone
        if is_trip and seconds(command["decidedAt"]) > now + self.clock_tolerance_seconds:
            raise CommandRefused("from_future", f"{command_id} was decided {command['decidedAt']}")
        starts = self.accept_from
        if is_trip and starts is not None and seconds(command["decidedAt"]) < starts:
            raise CommandRefused("before_start", f"{command_id} was decided {command['decidedAt']}")
        if not is_trip and command.get("cancels"):
            # holds even if the restore itself comes too late to be carried out
            self._cancelled[str(command["cancels"])] = self._latest
        expires_at = seconds(command["expiresAt"])
        if expires_at < (self._latest if is_trip else now):
            raise CommandRefused("expired", f"{command_id} was in force to {command['expiresAt']}")
        if command_id in self._seen:
            raise CommandRefused("repeated", command_id)
        if is_trip and command_id in self._cancelled:
            raise CommandRefused("cancelled", command_id)
        self._seen[command_id] = expires_at
        return command

    def genuine(self, value: bytes | None) -> dict[str, Any]:
        """The command in a record's bytes if Kilowatch signed it.  Raises CommandRefused."""
        if value is None:
            raise CommandRefused("unreadable", "the record has no value")
        if len(value) > MOST_BYTES:
            raise CommandRefused("unreadable", f"{len(value)} bytes, more than {MOST_BYTES}")
        command = _read(value)
        key = self.keys.get(command["keyId"])
        if key is None:
            raise CommandRefused("unknown_key", command["keyId"])
        tail = value[-SIGNATURE_TAIL:]
        if not tail.startswith(SIGNATURE_HEAD):
            raise CommandRefused("unsigned", "the signature is not the last field")
        written = tail[len(SIGNATURE_HEAD) : len(SIGNATURE_HEAD) + SIGNATURE_CHARACTERS]
        try:
            signature = base64.b64decode(written, validate=True)
            key.key.verify(signature, value[:-SIGNATURE_TAIL] + b"}")
        except (binascii.Error, InvalidSignature) as error:
            raise CommandRefused("wrong_signature", command["effectId"]) from error
        if base64.b64encode(signature) != written:  # or one command could be written in many ways
            raise CommandRefused("wrong_signature", command["effectId"])
        decided_at = seconds(command["decidedAt"])
        if not key.valid_from <= decided_at <= key.valid_until:
            raise CommandRefused("key_not_valid", f"{key.key_id} at {command['decidedAt']}")
        if command["controlCode"] not in RESTORE_CODES | {TRIP_CODE}:
            raise CommandRefused("unknown_control", command["controlCode"])
        return command

    def _forget(self) -> None:
        """Ids that have expired are refused by their expiry; cancelled trips live no whole day."""
        if self._latest < self._forgets_at:
            return
        self._forgets_at = self._latest + FORGET_SECONDS
        oldest = self._latest - REMEMBERED_SECONDS
        self._seen = {each: until for each, until in self._seen.items() if until >= oldest}
        day_ago = self._latest - 86_400
        self._cancelled = {each: at for each, at in self._cancelled.items() if at >= day_ago}


def _read(value: bytes) -> dict[str, Any]:
    wanted = ("effectId", "accountId", "decidedAt", "expiresAt", "controlCode")
    try:
        command = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise CommandRefused("unreadable", str(error)) from error
    if not isinstance(command, dict) or not _are_texts(command, wanted):
        raise CommandRefused("unreadable", f"a command has the texts {', '.join(wanted)}")
    if not _are_texts(command, ("signature", "keyId")):
        raise CommandRefused("unsigned", command["effectId"])
    for name in ("decidedAt", "expiresAt"):
        try:
            seconds(command[name])
        except (ValueError, OverflowError) as error:
            raise CommandRefused("unreadable", f"{name}: {error}") from error
    return command


def _are_texts(command: Mapping[str, object], names: Iterable[str]) -> bool:
    return all(isinstance(command.get(name), str) for name in names)


def public_keys(path: str | Path) -> list[PublicKey]:
    """The keys of a `keys.json`.  Raises KeysWrong."""
    try:
        said = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(said, dict) or not isinstance(said.get("keys"), list):
            raise KeysWrong(f"{path} holds no list of keys; `kilowatch signing-keys` writes one")
        return [_public_key(each) for each in said["keys"]]
    except KeyError as error:
        raise KeysWrong(f"{path}: a key lacks {error}") from error
    except (OSError, RecursionError, TypeError, OverflowError) as error:
        raise KeysWrong(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        if isinstance(error, KeysWrong):
            raise
        raise KeysWrong(f"{path} is not as `kilowatch signing-keys` wrote it: {error}") from error


def _public_key(listed: object) -> PublicKey:
    if not isinstance(listed, dict):
        raise TypeError("a key is a JSON object")
    if not isinstance(listed["keyId"], str):
        raise TypeError("keyId is a text")
    raw = base64.b64decode(listed["publicKey"], validate=True)
    return PublicKey(
        listed["keyId"],
        seconds(listed["validFrom"]),
        seconds(listed["validUntil"]),
        Ed25519PublicKey.from_public_bytes(raw),
    )


def seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 instant with a zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} names no zone")
    return at.timestamp()


def main(arguments: Iterable[str]) -> int:
    """Say of each command on standard input whether it may be carried out now.

    0 all may, 1 one may not, 2 there are no keys to judge by.
    """
    given = list(arguments)
    if len(given) != 1:
        print("command_verifier: name one keys.json, and give commands on input", file=sys.stderr)
        return 2
    try:
        verifier, refused = CommandVerifier.from_file(given[0]), 0
    except KeysWrong as error:
        print(f"command_verifier: {error}", file=sys.stderr)
        return 2
    for line in sys.stdin.buffer:
        try:
            print("accepted", verifier.accept(line.strip(), time.time())["effectId"])
        except CommandRefused as error:
            refused += 1
            print("REFUSED", error)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
