"""Who may ask the API?

`kilowatch keys create | list | revoke` keeps the file named by KILOWATCH_KEYS_FILE: hashes, roles
and expiries.  The key itself is printed once, when it is made, and is nowhere afterwards.  Running
APIs see a change within a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from api.audit import Audit
from api.keys import MAX_KEYS, KeyFile, make_key, read_keys, write_keys
from api.people import MEANINGS, Role
from scoring.units import SECONDS_PER_DAY, instant_text
from streams.settings import SettingsWrong, settings_from, variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.keys import KeyKept

DAYS = 90
MOST_DAYS = 730
MAX_NAME_CHARACTERS = 100


def parser() -> argparse.ArgumentParser:
    """The options of `kilowatch keys`."""
    roles = "\n".join(f"  {role:<10} {meaning}" for role, meaning in MEANINGS.items())
    options = argparse.ArgumentParser(
        prog="kilowatch keys",
        description=__doc__,
        epilog=f"roles:\n{roles}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    deeds = options.add_subparsers(dest="deed", required=True, metavar="create|list|revoke")
    create = deeds.add_parser("create", help="a new key, printed once")
    create.add_argument(
        "person", help="who will use it: this name stands in records and in the audit"
    )
    create.add_argument("--role", action="append", required=True, choices=[*Role], dest="roles")
    create.add_argument("--collector", default="", help="staff number (role collector needs it)")
    create.add_argument("--days", type=int, default=DAYS, help=f"until it expires (default {DAYS})")
    deeds.add_parser("list", help="all keys, without the keys")
    revoke = deeds.add_parser("revoke", help="take a key back, for good")
    revoke.add_argument("number", help="as `list` shows it")
    return options


def main(arguments: Sequence[str]) -> int:
    """`kilowatch keys`: the exit code."""
    options = parser().parse_args(arguments)
    settings = settings_from()
    named = settings.keys_file
    if not named:
        raise SettingsWrong(f"set {variable('keys_file')} to the file of keys, e.g. keys.json")
    path = Path(named)
    kept = read_keys(path)
    if options.deed == "create":
        return _create(path, kept, options, Audit(settings.audit_file))
    if options.deed == "revoke":
        return _revoke(path, kept, options.number, Audit(settings.audit_file))
    Console().print(_table(kept.keys, int(time.time())))
    return 0


def _create(path: Path, kept: KeyFile, options: argparse.Namespace, audit: Audit) -> int:
    roles = tuple(Role(name) for name in dict.fromkeys(options.roles))
    if (Role.COLLECTOR in roles) != bool(options.collector):
        raise SettingsWrong("role collector and --collector NUMBER go together")
    if not 1 <= options.days <= MOST_DAYS:
        raise SettingsWrong(f"--days: write a whole number from 1 to {MOST_DAYS}")
    if not options.person.strip() or len(options.person) > MAX_NAME_CHARACTERS:
        raise SettingsWrong(f"a name has 1 to {MAX_NAME_CHARACTERS} characters")
    if len(kept.keys) >= MAX_KEYS:
        raise SettingsWrong(f"{path} holds {MAX_KEYS} keys, as many as it may")
    now = int(time.time())
    key, made = make_key(
        options.person.strip(), roles, options.collector, now, options.days * SECONDS_PER_DAY
    )
    write_keys(path, KeyFile(keys=(*kept.keys, made)))
    audit.note(
        None, "create key", f"key {made.number}", getuser(),
        of=made.person, roles=", ".join(roles), collector=options.collector,
    )  # fmt: skip
    until = instant_text(made.expires_at)[:10]
    print(
        f"key {made.number} of {made.person}, good until {until}; it is not shown again:",
        file=sys.stderr,
    )
    print(key)
    return 0


def _revoke(path: Path, kept: KeyFile, number: str, audit: Audit) -> int:
    found = [each for each in kept.keys if each.number == number]
    if not found:
        raise SettingsWrong(f"there is no key {number} in {path}; `kilowatch keys list` shows all")
    found[0].revoked_at = found[0].revoked_at or int(time.time())
    write_keys(path, kept)
    audit.note(None, "revoke key", f"key {number}", getuser(), of=found[0].person)
    print(f"key {number} of {found[0].person} is revoked", file=sys.stderr)
    return 0


def _table(keys: Sequence[KeyKept], now: int) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("key", "person", "roles", "collector", "made", "expires", ""):
        table.add_column(heading)
    for each in keys:
        state = "revoked" if each.revoked_at else "" if each.is_good(now) else "expired"
        table.add_row(
            each.number, each.person, ", ".join(each.roles), each.collector,
            instant_text(each.created_at)[:10], instant_text(each.expires_at)[:10], state,
        )  # fmt: skip
    return table
