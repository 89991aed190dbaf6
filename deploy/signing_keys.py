"""How does an operator make, list and rotate the keys that sign commands?

`kilowatch signing-keys new DIR --id 2026-11` writes a key: its secret half to `DIR/<id>.pem`,
readable by its owner alone, its public half with the days it is valid into `DIR/keys.json`, which
goes to the field systems.  To rotate: make the next key with a `--from` in some days, hand out
`keys.json`, restart the workers in that time; the old key stays valid until its own end, so
nothing is refused on the way.  How keys are used is told in `streams.signing`.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console
from rich.table import Table

from streams.command_verifier import KeysWrong, public_keys
from streams.signing import KEYS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_ID_FORM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
DEFAULT_DAYS = 400
"""A year and a month in which to make the next one."""
MOST_DAYS = 3_660
AN_INSTANT = "2026-12-01T00:00:00Z"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked; 0 done, 1 refused."""
    parser = argparse.ArgumentParser(
        description="Keys that sign trip and restore commands (Ed25519)."
    )
    words = parser.add_subparsers(dest="word", required=True)
    new = words.add_parser("new", help="make a key")
    new.add_argument("directory", type=Path)
    new.add_argument("--id", required=True, help="its name, e.g. 2026-11")
    new.add_argument("--from", dest="valid_from", default="", help="ISO instant; now if left out")
    new.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it is valid")
    listing = words.add_parser("list", help="show the keys of a directory")
    listing.add_argument("directory", type=Path)
    options = parser.parse_args(argv)
    if options.word == "list":
        return _list(options.directory)
    return _new(options.directory, options.id, options.valid_from, options.days)


def _new(directory: Path, key_id: str, valid_from: str, days: int) -> int:
    try:
        listed = _listed(directory)
    except KeysWrong as error:
        return _refused(f"{error}; nothing was made")
    if not re.fullmatch(KEY_ID_FORM, key_id):
        return _refused(f"{key_id!r} is no id: letters, digits, dots and dashes")
    if any(each["keyId"] == key_id for each in listed):
        return _refused(f"there is a key {key_id} already; a key is never overwritten")
    if not 1 <= days <= MOST_DAYS:
        return _refused(f"--days {days}: a key is valid for 1 to {MOST_DAYS} days")
    try:
        begins = datetime.fromisoformat(valid_from) if valid_from else datetime.now(UTC)
    except ValueError:
        return _refused(f"--from {valid_from} is no instant: write e.g. {AN_INSTANT}")
    if begins.tzinfo is None:
        return _refused(f"--from {valid_from} names no zone: write e.g. {AN_INSTANT}")
    try:
        _life(begins, days)
    except OverflowError:
        return _refused(f"--from {valid_from} is beyond the calendar: write e.g. {AN_INSTANT}")
    directory.mkdir(parents=True, exist_ok=True)
    made = make_key(directory, key_id, begins, days)
    Console().print(f"{directory / f'{key_id}.pem'} is secret; {directory / KEYS_FILE} is public")
    Console().print(f"{key_id} is valid from {made['validFrom']} to {made['validUntil']}")
    return 0


def make_key(directory: Path, key_id: str, begins: datetime, days: int) -> dict[str, Any]:
    """A new key in a directory that exists; what `keys.json` says of it."""
    begins, ends = _life(begins, days)
    secret = Ed25519PrivateKey.generate()
    pem = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = directory / f"{key_id}.pem"
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(pem)
    made = {
        "keyId": key_id,
        "validFrom": begins.isoformat(),
        "validUntil": ends.isoformat(),
        "publicKey": base64.b64encode(secret.public_key().public_bytes_raw()).decode(),
    }
    listed = json.dumps({"keys": [*_listed(directory), made]}, indent=1)
    (directory / KEYS_FILE).write_text(listed + "\n", "utf-8")
    return made


def _life(begins: datetime, days: int) -> tuple[datetime, datetime]:
    """First and last instant of a key.  Raises OverflowError beyond the calendar."""
    first = begins.astimezone(UTC).replace(microsecond=0)
    return first, first + timedelta(days=days)


def _list(directory: Path) -> int:
    try:
        listed = _listed(directory)
    except KeysWrong as error:
        return _refused(str(error))
    if not listed:
        return _refused(f"there is no key in {directory}: `kilowatch signing-keys new` makes one")
    table = Table("key", "valid from", "valid until", "secret half")
    for each in listed:
        here = "here" if (directory / f"{each['keyId']}.pem").exists() else "not here"
        has_ended = datetime.fromisoformat(each["validUntil"]) < datetime.now(UTC)
        until = _minute(each["validUntil"]) + (" (ended)" if has_ended else "")
        life = (_minute(each["validFrom"]), until)
        table.add_row(each["keyId"], *life, here)
    Console().print(table)
    return 0


def _minute(text: str) -> str:
    """An instant as short as a table of 80 columns wants it."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _listed(directory: Path) -> list[dict[str, Any]]:
    """What `keys.json` says, as it stands there.  Raises KeysWrong."""
    path = directory / KEYS_FILE
    if not path.exists():
        return []
    public_keys(path)  # or a key would be added to a list that nobody can read
    keys: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["keys"]
    return keys


def _refused(why: str) -> int:
    print(f"kilowatch signing-keys: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
