"""The AsyncAPI document says what the wire says: it is made from it, and real messages fit it."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from deploy import asyncapi
from scoring.effects import DailyUsage
from streams import topics, wire
from streams.log import PlainRecord
from streams.topics import SOURCE_OF_TOPIC, TOPICS
from streams.wire_credit import FACT_NAMES
from streams.wire_readings import Reading
from tests.simulation import PARTITIONS, Simulation
from tests.test_credit_desk import REFUSED
from tests.test_wire_effects import EFFECTS
from tests.works import GOOD_FACTS, days_of, desk, facts_record, grades

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = yaml.safe_load(asyncapi.FILE.read_text("utf-8"))


def test_the_file_is_what_the_program_makes() -> None:
    assert asyncapi.FILE.read_text("utf-8") == asyncapi.text(), "run `python -m deploy.asyncapi`"


def test_every_topic_of_json_has_a_channel_and_an_operation() -> None:
    assert set(DOCUMENT["channels"]) == set(TOPICS) - asyncapi.OWN
    used = {each["channel"]["$ref"].rpartition("/")[2] for each in DOCUMENT["operations"].values()}
    assert used == set(DOCUMENT["channels"])
    actions = {name: each["action"] for name, each in DOCUMENT["operations"].items()}
    assert all(actions[f"take-{topic}"] == "receive" for topic in SOURCE_OF_TOPIC)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        part = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


def validator(topic: str) -> Draft202012Validator:
    """Of any message of a topic."""
    messages = DOCUMENT["channels"][topic]["messages"]
    schema = {
        "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in messages],
        "components": {"schemas": DOCUMENT["components"]["schemas"]},
    }
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_schemas_are_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.fixture(scope="module")
def told() -> dict[str, list[bytes]]:
    """Every JSON record of a simulated week: signed, chained, with faults and crashes."""
    simulation = Simulation(1, days=4)
    assert not any(asyncio.run(simulation.run()).values())
    found: dict[str, list[bytes]] = defaultdict(list)
    for topic in set(TOPICS) - asyncapi.OWN:
        for number in range(max(PARTITIONS)):
            found[topic] += [each.value for each in simulation.cluster.topics[topic, number]]
    return found


SAID = (topics.LOW_BALANCE_WARNINGS, topics.DISCONNECTION_NOTICES, topics.TRIP_COMMANDS,
        topics.RESTORE_COMMANDS, topics.DECISIONS, topics.DAILY_USAGE, topics.ACCOUNT_FORECASTS,
        topics.REFUSALS)  # fmt: skip


@pytest.mark.parametrize("topic", SAID)
def test_all_that_is_said_in_a_simulated_week_fits(
    topic: str, told: dict[str, list[bytes]]
) -> None:
    check = validator(topic)
    assert told[topic], f"the simulated week must say something on {topic}"
    for value in told[topic][:400]:
        assert not [error.message for error in check.iter_errors(json.loads(value))]


@pytest.mark.parametrize("topic", sorted(asyncapi.TAKEN))
def test_all_that_is_taken_in_a_simulated_week_fits(
    topic: str, told: dict[str, list[bytes]]
) -> None:
    check = validator(topic)
    fitting = 0
    for place, value in enumerate(told[topic][:400]):
        for body in accepted(topic, place, value):
            assert not [error.message for error in check.iter_errors(body)]
            fitting += 1
    assert fitting or not told[topic]


def accepted(topic: str, place: int, value: bytes) -> list[Any]:
    """The bodies in a record that the wire takes; none if it is a simulated fault."""
    if topic == topics.MORATORIA:
        return [json.loads(value)]  # no simulated fault touches it
    if topic == topics.READINGS:
        try:
            read = msgspec.json.decode(value, type=Reading | list[Reading])
        except (msgspec.MsgspecError, UnicodeError):
            return []
        body = json.loads(value)
        return body if isinstance(read, list) else [body]
    try:
        body = json.loads(value)
    except ValueError:
        return []
    key = body.get("accountId", "").encode() or None
    event = wire.decode_event(PlainRecord(topic, 0, place, 0, key, value), 1)
    return [] if isinstance(event, wire.Refusal) else [body]


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: type(effect).__name__)
def test_every_effect_fits_and_nothing_else_does(effect: Any) -> None:
    encoded = wire.encode_effect(effect)
    check = validator(encoded.topic)
    body = json.loads(encoded.value)
    assert not list(check.iter_errors(body))
    for each in fields(effect):
        name = asyncapi.json_name(each.name)
        assert list(check.iter_errors({key: body[key] for key in body if key != name})), name
        assert list(check.iter_errors(body | {name: {"no": "such"}})), name
    assert list(check.iter_errors(body | {"unknown": 1}))
    assert list(check.iter_errors(body | {"version": 2}))


def test_a_large_customers_block_fits_and_nothing_else_does() -> None:
    (effect,) = [each for each in EFFECTS if isinstance(each, DailyUsage) and each.large]
    check = validator(topics.DAILY_USAGE)
    body = json.loads(wire.encode_effect(effect).value)
    assert not list(check.iter_errors(body | {"large": None}))
    large = body["large"]
    for name, value in large.items():
        assert list(check.iter_errors(body | {"large": {k: large[k] for k in large if k != name}}))
        assert list(check.iter_errors(body | {"large": large | {name: not value}})), name
    assert list(check.iter_errors(body | {"large": large | {"unknown": 1}}))


def stated(facts: dict[str, Any]) -> Any:
    return json.loads(facts_record(facts).value)


def test_every_fact_that_is_taken_fits() -> None:
    check = validator(topics.CUSTOMER_FACTS)
    assert not list(check.iter_errors(stated(GOOD_FACTS)))
    assert not list(check.iter_errors(stated(dict.fromkeys(sorted(FACT_NAMES)))))
    least = {"netProfitCents": -(10**16), "latestDays": -10_000, "capitalCents": 0}
    assert not list(check.iter_errors(stated(least)))


@pytest.mark.parametrize("facts", [each[0] for each in REFUSED], ids=str)
def test_no_statement_that_is_refused_fits(facts: dict[str, Any]) -> None:
    assert list(validator(topics.CUSTOMER_FACTS).iter_errors(stated(facts)))


def test_a_grade_fits_and_nothing_else_does() -> None:
    days = days_of(date(2025, 1, 1), 420)
    poor = {"bankRating": "ccc", "outlook": "declining", "keyList": "none", "isLeased": True,
            "demandResponse": "breached", "netProfitCents": -50}  # fmt: skip
    told = [
        *grades(desk().take(days)),
        *grades(desk().take([*days, facts_record(GOOD_FACTS | poor)])),
        *grades(desk().take([*days, facts_record({"theftDay": "2026-02-10"})])),
    ]
    assert any(each["heldBy"] for each in told)
    assert any(each["risk"] for each in told)
    assert any(each["nextGrade"] and each["improvements"] for each in told)
    check = validator(topics.CREDIT_GRADES)
    for body in told:
        assert not [error.message for error in check.iter_errors(body)]
        for name in body:
            assert list(check.iter_errors({key: body[key] for key in body if key != name})), name
        assert list(check.iter_errors(body | {"version": 2}))
        assert list(check.iter_errors(body | {"unknown": 1}))
        assert list(check.iter_errors(body | {"items": [body["items"][0] | {"unknown": 1}]}))
