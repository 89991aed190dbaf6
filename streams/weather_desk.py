"""What has the weather feed stated on the `moratoria` topic, and who reads it?

The feed writes a word per area, under the area as key: all spells of weather that forbid to cut a
supply there, and up to when it has looked.  Every worker reads the small compacted topic before it
scores anything and follows it from then on, as it does with tariffs.  A word that cannot be read is
refused by name, and its area counts as unknown until one can: the feed may have said "stop".  What
a word means is told in `scoring.weather`.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Annotated

import msgspec

from scoring.book import GROUP_BYTES
from scoring.effects import Reason
from scoring.weather import EVERYWHERE, AreaWord, Spell, Weather, WeatherKind
from streams.topics import MORATORIA
from streams.wire_base import (
    VERSION,
    Body,
    Encoded,
    Instant,
    Record,
    Refusal,
    Refused,
    read,
    received_at,
    refusal_of,
    seconds_of,
    time_text,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

MAX_SPELLS = 100
"""Of one area's word: more than a year of warnings.  What has passed is repeated as long as its
aftermath lasts (`SupplyRules.heat_aftermath_days`): the word before is forgotten."""

MAX_DAYS = 100
"""Of which one word tells the air temperature: two weeks past and a month ahead would do."""

Celsius = Annotated[float, msgspec.Meta(ge=-90, le=60)]
"""Mean of a local day; no colder or warmer one was ever measured on Earth."""

Area = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x20\x7f]{1,12}$")]


class SpellBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, gc=False):
    """From an instant and before another."""

    kind: WeatherKind
    from_: Instant = msgspec.field(name="from")
    until: Instant


class MoratoriumBody(Body):
    """A record of `moratoria`: one area, whole each time; "*" is everywhere.

    `mean_celsius` are mean air temperatures of local days, for the forecast alone: at least of two
    weeks past, and of the days to come as forecast.
    """

    area: Area
    as_of: Instant
    spells: Annotated[list[SpellBody], msgspec.Meta(max_length=MAX_SPELLS)]
    mean_celsius: Annotated[dict[date, Celsius], msgspec.Meta(max_length=MAX_DAYS)] = msgspec.field(
        default_factory=dict
    )


_decoder = msgspec.json.Decoder(MoratoriumBody)


def encode_word(area: str, word: AreaWord) -> Encoded:
    """A word as the feed writes it."""
    spells = [
        {"kind": kind.value, "from": time_text(start), "until": time_text(end)}
        for kind, start, end in word.spells
    ]
    body = {"version": VERSION, "area": area, "asOf": time_text(word.as_of), "spells": spells}
    if word.celsius:
        days = {date.fromordinal(day).isoformat(): celsius for day, celsius in word.celsius}
        body["meanCelsius"] = days
    return Encoded(MORATORIA, area.encode(), to_json(body))


def _decode(record: Record) -> AreaWord:
    """The word of a record; raises Refused.  A feed's clock that runs ahead proves nothing."""
    body = read(_decoder, record)
    if record.key != body.area.encode():
        raise Refused(Reason.KEY_MISMATCH, f"key {record.key!r} is not the area {body.area}")
    if len(record.key) > GROUP_BYTES["area"]:
        raise Refused(Reason.WRONG_SHAPE, f"area is longer than {GROUP_BYTES['area']} bytes")
    spells = []
    for each in body.spells:
        start, end = seconds_of(each.from_, "from"), seconds_of(each.until, "until")
        if end <= start:
            raise Refused(Reason.WRONG_SHAPE, f"a spell ends at {time_text(end)}, before it begins")
        spells.append(Spell(each.kind, start, end))
    as_of = min(seconds_of(body.as_of, "asOf"), received_at(record))
    celsius = tuple((day.toordinal(), mean) for day, mean in body.mean_celsius.items())
    return AreaWord(as_of, tuple(spells), celsius)


def decode_word(record: Record) -> AreaWord | Refusal:
    """The word of a record, or why it is none."""
    try:
        return _decode(record)
    except Refused as refused:
        return refusal_of(record, refused.reason, refused.detail)


class WeatherDesk:
    """The newest word of each area."""

    def __init__(self) -> None:
        self.weather = Weather()

    def take(self, records: Sequence[Record]) -> list[Refusal]:
        """Take up words as they come; the refusals of those that could not be read."""
        refusals = []
        for record in records:
            area = (record.key or b"").decode(errors="replace") or EVERYWHERE
            word: AreaWord | None = None  # a tombstone: the area is watched no more
            if record.value is not None:
                decoded = decode_word(record)
                word = AreaWord() if isinstance(decoded, Refusal) else decoded
                known = self.weather.words.get(area)
                if known is not None and isinstance(decoded, AreaWord) and word.as_of < known.as_of:
                    log.warning("weather of %s as of %d came late, passed over", area, word.as_of)
                    continue
                if isinstance(decoded, Refusal):
                    log.error("weather refused: %s: %s", decoded.reason, decoded.detail)
                    refusals.append(decoded)
            self.weather = self.weather.with_word(area, word)
        return refusals
