"""In which areas does the weather forbid to cut a supply, and since when is that known?

A feed states for each area which spells of heat or cold forbid it (a moratorium), whole each time,
with the instant up to which it has looked.  An area that was ever spoken of, or that the deployment
names, is watched: from then on silence forbids too, because a feed that has broken down says
nothing about the weather (DESIGN D6).  Words for `EVERYWHERE` hold for every account.  What follows
for a trip is told in `scoring.guards`, how a word comes in in `streams.wire_weather`.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from scoring.degree_days import DegreeDays, air_of
from scoring.units import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

EVERYWHERE = "*"
"""The area of a word that holds for all, also for accounts whose area nobody knows."""


class WeatherKind(StrEnum):
    """Why nobody may be cut: without power people freeze, or die of heat."""

    HEAT = "heat"
    COLD = "cold"


class Spell(NamedTuple):
    """A spell of weather: from an instant and before another, UTC seconds."""

    kind: WeatherKind
    from_at: int
    until_at: int


class AreaWord(NamedTuple):
    """The newest word on one area: all its spells, and up to when the feed has looked.

    `as_of` NO_TIME: a word has come that nobody could read, so nothing is known.  `celsius` are
    mean air temperatures of local days (ordinals): of weeks past, and as forecast.
    """

    as_of: int = NO_TIME
    spells: tuple[Spell, ...] = ()
    celsius: tuple[tuple[int, float], ...] = ()


MOST_AHEAD_SECONDS = 300
"""So much newer than the hour that is judged a word may be: topics are read side by side."""


class AreaWeather(NamedTuple):
    """What is known of the weather where an account is supplied."""

    is_watched: bool = False
    as_of: int = NO_TIME
    spells: tuple[Spell, ...] = ()

    def is_known(self, now: int, max_age_seconds: int) -> bool:
        """Whether the feed has looked lately enough, where it must.

        A word of later hours says nothing of this one: an old tick that is judged now may fall
        into a time when the feed was silent.
        """
        age, ahead = now - self.as_of, MOST_AHEAD_SECONDS
        is_of_now = self.as_of != NO_TIME and -ahead <= age <= max_age_seconds
        return not self.is_watched or is_of_now

    def forbids(self, start: int, end: int, zone: tzinfo | None, aftermath_days: int) -> int | None:
        """Until when a command that lives from `start` to `end` is forbidden; None: it is not."""
        ends = [
            until
            for spell in self.spells
            if spell.from_at <= end
            and start < (until := forbidden_until(spell, zone, aftermath_days))
        ]
        return max(ends, default=None)


def forbidden_until(spell: Spell, zone: tzinfo | None, aftermath_days: int) -> int:
    """When a spell's moratorium ends; heat forbids whole local days more, as bodies recover late.

    >>> from zoneinfo import ZoneInfo
    >>> from scoring.units import instant, instant_text
    >>> heat = Spell(WeatherKind.HEAT, 0, instant("2026-07-01T18:00:00+08:00"))
    >>> shanghai = ZoneInfo("Asia/Shanghai")
    >>> instant_text(forbidden_until(heat, shanghai, 2), shanghai)
    '2026-07-04T00:00:00+08:00'
    """
    if spell.kind is not WeatherKind.HEAT or not aftermath_days or zone is None:
        return spell.until_at
    last_day = datetime.fromtimestamp(spell.until_at - 1, zone).date()
    after = datetime.combine(last_day + timedelta(days=aftermath_days + 1), time(), zone)
    return max(spell.until_at, int(after.timestamp()))


NOT_WATCHED = AreaWeather()
NO_WORDS: Mapping[str, AreaWord] = MappingProxyType({})


class Weather:
    """The newest word of each area; never changed, a new word makes a new one.

    >>> weather = Weather().with_word("north", AreaWord(as_of=100))
    >>> weather.of("north", ()).is_watched, weather.of("south", ()).is_watched
    (True, False)
    >>> weather.of("south", ("south",))
    AreaWeather(is_watched=True, as_of=0, spells=())
    """

    def __init__(self, words: Mapping[str, AreaWord] = NO_WORDS) -> None:
        self.words = dict(words)
        self._known: dict[tuple[str, tuple[str, ...]], AreaWeather] = {}
        airs = {name.encode(): air_of(word.celsius) for name, word in words.items() if word.celsius}
        self.degree_days = DegreeDays(airs) if airs else None
        """What the forecast knows of temperatures; None where no word tells any."""

    def with_word(self, area: str, word: AreaWord | None) -> Weather:
        """With a newer word on an area; None withdraws it, and the area is spoken of no more."""
        words = {name: each for name, each in self.words.items() if name != area}
        return Weather(words if word is None else words | {area: word})

    def of(self, area: str, watched: tuple[str, ...]) -> AreaWeather:
        """What is known where an account is supplied; `watched` are the areas a deployment names.

        Where both its own word and that for everywhere are known, the older one counts; an account
        without an area is watched as soon as any area is, since it may lie in it.
        """
        key = area, watched
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._found(area, watched)
        return found

    def _found(self, area: str, watched: tuple[str, ...]) -> AreaWeather:
        words = [self.words[name] for name in (area, EVERYWHERE) if name and name in self.words]
        is_named = bool({area, EVERYWHERE} & set(watched))
        if not words and not is_named and (area or not (watched or self.words)):
            return NOT_WATCHED
        spells = tuple(spell for word in words for spell in word.spells)
        as_of = min((word.as_of for word in words), default=NO_TIME)
        return AreaWeather(is_watched=True, as_of=as_of, spells=spells)


NO_WEATHER = Weather()
