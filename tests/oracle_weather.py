"""Did the weather, as it had been stated by then, forbid a trip?

Written from domain.md (K31: no cut-off in freezing cold or under a heat warning, nor on the two
days after one) and from the feed's records alone; it shares nothing with `scoring.weather`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle_facts import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from tests.oracle_facts import LogRecord

MOST_SILENT_SECONDS = 3 * 3_600
DAYS_AFTER_HEAT = 2


def stated_by(inputs: Iterable[LogRecord], at: int) -> dict[str, dict[str, Any]]:
    """The newest word of each area at an instant."""
    found: dict[str, dict[str, Any]] = {}
    for record in inputs:
        if record.topic == "moratoria" and record.at <= at and record.key and record.value:
            found[record.key] = json.loads(record.value)
    return found


def forbidden_by_weather(
    stated: dict[str, dict[str, Any]], area: str, zone: ZoneInfo, decided_at: int, expires_at: int
) -> list[str]:
    """Why a command that was in force between these instants should not have been."""
    if not stated:
        return []
    words = [stated[name] for name in (area, "*") if name in stated]
    if not words:
        return [] if area else ["its area is unknown, and in some the weather is watched"]
    reasons = []
    for word in words:
        silent = decided_at - seconds_of(word["asOf"])
        if silent > MOST_SILENT_SECONDS:
            reasons.append(f"its weather was stated {silent // 3_600} h before")
        for spell in word["spells"]:
            ends = datetime.fromisoformat(spell["until"]).astimezone(zone)
            if spell["kind"] == "heat":
                last = (ends - timedelta(seconds=1)).date() + timedelta(days=DAYS_AFTER_HEAT)
                is_over = datetime.fromtimestamp(decided_at, UTC).astimezone(zone).date() > last
            else:
                is_over = decided_at >= seconds_of(spell["until"])
            if expires_at >= seconds_of(spell["from"]) and not is_over:
                reasons.append(f"{spell['kind']} from {spell['from']} until {spell['until']}")
    return reasons
