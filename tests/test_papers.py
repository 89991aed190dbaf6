"""Papers say what was decided, in Chinese and English, and the same facts give the same bytes."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from api.letter_words import Sender, letter_body, wordings
from api.papers import FontsMissing, content_hash, printed
from api.sheet_words import FACTS, policy_body, why_texts
from scoring import letters
from scoring.amounts import amount_in_capitals
from scoring.customer_file import FIELDS, Block, Fact
from scoring.letters import Letter, Method, Proof
from scoring.policy_terms import Choice, MustPrepay, Why
from scoring.units import NANOS_PER_UNIT, nanos
from tests.test_customer_file import CONTRACT
from tests.test_customer_file import MILL as FILE
from tests.test_letters import RUNG, case, served
from tests.test_policy import JULY, MILL, NOON, agreed, proposed

SHANGHAI = ZoneInfo("Asia/Shanghai")
SENDER = Sender("文登供电中心", "微信、支付宝或营业厅", "0631-95598")


def text_of(pdf):
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def fonts_of(pdf):
    found = set()
    for page in PdfReader(io.BytesIO(pdf)).pages:
        for font in page["/Resources"]["/Font"].values():
            (inner,) = font.get_object()["/DescendantFonts"]
            keys = inner.get_object()["/FontDescriptor"].get_object().keys()
            found.add("/FontFile3" in keys or "/FontFile2" in keys)
    return found


def test_a_sheets_facts_have_names_and_words_in_both_languages():
    told = {(block, name) for block, names in FIELDS.items() for name in names}
    assert {name for _, name in told} <= set(FACTS)
    asked = Fact(Block.SUPPLY, "payment_mode", "prepaid", JULY, "stream")
    own = Fact(Block.EQUIPMENT, "boiler", "2 t", JULY, "li")
    file = replace(FILE, facts=(asked, own))
    body = policy_body(proposed(), CONTRACT, file, "文登供电中心")
    supply, equipment, contract = (body["zh"]["blocks"][at][1] for at in (1, 2, 6))
    assert supply.startswith("缴费方式：预付费；")
    assert equipment == "boiler：2 t；尚缺 2 项"
    assert (body["en"]["blocks"][1][1]).startswith("payment: prepaid; ")
    lacking = {block: name for block, name in CONTRACT.fills() if block is Block.CONTRACT}
    assert lacking
    assert f"尚缺 {4 - len(CONTRACT.fills()) + bool(CONTRACT.transformers)} 项" in contract


# amount | in capitals, as receipts want them
CAPITALS = """
0              人民币零元整
0.01           人民币壹分
0.30           人民币叁角整
1              人民币壹元整
10             人民币壹拾元整
1.05           人民币壹元零伍分
100.50         人民币壹佰元伍角整
1001           人民币壹仟零壹元整
1010.11        人民币壹仟零壹拾元壹角壹分
10000          人民币壹万元整
10304.50       人民币壹万零叁佰零肆元伍角整
100000         人民币壹拾万元整
20000005       人民币贰仟万零伍元整
123456789.12   人民币壹亿贰仟叁佰肆拾伍万陆仟柒佰捌拾玖元壹角贰分
100010000      人民币壹亿零壹万元整
-12.30         人民币负壹拾贰元叁角整
"""


@pytest.mark.parametrize("line", CAPITALS.strip().splitlines())
def test_amounts_in_capitals(line):
    amount, words = line.split()
    assert amount_in_capitals(nanos(amount)) == words


def test_a_policy_sheet_in_both_languages():
    fallen = proposed(replace(MILL, grade="CCC", stars=1))
    body = policy_body(fallen, CONTRACT, FILE, "文登供电中心", SHANGHAI)
    pdf = printed("policy.typ", body, NOON)
    zh, en = text_of(pdf)
    for words in (
        "一户一策",
        "鲁纺棉业有限公司",
        "CCC",
        "预付费",
        "300000.00",
        "单位负责人",
        "待审批",
    ):
        assert words in zh, words
    for words in ("Customer policy", "mill-1", "prepaid", "every 7 days", "unit head", "Owners"):
        assert words in en, words
    assert "protections, guards" in en.replace("\n", " ")
    assert content_hash(body) in zh
    assert fonts_of(pdf) == {True}, "every font is inside"


def test_a_plan_is_on_its_sheet():
    chosen = agreed(replace(MILL, choice=Choice.PLAN_BY_READING))
    body = policy_body(chosen, None, None, "文登供电中心", SHANGHAI, ("zh",))
    (zh,) = text_of(printed("policy.typ", body, NOON))
    for words in ("分次结算", "月末", "30 %", "100 %", "已批准", "wang", "2026-07-06"):
        assert words in zh, words


def test_every_reason_can_be_told():
    many = [
        proposed(replace(MILL, must_prepay=((MustPrepay.THEFT, JULY), (MustPrepay.LEASED, JULY)))),
        proposed(replace(MILL, stars=2, choice=Choice.PREPAID, grade="C")),
        agreed(replace(MILL, choice=Choice.PLAN_BY_READING)),
        proposed(replace(MILL, mode=None, grade="")),
    ]
    told = {why for one in many for why, _ in one.why}
    assert told >= set(Why) - {Why.MODE_KEPT}
    zh, en = why_texts(many[0])
    assert zh[0] == "必须预付费：窃电、租赁户"
    assert en[0] == "must prepay: theft, leased premises"


@pytest.mark.parametrize("letter", Letter)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_letter_states_amount_date_number_and_what_it_rests_on(letter, language):
    before = tuple(
        served(one, day)
        for one, day in ((Letter.DUNNING, 1), (Letter.DISCONNECTION, 30), (Letter.LAWYER, 60))
        if one is not letter
    )
    here = case(120, served=before, is_prepaid=True)
    if letter is Letter.PREPAID_DISCONNECTION:
        decided = letters.Decided(letter, "mill-1:notice:1", here.owed_nanos, here.today)
        here = replace(here, decided=(decided,))
    one = letters.serve(here, RUNG[letter], ("li", "wang"))
    body = letter_body(one, "鲁纺棉业有限公司", SENDER, SHANGHAI, language)
    (text,) = text_of(printed("letter.typ", body, one.drafted_at))
    for words in (
        one.number, "10,000.00", "人民币壹万元整", one.by_date.isoformat(), "鲁纺棉业有限公司",
        one.notice_id, wordings()[language][letter.value]["title"], "0631-95598",
    ):  # fmt: skip
        assert words in text, words


def test_whoever_is_threatened_with_a_stop_is_told_of_the_protections():
    for language, word in (("zh", "生命支持设备"), ("en", "life support")):
        for letter in (Letter.DUNNING, Letter.DISCONNECTION, Letter.SECOND_NOTICE):
            told = " ".join(wordings()[language][letter.value]["paragraphs"])
            assert word in told, (language, letter)


def test_the_same_letter_has_the_same_bytes_and_proof_does_not_change_them():
    one = served(Letter.DUNNING, 40, proven=False)
    proven = letters.prove(one, Proof(Method.BY_HAND, "", "王五", "", one.drafted_at, "li"))
    first, second = (
        printed("letter.typ", letter_body(each, "鲁纺", SENDER, SHANGHAI), each.drafted_at)
        for each in (one, proven)
    )
    assert first == second
    dearer = replace(one, amount_nanos=one.amount_nanos + NANOS_PER_UNIT)
    other = printed("letter.typ", letter_body(dearer, "鲁纺", SENDER, SHANGHAI), one.drafted_at)
    assert other != first
    later = replace(one, by_date=date(2027, 1, 1))
    assert content_hash(letter_body(later, "鲁纺", SENDER, SHANGHAI)) not in text_of(first)[0]


def test_without_chinese_fonts_nothing_is_printed(tmp_path):
    with pytest.raises(FontsMissing, match="fonts-noto-cjk"):
        printed("policy.typ", {}, NOON, str(tmp_path))
