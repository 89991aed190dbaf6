"""Which API keys are there, and whose is this one?

A key is 256 random bits behind a public number, so a salted HMAC is enough to keep it: there is
nothing to guess that a slow hash would protect.  The file holds no key, only what verifies one; it
is replaced whole, and read again when it changes.  `kilowatch keys` (deploy) is its only writer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from api.people import Person, Role
from streams.settings import SettingsWrong

if TYPE_CHECKING:
    from pathlib import Path

KEY_FORM = re.compile(r"kw_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
FILE_VERSION = 1
MAX_KEYS = 10_000
LOOK_SECONDS = 1.0
"""How long a revoked key may still be taken."""


class KeyKept(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One key in the file; instants are Unix seconds, `revoked_at` 0 while it is good."""

    number: str
    person: str
    roles: tuple[Role, ...]
    collector: str = ""
    salt: bytes
    hash: bytes
    created_at: int
    expires_at: int
    revoked_at: int = 0

    def is_good(self, now: float) -> bool:
        """Whether it may be used now."""
        return not self.revoked_at and now < self.expires_at


class KeyFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    version: int = FILE_VERSION
    keys: tuple[KeyKept, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has proven to be whom, and until when (Unix seconds) that may be believed."""

    person: Person
    until: float
    key_number: str = ""


def read_keys(path: Path) -> KeyFile:
    """The keys in a file, none if there is no file.  Raises SettingsWrong."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=KeyFile)
    except FileNotFoundError:
        return KeyFile()
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsWrong(f"KILOWATCH_KEYS_FILE={str(path)!r} cannot be read: {error}") from None
    if kept.version != FILE_VERSION:
        raise SettingsWrong(f"KILOWATCH_KEYS_FILE={str(path)!r}: version is not {FILE_VERSION}")
    return kept


def write_keys(path: Path, kept: KeyFile) -> None:
    """Replace the file as a whole; only its owner may read it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept), indent=1))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def make_key(
    person: str, roles: tuple[Role, ...], collector: str, now: int, seconds: int
) -> tuple[str, KeyKept]:
    """A new key, which is told once, and what is kept of it."""
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=")
    salt = secrets.token_bytes(16)
    number = secrets.token_hex(4)
    kept = KeyKept(
        number=number,
        person=person,
        roles=roles,
        collector=collector,
        salt=salt,
        hash=_hashed(salt, secret),
        created_at=now,
        expires_at=now + seconds,
    )
    return f"kw_{number}_{secret.decode()}", kept


def _hashed(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, secret, hashlib.sha256)


class KeyRing:
    """The keys of a file, as they stand now; `reads` counts how often the file has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._keys: dict[str, KeyKept] = {}
        self._stamp: tuple[int, int] | None = None
        self._next_look = 0.0
        self.reads = 0
        if path is not None:
            self.look_again()

    def __len__(self) -> int:
        now = time.time()
        return sum(key.is_good(now) for key in self._keys.values())

    def look_again(self) -> None:
        """Read the file if it has changed.  Raises SettingsWrong."""
        if self._path is None:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            told = self._path.stat()
        except FileNotFoundError:
            stamp = None
        else:
            stamp = (told.st_mtime_ns, told.st_ino)
        if stamp == self._stamp and self.reads:
            return
        kept = read_keys(self._path)
        self._keys = {key.number: key for key in kept.keys}
        self._stamp = stamp
        self.reads += 1

    def look_now_and_then(self) -> None:
        """`look_again`, once a second at most."""
        if time.monotonic() >= self._next_look:
            self.look_again()

    def grant(self, key: str) -> Grant | None:
        """Whose key this is; None if nobody's, expired or revoked."""
        form = KEY_FORM.fullmatch(key)
        if form is None:
            return None
        kept = self._keys.get(form[1])
        # the same work for a number that is not there
        salt, expected = (kept.salt, kept.hash) if kept else (b"", b"\0" * 32)
        is_right = hmac.compare_digest(_hashed(salt, form[2].encode()), expected)
        if kept is None or not is_right or not kept.is_good(time.time()):
            return None
        person = Person(kept.person, frozenset(kept.roles), kept.collector, f"key {kept.number}")
        return Grant(person, kept.expires_at, kept.number)

    def is_good(self, number: str) -> bool:
        """Whether the key of this number may still be used."""
        kept = self._keys.get(number)
        return kept is not None and kept.is_good(time.time())
