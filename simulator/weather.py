"""What does the weather office state, and when does it fall silent?

In a world with areas a feed states each at every beat, half a day ahead; the first area has the
world's heat wave or cold spell.  On some days the feed says nothing at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring.weather import AreaWord, Spell, WeatherKind
from simulator.messages import Input
from simulator.meters import DAY_SECONDS
from streams.weather_desk import encode_word

if TYPE_CHECKING:
    from simulator.plan import Plan

AHEAD_SECONDS = DAY_SECONDS // 2
"""A spell is announced so long before it begins (proposal: the evening before)."""


def words(plan: Plan, at: int) -> list[Input]:
    """What the weather office says at an instant."""
    day = (at - plan.starts_at) // DAY_SECONDS
    if plan.weather_silent_days[0] <= day < plan.weather_silent_days[1]:
        return []
    first, last = (plan.starts_at + day * DAY_SECONDS for day in plan.heat_days)
    spell = Spell(WeatherKind(plan.spell), first, last)
    is_known = first < last and first - AHEAD_SECONDS <= at
    return [
        Input(word.topic, 0, area, word.value, at)
        for area in plan.areas
        for word in [encode_word(area, AreaWord(at, (spell,) if is_known and area == plan.areas[0]
                                                else ()))]
    ]  # fmt: skip
