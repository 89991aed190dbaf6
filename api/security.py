"""What does the API process know of who may ask?

Keys, tokens, sessions of browsers and the measure of how often each may ask, as the settings say.
Whether the settings are safe is checked before anything listens; what a request may do is `gate`'s.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from api.audit import Audit
from api.keys import Grant, KeyRing
from api.people import NOBODY_IN_PARTICULAR
from api.tokens import Tokens
from streams.settings import Settings, SettingsWrong, variable

if TYPE_CHECKING:
    from api.people import Person

MOST_KNOWN = 10_000
"""Verified keys and tokens remembered; the oldest half is forgotten beyond that."""

MOST_SESSIONS = 10_000
SESSION_SECONDS = 12 * 3600
"""A working day; then one signs in again."""

BURST_SECONDS = 2.0
"""So many seconds' worth may be asked at once."""


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check_safe(settings: Settings, keys: KeyRing) -> None:
    """Raises SettingsWrong when the API would answer strangers, or nobody at all."""
    if settings.security == "off":
        if not is_loopback(settings.bind):
            raise SettingsWrong(
                f"{variable('security')}=off is for a demo on loopback, but {variable('bind')} is "
                f"{settings.bind}: make keys (`kilowatch keys create --help`) and leave it on"
            )
        return
    if not len(keys) and not settings.oidc_issuer:
        raise SettingsWrong(
            "nobody could ask this API: make a key with\n"
            f"  {variable('keys_file')}=keys.json kilowatch keys create NAME --role viewer\n"
            f"and start it with the same {variable('keys_file')}; or name an identity provider "
            f"({variable('oidc_issuer')}, {variable('oidc_keys')}); or, for a demo on loopback "
            f"only, set {variable('security')}=off"
        )


class Security:
    """Everything `gate` asks; `is_on` False: everybody may do what a demo shows."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsWrong."""
        self.is_on = settings.security == "on"
        self.keys = KeyRing(Path(settings.keys_file) if settings.keys_file else None)
        self.tokens = Tokens(settings)
        self.audit = Audit(settings.audit_file)
        self._per_second = settings.requests_per_second
        self._known: dict[bytes, Grant] = {}
        self._reads = self.keys.reads
        self._sessions: dict[bytes, Grant] = {}
        self._left: dict[str, tuple[float, float]] = {}

    @classmethod
    def off(cls) -> Security:
        """Of an application that only this process can reach."""
        return cls(Settings(security="off"))

    # --- who -------------------------------------------------------------------------------------

    def known(self, authorization: bytes) -> Person | None:
        """Who this header has proven to be before: a few microseconds."""
        self.keys.look_now_and_then()
        if self.keys.reads != self._reads:
            self._reads = self.keys.reads
            self._known.clear()
        grant = self._known.get(hashlib.sha256(authorization).digest())
        return grant.person if grant is not None and time.time() < grant.until else None

    def prove(self, authorization: bytes) -> Person | None:
        """Who this header proves to be; may block to fetch the issuer's keys."""
        scheme, _space, secret = authorization.decode("latin-1").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return None
        grant = self.grant_of(secret)
        if grant is None:
            return None
        if len(self._known) >= MOST_KNOWN:
            for old in list(self._known)[: MOST_KNOWN // 2]:
                del self._known[old]
        self._known[hashlib.sha256(authorization).digest()] = grant
        return grant.person

    def grant_of(self, secret: str) -> Grant | None:
        """Whose key or token this is."""
        if secret.startswith("kw_"):
            self.keys.look_now_and_then()
            return self.keys.grant(secret)
        return self.tokens.grant(secret)

    # --- browsers --------------------------------------------------------------------------------

    def open_session(self, grant: Grant) -> str:
        """A secret for a cookie; it dies with its key, its token, the day or the process."""
        now = time.time()
        if len(self._sessions) >= MOST_SESSIONS:
            kept = {name: each for name, each in self._sessions.items() if now < each.until}
            self._sessions = dict(list(kept.items())[-MOST_SESSIONS // 2 :])
        secret = secrets.token_urlsafe(32)
        until = min(grant.until, now + SESSION_SECONDS)
        self._sessions[_digest(secret)] = replace(grant, until=until)
        return secret

    def session(self, secret: str) -> Person | None:
        """Who signed in with this cookie."""
        grant = self._sessions.get(_digest(secret))
        if grant is None or time.time() >= grant.until:
            return None
        self.keys.look_now_and_then()
        if grant.key_number and not self.keys.is_good(grant.key_number):
            return None
        return grant.person

    def close_session(self, secret: str) -> None:
        """Sign out."""
        self._sessions.pop(_digest(secret), None)

    def demo_grant(self, name: str) -> Grant:
        """Somebody of this name, where security is off."""
        assert not self.is_on, "a demo person where security is on"
        return Grant(replace(NOBODY_IN_PARTICULAR, name=name), time.time() + SESSION_SECONDS)

    # --- how often -------------------------------------------------------------------------------

    def is_too_often(self, who: str) -> bool:
        """Counts one request of this person or address; True if it is one too many."""
        now = time.monotonic()
        most = self._per_second * BURST_SECONDS
        left, at = self._left.get(who, (most, now))
        left = min(most, left + (now - at) * self._per_second)
        if left < 1.0:
            return True
        if len(self._left) >= MOST_KNOWN and who not in self._left:
            self._left.clear()  # whoever asked a lot starts with a full measure again
        self._left[who] = (left - 1.0, now)
        return False


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
