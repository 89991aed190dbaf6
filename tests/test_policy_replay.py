"""Does the policy replay tell truly whom two policies warn and cut, and which cuts are wrong?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deploy.policy_replay import RulesWrong, compare, main, rules_from
from deploy.recorded import from_lines
from scoring.units import instant_text
from scoring.weather import AreaWord, Spell, WeatherKind
from streams import topics
from streams.log import PlainRecord
from streams.tariff_desk import TariffDesk
from streams.weather_desk import encode_word
from tests.office import DAY, MONDAY, RULES, Office

HOMES = {"home-1": "18", "home-2": "10", "home-3": "500"}


def recorded() -> list[PlainRecord]:
    """Three homes for four days; the second pays on Monday, which is recorded on Tuesday."""
    office = Office(1)
    said: list[tuple[str, int, str, bytes]] = []
    enter = office.enter

    def keep(topic: str, partition: int, *records: tuple[str | None, bytes, int]) -> None:
        said.extend((topic, at, key or "", value) for key, value, at in records)
        enter(topic, partition, *records)

    office.enter = keep  # type: ignore[method-assign]
    for home, paid in HOMES.items():
        office.open(home)
        office.pay(home, paid)
        office.live(home, 4, watts=2_000)
    late = {"version": 1, "accountId": "home-2", "paymentId": "late", "amount": "300.00",
            "paidAt": instant_text(MONDAY + 7_200)}  # fmt: skip
    said.append((topics.PAYMENTS, MONDAY + DAY, "home-2", json.dumps(late).encode()))
    said += [(topics.TARIFFS, 0, (r.key or b"").decode(), r.value) for r in office.tariff_records]
    return [
        PlainRecord(topic, 0, place, at * 1000, key.encode(), value)
        for place, (topic, at, key, value) in enumerate(said)
    ]


RECORDED = recorded()


def lived(new):
    desk = TariffDesk()
    desk.take([record for record in RECORDED if record.topic == topics.TARIFFS])
    return compare(RECORDED, {"in force": RULES, "new": new}, desk)


def test_the_same_policy_does_the_same():
    same = lived(RULES)
    assert same["in force"].report() == same["new"].report()
    told = same["new"].report()
    assert told["cut"] == ["home-1", "home-2"]
    assert told["warned"] == ["home-1", "home-2"]
    assert [cut["account_id"] for cut in told["cutWrongly"]] == ["home-2"]
    assert "recorded later" in told["cutWrongly"][0]["wrong"]
    assert told["restored"] == ["home-2"]


def test_a_policy_that_waits_longer_cuts_fewer():
    patient = lived(replace(RULES, notice_lead_seconds=2 * DAY))
    assert patient["new"].report()["cut"] == ["home-1"]
    assert patient["in force"].report()["cut"] == ["home-1", "home-2"]
    # home-1 to the end of the records, home-2 for 13 hours under the policy in force
    assert [each.off_hours for each in patient.values()] == [63 + 13, 15 + 1]


def test_a_hasty_policy_cuts_at_night_and_that_is_wrong():
    hasty = lived(replace(RULES, trip_window_opens_hour=0, trip_window_closes_hour=23))
    wrong = hasty["new"].report()["cutWrongly"]
    assert {cut["account_id"] for cut in wrong} == {"home-1", "home-2"}
    assert any("outside_window" in cut["wrong"] for cut in wrong)


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("notice_lead_seconds: 172800\nholidays: none\n")
    return path


def test_from_files_at_a_terminal(tmp_path, rules, capsys, monkeypatch):
    monkeypatch.setenv("KILOWATCH_HOLIDAYS", "none")
    file = tmp_path / "past.jsonl"
    with file.open("w") as out:
        for each in RECORDED:
            key, value = (each.key or b"").decode(), (each.value or b"").decode()
            said = {"topic": each.topic, "timestamp": each.timestamp, "key": key, "value": value}
            out.write(json.dumps(said) + "\n")
    assert len(from_lines(file)) == len(RECORDED)
    assert main([str(rules), str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["new"]["cut"] == ["home-1"]
    assert main([str(rules), str(file)]) == 0
    said = capsys.readouterr().out
    assert "spared by the new: home-2" in said
    assert "cut by both: 1, by the new +48.0 h" in said


def words(*said):
    """What the weather feed said, before anybody was out of money."""
    told = []
    for place, (area, spells) in enumerate(said):
        word = None if spells is None else encode_word(area, AreaWord(MONDAY + 5 * DAY, spells))
        value = None if word is None else word.value
        at = (MONDAY + place) * 1000
        told.append(PlainRecord(topics.MORATORIA, 0, place, at, area.encode(), value))
    return told


FROST = (Spell(WeatherKind.COLD, MONDAY, MONDAY + 4 * DAY),)


@pytest.mark.parametrize(
    ("said", "cut", "why"),
    [
        ([("*", FROST)], [], "frost everywhere, all the time"),
        ([("*", FROST), ("*", None)], ["home-1", "home-2"], "withdrawn: watched no more"),
        ([("*", FROST), ("*", ())], ["home-1", "home-2"], "stated anew: no spell"),
    ],
)
def test_moratoria_are_replayed_from_a_file(tmp_path, rules, monkeypatch, capsys, said, cut, why):
    monkeypatch.setenv("KILOWATCH_HOLIDAYS", "none")
    rules.write_text("max_weather_age_seconds: 999999\n")
    monkeypatch.setenv("KILOWATCH_SUPPLY_LIMITS", "max_weather_age_seconds=999999")
    file = tmp_path / "past.jsonl"
    with file.open("w") as out:
        for each in [*RECORDED, *words(*said)]:
            value = None if each.value is None else each.value.decode()
            key = (each.key or b"").decode()
            line = {"topic": each.topic, "timestamp": each.timestamp, "key": key, "value": value}
            out.write(json.dumps(line) + "\n")
    assert main([str(rules), str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["new"]["cut"] == told["in force"]["cut"] == cut, why


def test_what_cannot_be_read_is_named(tmp_path, rules, capsys):
    file = tmp_path / "past.jsonl"
    file.write_text('{"topic": "ticks", "timestamp": 0, "value": "{}"}\n{"topic": "ticks"}\n')
    assert main([str(rules), str(file)]) == 1
    assert "past.jsonl line 2: not a record" in capsys.readouterr().err
    assert main([str(rules), str(tmp_path / "nothing.jsonl")]) == 1
    assert "nothing.jsonl" in capsys.readouterr().err


def test_wrong_rules_are_named(rules):
    rules.write_text("notice_lead: 3\n")
    with pytest.raises(RulesWrong, match="notice_lead is no rule"):
        rules_from(rules, RULES)
    rules.write_text("notice_lead_seconds: 0\n")
    with pytest.raises(RulesWrong, match="notice_lead_seconds is 0"):
        rules_from(rules, RULES)
