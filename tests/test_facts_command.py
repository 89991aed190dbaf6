"""`kilowatch facts`: a file of an agency becomes statements, or is refused by line and fact."""

from __future__ import annotations

import json
from datetime import date

import pytest

from deploy import facts
from streams.wire_credit import FACT_NAMES, decode_customer_facts
from tests.works import PARTITIONS, desk, finished, grades, record

AT = "2026-07-01T00:00:00Z"


def told(tmp_path, text):
    path = tmp_path / "facts.csv"
    path.write_text(text, encoding="utf-8")
    return facts.statements(path, "rating-agency", AT, PARTITIONS)


def test_a_file_of_ratings_becomes_statements(tmp_path):
    some = told(tmp_path, "accountId,bankRating,taxArrears\nmill-1,BBB,false\n007,,true\n")
    assert [json.loads(one.value)["facts"] for one in some] == [
        {"bankRating": "bbb", "taxArrears": False},
        {"taxArrears": True},
    ]
    assert [one.key for one in some] == [b"mill-1", b"007"]
    assert decode_customer_facts(record(some[0]), PARTITIONS).source == "rating-agency"


def test_what_was_stated_may_be_taken_back_and_no_list_is_a_list(tmp_path):
    (one,) = told(tmp_path, "accountId,bankRating,keyList\nmill-1,none,none\n")
    assert json.loads(one.value)["facts"] == {"bankRating": None, "keyList": "none"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("accountId,bankRating\nmill-1,aa\nmill-2,gold\n", "csv:3: bankRating"),
        ("accountId,age\nmill-1,40\n", "csv:2: age is a personal trait"),
        ("accountId,colour\nmill-1,red\n", "csv:2: colour is no fact"),
        ("bankRating\naa\n", "csv:2: a line needs accountId"),
        ("accountId,theftDay\nmill-1,yesterday\n", "csv:2: theftDay"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path, text, why):
    with pytest.raises(ValueError, match=why):
        told(tmp_path, text)


def test_tax_arrears_reach_the_score(tmp_path):
    one = desk()
    rated = told(tmp_path, "accountId,bankRating,taxArrears\nworks-001,aaa,true\n")
    one.take([record(each) for each in rated])
    (grade,) = grades(one.take([record(finished(date(2026, 7, 2)))]))
    (bank,) = (each for each in grade["items"] if each["item"] == "C2")
    assert bank["points"] == 3, "3 at most with tax arrears"


def test_every_fact_is_listed(capsys):
    assert facts.main(["names"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == FACT_NAMES
