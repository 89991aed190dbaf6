"""Are these tariff sheets right, and are they what the workers go by?

`kilowatch tariffs check DIR` names every mistake by file, line and field; `kilowatch tariffs
publish DIR` writes the sheets to the compacted `tariffs` topic.  A published version is not changed
silently: a sheet is what was announced to customers, so another price is another version.
What sheets say is told in `scoring.sheet`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from deploy.sheet_files import SheetInFile, read_files, sheet_files, shipped
from scoring.sheet import TariffSheetInvalid, sheet_from_dict, sheet_to_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.wire_base import Encoded

EXAMPLES = """examples:
  kilowatch tariffs check                    the samples that come with Kilowatch
  kilowatch tariffs check my-sheets/         0: all right; 1: mistakes, each with file, line, field
  kilowatch tariffs publish my-sheets/       to KILOWATCH_BOOTSTRAP
  kilowatch tariffs publish my-sheets/ --replace    also versions that were published otherwise"""

COULD_NOT = 1
THE_PARTITION = 0
"""Tariffs belong to no partition of accounts: everybody reads them all."""


def main(arguments: list[str]) -> int:
    """Check, and publish if told; 0 done, 1 there are mistakes."""
    options = _parser().parse_args(arguments)
    found, wrong = read_files(sheet_files(options.sheets))
    for error in wrong:
        print(error, file=sys.stderr)
    if wrong:
        nothing = ", nothing published" if options.deed == "publish" else ""
        print(f"{len(wrong)} mistake(s){nothing}", file=sys.stderr)
        return COULD_NOT
    if options.deed == "publish":
        return _publish(found, options.replace)
    Console().print(sheets_table(found))
    return 0


def sheets_table(found: Sequence[SheetInFile]) -> Table:
    """The sheets for a person."""
    table = Table(title=f"{len(found)} tariff sheet(s), all right", title_justify="left")
    for heading in ("tariff", "in force", "periods"):
        table.add_column(heading, no_wrap=True)
    table.add_column("name")
    for one in found:
        sheet = one.sheet
        last = sheet.valid_to.isoformat() if sheet.valid_to else ""
        in_force = f"{sheet.valid_from.isoformat()} - {last}"
        table.add_row(sheet.tariff_id, in_force, str(len(sheet.rate_periods)), sheet.name)
    return table


def _publish(found: Sequence[SheetInFile], replace: bool) -> int:
    """Write what is new; refuse what was published otherwise, unless told to replace it."""
    from simulator.link import read_all, write_all
    from simulator.messages import as_input
    from streams.settings import settings_from
    from streams.topics import TARIFFS
    from streams.wire_inputs import encode_tariff

    bootstrap = settings_from().bootstrap
    published = {record.key: record.value for record in read_all(bootstrap, [TARIFFS])}
    new: list[tuple[SheetInFile, Encoded]] = []
    changed: list[tuple[SheetInFile, Encoded]] = []
    for one in found:
        encoded = encode_tariff(sheet_to_dict(one.sheet))
        before = _plain(published.get(encoded.key))
        if before != _plain(encoded.value):
            (new if before is None else changed).append((one, encoded))
    if changed and not replace:
        for one, _ in changed:
            why = "was published with other terms; new prices are a new version, or say --replace"
            print(f"{one.path}:{one.place[0]}: {why}", file=sys.stderr)
        return COULD_NOT
    now, wanted = int(time.time()), [*new, *changed]
    write_all(bootstrap, [as_input(encoded, THE_PARTITION, now) for _, encoded in wanted])
    print(
        f"{len(new)} new, {len(changed)} replaced, {len(found) - len(new) - len(changed)} as before"
    )
    return 0


def _plain(value: bytes | None) -> dict[str, Any] | None:
    """A published sheet as it would be written now; None where there is none (or it was withdrawn).

    So the same sheet in an older spelling is no change.
    """
    if not value:
        return None
    plain: dict[str, Any] = json.loads(value)
    try:
        return sheet_to_dict(sheet_from_dict(plain))
    except TariffSheetInvalid:
        return plain


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kilowatch tariffs",
        description="Check tariff sheets (YAML or JSON), or publish them to the tariffs topic.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("deed", choices=["check", "publish"])
    parser.add_argument(
        "sheets", nargs="?", type=Path, default=shipped(), help="a directory or a file"
    )
    parser.add_argument("--replace", action="store_true", help="replace published versions")
    return parser
