"""An operator's mistake is named at start; every setting is told where operators read."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from scoring.effects import Hold
from scoring.rules import window_hold
from scoring.units import instant
from streams.settings import (
    Settings,
    SettingsWrong,
    settings_from,
    settings_table,
    supply_rules,
    variable,
)

ROOT = Path(__file__).parent.parent


def test_without_variables_the_defaults_hold():
    assert settings_from({"PATH": "/bin"}) == Settings()


def test_variables_are_read():
    settings = settings_from(
        {"KILOWATCH_PARTITIONS": " 64 ", "KILOWATCH_TIMESTAMPS": "producer", "KILOWATCH_GROUP": "g"}
    )
    assert (settings.partitions, settings.timestamps, settings.group) == (64, "producer", "g")


WRONG = [
    ("KILOWATCH_PARTITIONS", "0", "write a whole number from 1 to 1024"),
    ("KILOWATCH_PARTITIONS", "eight", "write a whole number from 1 to 1024"),
    ("KILOWATCH_PARTITIONS", "-8", "write a whole number"),
    ("KILOWATCH_PARTITIONS", "٨", "write a whole number"),
    ("KILOWATCH_TIMESTAMPS", "me", "write one of broker, producer"),
    ("KILOWATCH_BOOTSTRAP", "  ", "must not be empty"),
    ("KILOWATCH_HOLIDAYS", "1 October", "write dates as 2026-10-01"),
    ("KILOWATCH_PARTITION", "8", "is not a setting; there are KILOWATCH_PARTITIONS"),
    ("KILOWATCH_QQQQ", "8", "is not a setting; there are KILOWATCH_BOOTSTRAP"),
    ("KILOWATCH_BOOTSTRAP", "a:b:c", "write host:port"),
    ("KILOWATCH_BOOTSTRAP", "kafka", "write host:port"),
    ("KILOWATCH_BOOTSTRAP", "a:9092,", "write host:port"),
    ("KILOWATCH_BOOTSTRAP", "::1:9092", "write host:port"),
]


@pytest.mark.parametrize(("name", "text", "advice"), WRONG)
def test_a_wrong_variable_is_named_with_what_to_write(name, text, advice):
    with pytest.raises(SettingsWrong) as wrong:
        settings_from({name: text})
    assert name in str(wrong.value)
    assert advice in str(wrong.value)


def test_brokers_may_be_several_and_of_either_protocol():
    text = "kafka-0.kafka:9092, [::1]:9093"
    assert settings_from({"KILOWATCH_BOOTSTRAP": text}).bootstrap == text


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsWrong) as wrong:
        settings_from({"KILOWATCH_API_PORT": "x", "KILOWATCH_TICKS": "x"})
    assert str(wrong.value).count("\n") == 1


def test_holidays_make_the_calendar_of_supply():
    friday, working = "2026-10-09T10:00:00+08:00", "2026-10-08T10:00:00+08:00"
    from zoneinfo import ZoneInfo

    def hold(holidays: str, text: str) -> Hold:
        rules = supply_rules(settings_from({"KILOWATCH_HOLIDAYS": holidays}))
        return window_hold(rules, ZoneInfo("Asia/Shanghai"), instant(text))

    assert supply_rules(Settings()).calendar is None
    assert hold("", working) is Hold.CALENDAR_UNREADABLE
    assert hold("none", working) == Hold(0)
    assert hold("none", friday) is Hold.OUTSIDE_WINDOW
    assert hold("2026-10-08", working) is Hold.OUTSIDE_WINDOW
    assert hold("2026-10-01", "2027-10-07T10:00:00+08:00") is Hold.CALENDAR_UNREADABLE
    calendar = supply_rules(
        settings_from({"KILOWATCH_HOLIDAYS": "2026-10-01, 2027-10-01"})
    ).calendar
    assert calendar is not None
    assert calendar.known_until == date(2027, 12, 31)


def test_the_table_tells_every_setting():
    table = settings_table()
    for each in fields(Settings):
        assert f"`{variable(each.name)}`" in table


def test_every_setting_is_documented_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [
        variable(each.name) for each in fields(Settings) if variable(each.name) not in readme
    ]
    assert not missing, "put `streams.settings.settings_table()` into README.md"
    unknown = set(re.findall(r"KILOWATCH_[A-Z_]+", settings_table())) - {
        variable(each.name) for each in fields(Settings)
    }
    assert not unknown


def test_every_limit_of_supply_can_be_set_and_a_wrong_one_is_refused_by_name():
    def rules(text):
        return supply_rules(Settings(holidays="none", supply_limits=text))

    assert rules("") == supply_rules(Settings(holidays="none"))
    changed = rules("arrears_overdue_days=45, prepaid_approvers=0/1/2, trips_before_weekend=true")
    assert changed.arrears_overdue_days == 45
    assert changed.prepaid_approvers == (0, 1, 2)
    assert changed.trips_before_weekend
    for wrong, named in (
        ("no_such_limit=1", "no_such_limit is no limit"),
        ("prepaid_approvers=2", "wants 3 numbers"),
        ("prepaid_approvers=0/0/3", "0 to 2"),
        ("trips_before_weekend=1", "`true` or `false`"),
        ("written_notice_resident_days=x", "invalid literal"),
        ("second_notice_lead_seconds=60", "must outlast"),
    ):
        with pytest.raises(SettingsWrong, match=named):
            rules(wrong)
