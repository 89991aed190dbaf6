"""Whose is this bearer token of the identity provider?

Tokens are OIDC access tokens: signed, for our audience, by our issuer, not expired.  Algorithms are
fixed here and public-key only, so a token cannot choose how it is checked.  Roles come from the
claim `kilowatch_roles`, a collector's staff number from `kilowatch_collector`; a token without a
role of ours is nobody's.
"""

from __future__ import annotations

import logging
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
import msgspec

from api.keys import Grant
from api.people import Person, Role
from streams.settings import SettingsWrong, variable

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
LEEWAY_SECONDS = 30
"""Clocks of the issuer and ours may differ so much."""

FETCH_SECONDS = 30.0
"""Unknown key numbers make us ask for the issuer's keys again, no more often than this."""

ANSWER_SECONDS = 5.0
MAX_KEYS_BYTES = 256 * 1024
MAX_TOKEN_CHARACTERS = 8_192
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Tokens:
    """Checks tokens against the issuer's public keys; blocks while it fetches them."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self._from = settings.oidc_keys
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        if not self._issuer:
            return
        if not self._from:
            raise SettingsWrong(f"{variable('oidc_issuer')} needs {variable('oidc_keys')}")
        place = urlsplit(self._from)
        if place.scheme == "http" and place.hostname not in LOOPBACK:
            raise SettingsWrong(f"{variable('oidc_keys')}: write an https address or a file")

    @property
    def are_taken(self) -> bool:
        """Whether an issuer is set."""
        return bool(self._issuer)

    def grant(self, token: str) -> Grant | None:
        """Who the token speaks for, None if it proves nothing."""
        if not self._issuer or len(token) > MAX_TOKEN_CHARACTERS:
            return None
        try:
            number = str(jwt.get_unverified_header(token).get("kid", ""))
            key = self._key(number)
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            log.info("a bearer token is not taken: %s", type(error).__name__)
            return None
        return _granted(claims)

    def _key(self, number: str) -> jwt.PyJWK | None:
        if number not in self._keys and time.monotonic() - self._fetched_at >= FETCH_SECONDS:
            self._fetched_at = time.monotonic()
            try:
                self._keys = self._fetch()
            except (OSError, ValueError, KeyError, jwt.PyJWTError) as error:
                log.error("the issuer's keys cannot be read from %s: %s", self._from, error)  # noqa: TRY400 - an outage, told in a line
        return self._keys.get(number)

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        if urlsplit(self._from).scheme in {"http", "https"}:
            with urllib.request.urlopen(self._from, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - scheme checked
                body = answer.read(MAX_KEYS_BYTES)
        else:
            body = Path(self._from).read_bytes()
        told = msgspec.json.decode(body, type=dict[str, Any])
        kept = [each for each in told["keys"] if each.get("kty") in {"RSA", "EC", "OKP"}]
        keys = jwt.PyJWKSet.from_dict({"keys": kept}).keys
        return {str(key.key_id or ""): key for key in keys}


def _granted(claims: dict[str, Any]) -> Grant | None:
    told = claims.get("kilowatch_roles")
    names = told if isinstance(told, list) else []
    roles = frozenset(Role(name) for name in names if name in set(Role))
    if not roles:
        return None
    collector = claims.get("kilowatch_collector", "")
    person = Person(
        str(claims["sub"])[:200], roles, collector if isinstance(collector, str) else "", "token"
    )
    return Grant(person, float(claims["exp"]) + LEEWAY_SECONDS)
