"""Keys with which tests and simulations sign commands: nobody's, and the same in every run."""

from __future__ import annotations

import json
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scoring.units import instant
from streams.command_verifier import CommandVerifier, PublicKey
from streams.signing import Signer, SigningKey

DECIDED_AT = instant("2026-07-06T04:00:00Z")
NEW_FROM = instant("2026-07-10T00:00:00Z")
OLD_UNTIL = instant("2026-07-20T00:00:00Z")
FOREVER = 2**40


def secret(name: str) -> Ed25519PrivateKey:
    """The secret of a name."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def signer(*names: str, only: str = "") -> Signer:
    """A signer with the keys `old` and `new`, with one of them, or with others of these names."""
    from_when = {"old": 0, "new": NEW_FROM}
    chosen = (only,) if only else names or tuple(from_when)
    keys = [
        SigningKey(
            name, from_when.get(name, 0), OLD_UNTIL if name == "old" else FOREVER, secret(name)
        )
        for name in chosen
    ]
    return Signer(keys)


def rotating(at: int, overlap_seconds: int) -> tuple[Signer, CommandVerifier]:
    """A signer that changes its key at an instant, and a receiver that knows both for a while."""
    old = SigningKey("old", 0, at + overlap_seconds, secret("old"))
    sign = Signer([old, SigningKey("new", at, FOREVER, secret("new"))])
    known = {"old": (0, at + overlap_seconds), "new": (at, FOREVER)}
    keys = {
        name: PublicKey(name, first, last, secret(name).public_key())
        for name, (first, last) in known.items()
    }
    return sign, CommandVerifier(keys)


def verifier() -> CommandVerifier:
    """A field system's receiver that knows `old` and `new`."""
    valid = {"old": (0, OLD_UNTIL), "new": (NEW_FROM, FOREVER)}
    return CommandVerifier(
        {
            name: PublicKey(name, first, last, secret(name).public_key())
            for name, (first, last) in valid.items()
        }
    )


def command(**other: str) -> bytes:
    """A trip command of half an hour, with other fields if wanted."""
    body = {
        "version": 1,
        "effectId": "home-1:trip:1:1",
        "accountId": "home-1",
        "decidedAt": "2026-07-06T04:00:00Z",
        "controlCode": "3.31.0.23",
        "expiresAt": "2026-07-06T04:30:00Z",
    }
    return json.dumps(body | other, separators=(",", ":")).encode()
