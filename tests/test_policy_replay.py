"""Does the policy replay tell truly whom two policies warn and cut, and which cuts are wrong?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from deploy.policy_replay import ReplayFailed, compare, main
from deploy.recorded import from_lines
from deploy.replay_rules import RulesWrong, rules_from
from scoring.rules import WorkingCalendar
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


def lived(new, more=()):
    desk = TariffDesk()
    desk.take([record for record in RECORDED if record.topic == topics.TARIFFS])
    return compare([*RECORDED, *more], {"in force": RULES, "new": new}, desk)


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


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('max_reading_age_seconds: "93600"', "is '93600'; write a whole number without quotes"),
        ("command_validity_seconds: 1700.5", "is 1700.5; write a whole number"),
        ("max_reading_age_seconds: 1e5", "is '1e5'; write a whole number"),
        ("notice_lead_seconds: .inf", "is inf; write a whole number"),
        ("notice_lead_seconds: true", "is True; write a whole number"),
        ("notice_lead_seconds:", "is None; write a whole number"),
        ("notice_lead_seconds: [3600]", "is [3600]; write a whole number"),
        ("trips_before_weekend: 1", "is 1; write `true` or `false`"),
        ("prepaid_approvers: 2", "is 2; write 3 whole numbers, as [0, 0, 2]"),
        ("prepaid_approvers: []", "is []; write 3 whole numbers"),
        ("prepaid_approvers: [0, 0, true]", "is [0, 0, True]; write 3 whole numbers"),
        ("moratoria_areas: north", "is 'north'; write a list of areas, as [north, south]"),
        ("moratoria_areas: [1]", "is [1]; write a list of areas"),
        ("holidays: 2026-10-01", "is 2026-10-01; write a list of dates"),
        ("holidays: []", "is []; write a list of dates"),
        ("holidays:", "is None; write a list of dates"),
        ("holidays: all", "is 'all'; write a list of dates"),
        ('holidays: ["2026-10-01"]', "is ['2026-10-01']; write a list of dates"),
        ("holidays: [2026-10-01 00:00:00]", "write a list of dates"),
        ("holidays: [2026-13-01]", "is no YAML"),
        ("calendar: none", "calendar is no rule"),
        ("5: 6", "5 is no rule"),
        ("[" * 9_999, "is no YAML"),
        ("a: b: c", "is no YAML"),
    ],
)
def test_a_limit_of_another_kind_is_named_and_nothing_is_replayed(rules, capsys, said, told):
    rules.write_text(said + "\n")
    assert main([str(rules), str(rules)]) == 1
    name = said.split(":")[0] + " " if told.startswith("is ") and ":" in said else ""
    wanted = told if "YAML" in told or "rule" in told else name + told
    assert wanted in capsys.readouterr().err


def test_rules_of_the_right_kind_are_taken(rules):
    rules.write_text(
        "trips_before_weekend: true\nprepaid_approvers: [0, 1, 2]\nmoratoria_areas: [north]\n"
        "holidays: [2026-10-01, 2025-10-01]\n"
    )
    taken = rules_from(rules, RULES)
    assert taken.trips_before_weekend
    assert taken.prepaid_approvers == (0, 1, 2)
    assert taken.moratoria_areas == ("north",)
    assert taken.calendar == WorkingCalendar(
        date(2025, 1, 1), date(2026, 12, 31), frozenset({date(2026, 10, 1), date(2025, 10, 1)})
    )


def test_files_that_are_not_utf_8_are_told_in_a_sentence(tmp_path, rules, capsys):
    file = tmp_path / "past.jsonl"
    file.write_bytes(b"\xff\xfe\n")
    assert main([str(rules), str(file)]) == 1
    assert "past.jsonl line 1: not a record" in capsys.readouterr().err
    rules.write_bytes(b"\xff: 1\n")
    assert main([str(rules), str(file)]) == 1
    assert "rules.yaml is not UTF-8" in capsys.readouterr().err


def test_a_replay_in_which_scoring_fails_tells_nothing():
    with pytest.raises(ReplayFailed, match="scoring failed on"):
        lived(replace(RULES, max_reading_age_seconds="93600"))


REFUSED = {
    "not JSON": "junk", "a list": "[]", "without a day": '{"version": 1}', "nothing": "",
    "bad amount": json.dumps({"version": 1, "accountId": "home-1", "paymentId": "x",
                              "amount": "x1", "paidAt": "2026-07-06T00:00:00Z"}),
    "another's": json.dumps({"version": 1, "accountId": "home-2", "paymentId": "x",
                             "amount": "1000.00", "paidAt": "2026-07-06T00:00:00Z"}),
}  # fmt: skip


def test_payments_that_the_worker_refuses_are_no_payments():
    at = (MONDAY + DAY) * 1000
    junk = [
        PlainRecord(topics.PAYMENTS, 0, 99, at, b"home-1", value.encode())
        for value in REFUSED.values()
    ]
    patient = replace(RULES, notice_lead_seconds=2 * DAY)
    both = [each.report() for each in lived(patient, junk).values()]
    assert both[0]["cut"] == ["home-1", "home-2"]
    assert both[1]["cut"] == ["home-1"]
    assert [cut["account_id"] for cut in both[0]["cutWrongly"]] == ["home-2"]
