"""What may be written to and read from each topic, for other people's programs?

`python -m deploy.asyncapi` writes `deploy/asyncapi.yaml` (AsyncAPI 3) from the very types that
decode and encode the records (`streams.wire_...`), so it cannot say anything else; tests hold the
file to this program, and real messages of a simulated run to its schemas.  Topics of state
(`ledger-rows`, `learned-rows`, `credit-rows`) are nobody else's business.
"""

from __future__ import annotations

import enum
import sys
import types
import typing
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from api.credit_route import CreditGrade
from scoring.effects import Evidence, LargeDay, Proof, Tier
from streams import topics, wire_credit
from streams.topics import CREDIT_ROWS, LEARNED_ROWS, LEDGER_ROWS, TOPICS
from streams.weather_desk import MoratoriumBody
from streams.wire_base import VERSION, RefusalBody
from streams.wire_effects import TOPIC_OF_EFFECT, json_name
from streams.wire_events import ActionBody, ReceiptBody, SettingsBody, SwitchBody, TickBody
from streams.wire_interlock import InterlockActionBody, Word
from streams.wire_payments import HeartbeatBody, PaymentBody
from streams.wire_policy import PolicyBody
from streams.wire_readings import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = Path(__file__).parent / "asyncapi.yaml"
REF = "#/components/schemas/{name}"

TAKEN: dict[str, tuple[Any, ...]] = {
    topics.READINGS: (Reading,),
    topics.ACCOUNT_SETTINGS: (SettingsBody, PolicyBody),
    topics.PAYMENTS: (PaymentBody, HeartbeatBody),
    topics.SWITCH_REPORTS: (SwitchBody,),
    topics.OPERATOR_ACTIONS: (ActionBody, InterlockActionBody),
    topics.DELIVERY_RECEIPTS: (ReceiptBody,),
    topics.TICKS: (TickBody,),
    topics.MORATORIA: (MoratoriumBody,),
    topics.CUSTOMER_FACTS: (wire_credit.FactsBody,),
}
"""What Kilowatch reads, by the types that decode it."""

SAID = {topics.REFUSALS: (RefusalBody,), topics.INTERLOCK: (Word,)}
"""What it says besides effects."""

ANSWERED = {topics.CREDIT_GRADES: CreditGrade}
"""What it says as the API answers it, to the letter."""

WITHOUT_TYPE = {
    topics.TARIFFS: "A tariff sheet (`kilowatch tariffs check` names every mistake in one), "
    "or a day's market prices.",
    topics.CUSTOMER_FILES: "A customer's file, whole.",
    topics.CUSTOMER_POLICIES: "A version of a customer's policy, whole.",
    topics.CUSTOMER_CONTRACTS: "A contract, guarantor or transformer, whole.",
    topics.CUSTOMER_LETTERS: "A letter served, with its proofs.",
    topics.COLLECTION_WORK: "A piece of work of a collector, whole.",
    topics.APPRAISALS: "A collector's month, beside the others.",
}
"""Read and written by Kilowatch's own tools; of these the document states the version alone."""

OWN = {LEDGER_ROWS, LEARNED_ROWS, CREDIT_ROWS}

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
MONEY = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,9}$", "examples": ["15.03"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
CAUSE = {
    "type": "object",
    "description": "The input record that caused it.",
    "properties": {
        "topic": {"enum": sorted(topics.SOURCE_OF_TOPIC)},
        "partition": {"type": "integer", "minimum": 0},
        "offset": {"type": "integer", "minimum": 0},
    },
    "required": ["topic", "partition", "offset"],
    "additionalProperties": False,
}
SIGNED = {"keyId": {"type": "string"}, "signature": {"type": "string"}}
DATE = {"type": ["string", "null"], "format": "date", "pattern": r"^20\d\d-\d\d-\d\d$"}
LINKED = {
    "grounds": {"type": ["object", "null"], "description": "What the judgement stood on."},
    "told": {
        "type": ["object", "null"],
        "description": "The record on another topic it stands for.",
    },
    "number": {"type": "integer", "minimum": 1},
    "previous": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
ADDED: dict[str, dict[str, Any]] = {
    topics.TRIP_COMMANDS: SIGNED,
    topics.RESTORE_COMMANDS: SIGNED,
    topics.DECISIONS: LINKED,
}
"""What is added to an effect's own fields: a signature where there are keys, the chain's fields."""


def document() -> dict[str, Any]:
    """The whole AsyncAPI document."""
    payloads = _payloads()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kilowatch",
            "version": version("kilowatch"),
            "description": "Records are keyed by account (murmur2), UTF-8 JSON, one object each; "
            "a record of meter-readings may also be a list of readings.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, payloads[topic]) for topic in payloads},
        "operations": {
            f"{'take' if _is_taken(topic) else 'say'}-{topic}": {
                "action": "receive" if _is_taken(topic) else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [
                    {"$ref": f"#/channels/{topic}/messages/{name}"} for name in payloads[topic]
                ],
            }
            for topic in payloads
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "title": TOPICS[topic].meaning,
                    "contentType": "application/json",
                    "payload": {"$ref": REF.format(name=name)},
                    "bindings": {"kafka": {"key": {"type": "string"}}},
                }
                for topic, names in payloads.items()
                for name in names
            },
            "schemas": schemas(),
        },
    }


def _is_taken(topic: str) -> bool:
    return topic in TAKEN or topic in WITHOUT_TYPE


def _payloads() -> dict[str, list[str]]:
    """The schemas of each topic's messages, by name, in the order of the topics."""
    found = {topic: [each.__name__ for each in kinds] for topic, kinds in (TAKEN | SAID).items()}
    found |= {topic: [kind.__name__] for kind, topic in TOPIC_OF_EFFECT.items()}
    found |= {topic: [kind.__name__] for topic, kind in ANSWERED.items()}
    found |= {topic: [_name_of(topic)] for topic in WITHOUT_TYPE}
    return {topic: found[topic] for topic in TOPICS if topic not in OWN}


def _name_of(topic: str) -> str:
    return "".join(word.capitalize() for word in topic.split("-"))


def _channel(topic: str, names: Iterable[str]) -> dict[str, Any]:
    terms = TOPICS[topic]
    return {
        "address": topic,
        "description": terms.meaning,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if terms.compacted else "delete"]
                },
            }
        },
    }


@lru_cache(maxsize=1)
def schemas() -> dict[str, Any]:
    """JSON Schemas (draft 2020-12) of every message and of what they are made of."""
    kinds = [each for some in (TAKEN | SAID).values() for each in some]
    _roots, found = msgspec.json.schema_components(kinds, ref_template=REF)
    for kind, topic in TOPIC_OF_EFFECT.items():
        found[kind.__name__] = _of_fields(kind, ADDED.get(topic, {}), versioned=True)
    for topic, meaning in WITHOUT_TYPE.items():
        found[_name_of(topic)] = {
            "type": "object",
            "description": meaning,
            "properties": {"version": {"const": VERSION}},
            "required": ["version"],
        }
    for part in (Evidence, LargeDay, Proof):
        found[part.__name__] = _of_fields(part, {}, versioned=False)
    for answer in ANSWERED.values():
        schema = answer.model_json_schema(ref_template=REF.replace("{name}", "{model}"))
        parts = schema.pop("$defs") | {answer.__name__: schema}
        for written in (each for one in parts.values() for each in one["properties"].values()):
            written.pop("title", None)  # the name once more, in lower case
        found |= parts
    found["FactsBody"]["properties"]["facts"] |= _facts()
    return dict(sorted(found.items()))


def _facts() -> dict[str, Any]:
    """The facts that may be stated of a customer; null takes one back."""
    schemas: dict[str, dict[str, Any]] = {}
    for name in wire_credit.WORDS:
        schemas[name] = {"enum": [*wire_credit.words_of(name), None]}
    for name in (*wire_credit.COUNTS, *wire_credit.AMOUNTS):
        least, most = wire_credit.range_of(name)
        schemas[name] = {"type": ["integer", "null"], "minimum": least, "maximum": most}
    schemas |= {name: {"type": ["boolean", "null"]} for name in wire_credit.TRUTHS}
    schemas |= dict.fromkeys(wire_credit.DATES, DATE)
    return {"properties": dict(sorted(schemas.items())), "additionalProperties": False}


def _of_fields(kind: Any, added: dict[str, Any], *, versioned: bool) -> dict[str, Any]:
    """The schema of a dataclass as `wire_effects` writes it: all fields, always."""
    hints = {each.name: each.type for each in fields(kind)}
    written = {json_name(name): _of_field(name, hint) for name, hint in hints.items()}
    first = {"version": {"const": VERSION}} if versioned else {}
    return {
        "type": "object",
        "description": (kind.__doc__ or "").partition("\n\n")[0],
        "properties": first | written | added,
        "required": [*first, *written],
        "additionalProperties": False,
    }


def _of_field(name: str, hint: Any) -> dict[str, Any]:
    """How a column is written follows from its name's unit, else from its type."""
    if name.endswith("_nanos"):
        return MONEY
    if name.endswith("_at") or name in {"not_before", "approved_until"}:
        return INSTANT
    if name in {"tier", "previous_tier"}:
        return {"enum": [each.name.lower() for each in Tier]}
    if name == "cause":
        return CAUSE
    return _of_hint(hint)


def _of_hint(hint: Any) -> dict[str, Any]:
    """The schema of an annotation of `scoring.effects`."""
    import scoring.effects

    return _of_type(eval(hint, vars(scoring.effects)))  # noqa: S307 - our own annotations


def _of_type(kind: Any) -> dict[str, Any]:
    plain = {
        str: "string",
        int: "integer",
        float: "number",
        bool: "boolean",
        types.NoneType: "null",
    }
    if kind in plain:
        return {"type": plain[kind]}
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return {"enum": [each.value for each in kind]}
    if isinstance(kind, type) and is_dataclass(kind):
        return {"$ref": REF.format(name=kind.__name__)}
    parts = [_of_type(each) for each in typing.get_args(kind) if each is not ...]
    if typing.get_origin(kind) is types.UnionType:
        return {"anyOf": parts}
    assert typing.get_origin(kind) is tuple, f"no schema for {kind}"
    return {"type": "array", "items": parts[0]}


def text() -> str:
    """The file."""
    head = "# Made by `python -m deploy.asyncapi` from the types of streams/wire_*.py\n"
    plain = msgspec.to_builtins(document())
    body: str = yaml.dump(plain, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return head + body


class _Plain(yaml.SafeDumper):  # type: ignore[misc] # yaml ships no types
    """Without anchors, which people read past."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def main() -> int:
    """Write the file."""
    FILE.write_text(text(), "utf-8")
    print(FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
