"""How do the dashboards become Grafana's files?

`python -m deploy.dashboards` writes `deploy/grafana/dashboards/` from `panels.yaml`, by Grafana's
own library; a test fails while the files differ from what this makes.  Nothing here runs in
production: Grafana reads the files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

PANELS = Path(__file__).parent / "panels.yaml"
FOLDER = Path(__file__).parent / "grafana" / "dashboards"

COLUMNS = 24
"""Of Grafana's grid; a panel takes a third of it, a figure a quarter, a wide one all."""

HEIGHT = 8
STAT_HEIGHT = 4


class Shown(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One panel; `queries` by legend, in PromQL, or in SQL on the history's dashboard."""

    title: str
    question: str
    queries: dict[str, str]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    alerts: tuple[str, ...] = ()
    wide: bool = False


class Board(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One dashboard."""

    uid: str
    title: str
    question: str
    panels: tuple[Shown, ...]
    of_history: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    boards: tuple[Board, ...]


def boards() -> tuple[Board, ...]:
    """The dashboards as they are written for people."""
    return msgspec.convert(yaml.safe_load(PANELS.read_text("utf-8")), _File).boards


def files() -> dict[str, str]:
    """The content of every dashboard file by its name."""
    return {f"{board.uid}.json": _file(board) for board in boards()}


def _file(board: Board) -> str:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    plain = json.loads(JSONEncoder().encode(_made(board)))
    return json.dumps(_said(plain), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _said(value: Any) -> Any:
    """Without what was left open: Grafana has its own defaults, and null is none of them."""
    if isinstance(value, dict):
        return {name: _said(each) for name, each in value.items() if each is not None}
    return [_said(each) for each in value] if isinstance(value, list) else value


def _made(board: Board) -> Any:
    from grafana_foundation_sdk.builders import dashboard
    from grafana_foundation_sdk.models.dashboard import GridPos

    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.question)
        .tags(["kilowatch"])
        .readonly()
        .time("now-30d" if board.of_history else "now-6h", "now")
        .timezone("browser")
        .refresh("5m" if board.of_history else "30s")
    )
    if board.of_history:
        made = made.with_variable(dashboard.TextBoxVariable("account").label("Account"))
    left = top = row_height = 0
    for number, shown in enumerate(board.panels, start=1):
        wide, high = _size(shown)
        if left + wide > COLUMNS:
            left, top = 0, top + row_height
            row_height = 0
        place = GridPos(high, wide, left, top)
        left, row_height = left + wide, max(row_height, high)
        made = made.with_panel(_panel(shown, board).id(number).grid_pos(place))
    return made.build()


def _size(shown: Shown) -> tuple[int, int]:
    if shown.kind == "stat":
        return COLUMNS // 4, STAT_HEIGHT
    return (COLUMNS if shown.wide else COLUMNS // 3), HEIGHT


def _panel(shown: Shown, board: Board) -> Any:
    from grafana_foundation_sdk.builders import stat, table, timeseries
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    kinds: dict[str, Any] = {"timeseries": timeseries, "stat": stat, "table": table}
    alerts = "".join(f"\n\nAlert: {alert} (runbook.md#{alert.lower()})" for alert in shown.alerts)
    panel = (
        kinds[shown.kind]
        .Panel()
        .title(shown.title)
        .description(shown.question + alerts)
        .unit(shown.unit)
    )
    if board.of_history:
        panel = panel.datasource(DataSourceRef("grafana-postgresql-datasource", "history"))
    else:
        panel = panel.datasource(DataSourceRef("prometheus", "prometheus"))
    for place, (name, query) in enumerate(shown.queries.items()):
        ref_id = chr(ord("A") + place)
        target = _sql(query, shown, ref_id) if board.of_history else _promql(name, query, ref_id)
        panel = panel.with_target(target)
    return panel


def _promql(legend: str, expr: str, ref_id: str) -> Any:
    from grafana_foundation_sdk.builders import prometheus

    return prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref_id)


def _sql(query: str, shown: Shown, ref_id: str) -> Any:
    from grafana_foundation_sdk.cog import builder, variants

    class Query(variants.Dataquery):
        """What the library has no words for: a query of Grafana's PostgreSQL source."""

        def to_json(self) -> dict[str, Any]:
            return {
                "refId": ref_id,
                "rawSql": query,
                "rawQuery": True,
                "editorMode": "code",
                "format": "table" if shown.kind == "table" else "time_series",
                "datasource": {"type": "grafana-postgresql-datasource", "uid": "history"},
            }

    class Made(builder.Builder[Query]):
        def build(self) -> Query:
            return Query()

    return Made()


def main() -> int:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
