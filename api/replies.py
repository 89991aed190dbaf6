"""How does an answer say that nothing has changed?

Every JSON answer carries an ETag made from its bytes; who sends it back in If-None-Match gets 304
and no body.  Answers are for whoever asked, and are looked at again before each use.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import Response

if TYPE_CHECKING:
    from fastapi import Request

CACHE = "private, no-cache"
NOT_CHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not changed since the answer whose ETag stands in If-None-Match"}
}


def etag_of(body: bytes) -> str:
    """A name of these bytes.

    >>> etag_of(b"{}")
    '"dade9f7e2b3e1ee3"'
    """
    return f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'


def is_the_same(etag: str, if_none_match: str) -> bool:
    """Whether the asker has it already (RFC 9110, weak comparison)."""
    names = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in names or names == ["*"]


def reply(
    request: Request, body: Any, status: int = 200, media_type: str = "application/json"
) -> Response:
    """A body (bytes as they are, anything else as JSON), or 304."""
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    etag = etag_of(encoded)
    headers = {"etag": etag, "cache-control": CACHE}
    if status == 200 and is_the_same(etag, request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(encoded, status, headers, media_type)
