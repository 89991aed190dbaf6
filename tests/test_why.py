"""Does "why was I cut" get a true answer in words, also over HTTP?"""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from aiokafka import AIOKafkaProducer

from api.app import application
from api.decisions import links_of
from api.history import History
from api.history_tables import engine_of, migrate
from api.state import State
from api.view import View
from api.why import why
from api.why_words import SENTENCES, STEP_WORDS
from api.words import HOLD_WORDS, HOLD_WORDS_ZH
from deploy.broker import EmbeddedBroker
from scoring.effects import DecisionKind, Hold, WorkItemKind
from scoring.events import (
    Action,
    CustomerClass,
    OperatorActed,
    PaymentKind,
    PaymentMode,
    PaymentReceived,
)
from scoring.procedures import Step
from scoring.units import nanos
from streams.log import PlainRecord
from streams.settings import Settings
from streams.topics import DECISIONS, ensure_topics, partition_of
from tests.office import DAY, HOUR, MONDAY, RULES, Office
from tests.test_api import Client, Fed

if TYPE_CHECKING:
    from pathlib import Path

    from api.words import Language


def cut(paid: str | None = "100") -> Office:
    """A home whose money ends on a Tuesday night, and who pays after the trip, or does not."""
    office = Office()
    office.open("home-1", direct_close_agreed=True)
    office.pay("home-1", "10")
    office.live("home-1", 2, watts=2_000)
    for hours in (9, 10):
        at = MONDAY + 2 * DAY + hours * HOUR
        office.read("home-1", (at, (48 + hours) * 2_000))
        office.beat(at + 60)
        office.tick(at + 120)
        if hours == 9:
            office.receive("home-1", at + 180)
    if paid is not None:
        office.pay("home-1", paid, MONDAY + 2 * DAY + 11 * HOUR)
    return office


def owing_shop() -> Office:
    """A shop on a plan that owes since 1 June 2026."""
    office = Office()
    office.open("shop-1", customer_class=CustomerClass.BUSINESS, payment_mode=PaymentMode.PLAN)
    due_day = date(2026, 6, 1).toordinal()
    brought = PaymentReceived(
        "shop-1", 0, 0, "p-0", nanos("-300"), MONDAY, PaymentKind.OPENING_BALANCE, 0, due_day
    )
    office.event(brought, MONDAY)
    return office


def take_step(office: Office, days: int, hours: int, *approver: str) -> None:
    """The shop is read, approved of and looked at; until noon, its notice is proven delivered."""
    at = MONDAY + days * DAY + hours * HOUR
    office.read("shop-1", (at, (days * 24 + hours) * 100))
    office.beat(at + 60)
    for name in approver:
        approve(office, name, at)
    office.tick(at + 120)
    if hours < 12:
        office.receive("shop-1", at + 180)


def approve(office: Office, name: str, at: int) -> None:
    office.event(OperatorActed("shop-1", 0, at, Action.APPROVE_TRIP, name, "", at), at)


def stopped_by_law() -> Office:
    """Dunned and noticed in the week from 6 July 2026, then stopped."""
    office = owing_shop()
    for step in ((0, 9), (0, 10), (3, 11, "li"), (3, 12)):
        take_step(office, *step)
    return office


def test_the_grounds_of_a_trip_name_whoever_the_trip_names():
    """Li's word of Wednesday noon is over on Thursday noon; Wang's is not, and one is enough."""
    office = owing_shop()
    take_step(office, 0, 9)
    take_step(office, 0, 10)
    approve(office, "li", MONDAY + 2 * DAY + 11 * HOUR + HOUR // 2)
    take_step(office, 3, 11, "wang")
    take_step(office, 3, 12)
    (trip,) = office.told["trip-commands"]
    links = [json.loads(link) for link in office.links("shop-1")]
    (of_trip,) = [
        link for link in links if link["told"] and link["told"]["topic"] == "trip-commands"
    ]
    assert trip["approvers"] == of_trip["grounds"]["approvers"] == ["wang"]


OFFICE = cut()
LINKS = OFFICE.links("home-1")


def test_the_history_gives_what_it_has_and_the_topic_the_rest(tmp_path: Path):
    """The topic's first records are spoilt: what the history holds is not read from it again."""
    here, kept = partition_of(b"home-1", 2), 3
    history = History(engine_of(f"sqlite:///{tmp_path}/history.db"))
    migrate(history.engine)
    told = [
        PlainRecord(DECISIONS, here, place, MONDAY * 1000, b"home-1", link)
        for place, link in enumerate(LINKS[:kept])
    ]
    history.take(told, {(DECISIONS, here): (0, kept)})
    assert history.links("home-1", here) == (LINKS[:kept], kept)
    assert history.links("home-2", here) == ([], kept)

    async def story(settings: Settings) -> tuple[list[bytes], list[bytes]]:
        await ensure_topics(settings, (DECISIONS,))
        async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
            for value in [b"spoilt"] * kept + LINKS[kept:]:
                for name in (b"home-1", b"home-2"):
                    place = partition_of(name, 2)
                    if name == b"home-1" or place != here:
                        await producer.send_and_wait(DECISIONS, value, name, place)
        with_history = await links_of(settings, "home-1", history)
        return with_history, await links_of(settings, "home-1")

    with EmbeddedBroker(tmp_path) as broker:
        found, read = asyncio.run(story(Settings(bootstrap=broker.bootstrap, partitions=2)))
    history.engine.dispose()
    assert found == LINKS
    assert read[:kept] == [b"spoilt"] * kept


def test_why_was_i_cut():
    told = why("home-1", LINKS)
    assert told.is_proven
    assert told.answer.startswith("2026-07-08 02:02 UTC: The supply was ordered off")
    assert "none of" in told.answer
    assert "ordered back on 2026-07-08 03:00 UTC" in told.answer
    assert told.proof.startswith(f"All {len(LINKS)} records hold together")
    assert told.proof.endswith(f"number {len(LINKS)}, hash {json.loads(LINKS[-1])['hash']}.")
    said = [each.sentence for each in told.steps]
    assert "The supply was ordered back on: 46.56 is available." in said
    kinds = [step.kind for step in told.steps]
    road = ["disconnection-notices", "trip-commands", "restore-commands"]
    assert [kind for kind in kinds if kind in road] == road


def test_in_chinese():
    told = why("home-1", LINKS, "zh")
    assert told.answer.startswith("2026-07-08 02:02 UTC")
    assert "已下达停电" in told.answer
    assert "首尾相连" in told.proof


AGAIN: dict[Language, tuple[str, str]] = {
    "en": (
        "The customer was told that the balance suffices again: 446.56 is left.",
        "About the balance of 446.56 the collector was told that nothing is left to do.",
    ),
    "zh": (
        "已通知用户余额恢复充足：当时可用余额 446.56。",
        "催费任务（已撤回）：当时可用余额 446.56。",
    ),
}


@pytest.mark.parametrize("language", AGAIN)
def test_good_news_is_not_told_as_bad(language: Language) -> None:
    """Much money comes: neither a low-balance warning nor a visit, but the end of both."""
    office = cut()
    office.pay("home-1", "400.00", MONDAY + 3 * DAY)
    told = why("home-1", office.links("home-1"), language)
    assert told.is_proven
    assert tuple(step.sentence for step in told.steps[-2:]) == AGAIN[language]


BY_LAW: dict[Language, tuple[str, str]] = {
    "en": (
        (
            "The supply was ordered off for arrears: 300.00 was owed, the oldest unpaid bill was "
            "to be paid by 2026-06-01, 38 days before; dunning proven delivered at 2026-07-06 "
            "09:03; written notice proven delivered at 2026-07-06 10:03; second notice proven "
            "delivered at 2026-07-09 11:03; none of "
        ),
        " guards held it back; approved by li.",
    ),
    "zh": (
        (
            "已按欠费停电程序下达停电（跳闸）命令：欠费 300.00，最早一笔未缴账单应于 2026-06-01 "
            "前缴清，已逾期 38 天；催交通知已于 2026-07-06 09:03 证实送达；书面停电通知已于 "
            "2026-07-06 10:03 证实送达；停电前再次通知已于 2026-07-09 11:03 证实送达；"
        ),
        "均不成立；审批人：li。",
    ),
}


@pytest.mark.parametrize("language", BY_LAW)
def test_why_was_i_cut_by_law(language: Language) -> None:
    """Each step with its proof, and since when what was owed: a lawyer asks for nothing else."""
    begins, ends = BY_LAW[language]
    links = stopped_by_law().links("shop-1")
    told = why("shop-1", links, language, ZoneInfo("Asia/Shanghai"))
    assert told.is_proven
    (cut,) = (step.sentence for step in told.steps if step.kind == "trip-commands")
    assert cut.startswith(begins)
    assert cut.endswith(ends)
    grounds = [json.loads(link)["grounds"] for link in links]
    proven = [len(each["proofs"]) for each in grounds if each["stage"] == "noticed"]
    assert proven == sorted(proven)
    assert set(proven) == {1, 2, 3}


def test_every_kind_of_decision_has_a_sentence():
    kinds = {each.value for each in DecisionKind}
    assert kinds <= set(SENTENCES["en"])
    assert set(SENTENCES["en"]) == set(SENTENCES["zh"])


def test_every_work_and_notice_by_law_has_a_sentence():
    works = {f"work-{each.name.lower().replace('_', '-')}" for each in WorkItemKind}
    steps = {each.name.lower().replace("_", "-") for each in Step} - {"disconnection-notice"}
    assert works | steps <= set(SENTENCES["en"])
    assert set(STEP_WORDS["en"]) == set(STEP_WORDS["zh"]) >= {each.name.lower() for each in Step}


def test_a_broken_chain_is_no_proof():
    told = why("home-1", [*LINKS[:1], *LINKS[2:]])
    assert not told.is_proven
    assert "prove nothing" in told.proof


def test_every_hold_has_words_in_both_languages():
    assert set(HOLD_WORDS) == set(HOLD_WORDS_ZH) == set(Hold)


def test_over_http():
    async def links(account_id: str) -> list[bytes]:
        return OFFICE.links(account_id)

    client = Client(application(State(OFFICE.feed(View()), Fed(), RULES, links=links)))
    answer = client.get("/v1/accounts/home-1/why?lang=zh")
    assert answer.status_code == 200
    body = answer.json()
    assert body["isProven"] is True
    assert body["steps"][0]["at"].endswith("+08:00"), "in the account's zone"
    assert client.get("/v1/accounts/nobody/why").status_code == 404
