"""How does a statement look?

As a table for a person at a terminal, with the lines' own names, or as JSON for a program; every
amount exact in JSON, and to the cent in the table.  What the lines are is told in
`scoring.statement`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from scoring.units import money_text
from streams.wire_base import decimal_text

if TYPE_CHECKING:
    from scoring.statement import Part, Statement


def statement_table(statement: Statement, title: str) -> Table:
    """The statement as a table."""
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("item", footer="total")
    table.add_column("quantity", justify="right")
    table.add_column("unit")
    table.add_column("price", justify="right")
    total = f"{money_text(statement.total_nanos)} {statement.currency}"
    table.add_column("amount", justify="right", footer=total)
    for i, part in enumerate(statement.parts):
        if len(statement.parts) > 1:
            table.add_row(f"[bold]{_heading(part)}")
        for line in part.lines:
            amount = money_text(line.amount_nanos)
            table.add_row(line.label, line.quantity, line.unit, line.price, amount)
        if len(statement.parts) > 1:
            table.add_row("", "", "", "", f"[bold]{money_text(part.amount_nanos)}")
            table.add_section() if i < len(statement.parts) - 1 else None
    return table


def _heading(part: Part) -> str:
    return f"{part.tariff_name or part.tariff_id}, from {part.first_day}, {part.days} days"


def statement_json(statement: Statement) -> dict[str, Any]:
    """The statement as plain objects; amounts are exact decimal texts."""
    return {
        "currency": statement.currency,
        "total": decimal_text(statement.total_nanos),
        "parts": [_part_json(part) for part in statement.parts],
    }


def _part_json(part: Part) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "tariffId": part.tariff_id,
        "validFrom": part.valid_from.isoformat(),
        "firstDay": part.first_day.isoformat(),
        "days": part.days,
        "amount": decimal_text(part.amount_nanos),
        "lines": [
            {
                "kind": line.kind,
                "name": line.name,
                "label": line.label,
                "quantity": line.quantity,
                "unit": line.unit,
                "price": line.price,
                "amount": decimal_text(line.amount_nanos),
            }
            for line in part.lines
        ],
    }
    if part.power_factor is not None:
        plain["powerFactor"] = f"{part.power_factor // 100}.{part.power_factor % 100:02d}"
    return plain
