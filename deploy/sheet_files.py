"""Which tariff sheets lie in these files?

Reads dated sheets from YAML or JSON (several in one file if need be) and names the file, line and
column of every mistake.  It stands apart from `scoring.sheet`, which knows what a sheet must say
but not where it is written.  Numbers are taken as they are written, never through a float:
0.02716875 is exactly that.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from deploy.sheet_mistakes import mistakes
from scoring.sheet import TariffSheet, TariffSheetInvalid, sheet_from_dict
from scoring.tariff import Tariffs

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 1_000_000
"""No sheet is longer; a larger file is a mistake and is not read."""

Place = tuple[int, int]


class SheetFileWrong(ValueError):  # noqa: N818 - read as a sentence
    """A sheet in a file cannot be used; the message is file:line:column: field: why."""

    def __init__(self, path: Path, place: Place, field: str, why: str) -> None:
        self.path, self.place, self.field, self.why = path, place, field, why
        where = f"{path}:{place[0]}:{place[1]}: "
        super().__init__(where + (f"{field}: {why}" if field else why))


@dataclass(frozen=True, slots=True)
class SheetInFile:
    """A sheet and where it begins."""

    sheet: TariffSheet
    path: Path
    place: Place


def shipped() -> Path:
    """The directory of the sample sheets that come with Kilowatch."""
    return Path(str(resources.files("deploy").joinpath("tariffs")))


def sheet_files(path: Path) -> list[Path]:
    """The files of a directory, or the one file; raises FileNotFoundError."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    return [path]


def read_files(files: Iterable[Path]) -> tuple[list[SheetInFile], list[SheetFileWrong]]:
    """Every sheet that can be used, and every mistake of the others."""
    found: list[SheetInFile] = []
    wrong: list[SheetFileWrong] = []
    for path in files:
        try:
            nodes = _documents(path)
        except SheetFileWrong as error:
            wrong.append(error)
            continue
        for node in nodes:
            places: dict[str, Place] = {"": _place(node)}
            mine: list[SheetFileWrong] = []
            plain = _plain(path, node, "", places, mine)
            for mistake in mistakes(plain):
                place = _nearest(places, mistake.field)
                mine.append(SheetFileWrong(path, place, mistake.field, mistake.why))
            if not mine:
                found.append(SheetInFile(sheet_from_dict(plain), path, places[""]))
            wrong += sorted(mine, key=lambda one: one.place)
    wrong += _quarrels(found)
    return found, wrong


def _documents(path: Path) -> list[yaml.Node]:
    """The sheets' nodes: a document each, or a document that is a list of them."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise SheetFileWrong(path, (1, 1), "", f"is longer than {MAX_FILE_BYTES} bytes")
    try:
        text = path.read_text("utf-8")
        documents = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node is not None]
    except UnicodeDecodeError as error:
        raise SheetFileWrong(path, (1, 1), "", f"is not UTF-8 text: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SheetFileWrong(path, place, "", error.problem or "is not YAML") from error
    except yaml.YAMLError as error:
        raise SheetFileWrong(path, (1, 1), "", str(error)) from error
    if not documents:
        raise SheetFileWrong(path, (1, 1), "", "holds no sheet")
    return [
        node
        for document in documents
        for node in (document.value if isinstance(document, yaml.SequenceNode) else [document])
    ]


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _nearest(places: dict[str, Place], field: str) -> Place:
    """Where a field stands, or what it ought to stand in."""
    while field and field not in places:
        field = field[: max(field.rfind("."), field.rfind("["), 0)]
    return places[field]


def _plain(
    path: Path,
    node: yaml.Node,
    where: str,
    places: dict[str, Place],
    wrong: list[SheetFileWrong],
) -> Any:
    """Plain objects, lists, texts and whole numbers; notes where each stands, and what twice."""
    places.setdefault(where, _place(node))
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(path, one, f"{where}[{i}]", places, wrong) for i, one in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        plain: dict[str, Any] = {}
        for key, value in node.value:
            field = f"{where}.{key.value}" if where else str(key.value)
            if not isinstance(key, yaml.ScalarNode) or key.value in plain:
                wrong.append(SheetFileWrong(path, _place(key), field, "stands here a second time"))
                continue
            places[field] = _place(key)
            plain[key.value] = _plain(path, value, field, places, wrong)
        return plain
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() in {"yes", "true", "on"}
    if kind == "int" and node.value.lstrip("+-").isdecimal():
        return int(node.value)
    return node.value


def _quarrels(found: list[SheetInFile]) -> list[SheetFileWrong]:
    """Sheets that cannot be in force together: the same day twice, or another zone or currency."""
    wrong: list[SheetFileWrong] = []
    days: dict[tuple[str, str], SheetInFile] = {}
    tariffs = Tariffs()
    for one in found:
        key = (one.sheet.tariff_id, one.sheet.valid_from.isoformat())
        first = days.setdefault(key, one)
        if first is not one:
            why = f"{key[0]} of {key[1]} is already in {first.path}:{first.place[0]}"
            wrong.append(SheetFileWrong(one.path, one.place, "validFrom", why))
            continue
        try:
            tariffs = tariffs.with_sheet(one.sheet)
        except TariffSheetInvalid as error:
            wrong.append(SheetFileWrong(one.path, one.place, error.field, error.why))
    return wrong
