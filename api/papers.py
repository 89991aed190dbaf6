"""How is a policy sheet or a letter printed?

Typst sets the templates beside this file; the same facts always give the same bytes, so that a
paper's SHA-256 proves what was served.  Chinese needs Chinese fonts, which the machine must have:
without them nothing is printed, since a letter of empty boxes would be worse than none.  What the
papers say is told in `api.sheet_words` and `api.letter_words`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

TEMPLATES = Path(__file__).parent / "paper"
WANTED_FONT = "Noto Sans CJK SC"
USUAL_FONTS = "/usr/share/fonts/opentype/noto"
"""Where Debian's fonts-noto-cjk puts them; KILOWATCH_FONTS names another directory."""

_printing = threading.Lock()
"""One printer at a time: the compiler keeps its fonts and files between two papers."""


class FontsMissing(RuntimeError):  # noqa: N818 - the operator reads it as a sentence
    """The machine cannot print Chinese; the message says what to install."""


@lru_cache(maxsize=2)
def _fonts(directory: str) -> typst.Fonts:
    found = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[directory]
    )
    if WANTED_FONT not in found.families():
        raise FontsMissing(
            f"no font {WANTED_FONT!r} in {directory}: install Debian's package fonts-noto-cjk, "
            "or name the directory of such fonts in KILOWATCH_FONTS"
        )
    return found


def fonts_missing(directory: str) -> str:
    """Why nothing can be printed with these fonts; empty if it can."""
    try:
        _fonts(directory)
    except FontsMissing as error:
        return str(error)
    return ""


@lru_cache(maxsize=8)
def _compiler(template: str, directory: str) -> typst.Compiler:
    return typst.Compiler(
        input=str(TEMPLATES / template), root=str(TEMPLATES), font_paths=_fonts(directory)
    )


def content_hash(body: dict[str, Any]) -> str:
    """SHA-256 of what a paper says, whatever it looks like."""
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def printed(template: str, body: dict[str, Any], at: int, fonts: str = USUAL_FONTS) -> bytes:
    """The PDF of a template filled with this body, as of an instant in UTC seconds.

    Raises FontsMissing on a machine that cannot print Chinese.
    """
    data = json.dumps(body | {"contentSha256": content_hash(body)}, ensure_ascii=False)
    with _printing:
        found = _compiler(template, fonts).compile(
            format="pdf", sys_inputs={"data": data}, timestamp=at
        )
    assert isinstance(found, bytes)
    return found
