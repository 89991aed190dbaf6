"""What do the records on Kafka say?  The wire contract in one place.

Shown here together, because other parts of Kilowatch (and readers of the contract) should not need
to know how it is divided: `wire_base` (money, instants, refusals), `wire_readings`, `wire_events`
(control topics), `wire_payments`, `wire_inputs` (how they are written), `wire_effects` (what
Kilowatch says).  Binary state rows are in `rows`.
"""

from streams.wire_base import (
    MAX_RECORD_BYTES,
    VERSION,
    Encoded,
    Record,
    Refusal,
    decimal_text,
    decode_refusal,
    encode_refusal,
    nanos_from_text,
    received_at,
    refusal_id,
    refusal_of,
    time_text,
)
from streams.wire_effects import (
    TOPIC_OF_EFFECT,
    DayTold,
    EffectUnreadable,
    decode_day,
    decode_effect,
    encode_effect,
)
from streams.wire_events import TariffRecord, Tick, decode_event, decode_tariff
from streams.wire_inputs import (
    encode_event,
    encode_heartbeat,
    encode_reading,
    encode_reading_list,
    encode_tariff,
    encode_tick,
)
from streams.wire_payments import Heartbeat
from streams.wire_readings import (
    MAX_LIST,
    DecodedReadings,
    Reading,
    decode_readings,
    decode_together,
    refused_readings,
)

__all__ = [
    "MAX_LIST",
    "MAX_RECORD_BYTES",
    "TOPIC_OF_EFFECT",
    "VERSION",
    "DayTold",
    "DecodedReadings",
    "EffectUnreadable",
    "Encoded",
    "Heartbeat",
    "Reading",
    "Record",
    "Refusal",
    "TariffRecord",
    "Tick",
    "decimal_text",
    "decode_day",
    "decode_effect",
    "decode_event",
    "decode_readings",
    "decode_refusal",
    "decode_tariff",
    "decode_together",
    "encode_effect",
    "encode_event",
    "encode_heartbeat",
    "encode_reading",
    "encode_reading_list",
    "encode_refusal",
    "encode_tariff",
    "encode_tick",
    "nanos_from_text",
    "received_at",
    "refusal_id",
    "refusal_of",
    "refused_readings",
    "time_text",
]
