"""With which key is a command signed, and where do keys come from?

Trip and restore commands end with the id of a key and an Ed25519 signature over all bytes before
it, so that a field system can prove that Kilowatch sent this very command
(`streams.command_verifier` is what it runs).  Keys lie in a directory: `keys.json` with the public
halves and the days each is valid, and `<key id>.pem` with the secret ones.  The key is chosen by
the instant of the decision (the newest then valid), never by a clock, and before the command is
remembered; Ed25519 needs no randomness; so one command has one body however often it is told, also
across a rotation.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from streams.command_verifier import KeysWrong, public_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS_FILE = "keys.json"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, and the first and last instant of decisions that are signed with it."""

    key_id: str
    valid_from: int
    valid_until: int
    secret: Ed25519PrivateKey

    def is_valid_at(self, at: int) -> bool:
        """Whether receivers take what was decided at this instant."""
        return self.valid_from <= at <= self.valid_until


class Signer:
    """Signs commands with the newest key that is valid; keys may overlap."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        if not keys:
            raise KeysWrong("there is no key to sign with")
        self._keys = sorted(keys, key=lambda key: (key.valid_from, key.key_id))

    def signed(self, body: bytes, decided_at: int) -> bytes:
        """The JSON object `body` with `keyId` and, last, `signature` added.

        If none is valid, the newest that has begun signs, or else the oldest: whether it may is the
        receiver's to say, and a command that gives supply back is better signed late than never.
        """
        begun = [key for key in self._keys if key.valid_from <= decided_at]
        valid = [key for key in begun if key.is_valid_at(decided_at)]
        key = (valid or begun or self._keys[:1])[-1]
        bare = body[:-1] + b',"keyId":' + json.dumps(key.key_id).encode() + b"}"
        signature = base64.b64encode(key.secret.sign(bare))
        return bare[:-1] + b',"signature":"' + signature + b'"}'

    def is_valid_at(self, at: int) -> bool:
        """Whether receivers take what is decided now."""
        return any(key.is_valid_at(at) for key in self._keys)


def signer_from(directory: str) -> Signer | None:
    """The signer of a directory of keys, None for no directory.  Raises KeysWrong."""
    if not directory:
        return None
    place = Path(directory)
    try:
        keys = [
            SigningKey(
                each.key_id,
                math.ceil(each.valid_from),
                math.floor(each.valid_until),
                _secret(place, each.key_id),
            )
            for each in public_keys(place / KEYS_FILE)
            if (place / f"{each.key_id}.pem").exists()
        ]
    except OSError as error:
        raise KeysWrong(f"{place}: {error}") from error
    if not keys:
        raise KeysWrong(f"{place} holds the secret half of no key that {KEYS_FILE} names")
    return Signer(keys)


def _secret(place: Path, key_id: str) -> Ed25519PrivateKey:
    path = place / f"{key_id}.pem"
    try:
        secret = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeysWrong(f"{path} is no secret key without a password: {error}") from error
    if not isinstance(secret, Ed25519PrivateKey):
        raise KeysWrong(f"{path} is no Ed25519 key")
    return secret
