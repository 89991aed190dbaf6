"""Does heat or cold keep the power on, from the feed's bytes to the silence of trip-commands?

One word on the weather and then a home of which everything else says trip; what a guard holds in
each second is in `tests/test_decide.py`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from scoring.events import Source
from scoring.rules import RulesInvalid, SupplyRules, WorkingCalendar, next_window
from scoring.units import instant, instant_text
from scoring.weather import AreaWeather, AreaWord, Spell, Weather, WeatherKind
from streams.settings import settings_from, supply_rules
from streams.weather_desk import WeatherDesk, encode_word
from tests.inputs import heartbeat, tick
from tests.situations import SHANGHAI
from tests.test_standstill import DAY, HOUR, MINUTE, NINE, Road, on_the_way_to_a_trip


@dataclass(frozen=True)
class Kept:
    """A record of `moratoria`."""

    key: bytes | None
    value: bytes | None
    timestamp: int = NINE * 1000
    topic: str = "moratoria"
    partition: int = 0
    offset: int = 0


def word(
    area: str = "north", as_of: int = NINE, *spells: tuple[str, int, int], **more: Any
) -> Kept:
    told = [
        {"kind": kind, "from": instant_text(start), "until": instant_text(end)}
        for kind, start, end in spells
    ]
    body = {"version": 1, "area": area, "asOf": instant_text(as_of), "spells": told} | more
    return Kept(area.encode(), json.dumps(body).encode())


NOW = NINE + 10 * MINUTE
COLD = ("cold", NOW - HOUR, NOW + HOUR)
WORDS = [
    # the home's area, what the feed says, what holds (or a trip), why
    ("north", [], "a trip", "nobody watches the weather here"),
    ("north", [word()], "a trip", "stated: no spell"),
    ("north", [word("north", NINE, COLD)], "weather_moratorium", "frost"),
    ("south", [word("north", NINE, COLD)], "a trip", "frost elsewhere; nobody watches the south"),
    ("", [word("north", NINE, COLD)], "weather_unknown", "it may lie in the north: nobody knows"),
    ("", [word("*", NINE, COLD)], "weather_moratorium", "frost everywhere"),
    ("south", [word("*", NINE, COLD)], "weather_moratorium", "everywhere is here too"),
    ("north", [word("*", NINE, COLD), word()], "weather_moratorium", "the wider word counts too"),
    ("north", [word("north", NINE, COLD), word()], "a trip", "the newer word lifts it"),
    ("north", [word("north", NOW - HOUR), word("north", NOW, COLD), word("north", NOW - HOUR)],
     "weather_moratorium", "an older word sent again does not lift it"),
    ("north", [word("north", NOW - 3 * HOUR)], "a trip", "stated three hours ago"),
    ("north", [word("north", NOW - 3 * HOUR - 1)], "weather_unknown", "the feed is silent"),
    ("north", [word(as_of=NOW - 4 * HOUR), word("*")], "weather_unknown", "one of two is silent"),
    ("north", [word(as_of=NINE + 9 * DAY)], "a trip", "its clock runs ahead: as of its arrival"),
    ("north", [replace(word(as_of=NINE + 9 * DAY), timestamp=(NOW - 3 * HOUR - 1) * 1000)],
     "weather_unknown", "and of that no longer than three hours"),
    ("north", [word(), Kept(b"north", b"{")], "weather_unknown", "unreadable: it may say stop"),
    ("north", [Kept(b"north", b"{"), word()], "a trip", "readable again"),
    ("north", [word(), word("north", NINE, ("cold", NOW, NOW))], "weather_unknown", "no spell"),
    ("north", [word(), word("north", NINE, ("snow", NOW, NOW + 1))], "weather_unknown", "no kind"),
    ("north", [word(), Kept(b"north", word("south").value)], "weather_unknown", "whose word?"),
    ("north", [word(), word(version=2)], "weather_unknown", "of another version"),
    ("north", [word("north", NINE, COLD), Kept(b"north", None)], "a trip", "watched no more"),
]  # fmt: skip


@pytest.mark.parametrize(("area", "words", "wanted"), [line[:3] for line in WORDS],
                         ids=[line[3] for line in WORDS])  # fmt: skip
def test_the_weather_holds_a_trip(area: str, words: list[Kept], wanted: str) -> None:
    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road, groups={"area": area})
        desk = WeatherDesk()
        desk.take(words)
        road.partition.clerk.terms.weather = desk.weather
        await road.say(Source.PAYMENTS, (heartbeat(NOW), NOW))
        await road.say(Source.TICKS, (tick(NOW), NOW))
        await road.stop()

    asyncio.run(story(road := Road()))
    if wanted == "a trip":
        assert len(road.trips()) == 1
    else:
        assert not road.trips()
        assert wanted in "".join(road.held_by())


def test_what_is_on_its_way_when_a_moratorium_is_stated_is_called_back() -> None:
    """The frost is stated five minutes after the trip was sent; the next tick cancels it."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road, groups={"area": "north"})
        for at in (NOW, NOW + MINUTE, NOW + 6 * MINUTE):
            await road.say(Source.PAYMENTS, (heartbeat(at), at))
            await road.say(Source.TICKS, (tick(at), at))
            desk = WeatherDesk()
            desk.take([word(as_of=at)] if at == NOW else [word("north", at, COLD)])
            road.partition.clerk.terms.weather = desk.weather
        await road.stop()

    asyncio.run(story(road := Road()))
    (trip,), (restore,) = road.said("trip-commands"), road.said("restore-commands")
    assert restore["cancels"] == trip["effectId"]
    assert restore["decidedAt"] == instant_text(NOW + MINUTE + 5 * MINUTE)


def test_when_the_spell_is_over_a_tick_sends_the_trip() -> None:
    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road, groups={"area": "north"})
        for at in (NOW, NOW + HOUR - 1, NOW + HOUR):
            desk = WeatherDesk()
            desk.take([word("north", NINE, COLD)])
            road.partition.clerk.terms.weather = desk.weather
            await road.say(Source.PAYMENTS, (heartbeat(at), at))
            await road.say(Source.TICKS, (tick(at), at))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert road.trips() == ["02:10"]  # UTC


def test_what_cannot_be_read_is_refused_by_name() -> None:
    refusals = WeatherDesk().take([
        word(), Kept(b"north", b"{"), Kept(b"south", word().value), word(version=3),
        word("north", NINE, ("cold", NOW, NOW)), word(extra=1),
    ])  # fmt: skip
    assert [each.reason for each in refusals] == [
        "not_json", "key_mismatch", "unknown_version", "wrong_shape", "wrong_shape",
    ]  # fmt: skip


def test_what_is_written_is_read() -> None:
    told = AreaWord(NINE - 5, (Spell(WeatherKind.HEAT, NINE, NINE + DAY),))
    encoded = encode_word("north", told)
    desk = WeatherDesk()
    assert not desk.take([Kept(encoded.key, encoded.value)])
    assert desk.weather.words == {"north": told}


def test_named_areas_are_watched_before_the_feed_has_spoken() -> None:
    named = {"KILOWATCH_MORATORIA": "south, north"}
    rules = supply_rules(settings_from(named | {"KILOWATCH_HOLIDAYS": "none"}))
    assert rules.moratoria_areas == ("north", "south")
    assert Weather().of("north", rules.moratoria_areas) == AreaWeather(is_watched=True)
    assert Weather().of("", rules.moratoria_areas).is_watched
    assert not Weather().of("east", rules.moratoria_areas).is_watched
    assert Weather().of("east", ("*",)).is_watched
    with pytest.raises(RulesInvalid, match="moratoria_areas"):
        SupplyRules(moratoria_areas=("more than twelve bytes",))


@pytest.mark.parametrize(
    ("kind", "until", "opens"),
    [
        # of a notice on Wednesday at ten: the first moment at which a trip may follow
        ("cold", "2026-07-01T08:00", "2026-07-01T10:00"),
        ("cold", "2026-07-01T11:20", "2026-07-01T11:20"),
        ("cold", "2026-07-01T15:31", "2026-07-02T09:00"),
        ("heat", "2026-07-01T00:00", "2026-07-03T09:00"),  # 30 June and two days more
        ("heat", "2026-06-29T00:00", "2026-07-01T10:00"),
        ("heat", "2026-06-29T00:01", "2026-07-02T09:00"),
    ],
)
def test_the_next_window_steps_over_what_is_announced(kind: str, until: str, opens: str) -> None:
    rules = SupplyRules(WorkingCalendar.weekends_only(), trips_before_weekend=True)
    spell = Spell(WeatherKind(kind), 0, instant(until + "+08:00"))
    weather = AreaWeather(True, NINE, (spell,))
    at = instant("2026-07-01T10:00:00+08:00")
    found = next_window(rules, SHANGHAI, at, weather)
    assert found is not None
    assert instant_text(found, SHANGHAI)[:16] == opens
