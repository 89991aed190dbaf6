"""Is this command really from Kilowatch, still in force, and new?

For field systems: this one file needs Python and `cryptography` and nothing else of Kilowatch; copy
it, with the `keys.json` that `kilowatch signing-keys` wrote (public halves only).

    verifier = CommandVerifier.from_file("keys.json")
    try:
        command = verifier.accept(record_value, now=time.time())
    except CommandRefused as refused:
        log(refused.reason, refused.detail)      # and do not switch
    else:
        switch(command["accountId"], command["controlCode"])

A command is the JSON object of a record of `trip-commands` or `restore-commands`.  Its last field
is `signature`: Ed25519, base64, over the bytes of the record without that field (cut the last
`SIGNATURE_TAIL` bytes, put the brace back).  Refused are, in this order: what cannot be read, keys
nobody knows or that were not valid when the command was decided, wrong signatures, commands from
the future, commands past their expiry, repeats, and trips that a restore has cancelled.
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

TRIP_CODE = "3.31.0.23"
RESTORE_CODES = frozenset({"3.31.0.5", "3.31.0.18"})
"""CIM control codes: disconnect; arm for closure and close."""


class CommandRefused(Exception):  # noqa: N818 - a named refusal, not a program error
    """This command must not be carried out; `reason` is one word of a fixed list."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class PublicKey:
    """A key and the instants (seconds since 1970) between which decisions may be signed with it."""

    key_id: str
    valid_from: float
    valid_until: float
    key: Ed25519PublicKey


@dataclass
class CommandVerifier:
    """Knows the keys, and the commands it has let through that could still be repeated."""

    keys: Mapping[str, PublicKey]
    clock_tolerance_seconds: float = CLOCK_TOLERANCE_SECONDS
    _seen: dict[str, float] = field(default_factory=dict)
    _cancelled: dict[str, float] = field(default_factory=dict)
    _forgets_at: float = 0.0

    @classmethod
    def from_file(cls, path: str | Path) -> CommandVerifier:
        """A verifier with the public keys of a `keys.json`."""
        listed = json.loads(Path(path).read_text("utf-8"))["keys"]
        return cls({key.key_id: key for key in map(_public_key, listed)})

    def accept(self, value: bytes, now: float) -> dict[str, Any]:
        """The command in a record's bytes, if it may be carried out at `now`.

        Raises CommandRefused.  What is accepted is remembered until it has expired.
        """
        command = self.genuine(value)
        self._forget(now)
        command_id = str(command["effectId"])
        is_trip = command["controlCode"] == TRIP_CODE
        # a field clock that is behind must not keep anybody in the dark: it holds trips alone
        if is_trip and seconds(command["decidedAt"]) > now + self.clock_tolerance_seconds:
            raise CommandRefused("from_future", f"{command_id} was decided {command['decidedAt']}")
        if not is_trip and command.get("cancels"):
            # holds even if the restore itself comes too late to be carried out
            self._cancelled[str(command["cancels"])] = now
        expires_at = seconds(command["expiresAt"])
        if expires_at < now:
            raise CommandRefused("expired", f"{command_id} was in force to {command['expiresAt']}")
        if command_id in self._seen:
            raise CommandRefused("repeated", command_id)
        if is_trip and command_id in self._cancelled:
            raise CommandRefused("cancelled", command_id)
        self._seen[command_id] = expires_at
        return command

    def genuine(self, value: bytes) -> dict[str, Any]:
        """The command in a record's bytes if Kilowatch signed it.  Raises CommandRefused."""
        command = _read(value)
        key = self.keys.get(str(command["keyId"]))
        if key is None:
            raise CommandRefused("unknown_key", str(command["keyId"]))
        if value[-SIGNATURE_TAIL : -SIGNATURE_TAIL + len(SIGNATURE_HEAD)] != SIGNATURE_HEAD:
            raise CommandRefused("unsigned", "the signature is not the last field")
        try:
            signature = base64.b64decode(str(command["signature"]), validate=True)
            key.key.verify(signature, value[:-SIGNATURE_TAIL] + b"}")
        except (binascii.Error, InvalidSignature) as error:
            raise CommandRefused("wrong_signature", str(command["effectId"])) from error
        decided_at = seconds(command["decidedAt"])
        if not key.valid_from <= decided_at <= key.valid_until:
            raise CommandRefused("key_not_valid", f"{key.key_id} at {command['decidedAt']}")
        if command["controlCode"] not in RESTORE_CODES | {TRIP_CODE}:
            raise CommandRefused("unknown_control", str(command["controlCode"]))
        return command

    def _forget(self, now: float) -> None:
        """Ids that have expired are refused by their expiry; cancelled trips live no whole day."""
        if now < self._forgets_at:
            return
        self._forgets_at = now + FORGET_SECONDS
        self._seen = {each: until for each, until in self._seen.items() if until >= now}
        day_ago = now - 86_400
        self._cancelled = {each: at for each, at in self._cancelled.items() if at >= day_ago}


def _read(value: bytes) -> dict[str, Any]:
    wanted = ("effectId", "accountId", "decidedAt", "expiresAt", "controlCode")
    try:
        command = json.loads(value)
    except ValueError as error:
        raise CommandRefused("unreadable", str(error)) from error
    if not isinstance(command, dict) or not all(name in command for name in wanted):
        raise CommandRefused("unreadable", f"a command has {', '.join(wanted)}")
    if "signature" not in command or "keyId" not in command:
        raise CommandRefused("unsigned", str(command["effectId"]))
    for name in ("decidedAt", "expiresAt"):
        try:
            seconds(command[name])
        except (TypeError, ValueError) as error:
            raise CommandRefused("unreadable", f"{name}: {error}") from error
    return command


def _public_key(listed: Mapping[str, str]) -> PublicKey:
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
    """Say of each command on standard input whether it may be carried out now; 1 if one may not."""
    (keys,) = arguments
    verifier, refused = CommandVerifier.from_file(keys), 0
    for line in sys.stdin.buffer:
        try:
            print("accepted", verifier.accept(line.strip(), time.time())["effectId"])
        except CommandRefused as error:
            refused += 1
            print("REFUSED", error)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
