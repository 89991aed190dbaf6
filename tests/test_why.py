"""Does "why was I cut" get a true answer in words, over HTTP and at a terminal?"""

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
from deploy.verify import main as verify
from deploy.why import main as ask
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
from streams.chain import NO_LINK
from streams.log import PlainRecord
from streams.settings import Settings
from streams.topics import DECISIONS, ensure_topics, partition_of
from tests.office import DAY, HOUR, MONDAY, RULES, Office
from tests.test_api import Client, Fed
from tests.test_chain import FOREIGN, rewritten

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


def stopped_by_law() -> Office:
    """A shop on a plan that owes since 1 June, dunned and noticed in the week from 6 July 2026."""
    office = Office()
    office.open("shop-1", customer_class=CustomerClass.BUSINESS, payment_mode=PaymentMode.PLAN)
    due_day = date(2026, 6, 1).toordinal()
    brought = PaymentReceived(
        "shop-1", 0, 0, "p-0", nanos("-300"), MONDAY, PaymentKind.OPENING_BALANCE, 0, due_day
    )
    office.event(brought, MONDAY)
    for days, hours in ((0, 9), (0, 10), (3, 11), (3, 12)):
        at = MONDAY + days * DAY + hours * HOUR
        office.read("shop-1", (at, (days * 24 + hours) * 100))
        office.beat(at + 60)
        if days and hours == 11:
            office.event(OperatorActed("shop-1", 0, at + 90, Action.APPROVE_TRIP, "li", "", at), at)
        office.tick(at + 120)
        if hours < 12:
            office.receive("shop-1", at + 180)
    return office


def test_the_grounds_of_a_trip_name_whoever_the_trip_names():
    """Li's word of Wednesday noon is over on Thursday noon; Wang's is not, and one is enough."""
    office = Office()
    office.open("shop-1", customer_class=CustomerClass.BUSINESS, payment_mode=PaymentMode.PLAN)
    due_day = date(2026, 6, 1).toordinal()
    brought = PaymentReceived(
        "shop-1", 0, 0, "p-0", nanos("-300"), MONDAY, PaymentKind.OPENING_BALANCE, 0, due_day
    )
    office.event(brought, MONDAY)
    for days, hours in ((0, 9), (0, 10), (3, 11), (3, 12)):
        at = MONDAY + days * DAY + hours * HOUR
        if (days, hours) == (3, 11):
            before = at - DAY + HOUR // 2
            said = OperatorActed("shop-1", 0, before, Action.APPROVE_TRIP, "li", "", before)
            office.event(said, before)
        office.read("shop-1", (at, (days * 24 + hours) * 100))
        office.beat(at + 60)
        if (days, hours) == (3, 11):
            said = OperatorActed("shop-1", 0, at + 90, Action.APPROVE_TRIP, "wang", "", at)
            office.event(said, at + 90)
        office.tick(at + 120)
        if hours < 12:
            office.receive("shop-1", at + 180)
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


def test_no_record_is_no_proof():
    told = why("home-9", [])
    assert told.answer == "There is no record of a decision about this account."
    assert (told.is_proven, told.proof) == (False, "Nothing is proven.")
    assert not why("home-9", [], "zh").is_proven


HOSTILE = {
    name: rewritten(LINKS[-1], **fields)
    for name, fields in {
        "a kind that is a template": {"kind": "broken", "told": None},
        "a notice that is a template": {
            "told": {"topic": "disconnection-notices", "effectId": "home-1:cut", "sha256": ""}
        },
        "a visit that is a template": {
            "told": {"topic": "work-items", "effectId": "home-1:proof", "sha256": ""}
        },
        "a stop without grounds": {
            "told": {"topic": "trip-commands", "effectId": "home-1:trip", "sha256": ""},
            "grounds": None,
        },
        "a step that nobody knows": {
            "grounds": json.loads(LINKS[-1])["grounds"]
            | {"proofs": [{"step": "x", "effectId": "y", "provenAt": None}]}
        },
    }.items()
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_link_of_somebody_elses_making_is_told_as_it_stands(
    value: bytes, language: Language
) -> None:
    assert len(why("home-1", [*LINKS[:-1], value], language).steps) == len(LINKS)


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_record_does_not_stop_the_answer(value: bytes) -> None:
    told = why("home-1", [LINKS[0], value, *LINKS[1:]])
    assert told.answer == why("home-1", LINKS).answer
    assert not told.is_proven


def test_a_link_of_another_account_is_not_told() -> None:
    """A foreign record under the account's key is neither its proof nor its story."""
    other = rewritten(LINKS[0], accountId="home-2")
    told = why("home-1", [other, *LINKS])
    assert not told.is_proven
    assert "home-2, link 1 at record 0: is about another account" in told.proof
    assert [step.number for step in told.steps] == list(range(1, len(LINKS) + 1))
    assert why("home-2", LINKS).answer == "There is no record of a decision about this account."


SINCE: dict[Language, tuple[str, str]] = {
    "en": (
        (
            "The supply was not ordered off since record {first} of 2026-07-08 03:00 UTC; what was "
            "decided before it is not among these records. It was ordered back on 2026-07-08 03:00"
        ),
        "since record {first} hold together; the {missing} before it are not among them.",
    ),
    "zh": (
        (
            "自第 {first} 条记录（2026-07-08 03:00 UTC）以来未对该户下达停电命令；此前的决定不在"
            "这些记录之内。 复电命令下达于 2026-07-08 03:00"
        ),
        "自第 {first} 条起的全部 {links} 条记录首尾相连，校验无误；此前的 {missing} 条不在其内。",
    ),
}


@pytest.mark.parametrize("language", SINCE)
def test_what_is_no_longer_kept_is_not_denied(language: Language) -> None:
    """The records up to the trip are too old and gone: nobody may say that it never was."""
    trip = next(n for n, link in enumerate(LINKS) if b'"trip-commands"' in link)
    told = why("home-1", LINKS[trip + 1 :], language)
    answer, proof = SINCE[language]
    counts = {"first": trip + 2, "missing": trip + 1, "links": len(LINKS) - trip - 1}
    assert told.is_proven
    assert told.answer.startswith(answer.format(**counts))
    assert proof.format(**counts) in told.proof


@pytest.mark.parametrize(
    ("language", "caveat"),
    [
        ("en", "If a copy of your own names the same newest hash"),
        ("zh", "若与自行留存的末条哈希值一致"),
    ],
)
def test_a_chain_written_anew_is_not_called_true(language: Language, caveat: str) -> None:
    """Without its trip, renumbered and rehashed: it holds together, and only a kept hash tells."""
    anew: list[bytes] = []
    previous = NO_LINK
    for link in LINKS:
        if b'"trip-commands"' not in link:
            anew.append(rewritten(link, number=len(anew) + 1, previous=previous))
            previous = json.loads(anew[-1])["hash"]
    told = why("home-1", anew, language)
    assert told.is_proven
    assert caveat in told.proof
    assert why("home-1", LINKS).proof != told.proof


def waiting(*hours: float) -> Office:
    """A home whose money is gone and whose meter never answers after the command, by the hour."""
    office = cut(None)
    for hour in hours:
        at = int(MONDAY + 2 * DAY + hour * HOUR)
        office.beat(at)
        office.tick(at + 60)
    return office


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_first_of_repeated_commands_is_the_answer(language: Language) -> None:
    """The law's hours count from the first stop, and until the first order to end it."""
    office = waiting(11, 11.5, 12, 13)
    assert len(office.told["trip-commands"]) > 1
    told = why("home-1", office.links("home-1"), language)
    assert told.answer.startswith("2026-07-08 02:02 UTC")
    office.pay("home-1", "100", MONDAY + 2 * DAY + 14 * HOUR)
    for minutes in range(30, 150, 30):
        office.beat(MONDAY + 2 * DAY + 14 * HOUR + minutes * 60)
        office.tick(MONDAY + 2 * DAY + 14 * HOUR + minutes * 60 + 60)
    assert len(office.told["restore-commands"]) > 1
    told = why("home-1", office.links("home-1"), language)
    assert told.answer.startswith("2026-07-08 02:02 UTC")
    assert told.answer.endswith(("ordered back on 2026-07-08 06:00 UTC.", "2026-07-08 06:00 UTC。"))


def test_a_later_episode_is_the_answer_though_the_one_before_was_never_ended() -> None:
    trip = next(link for link in LINKS if b'"trip-commands"' in link)
    told = json.loads(trip)["told"]
    chain: list[bytes] = []
    for episode, attempt, hour in ((1, 1, 2), (1, 2, 3), (2, 1, 4), (2, 2, 5)):
        chain.append(
            rewritten(
                trip,
                told=told | {"effectId": f"home-1:trip:{episode}:{attempt}"},
                decidedAt=f"2026-07-08T0{hour}:00:00Z",
                number=len(chain) + 1,
                previous=json.loads(chain[-1])["hash"] if chain else NO_LINK,
            )
        )
    answers = [why("home-1", chain[:length]).answer for length in range(1, 5)]
    assert [answer[11:16] for answer in answers] == ["02:00", "02:00", "04:00", "04:00"]


def test_the_newest_word_is_the_answer():
    """First the payments were unheard of, then a notice went out, then an operator held it."""
    office = Office()
    office.open("home-1", direct_close_agreed=True)
    office.pay("home-1", "10")
    office.live("home-1", 2, watts=2_000)
    assert "The supply was left on: the payments" in why("home-1", office.links("home-1")).answer
    at = MONDAY + 2 * DAY + 9 * HOUR
    office.read("home-1", (at, 57 * 2_000))
    office.beat(at + 60)
    office.tick(at + 120)
    assert why("home-1", office.links("home-1")).answer == (
        "The supply was never ordered off. 2026-07-08 01:02 UTC: "
        "A disconnection notice was sent: -52.35 was available."
    )
    held = OperatorActed("home-1", 0, at + 600, Action.HOLD_SUPPLY, "li", "newborn", at + 600)
    office.event(held, at + 600)
    assert why("home-1", office.links("home-1")).answer == (
        "The supply was never ordered off. 2026-07-08 01:10 UTC: The notice was withdrawn: "
        "home-1:notice:1: protected: an operator asked to leave the supply on."
    )


@pytest.mark.parametrize("stage", ["trip_commanded", "tripped", "restore_commanded"])
def test_nobody_says_left_on_where_it_may_be_off(stage: str) -> None:
    link = next(link for link in LINKS if b'"kind":"held"' in link)
    assert why("home-1", [link]).steps[0].sentence.startswith("The supply was left on")
    grounds = json.loads(link)["grounds"] | {"stage": stage}
    (step,) = why("home-1", [rewritten(link, grounds=grounds)]).steps
    assert step.sentence.startswith("No further command was sent: the ")


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


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"\n".join(LINKS) + b"\n")
    return path


def test_at_a_terminal(file, capsys):
    assert ask(["home-1", "--file", str(file), "--zone", "Asia/Shanghai"]) == 0
    said = capsys.readouterr().out
    assert "2026-07-08 10:02: The supply was ordered off" in said
    assert ask(["home-1", "--file", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_proven"] is True


def test_verify_a_file(file, capsys):
    assert verify([str(file)]) == 0
    told = capsys.readouterr().out
    assert f"{len(LINKS)} decisions about 1 accounts were checked: all hold" in told
    assert "written anew from some record on to its end" in told
    file.write_bytes(file.read_bytes().replace(b'"attempt":0', b'"attempt":1', 1))
    assert verify([str(file)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN home-1, link 1 at decisions.jsonl line 1" in said


def test_verify_counts_chains_without_their_beginning(file, capsys):
    file.write_bytes(b"\n".join(LINKS[3:]))
    assert verify([str(file)]) == 0
    assert "the beginning of 1 accounts is missing" in capsys.readouterr().out


def test_verify_against_a_kept_hash(file, capsys):
    kept = json.loads(LINKS[-1])["hash"]
    assert verify([str(file), "--newest", f"home-1={kept[:16].upper()}"]) == 0
    assert verify([str(file), "--newest", f"home-1={kept}", "--newest", f"home-2={kept}"]) == 1
    assert "NOT YOURS home-2" in capsys.readouterr().out
    file.write_bytes(b"\n".join(LINKS[:-1]))
    assert verify([str(file), "--newest", f"home-1={kept}"]) == 1
    assert "NOT YOURS home-1" in capsys.readouterr().out
    for wrong in (kept, f"home-1={kept[:15]}", f"home-1={'g' * 16}"):
        with pytest.raises(SystemExit):
            verify([str(file), "--newest", wrong])


AS_SAVED = {
    "with a byte order mark": b"\xef\xbb\xbf" + b"\n".join(LINKS),
    "by Windows": b"\r\n".join(LINKS) + b"\r\n",
    "with trailing blanks": b" \n".join(LINKS) + b" ",
    "with tabs": b"\t\n".join(LINKS) + b"\t",
    "with empty lines": b"\n\n \n".join(LINKS),
}


@pytest.mark.parametrize("saved", AS_SAVED.values(), ids=AS_SAVED)
def test_what_an_editor_puts_around_the_records_breaks_nothing(saved, file, capsys):
    file.write_bytes(saved)
    assert verify([str(file)]) == 0
    assert ask(["home-1", "--file", str(file)]) == 0
    assert "no record of a decision" not in capsys.readouterr().err


NO_RECORDS = {
    "empty": (b"", 0),
    "blank": (b"\n \n", 0),
    "junk": (b"{}\nnothing\n" * 20, 40),
    "of another encoding": (b"\n".join(LINKS).decode().encode("utf-16"), len(LINKS)),
}


@pytest.mark.parametrize(("saved", "lines"), NO_RECORDS.values(), ids=NO_RECORDS)
def test_a_file_without_records_proves_nothing(saved, lines, file, capsys):
    file.write_bytes(saved)
    assert ask(["home-1", "--file", str(file)]) == 1
    said = capsys.readouterr()
    assert "There is no record of a decision about this account." in said.out
    assert said.err.count("no record of a decision: decisions.jsonl line") == min(lines, 20)
    assert ("more" in said.err) is (lines > 20)
    assert verify([str(file)]) == 1
    told = capsys.readouterr().out
    assert "all hold" not in told
    assert ("There is no record of a decision here" in told) is (lines == 0)


def test_a_spoilt_record_of_the_account_is_no_foreign_line(file, capsys):
    file.write_bytes(b"\n".join([*LINKS[:-1], LINKS[-1][:-1]]))
    assert ask(["home-1", "--file", str(file)]) == 1
    assert "prove nothing" in capsys.readouterr().out
