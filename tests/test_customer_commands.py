"""`kilowatch policy`, `notices`, `contracts` and `collection`, as typed, over a broker."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from deploy import cli
from deploy.broker import EmbeddedBroker
from simulator.link import Reader
from streams.settings import Settings
from streams.topics import ACCOUNT_SETTINGS, DELIVERY_RECEIPTS, ensure_topics
from tests.test_benchmark import EASY, EVEN, HARD, world

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()  # the desk's own day, at any hour
CONTRACT = f"""
- accountId: mill-1
  contractId: GD-7
  customerName: 鲁纺棉业有限公司
  signedOn: 2020-01-05
  validFrom: 2020-02-01
  validTo: {TODAY + timedelta(days=30)}
  hasPrepaymentClause: true
  hasPlanClause: true
  guarantors:
  - {{name: 文登担保公司, amount: '100000.00', validFrom: 2020-02-01, validTo: 2099-01-31}}
  deposits: [{{depositId: D-1, amount: '50000', receivedOn: 2020-02-01}}]
  transformers:
  - transformerId: T-1
    voltageV: 10000
    changes: [{{kind: installed, on: 2020-02-01, capacityVa: 1250000, orderId: so-1}}]
"""
FACTS = (
    "accountId,customerClass,grade,stars,sector,meanMonthWh,meanDay\n"
    "mill-1,large,{grade},{stars},1751,900000000,20000\n"
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker of our own: these topics are real ones."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as one:
        yield one


@pytest.fixture(scope="module")
def office(broker, tmp_path_factory):
    """Topics on the broker, and a directory with the files a clerk has."""
    settings = Settings(bootstrap=broker.bootstrap)
    asyncio.run(ensure_topics(settings))
    place = tmp_path_factory.mktemp("office")
    (place / "contracts.yaml").write_text(CONTRACT, "utf-8")
    (place / "good.csv").write_text(FACTS.format(grade="AA", stars=4), "utf-8")
    (place / "bad.csv").write_text(FACTS.format(grade="CCC", stars=1), "utf-8")
    return place


@pytest.fixture
def typed(broker, monkeypatch, capsys):
    """Type a command; its exit code and all it printed."""
    monkeypatch.setenv("KILOWATCH_BOOTSTRAP", broker.bootstrap)
    monkeypatch.setenv("COLUMNS", "240")

    def run(*words):
        code = cli.main([str(word) for word in words])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return run


def bodies(bootstrap, topic):
    reader = Reader(bootstrap, [topic])
    found = [json.loads(one.value) for one in reader.read_to_end()]
    reader.close()
    return found


@pytest.mark.broker
def test_a_customer_from_contract_to_policy_to_proof(office, typed, broker):
    assert typed("contracts", "put", office / "contracts.yaml") == (0, "1 contract(s) kept\n")
    assert "150000.00" in typed("contracts", "list")[1]
    assert "installed 1250" in typed("contracts", "transformers")[1]
    code, told = typed("contracts", "expiring", "--to", "c-017")
    assert (code, "(30 days)" in told) == (0, True)

    code, told = typed("policy", "propose", office / "good.csv", "--to", "wang")
    assert (code, "mill-1@1" in told) == (0, True)
    assert "1 proposal(s)" in typed("policy", "list")[1]
    assert "0 proposal(s)" in typed("policy", "propose", office / "good.csv")[1], "it waits already"
    code, told = typed("policy", "approve", "mill-1@1", "--by", "wang", "--reason", "agreed")
    assert (code, told) == (0, "mill-1@1 is in force: the stream has been told\n")
    assert typed("policy", "obey") == (0, ""), "told once"
    assert typed("policy", "approve", "mill-1@1", "--by", "zhao", "--reason", "x")[0] == 1

    assert "mill-1@2" in typed("policy", "propose", office / "bad.csv")[1]
    own = ("policy", "adjust", "mill-1@2", "--reason", "seasonal", "--settlement-days", 10)
    assert typed(*own, "--by", "li")[0] == 0
    code, told = typed("policy", "approve", "mill-1@3", "--by", "li", "--reason", "mine")
    assert (code, told) == (1, "li proposed it; another person must decide\n")
    assert typed("policy", "approve", "mill-1@3", "--by", "wang", "--reason", "ok")[0] == 0
    said = bodies(broker.bootstrap, ACCOUNT_SETTINGS)
    assert [(each["policyVersion"], each["paymentMode"]) for each in said] == [
        (1, "plan"), (3, "prepaid")]  # fmt: skip

    assert typed("policy", "enter", "mill-1", "operations", "orders", "满产", "--by", "li")[0] == 0
    pdf = office / "policy.pdf"
    assert typed("policy", "sheet", "mill-1@3", "--out", pdf)[0] == 0
    zh, en = (page.extract_text() for page in PdfReader(pdf).pages)
    assert "鲁纺棉业有限公司" in zh
    assert "满产" in zh
    assert "prepaid" in en

    since = TODAY - timedelta(days=40)
    owed = ("mill-1", "--owed", "1200.50", "--overdue-since", since)
    assert "milder-step-not-proven" in typed("notices", "ladder", *owed)[1]
    assert typed("notices", "draft", *owed, "disconnection", "--out", office)[0] == 1
    code, told = typed("notices", "draft", *owed, "dunning", "--out", office)
    path, letter = Path(told.splitlines()[0]), told.splitlines()[1].removeprefix("letter ")
    assert code == 0
    assert hashlib.sha256(path.read_bytes()).hexdigest() in told
    assert typed("notices", "verify", letter, path)[0] == 0
    assert typed("notices", "verify", letter, pdf)[0] == 1
    proof = ("--by", "li", "--method", "registered-mail", "--reference")
    assert typed("notices", "prove", letter, *proof, "")[0] == 1
    assert typed("notices", "prove", letter, *proof, "XA123456789CN")[0] == 0
    (receipt,) = bodies(broker.bootstrap, DELIVERY_RECEIPTS)
    assert receipt["noticeId"] == letter
    assert "too-soon-after-milder-step" in typed("notices", "ladder", *owed)[1]
    assert "XA123456789CN" in typed("notices", "list", "mill-1")[1]

    code, told = typed("collection", "list")
    assert "mill-1@decide-policy@mill-1@1" in told
    assert "mill-1@renew-contract" in told
    work = "mill-1@decide-policy@mill-1@1"
    assert typed("collection", "close", work, "--by", "wang", "--outcome", "approved")[0] == 0
    assert typed("collection", "close", work, "--by", "wang", "--outcome", "again")[0] == 1
    assert "wang" in typed("collection", "review")[1]


def test_an_appraisal_as_csv_and_pdf(tmp_path, capsys):
    columns = ("accountId", "collector", "grade", "sector", "size", "billed", "received",
               "daysPastDue", "isPrepaid", "restoreSeconds")  # fmt: skip
    some = world(2, {"hard": HARD, "even": EVEN, "easy": EASY, "other": EVEN}, 600, {"hard": 0.15})
    months = tmp_path / "july.csv"
    with months.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for one in some:
            kind = (one.account_id, one.collector, one.grade, one.sector, one.size)
            money = (one.billed_nanos // 10**9, one.received_nanos // 10**9)
            writer.writerow([*kind, *money, 3, "true", "600;900"])
    told, pdf = tmp_path / "out.csv", tmp_path / "out.pdf"
    words = ["collection", "appraise", months, "--csv", told, "--pdf", pdf]
    assert cli.main([str(word) for word in words]) == 0
    rows = list(csv.DictReader(io.StringIO(told.read_text("utf-8-sig"))))
    assert rows[0]["collector"] == "hard"
    assert rows[0]["verdict"] == "above expectation"
    assert float(rows[0]["lead_low"]) > 0
    assert rows[0]["days_past_due"] == "3"
    text = PdfReader(io.BytesIO(pdf.read_bytes())).pages[0].extract_text()
    for words in ("月考核", "hard", "优于期望", "复电"):
        assert words in text, words
    capsys.readouterr()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a,li,AA,1,small,ten,5", "billed"),
        ("a,li,AA,1,small,10", "received is missing"),
        ("a,li,AA,1,small,10,5,x", "daysPastDue"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, capsys, line, why):
    path = tmp_path / "july.csv"
    path.write_text(f"accountId,collector,grade,sector,size,billed,received,daysPastDue\n{line}\n")
    assert cli.main(["collection", "appraise", str(path)]) == 1
    told = capsys.readouterr().err
    assert f"{path}:2" in told
    assert why in told


@pytest.mark.parametrize("word", ["policy", "notices", "contracts", "collection"])
def test_help_comes_with_examples(word, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([word, "--help"])
    assert ended.value.code == 0
    assert f"kilowatch {word} " in capsys.readouterr().out.split("examples:")[1]
