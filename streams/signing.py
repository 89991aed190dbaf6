"""With which key is a command signed, and where do keys come from?

Trip and restore commands end with the id of a key and an Ed25519 signature over all bytes before
it, so that a field system can prove that Kilowatch sent this very command
(`streams.command_verifier` is what it runs).  Keys lie in a directory: `keys.json` with the public
halves and the days each is valid, and `<key id>.pem` with the secret ones.  The key is chosen by
the instant of the decision, never by a clock, and before the command is remembered; Ed25519 needs
no randomness; so one command has one body however often it is told, also across a rotation.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from scoring.units import instant

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS_FILE = "keys.json"


class KeysWrong(ValueError):  # noqa: N818 - the operator reads it as a sentence
    """The directory of keys cannot be used; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, and from when on new commands are signed with it."""

    key_id: str
    valid_from: int
    secret: Ed25519PrivateKey


class Signer:
    """Signs commands with the newest key that has begun; keys may overlap."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        if not keys:
            raise KeysWrong("there is no key to sign with")
        self._keys = sorted(keys, key=lambda key: (key.valid_from, key.key_id))

    def signed(self, body: bytes, decided_at: int) -> bytes:
        """The JSON object `body` with `keyId` and, last, `signature` added.

        A decision older than all keys is signed with the oldest.  Whether a key was still valid is
        the receiver's to check: a command that gives supply back is better signed late than never.
        """
        begun = [key for key in self._keys if key.valid_from <= decided_at]
        key = begun[-1] if begun else self._keys[0]
        bare = body[:-1] + b',"keyId":' + json.dumps(key.key_id).encode() + b"}"
        signature = base64.b64encode(key.secret.sign(bare))
        return bare[:-1] + b',"signature":"' + signature + b'"}'


def signer_from(directory: str) -> Signer | None:
    """The signer of a directory of keys, None for no directory.  Raises KeysWrong."""
    if not directory:
        return None
    place = Path(directory)
    try:
        listed = json.loads((place / KEYS_FILE).read_text("utf-8"))["keys"]
        keys = [
            SigningKey(each["keyId"], instant(each["validFrom"]), _secret(place, each["keyId"]))
            for each in listed
            if (place / f"{each['keyId']}.pem").exists()
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeysWrong(
            f"{place / KEYS_FILE}: {error!r}; write one by `kilowatch signing-keys`"
        ) from error
    if not keys:
        raise KeysWrong(f"{place} holds the secret half of no key that {KEYS_FILE} names")
    return Signer(keys)


def _secret(place: Path, key_id: str) -> Ed25519PrivateKey:
    path = place / f"{key_id}.pem"
    secret = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(secret, Ed25519PrivateKey):
        raise KeysWrong(f"{path} is no Ed25519 key")
    return secret
